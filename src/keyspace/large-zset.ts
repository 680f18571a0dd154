import { assert } from '../base/assert.js'
import { copyBytes } from '../base/bytes.js'
import {
  emptyScoreState,
  settleScore,
  visibleScore,
  type ScoreContribution,
  type ScoreRegister,
  type ScoreState,
} from '../crdt/score-state.js'
import type { ApplyContext, Stability } from '../crdt/apply-context.js'
import { CHUNK_SHIFT, UNIT_MASK, type Arena, type Ref } from '../memory/arena.js'
import { hashElement } from '../memory/element-hash.js'
import { ELEMENT_TABLE_WORDS, ElementTable } from '../memory/element-table.js'
import { INDEX_WORDS, IndexCursor, OrderIndex, type Ordering } from '../memory/order-index.js'
import {
  DOT_WORD,
  HASH_WORD,
  headerBytes,
  KEY_LENGTH_WORD,
  packDotHigh,
  packDotLow,
  unpackMember,
  unpackStamp,
  VALUE_LENGTH_WORD,
} from '../memory/record.js'
import type { KeysAhead } from './keys-ahead.js'
import { compareRanges, LARGE } from './packed-zset.js'

/**
 * A large sorted set: a table of records by member, and an index of the same records by score and member. The root is one block:
 *
 * ```
 * word 0   form (LARGE), SKIPLIST
 *      1   table              ELEMENT_TABLE_WORDS
 *      4   index              INDEX_WORDS
 *     10   members with contributions
 *     11   members with several registers: ref of a block with their number, its capacity and their records; 0 for none
 *     12   writers: ref of a block with their number, and for each its member id and highest stamp, both f64
 * ```
 *
 * A member's record has the header of record.ts without expiry and extras (24 bytes), its bytes, and at the next multiple of 8 the visible score. The
 * dot is its highest register's, 0 when it has none. The word of the value's length is the ref of its extras, which hold the whole state of
 * a member that is not plain (one register and nothing else):
 *
 * ```
 * word 0   registers, contributions, place in the list of members with several registers
 *      4   each register, ascending by dot: member, stamp, score; each contribution, by member: member, epoch, stamp, baseStamp, total, base (f64)
 * ```
 *
 * Records never move while they live. Nothing here asks what an effect has observed: that is zset-store's.
 */
/** As Redis, which does not turn a large sorted set into a small one again when it shrinks. */
const SKIPLIST = 0x100
const TABLE = 1
const INDEX = TABLE + ELEMENT_TABLE_WORDS
const CONTRIBUTED = INDEX + INDEX_WORDS
const CONFLICTS = CONTRIBUTED + 1
const WRITERS = CONFLICTS + 1
const ROOT_WORDS = WRITERS + 1

const RECORD_HEAD_BYTES = headerBytes(0)
const EXTRAS_WORD = VALUE_LENGTH_WORD

const REGISTERS_WORD = 0
const CONTRIBUTIONS_WORD = 1
const PLACE_WORD = 2
const EXTRAS_HEAD_DOUBLES = 2
const REGISTER_DOUBLES = 3
const CONTRIBUTION_DOUBLES = 6
const CONTRIBUTION_EPOCH = 1
const CONTRIBUTION_STAMP = 2
const CONTRIBUTION_TOTAL = 4

const LIST_HEAD_WORDS = 2
const WRITERS_HEAD_DOUBLES = 1

/** Where a score and a member stand in the order. */
class MemberOrdering implements Ordering {
  score = 0
  hint = 0
  /** The record that is looked for, 0 if it has none yet. */
  ref: Ref = 0
  buf: Uint8Array = new Uint8Array(0)
  off = 0
  len = 0

  constructor(private readonly arena: Arena) {}

