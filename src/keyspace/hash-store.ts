import { writeInteger } from '../base/bytes.js'
import { addDecimals, decimalOf, decimalToText, printDecimal, type Decimal } from '../base/decimal.js'
import { NotificationClass } from '../base/notification-classes.js'
import {
  EffectType,
  HAS_RESETS,
  REMOVE_DUE,
  SET_EXPIRY_GIVEN,
  SET_EXPIRY_KEPT,
  type EffectReader,
} from '../crdt/effect-reader.js'
import { resetsOf, type Reset } from '../crdt/string-state.js'
import type { Ref } from '../memory/arena.js'
import { HAS_EXTRAS } from '../memory/record.js'
import { ByteList } from '../rdb/byte-list.js'
import type { RdbHash, RdbValue } from '../rdb/value.js'
import { DistinctRanges, type ByteRanges } from './byte-ranges.js'
import type { StoreEnvironment } from './collections.js'
import { KeyType, type Database } from './database.js'
import { MapFlag } from './map-space.js'
import { EMPTY, MapStore } from './map-store.js'
import { MAX_PACKED_BYTES } from './packed-map.js'
import { ExpiryMode, NO_RESETS } from './string-store.js'

/** Redis' hash-max-listpack-entries. */
const MAX_PACKED_FIELDS = 512
const ALL_FLAGS = SET_EXPIRY_GIVEN | SET_EXPIRY_KEPT | HAS_RESETS
/** Elements of a payload, of a copy or of a removal that are written as one effect. */
const EFFECT_ELEMENTS = 1024

/** Hashes: a map whose elements have values, counter contributions and expiries; see MapStore. */
export class HashStore extends MapStore {
  readonly type = KeyType.hash
  /** The fields that a local write is about. */
  private readonly distinct = new DistinctRanges()
  private readonly digits = new Uint8Array(24)

  constructor(environment: StoreEnvironment) {
    super(environment, true)
  }

  check(effect: EffectReader): void {
    switch (effect.type) {
      case EffectType.hashSet: {
        const flags = effect.byte()
        if ((flags & ~ALL_FLAGS) !== 0 || (flags & 3) === 3) effect.fail('hash-set with unknown flags')
        if ((flags & SET_EXPIRY_GIVEN) !== 0) effect.time()
        for (let count = effect.varint(); count > 0 && effect.error === null; count--) {
          effect.block()
          effect.block()
          if ((flags & HAS_RESETS) !== 0) effect.resetList()
        }
        break
      }
      case EffectType.hashRemove: {
        const flags = effect.byte()
        if ((flags & ~(REMOVE_DUE | HAS_RESETS)) !== 0) effect.fail('hash-remove with unknown flags')
        for (let count = effect.varint(); count > 0 && effect.error === null; count--) {
          effect.block()
          if ((flags & HAS_RESETS) !== 0) effect.resetList()
        }
        break
      }
      case EffectType.hashIncrement:
        effect.block()
        effect.readIncrement()
        break
      case EffectType.hashExpire:
        effect.time()
        for (let count = effect.varint(); count > 0 && effect.error === null; count--) effect.block()
        break
      default:
        effect.fail(`effect type ${effect.type} is not known to this version`)
    }
  }

  apply(db: Database, from: Ref, effect: EffectReader): Ref {
    let root = from
    const { bytes } = effect
    switch (effect.type) {
      case EffectType.hashSet: {
        const flags = effect.byte()
        const mode = (flags & SET_EXPIRY_GIVEN) !== 0 ? ExpiryMode.set : (flags & SET_EXPIRY_KEPT) !== 0 ? ExpiryMode.keep : 0
        const at = mode === ExpiryMode.set ? effect.time() : 0
        const count = effect.varint()
        for (let i = 0; i < count; i++) {
          effect.block()
          const { valueOff: fieldOff, valueLen: fieldLen } = effect
          effect.block()
          const { valueOff, valueLen } = effect
          const resets = (flags & HAS_RESETS) === 0 ? NO_RESETS : effect.resetList()
          root = this.write(db, root, bytes, fieldOff, fieldLen, bytes, valueOff, valueLen, mode, at, resets)
        }
        this.rebase(db, root, count)
        break
      }
      case EffectType.hashRemove: {
        const flags = effect.byte()
        const count = effect.varint()
        for (let i = 0; i < count; i++) {
          effect.block()
          const { valueOff, valueLen } = effect
          const resets = (flags & HAS_RESETS) === 0 ? NO_RESETS : effect.resetList()
          root = this.removeElement(db, root, bytes, valueOff, valueLen, (flags & REMOVE_DUE) !== 0, resets)
        }
        break
      }
      case EffectType.hashIncrement: {
        effect.block()
        const { valueOff, valueLen } = effect
        effect.readIncrement()
        const { epoch } = effect
        root = effect.exact
          ? this.increment(db, root, bytes, valueOff, valueLen, epoch, effect.exactTotal, effect.exactN)
          : this.increment(db, root, bytes, valueOff, valueLen, epoch, effect.total, effect.n)
        break
      }
      case EffectType.hashExpire: {
        const at = effect.time()
        for (let count = effect.varint(); count > 0; count--) {
          effect.block()
          root = this.expire(db, root, bytes, effect.valueOff, effect.valueLen, at)
        }
        break
      }
    }
    return this.finish(db, root, bytes, effect.keyOff, effect.keyLen)
  }

  /** HSET and its kin: fields and values stand at arguments first, first + 1, … end - 1, the key at 1. Gives the number of new fields. */
  setFields(db: Database, database: number, args: ByteRanges, first: number, end: number, mode: number, at = 0): number {
    const { distinct } = this
    distinct.pickLast(args, first, end, 2)
    return this.setPicked(db, database, args, 0, mode, at)
  }

  /** HSETEX … KEEPTTL: fields that clients do not see have no expiry to keep. */
  setKeeping(db: Database, root: Ref, database: number, args: ByteRanges, first: number, end: number): void {
    const { distinct } = this
    distinct.begin(end - first)
    for (let i = first; i < end; i += 2) if (this.has(db, root, args.buf, args.off[i], args.len[i])) distinct.picked[distinct.count++] = i
    const visible = distinct.picked.slice(0, distinct.count)
    distinct.pickLast(args, first, end, 2)
    const all = distinct.picked.slice(0, distinct.count)
    for (const wanted of [true, false]) {
      distinct.count = 0
      for (const i of all) if (visible.includes(i) === wanted) distinct.picked[distinct.count++] = i
      if (distinct.count > 0) this.setPicked(db, database, args, 0, wanted ? ExpiryMode.keep : ExpiryMode.clear, 0)
    }
  }

  /** HDEL and its kin, of the fields in arguments first … end - 1 that clients see. Gives how many they were. */
  removeFields(db: Database, root: Ref, database: number, args: ByteRanges, first: number, end: number): number {
    const { distinct } = this
    distinct.begin(end - first)
    for (let i = first; i < end; i++) {
      if (this.has(db, root, args.buf, args.off[i], args.len[i])) distinct.pick(args, i)
    }
    if (distinct.count > 0) this.removePicked(db, database, args)
    return distinct.count
  }
}
