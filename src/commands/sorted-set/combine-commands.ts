import { LIMITS } from '../../base/limits.js'
import { ZsetCursor } from '../../keyspace/zset-cursor.js'
import type { ScoreTable } from '../../keyspace/score-table.js'
import type { ScoresWriter } from '../../keyspace/zset-store.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import { keyRange, type ArgumentSpec, type CommandSpec } from '../command-spec.js'
import type { KeyToHold, ReadSteps } from '../services.js'
import { oneOf, optional, token } from '../string/arguments.js'
import { countedKeys, DESTINATION, NUMKEYS, replyScore, scoreArgument, SOME_KEYS } from './arguments.js'
import { ScoredList, storeScored, storeSteps } from './scored-list.js'
import { ScoredSource, type ScoredWalk } from './scored-source.js'

/** ZUNION, ZINTER, ZDIFF, with and without STORE, and ZINTERCARD. Sets count as sorted sets whose scores are 1. */
type Operation = 'union' | 'inter' | 'diff'
type Aggregate = (a: number, b: number) => number

const AGGREGATES: Readonly<Record<string, Aggregate>> = {
  SUM: (a, b) => numberOrZero(a + b),
  MIN: (a, b) => Math.min(a, b),
  MAX: (a, b) => Math.max(a, b),
  /** Of weights: see contribution. */
  COUNT: (a, b) => numberOrZero(a + b),
}

/** inf and -inf, or 0 times inf, count as 0. */
function numberOrZero(value: number): number {
  return value === value ? value : 0
}

interface Combination {
  readonly sources: ScoredSource[]
  aggregate: Aggregate
  withScores: boolean
  limit: number
}

/** What a member with that score in a source adds to the result: with COUNT it counts as often as the source weighs. */
function contribution(score: number, { weight }: ScoredSource, { aggregate }: Combination): number {
  return aggregate === AGGREGATES.COUNT ? weight : score * weight
}

function parse(call: Call, at: number, operation: Operation, mode: 'reply' | 'store' | 'count'): Combination {
  const count = call.integer(at)
  if (count < 1) throw new CommandError(`ERR at least 1 input key is needed for '${call.command.name}' command`)
  if (count > call.argc - at - 1) throw syntaxError()
  const sources: ScoredSource[] = []
  for (let i = 0; i < count; i++) sources.push(ScoredSource.of(call, at + 1 + i))
  const result: Combination = { sources, aggregate: AGGREGATES.SUM, withScores: false, limit: 0 }
  const weighs = operation !== 'diff' && mode !== 'count'
  for (let i = at + 1 + count; i < call.argc; i++) {
    const left = call.argc - i - 1
    if (weighs && left >= count && call.is(i, 'WEIGHTS')) {
      for (const source of sources) source.weight = scoreArgument(call, ++i, 'ERR weight value is not a float')
    } else if (weighs && left >= 1 && call.is(i, 'AGGREGATE')) {
      const name = call.text(++i).toUpperCase()
      if (!Object.hasOwn(AGGREGATES, name)) throw syntaxError()
      result.aggregate = AGGREGATES[name]
    } else if (mode === 'reply' && call.is(i, 'WITHSCORES')) {
      result.withScores = true
    } else if (mode === 'count' && left >= 1 && call.is(i, 'LIMIT')) {
      result.limit = call.integer(++i, "ERR LIMIT can't be negative")
      if (result.limit < 0) throw new CommandError("ERR LIMIT can't be negative")
    } else {
      throw syntaxError()
    }
  }
  // As in Redis: it decides in which order doubles are added.
  if (operation !== 'diff') sources.sort((a, b) => a.size - b.size)
  return result
}

/** Gathers the members of the result in a table, a step at a time. */
function* combine(table: ScoreTable, operation: Operation, combination: Combination): Generator<undefined, void> {
  const { sources, aggregate } = combination
  if (operation === 'union') {
    for (const source of sources) {
      const walk = source.walk()
      for (let looked = 1; walk.next(); looked++) {
        const { buf, off, len } = walk
        const value = numberOrZero(contribution(walk.score, source, combination))
        const before = table.look(buf, off, len)
        table.put(buf, off, len, before === before ? aggregate(before, value) : value)
        if (looked % LIMITS.slicedReadStep === 0) yield
      }
    }
    return
  }
  const [first, ...others] = sources
  const walk = first.walk()
  for (let looked = 1; walk.next(); looked++) {
    if (looked % LIMITS.slicedReadStep === 0) yield
    const { buf, off, len } = walk
    const score = operation === 'diff' ? onlyScore(walk, others) : commonScore(walk, combination)
    if (score !== score) continue
    table.look(buf, off, len)
    table.put(buf, off, len, score)
  }
}

