import { StreamId } from '../../crdt/stream-id.js'
import type { EntryView } from '../../keyspace/stream-chunk.js'
import { MAX_REGION } from '../../keyspace/stream-groups.js'
import { comparePosition } from '../../keyspace/stream-log.js'
import { StreamPositions } from '../../keyspace/stream-positions.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import { isByte, isLongWrite, KEY, strictId, type StreamReading } from './stream-arguments.js'
import { acknowledgeEverywhere, isReferenced, parseReferencePolicy, ReferencePolicy } from './reference-policy.js'
import { trimAckedSteps, trimSteps, type TrimSteps } from './trim-steps.js'

/** How XADD and XTRIM shorten a stream. */
export const TrimStrategy = { none: 0, maxLength: 1, minId: 2 } as const

const TILDE = 126
const EQUALS = 61
/** Redis' default: entries of a hundred nodes, at most a million. */
const DEFAULT_LIMIT_NODES = 100
const DEFAULT_LIMIT = 10_000
const MAX_DEFAULT_LIMIT = 1_000_000

/** An entry that goes with its chunk costs about so much less than one that is written. */
const CHUNK_SHARE = 16

/** The options of XADD and XTRIM, and what they do. One is reused. */
export class Trim {
  strategy: number = TrimStrategy.none
  isApproximate = false
  maxLength = 0
  readonly minId = new StreamId()
  /** Most entries to remove; 0: no bound. */
  limit = 0
  policy: number = ReferencePolicy.keep
  private isLimited = false
  private readonly upTo = new StreamId()
  private upToRegion = 0
  private readonly ids = new StreamPositions()

  reset(): void {
    this.strategy = TrimStrategy.none
    this.isApproximate = false
    this.limit = 0
    this.isLimited = false
    this.policy = ReferencePolicy.keep
  }

  /** Takes the option at argument i, if it is one. Gives the argument behind it, or i when it is none. */
  parse(call: Call, i: number): number {
    const more = call.argc - 1 - i
    const isLength = more > 0 && call.is(i, 'MAXLEN')
    if (isLength || (more > 0 && call.is(i, 'MINID'))) {
      if (this.strategy !== TrimStrategy.none) {
        throw new CommandError('ERR syntax error, MAXLEN and MINID options at the same time are not compatible')
      }
      this.isApproximate = more > 1 && isByte(call, i + 1, TILDE)
      const value = i + (this.isApproximate || (more > 1 && isByte(call, i + 1, EQUALS)) ? 2 : 1)
      if (isLength) {
        this.maxLength = call.integer(value)
        if (this.maxLength < 0) throw new CommandError('ERR The MAXLEN argument must be >= 0.')
      } else {
        strictId(call, value, this.minId)
      }
      this.strategy = isLength ? TrimStrategy.maxLength : TrimStrategy.minId
      return value + 1
    }
    if (more > 0 && call.is(i, 'LIMIT')) {
      this.limit = call.integer(i + 1)
      if (this.limit < 0) throw new CommandError('ERR The LIMIT argument must be >= 0.')
      this.isLimited = true
      return i + 2
    }
    const policy = parseReferencePolicy(call, i)
    if (policy < 0) return i
    this.policy = policy
    return i + 1
  }

  /** What must hold between the options. */
  check(call: Call): void {
    if (this.limit > 0 && this.strategy === TrimStrategy.none) {
      throw new CommandError('ERR syntax error, LIMIT cannot be used without specifying a trimming strategy')
    }
    if (this.isLimited) {
      if (!this.isApproximate) throw new CommandError('ERR syntax error, LIMIT cannot be used without the special ~ option')
      return
    }
    if (!this.isApproximate) return
    const limit = DEFAULT_LIMIT_NODES * call.collections.streams.settings.nodeMaxEntries
    this.limit = limit <= 0 ? DEFAULT_LIMIT : Math.min(limit, MAX_DEFAULT_LIMIT)
  }

  /** For XTRIM, which has nothing but options. */
  parseAll(call: Call): void {
    this.reset()
    for (let i = 2; i < call.argc;) {
      const next = this.parse(call, i)
      if (next === i) throw syntaxError()
      i = next
    }
    if (this.strategy === TrimStrategy.none && this.limit === 0) {
      throw new CommandError('ERR syntax error, XTRIM must be called with a trimming strategy')
    }
    this.check(call)
  }

  /** Trims the stream at KEY. Gives how many entries went. */
  apply(call: Call, stream: StreamReading): number {
    if (this.strategy === TrimStrategy.none) return 0
    if (this.policy === ReferencePolicy.acked) return this.applyAcked(call, stream)
    const count = this.isApproximate ? this.wholeChunks(stream) : this.exactly(stream)
    if (count === 0) return 0
    if (this.policy === ReferencePolicy.remove) {
      this.collect(stream)
      acknowledgeEverywhere(call, stream, this.ids)
    }
    call.collections.streams.writes.trim(KEY, this.upTo, this.upToRegion)
    return count
  }

