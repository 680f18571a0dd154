import { LIMITS } from '../base/limits.js'
import type { LatencyEvent, LatencyReader } from '../commands/services.js'

interface KeptEvent {
  readonly name: string
  readonly samples: { readonly unixSeconds: number; ms: number }[]
  maxMs: number
}

/**
 * LATENCY: what has stopped the server for how long. Events: command and fast-command (one that ought not to take long), expire-cycle. Only what takes at
 * least the threshold is kept, one sample a second and event, the longest.
 */
export class LatencyMonitor implements LatencyReader {
  /** Milliseconds; 0: nothing is kept. Redis' latency-monitor-threshold. */
  thresholdMs = 0
  /** Redis' latency-tracking: commands are entered into their histograms. */
  tracksCommands = true
  /** Redis' latency-tracking-info-percentiles: 0 to 100. */
  percentiles: readonly number[] = []
  private readonly byName = new Map<string, KeptEvent>()

  /** Costs a comparison or two when there is nothing to keep. */
  note(name: string, ms: number, unixMs: number): void {
    if (this.thresholdMs === 0 || ms < this.thresholdMs) return
    const whole = Math.floor(ms)
    const unixSeconds = Math.floor(unixMs / 1000)
    let event = this.byName.get(name)
    if (event === undefined) this.byName.set(name, (event = { name, samples: [], maxMs: 0 }))
    event.maxMs = Math.max(event.maxMs, whole)
    const last = event.samples.at(-1)
    if (last?.unixSeconds === unixSeconds) {
      last.ms = Math.max(last.ms, whole)
      return
    }
    event.samples.push({ unixSeconds, ms: whole })
    if (event.samples.length > LIMITS.latencySamples) event.samples.shift()
  }

  events(): readonly LatencyEvent[] {
    return [...this.byName.values()]
  }

  reset(name: string): boolean {
    return this.byName.delete(name)
  }
}
