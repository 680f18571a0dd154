import { compareIds, MAX_U32, StreamId } from '../crdt/stream-id.js'
import { CHUNK_SHIFT, UNIT_MASK, type Arena, type Ref } from '../memory/arena.js'
import { IndexCursor, OrderIndex, type Ordering } from '../memory/order-index.js'

/**
 * Entries that were delivered to a consumer and not acknowledged. Each is a block that stands in two indexes by position: its group's and its consumer's;
 * and in one by the time of its last delivery, where the group has that. One that was released (XNACK) belongs to the group's consumer that is nobody, and stands
 * before all that were delivered.
 *
 * ```
 * words  0   ID: ms high, ms low, seq high, seq low
 *        4   region
 *        5   the consumer's block
 *        6   f64, Unix ms of the last delivery; of one that was released its place among those, below 0 (releasedAt)
 *        8   deliveries; MAX_DELIVERIES stands for all that are more
 *        9   1: it is acknowledged and pending all the same (XCLAIM FORCE; NOACK after SETID), so other regions need not deliver it
 * ```
 */
const ID_WORD = 0
const REGION_WORD = 4
const CONSUMER_WORD = 5
const TIME_F64 = 3
const DELIVERIES_WORD = 8
const ACKNOWLEDGED_WORD = 9
const PENDING_BYTES = 40

/** Counts as Redis' highest number of deliveries, 2^63 - 1: that of an entry which nobody is to try again. */
export const MAX_DELIVERIES = MAX_U32

/** Deliveries after one more. */
export function deliveredOnceMore(deliveries: number): number {
  return Math.min(deliveries + 1, MAX_DELIVERIES)
}

/** Where an entry stands that an effect with this stamp has released: what was released first comes first, and all come before what was delivered. */
export function releasedAt(stamp: number): number {
  return stamp - 2 ** 53
}

export class PendingLists {
  readonly index: OrderIndex
  private readonly ordering: PendingOrdering
  private readonly byTime: TimeOrdering
  private readonly place = new IndexCursor()
  private readonly sought = new IndexCursor()

  constructor(private readonly arena: Arena) {
    this.index = new OrderIndex(arena)
    this.ordering = new PendingOrdering(arena)
    this.byTime = new TimeOrdering(arena, this.ordering)
  }

  /** The pending entry at a position, 0 when there is none. The cursor is at it, or at the one that follows. */
  find(words: Uint32Array, d: number, id: StreamId, region: number, cursor = this.place): Ref {
    this.ordering.id = id
    this.ordering.region = region
    const found = this.index.find(words, d, this.ordering, cursor)
    return found ? this.index.item(cursor) : 0
  }

  first(words: Uint32Array, d: number): Ref {
    return this.index.first(words, d, this.place)
  }

  last(words: Uint32Array, d: number): Ref {
    return this.index.last(words, d, this.place)
  }

  /** The first pending entry at or after an ID; nextSought goes on from there. 0 when there is none. */
  seek(words: Uint32Array, d: number, id: StreamId): Ref {
    this.ordering.id = id
    this.ordering.region = 0
    this.index.find(words, d, this.ordering, this.sought)
    return this.index.item(this.sought)
  }

  /** The index must not have changed since. */
  nextSought(): Ref {
    return this.index.next(this.sought)
  }

  /** How an entry's ID stands to another. */
  compareId(ref: Ref, id: StreamId): number {
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const w = ((ref & UNIT_MASK) << 1) + ID_WORD
    return compareIds(words[w], words[w + 1], words[w + 2], words[w + 3], id.msHigh, id.msLow, id.seqHigh, id.seqLow)
  }

  create(id: StreamId, region: number): Ref {
    const ref = this.arena.alloc(PENDING_BYTES)
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const w = (ref & UNIT_MASK) << 1
    words[w + ID_WORD] = id.msHigh
    words[w + ID_WORD + 1] = id.msLow
    words[w + ID_WORD + 2] = id.seqHigh
    words[w + ID_WORD + 3] = id.seqLow
    words[w + REGION_WORD] = region
    words[w + CONSUMER_WORD] = 0
    words[w + DELIVERIES_WORD] = 0
    words[w + ACKNOWLEDGED_WORD] = 0
    this.setOrder(ref, 0)
    return ref
  }

  /** Adds a pending entry to one of its indexes. False when there is one at its position. */
  insert(words: Uint32Array, d: number, ref: Ref, id: StreamId, region: number): boolean {
    this.ordering.id = id
    this.ordering.region = region
    return this.index.insert(words, d, this.ordering, ref, 1, this.place)
  }

  /** Takes the entry at a position out of an index; its block stays the caller's. */
  remove(words: Uint32Array, d: number, id: StreamId, region: number): void {
    if (this.find(words, d, id, region) !== 0) this.index.remove(words, d, this.place)
  }

  /** Adds an entry to an index by time: as it is now, it must not change while it is there. */
  insertByTime(words: Uint32Array, d: number, ref: Ref): void {
    this.index.insert(words, d, this.byTime.at(ref), ref, 1, this.place)
  }

  removeByTime(words: Uint32Array, d: number, ref: Ref): void {
    if (this.index.find(words, d, this.byTime.at(ref), this.place)) this.index.remove(words, d, this.place)
  }

