import type { MemberId } from '../../src/base/ids.js'
import { digestOf } from '../../src/keyspace/digest.js'
import { beginJoining } from '../../src/node/joining.js'
import type { Member, MemberOptions } from '../../src/node/member.js'
import { JoinRequest } from '../../src/peer-sync/join-request.js'
import type { MemberInfo, Topology } from '../../src/peer-sync/sync-host.js'
import type { Logger } from '../../src/ports/logger.js'
import type { Session } from '../../src/commands/session.js'
import { SeededRandom } from '../simulation/random.js'
import { Scheduler } from '../simulation/scheduler.js'
import { Life, MachineClock, SimClock } from '../simulation/sim-clock.js'
import { SimDisk } from '../simulation/sim-disk.js'
import { SimNetwork } from '../simulation/sim-network.js'
import { EmbeddedMember } from './embedded-member.js'

const CLUSTER = 'simulated'

/** A member with its disk, which outlives the process. */
export class SimulatedNode {
  readonly lines: string[] = []
  readonly clock: MachineClock
  disk: SimDisk
  private life = new Life()
  private embedded: EmbeddedMember | null = null
  private session: Session | null = null
  private starts = 0

  constructor(
    private readonly mesh: SimulatedMesh,
    readonly id: number,
    readonly name: string,
    /** What its configuration says; nobody for one that joins. */
    private readonly configured: readonly MemberInfo[],
  ) {
    this.clock = new MachineClock(mesh.scheduler, 0, 1)
    this.disk = new SimDisk(mesh.scheduler, mesh.random.stream(`disk ${id}`))
  }

  get member(): Member {
    return this.up.member
  }

  private get up(): EmbeddedMember {
    if (this.embedded === null) throw new Error(`${this.name} is down`)
    return this.embedded
  }

  start(): void {
    const { mesh, id, name, configured } = this
    const life = (this.life = new Life())
    const write = (fields: object, message: string): void => {
      if (life.alive) this.lines.push(`${message} ${JSON.stringify(fields)}`)
    }
    const logger: Logger = { debug: () => undefined, info: write, warn: write, error: write, child: () => logger }
    const topology: Topology = { clusterId: CLUSTER, version: 1, members: configured, self: id as MemberId }
    this.embedded = new EmbeddedMember(
      {
        topology,
        dataFolder: '/data',
        databases: 4,
        appendfsync: 'everysec',
        segmentBytes: 2000,
        snapshotPace: { stepBytes: 500, turnMs: 0, turnBytes: 2000, sectionBytes: 1000, pauseMs: 1 },
        ...mesh.options,
      },
      {
        clock: new SimClock(this.clock, life),
        random: mesh.random.stream(`member ${id} start ${this.starts++}`),
        disk: this.disk.port(life),
        network: mesh.network.port(name, life),
        logger,
      },
    )
    this.member.keeping.backlogBytes = 0
    this.session = this.embedded.newSession()
  }

  /** kill -9, or the power goes. */
  crash(power = false): void {
    this.life.alive = false
    this.embedded = null
    this.mesh.network.processDied(this.name)
    if (power) this.disk.powerCut()
  }

  /** The disk is another one, and empty. */
  loseDisk(): void {
    this.crash()
    this.disk = new SimDisk(this.mesh.scheduler, this.mesh.random.stream(`new disk ${this.id} ${this.starts}`))
  }

  /** A copy of the machine is started, and has its address from now on; the original, which is given back, runs on. */
  clone(): { run(...args: string[]): string; stop(): void; readonly disk: SimDisk } {
    const { life, up, session, disk, mesh, id } = this
    this.disk = new SimDisk(mesh.scheduler, mesh.random.stream(`cloned disk ${id} ${this.starts}`))
    this.disk.restore(disk.image())
    this.start()
    return { disk, run: (...args) => runOn(up, session, args), stop: () => (life.alive = false) }
  }

  run(...args: string[]): string {
    return runOn(this.up, this.session, args)
  }

  /** The reply to a command that answers bytes. */
  bytes(...args: string[]): Uint8Array {
    const reply = this.session === null ? null : this.up.call(this.session, args)
    if (!Buffer.isBuffer(reply)) throw new Error(`${args[0]} answers ${String(reply)}`)
    return reply
  }

  digest(): string {
    const { keyspace, strings, keys } = this.member.engine
    return digestOf(keyspace, { strings, keys })
  }

