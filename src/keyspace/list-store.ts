import { equalBytes } from '../base/bytes.js'
import { LIMITS } from '../base/limits.js'
import { EffectType, type EffectReader } from '../crdt/effect-reader.js'
import type { OpBuilder } from '../crdt/op-builder.js'
import { ListPosition, MAX_LIST_INDEX, zigzag } from '../crdt/list-position.js'
import { ListRangeReader } from '../crdt/list-ranges.js'
import { compareDots } from '../crdt/string-state.js'
import { CHUNK_SHIFT, type Arena, type Ref } from '../memory/arena.js'
import { ByteList } from '../rdb/byte-list.js'
import type { RdbValue } from '../rdb/value.js'
import { NotificationClass } from '../base/notification-classes.js'
import type { CollectionStore, KeyEvent, KeyPlace } from './collection-store.js'
import type { StoreEnvironment } from './collections.js'
import { DEFAULT_COMPACT_LIMITS, type CompactLimits } from './compact-limits.js'
import type { ByteRanges } from './byte-ranges.js'
import { KeyType, type Database } from './database.js'
import type { Hash64 } from './hash64.js'
import { ListEdits } from './list-edits.js'
import { entryBefore, entryBytes, isApart, isHole, MAX_INLINE_BYTES, valueLength, valueOffset } from './list-entry.js'
import { ListSequence } from './list-sequence.js'
import { ListWalk, type ElementSink } from './list-walk.js'
import type { CollectionState } from './state/collection-state.js'
import { ListState } from './state/list-state.js'
import { ListWrites } from './list-writes.js'

/** What a list may take as one of Redis' listpacks when list-max-listpack-size is -1 … -5, and when it counts elements; beyond, it is a quicklist. */
const LISTPACK_BYTES = [4096, 8192, 16_384, 32_768, 65_536]
const COUNTED_LISTPACK_BYTES = 8192
const LISTPACK_HEAD_BYTES = 7
/** What an element costs a digest beside its bytes, in bytes hashed. */
const ELEMENT_COST_BYTES = 16

/**
 * Lists: an ordered map from position to register (crdt/list-position.ts). The elements lie in chunks, each with neighbouring elements of one run
 * (list-chunk.ts), the chunks in a sequence (list-sequence.ts). A list of few elements is one chunk and nothing else.
 *
 * Removals leave nothing behind: an element is there as long as it has a value, so there is nothing to wait for but the hidden values of elements that were
 * set in several members at once.
 */
export class ListStore implements CollectionStore {
  readonly type = KeyType.list
  readonly state: CollectionState
  /** What commands change. */
  readonly writes: ListWrites
  /** Result of element and of at: the value is buf[off .. off+len). Good until the list changes. */
  readonly walk: ListWalk
  /** Setting list-max-listpack-size. A list is kept in chunks in any case; this is about what Redis would do. */
  private listpackSize = DEFAULT_COMPACT_LIMITS.listMaxListpackSize
  private readonly sequence = new ListSequence()
  private readonly edits: ListEdits
  private readonly position = new ListPosition()
  private readonly edgePosition = new ListPosition()
  private readonly ranges = new ListRangeReader()

  constructor(private readonly environment: StoreEnvironment) {
    this.edits = new ListEdits(this.sequence)
    this.walk = new ListWalk(this.sequence)
    this.writes = new ListWrites(environment, this.sequence, this.edits)
    this.state = new ListState({ store: this, keyspace: environment.keyspace, inlineBytes: () => this.edits.inlineBytes })
  }

  configure(limits: CompactLimits): void {
    this.listpackSize = limits.listMaxListpackSize
  }

