import { assert } from '../base/assert.js'
import { copyBytes } from '../base/bytes.js'
import { NotificationClass } from '../base/notification-classes.js'
import type { ApplyContext } from '../crdt/apply-context.js'
import { EffectType, type EffectReader } from '../crdt/effect-reader.js'
import {
  countDense,
  DENSE_BYTES,
  denseRegister,
  forgetCount,
  hasHeader,
  indexOf,
  isDense,
  mergeDense,
  rankIn,
  REGISTERS,
  rememberCount,
  rememberedCount,
  setDenseRegister,
  SPARSE_MAX_BYTES,
  writeDense,
} from '../crdt/hyperloglog.js'
import {
  ADD_BYTES,
  countSparse,
  EMPTY_BYTES,
  isWhole,
  mergeSparse,
  raiseSparse,
  sparseRegister,
  sparseToDense,
  UNCHANGED,
  writeEmpty,
  writeSparse,
} from '../crdt/hyperloglog-sparse.js'
import type { OpBuilder } from '../crdt/op-builder.js'
import { CHUNK_SHIFT, type Arena, type Ref } from '../memory/arena.js'
import type { RdbValue } from '../rdb/value.js'
import type { CollectionStore, KeyEvent, KeyPlace } from './collection-store.js'
import type { StoreEnvironment } from './collections.js'
import { KeyType, type Database } from './database.js'
import type { Effects } from './effects.js'
import type { Hash64 } from './hash64.js'
import {
  BLOCK_HEAD_BYTES,
  freeBlock,
  memoryOf,
  newBlock,
  newestMember,
  newestStamp,
  rememberedRemovals,
  setNewest,
  setRemembered,
  setSketchLength,
  sketchLength,
  sketchOffset,
  type RememberedRemoval,
} from './hll-block.js'
import type { Keyspace } from './keyspace.js'
import type { CollectionState } from './state/collection-state.js'
import { HllState } from './state/hll-state.js'

/** What stands in an hll-add: registers with their new ranks, or a HyperLogLog. */
const FORM_REGISTERS = 0
const FORM_WHOLE = 1

/** index | rank << 14 in three bytes, the lowest first. */
const PATTERN_BYTES = 3
/** Registers beyond which a dense HyperLogLog is the shorter thing to ship. */
const MAX_PATTERNS = Math.floor(DENSE_BYTES / PATTERN_BYTES)
/** Registers beyond which a sparse one is unpacked and written anew: each add to it walks its runs. */
const MAX_SPARSE_ADDS = 64
/** Room given to a sparse one beyond its length: as much again, up to this. */
const MAX_SLACK_BYTES = 256

/**
 * HyperLogLogs: merged by the maximum of each register, so adds may come in any order and any number of times. What has been merged cannot be taken
 * apart, so a removal takes what it had not seen as well: *removal wins*, unlike for other types. It is remembered until every member has applied it,
 * and an add whose origin had not seen a remembered removal is ignored. All adds that survive have then seen the same removals in every member.
 *
 * A removal is an effect of its own, hll-remove, before the `remove` or `flush-db` of the same op: it is written when there was a HyperLogLog to
 * be seen, so that members remember it whether or not they still have one, and it makes everything that is here its own, so that the `remove` finds nothing that
 * it has not observed. A member that is alone remembers none.
 *
 * The representation (sparse or dense) and the count in its header are each member's own; the registers are what converges.
 */
export class HllStore implements CollectionStore {
  readonly type = KeyType.hll
  readonly state: CollectionState
  /** hll-sparse-max-bytes: the longest sparse representation. */
  sparseMaxBytes = SPARSE_MAX_BYTES
  /** Result of read. Valid until the next change. */
  buf: Uint8Array = new Uint8Array(0)
  off = 0
  len = 0
  private readonly keyspace: Keyspace
  private readonly context: ApplyContext
  private readonly effects: Effects
  private readonly registers = new Uint8Array(REGISTERS)
  private readonly patterns = new Uint8Array(MAX_PATTERNS * PATTERN_BYTES)
  /** For representations on their way; nothing that is kept is longer. */
  private readonly scratch = new Uint8Array(DENSE_BYTES)

