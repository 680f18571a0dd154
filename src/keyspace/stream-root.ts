import { copyBytes } from '../base/bytes.js'
import { compareIds, type StreamId } from '../crdt/stream-id.js'
import { CHUNK_SHIFT, UNIT_MASK, type Arena, type Ref } from '../memory/arena.js'
import { ELEMENT_TABLE_WORDS } from '../memory/element-table.js'
import { INDEX_WORDS } from '../memory/order-index.js'
import { byteOf } from '../memory/record.js'

/**
 * The root block of a stream: its entries' index, its groups' table, and a record for each member that has written to it.
 *
 * ```
 * words  0   index of the chunks (INDEX_WORDS)
 *        6   table of the groups (ELEMENT_TABLE_WORDS)
 *        9   number of member records; bit 16 UNSETTLED: some removal or destroy is remembered until it is stable
 *       10   block of its marks (StreamMarks), 0 for none
 *       12   member record {n}, MEMBER_WORDS each
 *
 * member record   0   member: bits 0..7; 8 ADDED, 9 DELETED, 10 REMOVED: which parts there are
 *                 2   f64 stamp of its newest addition (or XSETID);  4  its last ID;  8  f64 how many entries it added
 *                10   f64 stamp of its newest deletion;  12  highest ID it deleted
 *                16   f64 stamp of its newest removal of the whole stream, until that is stable
 * ```
 *
 * Each part is written by its member alone, the newest replaces the one before, and a removal takes what it had observed: so parts are equal in all
 * members that have applied the same. The stream's last ID is the highest, its number of entries ever added the sum. Some ADDED part, or a group, is what
 * makes a stream exist, with or without entries.
 */
export const CHUNKS_WORD = 0
export const GROUPS_WORD = INDEX_WORDS
const COUNT_WORD = GROUPS_WORD + ELEMENT_TABLE_WORDS
const MARKS_WORD = COUNT_WORD + 1
/** Even: member records have doubles. */
const HEAD_WORDS = MARKS_WORD + 2
const COUNT_MASK = 0xffff
const UNSETTLED = 0x10000
const MEMBER_WORDS = 18

export const MemberPart = { added: 0x100, deleted: 0x200, removed: 0x400 } as const
const ALL_PARTS = MemberPart.added | MemberPart.deleted | MemberPart.removed
const ADDED_STAMP = 2
const LAST_ID = 4
const ADDED = 8
const DELETED_STAMP = 10
const MAX_DELETED = 12
const REMOVED_STAMP = 16

/** Whose writes an effect has observed. */
interface Observed {
  covers(member: number, stamp: number): boolean
}

export class StreamRoots {
  constructor(private readonly arena: Arena) {}

  create(): Ref {
    const root = this.arena.alloc((HEAD_WORDS + MEMBER_WORDS) * 4)
    const w = (root & UNIT_MASK) << 1
    this.arena.u32[root >>> CHUNK_SHIFT].fill(0, w, w + HEAD_WORDS)
    return root
  }

  words(root: Ref): Uint32Array {
    return this.arena.u32[root >>> CHUNK_SHIFT]
  }

  /** Index of a root's word 0 in its words. */
  at(root: Ref): number {
    return (root & UNIT_MASK) << 1
  }

  bytes(root: Ref): number {
    return this.arena.sizeOf(root)
  }

  /** Number of member records. */
  count(root: Ref): number {
    return this.words(root)[this.at(root) + COUNT_WORD] & COUNT_MASK
  }

  isUnsettled(root: Ref): boolean {
    return (this.words(root)[this.at(root) + COUNT_WORD] & UNSETTLED) !== 0
  }

  setUnsettled(root: Ref, unsettled: boolean): void {
    const words = this.words(root)
    const w = this.at(root) + COUNT_WORD
    words[w] = unsettled ? words[w] | UNSETTLED : words[w] & ~UNSETTLED
  }

  /** Block of the marks, 0 for none. */
  marks(root: Ref): Ref {
    return this.words(root)[this.at(root) + MARKS_WORD]
  }

  setMarks(root: Ref, block: Ref): void {
    this.words(root)[this.at(root) + MARKS_WORD] = block
  }