  check(effect: EffectReader): void {
    const { position, ranges } = this
    switch (effect.type) {
      case EffectType.listInsert: {
        position.read(effect)
        const count = effect.varint()
        if (effect.error === null && (count === 0 || position.index + count - 1 > MAX_LIST_INDEX)) {
          effect.fail('a list insertion of an impossible size')
        }
        for (let i = 0; i < count && effect.error === null; i++) effect.block()
        break
      }
      case EffectType.listSet:
        position.read(effect)
        effect.block()
        break
      case EffectType.listRemove:
        ranges.begin()
        while (ranges.next(effect));
        break
      default:
        effect.fail(`effect type ${effect.type} is not known to this version`)
    }
  }

  apply(db: Database, root: Ref, effect: EffectReader): Ref {
    const { position, sequence, edits, ranges } = this
    const { context } = this.environment
    sequence.open(db.arena, root)
    switch (effect.type) {
      case EffectType.listInsert: {
        position.read(effect)
        const { index } = position
        const count = effect.varint()
        for (let i = 0; i < count; i++) {
          effect.block()
          position.index = index + i
          edits.insert(position, context.origin, context.stamp, effect.bytes, effect.valueOff, effect.valueLen)
        }
        break
      }
      case EffectType.listSet:
        position.read(effect)
        effect.block()
        edits.set(position, context, effect.bytes, effect.valueOff, effect.valueLen)
        break
      case EffectType.listRemove:
        edits.removeRanges(ranges, effect, context)
        break
    }
    return sequence.root
  }

  remove(db: Database, root: Ref): Ref {
    const { context, keyspace } = this.environment
    const sequence = this.open(db, root)
    if (this.isCovered()) {
      keyspace.reclaimer.add(db.arena, this, root)
      return 0
    }
    const { chunks } = sequence
    for (let chunk = sequence.first(); chunk !== 0;) {
      const covered = chunks.isCovered(chunk, context)
      if (covered) chunks.free(chunk)
      const left = covered ? 0 : chunks.remove(chunk, context, () => true)
      if (left === 0) {
        chunk = sequence.drop()
      } else {
        sequence.changed(left)
        chunk = sequence.next()
      }
    }
    return sequence.root
  }

  /** True when the context surely covers all of the list. */
  private isCovered(): boolean {
    const { context } = this.environment
    if (context.local) return true
    const { sequence } = this
    for (let chunk = sequence.first(); chunk !== 0; chunk = sequence.next()) {
      if (!sequence.chunks.isCovered(chunk, context)) return false
    }
    return true
  }

  /** Values of so many bytes, and longer ones, get a block of their own; 0: of more than MAX_INLINE_BYTES, as usual. For tests. */
  setApartBytes(bytes: number): void {
    this.edits.inlineBytes = bytes === 0 ? MAX_INLINE_BYTES : Math.min(bytes - 1, MAX_INLINE_BYTES)
  }

  beforeRemove(): void {
    // No counters.
  }

  isVisible(_db: Database, root: Ref): boolean {
    return root !== 0
  }

  newestDot(db: Database, root: Ref): { readonly member: number; readonly stamp: number } {
    const sequence = this.open(db, root)
    const { chunks } = sequence
    let newest = { member: 0, stamp: 0 }
    for (let chunk = sequence.first(); chunk !== 0; chunk = sequence.next()) {
      if (chunks.maxStamp(chunk) < newest.stamp) continue
      const u8 = db.arena.u8[chunk >>> CHUNK_SHIFT]
      const end = chunks.end(chunk)
      for (let at = chunks.begin(chunk); at < end; at += entryBytes(u8, at)) {
        if (isHole(u8, at)) continue
        const dot = chunks.newestDot(chunk, at)
        if (compareDots(dot, newest) > 0) newest = dot
      }
    }
    return newest
  }

  isUnsettled(db: Database, root: Ref): boolean {
    return root !== 0 && this.open(db, root).mayHaveHidden
  }

  settle(db: Database, root: Ref): Ref {
    const { stability } = this.environment.keyspace
    this.open(db, root)
    this.edits.settle((member, stamp) => stability.covers(member, stamp))
    return root
  }

  free(arena: Arena, root: Ref, budget: number): Ref {
    return this.sequence.open(arena, root).free(budget)
  }

