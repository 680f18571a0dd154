import { ByteList } from '../../rdb/byte-list.js'
import type { Ref } from '../../memory/arena.js'
import { NotificationClass } from '../../base/notification-classes.js'
import type { Call } from '../call.js'

/** Members with scores, apart from any sorted set: what a *STORE command writes, taken out of its sources first, because they may be its destination. */
export class ScoredList {
  readonly members = new ByteList()
  private scores = new Float64Array(16)

  get count(): number {
    return this.members.count
  }

  push(buf: Uint8Array, off: number, len: number, score: number): void {
    const at = this.members.count
    if (at === this.scores.length) {
      const grown = new Float64Array(at * 2)
      grown.set(this.scores)
      this.scores = grown
    }
    this.members.push(buf, off, len)
    this.scores[at] = score
  }

  score(i: number): number {
    return this.scores[i]
  }
}

/** Replaces whatever a key holds by a sorted set of these members, or by nothing. Replies with their number. */
export function storeScored(call: Call, key: number, list: ScoredList, event: string): void {
  const { effects, zsets, request, database, reply } = call
  const { buf, off, len } = request
  const existed = call.find(key) !== 0
  if (existed) effects.remove(database, buf, off[key], len[key])
  if (list.count > 0) {
    const { writer } = zsets
    writer.begin(database, buf, off[key], len[key], 0)
    for (let i = 0; i < list.count; i++) {
      const member = list.members.at(i)
      writer.put(member, 0, member.length, list.score(i))
    }
    writer.end()
    call.notify(NotificationClass.sortedSet, event, key)
  } else if (existed) {
    call.notify(NotificationClass.generic, 'del', key)
  }
  reply.integer(list.count)
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
