import { assert } from '../base/assert.js'
import { allocateBytes } from '../base/bytes.js'
import { extendCrc32 } from '../base/crc32.js'
import { LIMITS } from '../base/limits.js'
import type { MemberId, Stamp } from '../base/ids.js'
import { frameLength, FRAME_PREFIX_BYTES, parseFrame, type FrameView } from '../crdt/frame.js'
import { protocolError, type Credit, type Subscribe } from './messages.js'

/** Taken frames are cut off the queue's array when there are this many: each frame is then moved a few times at most. */
const COMPACT_AT = 4096

/** A link as the receiving half sees it: someone who can be asked for the frames of an origin. */
export interface FrameSource {
  /** Feeds that come over this link, by subscription id. */
  readonly feeds: Map<number, OriginFeed>
  /** It leads to a member that was removed by force: nothing of what it brought is applied any more. */
  readonly isCutOff: boolean
  /** False while too much is queued on the link even for control messages. */
  readonly controlRoomy: boolean
  nextSubscriptionId(): number
  sendSubscribe(subscribe: Subscribe): void
  sendUnsubscribe(subscription: number): void
  sendCredit(credit: Credit): void
  frameReceived(): void
  /** Tells the other side what it did wrong and closes. */
  fail(error: Error): void
}

/**
 * Frames of one origin on their way in: from one link at a time, in order, waiting here until they may be applied.
 *
 *   no source --subscribe--> subscribed --frames--> queue --shift (by the gate)--> applied
 *        ^                       |
 *        +------- detach --------+   what is queued is forgotten: the next subscription begins at what is applied
 */
export class OriginFeed {
  source: FrameSource | null = null
  /** When to subscribe again after a gap that a new subscription did not mend; 0 when there is nothing to wait for. */
  retryAtMs = 0
  /** Since when another peer has had frames that this feed does not bring; 0 when there is none. For relays. */
  behindSinceMs = 0
  /** True once a frame of the present subscription was applied. */
  progressed = false

  /** The present subscription, 0 when there is none. */
  private subscription = 0
  /** Waiting frames are queue[headAt ..]. */
  private readonly queue: FrameView[] = []
  private headAt = 0
  /** Last stamp that was queued or, with an empty queue, applied: what the next frame has to continue. */
  private tail: Stamp = 0 as Stamp
  /** Frame bytes received and not yet given back as credit; includes what is only due. At most the credit, or one frame. */
  private outstanding = 0
  private creditDue = 0
  /** The frame that arrives in pieces; null between frames. */
  private assembly: Uint8Array | null = null
  private assembled = 0
  /** Of what has come of it: the checksum of a large frame would take long at its end. */
  private checksum = 0

  constructor(readonly origin: MemberId) {}

  get head(): FrameView | null {
    return this.headAt < this.queue.length ? this.queue[this.headAt] : null
  }

  /** Bytes that were received and wait to be applied. */
  get waitingBytes(): number {
    return this.outstanding - this.creditDue
  }

  subscribe(source: FrameSource, applied: Stamp): void {
    this.detach()
    this.source = source
    this.subscription = source.nextSubscriptionId()
    this.tail = applied
    source.feeds.set(this.subscription, this)
    source.sendSubscribe({
      subscription: this.subscription,
      origin: this.origin,
      after: applied,
      creditBytes: LIMITS.subscriptionCreditBytes,
    })
  }

  /** Ends the subscription for now; the same source is asked again at `retryAtMs`. */
  pauseAfterGap(retryAtMs: number): void {
    const { source } = this
    this.detach()
    this.source = source
    this.retryAtMs = retryAtMs
  }

  /** The other side has ended the subscription. */
  ended(): void {
    const { source, subscription } = this
    this.subscription = 0
    source?.feeds.delete(subscription)
    this.detach()
  }

  /** Ends the subscription, if there is one, and forgets what was not applied. */
  detach(): void {
    if (this.source !== null && this.subscription !== 0) {
      this.source.feeds.delete(this.subscription)
      this.source.sendUnsubscribe(this.subscription)
    }
    this.source = null
    this.subscription = 0
    this.queue.length = 0
    this.headAt = 0
    this.outstanding = 0
    this.creditDue = 0
    this.assembly = null
    this.assembled = 0
    this.retryAtMs = 0
    this.behindSinceMs = 0
    this.progressed = false
  }

  /**
   * Takes a piece of a frame. Returns false when a whole frame came that does not continue what is here: frames are missing.
   * @throws MeridianError when the peer sends what it must not.
   */
  receive(piece: Uint8Array): boolean {
    const bytes = this.assemble(piece)
    if (bytes === null) return true
    const frame = parseFrame(bytes, this.checksum)
    if (frame.origin !== this.origin)
      throw protocolError(`a frame of member ${frame.origin} in a subscription to member ${this.origin}`)
    this.source?.frameReceived()
    if (frame.last <= this.tail) {
      this.giveBack(bytes.length)
      return true
    }
    if (frame.previous !== this.tail) return false
    this.queue.push(frame)
    this.tail = frame.last
    return true
  }

  /** Takes the head off the queue; it has been applied, or was not needed. */
  shift(): void {
    const frame = this.head
    assert(frame !== null, 'only a frame that is queued is taken off')
    if (++this.headAt === this.queue.length || this.headAt === COMPACT_AT) {
      this.queue.splice(0, this.headAt)
      this.headAt = 0
    }
    this.giveBack(frame.bytes.length)
  }

  /** Sends the credit that is due, if the link has room; else it stays due. */
  flushCredit(): void {
    if (this.creditDue === 0 || this.source === null || !this.source.controlRoomy) return
    this.source.sendCredit({ subscription: this.subscription, bytes: this.creditDue })
    this.outstanding -= this.creditDue
    this.creditDue = 0
    assert(this.outstanding >= 0, 'no more credit is given back than was used')
  }

  /** Returns the frame's bytes, copied out of the link's buffer, when the piece completes it. */
  private assemble(piece: Uint8Array): Uint8Array | null {
    if (this.assembly === null) {
      const total = piece.length >= FRAME_PREFIX_BYTES ? frameLength(piece) : 0
      if (total < piece.length || total < FRAME_PREFIX_BYTES || total > LIMITS.maxFrameBytes) {
        throw protocolError(`a frame of ${total} bytes that begins with a piece of ${piece.length}`)
      }
      if (this.outstanding > 0 && this.outstanding + total > LIMITS.subscriptionCreditBytes) {
        throw protocolError(`${this.outstanding + total} bytes of member ${this.origin} in flight, more than the credit`)
      }
      this.outstanding += total
      this.assembly = allocateBytes(total)
      this.assembled = 0
      this.checksum = 0
    }
    const { assembly } = this
    if (piece.length === 0 || this.assembled + piece.length > assembly.length) {
      throw protocolError(`a piece of ${piece.length} bytes where ${assembly.length - this.assembled} are missing`)
    }
    assembly.set(piece, this.assembled)
    const summed = this.assembled === 0 ? piece.subarray(FRAME_PREFIX_BYTES) : piece
    this.checksum = extendCrc32(this.checksum, summed)
    this.assembled += piece.length
    if (this.assembled < assembly.length) return null
    this.assembly = null
    return assembly
  }

  private giveBack(bytes: number): void {
    this.creditDue += bytes
    // A quarter at a time: the sender never runs dry, and there are few CREDIT messages. The rest goes with the next report.
    if (this.creditDue >= LIMITS.subscriptionCreditBytes / 4) this.flushCredit()
  }
}
