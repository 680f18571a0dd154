import { NotificationClass } from '../base/notification-classes.js'
import type { ApplyContext } from '../crdt/apply-context.js'
import { LIMITS } from '../base/limits.js'
import { EffectType, HAS_RESETS, type EffectReader } from '../crdt/effect-reader.js'
import type { OpBuilder } from '../crdt/op-builder.js'
import {
  applyScore,
  applyScoreIncrement,
  applyScoreRemoval,
  emptyScoreState,
  isPresent,
  NO_SCORE_RESETS,
  scoreResetsOf,
  type ScoreReset,
} from '../crdt/score-state.js'
import { CHUNK_SHIFT, type Arena, type Ref } from '../memory/arena.js'
import { ByteList } from '../rdb/byte-list.js'
import type { RdbValue } from '../rdb/value.js'
import { assert } from '../base/assert.js'
import { latin1 } from '../base/bytes.js'
import type { CollectionStore, KeyEvent, KeyPlace } from './collection-store.js'
import type { StoreEnvironment } from './collections.js'
import { DEFAULT_COMPACT_LIMITS, packedElementBytes, packedElements, type CompactLimits } from './compact-limits.js'
import { KeyType, type Database } from './database.js'
import type { Hash64 } from './hash64.js'
import { LOOK_AHEAD_FROM, type KeysAhead } from './keys-ahead.js'
import type { Keyspace } from './keyspace.js'
import type { CollectionState } from './state/collection-state.js'
import { ZsetState } from './state/zset-state.js'
import { ZsetCursor } from './zset-cursor.js'
import type { ZsetForms } from './zset-forms.js'
import { ZsetReader } from './zset-reader.js'
import { ZsetWriter } from './zset-writer.js'

/**
 * Sorted sets: an observed-remove map from members to scores, which are registers with counter contributions (crdt/score-state). Add wins over a
 * concurrent removal, the later of two scores is visible, increments add up; a score that is written resets the increments that its writer had seen.
 *
 * A member is there while any of its state is; nothing is kept of one that was removed. The visible score is stored with each member, and the members
 * are kept in its order, so reading never looks at what it is made of.
 *
 * Small sets of plain members (one register each) are packed (packed-zset), all others are large (large-zset). Both ways must mean the same; what is
 * plain and wholly observed is changed in place, everything else goes through the rules of score-state.
 */
export class ZsetStore extends ZsetReader implements CollectionStore {
  readonly type = KeyType.zset
  readonly state: CollectionState
  /** Writes of this member. */
  readonly writer: ZsetWriter
  /** Apart from the writer, because a write may begin with the removal of what is due. */
  private readonly remover: ZsetWriter
  private readonly keyspace: Keyspace
  private readonly context: ApplyContext
  private readonly walk = new ZsetCursor()
  /** What locate found: the forms, the index in a packed set (-1: not there), the record in a large one (0: not there). */
  private forms!: ZsetForms
  private index = -1
  private ref: Ref = 0
  /** Where Redis' listpacks end, and where packed sets do. */
  private compactMembers = 0
  private compactBytes = 0
  private packedMembers = 0
  private packedBytes = 0

  constructor(environment: StoreEnvironment) {
    super(environment.keyspace.hashSeed)
    this.keyspace = environment.keyspace
    this.context = environment.context
    this.state = new ZsetState({
      store: this,
      keyspace: environment.keyspace,
      formsOf: this.formsOf,
      fitsPacked: (count, len) => count < this.packedMembers && len <= this.packedBytes,
      isCompact: (count, len) => count <= this.compactMembers && len <= this.compactBytes,
    })
    this.writer = new ZsetWriter(environment, this)
    this.remover = new ZsetWriter(environment, this)
    this.configure(DEFAULT_COMPACT_LIMITS)
  }

  /** Settings; what is there changes its form when it is added to next. */
  configure(limits: CompactLimits): void {
    this.compactMembers = limits.zsetMaxListpackEntries
    this.compactBytes = limits.zsetMaxListpackValue
    this.packedMembers = packedElements(this.compactMembers)
    this.packedBytes = packedElementBytes(this.compactBytes)
  }

