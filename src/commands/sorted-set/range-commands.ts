import { LIMITS } from '../../base/limits.js'
import { NotificationClass } from '../../base/notification-classes.js'
import { ZsetCursor } from '../../keyspace/zset-cursor.js'
import type { ScoresWriter } from '../../keyspace/zset-store.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import { keyRange, type ArgumentSpec, type CommandSpec } from '../command-spec.js'
import type { ReadSteps } from '../services.js'
import { KEY, oneOf, optional, token } from '../string/arguments.js'
import {
  LIMIT,
  nameBound,
  ranksOfIndexes,
  ranksOfNames,
  ranksOfScores,
  replyScore,
  rootForRead,
  rootForWrite,
  scoreRange,
  type NameBound,
  type RankRange,
  type ScoreRange,
} from './arguments.js'
import { listOf, ScoredList, storeScored, storeSteps } from './scored-list.js'
import { notifyRemoval } from './write-commands.js'

/** Ranges by index, score or name: ZRANGE, what it replaces, ZRANGESTORE, and removals of ranges. All of them become ranges of ranks. */
type By = 'index' | 'score' | 'name'

interface RangeOptions {
  by: By
  reverse: boolean
  withScores: boolean
  offset: number
  /** Negative: no limit. */
  limit: number
}

/** What stands between min and max, parsed. */
type Bounds =
  | { readonly by: 'index'; readonly start: number; readonly stop: number }
  | { readonly by: 'score'; readonly range: ScoreRange }
  | { readonly by: 'name'; readonly min: NameBound; readonly max: NameBound }

function parseBounds(call: Call, by: By, minAt: number, maxAt: number): Bounds {
  switch (by) {
    case 'index':
      return { by, start: call.integer(minAt), stop: call.integer(maxAt) }
    case 'score':
      return { by, range: scoreRange(call, minAt, maxAt) }
    case 'name':
      return { by, min: nameBound(call, minAt), max: nameBound(call, maxAt) }
  }
}

function ranksOf(call: Call, root: Ref, bounds: Bounds, reverse: boolean): RankRange {
  switch (bounds.by) {
    case 'index':
      return ranksOfIndexes(call.zsets.size(call.db, root), bounds.start, bounds.stop)
    case 'score':
      return ranksOfScores(call, root, bounds.range)
    case 'name':
      return ranksOfNames(call, root, bounds.min, bounds.max, reverse)
  }
}

/**
 * The general command. `fixed` says what its name has decided, `first` is the source's argument; storing, its destination is argument 1.
 */
function range(call: Call, first: number, fixed: { by?: By; reverse?: boolean }): void {
  const stores = first === 2
  const options: RangeOptions = {
    by: fixed.by ?? 'index',
    reverse: fixed.reverse ?? false,
    withScores: false,
    offset: 0,
    limit: -1,
  }
  let limited = false
  let hasBy = fixed.by !== undefined
  let hasReverse = fixed.reverse !== undefined
  for (let i = first + 3; i < call.argc; i++) {
    if (!stores && call.is(i, 'WITHSCORES')) {
      options.withScores = true
    } else if (call.is(i, 'LIMIT') && i + 2 < call.argc) {
      options.offset = call.integer(i + 1)
      options.limit = call.integer(i + 2)
      limited = options.limit !== -1
      i += 2
    } else if (!hasReverse && call.is(i, 'REV')) {
      options.reverse = true
      hasReverse = true
    } else if (!hasBy && (call.is(i, 'BYLEX') || call.is(i, 'BYSCORE'))) {
      options.by = call.is(i, 'BYLEX') ? 'name' : 'score'
      hasBy = true
    } else {
      throw syntaxError()
    }
  }
  if (limited && options.by === 'index') {
    throw new CommandError('ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX')
  }
  if (options.withScores && options.by === 'name') {
    throw new CommandError('ERR syntax error, WITHSCORES not supported in combination with BYLEX')
  }
  const swapped = options.reverse && options.by !== 'index'
  const bounds = parseBounds(call, options.by, first + (swapped ? 2 : 1), first + (swapped ? 1 : 2))
  const root = rootForRead(call, first)
  const found = root === 0 ? { from: 0, to: 0 } : cut(call, root, ranksOf(call, root, bounds, options.reverse), options)
  if (stores && call.isLongWrite(found.to - found.from, 1)) {
    const keys = [1, 2].map((argument) => ({ database: call.database, argument, isWritten: argument === 1 }))
    const members = (writer: ScoresWriter) => copySteps(call, root, found, writer)
    call.writeInSlices(keys, storeSteps(call, 1, 'zrangestore', members))
  } else if (stores) storeScored(call, 1, root === 0 ? new ScoredList() : listOf(call, root, found.from, found.to), 'zrangestore')
  else replyRange(call, root, found, options)
}

