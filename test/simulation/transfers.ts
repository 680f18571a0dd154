import type { VersionVector } from '../../src/crdt/version-vector.js'
import type { SimulationFailure } from './failure.js'
import type { Fault } from './faults.js'
import type { SeededRandom } from './random.js'
import type { Scheduler } from './scheduler.js'
import type { Life } from './sim-clock.js'
import { ProcessDied } from './process-died.js'
import type { SimDisk } from './sim-disk.js'
import type { SimNetwork } from './sim-network.js'
import type { Counted, Keeping, OfferedState, SimulatedMember } from './simulated-member.js'

/** What makes members need the state of another one, and what befalls them while they take it. */
export const TRANSFER_KINDS = ['away', 'let-go', 'lose-disk', 'ambush'] as const

/** How far a transfer has got when something befalls it. `step`: so many changes of the taker's disk after all has come. */
const STAGES = ['open', 'offer', 'shard', 'finish', 'step', 'taken'] as const
type TransferStage = (typeof STAGES)[number]

const STAGE_WEIGHTS = [2, 2, 4, 2, 6, 4]
const BLOWS = [
  'links-break',
  'taker-away',
  'giver-away',
  'taker-killed',
  'taker-loses-power',
  'giver-killed',
  'giver-loses-power',
  'snapshot-replaced',
] as const

/** Small enough that what is cut off for a second or two finds the logs of the others trimmed. */
export function drawKeeping(random: SeededRandom): Keeping {
  return {
    backlogBytes: random.pick([0, 0, 500, 3000]),
    segmentBytes: random.pick([200, 600, 2000]),
    rewriteMinBytes: random.pick([1500, 4000]),
    rewritePercentage: random.pick([20, 100]),
    syncMaxRate: random.pick([0, 0, 300, 3000]),
  }
}

/** As faults whose indexes come after those. */
export function planTransfers(
  random: SeededRandom,
  steps: number,
  firstIndex: number,
  rate: number,
  weights: readonly number[] = [4, 2, 1, 6],
): Fault[] {
  const faults: Fault[] = []
  for (let step = 0; step < steps; step++) {
    if (!random.chance(rate)) continue
    faults.push({
      index: firstIndex + faults.length,
      atStep: step,
      kind: TRANSFER_KINDS[random.weighted(weights)],
      a: random.uint32(),
      b: random.uint32(),
      durationMs: random.pick([400, 1500, 3000, 6000]),
      amount: random.unit(),
    })
  }
  return faults
}

/** What happened of it, so that a profile that brings none about cannot pass for one in which all goes well. */
export class TransferCounts {
  begun = 0
  taken = 0
  /** Begun, and cut by the end of the link, or of either side, before all had come. */
  cut = 0
  /** The giver had taken a state itself. */
  chained = 0
  /** Begun while another one was under way. */
  together = 0
  /** Came back after the snapshot had its name, and before the taker knew. */
  foundAtStart = 0
  /** Members that came, or came again with an empty disk, and took it. */
  fromNothing = 0
  trims = 0
  /** Segments let go although some member lacked them. */
  trimsOfLacked = 0
  /** Blows that fell, by kind and stage. */
  readonly blows = new Map<string, number>()

  blow(name: string, stage: TransferStage): void {
    for (const key of [name, `at ${stage}`]) this.blows.set(key, (this.blows.get(key) ?? 0) + 1)
  }

  add(other: TransferCounts): void {
    this.begun += other.begun
    this.taken += other.taken
    this.cut += other.cut
    this.chained += other.chained
    this.together += other.together
    this.foundAtStart += other.foundAtStart
    this.fromNothing += other.fromNothing
    this.trims += other.trims
    this.trimsOfLacked += other.trimsOfLacked
    for (const [key, count] of other.blows) this.blows.set(key, (this.blows.get(key) ?? 0) + count)
  }

