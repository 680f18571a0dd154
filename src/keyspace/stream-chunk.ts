import { assert } from '../base/assert.js'
import { writeVarint } from '../base/byte-stream.js'
import { copyBytes, equalBytes } from '../base/bytes.js'
import { STAMP_EPOCH_MS, STAMPS_PER_MS } from '../base/ids.js'
import { TWO_32 } from '../base/words.js'
import { compareIds, StreamId } from '../crdt/stream-id.js'
import { CHUNK_SHIFT, UNIT_MASK, type Arena, type Ref } from '../memory/arena.js'
import { byteOf, packDotHigh, packDotLow, unpackMember, unpackStamp, wordOf } from '../memory/record.js'
import { StreamFields } from './stream-fields.js'

/**
 * A chunk: up to some hundred entries of a stream, by rising position, packed in one arena block. A position is (ms, seq, region). Every entry of
 * a chunk comes at or after the chunk's own position, that of its first entry when it was made, and before the next chunk's.
 *
 * ```
 * word  0   end       bytes in use
 *       1   entries   bits 0..15; bit 16 MIXED: some have another member in their dot than the chunk
 *       2   first     offset of the first entry; what lay before it was trimmed
 *       3   last      offset of the last entry
 *       4   base ID   ms high, ms low, seq high, seq low
 *       8   dot       packed, of the entry that the chunk was made for
 *      10   newest    f64, highest stamp of all that were ever in it
 *      12   bits 0..7 region, 8..31 how many names
 *      13   name{n}   := length:varint bytes              the names of the entry that the chunk was made for
 *       …   entry{entries}
 *
 * entry := flags:u8 size:varint ms:varint seq:varint [member:u8] [region:u8] stamp:varint content       size: bytes behind it
 * content := value{n} | names:varint { name value }
 * ```
 * `ms` is the difference to the base, `stamp` that to the base's stamp or (STAMP_BY_ID) to the first stamp of the ID's millisecond, whichever is
 * shorter: an ID made by its member costs one or two bytes of stamp.
 */
const END = 0
const ENTRIES = 1
const FIRST = 2
const LAST = 3
const BASE_ID = 4
const DOT = 8
const NEWEST_F64 = 5
const SHAPE = 12
const HEAD_BYTES = 52

const COUNT_MASK = 0xffff
const MIXED = 0x10000

const SAME_NAMES = 1
const OTHER_MEMBER = 2
const OTHER_REGION = 4
const STAMP_BY_ID = 8
const STAMP_BEFORE = 16

/** Bounds of a chunk, whatever the settings say: more would make changes in its middle slow. An entry that is larger has a chunk of its own. */
const MAX_ENTRIES = 1024
const MAX_BYTES = 32 * 1024

/** An entry where it lies. Good until the stream changes. */
export class EntryView {
  chunk: Ref = 0
  /** Offset in the chunk, and of what follows; relative to the block. */
  at = 0
  next = 0
  readonly id = new StreamId()
  region = 0
  /** Its dot. */
  member = 0
  stamp = 0
  sameNames = false
  /** Offset of the content in the buffer of the arena's chunk. */
  content = 0
}

/** What one entry is made of, for writing. */
export interface EntrySource {
  readonly id: StreamId
  readonly region: number
  readonly member: number
  readonly stamp: number
}

/** Halves of the last number that readU64 read. */
let high = 0
let low = 0

export class StreamChunks {
  /** Settings stream-node-max-entries and stream-node-max-bytes; 0: no bound but the built-in one. */
  maxEntries = 100
  maxBytes = 4096
  /** How the entry that is written is laid out; by plan. */
  private flags = 0
  private msHigh = 0
  private msLow = 0
  private stampDelta = 0
  private bodyBytes = 0
  private readonly moving = new EntryView()
  private readonly movingFields = new StreamFields()

  constructor(private readonly arena: Arena) {}

  count(ref: Ref): number {
    return this.arena.u32[ref >>> CHUNK_SHIFT][wordOf(ref) + ENTRIES] & COUNT_MASK
  }

  /** Offset of the first entry. */
  first(ref: Ref): number {
    return this.arena.u32[ref >>> CHUNK_SHIFT][wordOf(ref) + FIRST]
  }

