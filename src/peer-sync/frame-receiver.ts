import { assert } from '../base/assert.js'
import { MeridianError } from '../base/errors.js'
import { LIMITS } from '../base/limits.js'
import type { MemberId } from '../base/ids.js'
import type { Clock } from '../ports/clock.js'
import type { Logger } from '../ports/logger.js'
import { OriginFeed, type FrameSource } from './origin-feed.js'
import { strayOp } from './hello-check.js'
import type { MemberInfo, SyncHost } from './sync-host.js'

/** After a gap that a fresh subscription did not mend. */
const GAP_RETRY_MS = 1000

/**
 * The receiving half, over all links: one feed per origin, and the gate. A frame is applied when it continues what is
 * applied of its origin and everything its origin had seen is applied here.
 */
export class FrameReceiver {
  private readonly feeds = new Map<MemberId, OriginFeed>()
  /** The same feeds, in a ring: after a pause the gate goes on where it stopped, so that no origin starves. */
  private readonly ring: OriginFeed[] = []
  private ringAt = 0
  private draining = false
  private drainPending = false
  private closed = false

  constructor(
    private readonly host: SyncHost,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly onApplied: () => void,
    /** What is known of a member that was removed by force; null of any other. */
    private readonly forcedOut: (origin: MemberId) => MemberInfo | null,
  ) {}

  feed(origin: MemberId): OriginFeed {
    let feed = this.feeds.get(origin)
    if (feed === undefined) {
      assert(
        origin !== this.host.topology.self || this.host.takesOwnFrames,
        'own frames are asked of others only when they are lost',
      )
      feed = new OriginFeed(origin)
      this.feeds.set(origin, feed)
      this.ring.push(feed)
    }
    return feed
  }

  get waitingBytes(): number {
    return this.ring.reduce((sum, feed) => sum + feed.waitingBytes, 0)
  }

  subscribe(origin: MemberId, source: FrameSource): void {
    this.feed(origin).subscribe(source, this.host.applied.get(origin))
  }

  /** Frames of an origin are not wanted from anybody. */
  unsubscribe(origin: MemberId): void {
    this.feeds.get(origin)?.detach()
  }

  /** @throws MeridianError when the peer sends what it must not; nothing was changed. */
  receive(source: FrameSource, subscription: number, piece: Uint8Array): void {
    const feed = source.feeds.get(subscription)
    // On its way when we unsubscribed. A subscription that never was is the link's business: it knows which ids it gave out.
    if (feed === undefined) return
    if (!feed.receive(piece)) this.mendGap(feed, source)
  }

  /** The other side has ended a subscription, because its log does not reach back. Gives the origin, null when the subscription had ended here too. */
  trimmed(source: FrameSource, subscription: number): MemberId | null {
    const feed = source.feeds.get(subscription)
    if (feed === undefined) return null
    feed.ended()
    return feed.origin
  }

  /** The link is gone. */
  sourceClosed(source: FrameSource): void {
    for (const feed of this.ring) if (feed.source === source) feed.detach()
  }

  /** Subscribes again where a gap was not mended the first time. */
  retryGaps(): void {
    const now = this.clock.monotonicMs()
    for (const feed of this.ring) {
      if (feed.retryAtMs > 0 && now >= feed.retryAtMs && feed.source !== null) this.subscribe(feed.origin, feed.source)
    }
  }

  flushCredits(): void {
    for (const feed of this.ring) feed.flushCredit()
  }

  close(): void {
    this.closed = true
  }

  /**
   * Applies what may be applied. An application may open the gate for other origins, so the ring is walked until a whole
   * round brings nothing; after LIMITS.applyTurnBytes or applyTurnMs it goes on in a later turn of the event loop.
   */
  drain(): void {
    // The host may come back here from within applyFrame, by way of a log change.
    if (this.draining || this.drainPending || this.closed) return
    this.draining = true
    const untilMs = this.clock.workUntil(LIMITS.applyTurnMs)
    let bytes = 0
    let isOver = false
    try {
      let idle = 0
      while (idle < this.ring.length && !isOver && !this.closed) {
        if (this.ringAt >= this.ring.length) this.ringAt = 0
        const applied = this.applyHead(this.ring[this.ringAt])
        idle = applied === 0 ? idle + 1 : 0
        bytes += applied
        isOver = bytes >= LIMITS.applyTurnBytes || (applied > 0 && this.clock.monotonicMs() >= untilMs)
        this.ringAt++
      }
    } finally {
      this.draining = false
    }
    if (isOver) {
      this.drainPending = true
      this.clock.defer(() => {
        this.drainPending = false
        this.drain()
      })
    }
    if (bytes > 0) this.onApplied()
  }

  /** Applies the oldest frame of a feed if the gate is open for it; returns its bytes, 0 if it was not applied. */
  private applyHead(feed: OriginFeed): number {
    const { applied } = this.host
    let frame = feed.head
    while (frame !== null && frame.last <= applied.get(feed.origin)) {
      feed.shift()
      frame = feed.head
    }
    if (frame === null) return 0
    if (frame.previous !== applied.get(feed.origin)) {
      if (feed.source !== null) this.mendGap(feed, feed.source)
      return 0
    }
    if (!frame.contextCoveredBy(applied) || this.host.isRefusing || !this.host.hasAskedAround) return 0
    if (feed.source?.isCutOff === true) return 0
    if (feed.origin === this.host.topology.self && !this.host.takesOwnFrames) return 0
    // Who brings it has it from the removed one itself, and had not heard of the removal.
    const removed = this.forcedOut(feed.origin)
    if (removed !== null && !frame.hasSeen(this.host.everStable)) {
      feed.source?.fail(strayOp(removed))
      return 0
    }
    try {
      this.host.applyFrame(frame)
    } catch (error) {
      if (!(error instanceof MeridianError && error.code === 'MRD_FRAME')) throw error
      feed.source?.fail(error)
      return 0
    }
    if (applied.get(feed.origin) !== frame.last) {
      // It is large and takes the host a while, which refuses others meanwhile.
      assert(this.host.isRefusing, 'an applied frame is in the vector')
      return 0
    }
    feed.progressed = true
    feed.behindSinceMs = 0
    feed.shift()
    return frame.bytes.length
  }

  /** Frames are missing between what is here and what came: ask again from what is applied. */
  private mendGap(feed: OriginFeed, source: FrameSource): void {
    const applied = this.host.applied.get(feed.origin)
    const { progressed } = feed
    this.logger.warn(
      { origin: feed.origin, applied },
      'frames are missing in what a peer sends; asking again from what is applied',
    )
    if (progressed) {
      feed.subscribe(source, applied)
      return
    }
    // Asking again at once would go on for ever.
    feed.pauseAfterGap(this.clock.monotonicMs() + GAP_RETRY_MS)
  }
}
