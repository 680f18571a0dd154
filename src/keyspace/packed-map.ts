import { assert } from '../base/assert.js'
import { copyBytes, equalBytes } from '../base/bytes.js'
import { Arena, CHUNK_SHIFT, UNIT_MASK, type Ref } from '../memory/arena.js'

/**
 * The small form of a hash or set: everything in one block, entries one behind another, searched from the front. For plain elements only: each was
 * written once, with one dot, and has neither counter contributions nor an expiry.
 *
 * ```
 * word 0    bits 0..7 PACKED, 8..15 flags of the map, 16..31 entries
 *      1    bytes used, these words included
 *      2,3  base dot, packed as in record.ts
 *      4    entries:  key length | 0x80 if it has a dot of its own : u8
 *                     [value length : u8]      hashes only
 *                     [dot : 8 bytes]
 *                     key, [value]
 * ```
 *
 * Elements that were written by one command have one dot, which stands in the block once.
 */
export const PACKED = 1
export const LARGE = 2
export const KIND_MASK = 0xff
export const MAP_FLAGS_MASK = 0xff00

const COUNT_SHIFT = 16
const HEADER_BYTES = 16
const OWN_DOT = 0x80
const LENGTH_MASK = 0x7f
const DOT_BYTES = 8
/** Moves of up to so many bytes are loops; see base/bytes. */
const LOOP_BYTES = 96

export class PackedMap {
  /** The entry that find or read came to: ranges in the bytes of the block's chunk, and its dot. */
  keyOff = 0
  keyLen = 0
  valueOff = 0
  valueLen = 0
  dotHigh = 0
  dotLow = 0
  /** Where the next entry begins. */
  next = 0

  constructor(private readonly hasValues: boolean) {}

  /** An empty block; its first entry's dot becomes the base. */
  create(arena: Arena, mapFlags: number, keyLen: number, valueLen: number): Ref {
    const root = arena.alloc(HEADER_BYTES + 1 + (this.hasValues ? 1 : 0) + keyLen + valueLen)
    const words = arena.u32[root >>> CHUNK_SHIFT]
    const w = (root & UNIT_MASK) << 1
    words[w] = PACKED | mapFlags
    words[w + 1] = HEADER_BYTES
    words[w + 2] = 0
    words[w + 3] = 0
    return root
  }

  count(arena: Arena, root: Ref): number {
    return arena.u32[root >>> CHUNK_SHIFT][(root & UNIT_MASK) << 1] >>> COUNT_SHIFT
  }

  /** Where the first entry begins. */
  first(root: Ref): number {
    return ((root & UNIT_MASK) << 3) + HEADER_BYTES
  }

  /** Where the entries end. */
  end(arena: Arena, root: Ref): number {
    return ((root & UNIT_MASK) << 3) + arena.u32[root >>> CHUNK_SHIFT][((root & UNIT_MASK) << 1) + 1]
  }

  /** Place of the entry with a key, or -1. Only key and value ranges are filled in. Allocates nothing. */
  find(arena: Arena, root: Ref, buf: Uint8Array, off: number, len: number): number {
    const bytes = arena.u8[root >>> CHUNK_SHIFT]
    const { hasValues } = this
    const end = this.end(arena, root)
    let pos = this.first(root)
    while (pos < end) {
      const head = bytes[pos]
      const keyLen = head & LENGTH_MASK
      let keyOff = pos + 1 + ((head & OWN_DOT) >>> 4)
      let valueLen = 0
      if (hasValues) {
        valueLen = bytes[pos + 1]
        keyOff++
      }
      if (keyLen === len && equalBytes(bytes, keyOff, buf, off, len)) {
        this.keyOff = keyOff
        this.keyLen = keyLen
        this.valueOff = keyOff + keyLen
        this.valueLen = valueLen
        return pos
      }
      pos = keyOff + keyLen + valueLen
    }
    return -1
  }

  /** Fills in all of the entry at a place. */
  read(arena: Arena, root: Ref, pos: number): void {
    const bytes = arena.u8[root >>> CHUNK_SHIFT]
    const head = bytes[pos]
    let at = pos + 1
    this.valueLen = this.hasValues ? bytes[at++] : 0
    if ((head & OWN_DOT) !== 0) {
      this.dotHigh = readWord(bytes, at)
      this.dotLow = readWord(bytes, at + 4)
      at += DOT_BYTES
    } else {
      const words = arena.u32[root >>> CHUNK_SHIFT]
      const w = (root & UNIT_MASK) << 1
      this.dotHigh = words[w + 2]
      this.dotLow = words[w + 3]
    }
    this.keyOff = at
    this.keyLen = head & LENGTH_MASK
    this.valueOff = at + this.keyLen
    this.next = this.valueOff + this.valueLen
  }

