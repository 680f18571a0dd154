import { MeridianError } from '../base/errors.js'
import { LIMITS } from '../base/limits.js'
import { VersionVector } from '../crdt/version-vector.js'
import type { Clock, Timer } from '../ports/clock.js'
import type { SegmentWriter } from './segment-writer.js'

/**
 * While a sync is under way the event loop shows so often that it runs. A process that was stopped, or was busy, hears of the end of a sync late, which says nothing about
 * the disk: when it was away for this long, that does not count. Less is nothing: on a busy machine it is a little late all the time, and disks are slow on such ones, too.
 */
const PULSE_MS = 100
const AWAY_MS = 300

/**
 * Makes the log durable with one sync at a time: what is appended while one is under way shares the next. A sync begins after
 * the event-loop turn in which it was asked for, so everything of that turn is in it.
 *
 *     idle --request--> deferred --turn ends--> syncing --done--> idle, or syncing again when asked meanwhile
 *                                                  \--error--> failed, for good
 *
 * A failed sync is never repeated: the kernel forgets the pages that it could not write, so a second sync would succeed without
 * them (the "fsyncgate" of 2018).
 */
export class GroupCommit {
  readonly durable = new VersionVector()
  durableBytes: number
  /** Why nothing more can become durable, or null. */
  failure: MeridianError | null = null

  /**
   * Least time from the start of one sync to the start of the next, in milliseconds. Syncing again at once costs a tenth of a core where the
   * disk is fast, and makes many small batches for the peers; a pause of 2 ms costs that much lag.
   */
  pauseMs = 0

  /** Syncs that have taken longer than LIMITS.slowSyncMs, one under way included. */
  delayedSyncs = 0
  /** Milliseconds that the last sync took. */
  lastSyncMs = 0

  private lastStartMs = -Infinity
  /** When the event loop was last known to run, since the sync under way began, and for how long it did not until then. */
  private pulseMs = 0
  private awayMs = 0
  private pulseTimer: Timer | null = null
  /** The sync under way is among the delayed ones. */
  private isDelayed = false
  private pauseTimer: Timer | null = null
  private wanted = false
  private deferred = false
  private syncing = false
  private closed = false
  /** What the sync under way will have made durable. */
  private readonly coming = new VersionVector()
  private comingBytes = 0

  /** Everything that the writer has now must be durable. */
  constructor(
    private readonly writer: SegmentWriter,
    private readonly clock: Clock,
    /** Called after `durable` or `failure` changed. */
    private readonly onChange: () => void,
  ) {
    this.durable.copyFrom(writer.appended)
    this.durableBytes = writer.appendedBytes
  }

  /** How long the sync under way has taken so far, in milliseconds, without what the process was away for; 0 when there is none. */
  get syncingMs(): number {
    if (!this.syncing) return 0
    const now = this.clock.monotonicMs()
    return now - this.lastStartMs - this.awayMs - this.awayUntil(now)
  }

  /** Counts the sync under way when it has taken too long; true when it does so now. */
  noteDelay(): boolean {
    if (this.isDelayed || this.syncingMs < LIMITS.slowSyncMs) return false
    this.isDelayed = true
    this.delayedSyncs++
    return true
  }

  request(): void {
    this.wanted = true
    if (this.deferred || this.syncing) return
    this.startLater()
  }

  /** Starts at the end of this turn, or when the pause since the last start is over. */
  private startLater(): void {
    this.deferred = true
    const begin = (): void => {
      this.deferred = false
      this.start()
    }
    const pauseMs = this.lastStartMs + this.pauseMs - this.clock.monotonicMs()
    if (pauseMs > 0) this.pauseTimer = this.clock.setTimer(pauseMs, begin)
    else this.clock.defer(begin)
  }

  /**
   * Returns when everything appended is on the disk.
   * @throws MeridianError MRD_DISK_IO
   */
  syncNow(): void {
    if (this.failure !== null) throw this.failure
    if (this.durableBytes === this.writer.appendedBytes) return
    try {
      this.writer.syncNow()
    } catch (error) {
      throw this.fail(error)
    }
    this.comingBytes = this.writer.appendedBytes
    this.coming.copyFrom(this.writer.appended)
    // The kernel reports an error to one of two concurrent syncs only. So `durable` moves when both are known to be good.
    if (!this.syncing) this.arrive()
  }

  /** The log has begun anew, and all of it is durable. */
  restarted(): void {
    this.durable.copyFrom(this.writer.appended)
    // Of a sync that is under way too.
    this.coming.copyFrom(this.writer.appended)
    this.comingBytes = this.durableBytes = this.writer.appendedBytes
    this.onChange()
  }

  /** Nothing is called back any more. */
  close(): void {
    this.closed = true
    this.pauseTimer?.cancel()
    this.pulseTimer?.cancel()
  }

  private start(): void {
    if (this.closed || this.syncing || this.failure !== null) return
    const { wanted } = this
    this.wanted = false
    // A new segment without a frame has nothing to be made durable but its name, which lets older ones go.
    if (!wanted || (this.durableBytes === this.writer.appendedBytes && this.writer.isNamed)) return
    this.syncing = true
    this.lastStartMs = this.pulseMs = this.clock.monotonicMs()
    this.awayMs = 0
    if (this.pulseTimer === null) this.pulse()
    this.comingBytes = this.writer.appendedBytes
    this.coming.copyFrom(this.writer.appended)
    this.writer.sync((error) => {
      if (this.closed) return
      this.lastSyncMs = this.syncingMs
      this.noteDelay()
      this.isDelayed = false
      this.syncing = false
      if (error !== null) this.fail(error)
      else this.finish()
    })
  }

  /** One timer serves many short syncs. */
  private pulse(): void {
    this.pulseTimer = this.clock.setTimer(PULSE_MS, () => {
      this.pulseTimer = null
      if (!this.syncing) return
      const now = this.clock.monotonicMs()
      this.awayMs += this.awayUntil(now)
      this.pulseMs = now
      this.pulse()
    })
  }

  private awayUntil(now: number): number {
    const lateMs = now - this.pulseMs - PULSE_MS
    return lateMs >= AWAY_MS ? lateMs : 0
  }

  private finish(): void {
    const left = this.writer.appendedBytes - this.comingBytes
    if (this.writer.full && left > 0) {
      // A new segment may begin only when nothing here awaits a sync, which under a steady load never happens by itself.
      if (left <= LIMITS.segmentCloseSyncBytes || this.writer.overfull) {
        try {
          this.writer.syncNow()
        } catch (error) {
          this.fail(error)
          return
        }
        this.comingBytes = this.writer.appendedBytes
        this.coming.copyFrom(this.writer.appended)
      } else {
        this.wanted = true
      }
    }
    this.arrive()
    if (this.pauseMs === 0) this.start()
    else if (this.wanted && !this.deferred) this.startLater()
  }

  private arrive(): void {
    this.durable.copyFrom(this.coming)
    this.durableBytes = this.comingBytes
    this.onChange()
  }

  /** Returns the first failure: that one is final. */
  private fail(error: unknown): MeridianError {
    if (this.failure !== null) return this.failure
    const cause = error instanceof Error ? error.message : String(error)
    const failure = new MeridianError(
      'MRD_DISK_IO',
      `Sync of ${this.writer.path} failed: ${cause}`,
      'Writes are refused and reads go on. Check the disk (the kernel log says more), then restart this member.',
      { cause: error },
    )
    this.failure = failure
    this.onChange()
    return failure
  }
}
