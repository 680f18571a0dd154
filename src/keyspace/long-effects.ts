import { assert } from '../base/assert.js'
import type { MemberId } from '../base/ids.js'
import { LIMITS } from '../base/limits.js'
import { EffectType, HAS_RESETS, SET_EXPIRY_GIVEN, SET_EXPIRY_KEPT } from '../crdt/effect-reader.js'
import { writeResets, type OpBuilder } from '../crdt/op-builder.js'
import { resetsOf } from '../crdt/string-state.js'
import type { Ref } from '../memory/arena.js'
import { ByteList } from '../rdb/byte-list.js'
import type { RdbValue } from '../rdb/value.js'
import type { KeyPlace } from './collection-store.js'
import { KeyType, type Database } from './database.js'
import type { Effects } from './effects.js'
import type { Keys } from './keys.js'
import { FieldsWriter } from './hash-store.js'
import type { Keyspace } from './keyspace.js'
import { RunWriter } from './list-store.js'
import { MembersWriter } from './set-store.js'
import { StreamRestore } from './stream-restore.js'
import { ExpiryMode, type StringStore } from './string-store.js'
import { ScoresWriter } from './zset-store.js'

/**
 * The effects on keys as a whole, written into an op that is being built: what Effects writes and applies at once is written here without being applied,
 * a step at a time. What is there must not change from the first step until the op is applied.
 */
export class LongEffects {
  constructor(
    private readonly self: MemberId,
    private readonly keyspace: Keyspace,
    private readonly strings: StringStore,
    private readonly effects: Effects,
    private readonly keys: Keys,
  ) {}

  /** False where only Effects can say what a removal of the key must: it may hold several types, or in a mesh a HyperLogLog. */
  canRemove({ database, key, off, len }: KeyPlace): boolean {
    const db = this.keyspace.database(database)
    if (db.mayHide(key, off, len)) return false
    const ref = db.lookup(key, off, len)
    return ref === 0 || this.effects.solo || db.type(ref) !== KeyType.hll
  }

  /** No lower than the stamp of anything that is here, and lower than those that an op which is being built will have. */
  get highestStamp(): number {
    return this.effects.highestStamp
  }

  /** Elements that a removal of the key has to look at, about. */
  removalLooks(db: Database, ref: Ref): number {
    return this.keys.stores[db.type(ref)]?.removalLooks?.(db, db.root(ref)) ?? 0
  }

  /** True for types that can be copied a step at a time. */
  canCopy(type: number): boolean {
    return this.keys.stores[type]?.buildCopy !== undefined
  }

  /** As Effects.remove; also of a key of which nothing is here, because other members may have old expiries of it. */
  *remove(op: OpBuilder, at: KeyPlace): Generator<undefined, void> {
    const { database, key, off, len } = at
    const db = this.keyspace.database(database)
    const ref = db.lookup(key, off, len)
    if (ref === 0 && this.effects.solo) return
    const type = ref === 0 ? KeyType.none : db.type(ref)
    const store = this.keys.stores[type]
    if (store?.buildBeforeRemove !== undefined) yield* store.buildBeforeRemove(db, db.root(ref), op, at)
    const resets = type === KeyType.string && this.strings.hasContributions(db, ref) ? resetsOf(this.strings.load(db, ref)) : []
    const effect = op.begin(EffectType.remove, database, key, off, len)
    effect.u8(resets.length > 0 ? HAS_RESETS : 0)
    if (resets.length > 0) writeResets(effect, resets)
  }

  /** True when setString needs nothing else: the key holds a string, or nothing. */
  mayHoldString({ database, key, off, len }: KeyPlace): boolean {
    const db = this.keyspace.database(database)
    const ref = db.lookup(key, off, len)
    return ref === 0 || db.type(ref) === KeyType.string || db.type(ref) === KeyType.none
  }