  size(db: Database, root: Ref): number {
    return this.open(db, root).length
  }

  bytes(arena: Arena, root: Ref, samples: number): number {
    const sequence = this.sequence.open(arena, root)
    const { chunks } = sequence
    let bytes = 0
    let elements = 0
    for (let chunk = sequence.first(); chunk !== 0 && (samples === 0 || elements < samples); chunk = sequence.next()) {
      bytes += chunks.bytes(chunk)
      elements += chunks.count(chunk)
    }
    const { length } = sequence
    return sequence.fixedBytes + (elements === 0 ? 0 : Math.round((bytes / elements) * length))
  }

  encoding(db: Database, root: Ref): string {
    const sequence = this.open(db, root)
    let bytes = LISTPACK_HEAD_BYTES
    // An element of a listpack takes two bytes at least.
    const { listpackSize: size } = this
    const most = size < 0 ? LISTPACK_BYTES[Math.min(-size, LISTPACK_BYTES.length) - 1] : COUNTED_LISTPACK_BYTES
    if (sequence.length * 2 > most || (size >= 0 && sequence.length > Math.max(1, size))) return 'quicklist'
    const { walk } = this
    walk.seek(0)
    do bytes += listpackBytes(walk.len)
    while (walk.next() && bytes <= most)
    return bytes > most ? 'quicklist' : 'listpack'
  }

  digest(hash: Hash64, db: Database, root: Ref): number {
    let bytes = 0
    for (const part of this.digestSteps(hash, db, root)) bytes += part
    return bytes
  }

  *digestSteps(hash: Hash64, db: Database, root: Ref): Generator<number, void> {
    const { walk } = this
    const { length } = this.open(db, root)
    hash.number(length)
    for (let rank = 0; rank < length;) {
      this.open(db, root)
      walk.seek(rank)
      let bytes = 0
      do {
        hash.number(walk.len)
        hash.bytes(walk.buf, walk.off, walk.len)
        bytes += ELEMENT_COST_BYTES + walk.len
        rank++
      } while (bytes < LIMITS.digestStepBytes && walk.next())
      yield bytes
    }
  }

  toRdb(db: Database, root: Ref): RdbValue {
    this.open(db, root)
    const { walk } = this
    const elements = new ByteList()
    walk.seek(0)
    do elements.push(walk.buf, walk.off, walk.len)
    while (walk.next())
    return { type: 'list', elements }
  }

  writeRdb(value: RdbValue, database: number, key: Uint8Array, keyOff: number, keyLen: number): void {
    if (value.type === 'list') this.writes.pushAll(database, key, keyOff, keyLen, value.elements)
  }

  copy(db: Database, root: Ref, database: number, key: Uint8Array, keyOff: number, keyLen: number): void {
    this.writes.pushAll(database, key, keyOff, keyLen, elementsOf(db.arena, root))
  }

  *buildCopy(db: Database, root: Ref, op: OpBuilder, to: KeyPlace): Generator<undefined, void> {
    const pusher = new RunWriter(op, this.environment.self, to)
    const length = this.size(db, root)
    for (let from = 0; from < length; from += LIMITS.slicedReadSeek) {
      this.read(db, root, from, Math.min(LIMITS.slicedReadSeek, length - from), false, pusher)
      yield
    }
  }

  eventOf(effect: EffectReader, db: Database, root: Ref): KeyEvent | null {
    switch (effect.type) {
      case EffectType.listInsert:
        return { kind: NotificationClass.list, event: this.insertion(effect, db, root) }
      case EffectType.listSet:
        return { kind: NotificationClass.list, event: 'lset' }
      case EffectType.listRemove:
        return { kind: NotificationClass.list, event: this.removal(effect, db, root) }
      default:
        return null
    }
  }

