import type { EngineStatistics, EventLoopReport, LoadReport, Services } from '../commands/services.js'
import type { Keyspace } from '../keyspace/keyspace.js'
import type { Clock } from '../ports/clock.js'
import { RateMeter } from './rate-meter.js'

/** How busy the server is, and how much memory the data has taken: from samples. */
export class LoadMeters implements LoadReport {
  peakBytes = 0
  private readonly cycles = new RateMeter()
  private readonly activeMs = new RateMeter()
  private readonly operations = new RateMeter()
  private readonly inputBytes = new RateMeter()
  private readonly outputBytes = new RateMeter()
  /** When the statistics were reset. */
  private eventLoopBefore: EventLoopReport = { cycles: 0, activeMs: 0 }

  constructor(
    private readonly keyspace: Keyspace,
    private readonly services: Services,
    private readonly statistics: EngineStatistics,
    private readonly clock: Clock,
  ) {}

  get rates(): LoadReport['rates'] {
    return {
      cycles: this.cycles.perSecond,
      activeMs: this.activeMs.perSecond,
      operations: this.operations.perSecond,
      inputBytes: this.inputBytes.perSecond,
      outputBytes: this.outputBytes.perSecond,
    }
  }

  get eventLoop(): EventLoopReport | null {
    const { eventLoopBefore } = this
    const now = this.services.server.eventLoop()
    return now && { cycles: now.cycles - eventLoopBefore.cycles, activeMs: now.activeMs - eventLoopBefore.activeMs }
  }

  sample(): void {
    const nowMs = this.clock.monotonicMs()
    const { statistics } = this.services.clients
    const loop = this.services.server.eventLoop()
    if (loop !== null) {
      this.cycles.sample(nowMs, loop.cycles)
      this.activeMs.sample(nowMs, loop.activeMs)
    }
    this.operations.sample(nowMs, this.statistics.commandsProcessed)
    this.inputBytes.sample(nowMs, statistics.netInputBytes)
    this.outputBytes.sample(nowMs, statistics.netOutputBytes)
    this.peakBytes = Math.max(this.peakBytes, this.keyspace.usedBytes())
  }

  /** CONFIG RESETSTAT. */
  reset(): void {
    this.eventLoopBefore = this.services.server.eventLoop() ?? this.eventLoopBefore
    this.peakBytes = this.keyspace.usedBytes()
  }
}
