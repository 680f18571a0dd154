const SAMPLES = 16

/** How fast a counter grows, over its last samples. */
export class RateMeter {
  private readonly atMs = new Float64Array(SAMPLES)
  private readonly counts = new Float64Array(SAMPLES)
  private taken = 0

  sample(nowMs: number, count: number): void {
    const i = this.taken++ % SAMPLES
    this.atMs[i] = nowMs
    this.counts[i] = count
  }

  /** Per second between the oldest and the newest sample; 0 before there are two, and after the counter was set back. */
  get perSecond(): number {
    if (this.taken < 2) return 0
    const newest = (this.taken - 1) % SAMPLES
    const oldest = this.taken <= SAMPLES ? 0 : this.taken % SAMPLES
    const elapsedMs = this.atMs[newest] - this.atMs[oldest]
    const grown = this.counts[newest] - this.counts[oldest]
    return elapsedMs > 0 && grown > 0 ? (grown * 1000) / elapsedMs : 0
  }
}
