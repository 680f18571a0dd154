import { Buffer } from 'node:buffer'
import { plainBytes } from '../base/bytes.js'
import { MAX_MEMBER_ID, type MemberId, type Stamp } from '../base/ids.js'
import { MeridianError } from '../base/errors.js'
import type { VersionVector } from '../crdt/version-vector.js'

/**
 * The messages of a link: how each is written and read. Layouts are drawn in docs/formats/link.md.
 * Everything read here comes from another process: it is checked whole before anyone acts on it.
 */

/**
 * Protocol versions that this server can speak. The highest common one is used. Version 2 added PUBLICATION, 3 TOPOLOGY and joining, 4 the transfer of
 * snapshots.
 */
export const PROTOCOL_MIN = 1
export const PROTOCOL_MAX = 4
/** From this version on TRIMMED and the messages of transfers are known. */
export const TRANSFER_VERSION = 4
/** From this version on TOPOLOGY is known, and a HELLO of member 0 asks to join. */
export const TOPOLOGY_VERSION = 3
/** From this version on PUBLICATION is known. */
export const PUBLICATION_VERSION = 2

/** length and type. */
export const MESSAGE_HEADER_BYTES = 5
/** What a FRAME message has before its piece: header and subscription id. */
export const FRAME_MESSAGE_HEADER_BYTES = MESSAGE_HEADER_BYTES + 4

export const MESSAGE = {
  hello: 1,
  refused: 2,
  ping: 3,
  pong: 4,
  vectors: 5,
  subscribe: 6,
  unsubscribe: 7,
  credit: 8,
  frame: 9,
  publication: 10,
  topology: 11,
  trimmed: 12,
  snapshotAsk: 13,
  snapshotWait: 14,
  snapshotOffer: 15,
  snapshotNo: 16,
  shardAsk: 17,
  shardPiece: 18,
  snapshotCredit: 19,
  snapshotDone: 20,
} as const

/** "MRDL", first in every HELLO: a stranger that speaks something else is noticed at once. */
const MAGIC = 0x4c44524d
const MAX_TEXT_BYTES = 900
/** In the flags behind HELLO's name, which may be missing. */
const HELLO_INTRODUCES = 1
const HELLO_REMOVED = 2
const CONTROL_CHARACTERS = /\p{Cc}/gu

export interface Hello {
  readonly minVersion: number
  readonly maxVersion: number
  readonly member: number
  /** Drawn anew at every start of a process: two processes with one identity differ in it. */
  readonly incarnation: number
  readonly topologyVersion: number
  readonly clusterId: string
  readonly name: string
  /** TOPOLOGY follows at once: the dialler was not known to the other side the last time. */
  readonly introduces?: boolean
  /** Who says it has heard that it was removed. */
  readonly isRemoved?: boolean
}

export interface Refused {
  readonly code: string
  readonly text: string
}

export interface Ping {
  /** The pinger's monotonic clock; comes back in the PONG. */
  readonly sentAtMs: number
  /** Members that the pinger does not hear itself and would like to have vectors of. */
  readonly wanted: readonly MemberId[]
}

export interface Pong {
  readonly sentAtMs: number
  /** The answerer's wall clock. */
  readonly wallMs: number
}

/** Entries of a member's vectors; entries that are not named have not moved since the link's last message about that member. */
export interface Vectors {
  readonly member: MemberId
  readonly applied: readonly VectorEntry[]
  readonly durable: readonly VectorEntry[]
}

export type VectorEntry = readonly [MemberId, Stamp]

export interface Subscribe {
  readonly subscription: number
  readonly origin: MemberId
  readonly after: Stamp
  readonly creditBytes: number
}

export interface Credit {
  readonly subscription: number
  readonly bytes: number
}

/** The log of the other side no longer has what a subscription asks for: of that origin it begins after this stamp. The subscription has ended. */
export interface Trimmed {
  readonly subscription: number
  readonly begins: Stamp
}

export function protocolError(what: string): MeridianError {
  return new MeridianError(
    'MRD_PEER_PROTOCOL',
    `Peer broke the link protocol: ${what}`,
    'The link was closed and nothing was changed; it is opened again by itself.',
  )
}