  last(ref: Ref): number {
    return this.arena.u32[ref >>> CHUNK_SHIFT][wordOf(ref) + LAST]
  }

  end(ref: Ref): number {
    return this.arena.u32[ref >>> CHUNK_SHIFT][wordOf(ref) + END]
  }

  /** Highest stamp that was ever in it. */
  newest(ref: Ref): number {
    return this.arena.f64[ref >>> CHUNK_SHIFT][(ref & UNIT_MASK) + NEWEST_F64]
  }

  /** The member whose entries these all are; 0 when they are of several. */
  onlyMember(ref: Ref): number {
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const w = wordOf(ref)
    return (words[w + ENTRIES] & MIXED) !== 0 ? 0 : unpackMember(words[w + DOT])
  }

  /** How a position stands to the chunk's own: negative before it, positive after it. */
  compare(ref: Ref, id: StreamId, region: number): number {
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const w = wordOf(ref)
    const order = compareIds(
      id.msHigh,
      id.msLow,
      id.seqHigh,
      id.seqLow,
      words[w + BASE_ID],
      words[w + BASE_ID + 1],
      words[w + BASE_ID + 2],
      words[w + BASE_ID + 3],
    )
    return order !== 0 ? order : region - (words[w + SHAPE] & 0xff)
  }

  /** A chunk without entries for an entry that is to be its first. It has room for that one, or for `room` bytes of entries if that is more. */
  create(source: EntrySource, fields: StreamFields, room = 0): Ref {
    let bytes = HEAD_BYTES
    for (let i = 0; i < fields.count; i++) bytes += varintBytes(fields.nameLen[i]) + fields.nameLen[i]
    const ref = this.arena.alloc(bytes + Math.max(room, this.sizeWithNames(fields)))
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const w = wordOf(ref)
    const { id } = source
    words[w + ENTRIES] = 0
    words[w + FIRST] = bytes
    words[w + LAST] = bytes
    words[w + END] = bytes
    words[w + BASE_ID] = id.msHigh
    words[w + BASE_ID + 1] = id.msLow
    words[w + BASE_ID + 2] = id.seqHigh
    words[w + BASE_ID + 3] = id.seqLow
    words[w + DOT] = packDotHigh(source.member, source.stamp)
    words[w + DOT + 1] = packDotLow(source.stamp)
    this.arena.f64[ref >>> CHUNK_SHIFT][(ref & UNIT_MASK) + NEWEST_F64] = 0
    words[w + SHAPE] = source.region | (fields.count << 8)
    const to = this.arena.u8[ref >>> CHUNK_SHIFT]
    let at = byteOf(ref) + HEAD_BYTES
    for (let i = 0; i < fields.count; i++) at = writeBlock(fields.buf, fields.nameOff[i], fields.nameLen[i], to, at)
    return ref
  }

  /** True when there is room for one more entry by the settings. An empty chunk takes any. */
  takes(ref: Ref, source: EntrySource, fields: StreamFields): boolean {
    const count = this.count(ref)
    if (count === 0) return true
    if (count >= Math.min(this.maxEntries === 0 ? MAX_ENTRIES : this.maxEntries, MAX_ENTRIES)) return false
    this.plan(ref, source, fields)
    const bytes = this.end(ref) + this.planned() - this.first(ref)
    return bytes <= Math.min(this.maxBytes === 0 ? MAX_BYTES : this.maxBytes, MAX_BYTES)
  }

  /**
   * Adds an entry at an offset (end: behind the last). Gives the chunk, whose block may have moved. The block gets no room for more: late entries of other
   * members fall into any chunk, and none of those is ever known to be done.
   */
  insert(chunk: Ref, offset: number, source: EntrySource, fields: StreamFields): Ref {
    this.plan(chunk, source, fields)
    return this.put(chunk, offset, source, fields, false)
  }

  /** As insert at the end of the stream's last chunk, right after takes has said that there is room; the block gets room for more. */
  append(chunk: Ref, source: EntrySource, fields: StreamFields): Ref {
    if (this.count(chunk) === 0) this.plan(chunk, source, fields)
    return this.put(chunk, this.end(chunk), source, fields, true)
  }

