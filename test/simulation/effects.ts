/**
 * What ops are made of, as the oracle sees it. Strings hold bytes as latin1.
 */
export type EffectBody = KeyBody | StringBody | HashBody | SetBody | ZsetBody | ListBody | StreamBody | HllBody

/** On keys as a whole. */
export type KeyBody =
  /** only: the one type (KeyType) that is removed. */
  | { readonly kind: 'remove'; readonly due: boolean; readonly only?: number }
  /** Infinity for PERSIST. */
  | { readonly kind: 'expire'; readonly at: number }
  | { readonly kind: 'flush-db' }
  /** Changes the list of members, no key. */
  | { readonly kind: 'topology' }

export type Expiry = number | 'keep' | 'clear'

export type StringBody =
  | { readonly kind: 'set-string'; readonly value: string; readonly expiry: Expiry }
  /** n is decimal text. */
  | { readonly kind: 'increment'; readonly n: string }
  | { readonly kind: 'append'; readonly value: string }
  | { readonly kind: 'set-range'; readonly offset: number; readonly value: string }
  | { readonly kind: 'set-bits'; readonly bitOffset: number; readonly width: number; readonly bits: bigint }

export type HashBody =
  | { readonly kind: 'hash-set'; readonly expiry: Expiry; readonly fields: readonly (readonly [field: string, value: string])[] }
  | { readonly kind: 'hash-remove'; readonly due: boolean; readonly fields: readonly string[] }
  | { readonly kind: 'hash-increment'; readonly field: string; readonly n: string }
  | { readonly kind: 'hash-expire'; readonly at: number; readonly fields: readonly string[] }

export type SetBody =
  | { readonly kind: 'set-add'; readonly members: readonly string[] }
  | { readonly kind: 'set-remove'; readonly members: readonly string[] }

export type ZsetBody =
  | { readonly kind: 'zset-add'; readonly scores: readonly (readonly [member: string, score: number])[] }
  | { readonly kind: 'zset-remove'; readonly members: readonly string[] }
  | { readonly kind: 'zset-increment'; readonly member: string; readonly n: number }

/** Where an element stands: compared level by level, a shorter one first. */
export type Position = readonly Level[]

export interface Level {
  readonly anchor: number
  /** Of the run: the effect that began it. */
  readonly stamp: number
  readonly member: number
  readonly index: number
}

export type ListBody =
  /** Values at consecutive indexes, from the position on. */
  | { readonly kind: 'list-insert'; readonly position: Position; readonly values: readonly string[] }
  | { readonly kind: 'list-set'; readonly position: Position; readonly value: string }
  /** Both ends are included. */
  | { readonly kind: 'list-remove'; readonly ranges: readonly (readonly [first: Position, last: Position])[] }

/** Milliseconds and sequence number; small enough to be numbers. */
export interface StreamId {
  readonly ms: number
  readonly seq: number
}

export const compareIds = (a: StreamId, b: StreamId): number => a.ms - b.ms || a.seq - b.seq

/** Where an entry stands. */
export interface StreamPosition extends StreamId {
  readonly region: number
}

/** The entry is pending, and has been delivered so often. */
export interface AssignedPosition extends StreamPosition {
  readonly deliveries: number
}

export type StreamBody =
  /** added: by its origin, in all. */
  | {
      readonly kind: 'stream-add'
      readonly added: number
      readonly entries: readonly (StreamId & { readonly fields: readonly string[] })[]
    }
  | { readonly kind: 'stream-remove'; readonly ids: readonly StreamId[] }
  /** Up to and with this. */
  | { readonly kind: 'stream-trim'; readonly upTo: StreamPosition }
  | { readonly kind: 'stream-set-id'; readonly last: StreamId; readonly added: number }
  | { readonly kind: 'stream-group'; readonly does: 'create' | 'place'; readonly group: string; readonly start: StreamId }
  | { readonly kind: 'stream-group'; readonly does: 'destroy'; readonly group: string }
  | { readonly kind: 'stream-group'; readonly does: 'destroy-all' }
  /** A message of a producer. */
  | {
      readonly kind: 'stream-mark'
      readonly producer: string
      readonly message: string
      readonly id: StreamId
      readonly time: number
    }
  /** How messages are known from now on; those of before are forgotten. */
  | { readonly kind: 'stream-mark-limits'; readonly durationS: number; readonly maxSize: number }
  /** A part of those that limits in the same op forget. */
  | { readonly kind: 'stream-mark-forget' }
  /** isRead: the group has read them without making them pending. */
  | {
      readonly kind: 'stream-ack'
      readonly group: string
      readonly isRead: boolean
      readonly positions: readonly StreamPosition[]
    }
  /** What its origin does with consumers: entries that it gives out anew, that are pending for a consumer from then on, and that are not any more. */
  | {
      readonly kind: 'stream-pending'
      readonly group: string
      readonly delivered: readonly StreamPosition[]
      readonly consumer: string
      readonly assigned: readonly AssignedPosition[]
      readonly dropped: readonly StreamPosition[]
      /** Of XCLAIM LASTID: up to it all counts as given out. */
      readonly passed: StreamId | null
    }

export type HllBody =
  | { readonly kind: 'hll-add'; readonly registers: readonly (readonly [index: number, rank: number])[] }
  | { readonly kind: 'hll-remove' }

export interface PlacedEffect {
  readonly db: number
  /** Empty for flush-db. */
  readonly key: string
  readonly body: EffectBody
}

/** An effect in the history: with its dot and what its origin had seen. */
export interface Effect extends PlacedEffect {
  readonly origin: number
  readonly stamp: number
  /** The origin's vector by member id, own entry aside: of its own it has observed everything with a lower stamp. */
  readonly context: readonly number[]
}

/** One frame, decoded. */
export interface DecodedFrame {
  readonly origin: number
  readonly previous: number
  readonly first: number
  readonly last: number
  readonly context: readonly number[]
  readonly ops: readonly (readonly Effect[])[]
}

/** Replays an edit over the text that is visible before it. */
export function applyEdit(text: string, body: EffectBody): string {
  if (body.kind === 'append') return text + body.value
  if (body.kind === 'set-range') {
    return text.padEnd(body.offset, '\0').slice(0, body.offset) + body.value + text.slice(body.offset + body.value.length)
  }
  if (body.kind !== 'set-bits') throw new Error(`not an edit: ${body.kind}`)
  const bytes = Array.from(text, (char) => char.charCodeAt(0))
  const end = Math.ceil((body.bitOffset + body.width) / 8)
  while (bytes.length < end) bytes.push(0)
  for (let i = 0; i < body.width; i++) {
    const at = body.bitOffset + i
    const mask = 0x80 >> (at & 7)
    const bit = (body.bits >> BigInt(body.width - 1 - i)) & 1n
    if (bit === 1n) bytes[at >> 3] |= mask
    else bytes[at >> 3] &= ~mask
  }
  return String.fromCharCode(...bytes)
}

/** Reads bits as BITFIELD and GETBIT do: beyond the end they are zero. */
export function readBits(text: string, bitOffset: number, width: number): bigint {
  let bits = 0n
  for (let i = 0; i < width; i++) {
    const at = bitOffset + i
    const byte = at >> 3 < text.length ? text.charCodeAt(at >> 3) : 0
    bits = (bits << 1n) | BigInt((byte >> (7 - (at & 7))) & 1)
  }
  return bits
}
