import { LIMITS } from '../../base/limits.js'

/** A key that might go. */
export interface Candidate {
  /** The higher, the sooner it goes. */
  readonly score: number
  readonly database: number
  readonly key: Uint8Array
}

/**
 * The best candidates of all draws so far, after Redis: from a handful of keys drawn at a time one would often have to take a poor one; kept from draw to draw, the
 * best of them come close to the best of all. What has become of a candidate meanwhile whoever takes it must see.
 */
export class EvictionPool {
  /** By score, the lowest first. */
  private readonly candidates: Candidate[] = []

  /** True when a key with this score would be taken in. */
  wants(score: number): boolean {
    return this.candidates.length < LIMITS.evictionPoolKeys || score > this.candidates[0].score
  }

  add(candidate: Candidate): void {
    const { candidates } = this
    if (candidates.length === LIMITS.evictionPoolKeys) candidates.shift()
    let at = candidates.length
    while (at > 0 && candidates[at - 1].score > candidate.score) at--
    candidates.splice(at, 0, candidate)
  }

  /** Takes the best out. */
  take(): Candidate | undefined {
    return this.candidates.pop()
  }

  clear(): void {
    this.candidates.length = 0
  }
}
