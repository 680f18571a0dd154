import { EffectType, HAS_RESETS } from '../crdt/effect-reader.js'
import { writeResets, type OpBuilder } from '../crdt/op-builder.js'
import { resetsOf } from '../crdt/string-state.js'
import type { Ref } from '../memory/arena.js'
import type { KeyPlace } from './collection-store.js'
import { KeyType, type Database } from './database.js'
import type { Effects } from './effects.js'
import type { Keys } from './keys.js'
import type { Keyspace } from './keyspace.js'
import type { StringStore } from './string-store.js'

/**
 * The effects on keys as a whole, written into an op that is being built: what Effects writes and applies at once is written here without being applied,
 * a step at a time. What is there must not change from the first step until the op is applied.
 */
export class LongEffects {
  constructor(
    private readonly keyspace: Keyspace,
    private readonly strings: StringStore,
    private readonly effects: Effects,
    private readonly keys: Keys,
  ) {}

  /** False where only Effects can say what a removal of the key must: it holds several types, or in a mesh a stream or a HyperLogLog. */
  canRemove({ database, key, off, len }: KeyPlace): boolean {
    const db = this.keyspace.database(database)
    if (db.hiddenCount > 0) return false
    const ref = db.lookup(key, off, len)
    return ref === 0 || this.effects.solo || (db.type(ref) !== KeyType.stream && db.type(ref) !== KeyType.hll)
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

  /** Writes the visible value of a record, and its expiry, to another key: first that is removed. */
  *copy(op: OpBuilder, from: Database, ref: Ref, to: KeyPlace): Generator<undefined, void> {
    const at = from.expiresAt(ref)
    const root = from.root(ref)
    const store = this.keys.stores[from.type(ref)]
    yield* this.remove(op, to)
    if (store?.buildCopy !== undefined) yield* store.buildCopy(from, root, op, to)
    if (at !== Infinity) op.begin(EffectType.expire, to.database, to.key, to.off, to.len).f64(at)
  }
}
