import { LIMITS } from '../../base/limits.js'
import { MAX_ID_BYTES, StreamId } from '../../crdt/stream-id.js'
import type { EntryView } from '../../keyspace/stream-chunk.js'
import { StreamFields } from '../../keyspace/stream-fields.js'
import { comparePosition, StreamCursor } from '../../keyspace/stream-log.js'
import type { StreamSpace } from '../../keyspace/stream-space.js'
import type { Ref } from '../../memory/arena.js'
import { IndexCursor } from '../../memory/order-index.js'
import type { Call } from '../call.js'
import { findConsumer } from './group-commands.js'
import { limitOf, mustHaveGroup, type ReadRequest } from './read-request.js'
import { StreamReading } from './stream-arguments.js'

/**
 * MAXCOUNT and MAXSIZE of XREAD and XREADGROUP: bounds of the whole reply, which the streams use up in the order of their keys. The reply says how many
 * entries follow before it gives them, so they are counted first; a command without these options does nothing of this.
 */
export function isBounded(request: ReadRequest): boolean {
  return request.maxCount > 0 || request.maxSize > 0
}

/** Bytes of `*n` and its line end, n being below 10. */
const ARRAY_BYTES = 4
/** Bytes of an integer in a reply, at most. */
const INTEGER_BYTES = 16
const digits = new Uint8Array(MAX_ID_BYTES)

/** What is left of a reply. */
class Budget {
  private count = 0
  private bytes = ARRAY_BYTES
  private isUsedUp = false

  constructor(
    private readonly maxCount: number,
    private readonly maxSize: number,
  ) {}

  get isOpen(): boolean {
    return !this.isUsedUp && (this.maxCount === 0 || this.count < this.maxCount)
  }

  /** What comes before the entries of a key. */
  begin(key: number): void {
    this.bytes += 2 * ARRAY_BYTES + bulkBytes(key)
  }

  /** True when an entry of so many bytes is to be given. The first one always is, or a reader would never come past it. */
  takes(bytes: number): boolean {
    if (!this.isOpen) return false
    if (this.maxSize > 0 && this.count > 0 && this.bytes + bytes > this.maxSize) {
      this.isUsedUp = true
      return false
    }
    this.count++
    this.bytes += bytes
    return true
  }
}

/** Puts into request.limits how many entries of each key are to be given. Gives those of the ready keys that are part of the reply. */
export function* planSteps(call: Call, request: ReadRequest, ready: readonly number[]): Generator<undefined, number[]> {
  const { limits, firstKey, behind } = request
  const stream = new StreamReading()
  const plan = new Plan(call, request, stream)
  const given: number[] = []
  limits.length = 0
  for (let i = 0; i < request.keyCount; i++) limits.push(Infinity)
  for (const i of ready) {
    if (!plan.budget.isOpen) break
    const key = firstKey + i
    const id = behind[i]
    const group = request.isGroup ? mustHaveGroup(call, stream, key, request.groupArgument) : 0
    if (!request.isGroup) stream.open(call, call.find(key))
    plan.budget.begin(call.request.len[key])
    let count: number
    if (id === null) count = yield* plan.fresh(i, group)
    else if (request.isGroup) count = yield* plan.pendingBehind(key, group, id)
    else count = yield* plan.entriesBehind(key, id)
    limits[i] = count
    // What a consumer has pending may be nothing, and that is said.
    if (count > 0 || (id !== null && plan.budget.isOpen)) given.push(i)
  }
  return given
}

class Plan {
  readonly budget: Budget
  private readonly cursor = new StreamCursor()
  private readonly fields = new StreamFields()
  private readonly id = new StreamId()
  /** New entries that each key gives, for keys that are named more than once. */
  private readonly freshOf: number[] = []
  private steps = 0

  constructor(
    private readonly call: Call,
    private readonly request: ReadRequest,
    private readonly stream: StreamReading,
  ) {
    this.budget = new Budget(request.maxCount, request.maxSize)
  }

  /** Entries with higher IDs. */
  *entriesBehind(key: number, behind: StreamId): Generator<undefined, number> {
    const { stream, cursor, id } = this
    const { space } = stream
    const limit = limitOf(this.request, key)
    let count = 0
    if (!id.copyFrom(behind).increment()) return 0
    for (let on = space.log.find(stream.words, stream.at, id, 0, cursor); on && count < limit; on = space.log.next(cursor)) {
      if (!this.takesEntry(space, 0)) break
      count++
      if (this.isPause()) yield
    }
    return count
  }