  /**
   * The command that an insertion comes from, by its position. A push stands at the top level; in a run it counts upwards from 0 at the end of the list,
   * downwards at its beginning. The first element of a run says by its place, or by its anchor, where it was put.
   */
  private insertion(effect: EffectReader, db: Database, root: Ref): string {
    const { position } = this
    position.read(effect)
    const count = effect.varint()
    if (position.depth > 1) return 'linsert'
    if (position.index !== 0 || count > 1) return position.index < 0 ? 'lpush' : 'rpush'
    const isFirst = root !== 0 && this.open(db, root).length > 1 && this.edge(position, true) >= 0
    return isFirst || position.anchors[0] < 0 ? 'lpush' : 'rpush'
  }

  /** The command that a removal most likely comes from: of one row of elements at an end of the list, a pop; at both ends, LTRIM; else LREM. */
  private removal(effect: EffectReader, db: Database, root: Ref): string {
    const { ranges } = this
    let rows = 0
    let atBegin = root === 0
    let atEnd = false
    if (root !== 0) this.open(db, root)
    for (ranges.begin(); ranges.next(effect); rows++) {
      if (root === 0) continue
      if (this.edge(ranges.last, true) > 0) atBegin = true
      if (this.edge(ranges.first, false) > 0) atEnd = true
    }
    if (rows === 1) return atBegin ? 'lpop' : atEnd ? 'rpop' : 'lrem'
    return rows === 2 && atBegin && atEnd ? 'ltrim' : 'lrem'
  }

  /** How a position stands to the first (last) element of the open list: positive outside of it, 0 at the element. */
  private edge(position: ListPosition, atBegin: boolean): number {
    const { sequence, edgePosition } = this
    const { chunks } = sequence
    const chunk = atBegin ? sequence.first() : sequence.last()
    chunks.position(chunk, atBegin ? chunks.firstIndex(chunk) : chunks.lastIndex(chunk), edgePosition)
    return atBegin ? edgePosition.compare(position) : position.compare(edgePosition)
  }

  debug(db: Database, root: Ref, limit: number): string[] {
    const sequence = this.open(db, root)
    const { chunks } = sequence
    const { walk, position } = this
    const lines: string[] = []
    walk.seek(0)
    do {
      const at = chunks.position(sequence.chunk, walk.index, position).toString()
      for (const { member, stamp, value } of this.edits.registers(sequence.chunk, walk.at)) {
        lines.push(`${at} ${member}-${stamp} ${Buffer.from(value).toString('latin1')}`)
      }
    } while (lines.length < limit && walk.next())
    return lines.slice(0, limit)
  }

  /** The element of a rank below the length, into walk. */
  element(db: Database, root: Ref, rank: number): void {
    this.open(db, root)
    this.walk.seek(rank)
  }

  /** A walk of its own, for steps between which others use the store. */
  walkOf(db: Database, root: Ref): ListWalk {
    return new ListWalk(new ListSequence().open(db.arena, root))
  }

  /** Where a new run begins that is behind, or before, all elements of a list. */
  anchorBeyond(db: Database, root: Ref, atBegin: boolean): number {
    const sequence = this.open(db, root)
    return atBegin ? sequence.chunks.topAnchor(sequence.first()) - 1 : sequence.chunks.topAnchor(sequence.last()) + 1
  }

  /** Gives the first or the last element of a list that has one to a sink: what a pop returns. */
  readEdge(db: Database, root: Ref, first: boolean, sink: ElementSink): void {
    const sequence = this.open(db, root)
    const { chunks } = sequence
    const chunk = first ? sequence.first() : sequence.last()
    const u8 = db.arena.u8[chunk >>> CHUNK_SHIFT]
    const at = first ? chunks.begin(chunk) : entryBefore(u8, chunks.end(chunk))
    if (isApart(u8, at)) this.read(db, root, first ? 0 : sequence.length - 1, 1, false, sink)
    else sink.bulk(u8, valueOffset(u8, at), valueLength(u8, at))
  }