/** Score of a member in an intersection, NaN when it is not in it. */
function commonScore(member: ScoredWalk, combination: Combination): number {
  const { sources, aggregate } = combination
  let sum = numberOrZero(contribution(member.score, sources[0], combination))
  for (let i = 1; i < sources.length; i++) {
    const value = sources[i].score(member.buf, member.off, member.len)
    if (value !== value) return NaN
    sum = aggregate(sum, contribution(value, sources[i], combination))
  }
  return sum
}

/** Score of a member that no other source has, else NaN. */
function onlyScore(member: ScoredWalk, others: readonly ScoredSource[]): number {
  for (const other of others) {
    const value = other.score(member.buf, member.off, member.len)
    if (value === value) return NaN
  }
  return member.score
}

/** Members that the operation looks at. */
function looksOf(operation: Operation, { sources }: Combination): number {
  const [first] = sources
  if (operation !== 'union') return first.size * sources.length
  return sources.reduce((sum, source) => sum + source.size, 0)
}

const cursor = new ZsetCursor()

function reply(call: Call, operation: Operation): void {
  const combination = parse(call, 1, operation, 'reply')
  const { sources, withScores } = combination
  const looks = looksOf(operation, combination)
  if (call.isLong(looks)) {
    const gather = (table: ScoreTable) => combine(table, operation, combination)
    call.readInSlices(2, sources.length, replySteps(call, call.zsets.newScratch(), gather, withScores))
    return
  }
  const table = call.zsets.scratch
  table.begin()
  finish(combine(table, operation, combination))
  beginReply(call, table, withScores)
  if (table.count > 0) replyMembers(call, table, 0, table.count, withScores)
  table.end()
}

function* replySteps(call: Call, table: ScoreTable, gather: (table: ScoreTable) => ReadSteps, withScores: boolean): ReadSteps {
  table.begin()
  const steps = gather(table)
  while (steps.next().done !== true) yield
  beginReply(call, table, withScores)
  const { count } = table
  for (let rank = 0; rank < count; rank += LIMITS.slicedReadSeek) {
    replyMembers(call, table, rank, Math.min(count, rank + LIMITS.slicedReadSeek), withScores)
    yield
  }
}

function finish(steps: ReadSteps): void {
  while (steps.next().done !== true);
}

function beginReply({ reply: out }: Call, { count }: ScoreTable, withScores: boolean): void {
  out.array(withScores && out.protocol === 2 ? count * 2 : count)
}

/** Members of ranks from .. to-1, which there must be. */
function replyMembers({ reply: out }: Call, table: ScoreTable, from: number, to: number, withScores: boolean): void {
  const nested = withScores && out.protocol === 3
  cursor.seek(table.forms, table.root, from)
  for (let left = to - from; left > 0; left--) {
    if (nested) out.array(2)
    out.bulk(cursor.buf, cursor.off, cursor.len)
    if (withScores) replyScore(out, cursor.score)
    cursor.step(true)
  }
}

function store(call: Call, operation: Operation): void {
  const combination = parse(call, 2, operation, 'store')
  if (call.isLongWrite(looksOf(operation, combination), 1)) {
    const { database } = call
    const keys: KeyToHold[] = [{ database, argument: 1, isWritten: true }]
    for (let i = 0; i < combination.sources.length; i++) keys.push({ database, argument: 3 + i, isWritten: false })
    const table = call.zsets.newScratch()
    const members = (writer: ScoresWriter) => resultSteps(table, combine(table, operation, combination), writer)
    call.writeInSlices(keys, storeSteps(call, 1, `z${operation}store`, members))
    return
  }
  const table = call.zsets.scratch
  const list = new ScoredList()
  table.begin()
  finish(combine(table, operation, combination))
  if (table.count > 0) {
    cursor.seek(table.forms, table.root, 0)
    do list.push(cursor.buf, cursor.off, cursor.len, cursor.score)
    while (cursor.step(true))
  }
  table.end()
  storeScored(call, 1, list, `z${operation}store`)
}

