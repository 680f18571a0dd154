import { formatScore, parseScore, parseScoreBound } from '../../base/score.js'
import { KeyType } from '../../keyspace/database.js'
import { compareRanges } from '../../keyspace/packed-zset.js'
import type { Ref } from '../../memory/arena.js'
import type { ReplyWriter } from '../../resp/reply-writer.js'
import type { Call } from '../call.js'
import { CommandError, Errors } from '../command-error.js'
import type { ArgumentSpec, KeySpec, KeySpecFlag } from '../command-spec.js'
import { KEY } from '../string/arguments.js'

export const MEMBER: ArgumentSpec = { name: 'member', type: 'string' }
export const MEMBERS: ArgumentSpec = { name: 'member', type: 'string', flags: ['multiple'] }
export const NUMKEYS: ArgumentSpec = { name: 'numkeys', type: 'integer' }
export const SOME_KEYS: ArgumentSpec = { ...KEY, flags: ['multiple'] }
export const DESTINATION: ArgumentSpec = { name: 'destination', type: 'key', keySpecIndex: 0 }
export const LIMIT: ArgumentSpec = {
  name: 'limit',
  type: 'block',
  token: 'LIMIT',
  flags: ['optional'],
  arguments: [
    { name: 'offset', type: 'integer' },
    { name: 'count', type: 'integer' },
  ],
}

/** Keys that stand behind their number, which stands at an index. */
export function countedKeys(index: number, ...flags: KeySpecFlag[]): KeySpec {
  return { flags, beginSearch: { index }, findKeys: { keyNumIndex: 0, firstKey: 1, step: 1 } }
}

/** Root of the sorted set in argument i that a command reads, 0 for none. */
export function rootForRead(call: Call, i: number): Ref {
  return call.root(call.mustBe(call.findForRead(i), KeyType.zset))
}

export function rootForWrite(call: Call, i: number): Ref {
  return call.root(call.mustBe(call.find(i), KeyType.zset))
}

/** Argument i as a score. */
export function scoreArgument(call: Call, i: number, error: string = Errors.notFloat): number {
  const { buf, off, len } = call.request
  const score = parseScore(buf, off[i], len[i])
  if (score !== score) throw new CommandError(error)
  return score
}

/** A score as RESP3 double or bulk string. */
export function replyScore(reply: ReplyWriter, score: number): void {
  if (reply.protocol === 2 && Number.isSafeInteger(score) && !Object.is(score, -0)) reply.bulkInteger(score)
  else reply.double(formatScore(score))
}

/** Bounds of a range of scores: `1`, `(1`, `-inf`. */
export interface ScoreRange {
  readonly min: number
  readonly minExclusive: boolean
  readonly max: number
  readonly maxExclusive: boolean
}

const OPEN = 40
const CLOSED = 91
const PLUS = 43
const MINUS = 45

export function scoreRange(call: Call, minAt: number, maxAt: number): ScoreRange {
  const { buf, off, len } = call.request
  const minExclusive = len[minAt] > 0 && buf[off[minAt]] === OPEN
  const min = boundScore(call, minAt, minExclusive)
  const maxExclusive = len[maxAt] > 0 && buf[off[maxAt]] === OPEN
  return { min, minExclusive, max: boundScore(call, maxAt, maxExclusive), maxExclusive }
}

function boundScore(call: Call, i: number, exclusive: boolean): number {
  const { buf, off, len } = call.request
  const skip = exclusive ? 1 : 0
  const score = parseScoreBound(buf, off[i] + skip, len[i] - skip)
  if (score !== score) throw new CommandError('ERR min or max is not a float')
  return score
}

/** One bound of a range of names: `[a`, `(a`, `-`, `+`. */
export interface NameBound {
  /** 0: at these bytes, which stand in the request; -1: before all names; 1: behind all. */
  readonly end: -1 | 0 | 1
  readonly off: number
  readonly len: number
  readonly exclusive: boolean
}

export function nameBound(call: Call, i: number): NameBound {
  const { buf, off, len } = call.request
  const first = len[i] === 0 ? 0 : buf[off[i]]
  if (first === OPEN || first === CLOSED) return { end: 0, off: off[i] + 1, len: len[i] - 1, exclusive: first === OPEN }
  if (len[i] === 1 && (first === PLUS || first === MINUS)) {
    return { end: first === PLUS ? 1 : -1, off: 0, len: 0, exclusive: true }
  }
  throw new CommandError('ERR min or max not valid string range item')
}

/** Ranks from .. to-1. */
export interface RankRange {
  readonly from: number
  readonly to: number
}

export function ranksOfScores(call: Call, root: Ref, range: ScoreRange): RankRange {
  const { zsets, db } = call
  const from = zsets.countBelow(db, root, range.min, range.minExclusive)
  return { from, to: Math.max(from, zsets.countBelow(db, root, range.max, !range.maxExclusive)) }
}

/**
 * Members between two names, in a set whose scores are all alike. If they are not, a small set is looked through from the end that the walk begins at, as
 * Redis does; of a large one the result is as undefined as there.
 */
export function ranksOfNames(call: Call, root: Ref, min: NameBound, max: NameBound, reverse = false): RankRange {
  const { zsets, db } = call
  const size = zsets.size(db, root)
  if (size === 0) return NO_RANKS
  if (!zsets.isPacked(db, root)) {
    const from = namesBefore(call, root, min, min.exclusive)
    return { from, to: Math.max(from, namesBefore(call, root, max, !max.exclusive)) }
  }
  const isAboveMin = (rank: number) => order(call, root, rank, min) > (min.exclusive ? 0 : -1)
  const isBelowMax = (rank: number) => order(call, root, rank, max) < (max.exclusive ? 0 : 1)
  if (isEmptyRange(call, min, max) || !isAboveMin(size - 1) || !isBelowMax(0)) return NO_RANKS
  if (reverse) {
    let to = size
    while (!isBelowMax(to - 1)) to--
    let from = to
    while (from > 0 && isAboveMin(from - 1)) from--
    return { from, to }
  }
  let from = 0
  while (!isAboveMin(from)) from++
  let to = from
  while (to < size && isBelowMax(to)) to++
  return { from, to }
}

const NO_RANKS: RankRange = { from: 0, to: 0 }

/** -1, 0 or 1: how the member at a rank compares with a bound. */
function order(call: Call, root: Ref, rank: number, bound: NameBound): number {
  if (bound.end !== 0) return -bound.end
  const { buf, off, len } = call.zsets.seek(call.db, root, rank)
  return Math.sign(compareRanges(buf, off, len, call.request.buf, bound.off, bound.len))
}

function isEmptyRange(call: Call, min: NameBound, max: NameBound): boolean {
  const { buf } = call.request
  const difference =
    min.end !== 0 || max.end !== 0 ? min.end - max.end : compareRanges(buf, min.off, min.len, buf, max.off, max.len)
  return difference > 0 || (difference === 0 && (min.exclusive || max.exclusive))
}

function namesBefore(call: Call, root: Ref, bound: NameBound, orEqual: boolean): number {
  const { zsets, db } = call
  if (bound.end !== 0) return bound.end < 0 ? 0 : zsets.size(db, root)
  return zsets.countBefore(db, root, call.request.buf, bound.off, bound.len, orEqual)
}

/** start and stop of ZRANGE, negative ones from the end. */
export function ranksOfIndexes(size: number, start: number, stop: number): RankRange {
  const from = Math.max(0, start < 0 ? size + start : start)
  const to = Math.min(size, (stop < 0 ? size + stop : stop) + 1)
  return from < to ? { from, to } : { from: 0, to: 0 }
}
