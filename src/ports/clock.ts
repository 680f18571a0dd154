/** Time as the core sees it. The platform gives real time, the simulator its own. */
export interface Clock {
  /** Unix milliseconds; may jump in either direction. */
  wallMs(): number
  /** Milliseconds that never go back; only differences mean anything. May have a fraction. */
  monotonicMs(): number
  /** How long the event loop has waited for something to do, all in all, in milliseconds; only differences mean anything. */
  idleMs(): number
  /**
   * Until when, by monotonicMs, a part of some long work may go on that takes up to ownMs of a turn of the event loop: shorter where other work has taken its part
   * of the same turn, for who waits meanwhile waits for all of them.
   */
  workUntil(ownMs: number): number
  /** Calls back once, after at least delayMs. */
  setTimer(delayMs: number, callback: () => void): Timer
  /** Calls back once, after the input events that are ready now have been handled. */
  defer(callback: () => void): void
}

export interface Timer {
  cancel(): void
}