  /** Lets go of as much of the log as may go: two snapshots, and what the others are known to have. */
  trim(): void {
    for (let i = 0; i < 2; i++) {
      this.member.snapshots.saveNow('save')
      this.mesh.advance(1100)
    }
  }
}

function runOn(embedded: EmbeddedMember, session: Session | null, args: readonly string[]): string {
  if (session === null) throw new Error('it is down')
  const reply = embedded.call(session, args)
  return Array.isArray(reply) ? reply.map(String).join(' ') : String(reply)
}

/** Whole members in one process, with simulated clocks, disks and network. */
export class SimulatedMesh {
  readonly scheduler = new Scheduler(20_000_000)
  readonly random: SeededRandom
  readonly network: SimNetwork
  readonly infos: readonly MemberInfo[]
  readonly nodes: readonly SimulatedNode[]

  constructor(
    count: number,
    seed = 1,
    readonly options: Partial<MemberOptions> = {},
  ) {
    this.random = new SeededRandom(seed)
    this.network = new SimNetwork(this.scheduler, this.random.stream('network'), CLUSTER)
    this.infos = Array.from({ length: count }, (_, i) => {
      const name = `m${i + 1}`
      return { id: (i + 1) as MemberId, name, region: `r${i + 1}`, zone: 'z', address: { name, host: name, port: 1 } }
    })
    this.nodes = this.infos.map(({ id, name }) => new SimulatedNode(this, id, name, this.infos))
  }

  start(): this {
    for (const node of this.nodes) node.start()
    this.advance(500)
    return this
  }

  /** Adds a member at another one, and starts it with the list that this one gives it. */
  join(name: string, via: SimulatedNode): SimulatedNode {
    const added = via.run('CRDT.TOPOLOGY', 'ADD', name, name, 'z', `${name}:1`)
    if (added.includes('ERR')) throw new Error(added)
    const node = new SimulatedNode(this, this.idOf(name, via), name, [])
    this.until('the list of members is durable', () => via.member.topologyBytes !== null && via.member.membership.isDurable)
    beginJoining(node.disk.port(new Life()), '/data', via.member.topologyBytes ?? new Uint8Array())
    node.start()
    return node
  }

  /** What a member answers to a new one that asks for the list. */
  askToJoin(name: string, at: SimulatedNode): Uint8Array | Error {
    let answer: Uint8Array | Error | null = null
    const life = new Life()
    const logger: Logger = {
      debug: () => undefined,
      info: () => undefined,
      warn: () => undefined,
      error: () => undefined,
      child: () => logger,
    }
    new JoinRequest(
      {
        network: this.network.port(name, life),
        clock: new SimClock(new MachineClock(this.scheduler, 0, 1), life),
        random: this.random.stream(`joiner ${name}`),
        logger,
      },
      { clusterId: CLUSTER, name, at: { host: at.name, port: 1 } },
      (result) => (answer = result),
    )
    this.until('it is answered', () => answer !== null, 100_000)
    return answer ?? new Error('no answer')
  }

  private idOf(name: string, via: SimulatedNode): number {
    const entry = via.member.engine.topology.named(name)
    if (entry === undefined) throw new Error(`${via.name} does not know ${name}`)
    return entry.id
  }

  advance(ms: number): void {
    this.scheduler.runUntil(this.scheduler.now + ms)
  }

  /** Waits until something is so. */
  until(what: string, isSo: () => boolean, ms = 60_000): void {
    for (let waited = 0; !isSo(); waited += 20) {
      if (waited > ms) throw new Error(`not within ${ms} ms: ${what}`)
      this.advance(20)
    }
  }

  untilEqual(...nodes: readonly SimulatedNode[]): void {
    const [first, ...others] = nodes
    // What was just written is not applied before the end of its turn.
    this.advance(5)
    this.until('all have the same', () =>
      others.every(({ member }) => member.applied.equals(first.member.applied) && member.sync?.transfer === null),
    )
  }

  /** Waits until the members call everything stable that they have applied. */
  untilStable(...nodes: readonly SimulatedNode[]): void {
    for (const { member } of nodes) {
      const { sync } = member
      this.until('everything is stable', () => sync?.stable().dominates(member.applied) === true)
    }
  }

  cut(node: SimulatedNode, isCut: boolean): void {
    for (const other of this.nodes) if (other !== node) this.network.setCut(node.name, other.name, isCut)
    if (isCut) for (const other of this.nodes) if (other !== node) this.network.breakLinks(node.name, other.name)
  }
}