  compare(item: Ref): number {
    if (item === this.ref) return 0
    const { arena } = this
    const chunk = item >>> CHUNK_SHIFT
    const unit = item & UNIT_MASK
    const length = arena.u32[chunk][(unit << 1) + KEY_LENGTH_WORD]
    const score = arena.f64[chunk][unit + scoreDouble(length)]
    if (this.score !== score) return this.score < score ? -1 : 1
    return compareRanges(this.buf, this.off, this.len, arena.u8[chunk], (unit << 3) + RECORD_HEAD_BYTES, length)
  }
}

const hintDouble = new Float64Array(1)
const hintWords = new Uint32Array(hintDouble.buffer)

/** The upper half of a score, so turned that it is ordered as scores are: the hint in the index. */
export function scoreHint(score: number): number {
  // Minus zero becomes zero.
  hintDouble[0] = score + 0
  const high = hintWords[1]
  return high >= 0x80000000 ? ~high >>> 0 : (high | 0x80000000) >>> 0
}

/** Doubles from a record's begin to its score. */
function scoreDouble(memberLength: number): number {
  return (RECORD_HEAD_BYTES + memberLength + 7) >>> 3
}

/** All large sorted sets of one arena. */
export class LargeZset {
  readonly index: OrderIndex
  private readonly table: ElementTable
  private readonly ordering: MemberOrdering
  private readonly cursor = new IndexCursor()
  private readonly beside = new IndexCursor()

  constructor(
    readonly arena: Arena,
    private readonly seed: number,
  ) {
    this.table = new ElementTable(arena)
    this.index = new OrderIndex(arena, false, true)
    this.ordering = new MemberOrdering(arena)
  }

  create(): Ref {
    const root = this.arena.alloc(ROOT_WORDS * 4)
    const w = (root & UNIT_MASK) << 1
    const words = this.arena.u32[root >>> CHUNK_SHIFT]
    words.fill(0, w, w + ROOT_WORDS)
    words[w] = LARGE
    return root
  }

  /** It has been larger than Redis' listpacks. */
  isSkiplist(root: Ref): boolean {
    return (this.arena.u32[root >>> CHUNK_SHIFT][(root & UNIT_MASK) << 1] & SKIPLIST) !== 0
  }

  setSkiplist(root: Ref): void {
    this.arena.u32[root >>> CHUNK_SHIFT][(root & UNIT_MASK) << 1] |= SKIPLIST
  }

  count(root: Ref): number {
    return this.table.count(this.words(root), this.at(root, TABLE))
  }

  /** Where the index's descriptor is: words(root) and this. */
  indexAt(root: Ref): number {
    return this.at(root, INDEX)
  }

  words(root: Ref): Uint32Array {
    return this.arena.u32[root >>> CHUNK_SHIFT]
  }

  /** Members that have contributions. */
  contributed(root: Ref): number {
    return this.words(root)[this.at(root, CONTRIBUTED)]
  }

  hasConflicts(root: Ref): boolean {
    return this.words(root)[this.at(root, CONFLICTS)] !== 0
  }

  find(root: Ref, buf: Uint8Array, off: number, len: number): Ref {
    return this.table.find(this.words(root), this.at(root, TABLE), hashElement(this.seed, buf, off, len), buf, off, len)
  }

  /** Looks the members up that the commands ahead name: behind the score, if they have one. */
  lookAhead(root: Ref, ahead: KeysAhead): void {
    ahead.hashElements(this.seed, 2, 3)
    this.table.lookAhead(this.words(root), this.at(root, TABLE), ahead.lookups)
  }

  /** Member number i, in no order. */
  elementAt(root: Ref, i: number): Ref {
    return this.table.at(this.words(root), this.at(root, TABLE), i)
  }

  /** One step of a scan; see ElementTable. The member's record is in `scanned` then. */
  scan(root: Ref, cursor: number): number {
    return this.table.scan(this.words(root), this.at(root, TABLE), cursor)
  }

  get scanned(): Ref {
    return this.table.scanned
  }

  score(ref: Ref): number {
    return this.arena.f64[ref >>> CHUNK_SHIFT][(ref & UNIT_MASK) + scoreDouble(this.memberLen(ref))]
  }

