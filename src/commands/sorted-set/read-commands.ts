import { LIMITS } from '../../base/limits.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import type { ReadSteps } from '../services.js'
import { KEY, optional, token } from '../string/arguments.js'
import { MEMBER, MEMBERS, nameBound, ranksOfNames, ranksOfScores, replyScore, rootForRead, scoreRange } from './arguments.js'

/** Commands that ask about members or count them. */
function zscore(call: Call): void {
  const root = rootForRead(call, 1)
  replyScoreOf(call, root, 2)
}

function zmscore(call: Call): void {
  const root = rootForRead(call, 1)
  if (call.isLong(call.argc - 2)) {
    call.readInSlices(1, 1, scoreSteps(call, root))
    return
  }
  call.reply.array(call.argc - 2)
  for (let i = 2; i < call.argc; i++) replyScoreOf(call, root, i)
}

function* scoreSteps(call: Call, root: number): ReadSteps {
  call.reply.array(call.argc - 2)
  for (let i = 2; i < call.argc; i++) {
    replyScoreOf(call, root, i)
    if (i % LIMITS.slicedReadStep === 0) yield
  }
}

function replyScoreOf(call: Call, root: number, i: number): void {
  const { buf, off, len } = call.request
  const score = call.zsets.score(call.db, root, buf, off[i], len[i])
  if (score === score) replyScore(call.reply, score)
  else call.reply.null()
}

function rank(call: Call, reverse: boolean): void {
  const { reply, zsets, db } = call
  if (call.argc > 4) throw new CommandError(`ERR wrong number of arguments for '${reverse ? 'zrevrank' : 'zrank'}' command`)
  const withScore = call.argc === 4
  if (withScore && !call.is(3, 'WITHSCORE')) throw syntaxError()
  const root = rootForRead(call, 1)
  const { buf, off, len } = call.request
  const found = zsets.rank(db, root, buf, off[2], len[2])
  if (found < 0) {
    if (withScore) reply.nullArray()
    else reply.null()
    return
  }
  if (withScore) reply.array(2)
  reply.integer(reverse ? zsets.size(db, root) - 1 - found : found)
  if (withScore) replyScore(reply, zsets.foundScore)
}

function zcount(call: Call): void {
  const range = scoreRange(call, 2, 3)
  const { from, to } = ranksOfScores(call, rootForRead(call, 1), range)
  call.reply.integer(to - from)
}

function zlexcount(call: Call): void {
  const min = nameBound(call, 2)
  const max = nameBound(call, 3)
  const { from, to } = ranksOfNames(call, rootForRead(call, 1), min, max)
  call.reply.integer(to - from)
}

const MIN = { name: 'min', type: 'string' } as const
const MAX = { name: 'max', type: 'string' } as const
const LOG_N = 'O(log(N)), N being the number of members in the sorted set'

function rankSpec(name: string, since: string, summary: string, reverse: boolean): CommandSpec {
  return {
    name,
    arity: -3,
    flags: ['readonly', 'fast'],
    keys: keyRange(1, 1, 1, 'RO', 'access'),
    group: 'sorted-set',
    categories: ['sortedset'],
    since,
    summary,
    complexity: LOG_N,
    history: [['7.2.0', 'The option WITHSCORE.']],
    arguments: [KEY, MEMBER, { ...optional(token('withscore')), since: '7.2.0' }],
    handler: (call) => rank(call, reverse),
  }
}

export const READ_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'zcard',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: keyRange(1, 1, 1, 'RO'),
    group: 'sorted-set',
    categories: ['sortedset'],
    since: '1.2.0',
    summary: 'Counts the members of a sorted set.',
    complexity: 'O(1)',
    arguments: [KEY],
    handler: (call) => call.reply.integer(call.zsets.size(call.db, rootForRead(call, 1))),
  },
  {
    name: 'zscore',
    arity: 3,
    flags: ['readonly', 'fast'],
    keys: keyRange(1, 1, 1, 'RO', 'access'),
    group: 'sorted-set',
    categories: ['sortedset'],
    since: '1.2.0',
    summary: 'Reads the score of a member.',
    complexity: 'O(1)',
    arguments: [KEY, MEMBER],
    handler: zscore,
  },
  {
    name: 'zmscore',
    arity: -3,
    flags: ['readonly', 'fast'],
    keys: keyRange(1, 1, 1, 'RO', 'access'),
    group: 'sorted-set',
    categories: ['sortedset'],
    since: '6.2.0',
    summary: 'Reads the scores of several members.',
    complexity: 'O(N), N being the number of members asked for',
    arguments: [KEY, MEMBERS],
    handler: zmscore,
  },
  rankSpec('zrank', '2.0.0', 'Says how many members come before a member.', false),
  rankSpec('zrevrank', '2.0.0', 'Says how many members come after a member.', true),
  {
    name: 'zcount',
    arity: 4,
    flags: ['readonly', 'fast'],
    keys: keyRange(1, 1, 1, 'RO', 'access'),
    group: 'sorted-set',
    categories: ['sortedset'],
    since: '2.0.0',
    summary: 'Counts the members with scores in a range.',
    complexity: LOG_N,
    arguments: [KEY, MIN, MAX],
    handler: zcount,
  },
  {
    name: 'zlexcount',
    arity: 4,
    flags: ['readonly', 'fast'],
    keys: keyRange(1, 1, 1, 'RO', 'access'),
    group: 'sorted-set',
    categories: ['sortedset'],
    since: '2.8.9',
    summary: 'Counts the members in a range of names, in a sorted set whose scores are all alike.',
    complexity: LOG_N,
    arguments: [KEY, MIN, MAX],
    handler: zlexcount,
  },
]
