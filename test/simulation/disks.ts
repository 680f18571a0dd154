import type { Fault } from './faults.js'
import type { History } from './history.js'
import type { DecodedFrame } from './effects.js'
import type { SeededRandom } from './random.js'
import type { Life } from './sim-clock.js'
import type { SimDisk } from './sim-disk.js'
import type { SimulatedMember, SimulatedSession } from './simulated-member.js'

/** What is done to whole machines: one is cloned and runs beside its clone; one that was removed because it was gone for good comes back. */
const DISK_KINDS = ['clone-machine', 'return-removed'] as const
export type DiskFaultKind = (typeof DISK_KINDS)[number]

const DISK_RATE = 0.012
/** Within this a clone has caught up, and its original has been told. It waits for everybody in its list, also for a new member that is not there for a minute (clones, seed 3103808). */
const CLONE_WITHIN_MS = 120_000
const LOOK_MS = 50

export function planDisks(random: SeededRandom, steps: number, firstIndex: number): Fault[] {
  const faults: Fault[] = []
  for (let step = 0; step < steps; step++) {
    if (!random.chance(DISK_RATE)) continue
    const draws = { a: random.uint32(), b: random.uint32(), durationMs: random.pick([5, 400]), amount: random.unit() }
    faults.push({ index: firstIndex + faults.length, atStep: step, kind: DISK_KINDS[random.weighted([2, 1])], ...draws })
  }
  return faults
}

/** A machine, as this file sees it. */
interface DiskMachine {
  readonly id: number
  readonly name: string
  disk: SimDisk
  readonly life: Life
  readonly member: SimulatedMember | null
  readonly logged: Float64Array
  removal: 'none' | 'drained' | 'forced'
  isDead: boolean
  wasRestored: boolean
  lacksOwn: boolean
  /** Another process of this member runs as long as this one has made nothing. */
  twin: Twin | null
}

/** The process of a machine whose clone has its place. */
interface Twin {
  readonly life: Life
  readonly member: SimulatedMember
}

/** What is needed of the simulation. */
interface DiskHost {
  readonly history: History
  readonly machines: readonly DiskMachine[]
  fail(what: string): Error
  trace(line: () => string): void
  advance(ms: number): void
  /** Heals the network; true when soon all members are there and take writes. */
  isQuietSoon(): boolean
  newDisk(machine: DiskMachine): SimDisk
  crash(machine: DiskMachine, power: boolean): void
  start(machine: DiskMachine): void
  /** A process that is no machine's: what it logs concerns nobody. */
  startStray(machine: DiskMachine, disk: SimDisk): Twin
  checkDump(machine: DiskMachine): void
}

/** Clones, and members that come back after they were removed. Each must be recognised, take no writes, say so, and harm nobody (docs/decisions/0020). */
export class Disks {
  readonly counts = { clones: 0, forks: 0, returned: 0 }

  constructor(private readonly host: DiskHost) {}

  inflict(machine: DiskMachine, fault: Fault): void {
    if (fault.kind === 'clone-machine') this.clone(machine, fault)
    else this.comeBack()
  }

  /** The machine that a process belongs to has become another's: what it still makes, others may take until the clone has made something. */
  twinMade(machine: DiskMachine, frame: DecodedFrame, bytes: Uint8Array): void {
    const { history } = this.host
    if (frame.origin !== machine.id || machine.twin === null || history.newest(machine.id) !== frame.previous) return
    history.add(bytes, frame)
  }

  /** A clone makes its first op: what its original made and nobody got by now nobody may ever get. */
  firstMade(machine: DiskMachine, frame: DecodedFrame): void {
    const { host } = this
    const ahead = host.machines.find((other) => other !== machine && other.logged[machine.id] > frame.previous)
    if (ahead !== undefined) {
      throw host.fail(
        `${machine.name} makes ${frame.last} after ${frame.previous}, but ${ahead.name} has ops of it up to ${ahead.logged[machine.id]}: two histories`,
      )
    }
    machine.twin = null
    const lost = host.history.forgetAfter(machine.id, frame.previous)
    if (lost > 0) host.trace(() => `${lost} frames are on the disk of the original of ${machine.name} only`)
  }

