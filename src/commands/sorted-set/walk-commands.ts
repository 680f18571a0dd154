import { INT64_MAX } from '../../base/bytes.js'
import { matchesGlob } from '../../base/glob.js'
import { formatScore } from '../../base/score.js'
import { LIMITS } from '../../base/limits.js'
import { ZsetCursor } from '../../keyspace/zset-cursor.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import { randomBelow } from '../random-choice.js'
import type { ReadSteps } from '../services.js'
import { cursorArgument, NO_PATTERN, SCAN_ARGUMENTS, scanOptions } from '../scan-options.js'
import { KEY, optional, token } from '../string/arguments.js'
import { replyScore, rootForRead } from './arguments.js'
import { ScoredList } from './scored-list.js'

/** ZRANDMEMBER and ZSCAN: members in no order. */
const OUT_OF_RANGE = 'ERR value is out of range'
/** Fewer members than one in so many are drawn one by one; more are picked on a walk. */
const DRAWN_SHARE = 3

function zrandmember(call: Call): void {
  if (call.argc === 2) {
    const root = rootForRead(call, 1)
    if (root === 0) call.reply.null()
    else replyMember(call, call.zsets.seek(call.db, root, randomRank(call, root)), false, false)
    return
  }
  const exact = call.negatableInteger64(2)
  if (call.argc > 4 || (call.argc === 4 && !call.is(3, 'WITHSCORES'))) throw syntaxError()
  const withScores = call.argc === 4
  if (withScores && (exact > INT64_MAX / 2n || exact < -INT64_MAX / 2n)) throw new CommandError(OUT_OF_RANGE)
  const root = rootForRead(call, 1)
  const count = Number(exact)
  if (root === 0 || count === 0) call.reply.array(0)
  else if (count > 0) replyDistinct(call, root, count, withScores)
  else replyRepeated(call, root, -count, withScores)
}

function randomRank(call: Call, root: Ref): number {
  return randomBelow(call, call.zsets.size(call.db, root))
}

function replyRepeated(call: Call, root: Ref, count: number, withScores: boolean): void {
  call.read(1, 1, count, repeatSteps(call, root, count, withScores))
}

function* repeatSteps(call: Call, root: Ref, count: number, withScores: boolean): ReadSteps {
  const nested = beginReply(call, count, withScores)
  for (let left = count; left > 0; left--) {
    replyMember(call, call.zsets.seek(call.db, root, randomRank(call, root)), withScores, nested)
    if (left % LIMITS.slicedReadStep === 0) yield
  }
}

/** Every subset with the same chance. */
function replyDistinct(call: Call, root: Ref, asked: number, withScores: boolean): void {
  const size = call.zsets.size(call.db, root)
  const count = Math.min(asked, size)
  const draws = count * DRAWN_SHARE < size && count <= LIMITS.slicedReadElements
  call.read(1, 1, draws ? count : size, choiceSteps(call, root, size, count, draws, withScores))
}

function* choiceSteps(call: Call, root: Ref, size: number, count: number, draws: boolean, withScores: boolean): ReadSteps {
  const { zsets, db } = call
  const nested = beginReply(call, count, withScores)
  if (draws) {
    // One draw a member, however the draws fall (Bentley and Floyd, 1987).
    const taken = new Set<number>()
    for (let last = size - count; last < size; last++) {
      const drawn = randomBelow(call, last + 1)
      const rank = taken.has(drawn) ? last : drawn
      taken.add(rank)
      replyMember(call, zsets.seek(db, root, rank), withScores, nested)
      if (last % LIMITS.slicedReadStep === 0) yield
    }
    return
  }
  const cursor = zsets.seek(db, root, 0, new ZsetCursor())
  let wanted = count
  // Each member is taken with the chance that makes the number come out (Knuth, algorithm S).
  for (let left = size; wanted > 0; left--) {
    if (randomBelow(call, left) < wanted) {
      replyMember(call, cursor, withScores, nested)
      wanted--
    }
    cursor.step(true)
    if (left % LIMITS.slicedReadStep === 0) yield
  }
}

function beginReply(call: Call, count: number, withScores: boolean): boolean {
  const nested = withScores && call.reply.protocol === 3
  call.reply.array(withScores && !nested ? count * 2 : count)
  return nested
}

function replyMember(call: Call, cursor: ZsetCursor, withScores: boolean, nested: boolean): void {
  const { reply } = call
  if (nested) reply.array(2)
  reply.bulk(cursor.buf, cursor.off, cursor.len)
  if (withScores) replyScore(reply, cursor.score)
}

/** A small sorted set is replied as a whole, whatever COUNT says, as in Redis. */
function zscan(call: Call): void {
  const { zsets, db, reply } = call
  const cursor = Number(cursorArgument(call, 2))
  const root = rootForRead(call, 1)
  if (root === 0) {
    reply.array(2)
    reply.bulkInteger(0)
    reply.array(0)
    return
  }
  const { count, pattern } = scanOptions(call, false)
  const found = new ScoredList()
  let next = 0
  if (zsets.isPacked(db, root)) {
    const at = zsets.seek(db, root, 0)
    do collect(call, at, pattern, found)
    while (at.step(true))
  } else {
    next = cursor
    for (let looked = 0; looked < count; looked++) {
      next = zsets.scan(db, root, next)
      if (zsets.hasScanned) collect(call, zsets.cursor, pattern, found)
      if (next === 0) break
    }
  }
  reply.array(2)
  reply.bulkInteger(next)
  reply.array(found.count * 2)
  for (let i = 0; i < found.count; i++) {
    reply.bulkBytes(found.members.at(i))
    reply.bulkString(formatScore(found.score(i)))
  }
}

function collect(call: Call, cursor: ZsetCursor, pattern: number, found: ScoredList): void {
  const { buf, off, len } = call.request
  if (pattern !== NO_PATTERN && !matchesGlob(buf, off[pattern], len[pattern], cursor.buf, cursor.off, cursor.len)) return
  found.push(cursor.buf, cursor.off, cursor.len, cursor.score)
}

export const WALK_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'zrandmember',
    arity: -2,
    flags: ['readonly'],
    keys: keyRange(1, 1, 1, 'RO', 'access'),
    group: 'sorted-set',
    categories: ['sortedset'],
    since: '6.2.0',
    summary: 'Picks members at random.',
    complexity: 'O(N), N being the number of members picked',
    tips: ['nondeterministic_output'],
    arguments: [
      KEY,
      {
        ...optional({
          name: 'options',
          type: 'block',
          arguments: [{ name: 'count', type: 'integer' }, optional(token('withscores'))],
        }),
      },
    ],
    handler: zrandmember,
  },
  {
    name: 'zscan',
    arity: -3,
    flags: ['readonly'],
    keys: keyRange(1, 1, 1, 'RO', 'access'),
    group: 'sorted-set',
    categories: ['sortedset'],
    since: '2.8.0',
    summary: 'Walks the members of a sorted set, a few a call.',
    complexity: 'O(1) for each call, O(N) for a whole walk, N being the number of members',
    tips: ['nondeterministic_output'],
    arguments: [KEY, ...SCAN_ARGUMENTS],
    handler: zscan,
  },
]
