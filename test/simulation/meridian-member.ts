import { createHash } from 'node:crypto'
import { CommandTable } from '../../src/commands/command-table.js'
import { ALL_COMMANDS } from '../../src/commands/registry.js'
import type { Services } from '../../src/commands/services.js'
import { Session } from '../../src/commands/session.js'
import { VersionVector } from '../../src/crdt/version-vector.js'
import { visibleExpiry, visibleText } from '../../src/crdt/string-state.js'
import { KeyType, SHARD_COUNT } from '../../src/keyspace/database.js'
import { Member } from '../../src/node/member.js'
import { ReplyWriter } from '../../src/resp/reply-writer.js'
import { Request } from '../../src/resp/request.js'
import { EffectSession } from './effect-session.js'
import { decodeFrame } from './frame-decoder.js'
import { latin1, replyText } from './reply.js'
import type { MemberEnvironment, MemberKind, SimulatedMember, SimulatedSession } from './simulated-member.js'

/** How commands reach the member: through its own command table, or by the simulator's model of them, on its effects. */
export type CommandPath = 'commands' | 'effects'

/** The product's member under simulation. */
export class MeridianMember implements SimulatedMember {
  readonly member: Member
  private nextSession = 1

  constructor(
    private readonly environment: MemberEnvironment,
    private readonly path: CommandPath,
  ) {
    const { topology, dataFolder, databases, appendfsync, clock, random, disk, network, logger } = environment
    this.member = new Member(
      { topology, dataFolder, databases, appendfsync },
      { clock, random, disk, network, logger },
      this.services(),
    )
    const { log } = this.member
    const append = log.append.bind(log)
    log.append = (frame) => {
      environment.onFrame(frame.bytes)
      return append(frame)
    }
  }

  get applied(): VersionVector {
    return this.member.applied
  }

  get durable(): VersionVector {
    return this.member.durable
  }

  newSession(): SimulatedSession {
    const { engine } = this.member
    if (this.path === 'effects') {
      const endOp = (): void => void engine.effects.endOp()
      const refused = (): boolean => this.member.log.refusal !== null
      return new EffectSession(engine, () => this.environment.clock.wallMs(), endOp, (db) => this.size(db), refused)
    }
    const session = new Session(this.nextSession++)
    return {
      call: (args) => {
        const reply = new ReplyWriter()
        engine.execute(session, Request.of(args), reply)
        return replyText(reply.take().toString('latin1'))
      },
    }
  }

  /** Over everything that is stored, also keys that are due. */
  digest(): string {
    const { keyspace, strings } = this.member.engine
    const lines: string[] = []
    for (let database = 0; database < keyspace.databaseCount; database++) {
      const db = keyspace.peek(database)
      if (db === undefined) continue
      for (let shard = 0; shard < SHARD_COUNT; shard++) {
        for (let i = db.shardCount(shard) - 1; i >= 0; i--) {
          const ref = db.recordAt(shard, i)
          if (db.type(ref) === KeyType.none) continue
          const state = strings.load(db, ref)
          lines.push(`${database}:${latin1(db.key(ref))}=${latin1(visibleText(state)!)}@${visibleExpiry(state)?.at ?? Infinity}`)
        }
      }
    }
    return createHash('sha1').update(lines.sort().join('\n'), 'latin1').digest('hex')
  }

  endTurn(): void {
    this.member.engine.endTurn()
  }

  stop(): void {
    this.member.stop()
  }

  private size(database: number): number {
    const db = this.member.engine.keyspace.peek(database)
    let count = 0
    for (let shard = 0; db !== undefined && shard < SHARD_COUNT; shard++) {
      for (let i = db.shardCount(shard) - 1; i >= 0; i--) if (db.type(db.recordAt(shard, i)) !== KeyType.none) count++
    }
    return count
  }

  /** What a server is to its commands; here there is none. */
  private services(): Services {
    const { environment } = this
    const { clock, random } = environment
    const refusal = (): string | null => (this.member.log.refusal === null ? null : 'MISCONF the disk refuses writes')
    const transactions = (): Services['transactions'] => this.member.engine.transactions
    return {
      table: TABLE,
      clients: {
        clients: () => [],
        find: () => undefined,
        count: 1,
        maxClients: 10_000,
        statistics: {
          totalConnections: 0,
          rejectedConnections: 0,
          netInputBytes: 0,
          netOutputBytes: 0,
          outputBufferLimitDisconnections: 0,
          queryBufferLimitDisconnections: 0,
        },
      },
      settings: {
        get: () => [],
        set: () => null,
        rewrite: () => null,
        resetStatistics: () => undefined,
        requirePassword: null,
        debugCommand: 'no',
      },
      replication: {
        memberId: environment.id,
        applied: new VersionVector(),
        durable: new VersionVector(),
        stable: new VersionVector(),
        peers: [],
        onProgress: () => undefined,
      },
      server: {
        version: '0.0.0',
        clusterId: environment.topology.clusterId,
        memberName: environment.name,
        region: environment.name,
        zone: 'z',
        startedMs: clock.wallMs(),
        runId: '0'.repeat(40),
        tcpPort: 0,
        tlsPort: 0,
        configFile: '',
        processId: 1,
        residentBytes: () => 1,
        cpuSeconds: () => ({ user: 0, system: 0 }),
        log: { appendedBytes: 0, durableBytes: 0, segments: 1, policy: 'everysec', lastError: null },
        nowMicroseconds: () => clock.wallMs() * 1000,
        random: () => random.uint32() / 2 ** 32,
        shutdown: () => undefined,
        get writeRefusal() {
          return refusal()
        },
        digest: () => this.digest(),
        statistics: { commandsProcessed: 0, expiredKeys: 0, evictedKeys: 0, remoteFrames: 0, remoteOps: 0, operationsPerSecond: 0 },
      },
      transactions: {
        multi: (session) => transactions().multi(session),
        discard: (session) => transactions().discard(session),
        watch: (session, database, key) => transactions().watch(session, database, key),
        unwatch: (session) => transactions().unwatch(session),
        reset: (session) => transactions().reset(session),
      },
    }
  }
}

const TABLE = new CommandTable(ALL_COMMANDS)

/** Until the product has the commands of the workload, the simulator's model stands in for them. */
export function defaultCommandPath(): CommandPath {
  const names = new Set(ALL_COMMANDS.map((spec) => spec.name))
  return ['set', 'get', 'incrbyfloat', 'bitfield', 'pexpireat', 'copy', 'flushdb', 'dbsize', 'select'].every((name) => names.has(name))
    ? 'commands'
    : 'effects'
}

export function meridianMemberKind(path: CommandPath = defaultCommandPath()): MemberKind {
  return { start: (environment) => new MeridianMember(environment, path), decode: decodeFrame }
}