  constructor({ keyspace, context, effects }: StoreEnvironment) {
    this.keyspace = keyspace
    this.context = context
    this.effects = effects
    this.state = new HllState(this, keyspace)
  }

  /** Makes the HyperLogLog's bytes available in buf, off, len. */
  read(db: Database, root: Ref): void {
    this.buf = db.arena.u8[root >>> CHUNK_SHIFT]
    this.off = sketchOffset(root)
    this.len = sketchLength(db.arena, root)
  }

  /** The estimated cardinality; kept in the header until a register changes. */
  count(db: Database, root: Ref): number {
    this.read(db, root)
    const { buf, off, len } = this
    const known = rememberedCount(buf, off)
    if (known === known) return known
    const count = isDense(buf, off) ? countDense(buf, off) : countSparse(buf, off, len)
    rememberCount(buf, off, count)
    return count
  }

  /** PFDEBUG: makes the representation dense, here only. True if it was not. The caller stores the root. */
  makeDense(db: Database, root: Ref): Ref {
    this.read(db, root)
    return isDense(this.buf, this.off) ? root : this.toDense(db.arena, root)
  }

  /**
   * PFADD of elements with the given patterns (see patternOf) to a key whose root, 0 for none, is given. False when no register rises: then nothing is
   * written.
   */
  add(
    db: Database,
    from: Ref,
    database: number,
    key: Uint8Array,
    off: number,
    len: number,
    patterns: Int32Array,
    count: number,
  ): boolean {
    let first = 0
    if (from !== 0) {
      while (first < count && this.register(db.arena, from, indexOf(patterns[first])) >= rankIn(patterns[first])) first++
      if (first === count) return false
    }
    const { effects, context } = this
    let root = this.withSketch(db.arena, effects.openCollection(EffectType.hllAdd, database, key, off, len))
    let raised = 0
    for (let i = first; i < count; i++) {
      const to = this.raise(db.arena, root, indexOf(patterns[i]), rankIn(patterns[i]))
      if (to === 0) continue
      root = to
      if (raised < MAX_PATTERNS) this.putPattern(raised, patterns[i])
      raised++
    }
    // An empty one that was made just now has no count yet either: as in Redis.
    forgetCount(db.arena.u8[root >>> CHUNK_SHIFT], sketchOffset(root))
    this.writeAdd(db, root, raised)
    setNewest(db.arena, root, context.origin, context.stamp)
    effects.closeCollection(root)
    return true
  }

  /**
   * PFMERGE: writes what the registers, one a byte, have beyond those of a key whose root, 0 for none, is given. dense: what was merged was not all
   * sparse.
   */
  merge(
    db: Database,
    from: Ref,
    database: number,
    key: Uint8Array,
    off: number,
    len: number,
    merged: Uint8Array,
    dense: boolean,
  ): void {
    const { effects, context, registers } = this
    registers.fill(0)
    if (from !== 0) this.mergeInto(registers, db, from)
    let raised = 0
    for (let i = 0; i < REGISTERS; i++) {
      if (merged[i] <= registers[i]) continue
      if (raised < MAX_PATTERNS) this.putPattern(raised, i | (merged[i] << 14))
      raised++
    }
    let root = this.withSketch(db.arena, effects.openCollection(EffectType.hllAdd, database, key, off, len))
    if (dense) root = this.makeDense(db, root)
    root = this.raiseAll(db, root, raised, merged)
    forgetCount(db.arena.u8[root >>> CHUNK_SHIFT], sketchOffset(root))
    this.writeAdd(db, root, raised)
    setNewest(db.arena, root, context.origin, context.stamp)
    effects.closeCollection(root)
  }