  /**
   * As Effects.setString, of a key that canRemove allows; behind `remove` unless mayHoldString. isVisible: it has a value. at: Unix ms, read when mode is
   * ExpiryMode.set.
   */
  setString(
    op: OpBuilder,
    to: KeyPlace,
    isVisible: boolean,
    value: Uint8Array,
    off: number,
    len: number,
    mode: number,
    at: number,
  ): void {
    const db = this.keyspace.database(to.database)
    const ref = db.lookup(to.key, to.off, to.len)
    const type = ref === 0 ? KeyType.none : db.type(ref)
    let effectiveMode = mode === ExpiryMode.keep && !isVisible ? ExpiryMode.clear : mode
    let time = at
    if (effectiveMode === ExpiryMode.keep && type !== KeyType.string) {
      // What the key holds goes as a whole, so its expiry is written anew.
      time = db.expiresAt(ref)
      effectiveMode = time === Infinity ? ExpiryMode.clear : ExpiryMode.set
    }
    const resets = type === KeyType.string && this.strings.hasContributions(db, ref) ? resetsOf(this.strings.load(db, ref)) : []
    const effect = op.begin(EffectType.setString, to.database, to.key, to.off, to.len)
    const expiry = effectiveMode === ExpiryMode.set ? SET_EXPIRY_GIVEN : effectiveMode === ExpiryMode.keep ? SET_EXPIRY_KEPT : 0
    effect.u8(expiry | (resets.length > 0 ? HAS_RESETS : 0))
    effect.range(value, off, len)
    if (effectiveMode === ExpiryMode.set) effect.f64(time)
    if (resets.length > 0) writeResets(effect, resets)
  }

  /** Writes a value of a type that can be copied to a key that has been removed. */
  *write(op: OpBuilder, value: RdbValue, to: KeyPlace): Generator<undefined, void> {
    const elements = elementsOf(value)
    const push = this.writerOf(op, value, to)
    for (let i = 0; i < elements.count; i++) {
      push(elements.bytesOf(i), elements.start(i), elements.end(i) - elements.start(i), i)
      if (i % LIMITS.slicedReadStep === 0) yield
    }
  }

  /** Writes a stream to a key that has been removed: its entries first, one after the other. */
  restoreStream(op: OpBuilder, to: KeyPlace): StreamRestore {
    return new StreamRestore(op, to, this.self, this.keyspace.nowMs)
  }

  /** As Effects.expire. at: Unix ms. */
  expire(op: OpBuilder, { database, key, off, len }: KeyPlace, at: number): void {
    op.begin(EffectType.expire, database, key, off, len).f64(at)
  }

  /** Writes the visible value of a record, and its expiry, to another key: first that is removed. */
  *copy(op: OpBuilder, from: Database, ref: Ref, to: KeyPlace): Generator<undefined, void> {
    const at = from.expiresAt(ref)
    const root = from.root(ref)
    const store = this.keys.stores[from.type(ref)]
    yield* this.remove(op, to)
    if (store?.buildCopy !== undefined) yield* store.buildCopy(from, root, op, to)
    if (at !== Infinity) this.expire(op, to, at)
  }

  /** Writes element i of a value. */
  private writerOf(op: OpBuilder, value: RdbValue, to: KeyPlace): (buf: Uint8Array, off: number, len: number, i: number) => void {
    switch (value.type) {
      case 'set': {
        const writer = new MembersWriter(op, EffectType.setAdd, to)
        return (buf, off, len) => writer.push(buf, off, len)
      }
      case 'zset': {
        const writer = new ScoresWriter(op, to)
        return (buf, off, len, i) => writer.push(buf, off, len, value.scores[i])
      }
      case 'list': {
        const writer = new RunWriter(op, this.self, to)
        return (buf, off, len) => writer.bulk(buf, off, len)
      }
      case 'hash': {
        const writer = new FieldsWriter(op, to)
        const { values, expiries } = value
        return (buf, off, len, i) => {
          const at = expiries === null || expiries[i] === 0 ? Infinity : expiries[i]
          writer.push(buf, off, len, values.bytesOf(i), values.start(i), values.end(i) - values.start(i), at)
        }
      }
      case 'string':
      case 'stream':
    }
    assert(false, 'a value of a type that is not written in steps')
  }
}

/** What a value is made of: of a hash its fields. */
export function elementsOf(value: RdbValue): ByteList {
  switch (value.type) {
    case 'set':
    case 'zset':
      return value.members
    case 'list':
      return value.elements
    case 'hash':
      return value.fields
    case 'string':
    case 'stream':
      return new ByteList()
  }
}
