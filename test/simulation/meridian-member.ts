import type { EvictionPolicy } from '../../src/base/eviction-policies.js'
import { ALL_COMMANDS } from '../../src/commands/registry.js'
import type { VersionVector } from '../../src/crdt/version-vector.js'
import { digestOf } from '../../src/keyspace/digest.js'
import type { Member } from '../../src/node/member.js'
import { ReplyWriter } from '../../src/resp/reply-writer.js'
import { Request } from '../../src/resp/request.js'
import { EmbeddedMember } from '../support/embedded-member.js'
import { decodeFrame } from './frame-decoder.js'
import { parseReply } from './reply.js'
import type { MemberEnvironment, MemberKind, SimulatedMember, SimulatedSession } from './simulated-member.js'

/** The product's member under simulation. */
export class MeridianMember implements SimulatedMember {
  readonly member: Member
  private readonly embedded: EmbeddedMember

  constructor(environment: MemberEnvironment) {
    const { name, topology, dataFolder, databases, appendfsync, startWaitMs, clock, random, disk, network, logger } = environment
    this.embedded = new EmbeddedMember(
      { name, topology, dataFolder, databases, appendfsync, startWaitMs },
      { clock, random, disk, network, logger },
    )
    this.member = this.embedded.member
    const { log } = this.member
    const append = log.append.bind(log)
    log.append = (frame) => {
      environment.onFrame(frame.copy().bytes)
      return append(frame)
    }
  }

  get applied(): VersionVector {
    return this.member.applied
  }

  get durable(): VersionVector {
    return this.member.durable
  }

  get stable(): VersionVector {
    return this.member.stable
  }

  get refusesWrites(): boolean {
    return this.member.membership.writeRefusal !== null
  }

  addMember(name: string): boolean {
    this.topologyCommand('ADD', name, name, 'z', `${name}:1`)
    return this.member.engine.topology.named(name) !== undefined
  }

  removeMember(name: string, forced: boolean): boolean {
    const { topology } = this.member.engine
    const { version } = topology
    this.topologyCommand('REMOVE', name, ...(forced ? ['FORCE'] : []))
    return topology.version > version
  }

  private topologyCommand(...args: readonly string[]): void {
    const { engine } = this.member
    engine.beginBatch()
    // The reply comes when the change is durable; nobody waits for it here.
    engine.execute(this.embedded.newSession(), Request.of(['CRDT.TOPOLOGY', ...args]), new ReplyWriter())
    engine.endTurn()
  }

  newSession(): SimulatedSession {
    const { engine } = this.member
    const session = this.embedded.newSession()
    return {
      call: (args) => {
        const reply = new ReplyWriter()
        engine.beginBatch()
        engine.execute(session, Request.of(args), reply)
        return parseReply(reply.take().toString('latin1'))
      },
    }
  }

  digest(): string {
    const { keyspace, strings, keys } = this.member.engine
    return digestOf(keyspace, { strings, keys })
  }

  boundMemory(bytesTooMuch: number | null, evictionPolicy: EvictionPolicy): void {
    const { memory } = this.member.engine
    memory.configure({
      maxmemory: bytesTooMuch === null ? 0 : Math.max(1, memory.countedBytes - bytesTooMuch),
      evictionPolicy,
      evictionSamples: 5,
      evictionTenacity: 10,
      lfuLogFactor: 10,
      lfuDecayMinutes: 1,
    })
  }

  get evictions(): number {
    return this.member.engine.statistics.evictedKeys
  }

  endTurn(): void {
    this.member.engine.endTurn()
  }

  stop(): void {
    this.member.stop()
  }
}

export function meridianMemberKind(): MemberKind {
  const names = new Set(ALL_COMMANDS.map(({ name }) => name.toUpperCase()))
  return {
    start: (environment) => new MeridianMember(environment),
    decode: decodeFrame,
    supports: (command) => names.has(command),
  }
}