  toString(): string {
    const { begun, taken, cut, chained, together, foundAtStart, fromNothing, trims, trimsOfLacked } = this
    const blows = [...this.blows].map(([key, count]) => `${key} ${count}`).join(', ')
    return (
      `${taken} states taken (${fromNothing} from nothing, ${chained} from one that had taken it, ${foundAtStart} found at a start), ` +
      `${begun} begun, ${together} together, ${cut} cut; ${trims} segments let go, ${trimsOfLacked} that somebody lacked; blows: ${blows}`
    )
  }
}

/** A machine, as transfers see it. */
interface TransferMachine {
  readonly id: number
  readonly name: string
  readonly disk: SimDisk
  readonly life: Life
  readonly member: SimulatedMember | null
  readonly logged: Float64Array
  readonly owed: Float64Array
  readonly isSeed: boolean
  readonly removal: 'none' | 'drained' | 'forced'
  readonly isDead: boolean
  /** It is a clone that has made nothing yet: the original, which tells what it has too. */
  readonly twin: { readonly member: SimulatedMember } | null
}

/** What they need of the simulation. */
interface TransferHost {
  readonly scheduler: Scheduler
  readonly network: SimNetwork
  readonly machines: readonly TransferMachine[]
  readonly fates: SeededRandom
  crash(machine: TransferMachine, power: boolean): void
  start(machine: TransferMachine): void
  /** The machine gets an empty disk, at a quiet moment. */
  loseDisk(machine: TransferMachine): void
  /** It has made a state its own: that is what it has logged from now on. */
  adopted(machine: TransferMachine, state: OfferedState): void
  /** Everything that it answers is held against the history. */
  check(machine: TransferMachine): void
  trace(line: () => string): void
  fail(what: string): SimulationFailure
}

interface Ambush {
  readonly stage: TransferStage
  readonly blow: (typeof BLOWS)[number]
  readonly fault: Fault
  /** Shards, or steps of the disk, until it falls. */
  left: number
}

interface Shown {
  readonly seen: Float64Array
  readonly stable: Float64Array
}

/** What one machine has to do with transfers. */
interface Part {
  /** It is being taken. */
  offer: OfferedState | null
  /** Its data show ops up to here, more than it has applied; nothing more than `stable` may be folded. Null when it shows what it has applied. */
  shows: Shown | null
  /** What the state showed that it has taken last: it does again when a crash takes from its log what came behind the state. */
  took: Shown | null
  hasTaken: boolean
  /** What its log has let go of, on this disk; null: nothing. */
  gone: Float64Array | null
  /** What was ever on its disk when it went down: others were told, though the disk was lost since. */
  readonly ever: Float64Array
}

/** Follows transfers from outside, strikes while they are under way, and checks what must hold of them. */
export class Transfers {
  readonly counts = new TransferCounts()
  private readonly parts = new Map<TransferMachine, Part>()
  private ambushes: Ambush[] = []

  constructor(private readonly host: TransferHost) {}

  private part(machine: TransferMachine): Part {
    let part = this.parts.get(machine)
    if (part === undefined)
      this.parts.set(
        machine,
        (part = {
          offer: null,
          shows: null,
          took: null,
          hasTaken: false,
          gone: null,
          ever: new Float64Array(256),
        }),
      )
    return part
  }

  /** What it answers is not what it has applied: a state is coming in, or has come in that shows more. */
  isBlurred(machine: TransferMachine): boolean {
    return machine.member?.isTouched === true || this.part(machine).shows !== null
  }

  // --- faults

  /** Nothing befalls transfers any more. */
  heal(): void {
    this.ambushes = []
    for (const { disk } of this.host.machines) disk.beforeChange = null
  }

