import { LIMITS } from '../base/limits.js'
import type { Keyspace } from '../keyspace/keyspace.js'
import type { Clock } from '../ports/clock.js'
import { Background } from './background.js'
import type { MemoryBound } from './eviction/memory-bound.js'
import type { Expirations } from './expirations.js'
import type { LoadMeters } from './load-meters.js'
import type { Settling } from './settling.js'

/** Milliseconds between expiry cycles. */
const EXPIRY_PERIOD_MS = 100
/** Milliseconds between samples of rates and of the memory in use. */
const SAMPLE_PERIOD_MS = 100
/** Milliseconds between looks at what has become stable. */
const SETTLE_PERIOD_MS = 1000

/** What upkeep needs of the engine. */
export interface UpkeepHost {
  /** An EXEC in slices is under way: nothing is removed, and nothing moves. */
  readonly isInTransaction: boolean
  /** The member may remove keys by itself. */
  readonly mayRemoveKeys: boolean
  /** What is due goes also when no command comes upon it. */
  readonly activeExpiry: boolean
  /** Serves clients that have waited for what was removed. */
  serveReady(): void
}

/** What a member does to its data by itself, between commands: removes what is due, tidies up what is stable, gives memory back, and takes samples. */
export class Upkeep {
  private readonly background: Background

  constructor(
    private readonly keyspace: Keyspace,
    private readonly expirations: Expirations,
    private readonly settling: Settling,
    private readonly load: LoadMeters,
    private readonly memory: MemoryBound,
    private readonly clock: Clock,
    private readonly host: UpkeepHost,
  ) {
    const background = new Background(clock)
    this.background = background
    // The memory of removed collections comes back some slices a turn, also while the log is being replayed.
    keyspace.reclaimer.onWork = () => background.repeat(0, () => (this.reclaimSome() ? 0 : null))
  }

  /** Gives memory of removed collections back; true when there is more. */
  private reclaimSome(): boolean {
    const { keyspace, clock } = this
    const untilMs = clock.workUntil(LIMITS.reclaimTurnMs)
    for (let slice = 0; slice < LIMITS.reclaimTurnSlices; slice++) {
      if (!keyspace.reclaimer.step()) return false
      if (clock.monotonicMs() > untilMs) break
    }
    return true
  }

  /** Begins with what comes again and again. */
  start(): void {
    const { background } = this
    background.repeat(EXPIRY_PERIOD_MS, () => (this.removeDue() ? 1 : EXPIRY_PERIOD_MS))
    background.repeat(SETTLE_PERIOD_MS, () => (this.settleSome() ? 1 : SETTLE_PERIOD_MS))
    background.repeat(SAMPLE_PERIOD_MS, () => {
      this.load.sample()
      this.memory.tick()
      return SAMPLE_PERIOD_MS
    })
  }

  stop(): void {
    this.background.stop()
  }

  /** Settles some of what has become stable; true when more should follow at once. */
  settleSome(): boolean {
    return this.host.isInTransaction || this.settling.some()
  }

  /** Removes what the last command came upon and found due. */
  removeSeenDue(): void {
    const { host } = this
    if (!host.isInTransaction) this.expirations.settleSeen(host.mayRemoveKeys)
  }

  /** Removes some of what is due; true when more should follow at once. */
  private removeDue(): boolean {
    const { host } = this
    this.keyspace.setTime(this.clock.wallMs())
    const hasMore = this.expirations.cycle(host.activeExpiry && host.mayRemoveKeys)
    host.serveReady()
    return hasMore
  }
}