  /** Looks a member up for a change by one of the methods below, which must come next. Gives its score, NaN if it is not there. */
  locate(db: Database, root: Ref, buf: Uint8Array, off: number, len: number): number {
    const forms = this.formsOf.of(db.arena)
    this.forms = forms
    this.index = -1
    this.ref = 0
    if (root === 0) return NaN
    if (forms.isPacked(root)) {
      this.index = forms.packed.find(root, buf, off, len)
      return this.index < 0 ? NaN : forms.packed.score(root, this.index)
    }
    this.ref = forms.large.find(root, buf, off, len)
    return this.ref === 0 ? NaN : forms.large.score(this.ref)
  }

  /** Contributions of the located member, as a write or removal must reset them. */
  locatedResets(): readonly ScoreReset[] {
    const { ref, forms } = this
    if (ref === 0 || !forms.large.hasContributions(ref)) return NO_SCORE_RESETS
    return scoreResetsOf(forms.large.load(ref))
  }

  /** True when the located member is there with nothing but one register. */
  get locatedIsPlain(): boolean {
    return this.index >= 0 || (this.ref !== 0 && this.forms.large.isPlain(this.ref))
  }

  /** True when the located member's newest register has this dot. */
  locatedHasDot(root: Ref, member: number, stamp: number): boolean {
    const { forms, index, ref } = this
    if (index >= 0) return forms.packed.dotStamp(root, index) === stamp && forms.packed.dotMember(root, index) === member
    return ref !== 0 && forms.large.dotStamp(ref) === stamp && forms.large.dotMember(ref) === member
  }

  /** Epoch of a replica's contribution to the located member, 0 for none; its total is in locatedTotal. */
  locatedEpoch(member: number): number {
    return this.ref === 0 ? 0 : this.forms.large.contributionEpoch(this.ref, member)
  }

  get locatedTotal(): number {
    return this.forms.large.foundTotal
  }

  /** Members of a set that have contributions. */
  contributed(db: Database, root: Ref): number {
    if (root === 0) return 0
    const forms = this.formsOf.of(db.arena)
    return forms.isPacked(root) ? 0 : forms.large.contributed(root)
  }

  /** Writes a score to the located member, or adds it. Gives the root. */
  putScore(root: Ref, buf: Uint8Array, off: number, len: number, score: number, resets: readonly ScoreReset[]): Ref {
    const { forms, context, index } = this
    const { packed, large } = forms
    const { origin, stamp } = context
    let to = root
    if (root === 0) {
      if (len <= this.packedBytes && this.packedMembers > 0) {
        return packed.insert(packed.create(origin, stamp), buf, off, len, score, origin, stamp)
      }
      to = large.create()
    } else if (forms.isPacked(root)) {
      if (index < 0) {
        if (len <= this.packedBytes && packed.count(root) < this.packedMembers) {
          return packed.insert(root, buf, off, len, score, origin, stamp)
        }
      } else if (this.coversPacked(root, index)) {
        return packed.setScore(root, index, score, origin, stamp)
      }
      to = this.unpack(root, buf, off, len)
    }
    const { ref } = this
    if (ref === 0) {
      large.insert(to, buf, off, len, score, origin, stamp)
      this.noteAdded(to, len)
    } else if (large.isPlain(ref) && context.covers(large.dotMember(ref), large.dotStamp(ref))) {
      large.setPlain(to, ref, score, origin, stamp)
    } else {
      const state = large.load(ref)
      applyScore(state, context, score, resets)
      large.store(to, ref, state)
    }
    return to
  }

  /** A member was added to a large set: Redis, which would keep it as a listpack up to here, may not any more. */
  private noteAdded(root: Ref, len: number): void {
    const { large } = this.forms
    if (large.isSkiplist(root)) return
    if (len > this.compactBytes || large.count(root) > this.compactMembers) large.setSkiplist(root)
  }

  /** Removes what the origin had observed of the located member. Gives the root, 0 when that was all. */
  removeLocated(root: Ref, resets: readonly ScoreReset[]): Ref {
    const { forms, context, index, ref } = this
    const { packed, large } = forms
    if (index >= 0) return this.coversPacked(root, index) ? packed.remove(root, index) : root
    if (ref === 0) return root
    if (large.isPlain(ref)) {
      if (!context.covers(large.dotMember(ref), large.dotStamp(ref))) return root
      large.remove(root, ref)
    } else {
      const state = large.load(ref)
      applyScoreRemoval(state, context, resets)
      if (isPresent(state)) large.store(root, ref, state)
      else large.remove(root, ref)
    }
    return this.dropEmpty(root)
  }

