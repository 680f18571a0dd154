import { Buffer } from 'node:buffer'
import { LIMITS } from '../../base/limits.js'
import { VersionVector } from '../../crdt/version-vector.js'
import { MESSAGE, MESSAGE_HEADER_BYTES, PayloadReader, message, protocolError } from '../messages.js'

/** The messages by which a member takes a snapshot of another one; docs/formats/link.md draws them. */

/** A member asks for a snapshot that has at least what it has itself. */
export interface SnapshotAsk {
  /** Chosen by the asker: 1, 2, 3 … on each link. */
  readonly transfer: number
  /** Bytes of pieces that may be on their way. */
  readonly creditBytes: number
  readonly applied: VersionVector
}

/** The snapshot is still being made. */
export interface SnapshotWait {
  readonly transfer: number
  readonly percent: number
}

/** A piece of what is offered: the snapshot's header and what is in it. */
export interface SnapshotOfferPiece {
  readonly transfer: number
  readonly isLast: boolean
  readonly piece: Uint8Array
}

/** There will be none, and why. */
export interface SnapshotNo {
  readonly transfer: number
  readonly code: string
  readonly text: string
}

/** A part of the question for a shard: digests of the keys that the asker has in it. */
export interface ShardAsk {
  readonly transfer: number
  readonly database: number
  readonly shard: number
  /** All keys are wanted, whatever the asker has; then there are no digests. */
  readonly wantsAll: boolean
  readonly isLast: boolean
  readonly digests: Uint8Array
}

/** What a piece of a shard holds. The last one is `end`. */
export const PIECE = { records: 0, drops: 1, end: 2 } as const
type PieceKind = (typeof PIECE)[keyof typeof PIECE]

export interface ShardPiece {
  readonly transfer: number
  readonly database: number
  readonly shard: number
  readonly kind: PieceKind
  readonly bytes: Uint8Array
}

/** Bytes of pieces were handled. */
export interface SnapshotCredit {
  readonly transfer: number
  readonly bytes: number
}

const FLAG_LAST = 1
const FLAG_ALL = 2
const SHARD_ASK_BYTES = 9
const SHARD_PIECE_BYTES = 9
const MAX_TEXT_BYTES = 900

export function encodeSnapshotAsk({ transfer, creditBytes, applied }: SnapshotAsk): Uint8Array {
  const entries = [...applied.entries()]
  const out = message(MESSAGE.snapshotAsk, 9 + 9 * entries.length)
  let at = out.writeUInt32LE(transfer, MESSAGE_HEADER_BYTES)
  at = out.writeUInt32LE(creditBytes, at)
  at = out.writeUInt8(entries.length, at)
  for (const [member, stamp] of entries) at = out.writeDoubleLE(stamp, out.writeUInt8(member, at))
  return out
}

export function decodeSnapshotAsk(payload: Uint8Array): SnapshotAsk {
  const reader = new PayloadReader(payload, 'SNAPSHOT_ASK')
  const ask = { transfer: reader.u32(), creditBytes: reader.u32(), applied: VersionVector.from(reader.entries()) }
  reader.end()
  return ask
}

export function encodeSnapshotWait({ transfer, percent }: SnapshotWait): Uint8Array {
  const out = message(MESSAGE.snapshotWait, 5)
  out.writeUInt8(percent, out.writeUInt32LE(transfer, MESSAGE_HEADER_BYTES))
  return out
}

export function decodeSnapshotWait(payload: Uint8Array): SnapshotWait {
  const reader = new PayloadReader(payload, 'SNAPSHOT_WAIT')
  const wait = { transfer: reader.u32(), percent: reader.u8() }
  reader.end()
  return wait
}

/** The whole offer, in messages of the size that a link takes. */
export function encodeSnapshotOffer(transfer: number, body: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = []
  for (let from = 0; from === 0 || from < body.length; from += LIMITS.linkPieceBytes) {
    const piece = body.subarray(from, from + LIMITS.linkPieceBytes)
    const out = message(MESSAGE.snapshotOffer, 5 + piece.length)
    const isLast = from + piece.length === body.length
    const at = out.writeUInt8(isLast ? FLAG_LAST : 0, out.writeUInt32LE(transfer, MESSAGE_HEADER_BYTES))
    out.set(piece, at)
    messages.push(out)
  }
  return messages
}

/** The piece is the link's, and good only for now. */
export function decodeSnapshotOffer(payload: Uint8Array): SnapshotOfferPiece {
  const reader = new PayloadReader(payload, 'SNAPSHOT_OFFER')
  const transfer = reader.u32()
  return { transfer, isLast: (flags(reader, FLAG_LAST) & FLAG_LAST) !== 0, piece: reader.rest() }
}