  memberAt(root: Ref, i: number): number {
    return this.words(root)[this.record(root, i)] & 0xff
  }

  stampOf(root: Ref, i: number, part: number): number {
    const r = this.record(root, i)
    if ((this.words(root)[r] & part) === 0) return 0
    const word = part === MemberPart.added ? ADDED_STAMP : part === MemberPart.deleted ? DELETED_STAMP : REMOVED_STAMP
    return this.arena.f64[root >>> CHUNK_SHIFT][(r + word) >>> 1]
  }

  /** True when a member has a part of this kind. */
  has(root: Ref, part: number): boolean {
    const words = this.words(root)
    for (let i = this.count(root) - 1; i >= 0; i--) if ((words[this.record(root, i)] & part) !== 0) return true
    return false
  }

  /** Puts the highest last ID into id. */
  lastId(root: Ref, id: StreamId): StreamId {
    return this.highest(root, MemberPart.added, LAST_ID, id)
  }

  maxDeletedId(root: Ref, id: StreamId): StreamId {
    return this.highest(root, MemberPart.deleted, MAX_DELETED, id)
  }

  /** Entries ever added, as far as their members' parts are still there. */
  entriesAdded(root: Ref): number {
    const words = this.words(root)
    const doubles = this.arena.f64[root >>> CHUNK_SHIFT]
    let sum = 0
    for (let i = this.count(root) - 1; i >= 0; i--) {
      const r = this.record(root, i)
      if ((words[r] & MemberPart.added) !== 0) sum += doubles[(r + ADDED) >>> 1]
    }
    return sum
  }

  /** How many entries one member added. */
  addedBy(root: Ref, member: number): number {
    const r = this.find(root, member)
    if (r < 0 || (this.words(root)[r] & MemberPart.added) === 0) return 0
    return this.arena.f64[root >>> CHUNK_SHIFT][(r + ADDED) >>> 1]
  }

  /** The last ID that the member of a record added, into id; zero when there is none. */
  lastIdAt(root: Ref, i: number, id: StreamId): StreamId {
    const words = this.words(root)
    const r = this.record(root, i)
    if ((words[r] & MemberPart.added) === 0) return id.set(0, 0, 0, 0)
    return id.set(words[r + LAST_ID], words[r + LAST_ID + 1], words[r + LAST_ID + 2], words[r + LAST_ID + 3])
  }

  /** Highest ID that one member deleted, into id; zero when there is none. */
  deletedBy(root: Ref, member: number, id: StreamId): StreamId {
    const r = this.find(root, member)
    const words = this.words(root)
    if (r < 0 || (words[r] & MemberPart.deleted) === 0) return id.set(0, 0, 0, 0)
    return id.set(words[r + MAX_DELETED], words[r + MAX_DELETED + 1], words[r + MAX_DELETED + 2], words[r + MAX_DELETED + 3])
  }

  /** A member has added: its newest says the last ID and how many it has added. Gives the root, which may have moved. */
  noteAdded(root: Ref, member: number, stamp: number, lastId: StreamId, added: number): Ref {
    const to = this.ensure(root, member)
    const r = this.find(to, member)
    const words = this.words(to)
    const doubles = this.arena.f64[to >>> CHUNK_SHIFT]
    if ((words[r] & MemberPart.added) !== 0 && doubles[(r + ADDED_STAMP) >>> 1] >= stamp) return to
    words[r] |= MemberPart.added
    doubles[(r + ADDED_STAMP) >>> 1] = stamp
    putId(words, r + LAST_ID, lastId)
    doubles[(r + ADDED) >>> 1] = added
    return to
  }

  noteDeleted(root: Ref, member: number, stamp: number, maxDeleted: StreamId): Ref {
    const to = this.ensure(root, member)
    const r = this.find(to, member)
    const words = this.words(to)
    const doubles = this.arena.f64[to >>> CHUNK_SHIFT]
    if ((words[r] & MemberPart.deleted) !== 0 && doubles[(r + DELETED_STAMP) >>> 1] >= stamp) return to
    words[r] |= MemberPart.deleted
    doubles[(r + DELETED_STAMP) >>> 1] = stamp
    putId(words, r + MAX_DELETED, maxDeleted)
    return to
  }