  inflict(fault: Fault, a: TransferMachine): void {
    const { host } = this
    const { scheduler } = host
    switch (fault.kind) {
      case 'away':
        this.takeAway(a, fault.durationMs)
        // Meanwhile the others let go of what they may.
        for (const share of [0.3, 0.6, 0.9]) scheduler.after(fault.durationMs * share, () => this.letGo(a))
        return
      case 'let-go':
        return this.letGo(null)
      case 'lose-disk':
        return host.loseDisk(a)
      case 'ambush': {
        const stage = STAGES[weighted(fault.a, STAGE_WEIGHTS)]
        const blow = BLOWS[fault.b % BLOWS.length]
        const left = stage === 'shard' || stage === 'step' ? 1 + Math.floor(fault.amount * (stage === 'step' ? 12 : 5)) : 0
        this.ambushes.push({ stage, blow, fault, left })
        return
      }
      default:
        throw new Error(`${fault.kind} is no fault of transfers`)
    }
  }

  /** It can be reached by nobody for so long. */
  takeAway(machine: TransferMachine, ms: number): void {
    const { network, machines, scheduler } = this.host
    const others = machines.filter((other) => other !== machine)
    for (const other of others) {
      network.setCut(machine.name, other.name, true)
      network.breakLinks(machine.name, other.name)
    }
    scheduler.after(ms, () => {
      for (const other of others) network.setCut(machine.name, other.name, false)
    })
  }

  private letGo(except: TransferMachine | null): void {
    for (const machine of this.host.machines) if (machine !== except) machine.member?.snapshot?.()
  }

  // --- stages

  opened(machine: TransferMachine): void {
    this.counts.begun++
    if ([...this.parts.keys()].some((other) => other !== machine && other.member?.isTouched === true)) this.counts.together++
    this.host.trace(() => `${machine.name} wants a state`)
    this.reached(machine, 'open')
  }

  offered(machine: TransferMachine, offer: OfferedState): void {
    const giver = this.machineOf(offer.giver)
    const { host } = this
    host.trace(() => `${machine.name} is offered the state of ${giver.name}: ${offer.vector.toString()}`)
    machine.logged.forEach((stamp, origin) => {
      if (origin === 0) return
      if (offer.vector.stamps[origin] < stamp)
        throw host.fail(`${machine.name} takes a state of ${giver.name} that lacks ${origin}:${stamp}, which it has`)
      if (offer.vector.stamps[origin] > this.durableAt(giver, origin))
        throw host.fail(`${machine.name} is offered ${origin}:${offer.vector.stamps[origin]}, not yet durable at ${giver.name}`)
    })
    this.part(machine).offer = offer
    if (this.part(giver).hasTaken) this.counts.chained++
    this.reached(machine, 'offer')
  }

  cameShard(machine: TransferMachine): void {
    this.reached(machine, 'shard')
  }

  finishing(machine: TransferMachine): void {
    this.reached(machine, 'finish')
    const ambush = this.next('step')
    if (ambush === undefined) return
    const { disk } = machine
    let left = Math.max(1, ambush.left)
    disk.beforeChange = () => {
      if (--left > 0) return
      disk.beforeChange = null
      this.strike(machine, ambush)
      // In the middle of a call: what comes after it never happens.
      if (machine.member === null) throw new ProcessDied()
    }
  }

  taken(machine: TransferMachine, vector: VersionVector): void {
    this.counts.taken++
    machine.disk.beforeChange = null
    this.adopt(machine, vector)
    this.reached(machine, 'taken')
  }

  private adopt(machine: TransferMachine, vector: VersionVector): void {
    const part = this.part(machine)
    const { offer } = part
    if (offer === null) throw this.host.fail(`${machine.name} has taken a state that nobody offered`)
    const { host } = this
    host.trace(() => `${machine.name} has taken a state: ${offer.vector.toString()}, showing ${offer.seen.toString()}`)
    if (machine.logged.every((stamp) => stamp === 0)) this.counts.fromNothing++
    host.adopted(machine, { ...offer, vector })
    part.offer = null
    part.hasTaken = true
    part.shows = part.took = { seen: offer.seen.stamps.slice(), stable: offer.stable.stamps.slice() }
    this.caughtUp(machine)
  }