export function encodeHello(hello: Hello): Uint8Array {
  const cluster = Buffer.from(hello.clusterId)
  const name = Buffer.from(hello.name)
  const flags = (hello.introduces === true ? HELLO_INTRODUCES : 0) | (hello.isRemoved === true ? HELLO_REMOVED : 0)
  const out = message(MESSAGE.hello, 25 + 1 + cluster.length + 1 + name.length + (flags === 0 ? 0 : 1))
  let at = out.writeUInt32LE(MAGIC, MESSAGE_HEADER_BYTES)
  at = out.writeUInt16LE(hello.minVersion, at)
  at = out.writeUInt16LE(hello.maxVersion, at)
  at = out.writeUInt8(hello.member, at)
  at = out.writeDoubleLE(hello.incarnation, at)
  at = out.writeDoubleLE(hello.topologyVersion, at)
  at = out.writeUInt8(cluster.length, at)
  at += cluster.copy(out, at)
  at = out.writeUInt8(name.length, at)
  at += name.copy(out, at)
  if (flags !== 0) out.writeUInt8(flags, at)
  return out
}

/** HELLO keeps its layout in every version; later versions may add fields behind, which are passed over. */
export function decodeHello(payload: Uint8Array): Hello {
  const reader = new PayloadReader(payload, 'HELLO')
  if (reader.u32() !== MAGIC) throw protocolError('HELLO does not begin with MRDL')
  const hello = {
    minVersion: reader.u16(),
    maxVersion: reader.u16(),
    member: reader.u8(),
    incarnation: reader.integer(),
    topologyVersion: reader.integer(),
    clusterId: reader.text(reader.u8()),
    name: reader.text(reader.u8()),
  }
  const flags = reader.atEnd ? 0 : reader.u8()
  return {
    ...hello,
    ...((flags & HELLO_INTRODUCES) !== 0 && { introduces: true }),
    ...((flags & HELLO_REMOVED) !== 0 && { isRemoved: true }),
  }
}

export function encodeRefused(refused: Refused): Uint8Array {
  const code = Buffer.from(refused.code)
  let text = Buffer.from(refused.text)
  if (text.length > MAX_TEXT_BYTES) text = text.subarray(0, MAX_TEXT_BYTES)
  const out = message(MESSAGE.refused, 1 + code.length + 2 + text.length)
  let at = out.writeUInt8(code.length, MESSAGE_HEADER_BYTES)
  at += code.copy(out, at)
  at = out.writeUInt16LE(text.length, at)
  text.copy(out, at)
  return out
}

export function decodeRefused(payload: Uint8Array): Refused {
  const reader = new PayloadReader(payload, 'REFUSED')
  return { code: reader.text(reader.u8()), text: reader.text(Math.min(reader.u16(), MAX_TEXT_BYTES)) }
}

export function encodePing(sentAtMs: number, wanted: readonly MemberId[]): Uint8Array {
  const out = message(MESSAGE.ping, 9 + wanted.length)
  let at = out.writeDoubleLE(sentAtMs, MESSAGE_HEADER_BYTES)
  at = out.writeUInt8(wanted.length, at)
  for (const member of wanted) at = out.writeUInt8(member, at)
  return out
}

export function decodePing(payload: Uint8Array): Ping {
  const reader = new PayloadReader(payload, 'PING')
  const sentAtMs = reader.finite()
  const wanted: MemberId[] = []
  for (let left = reader.u8(); left > 0; left--) wanted.push(reader.member())
  reader.end()
  return { sentAtMs, wanted }
}

export function encodePong(pong: Pong): Uint8Array {
  const out = message(MESSAGE.pong, 16)
  out.writeDoubleLE(pong.wallMs, out.writeDoubleLE(pong.sentAtMs, MESSAGE_HEADER_BYTES))
  return out
}

export function decodePong(payload: Uint8Array): Pong {
  const reader = new PayloadReader(payload, 'PONG')
  const pong = { sentAtMs: reader.finite(), wallMs: reader.finite() }
  reader.end()
  return pong
}

