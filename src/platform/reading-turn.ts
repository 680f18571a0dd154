import { LIMITS } from '../base/limits.js'
import type { Clock } from '../ports/clock.js'

/**
 * What links read in one turn of the event loop, all together. Without a bound a socket gives all that has come for it, which Node reads in up to 2 MiB: 5 to
 * 8 ms of decrypting, checksums and copying. And it opens the turn, so that work in slices counts what reading took.
 */
export class ReadingTurn {
  private bytes = 0
  private isOpen = false
  private readonly waiting: (() => void)[] = []

  constructor(private readonly clock: Clock) {}

  /** So many bytes have come. True when that is enough for this turn. */
  took(bytes: number): boolean {
    if (!this.isOpen) {
      this.isOpen = true
      this.clock.workUntil(0)
      this.clock.defer(() => this.end())
    }
    this.bytes += bytes
    return this.bytes >= LIMITS.linkTurnBytes
  }

  /** For a link that has been told so: called when it may go on. */
  later(resume: () => void): void {
    this.waiting.push(resume)
  }

  private end(): void {
    this.isOpen = false
    this.bytes = 0
    for (const resume of this.waiting.splice(0)) resume()
  }
}
