import { EVICTION_POLICIES } from '../../src/base/eviction-policies.js'
import type { MemberId } from '../../src/base/ids.js'
import type { MemberInfo, Topology } from '../../src/peer-sync/sync-host.js'
import { MeridianError } from '../../src/base/errors.js'
import { beginJoining } from '../../src/node/joining.js'
import { JoinRequest } from '../../src/peer-sync/join-request.js'
import { decodeTopology } from '../../src/topology/topology-codec.js'
import type { Logger } from '../../src/ports/logger.js'
import { BackupTrials, planBackups, type Beginning } from './backups.js'
import { Burials } from './burials.js'
import { canonical } from './canonical.js'
import { modelCommand, modelTransaction } from './command-model.js'
import { SimulationFailure } from './failure.js'
import { describeFault, planFaults, planMembership, planSnapshots, type Fault } from './faults.js'
import type { DecodedFrame } from './effects.js'
import { decodeStabilityNote, isStabilityNote } from './frame-decoder.js'
import { History, type Taking } from './history.js'
import { ModelStore } from './model-store.js'
import { Disks, planDisks } from './disks.js'
import type { FiredExpiry } from './expiry-oracle.js'
import { PROFILES, type Profile } from './profiles.js'
import { SeededRandom } from './random.js'
import { argument, shown, type Reply } from './reply.js'
import { Scheduler } from './scheduler.js'
import { Life, MachineClock, SimClock } from './sim-clock.js'
import { SimDisk, type DiskImage } from './sim-disk.js'
import { SimNetwork } from './sim-network.js'
import type {
  MemberEnvironment,
  Keeping,
  LastWrite,
  MemberKind,
  OfferedState,
  SimulatedMember,
  SimulatedSession,
  TransferListener,
} from './simulated-member.js'
import { doneBesides, groupsMadeSince, mayBeDropped, untoldAcks } from './taken-groups.js'
import { Transfers, drawKeeping, planTransfers, type TransferCounts } from './transfers.js'
import { typeNamed } from './types/all-types.js'
import { DUE_FIELDS, isDue, positionText, presentAt, showView, type DueFields, type KeyView } from './values.js'
import { Workload, resolveTimes, type Step } from './workload.js'

export interface SimulationOptions {
  readonly seed: number
  readonly members: number
  readonly steps: number
  readonly profile: string
  /** Indexes of faults and steps left out, by a shrinker. */
  readonly skipFaults: ReadonlySet<number>
  readonly skipSteps: ReadonlySet<number>
  /** Kinds of faults that do not happen. */
  readonly withoutFaults: ReadonlySet<string>
  readonly trace: ((line: string) => void) | null
}

export interface SimulationResult {
  readonly failure: Error | null
  /** The step under way when it failed. */
  readonly atStep: number
  readonly ops: number
  readonly events: number
  readonly faults: number
  readonly virtualMs: number
  readonly transfers: TransferCounts
  /** Backups that were held against the history, and clusters that were made of one. */
  readonly backups: { readonly compared: number; readonly restored: number }
  /** Clones beside their originals, originals that were refused, and removed members that came back. */
  readonly disks: { readonly clones: number; readonly forks: number; readonly returned: number }
}

const CLUSTER = 'simulated'
/** A member notices within this that its disk has room again; it retries once a second, by a clock that may run at half speed. */
const REFUSAL_LAG_MS = 12_000
const CONVERGE_WITHIN_MS = 120_000
const ORPHANS_AFTER_MS = 20_000
/** One that starts from a copy waits for the others, however long. */
const RESTORED_WAIT_MS = 600_000
/** No link may ever hold more than a subscription's credit and some frames. */
const MAX_BUFFERED_BYTES = 8 * 1024 * 1024

/** What the rules leave open, and members may do in either way. */
interface Reading {
  readonly fired: FiredExpiry
  readonly dueFields: DueFields
}

const READINGS: readonly Reading[] = DUE_FIELDS.flatMap((dueFields) => [
  { fired: 'spent', dueFields },
  { fired: 'stays', dueFields },
])

/** A member's machine, which outlives its process. */
interface Machine {
  readonly id: number
  readonly name: string
  readonly clock: MachineClock
  disk: SimDisk
  life: Life
  member: SimulatedMember | null
  sessions: Map<number, SimulatedSession>
  starts: number
  /** What the member has logged in this life, by member id: followed from outside. */
  logged: Float64Array
  /** What was durable, or safe from a kill, when it last went down. */
  owed: Float64Array
  /** Frames logged in the turn under way. */
  turnFrames: number
  refusalsAtStart: number
  /** It may use no more memory than it has. */
  isShort: boolean
  /** Until when it may refuse writes although its disk has room again: it looks once a second. */
  mayRefuseUntilMs: number
  /** It was there from the beginning. */
  readonly isSeed: boolean
  /** What was done to its membership. */
  removal: 'none' | 'drained' | 'forced'
  /** Never started again. */
  isDead: boolean
  /** A copy of its disk, and that it was once started from one, or with nothing. */
  image: DiskImage | null
  wasRestored: boolean
  /** It is a clone that has made nothing yet: the original. */
  twin: { readonly life: Life; readonly member: SimulatedMember } | null
  /** Its disk may lack ops of its own that others have. */
  lacksOwn: boolean
  /** It was started like that and has made nothing since: what an earlier process of it has sent may still arrive. */
  mayBeAhead: boolean
  /** The highest of what it has called stable in this life. */
  readonly stable: Float64Array
  /** States of others that are its own now. */
  takings: readonly Taking[]
  readonly returned: Map<number, Float64Array>
  /** It was removed by force and has ops that are lost to all others: what it answers concerns nobody. */
  hasLost: boolean
}

/** What is written where nothing gets through at once. */
const HELD_UP_BYTES = 100_000
/** One that was started from a copy takes writes within this, but for the time in which it takes a state: that may be held to some bytes a second. */
const RETURN_WITHIN_MS = 60_000
const RETURN_TAKING_WITHIN_MS = 600_000
/** Member ids go up to here in a simulation. */
const IDS = 256
/** How often members come and go in a cluster that was made of a backup. */
const RESTORED_MEMBERSHIP_RATE = 0.04
const NONE: ReadonlySet<number> = new Set()

const quiet: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => quiet }

/** One seed: N members, their clients, their faults, and the checks. */
export class Simulation {
  readonly scheduler = new Scheduler()
  readonly history: History
  private readonly random: SeededRandom
  private readonly network: SimNetwork
  private readonly machines: Machine[] = []
  private readonly members: MemberInfo[] = []
  private readonly profile: Profile
  private readonly appendfsync: 'always' | 'everysec' | 'no'
  private readonly sliced: boolean
  private readonly fates: SeededRandom
  private readonly keeping: Keeping | null
  private readonly transfers: Transfers
  private readonly clusterId: string
  private readonly backups: BackupTrials
  private readonly disks: Disks
  private readonly burials: Burials<Machine>
  private step = 0
  private faultCount = 0

  constructor(
    private readonly kind: MemberKind,
    private readonly options: SimulationOptions,
    /** Null: with nothing. */
    private readonly beginning: Beginning | null = null,
  ) {
    const profile = PROFILES[options.profile]
    if (profile === undefined) throw new Error(`no profile '${options.profile}'; there are ${Object.keys(PROFILES).join(', ')}`)
    this.profile = profile
    this.random = new SeededRandom(options.seed).stream(options.profile)
    this.fates = this.random.stream('fates')
    this.history = beginning?.history.upTo(beginning.vector) ?? new History()
    this.clusterId = beginning?.clusterId ?? CLUSTER
    this.network = new SimNetwork(this.scheduler, this.random.stream('network'), this.clusterId)
    this.appendfsync = this.random.stream('settings').pick(['everysec', 'always', 'no'])
    this.sliced = this.random.stream('slicing').chance(0.5)
    this.keeping = profile.transferRate === undefined ? null : drawKeeping(this.random.stream('keeping'))
    this.transfers = new Transfers({
      scheduler: this.scheduler,
      network: this.network,
      machines: this.machines,
      fates: this.random.stream('transfer fates'),
      crash: (machine: Machine, power) => this.crash(machine, power),
      start: (machine: Machine) => this.start(machine),
      loseDisk: (machine: Machine) => this.loseDisk(machine),
      adopted: (machine: Machine, state) => this.adopted(machine, state),
      check: (machine: Machine) => {
        this.noteDropped(machine)
        this.checkDump(machine)
      },
      trace: (line) => this.trace(line),
      fail: (what) => this.fail(what),
    })
    const ids = beginning?.members ?? Array.from({ length: options.members }, (_, i) => i + 1)
    for (const id of ids) {
      const name = `m${id}`
      this.members.push({
        id: id as MemberId,
        name,
        region: `r${id}`,
        zone: 'z',
        address: { name, host: name, port: 1 },
      })
    }
    for (const id of ids) this.machines.push(this.newMachine(id, `m${id}`, true))
    this.backups = this.newBackups()
    this.disks = this.newDisks()
    this.burials = this.newBurials()
  }