export function encodeSnapshotNo({ transfer, code, text }: SnapshotNo): Uint8Array {
  const codeBytes = Buffer.from(code)
  const textBytes = Buffer.from(text).subarray(0, MAX_TEXT_BYTES)
  const out = message(MESSAGE.snapshotNo, 7 + codeBytes.length + textBytes.length)
  let at = out.writeUInt8(codeBytes.length, out.writeUInt32LE(transfer, MESSAGE_HEADER_BYTES))
  at += codeBytes.copy(out, at)
  at = out.writeUInt16LE(textBytes.length, at)
  textBytes.copy(out, at)
  return out
}

export function decodeSnapshotNo(payload: Uint8Array): SnapshotNo {
  const reader = new PayloadReader(payload, 'SNAPSHOT_NO')
  const no = { transfer: reader.u32(), code: reader.text(reader.u8()), text: reader.text(Math.min(reader.u16(), MAX_TEXT_BYTES)) }
  reader.end()
  return no
}

/** One message of a question: digests[from .. to). */
export function encodeShardAsk(ask: ShardAsk): Uint8Array {
  const out = message(MESSAGE.shardAsk, SHARD_ASK_BYTES + ask.digests.length)
  let at = out.writeUInt32LE(ask.transfer, MESSAGE_HEADER_BYTES)
  at = out.writeUInt16LE(ask.database, at)
  at = out.writeUInt16LE(ask.shard, at)
  at = out.writeUInt8((ask.isLast ? FLAG_LAST : 0) | (ask.wantsAll ? FLAG_ALL : 0), at)
  out.set(ask.digests, at)
  return out
}

/** The digests are the link's, and good only for now. */
export function decodeShardAsk(payload: Uint8Array): ShardAsk {
  const reader = new PayloadReader(payload, 'SHARD_ASK')
  const transfer = reader.u32()
  const database = reader.u16()
  const shard = reader.u16()
  const bits = flags(reader, FLAG_LAST | FLAG_ALL)
  const wantsAll = (bits & FLAG_ALL) !== 0
  const digests = reader.rest()
  if (wantsAll && digests.length > 0) throw protocolError('SHARD_ASK for all keys names some')
  return { transfer, database, shard, wantsAll, isLast: (bits & FLAG_LAST) !== 0, digests }
}

/** Copies the bytes. */
export function encodeShardPiece(piece: ShardPiece): Uint8Array {
  const out = message(MESSAGE.shardPiece, SHARD_PIECE_BYTES + piece.bytes.length)
  let at = out.writeUInt32LE(piece.transfer, MESSAGE_HEADER_BYTES)
  at = out.writeUInt16LE(piece.database, at)
  at = out.writeUInt16LE(piece.shard, at)
  at = out.writeUInt8(piece.kind, at)
  out.set(piece.bytes, at)
  return out
}

/** The bytes are the link's, and good only for now. */
export function decodeShardPiece(payload: Uint8Array): ShardPiece {
  const reader = new PayloadReader(payload, 'SHARD_PIECE')
  const transfer = reader.u32()
  const database = reader.u16()
  const shard = reader.u16()
  const kind = reader.u8()
  if (kind !== PIECE.records && kind !== PIECE.drops && kind !== PIECE.end) throw protocolError(`SHARD_PIECE of kind ${kind}`)
  return { transfer, database, shard, kind, bytes: reader.rest() }
}

export function encodeSnapshotCredit({ transfer, bytes }: SnapshotCredit): Uint8Array {
  const out = message(MESSAGE.snapshotCredit, 8)
  out.writeUInt32LE(bytes, out.writeUInt32LE(transfer, MESSAGE_HEADER_BYTES))
  return out
}

export function decodeSnapshotCredit(payload: Uint8Array): SnapshotCredit {
  const reader = new PayloadReader(payload, 'SNAPSHOT_CREDIT')
  const credit = { transfer: reader.u32(), bytes: reader.u32() }
  reader.end()
  return credit
}

export function encodeSnapshotDone(transfer: number): Uint8Array {
  const out = message(MESSAGE.snapshotDone, 4)
  out.writeUInt32LE(transfer, MESSAGE_HEADER_BYTES)
  return out
}

export function decodeSnapshotDone(payload: Uint8Array): number {
  const reader = new PayloadReader(payload, 'SNAPSHOT_DONE')
  const transfer = reader.u32()
  reader.end()
  return transfer
}

function flags(reader: PayloadReader, known: number): number {
  const bits = reader.u8()
  if ((bits & ~known) !== 0) throw protocolError(`flags ${bits} that are not known`)
  return bits
}
