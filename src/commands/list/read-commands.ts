import { LIMITS } from '../../base/limits.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import { keyRange, type CommandSpec, type KeySpecFlag } from '../command-spec.js'
import type { ReadSteps } from '../services.js'
import { KEY, optional, START } from '../string/arguments.js'
import { ELEMENT, findListForRead, INDEX, lengthOf, lists, STOP } from './arguments.js'

/** LLEN, LRANGE, LINDEX, LPOS. */
function llen(call: Call): void {
  call.reply.integer(lengthOf(call, findListForRead(call, 1)))
}

function lrange(call: Call): void {
  const from = call.integer(2)
  const to = call.integer(3)
  const ref = findListForRead(call, 1)
  const length = lengthOf(call, ref)
  const start = Math.max(from < 0 ? from + length : from, 0)
  const stop = Math.min(to < 0 ? to + length : to, length - 1)
  const count = Math.max(stop - start + 1, 0)
  if (call.isLong(count)) {
    call.readInSlices(1, 1, rangeSteps(call, call.root(ref), start, count))
    return
  }
  call.reply.array(count)
  if (count > 0) lists(call).read(call.db, call.root(ref), start, count, false, call.reply)
}

function* rangeSteps(call: Call, root: Ref, start: number, count: number): ReadSteps {
  call.reply.array(count)
  for (let at = 0; at < count; at += LIMITS.slicedReadSeek) {
    lists(call).read(call.db, root, start + at, Math.min(LIMITS.slicedReadSeek, count - at), false, call.reply)
    yield
  }
}

function lindex(call: Call): void {
  const ref = findListForRead(call, 1)
  if (ref === 0) {
    call.reply.null()
    return
  }
  const index = call.integer(2)
  const length = lengthOf(call, ref)
  const rank = index < 0 ? index + length : index
  if (rank < 0 || rank >= length) call.reply.null()
  else lists(call).read(call.db, call.root(ref), rank, 1, false, call.reply)
}

interface Search {
  /** Which of the matches is the first that counts; negative: from the end. */
  rank: number
  /** Matches wanted, 0 for all; null: one, and the reply is not an array. */
  count: number | null
  /** Elements looked at, 0 for all. */
  maxLength: number
}

function parseSearch(call: Call): Search {
  const search: Search = { rank: 1, count: null, maxLength: 0 }
  for (let i = 3; i < call.argc; i += 2) {
    if (i + 1 === call.argc) throw syntaxError()
    if (call.is(i, 'RANK')) {
      const rank = call.negatableInteger64(i + 1)
      if (rank === 0n) {
        throw new CommandError(
          "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
        )
      }
      search.rank = Number(rank)
    } else if (call.is(i, 'COUNT')) {
      search.count = notNegative(call, i + 1, "ERR COUNT can't be negative")
    } else if (call.is(i, 'MAXLEN')) {
      search.maxLength = notNegative(call, i + 1, "ERR MAXLEN can't be negative")
    } else {
      throw syntaxError()
    }
  }
  return search
}

function notNegative(call: Call, i: number, error: string): number {
  const value = call.integer(i, error)
  if (value < 0) throw new CommandError(error)
  return value
}

function lpos(call: Call): void {
  const { rank, count, maxLength } = parseSearch(call)
  const ref = findListForRead(call, 1)
  const { buf, off, len } = call.request
  const found: number[] = []
  if (ref !== 0) {
    const wanted = count === null ? 1 : count === 0 ? Infinity : count
    let toSkip = Math.abs(rank) - 1
    const looks = maxLength === 0 ? Infinity : maxLength
    lists(call).search(call.db, call.root(ref), buf, off[2], len[2], rank < 0, looks, (at) => {
      if (toSkip > 0) {
        toSkip--
        return true
      }
      found.push(at)
      return found.length < wanted
    })
  }
  if (count === null) {
    if (found.length === 0) call.reply.null()
    else call.reply.integer(found[0])
    return
  }
  call.reply.array(found.length)
  for (const at of found) call.reply.integer(at)
}

function reading(spec: Omit<CommandSpec, 'flags' | 'keys' | 'group' | 'categories'>, fast: boolean): CommandSpec {
  const flags: KeySpecFlag[] = spec.name === 'llen' ? ['RO'] : ['RO', 'access']
  return {
    ...spec,
    flags: fast ? ['readonly', 'fast'] : ['readonly'],
    keys: keyRange(1, 1, 1, ...flags),
    group: 'list',
    categories: ['list'],
  }
}

export const READ_COMMANDS: readonly CommandSpec[] = [
  reading(
    {
      name: 'llen',
      arity: 2,
      since: '1.0.0',
      summary: 'Counts the elements of a list.',
      complexity: 'O(1)',
      arguments: [KEY],
      handler: llen,
    },
    true,
  ),
  reading(
    {
      name: 'lrange',
      arity: 4,
      since: '1.0.0',
      summary: 'Reads the elements of a list from one index to another.',
      complexity: 'O(log L + N), L being the length of the list and N the number of elements read',
      arguments: [KEY, START, STOP],
      handler: lrange,
    },
    false,
  ),
  reading(
    {
      name: 'lindex',
      arity: 3,
      since: '1.0.0',
      summary: 'Reads the element of a list at an index.',
      complexity: 'O(log N), N being the length of the list',
      arguments: [KEY, INDEX],
      handler: lindex,
    },
    false,
  ),
  reading(
    {
      name: 'lpos',
      arity: -3,
      since: '6.0.6',
      summary: 'Looks for an element in a list and tells its index, or those of several matches.',
      complexity: 'O(N), N being the number of elements looked at',
      arguments: [
        KEY,
        ELEMENT,
        optional({ name: 'rank', type: 'integer', token: 'RANK' }),
        optional({ name: 'num-matches', type: 'integer', token: 'COUNT' }),
        optional({ name: 'len', type: 'integer', token: 'MAXLEN' }),
      ],
      handler: lpos,
    },
    false,
  ),
]