  private newBurials(): Burials<Machine> {
    const remaining = (): Machine[] => this.remaining
    return new Burials(
      {
        history: this.history,
        get remaining() {
          return remaining()
        },
        fail: (what) => this.fail(what),
        trace: (line) => this.trace(line),
        advance: (ms) => this.advance(ms),
        cutOff: (machine, from) => {
          this.network.setCut(machine.name, from.name, true)
          this.network.breakLinks(machine.name, from.name)
        },
        write: (machine) => {
          this.session(machine, machine.member!, 0).call(['INCR', 'unheard'])
          machine.member!.endTurn()
        },
        crash: (machine) => this.crash(machine, false),
        remove: (via, target, said) => this.remove(via, target, true, said),
        converge: () => this.converge(),
      },
      this.random.stream('burials'),
    )
  }

  private newDisks(): Disks {
    return new Disks({
      history: this.history,
      machines: this.machines,
      fail: (what) => this.fail(what),
      trace: (line) => this.trace(line),
      advance: (ms) => this.advance(ms),
      isQuietSoon: () => this.isQuietSoon(),
      newDisk: ({ id }) => new SimDisk(this.scheduler, this.random.stream(`disk ${id} ${this.scheduler.now}`)),
      crash: ({ id }, power) => this.crash(this.machineOf(id), power),
      start: ({ id }) => this.start(this.machineOf(id)),
      startStray: ({ id }, disk) => {
        const machine = this.machineOf(id)
        const life = new Life()
        return { life, member: this.kind.start(this.environment(machine, disk, life, true)) }
      },
      checkDump: ({ id }) => this.checkDump(this.machineOf(id)),
    })
  }

  private newBackups(): BackupTrials {
    const { kind, options, scheduler, history } = this
    const ids = (): number[] => this.origins
    return new BackupTrials(
      {
        scheduler,
        history,
        get ids() {
          return ids()
        },
        fail: (what) => this.fail(what),
        trace: (line) => this.trace(line),
        runRestored: (beginning) => {
          const trace = options.trace === null ? null : (line: string): void => options.trace?.(`   restored ${line}`)
          const simulation = new Simulation(
            kind,
            { ...options, trace, steps: beginning.steps, skipSteps: NONE, skipFaults: NONE },
            beginning,
          )
          const { failure } = simulation.run()
          if (failure !== null) throw inCluster(failure, beginning)
        },
      },
      this.random.stream('backups'),
      this.clusterId,
    )
  }

  private newMachine(id: number, name: string, isSeed: boolean): Machine {
    const random = this.random.stream(isSeed ? `machine ${id}` : `machine ${name}`)
    return {
      id,
      name,
      clock: new MachineClock(
        this.scheduler,
        random.between(-300, 300) +
          (this.beginning?.aheadMs ?? 0) +
          (this.beginning === null ? 0 : random.pick([0, 0, -3000, -100_000])),
        1 + (random.unit() - 0.5) * 0.0004,
      ),
      disk: new SimDisk(this.scheduler, random.stream('disk')),
      life: new Life(),
      member: null,
      sessions: new Map(),
      starts: 0,
      logged: new Float64Array(IDS),
      owed: new Float64Array(IDS),
      turnFrames: 0,
      refusalsAtStart: 0,
      isShort: false,
      mayRefuseUntilMs: 0,
      isSeed,
      removal: 'none',
      isDead: false,
      image: null,
      wasRestored: false,
      twin: null,
      lacksOwn: false,
      mayBeAhead: false,
      stable: new Float64Array(IDS),
      takings: [],
      returned: new Map(),
      hasLost: false,
    }
  }

  private machineOf(id: number): Machine {
    const machine = this.machines.find((each) => each.id === id)
    if (machine === undefined) throw this.fail(`there is no member ${id}`)
    return machine
  }

  /** Members that have not been removed. */
  private get remaining(): Machine[] {
    return this.machines.filter(({ removal }) => removal === 'none')
  }

  private get origins(): number[] {
    const ids = this.machines.map(({ id }) => id)
    const { beginning } = this
    return beginning === null
      ? ids
      : [...new Set([...ids, ...beginning.vector.keys()])].filter(
          (id) => id > 0 && (ids.includes(id) || beginning.vector[id] > 0),
        )
  }

