import { StreamId } from '../../crdt/stream-id.js'
import type { Ref } from '../../memory/arena.js'
import type { StreamReading } from './stream-arguments.js'

/**
 * How far a group has read: its read counter and its lag, by Redis' rules. They are exact as long as nothing within the stream has been deleted, and
 * unknown (-1) where they cannot be told.
 */
const UNKNOWN = -1
/** Entries that are looked at to tell the lag of a group whose stream has several writers. */
const LAG_LOOKS = 10_000

const lastDelivered = new StreamId()

/** Reads once what the rules look at. */
class Progress {
  length = 0
  entriesAdded = 0
  readonly firstId = new StreamId()
  readonly maxDeleted = new StreamId()
  private readonly lastId = new StreamId()

  load(stream: StreamReading): this {
    const { roots, log, cursor } = stream.space
    const { firstId, lastId, maxDeleted } = this
    roots.lastId(stream.root, lastId)
    roots.maxDeletedId(stream.root, maxDeleted)
    this.length = stream.length
    this.entriesAdded = roots.entriesAdded(stream.root)
    if (log.first(stream.words, stream.at, cursor)) firstId.copyFrom(cursor.entry.id)
    else firstId.set(0, 0, 0, 0)
    return this
  }

  /** True when an entry behind an ID may have been deleted. */
  hasTombstonesFrom(id: StreamId): boolean {
    return this.length > 0 && !this.maxDeleted.isZero && id.compare(this.maxDeleted) <= 0
  }

  /** How many entries were ever added up to an ID. */
  distance(id: StreamId): number {
    const { firstId, lastId, maxDeleted } = this
    if (this.entriesAdded === 0) return 0
    if (this.length === 0 && id.compare(lastId) <= 0) return this.entriesAdded
    if (!id.isZero && id.compare(maxDeleted) < 0) return UNKNOWN
    const toLast = id.compare(lastId)
    if (toLast === 0) return this.entriesAdded
    if (toLast > 0) return UNKNOWN
    if (!maxDeleted.isZero && maxDeleted.compare(firstId) >= 0) return UNKNOWN
    const toFirst = id.compare(firstId)
    if (toFirst < 0) return this.entriesAdded - this.length
    return toFirst === 0 ? this.entriesAdded - this.length + 1 : UNKNOWN
  }
}

const progress = new Progress()

/** Follows a group's read counter while entries are delivered to it, by rising ID. */
export class ReadCounter {
  value = 0
  private readonly progress = new Progress()
  private readonly last = new StreamId()

  begin(stream: StreamReading, group: Ref): void {
    this.progress.load(stream)
    this.value = stream.space.groups.entriesRead(group)
    stream.space.groups.lastDelivered(group, this.last)
  }

  delivered(id: StreamId): void {
    if (id.compare(this.last) <= 0) {
      // An entry that came late from another member.
      if (this.value !== UNKNOWN) this.value++
      return
    }
    if (this.value !== UNKNOWN && !this.progress.hasTombstonesFrom(this.last)) this.value++
    else if (this.progress.entriesAdded > 0) this.value = this.progress.distance(id)
    this.last.copyFrom(id)
  }
}

/** Entries that a group has read, UNKNOWN when that cannot be told. With several writers: those that were ever added less those to be read. */
export function entriesReadBy(stream: StreamReading, group: Ref, solo: boolean): number {
  const { groups, roots } = stream.space
  return solo ? groups.entriesRead(group) : Math.max(0, roots.entriesAdded(stream.root) - lagBySight(stream, group))
}

/** Entries that a group has still to read, UNKNOWN when that cannot be told. */
export function lagOf(stream: StreamReading, group: Ref, solo: boolean): number {
  const { groups } = stream.space
  if (!solo) return lagBySight(stream, group)
  progress.load(stream)
  if (progress.entriesAdded === 0 || progress.length === 0) return 0
  groups.lastDelivered(group, lastDelivered)
  if (lastDelivered.compare(progress.firstId) < 0 && progress.maxDeleted.compare(progress.firstId) < 0) return progress.length
  const entriesRead = groups.entriesRead(group)
  if (entriesRead !== UNKNOWN && !progress.hasTombstonesFrom(lastDelivered)) return progress.entriesAdded - entriesRead
  const distance = progress.distance(lastDelivered)
  return distance === UNKNOWN ? UNKNOWN : progress.entriesAdded - distance
}

/** With several writers: what lies behind the frontier and is not done; of very many, all of it. */
function lagBySight(stream: StreamReading, group: Ref): number {
  const { groups, log, cursor } = stream.space
  let on = groups.seekFrontier(stream.root, group, cursor)
  if (!on) return 0
  const behind = stream.length - log.rank(stream.words, stream.at, cursor)
  if (behind > LAG_LOOKS) return behind
  let lag = 0
  for (; on; on = log.next(cursor)) if (!groups.isDone(group, cursor.entry)) lag++
  return lag
}