  /** Takes an increment of the located member over. Gives the root. */
  incrementLocated(root: Ref, buf: Uint8Array, off: number, len: number, epoch: number, total: number, before: number): Ref {
    const { forms, context } = this
    const { large } = forms
    let to = root
    if (root === 0) to = large.create()
    else if (forms.isPacked(root)) to = this.unpack(root, buf, off, len)
    const { ref } = this
    if (ref !== 0 && large.increment(to, ref, context, epoch, total)) return to
    const state = ref === 0 ? emptyScoreState() : large.load(ref)
    applyScoreIncrement(state, context, epoch, total, before)
    if (ref === 0) {
      large.insertState(to, buf, off, len, state)
      this.noteAdded(to, len)
    } else {
      large.store(to, ref, state)
    }
    return to
  }

  check(effect: EffectReader): void {
    if (effect.type === EffectType.zsetIncrement) {
      effect.block()
      readIncrement(effect)
      return
    }
    if (effect.type !== EffectType.zsetAdd && effect.type !== EffectType.zsetRemove) {
      effect.fail(`effect type ${effect.type} is not known to this version`)
      return
    }
    const flags = effect.byte()
    if ((flags & ~HAS_RESETS) !== 0) effect.fail('a sorted set effect with unknown flags')
    let count = effect.varint()
    if (count === 0) effect.fail('a sorted set effect without members')
    for (; count > 0 && effect.error === null; count--) {
      effect.block()
      if (effect.type === EffectType.zsetAdd && Number.isNaN(effect.float64())) effect.fail('a score that is no number')
      if ((flags & HAS_RESETS) !== 0) readScoreResets(effect)
    }
  }

  apply(db: Database, root: Ref, effect: EffectReader): Ref {
    let to = root
    const { bytes } = effect
    if (effect.type === EffectType.zsetIncrement) {
      effect.block()
      const { valueOff, valueLen } = effect
      readIncrement(effect)
      this.locate(db, to, bytes, valueOff, valueLen)
      return this.incrementLocated(to, bytes, valueOff, valueLen, increment.epoch, increment.total, increment.before)
    }
    const adds = effect.type === EffectType.zsetAdd
    const hasResets = (effect.byte() & HAS_RESETS) !== 0
    let count = effect.varint()
    // As sets and hashes: where many more are likely to follow, it is made large at once.
    if (adds && effect.isOneOfMany(count)) to = this.formsOf.of(db.arena).asLarge(to)
    for (; count > 0; count--) {
      effect.block()
      const { valueOff, valueLen } = effect
      const score = adds ? effect.float64() : 0
      const resets = hasResets ? readScoreResets(effect) : NO_SCORE_RESETS
      this.locate(db, to, bytes, valueOff, valueLen)
      to = adds ? this.putScore(to, bytes, valueOff, valueLen, score, resets) : this.removeLocated(to, resets)
    }
    return to
  }

  remove(db: Database, root: Ref): Ref {
    if (root === 0) return 0
    const forms = this.formsOf.of(db.arena)
    this.forms = forms
    const { context } = this
    const { packed, large } = forms
    if (forms.isPacked(root)) {
      if (context.local) {
        db.arena.free(root)
        return 0
      }
      let to = root
      for (let i = packed.count(root) - 1; i >= 0; i--) if (this.coversPacked(to, i)) to = packed.remove(to, i)
      return to
    }
    if (large.isAllCovered(root, context)) {
      this.keyspace.reclaimer.add(db.arena, this, root)
      return 0
    }
    let to = root
    let cursor = 0
    do {
      cursor = large.scan(root, cursor)
      this.index = -1
      this.ref = large.scanned
      to = this.removeLocated(root, NO_SCORE_RESETS)
    } while (cursor !== 0 && to !== 0)
    return to
  }

  beforeRemove(db: Database, root: Ref, database: number, key: Uint8Array, keyOff: number, keyLen: number): void {
    if (this.contributed(db, root) > 0) this.remover.removeContributed(db, root, database, key, keyOff, keyLen)
  }

  /** Calls back with each member that has contributions; it may remove that one. */
  eachContributed(db: Database, root: Ref, visit: (off: number, len: number, buf: Uint8Array) => void): void {
    const { large } = this.formsOf.of(db.arena)
    let cursor = 0
    let left = large.contributed(root)
    do {
      cursor = large.scan(root, cursor)
      const ref = large.scanned
      if (ref === 0 || !large.hasContributions(ref)) continue
      left--
      visit(large.memberOff(ref), large.memberLen(ref), db.arena.u8[ref >>> CHUNK_SHIFT])
    } while (cursor !== 0 && left > 0)
  }

