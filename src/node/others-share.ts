/** While clients keep the event loop busy they get so many times of what was taken from them. */
const BUSY_SHARE = 5
/** And while nobody comes: this is how soon it is noticed when somebody does. */
const IDLE_SHARE = 0.1
/**
 * From this part of the time on the event loop counts as busy; below it others get less by the square. A client that waits for each reply before it sends the next
 * command keeps it busy for a third of the time, one that asks every millisecond for a tenth: the first should hardly notice, for the second nearly nothing is to be done.
 */
const BUSY_FROM = 0.5
/** Shorter ones are left to come together: a timer takes no less. */
const LEAST_PAUSE_MS = 1
/** A step takes milliseconds, unless the process was stopped in it, or the whole machine: nobody is owed that time. */
const LONGEST_PAUSE_MS = 100
/** What lies further back counts less and less. */
const REMEMBERED_MS = 8

/**
 * How long some long work in the background leaves the event loop to everybody else. What others need of it shows only while they are left alone: beside the work a client that waits for
 * its replies seems to ask for little. So they are watched in the pauses, and there is a short one now and then even when nobody comes.
 */
export class OthersShare {
  private ownMs = 0
  private watchedMs = 0
  private busyMs = 0

  /** The work has taken so long of the event loop. */
  worked(ms: number): void {
    this.ownMs += ms
  }

  /** How long others are to be left alone now; 0: not yet. */
  get pauseMs(): number {
    const busy = this.watchedMs === 0 ? 1 : this.busyMs / this.watchedMs
    const share = Math.max(IDLE_SHARE, BUSY_SHARE * Math.min(1, busy / BUSY_FROM) ** 2)
    const pauseMs = this.ownMs * share
    return pauseMs < LEAST_PAUSE_MS ? 0 : Math.min(pauseMs, LONGEST_PAUSE_MS)
  }

  /** They have been left alone, and for so long of that time the event loop had nothing to do. */
  paused(ms: number, idleMs: number): void {
    this.ownMs = 0
    const kept = Math.min(1, REMEMBERED_MS / (this.watchedMs + 1e-9))
    this.watchedMs = this.watchedMs * kept + ms
    this.busyMs = this.busyMs * kept + Math.max(0, ms - idleMs)
  }
}