  /**
   * As merge, into an op that is being built: at once, as there is little to write. What was merged has been raised to the registers, `from` must not change
   * until the op is applied.
   */
  buildMerge(db: Database, from: Ref, op: OpBuilder, to: KeyPlace, merged: Uint8Array, dense: boolean): void {
    const { registers, scratch } = this
    registers.fill(0)
    if (from !== 0) this.mergeInto(registers, db, from)
    let raised = 0
    for (let i = 0; i < REGISTERS; i++) {
      if (merged[i] <= registers[i]) continue
      registers[i] = merged[i]
      if (raised < MAX_PATTERNS) this.putPattern(raised, i | (merged[i] << 14))
      raised++
    }
    const effect = op.begin(EffectType.hllAdd, to.database, to.key, to.off, to.len)
    if (!dense && raised <= MAX_PATTERNS) {
      effect.u8(FORM_REGISTERS)
      effect.range(this.patterns, 0, raised * PATTERN_BYTES)
      return
    }
    // Whole, so that it is dense in the end, as Redis has it.
    writeDense(registers, scratch, 0)
    effect.u8(FORM_WHOLE)
    effect.range(scratch, 0, DENSE_BYTES)
  }

  /** Writes a HyperLogLog, given in its bytes, to a key that holds nothing. */
  writeWhole(
    database: number,
    key: Uint8Array,
    keyOff: number,
    keyLen: number,
    bytes: Uint8Array,
    off: number,
    len: number,
  ): void {
    const { effects, context } = this
    const { arena } = this.keyspace.database(database)
    let root = effects.openCollection(EffectType.hllAdd, database, key, keyOff, keyLen)
    effects.writer.putByte(FORM_WHOLE)
    effects.writer.putBlock(bytes, off, len)
    root = this.adopt(arena, root, bytes, off, len)
    setNewest(arena, root, context.origin, context.stamp)
    effects.closeCollection(root)
  }

  /** Raises registers, one a byte, to a key's. */
  mergeInto(registers: Uint8Array, db: Database, root: Ref): void {
    this.read(db, root)
    mergeBytes(registers, this.buf, this.off, this.len)
  }

  check(effect: EffectReader): void {
    if (effect.type === EffectType.hllRemove) return
    if (effect.type !== EffectType.hllAdd) {
      effect.fail(`effect type ${effect.type} is not known to this version`)
      return
    }
    const form = effect.byte()
    effect.block()
    if (effect.error !== null) return
    const { bytes, valueOff, valueLen } = effect
    if (form === FORM_WHOLE) {
      if (!isSketch(bytes, valueOff, valueLen)) effect.fail('hll-add of what is no HyperLogLog')
      return
    }
    if (form !== FORM_REGISTERS || valueLen % PATTERN_BYTES !== 0 || valueLen > MAX_PATTERNS * PATTERN_BYTES) {
      effect.fail('hll-add of unknown form')
      return
    }
    for (let at = valueOff; at < valueOff + valueLen; at += PATTERN_BYTES) {
      // 14 bits of index and 6 of rank; the other four say nothing yet.
      if (bytes[at + 2] >= 0x10 || rankIn(patternAt(bytes, at)) === 0) effect.fail('hll-add of an impossible rank')
    }
  }

  apply(db: Database, from: Ref, effect: EffectReader): Ref {
    if (effect.type === EffectType.hllRemove) return this.seal(db, from)
    const { arena } = db
    const { origin, stamp } = this.context
    const form = effect.byte()
    effect.block()
    if (from !== 0 && !this.hasSeenRemovals(arena, from)) return from
    const { bytes, valueOff, valueLen } = effect
    let root: Ref
    if (form === FORM_WHOLE) {
      root = this.mergeWhole(db, from, bytes, valueOff, valueLen)
    } else {
      root = this.withSketch(arena, from)
      const count = valueLen / PATTERN_BYTES
      this.patterns.set(bytes.subarray(valueOff, valueOff + valueLen))
      root = this.raiseAll(db, root, count, null)
      forgetCount(arena.u8[root >>> CHUNK_SHIFT], sketchOffset(root))
    }
    const newest = newestStamp(arena, root)
    if (stamp > newest || (stamp === newest && origin > newestMember(arena, root))) setNewest(arena, root, origin, stamp)
    return root
  }

  remove(db: Database, root: Ref): Ref {
    const { arena } = db
    if (sketchLength(arena, root) === 0) return root
    // Adds that this removal has not observed are here only if it saw no HyperLogLog at all: else hll-remove has made them its own.
    if (!this.context.covers(newestMember(arena, root), newestStamp(arena, root))) return root
    const removals = rememberedRemovals(arena, root)
    freeBlock(arena, root)
    return this.memoryBlock(arena, removals)
  }

