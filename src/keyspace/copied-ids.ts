import { StreamId } from '../crdt/stream-id.js'
import type { Ref } from '../memory/arena.js'
import { CHUNKS_WORD } from './stream-root.js'
import type { StreamSpace } from './stream-space.js'

/**
 * IDs of a copy of a stream. All its entries are of the copying member's region, because another member may write to the same key at the same time, and must not
 * come to the same position. So an ID stands in it once: of entries from several members that have one ID, those after the first get the next one that is free.
 */
export class CopiedIds {
  /** The highest of those that were given anew. */
  readonly highest = new StreamId()
  private readonly before = new StreamId()
  private hasBefore = false
  private readonly renamed = new Map<string, StreamId>()
  private readonly given = new Set<string>()

  constructor(
    private readonly space: StreamSpace,
    private readonly root: Ref,
  ) {}

  /** For each entry in order. */
  next(id: StreamId, region: number): StreamId {
    if (!this.hasBefore || id.compare(this.before) !== 0) {
      this.hasBefore = true
      this.before.copyFrom(id)
      return id
    }
    const fresh = id.clone()
    while (this.given.has(fresh.toString()) || this.isTaken(fresh)) if (!fresh.increment()) fresh.set(0, 0, 0, 1)
    this.given.add(fresh.toString())
    this.renamed.set(`${id.toString()}/${region}`, fresh)
    if (fresh.compare(this.highest) > 0) this.highest.copyFrom(fresh)
    return fresh
  }

  private isTaken(id: StreamId): boolean {
    const { roots, log, cursor } = this.space
    const { root } = this
    return log.find(roots.words(root), roots.at(root) + CHUNKS_WORD, id, 0, cursor) && cursor.entry.id.compare(id) === 0
  }

  /** For an entry that may have been deleted. */
  of(id: StreamId, region: number): StreamId {
    return this.renamed.size === 0 ? id : (this.renamed.get(`${id.toString()}/${region}`) ?? id)
  }

  /** The last ID of the copy. */
  lastId(): StreamId {
    const last = this.space.roots.lastId(this.root, new StreamId())
    if (this.highest.compare(last) > 0) last.copyFrom(this.highest)
    return last
  }

  /** Where a group starts in the copy. Cursors of several members become one place: what lies behind it and was read comes once more. */
  startOf(group: Ref): StreamId {
    const { groups, log, cursor } = this.space
    const place = groups.frontier(group, new StreamId())
    let unread = groups.seekFrontier(this.root, group, cursor)
    // The frontier may lie before what is done: an entry that came late has moved it back, and was read.
    for (; unread && groups.isDone(group, cursor.entry); unread = log.next(cursor)) place.copyFrom(cursor.entry.id)
    if (unread && cursor.entry.id.compare(place) === 0) place.decrement()
    if (!unread && this.highest.compare(place) > 0) place.copyFrom(this.highest)
    return place
  }
}
