/** Powers of two of microseconds: up to 2^0, 2^1, … 2^31 and beyond. */
const BUCKETS = 33

/** How often a command took how long; LATENCY HISTOGRAM. */
export class LatencyHistogram {
  private readonly counts = new Uint32Array(BUCKETS)

  add(microseconds: number, calls = 1): void {
    this.counts[microseconds <= 1 ? 0 : 32 - Math.clz32(Math.min(Math.ceil(microseconds), 0xffffffff) - 1)] += calls
  }

  reset(): void {
    this.counts.fill(0)
  }

  /** Those that were added: none while latency-tracking is off. */
  get calls(): number {
    return this.counts.reduce((sum, count) => sum + count, 0)
  }

  /** Microseconds within which this share of the calls (0 to 100) ended: the upper bound of its bucket. 0 when there are none. */
  percentile(share: number): number {
    const rows = this.cumulative()
    const last = rows.at(-1)
    if (last === undefined) return 0
    const wanted = Math.max(1, Math.ceil((last[1] * share) / 100))
    return (rows.find(([, calls]) => calls >= wanted) ?? last)[0]
  }

  /** Upper bounds in microseconds of the buckets that have calls, each with the calls up to it. */
  cumulative(): (readonly [microseconds: number, calls: number])[] {
    const { counts } = this
    const rows: (readonly [number, number])[] = []
    let calls = 0
    for (let i = 0; i < BUCKETS; i++) {
      if (counts[i] === 0) continue
      calls += counts[i]
      rows.push([2 ** i, calls])
    }
    return rows
  }
}