  private reached(machine: TransferMachine, stage: TransferStage): void {
    const ambush = this.next(stage)
    if (ambush === undefined) return
    const { life } = machine
    const delayMs = stage === 'shard' || stage === 'finish' ? 0 : this.host.fates.exponential(stage === 'open' ? 300 : 30)
    this.host.scheduler.after(delayMs, () => {
      if (machine.life === life && machine.member !== null) this.strike(machine, ambush)
    })
  }

  /** The first ambush that waits for a stage, when its count is up. */
  private next(stage: TransferStage): Ambush | undefined {
    const ambush = this.ambushes.find((each) => each.stage === stage)
    if (ambush === undefined || (stage === 'shard' && --ambush.left > 0)) return undefined
    this.ambushes = this.ambushes.filter((each) => each !== ambush)
    return ambush
  }

  private strike(taker: TransferMachine, { blow, stage, fault }: Ambush): void {
    const { host } = this
    const { offer } = this.part(taker)
    const others = host.machines.filter((machine) => machine !== taker)
    const giver = offer === null ? others[fault.b % others.length] : this.machineOf(offer.giver)
    host.trace(() => `${blow} at ${stage}: ${taker.name} takes the state of ${giver.name}`)
    this.counts.blow(blow, stage)
    switch (blow) {
      case 'links-break':
        host.network.breakLinks(taker.name, giver.name)
        return
      case 'taker-away':
        return this.takeAway(taker, fault.durationMs)
      case 'giver-away':
        return this.takeAway(giver, fault.durationMs)
      case 'taker-killed':
      case 'taker-loses-power':
        return this.crash(taker, blow === 'taker-loses-power', fault.durationMs)
      case 'giver-killed':
      case 'giver-loses-power':
        return this.crash(giver, blow === 'giver-loses-power', fault.durationMs)
      case 'snapshot-replaced':
        // Twice, so that neither of the two that are kept is the one that is being sent.
        giver.member?.snapshot?.()
        host.scheduler.after(300, () => giver.member?.snapshot?.())
        return
    }
  }

  private crash(machine: TransferMachine, power: boolean, ms: number): void {
    if (machine.member === null) return
    this.host.crash(machine, power)
    this.host.scheduler.after(ms, () => {
      if (machine.member === null && !machine.isDead) this.host.start(machine)
    })
  }

  // --- lives

  crashed(machine: TransferMachine): void {
    machine.disk.beforeChange = null
    const { ever } = this.part(machine)
    machine.owed.forEach((stamp, origin) => (ever[origin] = Math.max(ever[origin], stamp)))
    if (machine.member?.isTouched === true) this.counts.cut++
  }

  /** Before what a machine has after a start is checked: the state that it was taking may be its own already. */
  restarted(machine: TransferMachine, stamps: Float64Array): void {
    const part = this.part(machine)
    const { offer, took } = part
    if (took?.seen.some((stamp, origin) => origin > 0 && stamps[origin] < stamp) === true) part.shows = took
    if (offer === null) return
    const entries = [...offer.vector.entries()]
    if (entries.every(([origin, stamp]) => stamp === stamps[origin])) {
      if (entries.some(([origin, stamp]) => stamp !== machine.logged[origin])) this.counts.foundAtStart++
      this.adopt(machine, offer.vector)
    }
    part.offer = null
  }

  /** The disk is another one. */
  emptied(machine: TransferMachine): void {
    const part = this.part(machine)
    part.offer = part.shows = part.took = part.gone = null
  }

  /** Something was logged. */
  progressed(machine: TransferMachine): void {
    if (this.part(machine).shows !== null) this.caughtUp(machine)
  }

  private caughtUp(machine: TransferMachine): void {
    const part = this.part(machine)
    const { shows } = part
    if (shows === null || machine.logged.some((stamp, origin) => origin > 0 && stamp < shows.seen[origin])) return
    part.shows = null
    const { life } = machine
    this.host.scheduler.after(0, () => {
      if (machine.life === life && machine.member !== null && !this.isBlurred(machine)) this.host.check(machine)
    })
  }

