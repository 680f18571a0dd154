import type { EvictionPolicy } from '../../base/eviction-policies.js'
import { LIMITS } from '../../base/limits.js'
import type { MemoryBoundService, Services } from '../../commands/services.js'
import type { AccessFrequency } from '../../keyspace/access-frequency.js'
import type { Keyspace } from '../../keyspace/keyspace.js'
import type { Clock } from '../../ports/clock.js'
import type { Evictor } from './evictor.js'

export interface MemorySettings {
  /** Bytes; 0: no bound. */
  readonly maxmemory: number
  readonly evictionPolicy: EvictionPolicy
  readonly evictionSamples: number
  /** 0 to 100: how long a command may take to make room, see timeLimitMs. */
  readonly evictionTenacity: number
  readonly lfuLogFactor: number
  readonly lfuDecayMinutes: number
}

/** What the bound needs of the engine. */
export interface MemoryBoundHost {
  /** False while nothing may be removed: clients are paused, the log takes no writes. */
  readonly mayEvict: boolean
  /** Sets the time before evictions outside of a command, and afterwards serves whoever waited for them. */
  begin(): void
  end(): void
  /** How long evictions took at a stretch. */
  took(ms: number): void
}

type Outcome = 'enough' | 'more' | 'nothing-left'

/** Redis looks at the clock after so many keys. */
const KEYS_BETWEEN_LOOKS = 16

/**
 * `maxmemory`: what counts, what happens above it, and when.
 *
 * **What counts** are the records, collections and tables of all databases, exactly, by the arenas' own accounting, and the buffers of clients, looked up ten times a
 * second. What a removed collection is about to give back counts as free. Not counted are frames of the log in memory and what is queued on links: they are
 * bounded by themselves (LIMITS), and removals would only add to them. They are in used_memory all the same, as mem_not_counted_for_evict.
 *
 * **Own writes** make room first, or are refused, as in Redis: keys are evicted before the command runs, for a bounded time; what is then missing is made
 * up for in the background.
 *
 * **Writes of other members** are always applied. They have a *reserve* above maxmemory (LIMITS.memoryReserveShare), in which they are let be at first: members with the same
 * data come to their bounds at the same time, and if each made room for all of it at once they would together evict as many times too much as there are members. So
 * the bound that holds is raised to what remote writes have reached, and sinks to maxmemory again by the member's share of the excess at a time, ten times a second or as often as removals have the time to arrive. Beyond the
 * reserve everything is evicted that has to go. With noeviction, or when nothing may go, they are applied all the same and only own writes are
 * refused; the log says so. See docs/decisions/0017.
 */
export class MemoryBound implements MemoryBoundService {
  policy: EvictionPolicy = 'noeviction'
  maxBytes = 0
  /** Told what the operator should know, with figures. */
  onPressure: (message: string, figures: Readonly<Record<string, string | number>>) => void = () => undefined
  /** What own writes may reach: maxBytes, or more while remote writes have gone beyond it. */
  private ceiling = Infinity
  /** When the bound was last brought down towards maxBytes. */
  private sharedAtMs = -Infinity
  private clientBytes = 0
  private clientLooks = 0
  private timeLimitMs = 0
  /** Time that evictions have taken in this turn of the event loop. */
  private turnMs = 0
  private scheduled = false
  private stopped = false
  private overSinceMs = -1
  private overBeforeMs = 0
  /** When each message was last given; there are three. */
  private readonly warnedAtMs = new Map<string, number>()
  private refused = false

  constructor(
    private readonly keyspace: Keyspace,
    private readonly evictor: Evictor,
    private readonly frequency: AccessFrequency,
    private readonly clock: Clock,
    private readonly services: Services,
    private readonly host: MemoryBoundHost,
  ) {}

  configure(settings: MemorySettings): void {
    const { evictor, frequency, keyspace } = this
    // Any CONFIG SET comes by here.
    const isMoved = settings.maxmemory !== this.maxBytes
    if (isMoved || settings.evictionPolicy !== this.policy)
      this.ceiling = settings.maxmemory === 0 ? Infinity : settings.maxmemory
    this.maxBytes = settings.maxmemory
    this.policy = settings.evictionPolicy
    this.timeLimitMs = timeLimitMs(settings.evictionTenacity)
    evictor.samples = settings.evictionSamples
    evictor.setPolicy(settings.evictionPolicy)
    frequency.logFactor = settings.lfuLogFactor
    frequency.decayMinutes = settings.lfuDecayMinutes
    const counted = settings.evictionPolicy.endsWith('-lfu') ? frequency : null
    if (keyspace.frequency !== counted) keyspace.frequency = counted
    if (!this.isBounded) return
    this.lookAtClients()
    if (!this.isOver) return
    if (isMoved) this.warn('maxmemory is set to less than what is in use: keys are evicted, or writes refused')
    this.schedule()
  }

  stop(): void {
    this.stopped = true
  }

  get isBounded(): boolean {
    return this.maxBytes !== 0
  }

  /** Bytes above maxmemory that writes of other members may take before everything is done to get rid of them. */
  get reserveBytes(): number {
    return Math.floor(this.maxBytes / LIMITS.memoryReserveShare)
  }

  get countedBytes(): number {
    return this.keyspace.usedBytes() - this.keyspace.reclaimer.pendingBytes + this.clientBytes
  }

  /** More is in use than own writes may reach. */
  get isOver(): boolean {
    return this.countedBytes > this.ceiling
  }

  get exceededMs(): { readonly total: number; readonly current: number } {
    const current = this.overSinceMs < 0 ? 0 : this.clock.monotonicMs() - this.overSinceMs
    return { total: this.overBeforeMs + current, current }
  }