  run(): SimulationResult {
    let failure: Error | null = null
    try {
      if (this.beginning !== null) this.restoreAll(this.beginning)
      for (const machine of this.machines) this.start(machine)
      this.runSteps()
      this.settle()
      this.backups.finish()
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error))
    }
    for (const machine of this.machines) machine.life.alive = false
    return {
      failure,
      atStep: this.step,
      ops: this.history.ops,
      events: this.scheduler.executed,
      faults: this.faultCount,
      virtualMs: this.scheduler.now,
      transfers: this.transfers.counts,
      backups: this.backups.counts,
      disks: this.disks.counts,
    }
  }

  private runSteps(): void {
    const { options, profile } = this
    const workload = new Workload(this.random.stream('workload'), profile, (command) => this.kind.supports(command))
    const mishaps = planFaults(this.random.stream('faults'), options.steps, profile.faultRate, profile.faultWeights)
    const changes = planMembership(this.random.stream('membership'), options.steps, mishaps.length, this.membershipRate)
    const before = mishaps.length + changes.length
    const isCalm = profile.faultRate === 0
    const snapshots = planSnapshots(this.random.stream('snapshots'), options.steps, before, isCalm, profile.finishedSnapshotRate)
    const takesBackups = profile.takesBackups === true && this.beginning === null
    const backups = takesBackups ? planBackups(this.random.stream('backups'), options.steps, before + snapshots.length) : []
    const others = before + snapshots.length + backups.length
    const clones = profile.clones === true ? planDisks(this.random.stream('clones'), options.steps, others) : []
    const planned = [...mishaps, ...changes, ...snapshots, ...backups, ...clones]
    const transferRate = profile.transferRate ?? 0
    const transfers = planTransfers(
      this.random.stream('transfers'),
      options.steps,
      planned.length,
      transferRate,
      profile.transferWeights,
    )
    const faults = [...planned, ...transfers].sort((x, y) => x.atStep - y.atStep)
    let nextFault = 0
    for (let i = 0; i < (this.beginning?.added ?? 0); i++) this.add(this.machines[0], `x${i}`)
    for (this.step = 0; this.step < options.steps; this.step++) {
      const step = workload.next()
      this.advance(step.delayMs)
      while (nextFault < faults.length && faults[nextFault].atStep <= this.step) {
        const fault = faults[nextFault++]
        if (!options.skipFaults.has(fault.index) && !options.withoutFaults.has(fault.kind)) this.inflict(fault)
      }
      if (!options.skipSteps.has(this.step)) this.turn(step)
    }
  }

  private get membershipRate(): number {
    return this.beginning === null ? (this.profile.membershipRate ?? 0) : RESTORED_MEMBERSHIP_RATE
  }

  private advance(ms: number): void {
    this.scheduler.runUntil(this.scheduler.now + ms)
  }

  private fail(what: string): SimulationFailure {
    return new SimulationFailure(`${what} (step ${this.step}, ${this.scheduler.now.toFixed(3)} ms)`)
  }

  private trace(line: () => string): void {
    this.options.trace?.(`${this.scheduler.now.toFixed(3).padStart(12)}  ${line()}`)
  }

  // --- lives of members

  /** Makes the disks of those that begin with a backup. */
  private restoreAll(beginning: Beginning): void {
    for (const machine of this.machines) {
      const { id, name, disk, clock } = machine
      const life = new Life()
      const at = new SimClock(clock, life)
      const identity = { clusterId: this.clusterId, memberId: id as MemberId, memberName: name, createdMs: at.wallMs() }
      beginning.restore(disk.port(life), '/data', identity, at)
      machine.logged.set(beginning.vector)
      machine.owed.set(beginning.vector)
    }
  }

  private start(machine: Machine): void {
    const startsFromCopy = machine.lacksOwn
    const life = new Life()
    machine.life = life
    machine.sessions = new Map()
    machine.isShort = false
    machine.refusalsAtStart = machine.disk.counters.refusals
    machine.stable.fill(0)
    machine.member = this.kind.start(this.environment(machine, machine.disk, life, startsFromCopy))
    this.recovered(machine, startsFromCopy)
  }

  private environment(machine: Machine, disk: SimDisk, life: Life, startsFromCopy: boolean): MemberEnvironment {
    const members = machine.isSeed ? this.members : []
    const topology: Topology = { clusterId: this.clusterId, version: 1, members, self: machine.id as MemberId }
    return {
      id: machine.id as MemberId,
      name: machine.name,
      topology,
      dataFolder: '/data',
      databases: 4,
      appendfsync: this.appendfsync,
      startWaitMs: startsFromCopy ? RESTORED_WAIT_MS : 0,
      sliced: this.sliced,
      keeping: this.keeping,
      transfers: this.listenerOf(machine, life),
      clock: new SimClock(machine.clock, life),
      random: this.random.stream(`member ${machine.id} start ${machine.starts++}`),
      disk: disk.port(life),
      network: this.network.port(machine.name, life),
      logger: this.options.trace === null ? quiet : this.logger(machine.name),
      onFrame: (bytes) => {
        if (life.alive && machine.life === life) this.logged(machine, bytes)
        else if (life.alive && !isStabilityNote(bytes)) this.disks.twinMade(machine, this.kind.decode(bytes), bytes)
      },
    }
  }

  private listenerOf(machine: Machine, life: Life): TransferListener {
    const { transfers } = this
    const ifAlive = (action: () => void): void => {
      if (life.alive && machine.life === life) action()
    }
    return {
      opened: () => ifAlive(() => transfers.opened(machine)),
      offered: (offer) => ifAlive(() => transfers.offered(machine, offer)),
      cameShard: () => ifAlive(() => transfers.cameShard(machine)),
      finishing: () => ifAlive(() => transfers.finishing(machine)),
      taken: (vector) => ifAlive(() => transfers.taken(machine, vector)),
      trimmed: (vector, counted) => ifAlive(() => transfers.trimmed(machine, vector, counted)),
      keptTooMuch: (vector) =>
        ifAlive(() => {
          throw this.fail(`${machine.name} keeps its log from before ${vector.toString()}, which is beyond the budget`)
        }),
    }
  }

  private logger(name: string): Logger {
    const write = (fields: object, message: string): void => this.trace(() => `${name} log: ${message} ${JSON.stringify(fields)}`)
    const logger: Logger = { debug: write, info: write, warn: write, error: write, child: () => logger }
    return logger
  }

  /** What a member has after a start must be all that it owes, nothing else, and read as the history says. */
  private recovered(machine: Machine, startsFromCopy: boolean): void {
    const { stamps } = machine.member!.applied
    this.transfers.restarted(machine, stamps)
    for (const origin of this.origins) {
      const has = stamps[origin]
      if (has < machine.owed[origin] && !startsFromCopy) {
        throw this.fail(`${machine.name} lost what was safe of origin ${origin}: has ${has}, owes ${machine.owed[origin]}`)
      }
      if (has > machine.logged[origin]) throw this.fail(`${machine.name} has ${has} of origin ${origin} that it never logged`)
      if (has !== 0 && !machine.hasLost && this.history.find(origin, has) === undefined) {
        throw this.fail(`${machine.name} came back in the middle of a frame of origin ${origin}: ${has}`)
      }
      if (origin !== machine.id) continue
      if (startsFromCopy) {
        // Its original may still send what it has.
        machine.mayBeAhead = machine.twin === null
        continue
      }
      machine.mayBeAhead = false
      for (const other of this.machines) {
        if (other !== machine && other.logged[origin] > has) {
          throw this.fail(`${machine.name} forgot its own ops after ${has}; ${other.name} has them up to ${other.logged[origin]}`)
        }
      }
      const lost = this.history.forgetAfter(origin, has)
      if (lost > 0) this.trace(() => `${machine.name} lost ${lost} frames that nobody had seen`)
    }
    machine.logged.set(stamps.subarray(0, machine.logged.length))
    // What its disk does not have comes anew, maybe as ops this time.
    machine.takings = machine.takings.filter(({ vector }) => vector.every((stamp, origin) => stamp <= stamps[origin]))
    this.trace(() => `${machine.name} started with ${machine.member!.applied.toString()}`)
    this.checkDump(machine)
  }

  /** Of one that was started from a copy what others have comes back; the rest never was, also what only such have as were removed by force. */
  private forgetLost(machine: Machine): void {
    if (!machine.mayBeAhead) return
    machine.mayBeAhead = false
    const { id } = machine
    const counted = this.machines.filter((other) => other === machine || other.removal !== 'forced')
    const kept = Math.max(...counted.map(({ logged }) => logged[id]))
    this.history.forgetAfter(id, kept)
    for (const other of this.machines) if (other.logged[id] > kept) other.hasLost = true
  }

  private crash(machine: Machine, power: boolean): void {
    const { member } = machine
    if (member === null) return
    const takesWrites = member.refusesWrites !== true
    if (takesWrites && member.durable.stamps[machine.id] === machine.logged[machine.id]) machine.lacksOwn = false
    machine.owed.set(member.durable.stamps.subarray(0, machine.owed.length))
    const refused = machine.disk.counters.refusals > machine.refusalsAtStart
    // A killed process leaves what it wrote in the operating system's cache.
    if (!power && !refused) machine.owed.set(machine.logged)
    this.transfers.crashed(machine)
    machine.life.alive = false
    machine.member = null
    machine.disk.failSyncs = machine.disk.failAppends = 0
    this.network.processDied(machine.name)
    if (power) machine.disk.powerCut()
  }

  // --- faults

  private inflict(fault: Fault): void {
    const { machines, network, scheduler } = this
    const a = machines[fault.a % machines.length]
    if (machines.length < 2) return this.addFirst(a, fault)
    const others = machines.filter((machine) => machine !== a)
    const b = others[fault.b % others.length]
    this.faultCount++
    this.trace(() => `fault ${describeFault(fault)}: ${a.name}, ${b.name}`)
    const later = (undo: () => void): void => {
      scheduler.after(fault.durationMs, undo)
    }
    switch (fault.kind) {
      case 'isolate':
        for (const other of others) network.setCut(a.name, other.name, true)
        return later(() => {
          for (const other of others) network.setCut(a.name, other.name, false)
        })
      case 'cut':
        network.setCut(a.name, b.name, true)
        // Half of them break what stands; the others hold the bytes back, and they come when it heals.
        if (fault.b & 1) network.breakLinks(a.name, b.name)
        return later(() => network.setCut(a.name, b.name, false))
      case 'break-links':
        network.breakLinks(a.name, b.name)
        return
      case 'dials-fail':
        network.route(a.name, b.name).dialsFail = true
        network.breakLinks(a.name, b.name)
        return later(() => {
          network.route(a.name, b.name).dialsFail = false
        })
      case 'slow-link':
        network.route(a.name, b.name).bandwidth = 20
        network.route(a.name, b.name).meanLatencyMs *= 2
        return later(() => {
          network.route(a.name, b.name).bandwidth = 100_000
          network.route(a.name, b.name).meanLatencyMs /= 2
        })
      case 'kill':
      case 'power-cut':
        if (a.member === null) return
        this.crash(a, fault.kind === 'power-cut')
        if (fault.b & 1) a.clock.jump(fault.amount > 1 ? 3000 : -3000)
        return later(() => {
          if (a.member === null && !a.isDead) this.start(a)
        })
      case 'add-member':
        return this.add(a, `n${fault.index}`)
      case 'clone-machine':
      case 'return-removed':
        return this.disks.inflict(a, fault)
      case 'backup':
        return this.backups.begin(a, `#${fault.index}`, fault.amount)
      case 'remove-member':
      case 'remove-dead':
      case 'remove-alive':
        return this.removeMember(a, b, fault)
      case 'copy-disk':
        if (a.removal === 'none') a.image = a.disk.image()
        return
      case 'restore-disk':
        return this.restore(a)
      case 'snapshot':
        a.member?.snapshot?.()
        return
      case 'snapshot-power-cut':
      case 'snapshot-kill': {
        a.member?.snapshot?.()
        const { life } = a
        const crash = (): void => {
          if (a.life !== life || a.member === null) return
          this.trace(() => `${a.name} crashes`)
          this.crash(a, fault.kind === 'snapshot-power-cut')
          later(() => {
            if (a.member === null && !a.isDead) this.start(a)
          })
        }
        if ((fault.b & 1) === 0) scheduler.after(fault.amount, crash)
        else this.whenSnapshotIsNamed(a, crash)
        return
      }
      case 'clock-jump':
        a.clock.jump(fault.amount)
        return
      case 'clock-drift':
        a.clock.setRate(fault.amount)
        return later(() => a.clock.setRate(1))
      case 'disk-full':
        a.disk.full = true
        return later(() => {
          a.disk.full = false
          a.mayRefuseUntilMs = scheduler.now + REFUSAL_LAG_MS
        })
      case 'memory-short':
        return this.squeeze(a, fault)
      case 'failed-writes':
        if (a.member === null) return
        a.disk.failAppends = 1 + (fault.b % 5)
        a.mayRefuseUntilMs = scheduler.now + fault.durationMs + REFUSAL_LAG_MS
        return later(() => {
          a.disk.failAppends = 0
        })
      case 'failed-sync':
        return this.failSync(a, fault)
      case 'slow-disk':
        a.disk.meanSyncMs = 60
        return later(() => {
          a.disk.meanSyncMs = 2
        })
      case 'away':
      case 'let-go':
      case 'lose-disk':
      case 'ambush':
        return this.transfers.inflict(fault, a)
    }
  }

  /** Calls back soon after the next snapshot of a machine has got its name: what it stands for must be on the disk by then. */
  private whenSnapshotIsNamed(machine: Machine, callback: () => void, left = 2000): void {
    const { disk, life } = machine
    const named = (): string =>
      disk
        .listFolder('/data/snapshot')
        .filter((name) => name.endsWith('.msnap'))
        .join()
    const before = named()
    const look = (): void => {
      if (machine.life !== life || left-- === 0) return
      if (named() === before) this.scheduler.after(0.5, look)
      else this.scheduler.after(this.fates.exponential(1), callback)
    }
    look()
  }

  /** The next sync fails, all that follow would succeed. Somebody notices after a while, and starts the process again or, half the time, the machine. */
  private failSync(machine: Machine, fault: Fault): void {
    const { life } = machine
    if (machine.member === null) return
    machine.disk.failSyncs = 1
    machine.mayRefuseUntilMs = this.scheduler.now + fault.durationMs
    this.scheduler.after(fault.durationMs, () => {
      if (machine.life !== life || machine.member === null) return
      this.trace(() => `${machine.name} is started again`)
      this.crash(machine, (fault.b & 1) === 0)
      if (!machine.isDead) this.start(machine)
    })
  }

  private squeeze(machine: Machine, fault: Fault): void {
    const { member } = machine
    if (member?.boundMemory === undefined) return
    machine.isShort = true
    member.boundMemory(fault.amount, EVICTION_POLICIES[fault.b % EVICTION_POLICIES.length])
    this.scheduler.after(fault.durationMs, () => {
      if (machine.member === member) this.release(machine)
    })
  }

  private release(machine: Machine): void {
    machine.isShort = false
    machine.member?.boundMemory?.(null, 'noeviction')
  }

  // --- membership

  /** Added, and not started yet. */
  private joiners = 0
  private readonly waiting = new Set<string>()
  private readonly adders = new Map<string, Machine>()
  private healedMs = 0
  private isOver = false

  private add(via: Machine, name: string): void {
    if (via.removal !== 'none' || via.member?.addMember === undefined || this.remaining.length + this.joiners > 5) return
    if (via.member.addMember(name)) this.join(name, via)
  }

  /** What may befall one that is alone. */
  private addFirst(machine: Machine, fault: Fault): void {
    if (fault.kind === 'add-member') this.add(machine, `n${fault.index}`)
    if (fault.kind === 'snapshot') machine.member?.snapshot?.()
  }

  /** Starts the machine of a member that was added as soon as a member gives it the list. */
  private join(name: string, by: Machine): void {
    this.adders.set(name, by)
    this.joiners++
    this.waiting.add(name)
    const life = new Life()
    const network = this.network.port(name, life)
    const clock = new SimClock(new MachineClock(this.scheduler, 0, 1), life)
    const random = this.random.stream(`joiner ${name}`)
    const attempt = (): void => {
      if (this.isOver || !this.waiting.has(name)) return
      const up = this.remaining.filter((machine) => machine.member !== null)
      if (up.length === 0) {
        this.scheduler.after(100, attempt)
        return
      }
      const at = { host: random.pick(up).name, port: 1 }
      const logger = this.options.trace === null ? quiet : this.logger(name)
      new JoinRequest({ network, clock, random, logger }, { clusterId: this.clusterId, name, at }, (result) => {
        if (result instanceof Uint8Array) this.joined(name, result)
        // One that was removed by force before it came never comes.
        else if (isRemoved(result, name) && this.waiting.delete(name)) this.joiners--
        else this.scheduler.after(100, attempt)
      })
    }
    this.scheduler.after(random.exponential(100), attempt)
  }

  private joined(name: string, bytes: Uint8Array): void {
    if (this.isOver || !this.waiting.delete(name)) return
    this.joiners--
    const entry = decodeTopology(bytes, name).named(name)
    if (entry === undefined) throw this.fail(`${name} was given a list of members that it is not in`)
    const holder = this.machines.find(({ id }) => id === entry.id)
    if (holder !== undefined) throw this.fail(`the id ${entry.id} was given to ${holder.name} and to ${name}`)
    const machine = this.newMachine(entry.id, name, false)
    if (this.history.newest(entry.id) > 0)
      throw this.fail(`${name} was given the id ${entry.id}, by which the backup that this cluster was made of has writes`)
    this.trace(() => `${name} joins as member ${entry.id}`)
    beginJoining(machine.disk.port(new Life()), '/data', bytes)
    this.machines.push(machine)
    this.start(machine)
  }

  /**
   * One that was added by a member which was removed by force before anybody else had heard of it is a member to nobody; nor does one come that waits
   * to be known.
   */
  private forgetOrphans(): void {
    const seeds = this.remaining.filter(({ isSeed }) => isSeed)
    const known = (name: string): boolean =>
      seeds.length === 0 || seeds.some(({ member }) => member?.knowsMember?.(name) === true)
    for (const machine of this.remaining) {
      if (machine.isSeed) continue
      // The op that added it may be lost although the list that its maker told was heard: then it never takes writes.
      const isLost = this.adders.get(machine.name)?.removal === 'forced' && machine.member?.refusesWrites === true
      if (isLost || !known(machine.name)) machine.removal = 'forced'
    }
    for (const name of this.waiting) {
      if (known(name)) continue
      this.waiting.delete(name)
      this.joiners--
    }
  }

  private removeMember(via: Machine, target: Machine, fault: Fault): void {
    const isForced = fault.kind !== 'remove-member'
    if (via.removal !== 'none' || target.removal !== 'none' || via.member?.removeMember === undefined) return
    if (this.remaining.length < 3 || via.member.refusesWrites === true) return
    // While it joins nobody can drain it.
    if (target.member?.refusesWrites === true) return
    if (fault.kind === 'remove-dead') {
      if (target.member !== null) this.crash(target, (fault.b & 1) === 0)
      target.isDead = true
    }
    this.remove(via, target, isForced)
    if (target.removal === 'none') target.isDead = false
    if (target.removal === 'none' && target.member === null) this.start(target)
  }

  private remove(via: Machine, target: Machine, isForced: boolean, said: (known: readonly LastWrite[]) => void = () => {}): void {
    const witness = isForced ? this.burials.witness(via, target) : () => {}
    const isDone = via.member?.removeMember?.(target.name, isForced, (known) => {
      witness(known)
      said(known)
    })
    if (isDone === true) target.removal = isForced ? 'forced' : 'drained'
    this.trace(() => `${via.name} removes ${target.name}: ${target.removal}`)
  }

  /** Its disk is another one, and empty. */
  private loseDisk(machine: Machine): void {
    // What the configuration says is all that it starts with: one of those must be there to be asked.
    if (
      machine.member?.isTaking === undefined ||
      !machine.isSeed ||
      this.remaining.every((other) => other === machine || !other.isSeed)
    )
      return
    machine.image = new Map()
    this.restore(machine)
  }

  /** A removal goes with its maker, if that is removed by force before anybody else has heard of it: the operator does it once more. */
  private repeatLostRemovals(): void {
    const lost = this.machines.filter(
      ({ name, removal }) => removal !== 'none' && this.remaining.some(({ member }) => member?.knowsAsMember?.(name) === true),
    )
    const [via] = this.remaining
    for (const { name } of lost) {
      this.trace(() => `${name} is removed once more`)
      via.member?.removeMember?.(name, true, () => {})
    }
    if (lost.length > 0) this.converge()
  }

  /** Heals the network; true when soon all members are there and take writes. */
  private isQuietSoon(): boolean {
    this.network.heal()
    const isQuiet = (): boolean =>
      this.remaining.every(({ member, disk }) => member !== null && !disk.full && member.refusesWrites !== true)
    for (let waits = 0; waits < 40 && !isQuiet(); waits++) this.advance(50)
    this.advance(1000)
    return isQuiet()
  }

  /** A machine is started from an old copy of its disk, at a quiet moment: all others can be asked what they have of it. */
  private restore(machine: Machine): void {
    const { image } = machine
    if (image === null || machine.removal !== 'none' || machine.member === null) return
    if (!this.isQuietSoon() || machine.removal !== 'none') return
    const chances = this.random.stream(`oblivion ${machine.id} ${this.scheduler.now}`)
    const isForgotten = chances.chance(0.5)
    if (chances.chance(0.25)) this.tellInVain(machine, chances)
    const second = chances.chance(0.25) ? this.secondLoss(machine, chances) : null
    const witness = second === null && chances.chance(0.4) ? this.tellOne(machine, chances) : null
    const lost = second === null ? [machine] : [machine, second]
    this.replaceDisk(machine, image)
    if (second !== null) this.replaceDisk(second, new Map())
    this.network.heal()
    if (witness !== null) this.transfers.takeAway(witness, chances.between(50, 5000))
    if (isForgotten) this.restartOthers(lost)
    for (const each of lost) this.start(each)
    if (isForgotten) for (const each of lost) this.writeAtOnce(each)
    for (const each of lost) {
      const isBack = (): boolean => each.removal !== 'none' || (each.member !== null && each.member.refusesWrites !== true)
      const untilMs = this.scheduler.now + RETURN_TAKING_WITHIN_MS
      for (let waited = 0; waited < RETURN_WITHIN_MS && this.scheduler.now < untilMs && !isBack(); this.advance(50))
        waited = each.member?.isTaking === true ? 0 : waited + 50
      if (!isBack()) throw this.fail(`${each.name} takes no writes a minute after it was started from a copy`)
      this.trace(() => `${each.name} takes writes again`)
    }
  }

  private replaceDisk(machine: Machine, image: DiskImage): void {
    this.trace(() => `${machine.name} is started from ${image.size === 0 ? 'an empty disk' : 'an old copy of its disk'}`)
    this.crash(machine, true)
    machine.disk.restore(image)
    this.transfers.emptied(machine)
    machine.image = null
    machine.wasRestored = machine.lacksOwn = true
  }

  /** What it writes last only one of the others has; gives that one, which is not to be reached when its disk has been lost. */
  private tellOne(machine: Machine, random: SeededRandom): Machine | null {
    const { member } = machine
    const others = this.remaining.filter((each) => each !== machine && each.member !== null && each.member.refusesWrites !== true)
    if (member === null || member.refusesWrites === true || machine.disk.full || machine.isShort || others.length < 2) return null
    const witness = random.pick(others)
    this.trace(() => `${machine.name} writes what only ${witness.name} gets`)
    for (const other of this.machines) {
      if (other === machine || other === witness) continue
      for (const each of [machine, witness]) {
        this.network.setCut(each.name, other.name, true)
        this.network.breakLinks(each.name, other.name)
      }
    }
    this.session(machine, member, 0).call(['INCR', 'witnessed'])
    member.endTurn()
    for (let waits = 0; waits < 100 && witness.logged[machine.id] < machine.logged[machine.id]; waits++) this.advance(20)
    return witness
  }

  /** Another one that loses its disk at the same time, if somebody is left who has everything. */
  private secondLoss(machine: Machine, random: SeededRandom): Machine | null {
    const others = this.remaining.filter((each) => each !== machine && each.member?.isTaking !== undefined)
    const whole = others.filter(({ isSeed }) => isSeed)
    if (others.length < 2 || whole.length < 2) return null
    return random.pick(whole)
  }

  /** What it writes last, and whom it removes, the others hear of by what it reports and by the list; its op is held up behind a large one. */
  private tellInVain(machine: Machine, random: SeededRandom): void {
    const { member } = machine
    if (member === null || member.refusesWrites === true || machine.disk.full || machine.isShort) return
    this.trace(() => `${machine.name} writes what does not get through`)
    for (const other of this.machines) if (other !== machine) this.network.route(machine.name, other.name).bandwidth = 1
    this.session(machine, member, 0).call(['SET', 'held up', 'x'.repeat(HELD_UP_BYTES)])
    member.endTurn()
    this.advance(random.between(1, 30))
    const target = random.pick(this.remaining)
    const mayRemove = this.membershipRate > 0 && this.remaining.length > 3 && target !== machine && random.chance(0.6)
    if (mayRemove && machine.member === member && target.member?.refusesWrites !== true)
      this.remove(machine, target, random.chance(0.5))
    this.advance(random.between(1, 3000))
  }

  /** What a member writes as soon as it takes writes has seen the least. */
  private writeAtOnce(machine: Machine): void {
    for (let waited = 0; waited < 200 && machine.member?.refusesWrites === true; waited++) this.advance(0.5)
    if (machine.member === null || machine.member.refusesWrites === true) return
    this.session(machine, machine.member, 0).call(['INCR', 'early'])
    machine.member.endTurn()
  }

  /** While machines are down the others forget, all of them, what those have told them. */
  private restartOthers(lost: readonly Machine[]): void {
    for (const other of this.remaining) {
      if (lost.includes(other) || other.member === null) continue
      this.crash(other, false)
      this.start(other)
    }
  }

  // --- frames as they are logged

  private logged(machine: Machine, bytes: Uint8Array): void {
    if (isStabilityNote(bytes)) return this.noted(machine, decodeStabilityNote(bytes))
    const frame = this.decode(machine, bytes)
    const { origin, previous, last, context } = frame
    machine.turnFrames++
    this.trace(
      () =>
        `${machine.name} logs ${origin}:${frame.first}..${last} ${frame.ops.map((op) => op.map(describeEffect).join('+')).join(' | ')}`,
    )
    if (machine.logged[origin] !== previous) {
      throw this.fail(`${machine.name} logs ${origin}:${last} after ${previous}, but has ${machine.logged[origin]}`)
    }
    for (let member = 1; member < context.length; member++) {
      if (context[member] > machine.logged[member]) {
        throw this.fail(
          `${machine.name} logs ${origin}:${last}, which has seen ${member}:${context[member]}, but has ${machine.logged[member]}`,
        )
      }
    }
    // What it has called stable every op has observed that comes after it.
    for (const member of this.origins) {
      const seen = member === origin ? previous : context[member]
      if (seen < machine.stable[member]) {
        throw this.fail(
          `${machine.name} logs ${origin}:${last}, which has seen ${member} up to ${seen}, after it called ${machine.stable[member]} stable`,
        )
      }
    }
    const recorded = this.history.find(origin, last)
    // Two processes of one member may give out the same stamp.
    const isRefetched = machine.wasRestored && recorded !== undefined && Buffer.compare(recorded.bytes, bytes) === 0
    if (origin === machine.id && !isRefetched && machine.twin !== null) {
      this.transfers.twinGoes(machine)
      this.disks.firstMade(machine, frame)
    }
    if (origin === machine.id && !isRefetched) {
      this.forgetLost(machine)
      this.made(machine, bytes, frame)
    } else {
      if (origin === machine.id) this.returned(machine, frame)
      const known = this.history.find(origin, last)
      if (known === undefined)
        throw this.fail(`${machine.name} logs ${origin}:${last}, which its origin never made or has forgotten`)
      if (Buffer.compare(known.bytes, bytes) !== 0)
        throw this.fail(`${machine.name} logs other bytes as ${origin}:${last} than its origin made`)
      const maker = this.machineOf(origin)
      if (maker.member !== null && !maker.wasRestored && !maker.member.durable.covers(origin, last)) {
        throw this.fail(`${machine.name} got ${origin}:${last} before it was durable at its origin`)
      }
    }
    machine.logged[origin] = last
    this.transfers.progressed(machine)
  }

  /** A member has made the state of another one its own. */
  private adopted(machine: Machine, { giver, vector, stable, seen }: OfferedState): void {
    const { stamps } = vector
    const before = Float64Array.from(machine.logged)
    this.trace(() => `${machine.name} has the state of another member: ${this.origins.map((id) => stamps[id]).join(',')}`)
    for (const origin of this.origins) {
      if (stamps[origin] < machine.logged[origin])
        throw this.fail(
          `${machine.name} takes a state that has ${origin}:${stamps[origin]} only; it had ${machine.logged[origin]}`,
        )
      if (stamps[origin] !== 0 && this.history.find(origin, stamps[origin]) === undefined)
        throw this.fail(`${machine.name} takes a state in the middle of a frame of origin ${origin}: ${stamps[origin]}`)
      const maker = this.machines.find(({ id }) => id === origin)
      const isKnown = maker !== undefined && maker !== machine && !maker.wasRestored
      const durable = isKnown ? maker.member?.durable.stamps[origin] : undefined
      if (durable !== undefined && durable < stamps[origin])
        throw this.fail(`${machine.name} takes a state with ${origin}:${stamps[origin]}, which is not durable at its origin`)
      machine.logged[origin] = stamps[origin]
    }
    const untold = new Set(
      [machine.logged, seen.stamps].flatMap((shown) => [
        ...untoldAcks(this.history, machine, this.machineOf(giver), before, shown),
      ]),
    )
    const besides = doneBesides(this.history, machine, this.machineOf(giver))
    const now = Float64Array.from(machine.logged)
    const isOlder = stable.stamps.some((stamp, origin) => origin > 0 && stamp > before[origin])
    const anew = isOlder ? groupsMadeSince(this.history, before, now) : new Set<string>()
    machine.takings = [...machine.takings, { ownBefore: before[machine.id], vector: now, anew, untold, besides, dropped: [] }]
    this.noted(machine, [...stable.stamps])
  }

  /** A frame of its own comes back to a machine that has lost its disk. */
  private returned(machine: Machine, { last, ops }: DecodedFrame): void {
    machine.returned.set(last, Float64Array.from(machine.logged))
    const positions = new Set<string>()
    for (const { body } of ops.flat()) {
      if (body.kind === 'stream-pending') for (const position of body.assigned) positions.add(positionText(position))
    }
    if (positions.size === 0) return
    const { life } = machine
    this.scheduler.after(0, () => {
      if (machine.life === life && !this.transfers.isBlurred(machine)) this.noteDropped(machine, positions)
    })
  }

  /**
   * Of entries that are gone, or were acknowledged, a member may keep what its consumers have pending when it takes a state, or not; or when what it did with such entries
   * itself (`only`) comes back behind the state.
   */
  private noteDropped(machine: Machine, only?: ReadonlySet<string>): void {
    const taking = machine.takings.at(-1)
    if (taking === undefined || machine.member === null) return
    machine.member.makeWay?.(0, null)
    for (const { db, key } of this.history.places()) {
      for (const [group, positions] of mayBeDropped(this.history, db, key, machine)) {
        const reply = this.session(machine, machine.member, db).call(['XPENDING', argument(key), group, '-', '+', '1000'])
        const shownIds = typeof reply === 'string' ? [] : reply.map(([id]) => shown(id).slice(1))
        const dropped = positions.filter(
          (position) => only?.has(positionText(position)) !== false && !shownIds.includes(`${position.ms}-${position.seq}`),
        )
        if (dropped.length === 0) continue
        const body = { kind: 'stream-pending', group, consumer: '', delivered: [], assigned: [], dropped, passed: null } as const
        const stamp = machine.logged[machine.id]
        taking.dropped.push({ db, key, body, origin: machine.id, stamp, context: [...machine.logged] })
      }
    }
    machine.member.endTurn()
  }

  /** What a member calls stable must be durable in every other one: else an op that has not seen it may still come. */
  private noted(machine: Machine, stable: readonly number[]): void {
    stable.forEach((stamp, member) => (machine.stable[member] = Math.max(machine.stable[member], stamp)))
    for (const other of this.machines) {
      // New members need not have what was stable before they came, nor removed ones what became so after they went.
      if (other === machine || !other.isSeed || other.removal !== 'none' || other.wasRestored) continue
      const durable = other.member === null ? other.owed : other.member.durable.stamps
      for (const origin of this.origins) {
        if (durable[origin] < stable[origin]) {
          throw this.fail(
            `${machine.name} notes ${origin}:${stable[origin]} as stable, which is durable at ${other.name} up to ${durable[origin]} only`,
          )
        }
      }
    }
  }

  private decode(machine: Machine, bytes: Uint8Array): ReturnType<MemberKind['decode']> {
    try {
      return this.kind.decode(bytes)
    } catch (error) {
      throw this.fail(
        `${machine.name} logs a frame that is not as documented: ${error instanceof Error ? error.message : String(error)}`,
      )
    }
  }

  private made(machine: Machine, bytes: Uint8Array, frame: ReturnType<MemberKind['decode']>): void {
    for (const member of this.origins) {
      if (member !== machine.id && frame.context[member] !== machine.logged[member]) {
        throw this.fail(
          `${machine.name} made ${frame.last} saying it has seen ${member}:${frame.context[member]}, but it has ${machine.logged[member]}`,
        )
      }
      // The hybrid clock: a stamp is above everything its origin had seen.
      if (member !== machine.id && frame.first <= machine.logged[member]) {
        throw this.fail(`${machine.name} made ${frame.first}, not above ${member}:${machine.logged[member]} that it had seen`)
      }
    }
    this.history.add(bytes, frame)
    if (this.transfers.isBlurred(machine)) return
    const nowMs = machine.clock.wallMs()
    for (const op of frame.ops) {
      for (const { db, key, body, stamp } of op) {
        if (!('due' in body) || !body.due) continue
        const seen = Float64Array.from(machine.logged)
        seen[machine.id] = stamp - 1
        const readings = (['spent', 'stays'] as const).map((fired) => this.history.visible(db, key, seen, fired))
        for (const field of body.kind === 'hash-remove' ? body.fields : [null]) {
          const times = readings.map((view) => timeOf(view, field))
          if (times.some((time) => time === undefined || isDue(time, nowMs))) continue
          throw this.fail(
            `${machine.name} removes ${field ?? ''} ${key} as due, which it is not: ${showView(readings[0])}, its clock says ${nowMs}`,
          )
        }
      }
    }
  }

  // --- clients

  private turn(step: Step): void {
    const machine = this.machines[step.memberDraw % this.machines.length]
    const { member } = machine
    if (member === null) return
    const session = this.session(machine, member, step.db)
    const nowMs = machine.clock.wallMs()
    const commands = step.commands.map((args) => resolveTimes(args, nowMs))
    member.makeWay?.(step.db, commands)
    const before = Float64Array.from(machine.logged)
    const isBlurred = this.transfers.isBlurred(machine)
    this.transfers.checkHold(machine)
    if (member.foldsOn === true) throw this.fail(`${machine.name} folds what was not stable when its snapshot was begun`)
    const sent = step.transaction ? [['MULTI'], ...commands, ['EXEC']] : commands
    machine.turnFrames = 0
    const refusesWrites = member.refusesWrites === true
    const evictions = member.evictions ?? 0
    const given = sent.map((args) => session.call(args.map(argument)))
    member.endTurn()
    const refusing = refusesWrites || machine.disk.full || this.scheduler.now < machine.mayRefuseUntilMs || machine.isShort
    this.trace(() => `${machine.name}[${step.db}] ${sent.map((args, i) => `${args.join(' ')} -> ${shown(given[i])}`).join('; ')}`)
    if (member.isTaking === true) {
      if (machine.turnFrames > 0) throw this.fail(`${machine.name} writes while it takes the state of another member`)
      return
    }
    // What went before which command only the member knows; that it is what the log says is checked at the end.
    if ((member.evictions ?? 0) > evictions || isBlurred || machine.hasLost) return

    const check = ({ fired, dueFields }: Reading): void => {
      let store = new ModelStore(
        (db, key) => this.history.visible(db, key, before, fired, machine),
        nowMs,
        null,
        dueFields,
        machine.id,
      )
      const expected = step.transaction
        ? modelTransaction(store, step.db, commands, given[given.length - 1])
        : commands.map((args, i) => modelCommand(store, step.db, args, given[i]))
      const wrong = given.findIndex((reply, i) => !sameReply(sent[i], commands, reply, expected[i]))
      if (
        wrong >= 0 &&
        refusing &&
        given.some((reply) => /^-(MISCONF|LOADING|READONLY|EXECABORT|OOM)|^\*\[-(MISCONF|LOADING|READONLY)/.test(shown(reply)))
      ) {
        // The member refuses writes because its disk does, or because there is no memory. What it did run is in what it logged, and checked at the end.
        if (machine.turnFrames > 0) {
          if (commands.length === 1) this.checkUnchanged(machine, before, nowMs, sent[0], fired)
          return
        }
        store = new ModelStore((db, key) => this.history.visible(db, key, before, fired, machine), nowMs)
      } else if (wrong >= 0) {
        const text = sent.map((args) => args.join(' ')).join('; ')
        throw this.fail(
          `${machine.name}[${step.db}] ${text} answered ${shown(given[wrong])} to the ${wrong + 1}., must be ${shown(expected[wrong])}`,
        )
      }
      this.checkWrites(machine, store, nowMs, sent, fired)
    }
    this.either(check)
  }

  /** Runs a check under one reading of what the rules leave open, and if it fails under the others. */
  private either(check: (reading: Reading) => void): void {
    let first: unknown = null
    for (const reading of READINGS) {
      try {
        check(reading)
        return
      } catch (error) {
        first ??= error
      }
    }
    throw first
  }

  /** A command that was refused may have removed what was due, and nothing else. */
  private checkUnchanged(
    machine: Machine,
    before: Float64Array,
    nowMs: number,
    args: readonly string[],
    fired: FiredExpiry,
  ): void {
    for (const { db, key } of this.history.places()) {
      const [old, now] = [before, machine.logged].map((vector) =>
        showView(presentAt(this.history.visible(db, key, vector, fired, machine), nowMs)),
      )
      if (old !== now) throw this.fail(`${machine.name} refused ${args.join(' ')}, which made ${db}:${key} ${now}; it was ${old}`)
    }
  }

  /** The effects that a turn logged must come to what its commands mean. */
  private checkWrites(
    machine: Machine,
    store: ModelStore,
    nowMs: number,
    sent: readonly (readonly string[])[],
    fired: FiredExpiry,
  ): void {
    const checkKey = (db: number, key: string, expected: KeyView | null): void => {
      const stored = this.history.visible(db, key, machine.logged, fired, machine)
      const view = presentAt(stored, nowMs)
      if (showView(view) === showView(expected)) return
      const text = sent.map((args) => args.join(' ')).join('; ')
      throw this.fail(
        `${machine.name}: after ${text} the logged effects make ${db}:${key} ${showView(view)}, must be ${showView(expected)}\n` +
          this.describeKey(db, key, machine.logged),
      )
    }
    for (const { db, key, view } of store.expected()) checkKey(db, key, view)
    for (const db of store.flushedDatabases) {
      const written = new Set([...store.expected()].filter((entry) => entry.db === db).map((entry) => entry.key))
      for (const place of this.history.places()) if (place.db === db && !written.has(place.key)) checkKey(db, place.key, null)
    }
  }

  private session(machine: Machine, member: SimulatedMember, db: number): SimulatedSession {
    let session = machine.sessions.get(db)
    if (session === undefined) {
      machine.sessions.set(db, (session = member.newSession()))
      if (db !== 0) {
        const reply = session.call(['SELECT', String(db)])
        if (reply !== '+OK') throw this.fail(`SELECT ${db} answered ${shown(reply)}`)
      }
    }
    return session
  }

  // --- whole state

  /** Every key as a member answers it now, held against the history. */
  private checkDump(machine: Machine): void {
    if (this.transfers.isBlurred(machine) || machine.hasLost) return
    const member = machine.member!
    member.makeWay?.(0, null)
    const nowMs = machine.clock.wallMs()
    for (const { db, key } of this.history.places()) {
      const session = this.session(machine, member, db)
      this.either(({ fired, dueFields }) => {
        const store = new ModelStore(
          (_, name) => this.history.visible(db, name, machine.logged, fired, machine),
          nowMs,
          null,
          dueFields,
          machine.id,
        )
        const view = store.read(db, key)
        const reads = [['TYPE', key], ['PEXPIRETIME', key], ...(view === null ? [] : typeNamed(view.value.type).readBack(key))]
        for (const args of reads) {
          const given = session.call(args.map(argument))
          const expected = modelCommand(store, db, args, given)
          if (canonical(args[0], given) === canonical(args[0], expected)) continue
          throw this.fail(
            `${machine.name} has ${db}:${key}, ${args[0]} ${shown(given)}; the history says ${shown(expected)}: ${showView(view)}\n` +
              this.describeKey(db, key, machine.logged),
          )
        }
      })
    }
    member.endTurn()
  }

  private describeKey(db: number, key: string, vector: Float64Array): string {
    return this.history
      .effectsOn(db, key)
      .filter((effect) => effect.stamp <= vector[effect.origin])
      .sort((a, b) => a.stamp - b.stamp || a.origin - b.origin)
      .slice(-12)
      .map(
        (effect) =>
          `    ${effect.origin}:${effect.stamp} seen ${this.origins.map((id) => effect.context[id]).join(',')} ${describeEffect(effect)}`,
      )
      .join('\n')
  }

  /** Everything heals; then every member must come to have everything, and the same. */
  private settle(): void {
    this.trace(() => 'everything heals')
    this.network.heal()
    this.transfers.heal()
    this.healedMs = this.scheduler.now
    // Restarts and ends of faults that are still to come.
    this.advance(2000)
    for (const machine of this.machines) {
      machine.disk.full = false
      machine.disk.failAppends = 0
      machine.disk.meanSyncMs = 2
      this.release(machine)
      if (machine.member === null && !machine.isDead) this.start(machine)
    }
    this.converge()
    this.repeatLostRemovals()
    if (this.membershipRate > 0 || this.keeping !== null) this.becomesStable()
    if (this.keeping !== null) this.checkExtents()
    if (this.membershipRate > 0 && this.random.stream('last burial').chance(0.5)) this.burials.bury()
    this.isOver = true
    if (this.fates.chance(0.25)) this.expireEverything()
    if (this.network.counters.maxBufferedBytes > MAX_BUFFERED_BYTES) {
      throw this.fail(`a link held ${this.network.counters.maxBufferedBytes} bytes, over ${MAX_BUFFERED_BYTES}`)
    }
  }

  private converge(): void {
    const deadline = this.scheduler.now + CONVERGE_WITHIN_MS
    for (let waitMs = 5; ; waitMs = Math.min(waitMs * 1.5, 2000)) {
      this.advance(waitMs)
      if (this.converged()) break
      if (this.scheduler.now > deadline) {
        const vectors = this.machines
          .map(
            ({ name, removal, member }) =>
              `${name} (${removal}${member?.refusesWrites === true ? ', refuses' : ''}) ${member?.applied.toString() ?? 'down'}`,
          )
          .join('; ')
        throw this.fail(`no convergence in ${CONVERGE_WITHIN_MS} ms after everything healed: ${vectors}`)
      }
    }
    this.trace(() => 'vectors are equal')
    for (const machine of this.machines) this.forgetLost(machine)
    const [first, ...others] = this.remaining
    for (const { id: origin, removal } of this.machines) {
      // What one that was removed by force never sent is lost.
      if (removal === 'forced') continue
      const newest = this.history.newest(origin)
      if (first.logged[origin] !== newest)
        throw this.fail(`converged without ${origin}:${newest}; all have ${first.logged[origin]}`)
    }
    const digest = first.member!.digest()
    for (const machine of others) {
      const other = machine.member!.digest()
      if (other !== digest) {
        for (const each of this.remaining) this.checkDump(each)
        throw this.fail(`equal vectors, digests differ: ${first.name} ${digest}, ${machine.name} ${other}`)
      }
    }
    for (const machine of this.remaining) this.checkDump(machine)
  }

  /** Once nothing happens everything becomes stable, whoever was removed. */
  private becomesStable(): void {
    const deadline = this.scheduler.now + CONVERGE_WITHIN_MS
    const isStable = (): boolean =>
      this.remaining.every(({ member }) => member!.stable === undefined || member!.stable.dominates(member!.applied))
    while (!isStable()) {
      this.advance(100)
      if (this.scheduler.now < deadline) continue
      const lines = this.remaining.map(
        ({ name, member }) => `${name} ${member!.stable!.toString()} of ${member!.applied.toString()}`,
      )
      throw this.fail(`not everything is stable ${CONVERGE_WITHIN_MS} ms after all was quiet: ${lines.join('; ')}`)
    }
  }

  /** When everybody has everything, nothing of the log is left but what a start needs. */
  private checkExtents(): void {
    const deadline = this.scheduler.now + CONVERGE_WITHIN_MS
    for (const { name, member } of this.remaining) {
      for (;;) {
        const extent = member?.extent
        if (extent === undefined || extent.second > extent.needed) break
        if (this.scheduler.now < deadline) {
          this.advance(1000)
          continue
        }
        throw this.fail(
          `${name} keeps its log from ${extent.first} on, although all have everything: its second segment begins at ${extent.second}, and what a start needs at ${extent.needed}`,
        )
      }
    }
  }

  private converged(): boolean {
    if (this.scheduler.now > this.healedMs + ORPHANS_AFTER_MS) this.forgetOrphans()
    if (this.joiners > 0) return false
    const [first] = this.remaining
    for (const { member, logged } of this.remaining) {
      if (member!.refusesWrites === true) return false
      for (const origin of this.origins) {
        if (member!.applied.stamps[origin] !== logged[origin]) {
          throw this.fail(`member ${origin}: applied ${member!.applied.stamps[origin]} is not what was logged, ${logged[origin]}`)
        }
        if (logged[origin] !== first.logged[origin]) return false
      }
    }
    // One that is drained may say its last word now.
    return this.machines.every(
      ({ id, removal, member, logged }) => removal !== 'drained' || member === null || logged[id] <= first.logged[id],
    )
  }

  /** An hour later nothing that has a time may be left, in any member: no immortal remnants. */
  private expireEverything(): void {
    this.trace(() => 'an hour passes')
    for (const machine of this.remaining) {
      machine.clock.setRate(1)
      machine.clock.setSkew(3_600_000)
    }
    const deadline = this.scheduler.now + CONVERGE_WITHIN_MS
    for (let waitMs = 50; ; waitMs = Math.min(waitMs * 1.5, 5000)) {
      this.advance(waitMs)
      if (this.converged() && this.sizesFit()) break
      if (this.scheduler.now > deadline) {
        throw this.fail(`due keys are still there ${CONVERGE_WITHIN_MS} ms after their time: ${this.sizes().join(', ')}`)
      }
    }
    this.converge()
  }

  private sizesFit(): boolean {
    return this.sizes().every((size) => !size.includes('!='))
  }

  private sizes(): string[] {
    const sizes: string[] = []
    for (const machine of this.remaining) {
      const expected = new Map<number, number>()
      machine.member!.makeWay?.(0, null)
      for (const { db, key } of this.history.places()) {
        const view = this.history.visible(db, key, machine.logged, 'stays')
        const lives = presentAt(view, machine.clock.wallMs()) !== null
        expected.set(db, (expected.get(db) ?? 0) + (lives ? 1 : 0))
      }
      for (const [db, count] of expected) {
        const reply = shown(this.session(machine, machine.member!, db).call(['DBSIZE']))
        sizes.push(`${machine.name}[${db}] ${reply} ${reply === `:${count}` ? '=' : '!='} ${count}`)
      }
    }
    return sizes
  }
}