function* copySteps(call: Call, root: Ref, { from, to }: RankRange, writer: ScoresWriter): ReadSteps {
  const cursor = call.zsets.seek(call.db, root, from, new ZsetCursor())
  for (let left = to - from; left > 0; left--) {
    writer.push(cursor.buf, cursor.off, cursor.len, cursor.score)
    cursor.step(true)
    if (left % LIMITS.slicedReadStep === 0) yield
  }
}

/** Applies direction and limit: the result is in the set's own order. */
function cut(call: Call, root: Ref, { from, to }: RankRange, { by, reverse, offset, limit }: RangeOptions): RankRange {
  if (by === 'index') {
    if (!reverse || from === to) return { from, to }
    const size = call.zsets.size(call.db, root)
    return { from: size - to, to: size - from }
  }
  if (offset < 0 || offset >= to - from) return { from: 0, to: 0 }
  const count = limit < 0 ? to - from - offset : Math.min(limit, to - from - offset)
  return reverse ? { from: to - offset - count, to: to - offset } : { from: from + offset, to: from + offset + count }
}

function replyRange(call: Call, root: Ref, range: RankRange, options: RangeOptions): void {
  if (call.isLong(range.to - range.from)) {
    call.readInSlices(1, 1, rangeSteps(call, root, range, options))
    return
  }
  replyCount(call, range, options)
  if (range.from < range.to) replyMembers(call, root, range.from, range.to, options)
}

function* rangeSteps(call: Call, root: Ref, range: RankRange, options: RangeOptions): ReadSteps {
  const { from, to } = range
  replyCount(call, range, options)
  for (let done = 0; done < to - from; done += LIMITS.slicedReadSeek) {
    if (options.reverse) replyMembers(call, root, Math.max(from, to - done - LIMITS.slicedReadSeek), to - done, options)
    else replyMembers(call, root, from + done, Math.min(to, from + done + LIMITS.slicedReadSeek), options)
    yield
  }
}

function replyCount({ reply }: Call, { from, to }: RankRange, { withScores }: RangeOptions): void {
  reply.array(withScores && reply.protocol === 2 ? (to - from) * 2 : to - from)
}

/** The members of ranks from .. to-1, which there must be. */
function replyMembers(call: Call, root: Ref, from: number, to: number, { withScores, reverse }: RangeOptions): void {
  const { reply } = call
  const nested = withScores && reply.protocol === 3
  const cursor = call.zsets.seek(call.db, root, reverse ? to - 1 : from)
  for (let left = to - from; left > 0; left--) {
    if (nested) reply.array(2)
    reply.bulk(cursor.buf, cursor.off, cursor.len)
    if (withScores) replyScore(reply, cursor.score)
    if (left > 1) cursor.step(!reverse)
  }
}

function removeRange(call: Call, by: By, event: string): void {
  const bounds = parseBounds(call, by, 2, 3)
  const root = rootForWrite(call, 1)
  const { from, to } = root === 0 ? { from: 0, to: 0 } : ranksOf(call, root, bounds, false)
  const { zsets, db, effects, request } = call
  const { buf, off, len } = request
  const { writer } = zsets
  const isAll = from < to && to - from === zsets.size(db, root)
  if (!isAll && call.isLongWrite(to - from, 1)) {
    call.writeKeyInSlices(1, removeSteps(call, root, from, to, event))
    return
  }
  if (from < to) {
    if (isAll && to > LIMITS.reclaimAtOnce) {
      // All of a large set: its memory is given back little by little.
      effects.remove(call.database, buf, off[1], len[1])
      writer.root = 0
    } else {
      writer.begin(call.database, buf, off[1], len[1], root)
      for (let left = to - from; left > 0; left--) {
        const cursor = zsets.seek(db, writer.root, from)
        writer.remove(cursor.buf, cursor.off, cursor.len)
      }
      writer.end()
    }
    notifyRemoval(call, event, 1)
  }
  call.reply.integer(to - from)
}

const MIN: ArgumentSpec = { name: 'min', type: 'string' }
const MAX: ArgumentSpec = { name: 'max', type: 'string' }
const START: ArgumentSpec = { name: 'start', type: 'integer' }
const STOP: ArgumentSpec = { name: 'stop', type: 'integer' }
const RANGE_START: ArgumentSpec = { name: 'start', type: 'string' }
const RANGE_STOP: ArgumentSpec = { name: 'stop', type: 'string' }
const WITHSCORES = optional(token('withscores'))
const SORT_BY = optional(oneOf('sortby', token('byscore'), token('bylex')))
const COMPLEXITY = 'O(log(N)+M), N being the number of members in the sorted set and M that of those in the range'

