import type { Stability } from '../../src/crdt/apply-context.js'
import { Engine } from '../../src/engine/engine.js'
import { EngineHarness, NOTHING_STABLE_YET } from './engine-harness.js'
import { MemoryLog } from './memory-log.js'

const MEMBERS = 3

/** What is stable at a member, from what the frames that it has applied say of the others. */
class SeenStability implements Stability {
  /** By member: its vector, as its last frame that was applied here has it. */
  private readonly known = Array.from({ length: MEMBERS + 1 }, () => new Float64Array(256))

  constructor(private readonly self: EngineHarness) {}

  learn(): void {
    const { engine, log } = this.self
    for (const frame of log.frames) {
      if (frame.last > engine.applied.get(frame.origin)) continue
      const vector = this.known[frame.origin]
      for (let i = 0; i < frame.contextCount; i++) {
        vector[frame.contextMember(i)] = Math.max(vector[frame.contextMember(i)], frame.contextStamp(i))
      }
      vector[frame.origin] = Math.max(vector[frame.origin], frame.last)
    }
  }

  covers(member: number, stamp: number): boolean {
    return this.stable(member) >= stamp
  }

  coversAllUpTo(stamp: number): boolean {
    for (let member = 1; member <= MEMBERS; member++) {
      if (this.stable(member) < Math.min(stamp, this.applied(member))) return false
    }
    return true
  }

  private stable(member: number): number {
    let least = this.applied(member)
    for (let other = 1; other <= MEMBERS; other++) {
      if (other !== this.self.services.replication.memberId) least = Math.min(least, this.known[other][member])
    }
    return least
  }

  private applied(member: number): number {
    return this.self.engine.applied.stamps[member]
  }
}

/** Three members in one process that hear of each other when told to, know what is stable, and remove what is due. */
export class Mesh {
  readonly members: readonly EngineHarness[]
  private readonly stability: readonly SeenStability[]

  constructor() {
    this.members = [1, 2, 3].map((self) => new EngineHarness({ self, solo: false }))
    this.stability = this.members.map((member) => new SeenStability(member))
    this.members.forEach(({ engine }, i) => (engine.keyspace.stability = this.stability[i]))
  }

  /** Gives a member what another has and it may apply now. True when something was new. */
  deliver(from: number, to: number): boolean {
    let moved = false
    const { engine } = this.members[to]
    for (const frame of this.members[from].log.frames) {
      const { applied } = engine
      if (frame.last <= applied.get(frame.origin)) continue
      if (frame.previous !== applied.get(frame.origin) || !frame.contextCoveredBy(applied)) continue
      engine.remote.apply(frame)
      moved = true
    }
    this.stability[to].learn()
    return moved
  }

  /** Everybody hears of everything. */
  deliverAll(): void {
    for (let moved = true; moved;) {
      moved = false
      for (let from = 0; from < MEMBERS; from++) {
        for (let to = 0; to < MEMBERS; to++) if (from !== to && this.deliver(from, to)) moved = true
      }
    }
  }

  /** Time passes, and what falls due in it goes. */
  wait(ms: number): void {
    for (const { clock } of this.members) clock.advance(ms)
  }

  /** Everybody hears of everything, time for any takeover passes, and everybody hears of that too. */
  settle(): void {
    for (let round = 0; round < 3; round++) {
      this.deliverAll()
      this.wait(12_000)
    }
    this.deliverAll()
  }

  /** An engine that has read a member's log, as after a restart. */
  recovered(member: number): EngineHarness {
    const { log, services, clock } = this.members[member]
    const fresh = new EngineHarness({ self: services.replication.memberId, solo: false })
    fresh.clock.now = clock.now
    const engine = new Engine(fresh.engine.options, fresh.clock, fresh.services)
    // What is stable now was not when the first frames came.
    engine.keyspace.stability = NOTHING_STABLE_YET
    for (const frame of log.frames) engine.replay.recover(frame)
    engine.keyspace.stability = this.stability[member]
    engine.keyspace.setTime(clock.now)
    // Until then it answers LOADING.
    engine.start(new MemoryLog())
    return Object.assign(fresh, { engine })
  }
}