/** Gathers members in a table, and writes them then. */
function* resultSteps(table: ScoreTable, gather: ReadSteps, writer: ScoresWriter): ReadSteps {
  table.begin()
  while (gather.next().done !== true) yield
  const { count } = table
  if (count === 0) return
  const members = new ZsetCursor()
  members.seek(table.forms, table.root, 0)
  for (let left = count; left > 0; left--) {
    writer.push(members.buf, members.off, members.len, members.score)
    members.step(true)
    if (left % LIMITS.slicedReadStep === 0) yield
  }
}

function zintercard(call: Call): void {
  const combination = parse(call, 1, 'inter', 'count')
  const { sources, limit } = combination
  call.read(2, sources.length, looksOf('inter', combination), countSteps(call, sources, limit))
}

function* countSteps(call: Call, [first, ...others]: readonly ScoredSource[], limit: number): ReadSteps {
  const walk = first.walk()
  let count = 0
  for (let looked = 1; walk.next(); looked++) {
    if (looked % LIMITS.slicedReadStep === 0) yield
    let i = 0
    while (i < others.length && !Number.isNaN(others[i].score(walk.buf, walk.off, walk.len))) i++
    if (i === others.length && ++count === limit) break
  }
  call.reply.integer(count)
}

const WEIGHTS = optional({ name: 'weight', type: 'integer', token: 'WEIGHTS', flags: ['multiple'] })
const AGGREGATE: ArgumentSpec = {
  ...optional(oneOf('aggregate', token('sum'), token('min'), token('max'), { ...token('count'), since: '8.8.0' })),
  token: 'AGGREGATE',
}
const WITHSCORES = optional(token('withscores'))
const COMPLEXITIES: Readonly<Record<Operation, string>> = {
  union: 'O(N)+O(M*log(M)), N being the number of members in all inputs and M that in the result',
  inter:
    'O(N*K)+O(M*log(M)), N being the number of members in the smallest input, K that of inputs and M that of members in the result',
  diff: 'O(N*K)+O(M*log(M)), N being the number of members in the first input, K that of inputs and M that of members in the result',
}

function specs(operation: Operation, summary: string): CommandSpec[] {
  const shared = {
    group: 'sorted-set',
    categories: ['sortedset'],
    complexity: COMPLEXITIES[operation],
  } as const
  const options = operation === 'diff' ? [] : [WEIGHTS, AGGREGATE]
  return [
    {
      ...shared,
      name: `z${operation}`,
      arity: -3,
      flags: ['readonly', 'movablekeys'],
      keys: [countedKeys(1, 'RO', 'access')],
      since: '6.2.0',
      summary: `Lists ${summary}.`,
      arguments: [NUMKEYS, SOME_KEYS, ...options, WITHSCORES],
      handler: (call) => reply(call, operation),
    },
    {
      ...shared,
      name: `z${operation}store`,
      arity: -4,
      flags: ['write', 'denyoom', 'movablekeys'],
      keys: [...keyRange(1, 1, 1, 'OW', 'update'), countedKeys(2, 'RO', 'access')],
      since: operation === 'diff' ? '6.2.0' : '2.0.0',
      summary: `Stores ${summary} in a key.`,
      arguments: [DESTINATION, NUMKEYS, { ...SOME_KEYS, keySpecIndex: 1 }, ...options],
      handler: (call) => store(call, operation),
    },
  ]
}

export const COMBINE_COMMANDS: readonly CommandSpec[] = [
  ...specs('union', 'the members of any of several sorted sets, with their scores combined'),
  ...specs('inter', 'the members that all of several sorted sets have, with their scores combined'),
  ...specs('diff', 'the members of the first of several sorted sets that no other one has'),
  {
    name: 'zintercard',
    arity: -3,
    flags: ['readonly', 'movablekeys'],
    keys: [countedKeys(1, 'RO', 'access')],
    group: 'sorted-set',
    categories: ['sortedset'],
    since: '7.0.0',
    summary: 'Counts the members that all of several sorted sets have.',
    complexity: 'O(N*K), N being the number of members in the smallest input and K that of inputs',
    arguments: [NUMKEYS, SOME_KEYS, optional({ name: 'limit', type: 'integer', token: 'LIMIT' })],
    handler: zintercard,
  },
]