  // --- oracles

  /** Nothing more than was stable in what it took may be folded before it has applied all that its data show. */
  checkHold(machine: TransferMachine): void {
    const { shows } = this.part(machine)
    const stable = machine.member?.stable
    if (shows === null || stable === undefined) return
    machine.logged.forEach((_, origin) => {
      if (origin === 0 || stable.stamps[origin] <= shows.stable[origin]) return
      throw this.host.fail(
        `${machine.name} calls ${origin}:${stable.stamps[origin]} stable, but shows more than it has applied since ${origin}:${shows.stable[origin]} was`,
      )
    })
  }

  /** A machine lets go of what came before a vector. More than half of the members must have it on their disks, and more than half of those that stay. */
  trimmed(machine: TransferMachine, vector: VersionVector, { others, staying, stays }: Counted): void {
    this.counts.trims++
    const has = (id: number): boolean => {
      const other = this.host.machines.find((each) => each.id === id)
      return [...vector.entries()].every(([origin, stamp]) => other !== undefined && this.durableAt(other, origin) >= stamp)
    }
    const holders = 1 + others.filter(has).length
    if (holders < others.length + 1) this.counts.trimsOfLacked++
    const self = stays ? 1 : 0
    const stayingHolders = self + staying.filter(has).length
    const isOfMost = 2 * holders > others.length + 1 && 2 * stayingHolders > staying.length + self
    if (!isOfMost && holders < others.length + 1)
      throw this.host.fail(
        `${machine.name} lets go of its log up to ${vector.toString()}, which only ${holders} of ${others.length + 1} members have on their disks, and of those that stay ${stayingHolders} of ${staying.length + self}`,
      )
    this.part(machine).gone = vector.stamps.slice()
    this.checkGone(machine)
  }

  /**
   * Of any two members one has all that both have let go of, or if the other disks are lost neither can have the state of the other
   * (docs/decisions/0034). Where members came, or were removed by force, halves of then and of now need have nobody in common.
   */
  private checkGone(machine: TransferMachine): void {
    const { gone } = this.part(machine)
    if (this.host.machines.some(({ isSeed, removal }) => !isSeed || removal === 'forced')) return
    for (const [other, { gone: goneThere }] of this.parts) {
      if (gone === null || goneThere === null || other === machine) continue
      if (hasAll(machine, goneThere) || hasAll(other, gone)) continue
      throw this.host.fail(
        `${machine.name} has let go of its log up to ${gone.slice(1, 9).join(',')}, ${other.name} up to ${goneThere.slice(1, 9).join(',')}, and neither has both`,
      )
    }
  }

  /** The machine's original goes: what it has told to be on its disk it has told. */
  twinGoes(machine: TransferMachine): void {
    const { ever } = this.part(machine)
    ever.forEach((_, origin) => (ever[origin] = this.durableAt(machine, origin)))
  }

  /** What is, or was, on its disk. */
  private durableAt(machine: TransferMachine, origin: number): number {
    const [here, there] = [machine.member, machine.twin?.member].map((member) => member?.durable.stamps[origin] ?? 0)
    return Math.max(this.part(machine).ever[origin], here, there)
  }

  private machineOf(id: number): TransferMachine {
    const machine = this.host.machines.find((each) => each.id === id)
    if (machine === undefined) throw this.host.fail(`there is no member ${id}`)
    return machine
  }
}

/** Everything up to a vector is on the disk of a machine. */
function hasAll({ member, owed }: TransferMachine, vector: Float64Array): boolean {
  const durable = member?.durable.stamps ?? owed
  return vector.every((stamp, origin) => origin === 0 || durable[origin] >= stamp)
}

/** A weighted choice by a number that is drawn already. */
function weighted(draw: number, weights: readonly number[]): number {
  let left = draw % weights.reduce((sum, weight) => sum + weight, 0)
  for (let i = 0; i < weights.length; i++) if ((left -= weights[i]) < 0) return i
  throw new Error('weights that are none')
}