  isVisible(_db: Database, root: Ref): boolean {
    return root !== 0
  }

  newestDot(db: Database, root: Ref): { readonly member: number; readonly stamp: number } {
    const forms = this.formsOf.of(db.arena)
    const { packed, large } = forms
    let newest = { member: 0, stamp: 0 }
    const note = (member: number, stamp: number) => {
      if (stamp > newest.stamp || (stamp === newest.stamp && member > newest.member)) newest = { member, stamp }
    }
    if (forms.isPacked(root)) {
      for (let i = packed.count(root) - 1; i >= 0; i--) note(packed.dotMember(root, i), packed.dotStamp(root, i))
      return newest
    }
    let cursor = 0
    do {
      cursor = large.scan(root, cursor)
      const ref = large.scanned
      if (ref === 0) continue
      if (large.isPlain(ref)) {
        note(large.dotMember(ref), large.dotStamp(ref))
      } else {
        const { registers, contributions } = large.load(ref)
        for (const { member, stamp } of registers) note(member, stamp)
        for (const { member, stamp } of contributions) note(member, stamp)
      }
    } while (cursor !== 0)
    return newest
  }

  isUnsettled(db: Database, root: Ref): boolean {
    const forms = this.formsOf.of(db.arena)
    return root !== 0 && !forms.isPacked(root) && forms.large.hasConflicts(root)
  }

  settle(db: Database, root: Ref): Ref {
    if (this.isUnsettled(db, root)) this.formsOf.of(db.arena).large.settle(root, this.keyspace.stability, SETTLE_MEMBERS)
    return root
  }

  lookAhead(db: Database, root: Ref, ahead: KeysAhead): void {
    const forms = this.formsOf.of(db.arena)
    if (!forms.isPacked(root) && forms.large.count(root) >= LOOK_AHEAD_FROM) forms.large.lookAhead(root, ahead)
  }

  free(arena: Arena, root: Ref, budget: number): Ref {
    if (root === 0) return 0
    const forms = this.formsOf.of(arena)
    if (forms.isPacked(root)) {
      arena.free(root)
      return 0
    }
    return forms.large.free(root, budget) ? 0 : root
  }

  bytes(arena: Arena, root: Ref, samples: number): number {
    const forms = this.formsOf.of(arena)
    if (forms.isPacked(root)) return arena.sizeOf(root)
    const { large } = forms
    const count = large.count(root)
    const looks = samples === 0 ? count : Math.min(samples, count)
    if (looks === 0) return large.fixedBytes(root)
    let bytes = 0
    let cursor = 0
    for (let looked = 0; looked < looks; looked++) {
      cursor = large.scan(root, cursor)
      bytes += large.recordBytes(large.scanned)
    }
    return large.fixedBytes(root) + Math.round((bytes / looks) * count)
  }

  encoding(db: Database, root: Ref): string {
    const forms = this.formsOf.of(db.arena)
    return forms.isPacked(root) || !forms.large.isSkiplist(root) ? 'listpack' : 'skiplist'
  }

  digest(hash: Hash64, db: Database, root: Ref): number {
    let size = 0
    for (const bytes of this.hashMembers(hash, db, root, this.walk)) size += bytes
    return size
  }

  digestSteps(hash: Hash64, db: Database, root: Ref): Generator<number, void> {
    return this.hashMembers(hash, db, root, new ZsetCursor())
  }

  /** Gives the bytes hashed every now and then. */
  private *hashMembers(hash: Hash64, db: Database, root: Ref, to: ZsetCursor): Generator<number, void> {
    hash.number(this.size(db, root))
    let bytes = 0
    const cursor = this.seek(db, root, 0, to)
    do {
      hash.number(cursor.len)
      hash.bytes(cursor.buf, cursor.off, cursor.len)
      doubles[0] = cursor.score
      hash.number(halves[0])
      hash.number(halves[1])
      bytes += cursor.len + 16
      if (bytes >= LIMITS.digestStepBytes) {
        yield bytes
        bytes = 0
      }
    } while (cursor.step(true))
    yield bytes
  }