  /** CONFIG RESETSTAT. */
  resetStatistics(): void {
    this.overBeforeMs = 0
    if (this.overSinceMs >= 0) this.overSinceMs = this.clock.monotonicMs()
  }

  /** Before a client's command that may need memory. False when there is none and none can be made: it must not run if it needs more. */
  makeRoom(): boolean {
    if (!this.isOver || !this.host.mayEvict) return true
    const outcome = this.evict(this.turnLimit(this.timeLimitMs))
    if (outcome === 'more') this.schedule()
    if (outcome !== 'nothing-left') return true
    this.refused = true
    return false
  }

  /** A frame of another member was applied. */
  remoteApplied(): void {
    if (!this.isBounded || this.policy === 'noeviction' || !this.isOver) return
    this.ceiling = Math.min(this.countedBytes, this.maxBytes + this.reserveBytes)
    if (!this.isOver || !this.host.mayEvict) return
    // At once, and not in the background only: a member that catches up applies as fast as it evicts.
    if (this.evict(this.turnLimit(LIMITS.evictionSliceMs)) === 'more') this.schedule()
  }

  turnEnded(): void {
    this.turnMs = 0
  }

  /** Ten times a second. */
  tick(): void {
    if (!this.isBounded) return
    this.lookAtClients()
    this.lowerCeiling()
    const counted = this.countedBytes
    if (counted > this.ceiling) {
      if (this.policy !== 'noeviction') this.schedule()
    } else {
      this.noteOver(false)
    }
    if (this.refused) this.warn('memory is full: writes that need more are refused')
    else if (counted > this.maxBytes + this.reserveBytes)
      this.warn('writes of other members have gone beyond maxmemory and its reserve')
    this.refused = false
  }

  /** Takes the own share of what remote writes have brought beyond maxmemory: the other members take theirs. */
  private lowerCeiling(): void {
    if (this.ceiling <= this.maxBytes) return
    const { peers } = this.services.replication
    const nowMs = this.clock.monotonicMs()
    // What the others have removed meanwhile must have had the time to arrive.
    if (nowMs - this.sharedAtMs < 2 * Math.max(0, ...peers.map(({ roundTripMs }) => roundTripMs))) return
    this.sharedAtMs = nowMs
    const excess = Math.min(this.ceiling, this.countedBytes) - this.maxBytes
    const share = Math.max(Math.ceil(excess / (peers.length + 1)), LIMITS.evictionLeastShareBytes)
    this.ceiling = this.maxBytes + Math.max(0, excess - share)
  }

  /** Many clients are looked at less often: a thousand take some 0.1 ms. */
  private lookAtClients(): void {
    const { clients } = this.services
    if (this.clientLooks-- > 0) return
    this.clientLooks = Math.floor(clients.count / LIMITS.memoryClientLooks)
    let bytes = 0
    for (const client of clients.clients()) bytes += client.totalMemoryBytes
    this.clientBytes = bytes
  }

  /** Once a turn has taken long enough, the rest is left to the background, but for a few keys: what the command itself may add. */
  private turnLimit(limitMs: number): number {
    return this.turnMs < LIMITS.evictionTurnMs ? limitMs : 0
  }

  private evict(limitMs: number): Outcome {
    const startMs = this.clock.monotonicMs()
    const outcome = this.evictUntil(startMs + Math.min(limitMs, LIMITS.evictionSliceMs))
    const ms = this.clock.monotonicMs() - startMs
    this.turnMs += ms
    this.host.took(ms)
    this.noteOver(outcome !== 'enough')
    return outcome
  }

  private evictUntil(deadlineMs: number): Outcome {
    for (let keys = 0; this.isOver; keys++) {
      if (keys >= LIMITS.evictionSliceKeys) return 'more'
      if (keys > 0 && keys % KEYS_BETWEEN_LOOKS === 0 && this.clock.monotonicMs() >= deadlineMs) return 'more'
      if (!this.evictor.evictOne()) return 'nothing-left'
    }
    return 'enough'
  }

  /** Goes on in the background, a slice a turn, until there is enough room. */
  private schedule(): void {
    if (this.scheduled || this.stopped) return
    this.scheduled = true
    this.clock.setTimer(0, () => {
      this.scheduled = false
      if (this.stopped || !this.isBounded || !this.isOver || !this.host.mayEvict) return
      this.host.begin()
      const outcome = this.evict(this.timeLimitMs)
      this.host.end()
      if (outcome === 'more') this.schedule()
    })
  }

  private noteOver(isOver: boolean): void {
    const nowMs = this.clock.monotonicMs()
    if (isOver && this.overSinceMs < 0) this.overSinceMs = nowMs
    if (isOver || this.overSinceMs < 0) return
    this.overBeforeMs += nowMs - this.overSinceMs
    this.overSinceMs = -1
  }

  private warn(message: string): void {
    const nowMs = this.clock.monotonicMs()
    if (nowMs - (this.warnedAtMs.get(message) ?? -Infinity) < LIMITS.memoryWarningMs) return
    this.warnedAtMs.set(message, nowMs)
    const { maxBytes, policy, reserveBytes } = this
    this.onPressure(message, { usedBytes: this.countedBytes, maxmemory: maxBytes, reserveBytes, policy })
  }
}

/**
 * How long evictions before a command may take: Redis' scale, 50 us a step up to 10, from there 15 % longer each step. 100 is without end in Redis; here a slice never
 * takes longer than LIMITS.evictionSliceMs, which is what the values from 27 on come to.
 */
function timeLimitMs(tenacity: number): number {
  return tenacity <= 10 ? tenacity * 0.05 : 0.5 * 1.15 ** (tenacity - 10)
}