  /** What has been pending for long enough, then new entries of a group. */
  *fresh(i: number, group: Ref): Generator<undefined, number> {
    const { stream, cursor, request } = this
    const { space, root } = stream
    const { groups, log } = space
    const limit = limitOf(request, request.firstKey + i)
    const claimed = yield* this.claimable(group, limit)
    let skip = this.freshBefore(i)
    let count = 0
    for (let on = groups.seekFrontier(root, group, cursor); on && claimed + count < limit; on = log.next(cursor)) {
      if (this.isPause()) yield
      if (groups.isDone(group, cursor.entry)) continue
      if (skip > 0) {
        skip--
        continue
      }
      if (!this.takesEntry(space, request.claimIdleMs >= 0 ? 2 * INTEGER_BYTES : 0)) break
      count++
    }
    this.freshOf[i] = count
    return claimed + count
  }

  /** What a consumer has pending behind an ID. */
  *pendingBehind(key: number, group: Ref, behind: StreamId): Generator<undefined, number> {
    const { stream, call, request, budget, id } = this
    const { groups } = stream.space
    const { pending } = groups
    const consumer = findConsumer(call, stream, group, request.groupArgument + 1)
    if (consumer === 0 || !id.copyFrom(behind).increment()) return 0
    const limit = limitOf(request, key)
    const place = new IndexCursor()
    const words = groups.consumerWords(consumer)
    const at = groups.consumerAt(consumer)
    pending.find(words, at, id, 0, place)
    let count = 0
    for (let ref = pending.index.item(place); ref !== 0 && count < limit; ref = pending.index.next(place)) {
      const isThere = this.seek(pending.id(ref, id), pending.region(ref))
      // Of one that has gone its ID is said, and null.
      if (isThere ? !this.takesEntry(stream.space, 0) : !budget.takes(2 * ARRAY_BYTES + 1 + this.idBytes(id))) break
      count++
      if (this.isPause()) yield
    }
    return count
  }

  private *claimable(group: Ref, limit: number): Generator<undefined, number> {
    const { call, request, stream, id } = this
    if (request.claimIdleMs < 0) return 0
    const { groups } = stream.space
    const { pending } = groups
    const place = new IndexCursor()
    let count = 0
    yield* groups.orderByTime(group)
    for (let ref = groups.longestPending(group, place); ref !== 0 && count < limit; ref = groups.nextLongest(place)) {
      if (this.isPause()) yield
      if (call.nowMs - pending.time(ref) < request.claimIdleMs) break
      if (!this.seek(pending.id(ref, id), pending.region(ref))) continue
      if (!this.takesEntry(stream.space, 2 * INTEGER_BYTES)) break
      count++
    }
    return count
  }

  private freshBefore(i: number): number {
    const { call, request, freshOf } = this
    const { firstKey } = request
    let sum = 0
    for (let j = 0; j < i; j++) if (call.areSame(firstKey + j, firstKey + i)) sum += freshOf[j] ?? 0
    return sum
  }

  private seek(id: StreamId, region: number): boolean {
    const { stream, cursor } = this
    const { log } = stream.space
    return log.find(stream.words, stream.at, id, region, cursor) && comparePosition(id, region, cursor.entry) === 0
  }

  private takesEntry(space: StreamSpace, more: number): boolean {
    return this.budget.takes(more + (this.request.maxSize > 0 ? this.entryBytes(space, this.cursor.entry) : 0))
  }

  private entryBytes(space: StreamSpace, entry: EntryView): number {
    const { fields } = this
    space.log.chunks.fields(entry, fields)
    let bytes = 2 * ARRAY_BYTES + this.idBytes(entry.id)
    for (let i = 0; i < fields.count; i++) bytes += bulkBytes(fields.nameLen[i]) + bulkBytes(fields.valueLen[i])
    return bytes
  }

  private idBytes(id: StreamId): number {
    return bulkBytes(id.write(digits, 0))
  }

  private isPause(): boolean {
    return ++this.steps % LIMITS.slicedReadStep === 0
  }
}

/** Bytes of a bulk string in a reply: `$`, its length, and two line ends. */
function bulkBytes(len: number): number {
  let bytes = 6 + len
  for (let rest = len; rest >= 10; rest = Math.floor(rest / 10)) bytes++
  return bytes
}