  /** Gives `count` elements to a sink, from a rank on in the order of the list, or backwards. There must be as many. */
  read(db: Database, root: Ref, rank: number, count: number, backwards: boolean, sink: ElementSink): void {
    if (count === 0) return
    this.open(db, root)
    const { walk } = this
    walk.seek(rank)
    if (!backwards) {
      let left = count
      do left = walk.giveChunk(left, sink)
      while (left > 0)
      return
    }
    sink.bulk(walk.buf, walk.off, walk.len)
    for (let left = count - 1; left > 0; left--) {
      walk.previous()
      sink.bulk(walk.buf, walk.off, walk.len)
    }
  }

  /**
   * Looks for elements equal to a value, from the beginning or the end, among the first `looks` elements. `found` is told the rank of each and says
   * whether to go on.
   */
  search(
    db: Database,
    root: Ref,
    value: Uint8Array,
    off: number,
    len: number,
    backwards: boolean,
    looks: number,
    found: (rank: number) => boolean,
  ): void {
    const { length } = this.open(db, root)
    const { walk } = this
    walk.seek(backwards ? length - 1 : 0)
    const most = Math.min(looks, length)
    for (let i = 0; i < most; i++) {
      if (walk.len === len && equalBytes(walk.buf, walk.off, value, off, len)) {
        if (!found(backwards ? length - 1 - i : i)) return
      }
      if (backwards) walk.previous()
      else walk.next()
    }
  }

  private open(db: Database, root: Ref): ListSequence {
    return this.sequence.open(db.arena, root)
  }
}

/** The elements of a list as views, good until it changes. With a walk of its own: others may go on meanwhile. */
function* elementsOf(arena: Arena, root: Ref): Iterable<Uint8Array> {
  const walk = new ListWalk(new ListSequence().open(arena, root))
  walk.seek(0)
  do yield walk.buf.subarray(walk.off, walk.off + walk.len)
  while (walk.next())
}

/** Bytes of an entry in a listpack; numbers, which take fewer, count as text. */
function listpackBytes(length: number): number {
  const head = length < 64 ? 1 : length < 4096 ? 2 : 5
  const body = head + length
  return body + (body < 128 ? 1 : body < 16_384 ? 2 : 3)
}

/** Writes a run of this member's own into an op that is being built, in one effect after the other: all of a new list, or what is pushed at an end of one. */
export class RunWriter implements ElementSink {
  count = 0
  /** Effects of the op before the first of this run. */
  private firstEffect = 0

  constructor(
    private readonly op: OpBuilder,
    private readonly self: number,
    private readonly to: KeyPlace,
    private readonly anchor = 0,
    /** Index of the first element that bulk gets. At the beginning of a list it is negative, as is that of a push there. */
    private readonly firstIndex = 0,
  ) {}

  bulk(buf: Uint8Array, off: number, len: number): void {
    if (this.count === 0 || this.op.isFull) this.begin(this.firstIndex + this.count)
    this.op.add().range(buf, off, len)
    this.count++
  }

  /** Puts some values, arguments `first` and those that follow, one after the other before those that were put before. Gives the argument behind them. */
  pushBefore({ buf, off, len }: ByteRanges, first: number, end: number): number {
    let bytes = 0
    let last = first
    for (; last < end && last - first < LIMITS.copyEffectElements && bytes < LIMITS.copyEffectBytes; last++) bytes += len[last]
    this.begin(first - last + 1 - this.count)
    for (let i = last - 1; i >= first; i--) this.op.add().range(buf, off[i], len[i])
    this.count += last - first
    return last
  }

  /** Begins an effect with the elements from an index on. */
  private begin(index: number): void {
    const { op, to } = this
    const head = op.begin(EffectType.listInsert, to.database, to.key, to.off, to.len)
    if (this.count === 0) this.firstEffect = op.effects
    // One level: anchor, the run that the first effect begins, index.
    head.varint(1)
    head.varint(zigzag(this.anchor))
    head.u8(this.self)
    head.varint(op.effects - this.firstEffect)
    head.varint(zigzag(index))
  }
}