  private put(chunk: Ref, to: number, source: EntrySource, fields: StreamFields, grows: boolean): Ref {
    const size = this.planned()
    const trimmed = this.end(chunk) + size > this.arena.sizeOf(chunk) ? this.compact(chunk) : 0
    const offset = to - trimmed
    const end = this.end(chunk)
    const ref = this.reserve(chunk, end + size, grows)
    // Fields that lie in the chunk itself never move it: only split writes such, and to another.
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const w = wordOf(ref)
    const bytes = this.arena.u8[ref >>> CHUNK_SHIFT]
    const base = byteOf(ref)
    if (offset < end) bytes.copyWithin(base + offset + size, base + offset, base + end)
    this.write(bytes, base + offset, source, fields)
    words[w + END] = end + size
    words[w + ENTRIES]++
    words[w + LAST] = offset === end ? offset : words[w + LAST] + size
    if (source.member !== unpackMember(words[w + DOT])) words[w + ENTRIES] |= MIXED
    const newest = (ref & UNIT_MASK) + NEWEST_F64
    const doubles = this.arena.f64[ref >>> CHUNK_SHIFT]
    if (source.stamp > doubles[newest]) doubles[newest] = source.stamp
    return ref
  }

  /** Takes the entry out that was read into the view. The chunk may be empty then. */
  remove(view: EntryView): void {
    const ref = view.chunk
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const w = wordOf(ref)
    const size = view.next - view.at
    const end = words[w + END]
    words[w + ENTRIES]--
    if (view.at === words[w + FIRST]) {
      words[w + FIRST] = view.next
      return
    }
    if (view.next === end) {
      words[w + END] = view.at
      words[w + LAST] = this.before(ref, view.at)
      return
    }
    const base = byteOf(ref)
    this.arena.u8[ref >>> CHUNK_SHIFT].copyWithin(base + view.at, base + view.next, base + end)
    words[w + END] = end - size
    words[w + LAST] -= size
  }

  /** Offset of the last entry that begins before an offset. */
  private before(ref: Ref, offset: number): number {
    let at = this.first(ref)
    for (;;) {
      const next = this.skip(ref, at)
      if (next >= offset) return at
      at = next
    }
  }

  /** Offset of the entry behind the one at an offset. */
  skip(ref: Ref, offset: number): number {
    const bytes = this.arena.u8[ref >>> CHUNK_SHIFT]
    const base = byteOf(ref)
    const at = readSmall(bytes, base + offset + 1)
    return at - base + low
  }

  /**
   * Offset of the first entry at or after a position, which is not before the chunk's own; its end when there is none. Looks at no more of the entries
   * before than it must.
   */
  seek(ref: Ref, id: StreamId, region: number): number {
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const w = wordOf(ref)
    const bytes = this.arena.u8[ref >>> CHUNK_SHIFT]
    const base = byteOf(ref)
    const msLow = id.msLow - words[w + BASE_ID + 1]
    const wantedLow = msLow >>> 0
    const wantedHigh = id.msHigh - words[w + BASE_ID] - (msLow < 0 ? 1 : 0)
    const { seqHigh, seqLow } = id
    const end = base + words[w + END]
    // What is looked for is often behind the last entry.
    if (this.isBefore(bytes, base + words[w + LAST], ref, wantedHigh, wantedLow, seqHigh, seqLow, region)) return words[w + END]
    let at = base + words[w + FIRST]
    while (at < end) {
      const body = readSmall(bytes, at + 1)
      const next = body + low
      const afterMs = readU64(bytes, body)
      let order = high !== wantedHigh ? high - wantedHigh : low - wantedLow
      if (order === 0) {
        readU64(bytes, afterMs)
        order = high !== seqHigh ? high - seqHigh : low - seqLow
        if (order === 0 && !this.isBefore(bytes, at, ref, wantedHigh, wantedLow, seqHigh, seqLow, region)) order = 1
      }
      if (order > 0) return at - base
      at = next
    }
    return words[w + END]
  }

