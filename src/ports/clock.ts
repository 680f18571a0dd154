/** Time as the core sees it. The platform gives real time, the simulator its own. */
export interface Clock {
  /** Unix milliseconds; may jump in either direction. */
  wallMs(): number
  /** Milliseconds that never go back; only differences mean anything. May have a fraction. */
  monotonicMs(): number
  /** Calls back once, after at least delayMs. */
  setTimer(delayMs: number, callback: () => void): Timer
  /** Calls back once, after the input events that are ready now have been handled. */
  defer(callback: () => void): void
}

export interface Timer {
  cancel(): void
}
