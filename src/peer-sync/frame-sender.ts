import { assert } from '../base/assert.js'
import { MeridianError } from '../base/errors.js'
import { LIMITS } from '../base/limits.js'
import type { MemberId, Stamp } from '../base/ids.js'
import type { FrameView } from '../crdt/frame.js'
import type { LogCursor } from '../oplog/op-log.js'
import { duplicateId, forkedMember } from './hello-check.js'
import { encodeFrame, encodeTrimmed, type Credit, type Subscribe } from './messages.js'
import type { SyncHost } from './sync-host.js'

/** Where a sender puts its bytes. */
export interface FrameOutlet {
  /** False while too much is queued on the link; pump() is called again when that is over. */
  readonly roomy: boolean
  /** The other side. */
  readonly member: MemberId
  /** The other side understands that a log may not reach back. */
  readonly takesTrimmed: boolean
  send(bytes: Uint8Array): void
  frameSent(): void
  /** Calls pump() in another turn of the event loop. */
  pumpLater(): void
}

interface Subscription {
  readonly id: number
  readonly origin: MemberId
  readonly cursor: LogCursor
  readonly creditBytes: number
  /** Frame bytes sent and not yet given back. At most creditBytes, or one frame if that alone is more. */
  outstanding: number
  /** Last stamp of the newest frame taken from the cursor. */
  position: Stamp
  /** Taken from the cursor and not yet sent whole: waits for credit or for room on the link. */
  frame: FrameView | null
  sentOfFrame: number
}

/**
 * The sending half of a link: frames of the origins that the other side subscribed to, each in order, verbatim, from the
 * log. Nothing is queued here: a receiver that gives no credit or does not read costs one frame per origin.
 */
export class FrameSender {
  private readonly subscriptions = new Map<MemberId, Subscription>()
  private pumpPending = false

  constructor(
    private readonly host: SyncHost,
    private readonly outlet: FrameOutlet,
  ) {}

  /** A second subscription to an origin ends the first. @throws MeridianError from the log. */
  subscribe(request: Subscribe): void {
    this.end(request.origin)
    const cursor = this.reading(request.origin, request.subscription, () => this.host.openCursor(request.origin, request.after))
    if (cursor === null) return
    this.subscriptions.set(request.origin, {
      id: request.subscription,
      origin: request.origin,
      cursor,
      creditBytes: request.creditBytes,
      outstanding: 0,
      position: request.after,
      frame: null,
      sentOfFrame: 0,
    })
  }

  unsubscribe(id: number): void {
    const subscription = this.find(id)
    if (subscription !== undefined) this.end(subscription.origin)
  }

  /** Credit for a subscription that has ended in the meantime is passed over. */
  credit(credit: Credit): void {
    const subscription = this.find(credit.subscription)
    if (subscription !== undefined) subscription.outstanding = Math.max(0, subscription.outstanding - credit.bytes)
  }

  /** Sends what may be sent now, the origins in turn, piece by piece. @throws MeridianError from the log. */
  pump(): void {
    if (this.pumpPending) return
    let budget: number = LIMITS.sendTurnBytes
    for (const [origin, subscription] of this.subscriptions) {
      if (!this.outlet.roomy) return
      const sent = this.sendPiece(subscription)
      if (sent === 0) continue
      // To the end of the line: the loop comes to it again, after the others.
      this.subscriptions.delete(origin)
      this.subscriptions.set(origin, subscription)
      budget -= sent
      if (budget > 0) continue
      this.pumpPending = true
      this.outlet.pumpLater()
      return
    }
  }

  /** The turn that pumpLater() asked for has come. */
  resumePump(): void {
    this.pumpPending = false
    this.pump()
  }

  close(): void {
    for (const subscription of this.subscriptions.values()) subscription.cursor.close()
    this.subscriptions.clear()
  }

  /** Sends one piece, which is a whole frame unless it is large, or reads some of one; returns the bytes, 0 when the subscription has to wait. */
  private sendPiece(subscription: Subscription): number {
    const frame = subscription.frame ?? this.take(subscription)
    if (frame === null) return subscription.cursor.isReading ? LIMITS.cursorBlockBytes : 0
    const { bytes } = frame
    if (subscription.sentOfFrame === 0) {
      if (subscription.outstanding > 0 && subscription.outstanding + bytes.length > subscription.creditBytes) {
        keep(subscription, frame)
        return 0
      }
      subscription.outstanding += bytes.length
    }
    const from = subscription.sentOfFrame
    const piece = bytes.subarray(from, from + LIMITS.linkPieceBytes)
    // Copied, because the log uses its memory again; and one write is cheaper than two.
    this.outlet.send(encodeFrame(subscription.id, piece))
    subscription.sentOfFrame += piece.length
    if (subscription.sentOfFrame === bytes.length) {
      subscription.frame = null
      subscription.sentOfFrame = 0
      this.outlet.frameSent()
    } else {
      keep(subscription, frame)
    }
    return piece.length
  }

  /** The next frame from the log, or null when the subscriber has all that is durable, or a large one is being read. */
  private take(subscription: Subscription): FrameView | null {
    const { origin } = subscription
    if (this.host.durable.get(origin) <= subscription.position) return null
    const frame = this.reading(origin, subscription.id, () => subscription.cursor.next())
    if (frame === null) return null
    // Durable before sent: a crash here must never take back a stamp that another member has seen.
    assert(frame.origin === origin, 'the cursor gives frames of the origin it was opened for')
    assert(this.host.durable.covers(origin, frame.last), 'only durable frames are sent')
    assert(frame.last > subscription.position, 'the cursor moves forward')
    if (frame.previous !== subscription.position) throw forked(subscription, frame, this.outlet.member)
    subscription.position = frame.last
    return frame
  }

  /** Reads the log; where it does not reach back the subscription ends, and the other side is told from where it does. */
  private reading<T>(origin: MemberId, subscription: number, read: () => T | null): T | null {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof MeridianError && error.code === 'MRD_LOG_TRIMMED' && this.outlet.takesTrimmed)) throw error
      this.end(origin)
      this.outlet.send(encodeTrimmed({ subscription, begins: this.host.logBegins(origin) }))
      return null
    }
  }

  private find(id: number): Subscription | undefined {
    for (const subscription of this.subscriptions.values()) if (subscription.id === id) return subscription
    return undefined
  }

  private end(origin: MemberId): void {
    this.subscriptions.get(origin)?.cursor.close()
    this.subscriptions.delete(origin)
  }
}

/** Subscribers ask from the end of a frame; theirs is not here, so their history of that member is another one. */
function forked({ origin, position }: Subscription, frame: FrameView, subscriber: MemberId): MeridianError {
  const holder = `member ${origin}`
  const what = `The subscriber has ops of ${holder} up to stamp ${position}; here ${holder} went on from ${frame.previous} to ${frame.last}`
  // It lacks ops of its own, and has others that nobody has: they cannot become one history.
  return origin === subscriber ? forkedMember(what) : duplicateId(what)
}

/** A frame that has to wait: the cursor's bytes are good only for now. */
function keep(subscription: Subscription, frame: FrameView): void {
  subscription.frame ??= frame.lasting()
}