  id(ref: Ref, id: StreamId): StreamId {
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const w = ((ref & UNIT_MASK) << 1) + ID_WORD
    return id.set(words[w], words[w + 1], words[w + 2], words[w + 3])
  }

  region(ref: Ref): number {
    return this.arena.u32[ref >>> CHUNK_SHIFT][((ref & UNIT_MASK) << 1) + REGION_WORD]
  }

  consumer(ref: Ref): Ref {
    return this.arena.u32[ref >>> CHUNK_SHIFT][((ref & UNIT_MASK) << 1) + CONSUMER_WORD]
  }

  setConsumer(ref: Ref, consumer: Ref): void {
    this.arena.u32[ref >>> CHUNK_SHIFT][((ref & UNIT_MASK) << 1) + CONSUMER_WORD] = consumer
  }

  /** Unix ms of the last delivery; 0 for an entry that was released. */
  time(ref: Ref): number {
    return Math.max(0, this.order(ref))
  }

  /** What entries are ordered by: the time of the last delivery, or below 0 the place of one that was released. */
  order(ref: Ref): number {
    return this.arena.f64[ref >>> CHUNK_SHIFT][(ref & UNIT_MASK) + TIME_F64]
  }

  setOrder(ref: Ref, order: number): void {
    this.arena.f64[ref >>> CHUNK_SHIFT][(ref & UNIT_MASK) + TIME_F64] = order
  }

  isReleased(ref: Ref): boolean {
    return this.order(ref) < 0
  }

  /** True when who asks for what has been idle for so long gets it by its ID: what was released always has been. now: Unix ms. */
  isIdle(ref: Ref, now: number, leastMs: number): boolean {
    return leastMs === 0 || this.isReleased(ref) || now - this.time(ref) >= leastMs
  }

  deliveries(ref: Ref): number {
    return this.arena.u32[ref >>> CHUNK_SHIFT][((ref & UNIT_MASK) << 1) + DELIVERIES_WORD]
  }

  setDeliveries(ref: Ref, deliveries: number): void {
    this.arena.u32[ref >>> CHUNK_SHIFT][((ref & UNIT_MASK) << 1) + DELIVERIES_WORD] = deliveries
  }

  wasAcknowledged(ref: Ref): boolean {
    return this.arena.u32[ref >>> CHUNK_SHIFT][((ref & UNIT_MASK) << 1) + ACKNOWLEDGED_WORD] !== 0
  }

  setAcknowledged(ref: Ref, acknowledged: boolean): void {
    this.arena.u32[ref >>> CHUNK_SHIFT][((ref & UNIT_MASK) << 1) + ACKNOWLEDGED_WORD] = acknowledged ? 1 : 0
  }

  /** Frees about so many entries of an index whose items are its own. Gives how many were freed; fewer than asked for: all. */
  free(words: Uint32Array, d: number, budget: number): number {
    const { index, place, arena } = this
    let freed = 0
    while (freed < budget) {
      const last = index.last(words, d, place)
      if (last === 0) break
      const { leaf } = place
      for (let ref = last; ref !== 0 && place.leaf === leaf; ref = index.previous(place)) arena.free(ref)
      freed += index.dropLastLeaf(words, d)
    }
    return freed
  }

  /** Bytes of one entry with its place in both indexes, or in all three. */
  entryBytes(isTimed: boolean): number {
    return ENTRY_BYTES + (isTimed ? 6 : 0)
  }
}

/** The block's class, and two words with about a third of room in the leaves. */
const ENTRY_BYTES = 40 + 12

class PendingOrdering implements Ordering {
  id!: StreamId
  region = 0

  constructor(private readonly arena: Arena) {}

  compare(item: Ref): number {
    const { id } = this
    const words = this.arena.u32[item >>> CHUNK_SHIFT]
    const w = (item & UNIT_MASK) << 1
    const order = compareIds(
      id.msHigh,
      id.msLow,
      id.seqHigh,
      id.seqLow,
      words[w + ID_WORD],
      words[w + ID_WORD + 1],
      words[w + ID_WORD + 2],
      words[w + ID_WORD + 3],
    )
    return order !== 0 ? order : this.region - words[w + REGION_WORD]
  }
}

/** What was released first, then by the time of the last delivery, the longest idle first; then by position. */
class TimeOrdering implements Ordering {
  private time = 0
  private readonly id = new StreamId()

  constructor(
    private readonly arena: Arena,
    private readonly position: PendingOrdering,
  ) {}

  /** Looks for an entry by what it says itself. */
  at(ref: Ref): this {
    const words = this.arena.u32[ref >>> CHUNK_SHIFT]
    const w = (ref & UNIT_MASK) << 1
    this.time = this.arena.f64[ref >>> CHUNK_SHIFT][(ref & UNIT_MASK) + TIME_F64]
    this.position.id = this.id.set(words[w + ID_WORD], words[w + ID_WORD + 1], words[w + ID_WORD + 2], words[w + ID_WORD + 3])
    this.position.region = words[w + REGION_WORD]
    return this
  }

  compare(item: Ref): number {
    const time = this.arena.f64[item >>> CHUNK_SHIFT][(item & UNIT_MASK) + TIME_F64]
    return this.time !== time ? this.time - time : this.position.compare(item)
  }
}