  /** Remembers a removal of the whole stream. */
  noteRemoved(root: Ref, member: number, stamp: number): Ref {
    const to = this.ensure(root, member)
    const r = this.find(to, member)
    const words = this.words(to)
    const doubles = this.arena.f64[to >>> CHUNK_SHIFT]
    if ((words[r] & MemberPart.removed) !== 0 && doubles[(r + REMOVED_STAMP) >>> 1] >= stamp) return to
    words[r] |= MemberPart.removed
    this.setUnsettled(to, true)
    doubles[(r + REMOVED_STAMP) >>> 1] = stamp
    return to
  }

  /** True when a removal by this member up to at least that stamp is remembered. */
  remembersRemoval(root: Ref, member: number, stamp: number): boolean {
    const r = this.find(root, member)
    if (r < 0 || (this.words(root)[r] & MemberPart.removed) === 0) return false
    return this.arena.f64[root >>> CHUNK_SHIFT][(r + REMOVED_STAMP) >>> 1] >= stamp
  }

  /** Drops parts of the given kinds whose stamps are covered. */
  dropParts(root: Ref, parts: number, by: Observed): void {
    const words = this.words(root)
    for (let i = this.count(root) - 1; i >= 0; i--) {
      const r = this.record(root, i)
      for (let part = MemberPart.added as number; part <= MemberPart.removed; part <<= 1) {
        if ((parts & part) !== 0 && (words[r] & part) !== 0 && by.covers(words[r] & 0xff, this.stampOf(root, i, part))) {
          words[r] &= ~part
        }
      }
      if ((words[r] & ALL_PARTS) === 0) this.dropRecord(root, i)
    }
  }

  private highest(root: Ref, part: number, word: number, id: StreamId): StreamId {
    const words = this.words(root)
    id.set(0, 0, 0, 0)
    for (let i = this.count(root) - 1; i >= 0; i--) {
      const r = this.record(root, i)
      if ((words[r] & part) === 0) continue
      const w = r + word
      const order = compareIds(words[w], words[w + 1], words[w + 2], words[w + 3], id.msHigh, id.msLow, id.seqHigh, id.seqLow)
      if (order > 0) id.set(words[w], words[w + 1], words[w + 2], words[w + 3])
    }
    return id
  }

  private record(root: Ref, i: number): number {
    return ((root & UNIT_MASK) << 1) + HEAD_WORDS + i * MEMBER_WORDS
  }

  /** Word index of a member's record, -1 when it has none. */
  private find(root: Ref, member: number): number {
    const words = this.words(root)
    for (let i = this.count(root) - 1; i >= 0; i--) {
      const r = this.record(root, i)
      if ((words[r] & 0xff) === member) return r
    }
    return -1
  }

  /** Makes sure that a member has a record. Gives the root, which may have moved. */
  private ensure(root: Ref, member: number): Ref {
    if (this.find(root, member) >= 0) return root
    const { arena } = this
    const count = this.count(root)
    const used = (HEAD_WORDS + count * MEMBER_WORDS) * 4
    let to = root
    if (used + MEMBER_WORDS * 4 > arena.sizeOf(root)) {
      to = arena.alloc(used + MEMBER_WORDS * 4)
      copyBytes(arena.u8[root >>> CHUNK_SHIFT], byteOf(root), arena.u8[to >>> CHUNK_SHIFT], byteOf(to), used)
      arena.free(root)
    }
    this.words(to)[this.at(to) + COUNT_WORD]++
    const r = this.record(to, count)
    this.words(to).fill(0, r, r + MEMBER_WORDS)
    this.words(to)[r] = member
    return to
  }

  private dropRecord(root: Ref, i: number): void {
    const words = this.words(root)
    const last = this.count(root) - 1
    if (i !== last) words.copyWithin(this.record(root, i), this.record(root, last), this.record(root, last) + MEMBER_WORDS)
    words[this.at(root) + COUNT_WORD]--
  }
}

function putId(words: Uint32Array, w: number, id: StreamId): void {
  words[w] = id.msHigh
  words[w + 1] = id.msLow
  words[w + 2] = id.seqHigh
  words[w + 3] = id.seqLow
}