function readSpec(
  name: string,
  since: string,
  summary: string,
  fixed: { by?: By; reverse?: boolean },
  replacedBy: string | null,
  args: readonly ArgumentSpec[],
): CommandSpec {
  return {
    name,
    arity: -4,
    flags: ['readonly'],
    keys: keyRange(1, 1, 1, 'RO', 'access'),
    group: 'sorted-set',
    categories: ['sortedset'],
    since,
    summary,
    complexity: COMPLEXITY,
    ...(replacedBy === null ? {} : { deprecated: { since: '6.2.0', replacedBy } }),
    arguments: [KEY, ...args],
    handler: (call) => range(call, 1, fixed),
  }
}

function* removeSteps(call: Call, root: Ref, from: number, to: number, event: string): Generator<undefined | 'commit', void> {
  yield* call.zsets.buildRemoval(call.db, root, from, to, call.op, call.place(1))
  yield 'commit'
  // Never all of them, see removeRange.
  call.notify(NotificationClass.sortedSet, event, 1)
  call.reply.integer(to - from)
}

function removeSpec(name: string, since: string, summary: string, by: By, args: readonly ArgumentSpec[]): CommandSpec {
  return {
    name,
    arity: 4,
    flags: ['write'],
    keys: keyRange(1, 1, 1, 'RW', 'delete'),
    group: 'sorted-set',
    categories: ['sortedset'],
    since,
    summary,
    complexity: 'O(M*log(N)), N being the number of members in the sorted set and M that of those in the range',
    arguments: [KEY, ...args],
    handler: (call) => removeRange(call, by, name),
  }
}

export const RANGE_COMMANDS: readonly CommandSpec[] = [
  {
    ...readSpec('zrange', '1.2.0', 'Lists members in a range of indexes, scores or names.', {}, null, [
      RANGE_START,
      RANGE_STOP,
      SORT_BY,
      optional(token('rev')),
      LIMIT,
      WITHSCORES,
    ]),
    history: [['6.2.0', 'Options REV, BYSCORE, BYLEX and LIMIT.']],
  },
  readSpec(
    'zrevrange',
    '1.2.0',
    'Lists members in a range of indexes, the last one first.',
    { by: 'index', reverse: true },
    '`ZRANGE` with the `REV` argument',
    [START, STOP, WITHSCORES],
  ),
  readSpec(
    'zrangebyscore',
    '1.0.5',
    'Lists members in a range of scores.',
    { by: 'score', reverse: false },
    '`ZRANGE` with the `BYSCORE` argument',
    [MIN, MAX, WITHSCORES, LIMIT],
  ),
  readSpec(
    'zrevrangebyscore',
    '2.2.0',
    'Lists members in a range of scores, the last one first.',
    { by: 'score', reverse: true },
    '`ZRANGE` with the `REV` and `BYSCORE` arguments',
    [MAX, MIN, WITHSCORES, LIMIT],
  ),
  readSpec(
    'zrangebylex',
    '2.8.9',
    'Lists members in a range of names, in a sorted set whose scores are all alike.',
    { by: 'name', reverse: false },
    '`ZRANGE` with the `BYLEX` argument',
    [MIN, MAX, LIMIT],
  ),
  readSpec(
    'zrevrangebylex',
    '2.8.9',
    'Lists members in a range of names, the last one first.',
    { by: 'name', reverse: true },
    '`ZRANGE` with the `REV` and `BYLEX` arguments',
    [MAX, MIN, LIMIT],
  ),
  {
    name: 'zrangestore',
    arity: -5,
    flags: ['write', 'denyoom'],
    keys: [...keyRange(1, 1, 1, 'OW', 'update'), ...keyRange(2, 2, 1, 'RO', 'access')],
    group: 'sorted-set',
    categories: ['sortedset'],
    since: '6.2.0',
    summary: 'Stores members in a range of indexes, scores or names in a key.',
    complexity: COMPLEXITY,
    arguments: [
      { name: 'dst', type: 'key', keySpecIndex: 0 },
      { name: 'src', type: 'key', keySpecIndex: 1 },
      MIN,
      MAX,
      SORT_BY,
      optional(token('rev')),
      LIMIT,
    ],
    handler: (call) => range(call, 2, {}),
  },
  removeSpec('zremrangebyrank', '2.0.0', 'Removes members in a range of indexes.', 'index', [START, STOP]),
  removeSpec('zremrangebyscore', '1.2.0', 'Removes members in a range of scores.', 'score', [MIN, MAX]),
  removeSpec(
    'zremrangebylex',
    '2.8.9',
    'Removes members in a range of names, in a sorted set whose scores are all alike.',
    'name',
    [MIN, MAX],
  ),
]