  beforeRemove(db: Database, root: Ref, database: number, key: Uint8Array, keyOff: number, keyLen: number): void {
    if (sketchLength(db.arena, root) === 0) return
    const { effects } = this
    effects.closeCollection(this.seal(db, effects.openCollection(EffectType.hllRemove, database, key, keyOff, keyLen)))
  }

  isVisible(db: Database, root: Ref): boolean {
    return sketchLength(db.arena, root) > 0
  }

  newestDot(db: Database, root: Ref): { readonly member: number; readonly stamp: number } {
    return { member: newestMember(db.arena, root), stamp: newestStamp(db.arena, root) }
  }

  isUnsettled(db: Database, root: Ref): boolean {
    return memoryOf(db.arena, root) !== 0
  }

  settle(db: Database, root: Ref): Ref {
    const { arena } = db
    if (memoryOf(arena, root) === 0) return root
    const { stability } = this.keyspace
    const removals = rememberedRemovals(arena, root)
    const kept = removals.filter(({ member, stamp }) => !stability.covers(member, stamp))
    if (kept.length === removals.length) return root
    setRemembered(arena, root, kept)
    if (kept.length > 0 || sketchLength(arena, root) > 0) return root
    freeBlock(arena, root)
    return 0
  }

  free(arena: Arena, root: Ref): Ref {
    freeBlock(arena, root)
    return 0
  }

  /** A flush of everything takes the memory that a database stands in, but not what is remembered of removals: gives it a block in the new arena. */
  carryOver(from: Arena, root: Ref, to: Arena): Ref {
    return this.memoryBlock(to, rememberedRemovals(from, root))
  }

  size(db: Database, root: Ref): number {
    return this.count(db, root)
  }

  bytes(arena: Arena, root: Ref): number {
    const memory = memoryOf(arena, root)
    return arena.sizeOf(root) + (memory === 0 ? 0 : arena.sizeOf(memory))
  }

  encoding(): string {
    return 'raw'
  }

  /** The registers: the same ones can be kept in many ways. */
  digest(hash: Hash64, db: Database, root: Ref): number {
    const { registers } = this
    registers.fill(0)
    this.mergeInto(registers, db, root)
    hash.bytes(registers, 0, REGISTERS)
    return REGISTERS
  }

  toRdb(db: Database, root: Ref): RdbValue {
    this.read(db, root)
    return { type: 'string', value: this.buf.slice(this.off, this.off + this.len) }
  }

  writeRdb(value: RdbValue, database: number, key: Uint8Array, keyOff: number, keyLen: number): void {
    assert(value.type === 'string', 'a HyperLogLog is a string to Redis')
    this.writeWhole(database, key, keyOff, keyLen, value.value, 0, value.value.length)
  }

  copy(db: Database, root: Ref, database: number, key: Uint8Array, keyOff: number, keyLen: number): void {
    this.read(db, root)
    const { buf, off, len } = this
    this.writeWhole(database, key, keyOff, keyLen, buf, off, len)
  }

  eventOf({ type }: EffectReader): KeyEvent | null {
    return type === EffectType.hllAdd ? PFADD_EVENT : null
  }

  debug(db: Database, root: Ref, limit: number): string[] {
    const { arena } = db
    const removals = rememberedRemovals(arena, root).map(({ member, stamp }) => `removal member ${member} stamp ${stamp}`)
    return [`newest add member ${newestMember(arena, root)} stamp ${newestStamp(arena, root)}`, ...removals].slice(0, limit)
  }

  /** The rank of a register; the block has a HyperLogLog. */
  private register(arena: Arena, root: Ref, index: number): number {
    const buf = arena.u8[root >>> CHUNK_SHIFT]
    const off = sketchOffset(root)
    return isDense(buf, off) ? denseRegister(buf, off, index) : sparseRegister(buf, off, sketchLength(arena, root), index)
  }

