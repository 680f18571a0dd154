import { LIMITS } from '../base/limits.js'
import { encodePublicationPiece, protocolError } from './messages.js'

/**
 * Messages of PUBLISH and SPUBLISH on their way to another member: not logged, not acknowledged, in order while the link stands.
 *
 *   publication := kind u8 (0 channel, 1 shard channel), channel length u32, channel, message
 *
 * It goes in pieces of at most LIMITS.linkPieceBytes, each a link message with flags that say whether it is the first and whether it is the last.
 */
export interface Publication {
  readonly channel: Uint8Array
  readonly message: Uint8Array
  readonly sharded: boolean
}

export const FIRST_PIECE = 1
export const LAST_PIECE = 2

const HEAD_BYTES = 5
/** What a waiting publication costs beside its bytes, so that many empty ones are bounded too. */
const OVERHEAD_BYTES = 64

/** A publication as link messages. The same bytes go to every member. */
export class EncodedPublication {
  readonly pieces: readonly Uint8Array[]
  readonly bytes: number

  constructor({ channel, message, sharded }: Publication) {
    const body = Buffer.allocUnsafe(HEAD_BYTES + channel.length + message.length)
    body.writeUInt8(sharded ? 1 : 0, 0)
    body.writeUInt32LE(channel.length, 1)
    body.set(channel, HEAD_BYTES)
    body.set(message, HEAD_BYTES + channel.length)
    const pieces: Uint8Array[] = []
    for (let at = 0; at < body.length; at += LIMITS.linkPieceBytes) {
      const end = Math.min(body.length, at + LIMITS.linkPieceBytes)
      pieces.push(encodePublicationPiece((at === 0 ? FIRST_PIECE : 0) | (end === body.length ? LAST_PIECE : 0), body, at, end))
    }
    this.pieces = pieces
    this.bytes = body.length + OVERHEAD_BYTES
  }
}

/** Where a sender puts its bytes. */
export interface PublicationOutlet {
  /** False while enough is queued on the link; pump() is called again when that is over. */
  readonly publicationRoom: boolean
  send(bytes: Uint8Array): void
}

/**
 * The publications that wait for room on one link. When they take more than LIMITS.publicationBytes the oldest are dropped, but never the one
 * whose first pieces have left; a single one may be larger.
 */
export class PublicationSender {
  private readonly queue: EncodedPublication[] = []
  private queuedBytes = 0
  /** Pieces of queue[0] that have left. */
  private sentPieces = 0

  constructor(
    private readonly outlet: PublicationOutlet,
    private readonly counts: { sent: number; dropped: number },
  ) {}

  get waitingBytes(): number {
    return this.queuedBytes
  }

  push(publication: EncodedPublication): void {
    this.queue.push(publication)
    this.queuedBytes += publication.bytes
    this.pump()
    const { queue } = this
    const first = this.sentPieces > 0 ? 1 : 0
    let drop = 0
    while (this.queuedBytes > LIMITS.publicationBytes && first + drop < queue.length - 1) {
      this.queuedBytes -= queue[first + drop].bytes
      drop++
    }
    if (drop === 0) return
    queue.splice(first, drop)
    this.counts.dropped += drop
  }

  /** Sends what there is room for. */
  pump(): void {
    const { queue, outlet } = this
    let done = 0
    while (done < queue.length && outlet.publicationRoom) {
      const { pieces, bytes } = queue[done]
      outlet.send(pieces[this.sentPieces++])
      if (this.sentPieces < pieces.length) continue
      this.sentPieces = 0
      this.queuedBytes -= bytes
      this.counts.sent++
      done++
    }
    if (done > 0) queue.splice(0, done)
  }

  /** The link is gone, and what waited for it with it. */
  close(): void {
    this.counts.dropped += this.queue.length
    this.queue.length = 0
    this.queuedBytes = 0
  }
}

/** Puts the publications of one link together again. */
export class PublicationReader {
  private pieces: Uint8Array[] = []
  private bytes = 0

  /** Takes a piece; the publication when it was the last one, else null. @throws MeridianError MRD_PEER_PROTOCOL. */
  receive(flags: number, piece: Uint8Array): Publication | null {
    if (flags > (FIRST_PIECE | LAST_PIECE)) throw protocolError(`PUBLICATION with unknown flags ${flags}`)
    const isFirst = (flags & FIRST_PIECE) !== 0
    if (isFirst !== (this.pieces.length === 0)) throw protocolError('a PUBLICATION begins within another, or in its middle')
    const isLast = (flags & LAST_PIECE) !== 0
    if (piece.length === 0 && !isLast) throw protocolError('an empty piece of a PUBLICATION')
    this.bytes += piece.length
    if (this.bytes > HEAD_BYTES + 2 * LIMITS.maxBulkBytes) throw protocolError(`a PUBLICATION of more than ${this.bytes} bytes`)
    if (isFirst && isLast) {
      this.bytes = 0
      return decode(piece)
    }
    // A copy: the piece lies in the link's buffer.
    this.pieces.push(Buffer.from(piece))
    if (!isLast) return null
    const whole = Buffer.concat(this.pieces)
    this.pieces = []
    this.bytes = 0
    return decode(whole)
  }
}

function decode(bytes: Uint8Array): Publication {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (body.length < HEAD_BYTES) throw protocolError('PUBLICATION is cut short')
  const kind = body.readUInt8(0)
  const channelBytes = body.readUInt32LE(1)
  if (kind > 1) throw protocolError(`PUBLICATION of unknown kind ${kind}`)
  if (HEAD_BYTES + channelBytes > body.length) throw protocolError('PUBLICATION is cut short')
  const end = HEAD_BYTES + channelBytes
  return { channel: body.subarray(HEAD_BYTES, end), message: body.subarray(end), sharded: kind === 1 }
}