  toRdb(db: Database, root: Ref): RdbValue {
    const count = this.size(db, root)
    const members = new ByteList()
    const scores = new Float64Array(count)
    const cursor = this.seek(db, root, 0, this.walk)
    for (let i = 0; i < count; i++) {
      members.push(cursor.buf, cursor.off, cursor.len)
      scores[i] = cursor.score
      cursor.step(true)
    }
    return { type: 'zset', members, scores }
  }

  writeRdb(value: RdbValue, database: number, key: Uint8Array, keyOff: number, keyLen: number): void {
    assert(value.type === 'zset', 'a value of another type for a sorted set')
    const { writer } = this
    writer.begin(database, key, keyOff, keyLen, 0)
    for (let i = 0; i < value.members.count; i++) {
      const member = value.members.at(i)
      writer.put(member, 0, member.length, value.scores[i])
    }
    writer.end()
  }

  copy(db: Database, root: Ref, database: number, key: Uint8Array, keyOff: number, keyLen: number): void {
    const { writer } = this
    const cursor = this.seek(db, root, 0, this.walk)
    writer.begin(database, key, keyOff, keyLen, 0)
    do writer.put(cursor.buf, cursor.off, cursor.len, cursor.score)
    while (cursor.step(true))
    writer.end()
  }

  *buildCopy(db: Database, root: Ref, op: OpBuilder, to: KeyPlace): Generator<undefined, void> {
    const writer = new ScoresWriter(op, to)
    const cursor = this.seek(db, root, 0, new ZsetCursor())
    for (let looked = 1; ; looked++) {
      writer.push(cursor.buf, cursor.off, cursor.len, cursor.score)
      if (!cursor.step(true)) return
      if (looked % LIMITS.slicedReadStep === 0) yield
    }
  }

  /** Writes the removal of the members of ranks from .. to-1, which there must be, into an op that is being built. */
  *buildRemoval(db: Database, root: Ref, from: number, to: number, op: OpBuilder, at: KeyPlace): Generator<undefined, void> {
    const hasResets = this.contributed(db, root) > 0
    const remover = new ScoreRemover(op, at, hasResets)
    const cursor = this.seek(db, root, from, new ZsetCursor())
    for (let left = to - from; left > 0; left--) {
      if (hasResets) this.locate(db, root, cursor.buf, cursor.off, cursor.len)
      remover.push(cursor.buf, cursor.off, cursor.len, hasResets ? this.locatedResets() : NO_SCORE_RESETS)
      cursor.step(true)
      if (left % LIMITS.slicedReadStep === 0) yield
    }
  }

  removalLooks(db: Database, root: Ref): number {
    return this.contributed(db, root)
  }

  *buildBeforeRemove(db: Database, root: Ref, op: OpBuilder, at: KeyPlace): Generator<undefined, void> {
    if (this.contributed(db, root) === 0) return
    const { large } = this.formsOf.of(db.arena)
    const remover = new ScoreRemover(op, at, true)
    let left = large.contributed(root)
    let cursor = 0
    for (let looked = 1; left > 0; looked++) {
      cursor = large.scan(root, cursor)
      const ref = large.scanned
      if (ref !== 0 && large.hasContributions(ref)) {
        left--
        const bytes = db.arena.u8[ref >>> CHUNK_SHIFT]
        remover.push(bytes, large.memberOff(ref), large.memberLen(ref), scoreResetsOf(large.load(ref)))
      }
      if (cursor === 0) return
      if (looked % LIMITS.slicedReadStep === 0) yield
    }
  }

  eventOf({ type }: EffectReader): KeyEvent | null {
    return EVENTS[type] ?? null
  }

  debug(db: Database, root: Ref, limit: number): string[] {
    const forms = this.formsOf.of(db.arena)
    const { packed, large } = forms
    const lines: string[] = []
    const count = Math.min(limit, forms.size(root))
    const cursor = this.seek(db, root, 0, this.walk)
    for (let i = 0; i < count; i++) {
      const { buf, off, len, score } = cursor
      const name = `${latin1(buf, off, len)} ${score}`
      if (forms.isPacked(root)) {
        lines.push(`${name} dot ${packed.dotMember(root, i)}:${packed.dotStamp(root, i)}`)
      } else {
        const { registers, contributions } = large.load(large.find(root, buf, off, len))
        const parts = [
          ...registers.map((each) => `dot ${each.member}:${each.stamp} score ${each.score}`),
          ...contributions.map(
            (each) =>
              `increments of ${each.member} epoch ${each.epoch} stamp ${each.stamp} total ${each.total} base ${each.base}`,
          ),
        ]
        lines.push(`${name} ${parts.join(', ')}`)
      }
      cursor.step(true)
    }
    return lines
  }