  /** A copy of the machine starts beside it, and has its address. */
  private clone(machine: DiskMachine, fault: Fault): void {
    const { host } = this
    if (machine.removal !== 'none' || machine.member?.addMember === undefined || host.machines.length < 2) return
    let image = machine.disk.image()
    const lives = host.machines.map((each) => each.life)
    if (!host.isQuietSoon() || machine.removal !== 'none') return
    // One that has just come back has not heard of the original yet: that may then follow the clone.
    if (host.machines.some((each, i) => each.life !== lives[i])) return
    const { member, life, disk } = machine
    if (member === null) return
    if (fault.amount < 0.5) image = disk.image()
    host.trace(() => `a clone of ${machine.name} is started`)
    this.counts.clones++
    const twin = (machine.twin = { life, member })
    machine.disk = host.newDisk(machine)
    machine.disk.restore(image)
    machine.wasRestored = machine.lacksOwn = true
    host.start(machine)
    const session = member.newSession()
    const isOver = (): boolean =>
      machine.member !== null && machine.member.refusesWrites !== true && twin.member.refusesWrites === true
    for (let waited = 0; !isOver(); waited += LOOK_MS) {
      if (waited > CLONE_WITHIN_MS) {
        const say = (which: SimulatedMember | null): string =>
          which?.refusesWrites === true ? 'takes no writes' : 'takes writes'
        throw host.fail(
          `the clone of ${machine.name} ${say(machine.member)}, its original ${say(member)}, ${CLONE_WITHIN_MS} ms after it was started`,
        )
      }
      write(session, member, 'original')
      host.advance(LOOK_MS)
    }
    host.trace(() => `the clone of ${machine.name} takes writes, its original does not`)
    const last = member.durable.stamps[machine.id]
    if (machine.member !== null) write(machine.member.newSession(), machine.member, 'clone')
    if (machine.twin !== null) throw host.fail(`the clone of ${machine.name} takes writes and has written nothing`)
    host.advance(500)
    life.alive = false
    // Both have written, and somebody has what the clone has.
    const { id } = machine
    const isHeard = host.machines.some((other) => other !== machine && other.logged[id] === machine.logged[id])
    if (isHeard && host.history.find(id, last) === undefined) this.swapBack(machine, disk)
  }

  /** The wrong one is stopped, after both have written: the original has what nobody else has, and cannot go on. */
  private swapBack(machine: DiskMachine, disk: SimDisk): void {
    const { host } = this
    if (!host.isQuietSoon() || machine.member === null || machine.removal !== 'none') return
    host.trace(() => `the original of ${machine.name} is started in the place of its clone`)
    host.crash(machine, false)
    const stray = host.startStray(machine, disk)
    const session = stray.member.newSession()
    for (let waited = 0; stray.member.isForked !== true; waited += LOOK_MS) {
      if (waited > CLONE_WITHIN_MS) {
        throw host.fail(`the original of ${machine.name} is not refused, although its clone has written something else`)
      }
      write(session, stray.member, 'original')
      host.advance(LOOK_MS)
    }
    this.counts.forks++
    stray.life.alive = false
    host.start(machine)
  }

  /** One that was removed by force because it was gone is there again: it is refused, and shows what it has, also what it never sent. */
  private comeBack(): void {
    const { host } = this
    const machine = host.machines.find(({ removal, isDead, member }) => removal === 'forced' && isDead && member === null)
    if (machine === undefined || !host.isQuietSoon()) return
    host.trace(() => `${machine.name}, which was removed, comes back`)
    machine.isDead = false
    this.counts.returned++
    host.start(machine)
    for (let waited = 0; machine.member?.refusesWrites !== true; waited += LOOK_MS) {
      if (waited > CLONE_WITHIN_MS) throw host.fail(`${machine.name} takes writes, although it was removed`)
      host.advance(LOOK_MS)
    }
    host.checkDump(machine)
  }
}

function write(session: SimulatedSession, member: SimulatedMember, value: string): void {
  member.makeWay?.(0, null)
  session.call(['SET', 'k0', value])
  member.endTurn()
}