  memberOff(ref: Ref): number {
    return ((ref & UNIT_MASK) << 3) + RECORD_HEAD_BYTES
  }

  memberLen(ref: Ref): number {
    return this.arena.u32[ref >>> CHUNK_SHIFT][((ref & UNIT_MASK) << 1) + KEY_LENGTH_WORD]
  }

  isPlain(ref: Ref): boolean {
    return this.extras(ref) === 0
  }

  hasContributions(ref: Ref): boolean {
    const extras = this.extras(ref)
    return extras !== 0 && this.words(extras)[this.at(extras, CONTRIBUTIONS_WORD)] > 0
  }

  dotMember(ref: Ref): number {
    return unpackMember(this.words(ref)[this.at(ref, DOT_WORD)])
  }

  dotStamp(ref: Ref): number {
    const words = this.words(ref)
    const w = this.at(ref, DOT_WORD)
    return unpackStamp(words[w], words[w + 1])
  }

  /** Members before a record's. */
  rank(root: Ref, ref: Ref): number {
    this.goTo(root, ref)
    return this.index.rank(this.words(root), this.indexAt(root), this.cursor)
  }

  /** Adds a plain member that is not there. */
  insert(root: Ref, buf: Uint8Array, off: number, len: number, score: number, member: number, stamp: number): Ref {
    const ref = this.newRecord(buf, off, len, score)
    this.setDot(ref, member, stamp)
    this.table.insert(this.words(root), this.at(root, TABLE), ref)
    this.enter(root, ref)
    this.noteWriter(root, member, stamp)
    return ref
  }

  /** A plain member gets another score and dot. */
  setPlain(root: Ref, ref: Ref, score: number, member: number, stamp: number): void {
    assert(this.isPlain(ref), 'a member with more state is not overwritten')
    this.setDot(ref, member, stamp)
    this.moveTo(root, ref, score)
    this.noteWriter(root, member, stamp)
  }

  /** The whole state of a member. */
  load(ref: Ref): ScoreState {
    const state = emptyScoreState()
    const extras = this.extras(ref)
    if (extras === 0) {
      state.registers.push({ member: this.dotMember(ref), stamp: this.dotStamp(ref), score: this.score(ref) })
      return state
    }
    const words = this.words(extras)
    const doubles = this.arena.f64[extras >>> CHUNK_SHIFT]
    let d = (extras & UNIT_MASK) + EXTRAS_HEAD_DOUBLES
    for (let n = words[this.at(extras, REGISTERS_WORD)]; n > 0; n--, d += REGISTER_DOUBLES) {
      state.registers.push({ member: doubles[d], stamp: doubles[d + 1], score: doubles[d + 2] })
    }
    for (let n = words[this.at(extras, CONTRIBUTIONS_WORD)]; n > 0; n--, d += CONTRIBUTION_DOUBLES) {
      state.contributions.push({
        member: doubles[d],
        epoch: doubles[d + 1],
        stamp: doubles[d + 2],
        baseStamp: doubles[d + 3],
        total: doubles[d + 4],
        base: doubles[d + 5],
      })
    }
    return state
  }

  /** A member has another state, which must hold something. */
  store(root: Ref, ref: Ref, state: ScoreState): void {
    this.dropExtras(root, ref)
    this.writeState(root, ref, state)
    this.moveTo(root, ref, visibleScore(state))
  }

  /** Adds a member that is not there with a state that holds something. */
  insertState(root: Ref, buf: Uint8Array, off: number, len: number, state: ScoreState): void {
    const ref = this.newRecord(buf, off, len, visibleScore(state))
    this.table.insert(this.words(root), this.at(root, TABLE), ref)
    this.writeState(root, ref, state)
    this.enter(root, ref)
  }