  /** Raises a register. Gives the root as it is then, 0 when the register is as high already. */
  private raise(arena: Arena, from: Ref, index: number, rank: number): Ref {
    let root = from
    let buf = arena.u8[root >>> CHUNK_SHIFT]
    let off = sketchOffset(root)
    if (!isDense(buf, off)) {
      const len = sketchLength(arena, root)
      if (arena.sizeOf(root) < BLOCK_HEAD_BYTES + len + ADD_BYTES) {
        if (sparseRegister(buf, off, len, index) >= rank) return 0
        root = this.resized(arena, root, len + ADD_BYTES + Math.min(len, MAX_SLACK_BYTES))
        buf = arena.u8[root >>> CHUNK_SHIFT]
        off = sketchOffset(root)
      }
      const length = raiseSparse(buf, off, len, index, rank, this.sparseMaxBytes)
      if (length === UNCHANGED) return 0
      if (length > 0) {
        setSketchLength(arena, root, length)
        return root
      }
      root = this.toDense(arena, root)
      buf = arena.u8[root >>> CHUNK_SHIFT]
      off = sketchOffset(root)
    }
    if (denseRegister(buf, off, index) >= rank) return 0
    setDenseRegister(buf, off, index, rank)
    forgetCount(buf, off)
    return root
  }

  /** Raises `count` registers: those in `patterns`, or, when they are more than that holds, those in `merged`. */
  private raiseAll(db: Database, from: Ref, count: number, merged: Uint8Array | null): Ref {
    const { arena } = db
    const { patterns, registers } = this
    let root = from
    const dense = isDense(arena.u8[root >>> CHUNK_SHIFT], sketchOffset(root))
    if (count <= (dense ? MAX_PATTERNS : MAX_SPARSE_ADDS)) {
      for (let i = 0; i < count; i++) {
        const pattern = patternAt(patterns, i * PATTERN_BYTES)
        const to = this.raise(arena, root, indexOf(pattern), rankIn(pattern))
        if (to !== 0) root = to
      }
      return root
    }
    registers.fill(0)
    this.mergeInto(registers, db, root)
    if (count <= MAX_PATTERNS) {
      for (let i = 0; i < count; i++) {
        const pattern = patternAt(patterns, i * PATTERN_BYTES)
        registers[indexOf(pattern)] = Math.max(registers[indexOf(pattern)], rankIn(pattern))
      }
    } else {
      assert(merged !== null, 'more registers than an effect has')
      for (let i = 0; i < REGISTERS; i++) if (merged[i] > registers[i]) registers[i] = merged[i]
    }
    return this.rewritten(arena, root, registers, dense)
  }

  /** Merges a HyperLogLog given in its bytes. */
  private mergeWhole(db: Database, from: Ref, bytes: Uint8Array, off: number, len: number): Ref {
    const { arena } = db
    if (from === 0 || sketchLength(arena, from) === 0) return this.adopt(arena, from, bytes, off, len)
    const { registers } = this
    registers.fill(0)
    this.mergeInto(registers, db, from)
    mergeBytes(registers, bytes, off, len)
    return this.rewritten(arena, from, registers, isDense(this.buf, this.off) || isDense(bytes, off))
  }

  /** Takes over a HyperLogLog given in its bytes; the block has none. */
  private adopt(arena: Arena, from: Ref, bytes: Uint8Array, off: number, len: number): Ref {
    const root = from === 0 ? newBlock(arena, len, 0) : this.resized(arena, from, len)
    arena.u8[root >>> CHUNK_SHIFT].set(bytes.subarray(off, off + len), sketchOffset(root))
    setSketchLength(arena, root, len)
    return root
  }

  /** Writes registers, one a byte, in place of those that a block has. */
  private rewritten(arena: Arena, from: Ref, registers: Uint8Array, dense: boolean): Ref {
    const { scratch } = this
    let length = dense ? 0 : writeSparse(registers, scratch, 0, Math.min(this.sparseMaxBytes, DENSE_BYTES))
    if (length <= 0) {
      writeDense(registers, scratch, 0)
      length = DENSE_BYTES
    }
    setSketchLength(arena, from, 0)
    return this.adopt(arena, from, scratch, 0, length)
  }

  /** A block with a HyperLogLog, an empty one if there was none. */
  private withSketch(arena: Arena, from: Ref): Ref {
    if (from !== 0 && sketchLength(arena, from) > 0) return from
    const root = from === 0 ? newBlock(arena, EMPTY_BYTES + ADD_BYTES, 0) : this.resized(arena, from, EMPTY_BYTES + ADD_BYTES)
    writeEmpty(arena.u8[root >>> CHUNK_SHIFT], sketchOffset(root))
    setSketchLength(arena, root, EMPTY_BYTES)
    return root
  }