/** It says that this one was removed, not that who was asked was: then another one is. */
function isRemoved(error: Error, name: string): boolean {
  return error instanceof MeridianError && error.code === 'MRD_PEER_REMOVED' && error.message.includes(`: ${name} (member `)
}

/** A failure of a cluster that was made of a backup. */
function inCluster(failure: Error, { members, clusterId, steps }: Beginning): Error {
  const where = steps === 0 ? 'a backup' : `the cluster ${clusterId} of a backup`
  failure.message = `in ${where}, members ${members.join(', ')}: ${failure.message}`
  return failure
}

/** When the key is due, or a field of it; undefined when it is not there. */
function timeOf(view: KeyView | null, field: string | null): number | null | undefined {
  if (view === null || field === null) return view?.expireAt
  return view.value.type === 'hash' ? view.value.fields.get(field)?.expireAt : undefined
}

/** EXEC answers what its commands do. */
function sameReply(args: readonly string[], commands: readonly (readonly string[])[], given: Reply, expected: Reply): boolean {
  if (args[0] !== 'EXEC' || typeof given === 'string' || typeof expected === 'string')
    return canonical(args[0], given) === canonical(args[0], expected)
  return (
    given.length === expected.length && commands.every(([name], i) => canonical(name, given[i]) === canonical(name, expected[i]))
  )
}

function describeEffect(effect: { readonly db: number; readonly key: string; readonly body: object }): string {
  const { kind, ...rest } = effect.body as { kind: string }
  const fields = JSON.stringify(rest, (_, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value === Infinity ? 'never' : value,
  )
  return `${effect.db}:${effect.key} ${kind}${fields}`
}