  /**
   * Takes over a further increment of a contribution that is known here, without the heap; false when there is none of that epoch. The same or an
   * earlier one changes nothing.
   */
  increment(root: Ref, ref: Ref, context: ApplyContext, epoch: number, total: number): boolean {
    const d = this.contributionOf(ref, context.origin)
    if (d < 0) return false
    const doubles = this.arena.f64[this.extras(ref) >>> CHUNK_SHIFT]
    if (doubles[d + CONTRIBUTION_EPOCH] !== epoch) return false
    if (doubles[d + CONTRIBUTION_STAMP] < context.stamp) {
      doubles[d + CONTRIBUTION_STAMP] = context.stamp
      doubles[d + CONTRIBUTION_TOTAL] = total
      this.noteWriter(root, context.origin, context.stamp)
      this.moveTo(root, ref, this.sum(ref))
    }
    return true
  }

  /** Epoch of a replica's contribution, 0 if it has none; its total is in `foundTotal`. */
  contributionEpoch(ref: Ref, member: number): number {
    const d = this.contributionOf(ref, member)
    if (d < 0) return 0
    const doubles = this.arena.f64[this.extras(ref) >>> CHUNK_SHIFT]
    this.foundTotal = doubles[d + CONTRIBUTION_TOTAL]
    return doubles[d + CONTRIBUTION_EPOCH]
  }

  foundTotal = 0

  /** Takes a member out and frees its record. The root stays, also when it is empty. */
  remove(root: Ref, ref: Ref): void {
    this.goTo(root, ref)
    this.index.remove(this.words(root), this.indexAt(root), this.cursor)
    this.table.remove(this.words(root), this.at(root, TABLE), ref)
    this.dropExtras(root, ref)
    this.arena.free(ref)
  }

  /** True when the context covers everything that was ever written here, and there are no contributions. */
  isAllCovered(root: Ref, context: ApplyContext): boolean {
    if (this.contributed(root) > 0) return context.local
    const writers = this.words(root)[this.at(root, WRITERS)]
    if (writers === 0) return true
    const doubles = this.arena.f64[writers >>> CHUNK_SHIFT]
    const first = (writers & UNIT_MASK) + WRITERS_HEAD_DOUBLES
    const end = first + this.words(writers)[this.at(writers, 0)] * 2
    for (let d = first; d < end; d += 2) if (!context.covers(doubles[d], doubles[d + 1])) return false
    return true
  }

  /** Drops stable entries of so many members that have several registers. */
  settle(root: Ref, stability: Stability, budget: number): void {
    const words = this.words(root)
    const at = this.at(root, CONFLICTS)
    const first = words[at]
    if (first === 0) return
    const count = this.words(first)[this.at(first, 0)]
    for (let i = count - 1; i >= 0 && i >= count - budget && words[at] !== 0; i--) {
      const list = words[at]
      const ref = this.words(list)[this.at(list, LIST_HEAD_WORDS + i)]
      const state = this.load(ref)
      const before = state.registers.length
      settleScore(state, stability)
      if (state.registers.length < before) this.store(root, ref, state)
    }
  }

  /** Frees some of a sorted set that nothing refers to any more; true when nothing is left. */
  free(root: Ref, budget: number): boolean {
    const words = this.words(root)
    let left = budget
    while (left > 0) {
      const dropped = this.index.dropLastLeaf(words, this.indexAt(root))
      if (dropped === 0) break
      left -= 1
    }
    for (; left > 0; left--) {
      const ref = this.table.drain(words, this.at(root, TABLE))
      if (ref === 0) {
        for (const each of [CONFLICTS, WRITERS]) if (words[this.at(root, each)] !== 0) this.arena.free(words[this.at(root, each)])
        this.arena.free(root)
        return true
      }
      const extras = this.extras(ref)
      if (extras !== 0) this.arena.free(extras)
      this.arena.free(ref)
    }
    return false
  }

  /** Bytes beside the records. */
  fixedBytes(root: Ref): number {
    const words = this.words(root)
    let bytes = this.arena.sizeOf(root) + this.table.tableBytes(words, this.at(root, TABLE))
    bytes += this.index.nodeBytes(words, this.indexAt(root))
    for (const each of [CONFLICTS, WRITERS]) {
      if (words[this.at(root, each)] !== 0) bytes += this.arena.sizeOf(words[this.at(root, each)])
    }
    return bytes
  }

