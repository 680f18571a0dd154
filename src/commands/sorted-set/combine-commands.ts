import { ZsetCursor } from '../../keyspace/zset-cursor.js'
import type { ScoreTable } from '../../keyspace/score-table.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import { keyRange, type ArgumentSpec, type CommandSpec } from '../command-spec.js'
import { oneOf, optional, token } from '../string/arguments.js'
import { countedKeys, DESTINATION, NUMKEYS, replyScore, scoreArgument, SOME_KEYS } from './arguments.js'
import { ScoredList, storeScored } from './scored-list.js'
import { ScoredSource } from './scored-source.js'

/** ZUNION, ZINTER, ZDIFF, with and without STORE, and ZINTERCARD. Sets count as sorted sets whose scores are 1. */
type Operation = 'union' | 'inter' | 'diff'
type Aggregate = (a: number, b: number) => number

const AGGREGATES: Readonly<Record<string, Aggregate>> = {
  SUM: (a, b) => numberOrZero(a + b),
  MIN: (a, b) => Math.min(a, b),
  MAX: (a, b) => Math.max(a, b),
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

function combine(table: ScoreTable, operation: Operation, { sources, aggregate }: Combination): void {
  const [first, ...others] = sources
  if (operation === 'union') {
    for (const source of sources) {
      source.each((buf, off, len, score) => {
        const value = numberOrZero(score * source.weight)
        const before = table.look(buf, off, len)
        table.put(buf, off, len, before === before ? aggregate(before, value) : value)
        return true
      })
    }
  } else if (operation === 'inter') {
    first.each((buf, off, len, score) => {
      let sum = numberOrZero(score * first.weight)
      for (const other of others) {
        const value = other.score(buf, off, len)
        if (value !== value) return true
        sum = aggregate(sum, value * other.weight)
      }
      table.look(buf, off, len)
      table.put(buf, off, len, sum)
      return true
    })
  } else {
    first.each((buf, off, len, score) => {
      for (const other of others) {
        const value = other.score(buf, off, len)
        if (value === value) return true
      }
      table.look(buf, off, len)
      table.put(buf, off, len, score)
      return true
    })
  }
}

const cursor = new ZsetCursor()

function reply(call: Call, operation: Operation): void {
  const combination = parse(call, 1, operation, 'reply')
  const table = call.zsets.scratch
  table.begin()
  combine(table, operation, combination)
  const { reply: out } = call
  const { withScores } = combination
  const { count } = table
  const nested = withScores && out.protocol === 3
  out.array(withScores && !nested ? count * 2 : count)
  eachOf(table, (buf, off, len, score) => {
    if (nested) out.array(2)
    out.bulk(buf, off, len)
    if (withScores) replyScore(out, score)
  })
  table.end()
}

function store(call: Call, operation: Operation): void {
  const combination = parse(call, 2, operation, 'store')
  const table = call.zsets.scratch
  const list = new ScoredList()
  table.begin()
  combine(table, operation, combination)
  eachOf(table, (buf, off, len, score) => list.push(buf, off, len, score))
  table.end()
  storeScored(call, 1, list, `z${operation}store`)
}

function eachOf(table: ScoreTable, visit: (buf: Uint8Array, off: number, len: number, score: number) => void): void {
  if (table.count === 0) return
  cursor.seek(table.forms, table.root, 0)
  do visit(cursor.buf, cursor.off, cursor.len, cursor.score)
  while (cursor.step(true))
}

function zintercard(call: Call): void {
  const { sources, limit } = parse(call, 1, 'inter', 'count')
  const [first, ...others] = sources
  let count = 0
  first.each((buf, off, len) => {
    for (const other of others) {
      const value = other.score(buf, off, len)
      if (value !== value) return true
    }
    count++
    return count !== limit
  })
  call.reply.integer(count)
}

const WEIGHTS = optional({ name: 'weight', type: 'integer', token: 'WEIGHTS', flags: ['multiple'] })
const AGGREGATE: ArgumentSpec = {
  ...optional(oneOf('aggregate', token('sum'), token('min'), token('max'))),
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