/**
 * Vectors of a member, without the entries that are in `sentApplied` and `sentDurable` already, which are brought up to
 * date. Null when there is nothing new.
 */
export function encodeVectors(
  member: MemberId,
  applied: VersionVector,
  durable: VersionVector,
  sentApplied: VersionVector,
  sentDurable: VersionVector,
): Uint8Array | null {
  const newApplied = countNew(applied, sentApplied)
  const newDurable = countNew(durable, sentDurable)
  if (newApplied === 0 && newDurable === 0) return null
  const out = message(MESSAGE.vectors, 3 + 9 * (newApplied + newDurable))
  const at = writeNew(out, out.writeUInt8(member, MESSAGE_HEADER_BYTES), newApplied, applied, sentApplied)
  writeNew(out, at, newDurable, durable, sentDurable)
  return out
}

function countNew(vector: VersionVector, sent: VersionVector): number {
  let count = 0
  for (let member = 1; member <= MAX_MEMBER_ID; member++) if (vector.stamps[member] !== sent.stamps[member]) count++
  return count
}

function writeNew(out: Buffer, offset: number, count: number, vector: VersionVector, sent: VersionVector): number {
  let at = out.writeUInt8(count, offset)
  for (let member = 1; member <= MAX_MEMBER_ID; member++) {
    const stamp = vector.stamps[member]
    if (stamp === sent.stamps[member]) continue
    at = out.writeDoubleLE(stamp, out.writeUInt8(member, at))
    sent.stamps[member] = stamp
  }
  return at
}

export function decodeVectors(payload: Uint8Array): Vectors {
  const reader = new PayloadReader(payload, 'VECTORS')
  const vectors = { member: reader.member(), applied: reader.entries(), durable: reader.entries() }
  reader.end()
  return vectors
}

export function encodeSubscribe(subscribe: Subscribe): Uint8Array {
  const out = message(MESSAGE.subscribe, 17)
  let at = out.writeUInt32LE(subscribe.subscription, MESSAGE_HEADER_BYTES)
  at = out.writeUInt8(subscribe.origin, at)
  at = out.writeDoubleLE(subscribe.after, at)
  out.writeUInt32LE(subscribe.creditBytes, at)
  return out
}

export function decodeSubscribe(payload: Uint8Array): Subscribe {
  const reader = new PayloadReader(payload, 'SUBSCRIBE')
  const subscribe = { subscription: reader.u32(), origin: reader.member(), after: reader.stamp(), creditBytes: reader.u32() }
  reader.end()
  return subscribe
}

export function encodeUnsubscribe(subscription: number): Uint8Array {
  const out = message(MESSAGE.unsubscribe, 4)
  out.writeUInt32LE(subscription, MESSAGE_HEADER_BYTES)
  return out
}

export function decodeUnsubscribe(payload: Uint8Array): number {
  const reader = new PayloadReader(payload, 'UNSUBSCRIBE')
  const subscription = reader.u32()
  reader.end()
  return subscription
}

export function encodeCredit(credit: Credit): Uint8Array {
  const out = message(MESSAGE.credit, 8)
  out.writeUInt32LE(credit.bytes, out.writeUInt32LE(credit.subscription, MESSAGE_HEADER_BYTES))
  return out
}

export function decodeCredit(payload: Uint8Array): Credit {
  const reader = new PayloadReader(payload, 'CREDIT')
  const credit = { subscription: reader.u32(), bytes: reader.u32() }
  reader.end()
  return credit
}

export function encodeTrimmed(trimmed: Trimmed): Uint8Array {
  const out = message(MESSAGE.trimmed, 12)
  out.writeDoubleLE(trimmed.begins, out.writeUInt32LE(trimmed.subscription, MESSAGE_HEADER_BYTES))
  return out
}

export function decodeTrimmed(payload: Uint8Array): Trimmed {
  const reader = new PayloadReader(payload, 'TRIMMED')
  const trimmed = { subscription: reader.u32(), begins: reader.stamp() }
  reader.end()
  return trimmed
}

