import { DoubleList } from '../../base/double-list.js'
import { ByteList } from '../../rdb/byte-list.js'
import type { Ref } from '../../memory/arena.js'
import { NotificationClass } from '../../base/notification-classes.js'
import { KeyType } from '../../keyspace/database.js'
import { ScoresWriter } from '../../keyspace/zset-store.js'
import type { Call } from '../call.js'
import type { ReadSteps } from '../services.js'

/** Members with scores, apart from any sorted set: what a *STORE command writes, taken out of its sources first, because they may be its destination. */
export class ScoredList {
  readonly members = new ByteList()
  private readonly scores = new DoubleList()

  get count(): number {
    return this.members.count
  }

  push(buf: Uint8Array, off: number, len: number, score: number): void {
    this.members.push(buf, off, len)
    this.scores.push(score)
  }

  score(i: number): number {
    return this.scores.at(i)
  }
}

/** Replaces whatever a key holds by a sorted set of these members, or by nothing. Replies with their number. */
export function storeScored(call: Call, key: number, list: ScoredList, event: string): void {
  const { effects, zsets, request, database } = call
  const { buf, off, len } = request
  const before = call.typeOf(key)
  effects.unannounced(() => {
    if (before !== KeyType.none) effects.remove(database, buf, off[key], len[key])
    if (list.count === 0) return
    const { writer } = zsets
    writer.begin(database, buf, off[key], len[key], 0)
    for (let i = 0; i < list.count; i++) {
      const member = list.members.at(i)
      writer.put(member, 0, member.length, list.score(i))
    }
    writer.end()
  })
  call.stored(NotificationClass.sortedSet, event, key, list.count, before)
}

/**
 * Steps of a write in slices that replaces whatever a key holds by a sorted set of the members that `members` writes, a step at a time, or by nothing, and
 * replies with their number.
 */
export function* storeSteps(
  call: Call,
  key: number,
  event: string,
  members: (writer: ScoresWriter) => ReadSteps,
): Generator<undefined | 'commit', void> {
  const { op, long } = call
  const at = call.place(key)
  const before = call.typeOf(key)
  yield* long.remove(op, at)
  const writer = new ScoresWriter(op, at)
  const steps = members(writer)
  while (steps.next().done !== true) yield
  const { count } = writer
  if (before !== KeyType.none || count > 0) yield 'commit'
  call.stored(NotificationClass.sortedSet, event, key, count, before)
}

/** Takes ranks from .. to-1 of a set into a list. */
export function listOf(call: Call, root: Ref, from: number, to: number): ScoredList {
  const list = new ScoredList()
  if (from >= to) return list
  const cursor = call.zsets.seek(call.db, root, from)
  for (let i = from; i < to; i++) {
    list.push(cursor.buf, cursor.off, cursor.len, cursor.score)
    cursor.step(true)
  }
  return list
}