  /** Place of entry number 0 .. count-1. */
  place(arena: Arena, root: Ref, index: number): number {
    const bytes = arena.u8[root >>> CHUNK_SHIFT]
    let pos = this.first(root)
    for (let i = 0; i < index; i++) pos += this.entryBytes(bytes, pos)
    return pos
  }

  /** Adds an entry whose key is not there. The ranges may not lie in this arena's packed maps. Gives the block it is in now. */
  append(
    arena: Arena,
    from: Ref,
    key: Uint8Array,
    keyOff: number,
    keyLen: number,
    value: Uint8Array,
    valueOff: number,
    valueLen: number,
    dotHigh: number,
    dotLow: number,
  ): Ref {
    const w = (from & UNIT_MASK) << 1
    const words = arena.u32[from >>> CHUNK_SHIFT]
    if (words[w] >>> COUNT_SHIFT === 0) {
      words[w + 2] = dotHigh
      words[w + 3] = dotLow
    }
    const own = words[w + 2] !== dotHigh || words[w + 3] !== dotLow
    const used = words[w + 1]
    const bytesMore = 1 + (this.hasValues ? 1 : 0) + (own ? DOT_BYTES : 0) + keyLen + valueLen
    const root = this.withRoom(arena, from, used + bytesMore)
    const bytes = arena.u8[root >>> CHUNK_SHIFT]
    const toWords = arena.u32[root >>> CHUNK_SHIFT]
    const t = (root & UNIT_MASK) << 1
    let at = (t << 2) + used
    bytes[at++] = keyLen | (own ? OWN_DOT : 0)
    if (this.hasValues) bytes[at++] = valueLen
    if (own) {
      writeWord(bytes, at, dotHigh)
      writeWord(bytes, at + 4, dotLow)
      at += DOT_BYTES
    }
    copyBytes(key, keyOff, bytes, at, keyLen)
    copyBytes(value, valueOff, bytes, at + keyLen, valueLen)
    toWords[t + 1] = used + bytesMore
    toWords[t] += 1 << COUNT_SHIFT
    return root
  }

  /** Gives the entry at a place another value and dot. Gives the block it is in now. */
  replace(
    arena: Arena,
    from: Ref,
    pos: number,
    value: Uint8Array,
    valueOff: number,
    valueLen: number,
    dotHigh: number,
    dotLow: number,
  ): Ref {
    const words = arena.u32[from >>> CHUNK_SHIFT]
    const w = (from & UNIT_MASK) << 1
    if (words[w] >>> COUNT_SHIFT === 1) {
      words[w + 2] = dotHigh
      words[w + 3] = dotLow
    }
    const own = words[w + 2] !== dotHigh || words[w + 3] !== dotLow
    const used = words[w + 1]
    const start = w << 2
    const oldBytes = arena.u8[from >>> CHUNK_SHIFT]
    const head = oldBytes[pos]
    const keyLen = head & LENGTH_MASK
    const lead = this.hasValues ? 2 : 1
    const oldDotBytes = (head & OWN_DOT) >>> 4
    const dotBytes = own ? DOT_BYTES : 0
    const oldBytesAll = this.entryBytes(oldBytes, pos)
    const more = lead + dotBytes + keyLen + valueLen - oldBytesAll
    const root = more > 0 ? this.withRoom(arena, from, used + more) : from
    const bytes = arena.u8[root >>> CHUNK_SHIFT]
    const at = pos - start + ((root & UNIT_MASK) << 3)
    const tail = used - (pos - start) - oldBytesAll
    // What comes behind makes room before the key moves, and closes the gap after it.
    if (more > 0) moveBytes(bytes, at + oldBytesAll, at + oldBytesAll + more, tail)
    if (oldDotBytes !== dotBytes) moveBytes(bytes, at + lead + oldDotBytes, at + lead + dotBytes, keyLen)
    if (more < 0) moveBytes(bytes, at + oldBytesAll, at + oldBytesAll + more, tail)
    bytes[at] = keyLen | (own ? OWN_DOT : 0)
    if (this.hasValues) bytes[at + 1] = valueLen
    if (own) {
      writeWord(bytes, at + lead, dotHigh)
      writeWord(bytes, at + lead + 4, dotLow)
    }
    copyBytes(value, valueOff, bytes, at + lead + dotBytes + keyLen, valueLen)
    arena.u32[root >>> CHUNK_SHIFT][((root & UNIT_MASK) << 1) + 1] = used + more
    return root
  }