/** A FRAME message with one piece of a frame, copied. */
export function encodeFrame(subscription: number, piece: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(FRAME_MESSAGE_HEADER_BYTES + piece.length)
  out.writeUInt32LE(1 + 4 + piece.length, 0)
  out.writeUInt8(MESSAGE.frame, 4)
  out.writeUInt32LE(subscription, MESSAGE_HEADER_BYTES)
  out.set(piece, FRAME_MESSAGE_HEADER_BYTES)
  return out
}

/** The subscription that a FRAME message belongs to; its piece is the payload from byte 4 on. */
export function decodeFrameSubscription(payload: Uint8Array): number {
  return new PayloadReader(payload, 'FRAME').u32()
}

/** One piece of a publication: body[from .. to). */
export function encodePublicationPiece(flags: number, body: Uint8Array, from: number, to: number): Uint8Array {
  const out = message(MESSAGE.publication, 1 + to - from)
  out.writeUInt8(flags, MESSAGE_HEADER_BYTES)
  out.set(body.subarray(from, to), MESSAGE_HEADER_BYTES + 1)
  return out
}

/** The flags of a PUBLICATION message; its piece is the payload from byte 1 on. */
export function decodePublicationFlags(payload: Uint8Array): number {
  return new PayloadReader(payload, 'PUBLICATION').u8()
}

/** The whole topology, as topology-codec writes it. */
export function encodeTopologyMessage(topology: Uint8Array): Uint8Array {
  const out = message(MESSAGE.topology, topology.length)
  out.set(topology, MESSAGE_HEADER_BYTES)
  return out
}

/** A message with room for its payload, from MESSAGE_HEADER_BYTES on. */
export function message(type: number, payloadBytes: number): Buffer {
  const out = Buffer.allocUnsafe(MESSAGE_HEADER_BYTES + payloadBytes)
  out.writeUInt32LE(1 + payloadBytes, 0)
  out.writeUInt8(type, 4)
  return out
}

/** Reads fields one after another; every read is checked against the end and against what the field may hold. */
export class PayloadReader {
  private readonly bytes: Buffer
  private at = 0

  constructor(
    payload: Uint8Array,
    private readonly name: string,
  ) {
    this.bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
  }

  u8(): number {
    return this.bytes.readUInt8(this.take(1))
  }
  u16(): number {
    return this.bytes.readUInt16LE(this.take(2))
  }
  u32(): number {
    return this.bytes.readUInt32LE(this.take(4))
  }

  finite(): number {
    const value = this.bytes.readDoubleLE(this.take(8))
    if (!Number.isFinite(value)) throw protocolError(`${this.name} has a number that is not finite`)
    return value
  }

  integer(): number {
    const value = this.finite()
    if (!Number.isSafeInteger(value) || value < 0) throw protocolError(`${this.name} has ${value} where a whole number should be`)
    return value
  }

  stamp(): Stamp {
    return this.integer() as Stamp
  }

  member(): MemberId {
    const id = this.u8()
    if (id === 0) throw protocolError(`${this.name} names member 0`)
    return id as MemberId
  }

  text(bytes: number): string {
    const at = this.take(bytes)
    return this.bytes.toString('utf8', at, at + bytes).replace(CONTROL_CHARACTERS, '?')
  }

  entries(): VectorEntry[] {
    const entries: VectorEntry[] = []
    let before = 0
    for (let left = this.u8(); left > 0; left--) {
      const member = this.member()
      if (member <= before) throw protocolError(`${this.name} has entries out of order`)
      entries.push([member, this.stamp()])
      before = member
    }
    return entries
  }

  /** All that is left. */
  rest(): Uint8Array {
    const { at } = this
    // Plain, because slice() of a Buffer is no copy: who keeps it would see it change with the link's next bytes.
    return plainBytes(this.bytes.subarray(this.take(this.bytes.length - at)))
  }

  get atEnd(): boolean {
    return this.at === this.bytes.length
  }

  end(): void {
    if (this.at !== this.bytes.length) throw protocolError(`${this.name} has ${this.bytes.length - this.at} bytes too many`)
  }

  private take(bytes: number): number {
    const at = this.at
    if (at + bytes > this.bytes.length) throw protocolError(`${this.name} is cut short`)
    this.at = at + bytes
    return at
  }
}