  recordBytes(ref: Ref): number {
    const extras = this.extras(ref)
    return this.arena.sizeOf(ref) + (extras === 0 ? 0 : this.arena.sizeOf(extras))
  }

  private at(ref: Ref, word: number): number {
    return ((ref & UNIT_MASK) << 1) + word
  }

  private extras(ref: Ref): Ref {
    return this.arena.u32[ref >>> CHUNK_SHIFT][((ref & UNIT_MASK) << 1) + EXTRAS_WORD]
  }

  private newRecord(buf: Uint8Array, off: number, len: number, score: number): Ref {
    const { arena } = this
    const ref = arena.alloc((scoreDouble(len) + 1) * 8)
    const words = arena.u32[ref >>> CHUNK_SHIFT]
    const w = (ref & UNIT_MASK) << 1
    words[w] = 0
    words[w + HASH_WORD] = hashElement(this.seed, buf, off, len)
    words[w + KEY_LENGTH_WORD] = len
    words[w + EXTRAS_WORD] = 0
    words[w + DOT_WORD] = 0
    words[w + DOT_WORD + 1] = 0
    copyBytes(buf, off, arena.u8[ref >>> CHUNK_SHIFT], (w << 2) + RECORD_HEAD_BYTES, len)
    arena.f64[ref >>> CHUNK_SHIFT][(w >>> 1) + scoreDouble(len)] = score
    return ref
  }

  private setDot(ref: Ref, member: number, stamp: number): void {
    const words = this.words(ref)
    const w = this.at(ref, DOT_WORD)
    words[w] = packDotHigh(member, stamp)
    words[w + 1] = packDotLow(stamp)
  }

  /** Points the ordering at a record. */
  private seek(ref: Ref, score: number): void {
    const { ordering } = this
    ordering.score = score
    ordering.hint = scoreHint(score)
    ordering.ref = ref
    ordering.buf = this.arena.u8[ref >>> CHUNK_SHIFT]
    ordering.off = this.memberOff(ref)
    ordering.len = this.memberLen(ref)
  }

  /** Moves the cursor to a record in the index. */
  private goTo(root: Ref, ref: Ref): void {
    this.seek(ref, this.score(ref))
    const found = this.index.find(this.words(root), this.indexAt(root), this.ordering, this.cursor)
    assert(found && this.index.item(this.cursor) === ref, 'member is not in the index')
  }

  private enter(root: Ref, ref: Ref): void {
    this.seek(ref, this.score(ref))
    const added = this.index.insert(this.words(root), this.indexAt(root), this.ordering, ref, this.ordering.hint, this.cursor)
    assert(added, 'member is in the index twice')
  }

  /** Writes a record's visible score and puts it where it belongs. */
  private moveTo(root: Ref, ref: Ref, score: number): void {
    const old = this.score(ref)
    const place = (ref & UNIT_MASK) + scoreDouble(this.memberLen(ref))
    const doubles = this.arena.f64[ref >>> CHUNK_SHIFT]
    if (old === score) {
      // Minus zero is ordered as zero.
      doubles[place] = score
      return
    }
    this.goTo(root, ref)
    if (this.fitsAtCursor(ref, score, score > old)) {
      doubles[place] = score
      this.index.setHint(this.cursor, scoreHint(score))
      return
    }
    this.index.remove(this.words(root), this.indexAt(root), this.cursor)
    doubles[place] = score
    this.enter(root, ref)
  }

  /** True when a record's neighbour in the direction of its new score lets it stay where it is. */
  private fitsAtCursor(ref: Ref, score: number, up: boolean): boolean {
    const { beside } = this
    beside.leaf = this.cursor.leaf
    beside.slot = this.cursor.slot
    const neighbour = up ? this.index.next(beside) : this.index.previous(beside)
    if (neighbour === 0) return true
    this.seek(ref, score)
    // Unless the hints are the same they decide, and the neighbour's record need not be fetched from memory.
    const hint = this.index.hintOf(beside)
    if (hint !== this.ordering.hint) return up === this.ordering.hint < hint
    const order = this.ordering.compare(neighbour)
    return up ? order < 0 : order > 0
  }

