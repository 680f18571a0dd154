import { TWO_32 } from '../base/words.js'

/** Where a new key begins, so that it is not the first to go before it could be used again; Redis' LFU_INIT_VAL. */
const FIRST_COUNT = 5
const MAX_COUNT = 255
const MINUTES_MASK = 0xffff

/**
 * How often keys are used, for the LFU policies: in a record's 24 access bits stand the minute of its last use (16 bits) and a count that grows by chance, the
 * more rarely the higher it is, and sinks with time (Morris' approximate counter, as Redis has it). So 255 stands for some million uses
 * with the usual factor of 10.
 *
 * It is each member's own knowledge, never replicated: remote writes count as uses too, but draw from this member's randomness.
 */
export class AccessFrequency {
  /** The higher, the more uses a count stands for: lfu-log-factor. */
  logFactor = 10
  /** Minutes in which an unused key loses one; 0: it loses nothing. lfu-decay-time. */
  decayMinutes = 1
  private minutes = 0

  constructor(
    /** Uniform in 0 .. 2^32-1. */
    private readonly random: () => number,
  ) {}

  setTime(unixMs: number): void {
    this.minutes = Math.floor(unixMs / 60_000) & MINUTES_MASK
  }

  /** The access bits of a new key, or of one whose count is given. */
  fresh(count: number = FIRST_COUNT): number {
    return (this.minutes << 8) | count
  }

  /** The access bits after one more use. */
  used(bits: number): number {
    const count = this.count(bits)
    if (count >= MAX_COUNT) return this.fresh(MAX_COUNT)
    const chance = 1 / (Math.max(0, count - FIRST_COUNT) * this.logFactor + 1)
    // At the beginning every use counts: no need to draw.
    return this.fresh(chance === 1 || this.random() / TWO_32 < chance ? count + 1 : count)
  }

  /** The count as it has sunk by now. */
  count(bits: number): number {
    const count = bits & MAX_COUNT
    if (this.decayMinutes === 0) return count
    const idleMinutes = (this.minutes - (bits >>> 8)) & MINUTES_MASK
    return Math.max(0, count - Math.floor(idleMinutes / this.decayMinutes))
  }
}
