import { ByteWriter } from '../base/byte-stream.js'
import { LIMITS } from '../base/limits.js'
import type { ApplyContext } from '../crdt/apply-context.js'
import { EffectType, HAS_RESETS } from '../crdt/effect-reader.js'
import type { ScoreReset } from '../crdt/score-state.js'
import type { Ref } from '../memory/arena.js'
import type { StoreEnvironment } from './collections.js'
import type { Database } from './database.js'
import type { Effects } from './effects.js'
import type { Keyspace } from './keyspace.js'
import type { ZsetStore } from './zset-store.js'

/**
 * This member's own writes to one sorted set at a time: begin, then any of put, remove, increment for its members, then end. Changes are made
 * at once; what they write of one kind goes into one effect, whose payload is gathered here because the number of members stands first. An effect is
 * opened by its first member, so a command that changes nothing writes nothing.
 *
 * A dot identifies a write to one member, so a member that comes a second time begins another effect.
 */
export class ZsetWriter {
  /** The set as it is now. */
  root: Ref = 0
  private db!: Database
  private database = 0
  private key: Uint8Array = new Uint8Array(0)
  private keyOff = 0
  private keyLen = 0
  /** Type of the open effect, 0 for none. */
  private open = 0
  private hasResets = false
  private count = 0
  private readonly payload = new ByteWriter()
  private readonly self: number
  private readonly keyspace: Keyspace
  private readonly context: ApplyContext
  private readonly effects: Effects

  constructor(
    environment: StoreEnvironment,
    private readonly store: ZsetStore,
  ) {
    this.self = environment.self
    this.keyspace = environment.keyspace
    this.context = environment.context
    this.effects = environment.effects
  }

  /** root: the set that clients see under the key, 0 for none. The key's bytes must stay until end. */
  begin(database: number, key: Uint8Array, keyOff: number, keyLen: number, root: Ref): void {
    this.db = this.keyspace.database(database)
    this.database = database
    this.key = key
    this.keyOff = keyOff
    this.keyLen = keyLen
    this.root = root
  }

  /** A member's score now, NaN if it is not there. What is done next with the same member begins from here. */
  look(buf: Uint8Array, off: number, len: number): number {
    return this.store.locate(this.db, this.root, buf, off, len)
  }

  /** Writes a score. A write that changes nothing is one still in a mesh: it wins over a removal that another member makes at the same time. */
  put(buf: Uint8Array, off: number, len: number, score: number): void {
    this.write(buf, off, len, score, this.look(buf, off, len))
  }

  /** As put, right after a look at the member, which gave `before`. */
  write(buf: Uint8Array, off: number, len: number, score: number, before: number): void {
    const { store } = this
    if (before === score && this.effects.solo && store.locatedIsPlain) return
    if (this.open !== 0 && (this.isWritten() || this.isFull(EffectType.zsetAdd))) this.close()
    if (this.open === 0) this.openEffect(EffectType.zsetAdd, buf, off, len)
    const resets = store.locatedResets()
    this.payload.range(buf, off, len)
    this.payload.f64(score)
    if (this.hasResets) this.putResets(resets)
    this.count++
    this.root = store.putScore(this.root, buf, off, len, score, resets)
  }

  /** Removes a member; false if it is not there. */
  remove(buf: Uint8Array, off: number, len: number): boolean {
    const { store } = this
    const before = this.look(buf, off, len)
    if (before !== before) return false
    if (this.open !== 0 && (this.open !== EffectType.zsetRemove || this.isFull(EffectType.zsetRemove))) this.close()
    if (this.open === 0) this.openEffect(EffectType.zsetRemove, buf, off, len)
    const resets = store.locatedResets()
    this.payload.range(buf, off, len)
    if (this.hasResets) this.putResets(resets)
    this.count++
    this.root = store.removeLocated(this.root, resets)
    return true
  }

  /**
   * Adds to a score right after a look at it, which gave `before`; a member that is not there counts as 0. The sum must be a number. Gives the score
   * that is visible then.
   */
  increment(buf: Uint8Array, off: number, len: number, n: number, before: number): number {
    const { store, effects } = this
    const isThere = before === before
    const sum = isThere ? before + n : n
    if (effects.solo && (!isThere || store.locatedIsPlain)) {
      this.write(buf, off, len, sum, before)
      return sum
    }
    let epoch = store.locatedEpoch(this.self)
    const totalBefore = epoch === 0 ? 0 : store.locatedTotal
    const total = totalBefore + n
    if (!Number.isFinite(total)) {
      this.write(buf, off, len, sum, before)
      return sum
    }
    if (this.open !== 0) this.close()
    this.openEffect(EffectType.zsetIncrement, buf, off, len)
    if (epoch === 0) epoch = this.context.stamp
    const { writer } = effects
    writer.putBlock(buf, off, len)
    writer.putFloat64(epoch)
    writer.putFloat64(total)
    writer.putFloat64(totalBefore)
    this.root = store.incrementLocated(this.root, buf, off, len, epoch, total, totalBefore)
    this.open = 0
    effects.closeCollection(this.root)
    return store.score(this.db, this.root, buf, off, len)
  }

  /** Ends what begin began. */
  end(): void {
    if (this.open !== 0) this.close()
  }

  /** Removes the members that have contributions, saying what is seen of them: before the whole key is removed. */
  removeContributed(db: Database, root: Ref, database: number, key: Uint8Array, keyOff: number, keyLen: number): void {
    this.begin(database, key, keyOff, keyLen, root)
    this.store.eachContributed(db, root, (off, len, buf) => this.remove(buf, off, len))
    this.end()
  }

  /** The located member was written by the open effect. */
  private isWritten(): boolean {
    return this.store.locatedHasDot(this.root, this.self, this.context.stamp)
  }

  private isFull(type: number): boolean {
    return this.open !== type || this.count >= LIMITS.copyEffectElements
  }

  /** Opens an effect, and locates the member again if what the key holds changed by that. */
  private openEffect(type: number, buf: Uint8Array, off: number, len: number): void {
    const before = this.root
    const root = this.effects.openCollection(type, this.database, this.key, this.keyOff, this.keyLen)
    this.root = root
    // What was hidden under the key has been removed: that may have looked for other members.
    if (root !== before || root === 0) this.store.locate(this.db, root, buf, off, len)
    this.open = type
    this.hasResets = this.store.contributed(this.db, root) > 0
    this.count = 0
    this.payload.reset()
  }

  private close(): void {
    const { writer } = this.effects
    writer.putByte(this.hasResets ? HAS_RESETS : 0)
    writer.putVarint(this.count)
    writer.putRaw(this.payload.bytes, 0, this.payload.length)
    this.open = 0
    this.effects.closeCollection(this.root, !this.store.isUnsettled(this.db, this.root))
  }

  private putResets(resets: readonly ScoreReset[]): void {
    const { payload } = this
    payload.varint(resets.length)
    for (const { member, epoch, stamp, total } of resets) {
      payload.u8(member)
      payload.f64(epoch)
      payload.f64(stamp)
      payload.f64(total)
    }
  }
}