  /** Index into the doubles of a replica's contribution, or -1. */
  private contributionOf(ref: Ref, member: number): number {
    const extras = this.extras(ref)
    if (extras === 0) return -1
    const words = this.words(extras)
    const doubles = this.arena.f64[extras >>> CHUNK_SHIFT]
    let d = (extras & UNIT_MASK) + EXTRAS_HEAD_DOUBLES + words[this.at(extras, REGISTERS_WORD)] * REGISTER_DOUBLES
    for (let n = words[this.at(extras, CONTRIBUTIONS_WORD)]; n > 0; n--, d += CONTRIBUTION_DOUBLES) {
      if (doubles[d] === member) return d
    }
    return -1
  }

  /** As visibleScore, without the heap. */
  private sum(ref: Ref): number {
    const extras = this.extras(ref)
    const words = this.words(extras)
    const doubles = this.arena.f64[extras >>> CHUNK_SHIFT]
    const registers = words[this.at(extras, REGISTERS_WORD)]
    let d = (extras & UNIT_MASK) + EXTRAS_HEAD_DOUBLES + registers * REGISTER_DOUBLES
    let score = registers === 0 ? 0 : doubles[d - 1]
    for (let n = words[this.at(extras, CONTRIBUTIONS_WORD)]; n > 0; n--, d += CONTRIBUTION_DOUBLES) {
      score += doubles[d + CONTRIBUTION_TOTAL] - doubles[d + CONTRIBUTION_TOTAL + 1]
    }
    return score === score ? score : 0
  }

  /** Writes dot and extras of a record that has no extras. Its score is the caller's. */
  private writeState(root: Ref, ref: Ref, state: ScoreState): void {
    const { registers, contributions } = state
    const top = registers.at(-1)
    this.setDot(ref, top?.member ?? 0, top?.stamp ?? 0)
    for (const { member, stamp } of registers) this.noteWriter(root, member, stamp)
    for (const { member, stamp } of contributions) this.noteWriter(root, member, stamp)
    if (registers.length === 1 && contributions.length === 0) return
    const doublesCount = EXTRAS_HEAD_DOUBLES + registers.length * REGISTER_DOUBLES + contributions.length * CONTRIBUTION_DOUBLES
    const extras = this.arena.alloc(doublesCount * 8)
    const words = this.words(extras)
    const doubles = this.arena.f64[extras >>> CHUNK_SHIFT]
    words[this.at(extras, REGISTERS_WORD)] = registers.length
    words[this.at(extras, CONTRIBUTIONS_WORD)] = contributions.length
    let d = (extras & UNIT_MASK) + EXTRAS_HEAD_DOUBLES
    for (const each of registers) d = writeRegister(doubles, d, each)
    for (const each of contributions) d = writeContribution(doubles, d, each)
    this.words(ref)[this.at(ref, EXTRAS_WORD)] = extras
    if (contributions.length > 0) this.words(root)[this.at(root, CONTRIBUTED)]++
    if (registers.length > 1) this.addConflict(root, ref, extras)
  }

  private dropExtras(root: Ref, ref: Ref): void {
    const extras = this.extras(ref)
    if (extras === 0) return
    const words = this.words(extras)
    if (words[this.at(extras, CONTRIBUTIONS_WORD)] > 0) this.words(root)[this.at(root, CONTRIBUTED)]--
    if (words[this.at(extras, REGISTERS_WORD)] > 1) this.removeConflict(root, words[this.at(extras, PLACE_WORD)])
    this.arena.free(extras)
    this.words(ref)[this.at(ref, EXTRAS_WORD)] = 0
  }