  /** True when the entry at an offset comes before a position, whose milliseconds are given as the difference to the chunk's. */
  private isBefore(
    bytes: Uint8Array,
    offset: number,
    ref: Ref,
    msHigh: number,
    msLow: number,
    seqHigh: number,
    seqLow: number,
    region: number,
  ): boolean {
    const flags = bytes[offset]
    let at = readU64(bytes, readSmall(bytes, offset + 1))
    if (high !== msHigh) return high < msHigh
    if (low !== msLow) return low < msLow
    at = readU64(bytes, at)
    if (high !== seqHigh) return high < seqHigh
    if (low !== seqLow) return low < seqLow
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const member = (flags & OTHER_MEMBER) !== 0 ? bytes[at++] : unpackMember(words[wordOf(ref) + DOT])
    return ((flags & OTHER_REGION) !== 0 ? bytes[at] : member) < region
  }

  /** Decodes the entry at an offset below the chunk's end. */
  read(ref: Ref, offset: number, view: EntryView): void {
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const w = wordOf(ref)
    const bytes = this.arena.u8[ref >>> CHUNK_SHIFT]
    const base = byteOf(ref)
    let at = base + offset
    const flags = bytes[at]
    at = readSmall(bytes, at + 1)
    view.chunk = ref
    view.at = offset
    view.next = at - base + low
    at = readU64(bytes, at)
    const { id } = view
    const msLow = words[w + BASE_ID + 1] + low
    id.msLow = msLow >>> 0
    id.msHigh = words[w + BASE_ID] + high + (msLow >= TWO_32 ? 1 : 0)
    at = readU64(bytes, at)
    id.seqHigh = high
    id.seqLow = low
    view.member = (flags & OTHER_MEMBER) !== 0 ? bytes[at++] : unpackMember(words[w + DOT])
    view.region = (flags & OTHER_REGION) !== 0 ? bytes[at++] : view.member
    at = readU64(bytes, at)
    const delta = high * TWO_32 + low
    const reference =
      (flags & STAMP_BY_ID) !== 0
        ? (id.msHigh * TWO_32 + id.msLow - STAMP_EPOCH_MS) * STAMPS_PER_MS
        : unpackStamp(words[w + DOT], words[w + DOT + 1])
    view.stamp = (flags & STAMP_BEFORE) !== 0 ? reference - delta : reference + delta
    view.sameNames = (flags & SAME_NAMES) !== 0
    view.content = at
  }

  /** Names and values of an entry that was read, as ranges of the arena. */
  fields(view: EntryView, fields: StreamFields): void {
    const ref = view.chunk
    const bytes = this.arena.u8[ref >>> CHUNK_SHIFT]
    fields.start(bytes)
    let at = view.content
    if (view.sameNames) {
      const count = this.arena.u32[ref >>> CHUNK_SHIFT][wordOf(ref) + SHAPE] >>> 8
      let name = byteOf(ref) + HEAD_BYTES
      for (let i = 0; i < count; i++) {
        name = readSmall(bytes, name)
        const nameLength = low
        at = readSmall(bytes, at)
        fields.add(name, nameLength, at, low)
        name += nameLength
        at += low
      }
      return
    }
    at = readSmall(bytes, at)
    for (let left = low; left > 0; left--) {
      const name = readSmall(bytes, at)
      const nameLength = low
      at = readSmall(bytes, name + nameLength)
      fields.add(name, nameLength, at, low)
      at += low
    }
  }

  /** Gives the block the size that it needs: nothing will be added at the stream's end here any more. */
  shrink(ref: Ref): Ref {
    const bytes = this.end(ref)
    return this.arena.sizeOf(ref) > bytes * SHRINK_WASTE ? this.move(ref, bytes) : ref
  }

  /** Moves the entries from an offset, which is not that of the first, on to a new chunk. What stays has room that shrink gives back. */
  split(ref: Ref, offset: number): Ref {
    const { moving, movingFields } = this
    let to = 0
    for (let at = offset, end = this.end(ref); at < end; at = moving.next) {
      this.read(ref, at, moving)
      this.fields(moving, movingFields)
      if (to === 0) to = this.create(moving, movingFields, end - offset)
      to = this.insert(to, this.end(to), moving, movingFields)
    }
    assert(to !== 0 && offset > this.first(ref), 'a chunk is not split')
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const w = wordOf(ref)
    words[w + LAST] = this.before(ref, offset)
    words[w + END] = offset
    words[w + ENTRIES] -= this.count(to)
    return to
  }