  private toDense(arena: Arena, from: Ref): Ref {
    const { scratch } = this
    scratch.fill(0)
    const whole = sparseToDense(arena.u8[from >>> CHUNK_SHIFT], sketchOffset(from), sketchLength(arena, from), scratch, 0)
    assert(whole, 'a HyperLogLog that is kept is broken')
    return this.adopt(arena, from, scratch, 0, DENSE_BYTES)
  }

  /** The block with room for so many bytes of HyperLogLog, with what it has. */
  private resized(arena: Arena, from: Ref, bytes: number): Ref {
    if (arena.sizeOf(from) >= BLOCK_HEAD_BYTES + bytes) return from
    const len = sketchLength(arena, from)
    const root = newBlock(arena, bytes, memoryOf(arena, from))
    setNewest(arena, root, newestMember(arena, from), newestStamp(arena, from))
    setSketchLength(arena, root, len)
    copyBytes(arena.u8[from >>> CHUNK_SHIFT], sketchOffset(from), arena.u8[root >>> CHUNK_SHIFT], sketchOffset(root), len)
    arena.free(from)
    return root
  }

  /** hll-remove: all that is here becomes the removal's, for the `remove` behind it; and the removal is remembered. */
  private seal(db: Database, from: Ref): Ref {
    const { arena } = db
    const { origin, stamp } = this.context
    const removals = from === 0 ? [] : rememberedRemovals(arena, from)
    const known = removals.some((removal) => removal.member === origin && removal.stamp >= stamp)
    let root = from
    if (!known && !this.keyspace.stability.covers(origin, stamp)) {
      if (root === 0) root = newBlock(arena, 0, 0)
      setRemembered(arena, root, [...removals.filter(({ member }) => member !== origin), { member: origin, stamp }])
    }
    if (root !== 0 && sketchLength(arena, root) > 0) setNewest(arena, root, origin, stamp)
    return root
  }

  private hasSeenRemovals(arena: Arena, root: Ref): boolean {
    if (memoryOf(arena, root) === 0) return true
    return rememberedRemovals(arena, root).every(({ member, stamp }) => this.context.covers(member, stamp))
  }

  /** A block without a HyperLogLog, 0 when there is nothing to remember. */
  private memoryBlock(arena: Arena, removals: readonly RememberedRemoval[]): Ref {
    if (removals.length === 0) return 0
    const root = newBlock(arena, 0, 0)
    setRemembered(arena, root, removals)
    return root
  }

  private putPattern(i: number, pattern: number): void {
    const { patterns } = this
    patterns[i * PATTERN_BYTES] = pattern
    patterns[i * PATTERN_BYTES + 1] = pattern >>> 8
    patterns[i * PATTERN_BYTES + 2] = pattern >>> 16
  }

  /** The payload of an hll-add: the registers in `patterns`, or all of the HyperLogLog when they were too many. */
  private writeAdd(db: Database, root: Ref, raised: number): void {
    const { writer } = this.effects
    if (raised <= MAX_PATTERNS) {
      writer.putByte(FORM_REGISTERS)
      writer.putBlock(this.patterns, 0, raised * PATTERN_BYTES)
      return
    }
    this.read(db, root)
    writer.putByte(FORM_WHOLE)
    writer.putBlock(this.buf, this.off, this.len)
  }
}

const PFADD_EVENT = { kind: NotificationClass.string, event: 'pfadd' }

/** True for bytes that are a sound HyperLogLog. */
export function isSketch(buf: Uint8Array, off: number, len: number): boolean {
  return hasHeader(buf, off, len) && (isDense(buf, off) || isWhole(buf, off, len))
}

/** Raises registers, one a byte, to those of a HyperLogLog given in its bytes; false when it is broken. */
export function mergeBytes(registers: Uint8Array, buf: Uint8Array, off: number, len: number): boolean {
  if (!isDense(buf, off)) return mergeSparse(registers, buf, off, len)
  mergeDense(registers, buf, off)
  return true
}

function patternAt(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16)
}
