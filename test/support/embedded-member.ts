import RedisParser from 'redis-parser'
import type { ClientRegistry } from '../../src/commands/client-registry.js'
import type { ServerService } from '../../src/commands/services.js'
import type { Dialer } from '../../src/ports/dialer.js'
import { Session } from '../../src/commands/session.js'
import { Member, type MemberOptions, type MemberPorts } from '../../src/node/member.js'
import { logReport, makeServices, staleRefusal, writeRefusal } from '../../src/node/services.js'
import { ReplyWriter } from '../../src/resp/reply-writer.js'
import { Request } from '../../src/resp/request.js'
import { NO_SETTINGS } from './no-settings.js'

/** null, number, Buffer (bulk or simple string), Error or array. */
export type Reply = null | number | Buffer | Error | Reply[]

/** A member without sockets for clients: commands are called, replies returned. For the simulator and for tests of whole members. */
export class EmbeddedMember {
  readonly member: Member
  private nextSession = 1

  constructor(options: MemberOptions, ports: MemberPorts) {
    const theMember = (): Member => this.member
    this.member = new Member(
      options,
      ports,
      makeServices(theMember, () => NO_CLIENTS, NO_SETTINGS, serverOf(theMember, options, ports), NO_DIALER),
    )
  }

  newSession(): Session {
    return new Session(this.nextSession++)
  }

  /** Runs one command; its frame is closed at the end of the turn (Clock.defer), as in the server. Undefined if the command blocks. */
  call(session: Session, args: readonly (string | Uint8Array)[]): Reply | undefined {
    const reply = new ReplyWriter()
    reply.protocol = session.protocol
    this.member.engine.beginBatch()
    this.member.engine.execute(session, Request.of(args), reply)
    let result: Reply | undefined
    const parser = new RedisParser({
      returnReply: (value: Reply) => void (result = value),
      returnError: (error: Error) => void (result = error),
      returnBuffers: true,
    })
    parser.execute(reply.take())
    return result
  }
}

const NO_DIALER: Dialer = {
  dial: () => {
    throw new Error('no network for clients')
  },
}

const NO_CLIENTS: ClientRegistry = {
  clients: () => [],
  find: () => undefined,
  count: 0,
  maxClients: 10_000,
  statistics: {
    totalConnections: 0,
    rejectedConnections: 0,
    netInputBytes: 0,
    netOutputBytes: 0,
    outputBufferLimitDisconnections: 0,
    queryBufferLimitDisconnections: 0,
    evictedClients: 0,
  },
}

function serverOf(member: () => Member, options: MemberOptions, ports: MemberPorts): ServerService {
  const self = options.topology.members.find(({ id }) => id === options.topology.self)
  return {
    version: '0.0.0',
    clusterId: options.topology.clusterId,
    memberName: self?.name ?? '',
    region: self?.region ?? '',
    zone: self?.zone ?? '',
    startedMs: ports.clock.wallMs(),
    runId: '0'.repeat(40),
    tcpPort: 0,
    tlsPort: 0,
    configFile: '',
    processId: 1,
    residentBytes: () => 0,
    cpuSeconds: () => ({ user: 0, system: 0 }),
    get log() {
      return logReport(member(), options.appendfsync)
    },
    eventLoop: () => ({ cycles: 0, activeMs: 0 }),
    nowMicroseconds: () => ports.clock.wallMs() * 1000,
    random: () => ports.random.uint32(),
    shutdown: () => undefined,
    get writeRefusal() {
      return writeRefusal(member())
    },
    get staleRefusal() {
      return staleRefusal(member())
    },
    sleep: () => undefined,
  }
}