  /** Moves the entries to where trimmed ones have left room, if that is worth it. Gives by how many bytes. */
  private compact(ref: Ref): number {
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const w = wordOf(ref)
    const bytes = this.arena.u8[ref >>> CHUNK_SHIFT]
    const base = byteOf(ref)
    let at = base + HEAD_BYTES
    for (let left = words[w + SHAPE] >>> 8; left > 0; left--) at = readSmall(bytes, at) + low
    const by = words[w + FIRST] - (at - base)
    if (by * 2 < words[w + END] - words[w + FIRST]) return 0
    bytes.copyWithin(at, base + words[w + FIRST], base + words[w + END])
    words[w + FIRST] -= by
    words[w + LAST] -= by
    words[w + END] -= by
    return by
  }

  /**
   * Makes the block large enough: as large as it must be, which the arena rounds up to its next size, or with room to grow by half of what it has, so that a
   * chunk of 4 KiB moves some ten times.
   */
  private reserve(ref: Ref, bytes: number, grows: boolean): Ref {
    const have = this.arena.sizeOf(ref)
    if (bytes <= have) return ref
    return this.move(ref, grows ? Math.max(bytes, Math.min(have + (have >>> 1), bytes + GROWTH_BYTES)) : bytes)
  }

  private move(ref: Ref, bytes: number): Ref {
    const to = this.arena.alloc(bytes)
    copyBytes(this.arena.u8[ref >>> CHUNK_SHIFT], byteOf(ref), this.arena.u8[to >>> CHUNK_SHIFT], byteOf(to), this.end(ref))
    this.arena.free(ref)
    return to
  }

  /** Decides how an entry is laid out in a chunk. */
  private plan(ref: Ref, source: EntrySource, fields: StreamFields): void {
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const w = wordOf(ref)
    const { id } = source
    const same = this.hasNames(ref, fields)
    let flags = same ? SAME_NAMES : 0
    if (source.member !== unpackMember(words[w + DOT])) flags |= OTHER_MEMBER
    if (source.region !== source.member) flags |= OTHER_REGION
    const msLow = id.msLow - words[w + BASE_ID + 1]
    this.msLow = msLow >>> 0
    this.msHigh = id.msHigh - words[w + BASE_ID] - (msLow < 0 ? 1 : 0)
    let delta = source.stamp - unpackStamp(words[w + DOT], words[w + DOT + 1])
    const byId = source.stamp - (id.msHigh * TWO_32 + id.msLow - STAMP_EPOCH_MS) * STAMPS_PER_MS
    if (Math.abs(byId) < Math.abs(delta)) {
      flags |= STAMP_BY_ID
      delta = byId
    }
    if (delta < 0) {
      flags |= STAMP_BEFORE
      delta = -delta
    }
    this.stampDelta = delta
    this.flags = flags
    let bytes =
      u64Bytes(this.msHigh, this.msLow) +
      u64Bytes(id.seqHigh, id.seqLow) +
      varintBytes(delta) +
      ((flags & OTHER_MEMBER) !== 0 ? 1 : 0) +
      ((flags & OTHER_REGION) !== 0 ? 1 : 0)
    if (!same) bytes += varintBytes(fields.count)
    for (let i = 0; i < fields.count; i++) {
      const valueLength = fields.valueLen[i]
      bytes += varintBytes(valueLength) + valueLength
      if (!same) bytes += varintBytes(fields.nameLen[i]) + fields.nameLen[i]
    }
    this.bodyBytes = bytes
  }

  /** Bytes of the entry that was planned. */
  private planned(): number {
    return 1 + varintBytes(this.bodyBytes) + this.bodyBytes
  }

  /** About what a first entry with the chunk's own names takes. */
  private sizeWithNames(fields: StreamFields): number {
    let bytes = 8
    for (let i = 0; i < fields.count; i++) bytes += varintBytes(fields.valueLen[i]) + fields.valueLen[i]
    return bytes
  }