  private coversPacked(root: Ref, i: number): boolean {
    const { context, forms } = this
    if (context.local) return true
    return context.covers(forms.packed.dotMember(root, i), forms.packed.dotStamp(root, i))
  }

  /** Makes a packed set large, and locates the member in it. */
  private unpack(root: Ref, buf: Uint8Array, off: number, len: number): Ref {
    const { forms, index } = this
    const to = forms.unpack(root)
    this.ref = index < 0 ? 0 : forms.large.find(to, buf, off, len)
    this.index = -1
    return to
  }

  private dropEmpty(root: Ref): Ref {
    const { large } = this.forms
    if (large.count(root) > 0) return root
    while (!large.free(root, Infinity));
    return 0
  }
}

/** Writes members with their scores into an op that is being built, as one effect after the other. */
export class ScoresWriter {
  count = 0

  constructor(
    private readonly op: OpBuilder,
    private readonly to: KeyPlace,
  ) {}

  push(buf: Uint8Array, off: number, len: number, score: number): void {
    const { op, to } = this
    if (this.count === 0 || op.isFull) op.begin(EffectType.zsetAdd, to.database, to.key, to.off, to.len).u8(0)
    const element = op.add()
    element.range(buf, off, len)
    element.f64(score)
    this.count++
  }
}

/** The same for removals. */
export class ScoreRemover {
  count = 0

  constructor(
    private readonly op: OpBuilder,
    private readonly at: KeyPlace,
    /** Some members of the set have contributions. */
    private readonly hasResets: boolean,
  ) {}

  push(buf: Uint8Array, off: number, len: number, resets: readonly ScoreReset[]): void {
    const { op, at } = this
    if (this.count === 0 || op.isFull) {
      op.begin(EffectType.zsetRemove, at.database, at.key, at.off, at.len).u8(this.hasResets ? HAS_RESETS : 0)
    }
    const element = op.add()
    element.range(buf, off, len)
    if (this.hasResets) {
      element.varint(resets.length)
      for (const { member, epoch, stamp, total } of resets) {
        element.u8(member)
        element.f64(epoch)
        element.f64(stamp)
        element.f64(total)
      }
    }
    this.count++
  }
}

/** Members with several registers that one settle looks at: well below a millisecond. */
const SETTLE_MEMBERS = 1024

const doubles = new Float64Array(1)
const halves = new Uint32Array(doubles.buffer)

const EVENTS: Readonly<Record<number, KeyEvent>> = {
  [EffectType.zsetAdd]: { kind: NotificationClass.sortedSet, event: 'zadd' },
  [EffectType.zsetRemove]: { kind: NotificationClass.sortedSet, event: 'zrem' },
  [EffectType.zsetIncrement]: { kind: NotificationClass.sortedSet, event: 'zincr' },
}

/** What readIncrement read. */
const increment = { epoch: 0, total: 0, before: 0 }

function readIncrement(effect: EffectReader): void {
  increment.epoch = effect.float64()
  increment.total = effect.float64()
  increment.before = effect.float64()
  if (!(Number.isSafeInteger(increment.epoch) && increment.epoch > 0 && increment.epoch <= effect.stamp)) {
    effect.fail('increment with an impossible epoch')
  }
  if (!Number.isFinite(increment.total) || !Number.isFinite(increment.before)) effect.fail('an increment that is not finite')
}

function readScoreResets(effect: EffectReader): readonly ScoreReset[] {
  const count = effect.varint()
  if (count === 0) return NO_SCORE_RESETS
  const resets: ScoreReset[] = []
  for (let left = count; left > 0 && effect.error === null; left--) {
    const member = effect.byte()
    const epoch = effect.float64()
    const stamp = effect.float64()
    const total = effect.float64()
    if (!(Number.isSafeInteger(epoch) && Number.isSafeInteger(stamp) && epoch > 0 && epoch <= stamp && member > 0)) {
      effect.fail('a reset of an impossible contribution')
    }
    if (!Number.isFinite(total)) effect.fail('a reset of a total that is not finite')
    resets.push({ member, epoch, stamp, total })
  }
  return resets
}
