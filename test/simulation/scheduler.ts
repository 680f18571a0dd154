import { ProcessDied } from './process-died.js'

/**
 * Virtual time: one priority queue of events, ordered by (time, sequence). Nothing else in a simulation makes anything happen.
 */
export class ScheduledEvent {
  /** Null once it has run or was cancelled; it then leaves the queue when its time comes. */
  callback: (() => void) | null

  constructor(
    readonly time: number,
    readonly sequence: number,
    callback: () => void,
  ) {
    this.callback = callback
  }

  cancel(): void {
    this.callback = null
  }
}

export class Scheduler {
  private readonly heap: ScheduledEvent[] = []
  private sequence = 0
  private time = 0
  /** Events run since the start. */
  executed = 0

  /** Beyond `maxEvents` it gives up: something does not come to rest. */
  constructor(private readonly maxEvents = 2_000_000) {}

  /** Virtual milliseconds since the simulation began. */
  get now(): number {
    return this.time
  }

  get pending(): number {
    return this.heap.length
  }

  /** Runs the callback after a delay; with 0, after the events that are due now and already queued. */
  after(delayMs: number, callback: () => void): ScheduledEvent {
    return this.at(this.time + (delayMs > 0 ? delayMs : 0), callback)
  }

  /** Runs the callback at a time; now, if that is past. */
  at(time: number, callback: () => void): ScheduledEvent {
    const event = new ScheduledEvent(Math.max(time, this.time), this.sequence++, callback)
    this.push(event)
    return event
  }

  /** Runs events until the given time, and those due exactly then. */
  runUntil(time: number): void {
    for (;;) {
      const next = this.heap[0]
      if (next === undefined || next.time > time) break
      this.runNext()
    }
    if (time > this.time) this.time = time
  }

  /** Runs the next event; false when there is none. */
  runNext(): boolean {
    const event = this.pop()
    if (event === undefined) return false
    this.time = event.time
    const callback = event.callback
    if (callback !== null) {
      event.callback = null
      if (++this.executed > this.maxEvents) throw new Error(`more than ${this.maxEvents} events: something does not come to rest`)
      try {
        callback()
      } catch (error) {
        if (!(error instanceof ProcessDied)) throw error
      }
    }
    return true
  }

  private push(event: ScheduledEvent): void {
    const heap = this.heap
    let at = heap.length
    heap.push(event)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(event, heap[parent])) break
      heap[at] = heap[parent]
      at = parent
    }
    heap[at] = event
  }

  private pop(): ScheduledEvent | undefined {
    const heap = this.heap
    const top = heap[0]
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return top
    let at = 0
    const half = heap.length >> 1
    while (at < half) {
      let child = 2 * at + 1
      if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++
      if (!before(heap[child], last)) break
      heap[at] = heap[child]
      at = child
    }
    heap[at] = last
    return top
  }
}

function before(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.time < b.time || (a.time === b.time && a.sequence < b.sequence)
}