  /** Steps that write the same; null where there is not so much to do. */
  inSlices(call: Call, stream: StreamReading): TrimSteps | null {
    if (this.strategy === TrimStrategy.none) return null
    if (this.policy === ReferencePolicy.acked) {
      return isLongWrite(call, stream.length, 1) ? trimAckedSteps(call, stream.clone(), this.condition(stream.length)) : null
    }
    const count = this.isApproximate ? this.wholeChunks(stream) : this.exactly(stream)
    const acknowledges = this.policy === ReferencePolicy.remove
    if (!isLongWrite(call, acknowledges ? count : count / CHUNK_SHARE, 1)) return null
    return trimSteps(call, stream.clone(), count, this.upTo.clone(), this.upToRegion, acknowledges)
  }

  /**
   * The same for XADD, of the stream as it is before the entry comes, which has this ID. Null also where that would go with the others. Next to free for a
   * stream that is not very long.
   */
  inSlicesWith(call: Call, stream: StreamReading, id: StreamId): TrimSteps | null {
    const { length } = stream
    if (this.strategy === TrimStrategy.none || length <= call.shortWriteElements) return null
    const takesIt = this.strategy === TrimStrategy.maxLength ? this.maxLength === 0 : this.minId.compare(id) > 0
    if (takesIt) return null
    const hasMany = this.policy !== ReferencePolicy.keep
    const most = this.strategy === TrimStrategy.maxLength ? length + 1 - this.maxLength : length
    if (!isLongWrite(call, hasMany ? most : most / CHUNK_SHARE, 1)) return null
    const count = this.isApproximate ? this.wholeChunks(stream, 1) : this.exactly(stream, 1)
    if ((this.isApproximate && count === length) || !isLongWrite(call, hasMany ? count : count / CHUNK_SHARE, 1)) return null
    if (this.policy === ReferencePolicy.acked) return trimAckedSteps(call, stream.clone(), this.condition(length + 1))
    return trimSteps(call, stream.clone(), count, this.upTo.clone(), this.upToRegion, this.policy === ReferencePolicy.remove)
  }

  /** Whether an entry may go when so many before it do. */
  private condition(length: number): (entry: EntryView, before: number) => boolean {
    const { strategy, maxLength, limit } = this
    const minId = this.minId.clone()
    return (entry, before) => {
      if (strategy === TrimStrategy.maxLength ? length - before <= maxLength : entry.id.compare(minId) >= 0) return false
      return limit === 0 || before < limit
    }
  }

  /** How many entries are to go, and up to where. more: entries that are still to come. */
  private exactly(stream: StreamReading, more = 0): number {
    const { space, words, at, length } = stream
    const { cursor } = space
    if (this.strategy === TrimStrategy.maxLength) {
      const count = length + more - this.maxLength
      if (count <= 0) return 0
      space.log.seekRank(words, at, count - 1, cursor)
      this.upTo.copyFrom(cursor.entry.id)
      this.upToRegion = cursor.entry.region
      return count
    }
    const count = space.log.find(words, at, this.minId, 0, cursor) ? space.log.rank(words, at, cursor) : length
    this.upTo.copyFrom(this.minId)
    this.upTo.decrement()
    this.upToRegion = MAX_REGION
    return count
  }

  /** The same, as far as whole chunks go. */
  private wholeChunks(stream: StreamReading, more = 0): number {
    const { space, words, at } = stream
    const length = stream.length + more
    const { cursor, log } = space
    const { chunks, index } = log
    let count = 0
    for (let on = log.first(words, at, cursor); on;) {
      const { chunk } = cursor.entry
      const entries = chunks.count(chunk)
      if (this.limit > 0 && count + entries > this.limit) break
      chunks.read(chunk, chunks.last(chunk), cursor.entry)
      const goes =
        this.strategy === TrimStrategy.maxLength
          ? length - count > this.maxLength && length - count - entries >= this.maxLength
          : cursor.entry.id.compare(this.minId) < 0
      if (!goes) break
      count += entries
      this.upTo.copyFrom(cursor.entry.id)
      this.upToRegion = cursor.entry.region
      const next = index.next(cursor.index)
      on = next !== 0
      if (on) chunks.read(next, chunks.first(next), cursor.entry)
    }
    return count
  }

  private collect(stream: StreamReading): void {
    const { space, words, at } = stream
    const { cursor, log } = space
    this.ids.clear()
    for (let on = log.first(words, at, cursor); on; on = log.next(cursor)) {
      if (comparePosition(this.upTo, this.upToRegion, cursor.entry) < 0) return
      this.ids.push(cursor.entry.id, cursor.entry.region)
    }
  }

  /** Leaves entries out that some group has not read and acknowledged. */
  private applyAcked(call: Call, stream: StreamReading): number {
    const { space, words, at, length } = stream
    const { cursor, log } = space
    const { ids } = this
    ids.clear()
    const goes = this.condition(length)
    for (let on = log.first(words, at, cursor); on && goes(cursor.entry, ids.count); on = log.next(cursor)) {
      const { entry } = cursor
      if (!isReferenced(stream, entry)) ids.push(entry.id, entry.region)
    }
    if (ids.count > 0) call.collections.streams.writes.remove(KEY, ids, true)
    return ids.count
  }
}