  private write(to: Uint8Array, from: number, source: EntrySource, fields: StreamFields): void {
    const { flags } = this
    const same = (flags & SAME_NAMES) !== 0
    let at = from
    to[at++] = flags
    at = writeVarint(this.bodyBytes, to, at)
    at = writeU64(this.msHigh, this.msLow, to, at)
    at = writeU64(source.id.seqHigh, source.id.seqLow, to, at)
    if ((flags & OTHER_MEMBER) !== 0) to[at++] = source.member
    if ((flags & OTHER_REGION) !== 0) to[at++] = source.region
    at = writeVarint(this.stampDelta, to, at)
    if (!same) at = writeVarint(fields.count, to, at)
    for (let i = 0; i < fields.count; i++) {
      if (!same) at = writeBlock(fields.buf, fields.nameOff[i], fields.nameLen[i], to, at)
      at = writeBlock(fields.buf, fields.valueOff[i], fields.valueLen[i], to, at)
    }
    assert(at - from === this.planned(), 'an entry is not as long as it was planned')
  }

  /** True when the entry has the chunk's own names, in their order. */
  private hasNames(ref: Ref, fields: StreamFields): boolean {
    if (this.arena.u32[ref >>> CHUNK_SHIFT][wordOf(ref) + SHAPE] >>> 8 !== fields.count) return false
    const bytes = this.arena.u8[ref >>> CHUNK_SHIFT]
    let at = byteOf(ref) + HEAD_BYTES
    for (let i = 0; i < fields.count; i++) {
      at = readSmall(bytes, at)
      if (low !== fields.nameLen[i] || !equalBytes(bytes, at, fields.buf, fields.nameOff[i], low)) return false
      at += low
    }
    return true
  }
}

/** A chunk that is done may waste a sixteenth. */
const SHRINK_WASTE = 17 / 16
const GROWTH_BYTES = 1024

function varintBytes(value: number): number {
  let bytes = 1
  for (let bound = 128; value >= bound && bytes < 8; bound *= 128) bytes++
  return bytes
}

function u64Bytes(valueHigh: number, valueLow: number): number {
  if (valueHigh < TWO_21) return varintBytes(valueHigh * TWO_32 + valueLow)
  let bytes = 8
  for (let rest = valueHigh >>> 24; rest > 0; rest >>>= 7) bytes++
  return bytes
}
const TWO_21 = 2 ** 21

/** Unsigned LEB128 of up to ten bytes. */
function writeU64(valueHigh: number, valueLow: number, to: Uint8Array, at: number): number {
  let h = valueHigh
  let l = valueLow
  while (h !== 0) {
    to[at++] = (l & 0x7f) | 0x80
    l = ((l >>> 7) | (h << 25)) >>> 0
    h >>>= 7
  }
  while (l >= 0x80) {
    to[at++] = (l & 0x7f) | 0x80
    l >>>= 7
  }
  to[at++] = l
  return at
}

/** Reads into high and low; gives the offset behind. */
function readU64(bytes: Uint8Array, at: number): number {
  let byte = bytes[at++]
  high = 0
  low = byte
  if (byte < 0x80) return at
  low = byte & 0x7f
  let shift = 7
  do {
    byte = bytes[at++]
    const bits = byte & 0x7f
    if (shift < 28) low |= bits << shift
    else if (shift === 28) {
      low = (low | (bits << 28)) >>> 0
      high = bits >>> 4
    } else high = (high | (bits << (shift - 32))) >>> 0
    shift += 7
  } while (byte >= 0x80)
  return at
}

/** Reads a number below 2^32 into low; gives the offset behind. */
function readSmall(bytes: Uint8Array, at: number): number {
  const byte = bytes[at]
  if (byte >= 0x80) return readU64(bytes, at)
  low = byte
  return at + 1
}

function writeBlock(from: Uint8Array, off: number, len: number, to: Uint8Array, at: number): number {
  const start = writeVarint(len, to, at)
  copyBytes(from, off, to, start, len)
  return start + len
}
