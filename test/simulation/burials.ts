import { stampToUnixMs, type Stamp } from '../../src/base/ids.js'
import type { History } from './history.js'
import type { SeededRandom } from './random.js'
import type { LastWrite, SimulatedMember } from './simulated-member.js'

/** A machine, as this file sees it. */
interface Grave {
  readonly id: number
  readonly name: string
  readonly member: SimulatedMember | null
  readonly logged: Float64Array
  isDead: boolean
}

/** What is needed of the simulation. */
interface BurialHost<M extends Grave> {
  readonly history: History
  /** Members that have not been removed. */
  readonly remaining: readonly M[]
  fail(what: string): Error
  trace(line: () => string): void
  advance(ms: number): void
  /** Breaks the links between two. */
  cutOff(machine: M, from: M): void
  /** Writes one op that counts for nothing else. */
  write(machine: M): void
  crash(machine: M): void
  /** Removes one by force, and checks what is said of its writes. */
  remove(via: M, target: M, said: (known: readonly LastWrite[]) => void): void
  converge(): void
}

/** The reply to a removal comes when it is on the disk. */
const SAID_WITHIN_MS = 5000
/** Within this what was written is on its way no more. */
const SETTLE_MS = 300
/** Within this everybody has told what it has. */
const QUIET_MS = 3000

/**
 * Holds what a forced removal says of the writes of the removed member against the history: of each remaining member up to when it has them. Whoever reads it knows
 * which never arrived: those after the latest of these times.
 */
export class Burials<M extends Grave> {
  constructor(
    private readonly host: BurialHost<M>,
    private readonly random: SeededRandom,
  ) {}

  /**
   * Checks what is said at any moment. Of others only their reports are known, which are older than what they have; of itself a member knows.
   * @returns takes what was said.
   */
  witness(via: M, target: M): (known: readonly LastWrite[]) => void {
    const { host } = this
    via.member?.makeWay?.(0, null)
    const own = this.newestOf(target, via.logged[target.id])
    const others = host.remaining.filter(({ name }) => name !== target.name && via.member?.knowsAsMember?.(name) === true)
    return (known) => {
      for (const { name, ms } of known) {
        if (name === target.name) throw host.fail(`${via.name} says what ${name} has of its own writes, and removes it`)
        if (name === via.name && ms !== timeOf(own))
          throw host.fail(
            `${via.name} says that it has the writes of ${target.name} up to ${ms}; it has them up to ${timeOf(own)}`,
          )
        const isEnd = ms === 0 || host.history.lastStamps(target.id).some((stamp) => timeOf(stamp) === ms)
        if (!isEnd)
          throw host.fail(`${via.name} says that ${name} has the writes of ${target.name} up to ${ms}, when it wrote none`)
      }
      for (const { name } of others)
        if (!known.some((each) => each.name === name))
          throw host.fail(`${via.name} does not say what ${name} has of the writes of ${target.name}`)
    }
  }

  /**
   * All is quiet and everybody has everything. One is cut off from who will remove it and writes what only the others get, then from all and writes what nobody will ever
   * get, and is gone: what is said of it must be exact.
   */
  bury(): void {
    const { host, random } = this
    if (host.remaining.length < 2) return
    host.advance(QUIET_MS)
    const target = random.pick(host.remaining)
    const via = random.pick(host.remaining.filter((machine) => machine !== target))
    host.cutOff(target, via)
    this.write(target)
    for (const other of host.remaining) if (other !== target) host.cutOff(target, other)
    this.write(target)
    host.crash(target)
    target.isDead = true
    const expected = host.remaining
      .filter((machine) => machine !== target)
      .map(({ name, logged }) => `${name} ${timeOf(this.newestOf(target, logged[target.id]))}`)
      .sort()
    const made = host.history.newest(target.id)
    host.trace(() => `${target.name} is gone with what it wrote up to ${timeOf(made)}`)
    let said: readonly LastWrite[] | null = null
    host.remove(via, target, (known) => (said = known))
    for (let waited = 0; said === null && waited < SAID_WITHIN_MS; waited += 10) host.advance(10)
    const given = ((said ?? []) as readonly LastWrite[]).map(({ name, ms }) => `${name} ${ms}`).sort()
    if (given.join() !== expected.join())
      throw host.fail(
        `${via.name} says of the writes of ${target.name}, which made some up to ${timeOf(made)}, that these are known of: ${given.join(', ')}; by the history: ${expected.join(', ')}`,
      )
    const latest = Math.max(...host.remaining.map(({ logged }) => logged[target.id]))
    host.converge()
    for (const { name, logged } of host.remaining)
      if (logged[target.id] !== latest)
        throw host.fail(`${name} has ${target.id}:${logged[target.id]} in the end, of what was known up to ${latest}`)
  }

  private write(machine: M): void {
    for (let left = this.random.between(0, 3); left > 0; left--) {
      this.host.write(machine)
      this.host.advance(this.random.between(0, 50))
    }
    this.host.advance(SETTLE_MS)
  }

  /** The last op of a member that one has who has it up to a stamp, by the history. */
  private newestOf({ id }: M, stamp: number): number {
    return this.host.history.lastStamps(id).findLast((last) => last <= stamp) ?? 0
  }
}

function timeOf(stamp: number): number {
  return stamp === 0 ? 0 : stampToUnixMs(stamp as Stamp)
}