  private addConflict(root: Ref, ref: Ref, extras: Ref): void {
    const { arena } = this
    const at = this.at(root, CONFLICTS)
    let list = this.words(root)[at]
    const count = list === 0 ? 0 : this.words(list)[this.at(list, 0)]
    if (list === 0 || count === this.words(list)[this.at(list, 1)]) {
      const grown = arena.alloc((LIST_HEAD_WORDS + Math.max(6, count * 2)) * 4)
      if (list !== 0) {
        const from = this.at(list, LIST_HEAD_WORDS)
        this.words(grown).set(this.words(list).subarray(from, from + count), this.at(grown, LIST_HEAD_WORDS))
        arena.free(list)
      }
      list = grown
      this.words(list)[this.at(list, 1)] = (arena.sizeOf(list) >>> 2) - LIST_HEAD_WORDS
      this.words(root)[at] = list
    }
    this.words(list)[this.at(list, LIST_HEAD_WORDS + count)] = ref
    this.words(list)[this.at(list, 0)] = count + 1
    this.words(extras)[this.at(extras, PLACE_WORD)] = count
  }

  private removeConflict(root: Ref, place: number): void {
    const at = this.at(root, CONFLICTS)
    const list = this.words(root)[at]
    const words = this.words(list)
    const last = words[this.at(list, 0)] - 1
    if (last === 0) {
      this.arena.free(list)
      this.words(root)[at] = 0
      return
    }
    const moved = words[this.at(list, LIST_HEAD_WORDS + last)]
    words[this.at(list, LIST_HEAD_WORDS + place)] = moved
    words[this.at(list, 0)] = last
    const extras = this.extras(moved)
    this.words(extras)[this.at(extras, PLACE_WORD)] = place
  }

  /** Remembers the highest stamp of each replica that wrote here. */
  noteWriter(root: Ref, member: number, stamp: number): void {
    const { arena } = this
    const at = this.at(root, WRITERS)
    let list = this.words(root)[at]
    const count = list === 0 ? 0 : this.words(list)[this.at(list, 0)]
    if (list !== 0) {
      const doubles = arena.f64[list >>> CHUNK_SHIFT]
      const first = (list & UNIT_MASK) + WRITERS_HEAD_DOUBLES
      for (let d = first; d < first + count * 2; d += 2) {
        if (doubles[d] !== member) continue
        if (doubles[d + 1] < stamp) doubles[d + 1] = stamp
        return
      }
    }
    const bytes = (WRITERS_HEAD_DOUBLES + (count + 1) * 2) * 8
    if (list === 0 || bytes > arena.sizeOf(list)) {
      const grown = arena.alloc(bytes)
      if (list !== 0) {
        copyBytes(
          arena.u8[list >>> CHUNK_SHIFT],
          (list & UNIT_MASK) << 3,
          arena.u8[grown >>> CHUNK_SHIFT],
          (grown & UNIT_MASK) << 3,
          bytes - 16,
        )
        arena.free(list)
      }
      list = grown
      this.words(root)[at] = list
    }
    const d = (list & UNIT_MASK) + WRITERS_HEAD_DOUBLES + count * 2
    arena.f64[list >>> CHUNK_SHIFT][d] = member
    arena.f64[list >>> CHUNK_SHIFT][d + 1] = stamp
    this.words(list)[this.at(list, 0)] = count + 1
  }
}

function writeRegister(doubles: Float64Array, d: number, { member, stamp, score }: ScoreRegister): number {
  doubles[d] = member
  doubles[d + 1] = stamp
  doubles[d + 2] = score
  return d + REGISTER_DOUBLES
}

function writeContribution(doubles: Float64Array, d: number, each: ScoreContribution): number {
  doubles[d] = each.member
  doubles[d + 1] = each.epoch
  doubles[d + 2] = each.stamp
  doubles[d + 3] = each.baseStamp
  doubles[d + 4] = each.total
  doubles[d + 5] = each.base
  return d + CONTRIBUTION_DOUBLES
}