  /** Takes the entry at a place out. Gives the block, 0 when it was the last entry. */
  remove(arena: Arena, root: Ref, pos: number): Ref {
    const words = arena.u32[root >>> CHUNK_SHIFT]
    const w = (root & UNIT_MASK) << 1
    if (words[w] >>> COUNT_SHIFT === 1) {
      arena.free(root)
      return 0
    }
    const bytes = arena.u8[root >>> CHUNK_SHIFT]
    const size = this.entryBytes(bytes, pos)
    const end = this.end(arena, root)
    moveBytes(bytes, pos + size, pos, end - pos - size)
    words[w + 1] -= size
    words[w] -= 1 << COUNT_SHIFT
    const used = words[w + 1]
    return Arena.sizeFor(used) * 2 > arena.sizeOf(root) ? root : this.moved(arena, root, used)
  }

  /** When no entry has the base dot any more, the first entry's becomes the base, and all that have it no longer carry it. */
  rebase(arena: Arena, root: Ref): void {
    const chunk = root >>> CHUNK_SHIFT
    const bytes = arena.u8[chunk]
    const words = arena.u32[chunk]
    const w = (root & UNIT_MASK) << 1
    const first = this.first(root)
    const end = this.end(arena, root)
    for (let pos = first; pos < end; pos += this.entryBytes(bytes, pos)) if ((bytes[pos] & OWN_DOT) === 0) return
    const lead = this.hasValues ? 2 : 1
    const dotHigh = readWord(bytes, first + lead)
    const dotLow = readWord(bytes, first + lead + 4)
    words[w + 2] = dotHigh
    words[w + 3] = dotLow
    let to = first
    for (let pos = first; pos < end;) {
      const size = this.entryBytes(bytes, pos)
      const isBase = readWord(bytes, pos + lead) === dotHigh && readWord(bytes, pos + lead + 4) === dotLow
      if (!isBase) {
        moveBytes(bytes, pos, to, size)
        to += size
      } else {
        const rest = size - lead - DOT_BYTES
        bytes[to] = bytes[pos] & LENGTH_MASK
        if (this.hasValues) bytes[to + 1] = bytes[pos + 1]
        moveBytes(bytes, pos + lead + DOT_BYTES, to + lead, rest)
        to += lead + rest
      }
      pos += size
    }
    words[w + 1] = to - (w << 2)
  }

  private entryBytes(bytes: Uint8Array, pos: number): number {
    const head = bytes[pos]
    const size = 1 + ((head & OWN_DOT) >>> 4) + (head & LENGTH_MASK)
    return this.hasValues ? size + 1 + bytes[pos + 1] : size
  }

  private withRoom(arena: Arena, root: Ref, need: number): Ref {
    return need <= arena.sizeOf(root) ? root : this.moved(arena, root, need)
  }

  /** Moves a block to another of a given size. */
  private moved(arena: Arena, from: Ref, size: number): Ref {
    const to = arena.alloc(size)
    const used = arena.u32[from >>> CHUNK_SHIFT][((from & UNIT_MASK) << 1) + 1]
    assert(Math.min(size, used) <= arena.sizeOf(to), 'packed map without room')
    copyBytes(arena.u8[from >>> CHUNK_SHIFT], (from & UNIT_MASK) << 3, arena.u8[to >>> CHUNK_SHIFT], (to & UNIT_MASK) << 3, used)
    arena.free(from)
    return to
  }
}

function readWord(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0
}

function writeWord(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word
  bytes[at + 1] = word >>> 8
  bytes[at + 2] = word >>> 16
  bytes[at + 3] = word >>> 24
}

/** Moves bytes within one array; the ranges may overlap. */
function moveBytes(bytes: Uint8Array, from: number, to: number, length: number): void {
  if (length > LOOP_BYTES) bytes.copyWithin(to, from, from + length)
  else if (to < from) for (let i = 0; i < length; i++) bytes[to + i] = bytes[from + i]
  else for (let i = length - 1; i >= 0; i--) bytes[to + i] = bytes[from + i]
}
