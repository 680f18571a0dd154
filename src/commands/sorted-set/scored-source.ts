import { KeyType } from '../../keyspace/database.js'
import { LIMITS } from '../../base/limits.js'
import type { MapCursor } from '../../keyspace/map-cursor.js'
import { ZsetCursor } from '../../keyspace/zset-cursor.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError, Errors } from '../command-error.js'
import { walkInSteps } from '../set/arguments.js'

/** Score of the members of a plain set. */
const SET_SCORE = 1

/** One input of ZUNION and its kin: a sorted set, a set, or a key that is not there. */
export class ScoredSource {
  weight = 1

  constructor(
    private readonly call: Call,
    /** KeyType.zset, KeyType.set, KeyType.none. */
    private readonly type: number,
    readonly root: Ref,
  ) {}

  /** @throws WRONGTYPE */
  static of(call: Call, key: number): ScoredSource {
    const ref = call.findForRead(key)
    if (ref === 0) return new ScoredSource(call, KeyType.none, 0)
    const type = call.db.type(ref)
    if (type !== KeyType.zset && type !== KeyType.set) throw new CommandError(Errors.wrongType)
    return new ScoredSource(call, type, call.root(ref))
  }

  get size(): number {
    return this.type === KeyType.none ? 0 : this.call.keys.store(this.type).size(this.call.db, this.root)
  }

  /** NaN when the member is not in it. */
  score(buf: Uint8Array, off: number, len: number): number {
    const { call, root } = this
    if (this.type === KeyType.zset) return call.zsets.score(call.db, root, buf, off, len)
    return this.type === KeyType.set && call.collections.sets.has(call.db, root, buf, off, len) ? SET_SCORE : NaN
  }

  /** A walk through the members, to be followed by next. It may be interrupted after every LIMITS.slicedReadStep of them; one walk at a time. */
  walk(): ScoredWalk {
    const { call, root } = this
    if (this.type === KeyType.set) return new SetWalk(walkInSteps(call, root))
    const walk = this.size < LIMITS.slicedReadStep ? shortWalk : new ZsetWalk()
    return walk.begin(call, this.type === KeyType.zset ? root : 0)
  }
}

/** Goes through members with scores; other commands may run between two calls of next if they do not change what is walked. */
export interface ScoredWalk {
  readonly buf: Uint8Array
  readonly off: number
  readonly len: number
  readonly score: number
  next(): boolean
}

class SetWalk implements ScoredWalk {
  readonly score = SET_SCORE

  constructor(private readonly cursor: MapCursor) {}

  get buf(): Uint8Array {
    return this.cursor.buf
  }

  get off(): number {
    return this.cursor.keyOff
  }

  get len(): number {
    return this.cursor.keyLen
  }

  next(): boolean {
    return this.cursor.next()
  }
}

class ZsetWalk implements ScoredWalk {
  private readonly cursor = new ZsetCursor()
  private call: Call | null = null
  private root: Ref = 0

  begin(call: Call, root: Ref): this {
    this.call = call
    this.root = root
    return this
  }

  get buf(): Uint8Array {
    return this.cursor.buf
  }

  get off(): number {
    return this.cursor.off
  }

  get len(): number {
    return this.cursor.len
  }

  get score(): number {
    return this.cursor.score
  }

  next(): boolean {
    const { call, cursor } = this
    if (call === null) return cursor.step(true)
    this.call = null
    if (this.root === 0) return false
    call.zsets.seek(call.db, this.root, 0, cursor)
    return true
  }
}

/** For sorted sets that are walked in one step. */
const shortWalk = new ZsetWalk()
