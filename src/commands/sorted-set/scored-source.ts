import { KeyType } from '../../keyspace/database.js'
import { ZsetCursor } from '../../keyspace/zset-cursor.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError, Errors } from '../command-error.js'

/** Score of the members of a plain set. */
const SET_SCORE = 1
const cursor = new ZsetCursor()

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

  /** Visits the members until a visit says stop. One walk at a time. */
  each(visit: (buf: Uint8Array, off: number, len: number, score: number) => boolean): void {
    const { call, root } = this
    if (this.type === KeyType.set) {
      const members = call.collections.sets.walk(call.db, root)
      while (members.next()) if (!visit(members.buf, members.keyOff, members.keyLen, SET_SCORE)) return
      return
    }
    if (this.type !== KeyType.zset) return
    call.zsets.seek(call.db, root, 0, cursor)
    do if (!visit(cursor.buf, cursor.off, cursor.len, cursor.score)) return
    while (cursor.step(true))
  }
}
