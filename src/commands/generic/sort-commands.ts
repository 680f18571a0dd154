import { NotificationClass } from '../../base/notification-classes.js'
import { KeyType } from '../../keyspace/database.js'
import type { Ref } from '../../memory/arena.js'
import { ByteList } from '../../rdb/byte-list.js'
import type { Call } from '../call.js'
import { CommandError, Errors, syntaxError } from '../command-error.js'
import { keyRange, type ArgumentSpec, type CommandSpec } from '../command-spec.js'
import { sortNumber } from './sort-number.js'
import { orderByBytes, orderByNumber } from './sort-order.js'
import { asteriskIn, SortPattern } from './sort-pattern.js'

/**
 * SORT and SORT_RO: the elements of a list, set or sorted set in the order of themselves or of what they lead to. Elements, weights and results stand in flat
 * buffers, and are ordered by radix: a million elements are no million objects. With STORE the result replaces a key, in one op.
 */
const NOT_NUMBERS = "ERR One or more scores can't be converted into double"

const KEY: ArgumentSpec = { name: 'key', type: 'key', keySpecIndex: 0 }
const ARGUMENTS: readonly ArgumentSpec[] = [
  KEY,
  { name: 'by-pattern', type: 'pattern', token: 'BY', keySpecIndex: 1, flags: ['optional'] },
  {
    name: 'limit',
    type: 'block',
    token: 'LIMIT',
    flags: ['optional'],
    arguments: [
      { name: 'offset', type: 'integer' },
      { name: 'count', type: 'integer' },
    ],
  },
  {
    name: 'get-pattern',
    type: 'pattern',
    token: 'GET',
    keySpecIndex: 1,
    flags: ['optional', 'multiple', 'multiple_token'],
  },
  {
    name: 'order',
    type: 'oneof',
    flags: ['optional'],
    arguments: [
      { name: 'asc', type: 'pure-token', token: 'ASC' },
      { name: 'desc', type: 'pure-token', token: 'DESC' },
    ],
  },
  { name: 'sorting', type: 'pure-token', token: 'ALPHA', flags: ['optional'] },
]
/** The keys that patterns lead to are not among the arguments. */
const PATTERN_KEYS = { flags: ['RO', 'access'], beginSearch: 'unknown', findKeys: 'unknown' } as const
const COMPLEXITY =
  'O(N) to O(N*log(N)) for N elements, and O(1) for each BY and GET of one; O(log(N)+M) for M elements of a list or sorted set with LIMIT and BY nosort'

export const SORT_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'sort',
    arity: -2,
    flags: ['write', 'denyoom'],
    keys: [
      ...keyRange(1, 1, 1, 'RO', 'access'),
      PATTERN_KEYS,
      // The last STORE counts, so the search comes from behind.
      {
        flags: ['OW', 'update'],
        beginSearch: { keyword: 'STORE', startFrom: -2 },
        findKeys: { lastKey: 0, step: 1, limit: 0 },
      },
    ],
    group: 'generic',
    categories: ['set', 'sortedset', 'list', 'dangerous'],
    since: '1.0.0',
    summary: 'Sorts the elements of a list, a set or a sorted set; may store the result as a list.',
    complexity: COMPLEXITY,
    arguments: [...ARGUMENTS, { name: 'destination', type: 'key', token: 'STORE', keySpecIndex: 2, flags: ['optional'] }],
    handler: (call) => sort(call, true),
  },
  {
    name: 'sort_ro',
    arity: -2,
    flags: ['readonly'],
    keys: [...keyRange(1, 1, 1, 'RO', 'access'), PATTERN_KEYS],
    group: 'generic',
    categories: ['set', 'sortedset', 'list', 'dangerous'],
    since: '7.0.0',
    summary: 'Sorts the elements of a list, a set or a sorted set.',
    complexity: COMPLEXITY,
    arguments: ARGUMENTS,
    handler: (call) => sort(call, false),
  },
]

interface Options {
  descending: boolean
  alpha: boolean
  offset: number
  /** Negative: all. */
  count: number
  /** Argument of each, 0 for none. */
  store: number
  by: number
  readonly gets: number[]
}

function sort(call: Call, mayStore: boolean): void {
  const options = parseOptions(call, mayStore)
  const ref = call.findForRead(1)
  const type = ref === 0 ? KeyType.list : call.db.type(ref)
  if (type !== KeyType.list && type !== KeyType.set && type !== KeyType.zset) throw new CommandError(Errors.wrongType)

  const { descending } = options
  let { alpha, by } = options
  // A pattern without * would give every element the same weight: it says that nothing is to be sorted.
  let sorts = by === 0 || asteriskIn(call.bytes(by)) >= 0
  if (!sorts && type === KeyType.set && options.store > 0) {
    // A set has no order of its own that could be told to other members.
    sorts = true
    alpha = true
    by = 0
  }
  const size = ref === 0 ? 0 : call.keys.store(type).size(call.db, call.db.root(ref))
  const { start, end } = rangeOf(options, size)
  if (!sorts) {
    answer(call, options, ref === 0 ? new ByteList() : unsorted(call, ref, type, start, end, descending), null)
    return
  }
  const elements = ref === 0 ? new ByteList() : elementsOf(call, ref)
  const pattern = by === 0 ? null : new SortPattern(call, call.bytes(by))
  const order = alpha
    ? orderByText(elements, pattern, descending)
    : orderByNumber(weightsOf(elements, pattern), elements, descending)
  answer(call, options, elements, order.subarray(start, end))
}

function parseOptions(call: Call, mayStore: boolean): Options {
  const options: Options = { descending: false, alpha: false, offset: 0, count: -1, store: 0, by: 0, gets: [] }
  for (let i = 2; i < call.argc; i++) {
    const left = call.argc - i - 1
    if (call.is(i, 'ASC')) options.descending = false
    else if (call.is(i, 'DESC')) options.descending = true
    else if (call.is(i, 'ALPHA')) options.alpha = true
    else if (call.is(i, 'LIMIT') && left >= 2) {
      options.offset = call.integer(++i)
      options.count = call.integer(++i)
    } else if (mayStore && call.is(i, 'STORE') && left >= 1) options.store = ++i
    else if (call.is(i, 'BY') && left >= 1) options.by = ++i
    else if (call.is(i, 'GET') && left >= 1) options.gets.push(++i)
    else throw syntaxError()
  }
  return options
}

/** The part of the sorted elements that LIMIT asks for. */
function rangeOf({ offset, count }: Options, size: number): { start: number; end: number } {
  const start = Math.min(Math.max(offset, 0), size)
  const end = count < 0 ? size : Math.min(start + Math.min(count, size), size)
  return { start, end }
}

/** All elements, in the collection's own order, copied. */
function elementsOf(call: Call, ref: Ref): ByteList {
  const value = call.keys.store(call.db.type(ref)).toRdb(call.db, call.db.root(ref))
  if (value.type === 'list') return value.elements
  return value.type === 'set' || value.type === 'zset' ? value.members : new ByteList()
}

/** Elements start … end - 1 of the collection's own order, copied; of a set in any order. */
function unsorted(call: Call, ref: Ref, type: number, start: number, end: number, descending: boolean): ByteList {
  const found = new ByteList()
  if (end <= start) return found
  const { db, collections } = call
  const root = db.root(ref)
  const sink = { bulk: (buf: Uint8Array, off: number, len: number) => found.push(buf, off, len) }
  const count = end - start
  if (type === KeyType.list) {
    const size = collections.lists.size(db, root)
    collections.lists.read(db, root, descending ? size - 1 - start : start, count, descending, sink)
    return found
  }
  if (type === KeyType.zset) {
    const { zsets } = collections
    const size = zsets.size(db, root)
    const cursor = zsets.seek(db, root, descending ? size - 1 - start : start)
    for (let i = 0; i < count; i++) {
      found.push(cursor.buf, cursor.off, cursor.len)
      cursor.step(!descending)
    }
    return found
  }
  const members = elementsOf(call, ref)
  for (let i = start; i < end; i++) found.push(members.buf, members.start(i), members.end(i) - members.start(i))
  return found
}

/** The number of each element, or of what it leads to; 0 if that is nothing. */
function weightsOf(elements: ByteList, pattern: SortPattern | null): Float64Array {
  const { buf, count } = elements
  const weights = new Float64Array(count)
  for (let i = 0; i < count; i++) {
    const start = elements.start(i)
    const length = elements.end(i) - start
    if (pattern === null) weights[i] = sortNumber(buf, start, length)
    else if (pattern.find(buf, start, length)) weights[i] = sortNumber(pattern.buf, pattern.off, pattern.len)
    if (weights[i] !== weights[i]) throw new CommandError(NOT_NUMBERS)
  }
  return weights
}

function orderByText(elements: ByteList, pattern: SortPattern | null, descending: boolean): Uint32Array {
  if (pattern === null) return orderByBytes(elements, descending)
  const { buf, count } = elements
  const found = new ByteList()
  const places = new Uint32Array(count)
  const missing: number[] = []
  for (let i = 0; i < count; i++) {
    const start = elements.start(i)
    if (pattern.find(buf, start, elements.end(i) - start)) {
      places[found.count] = i
      found.push(pattern.buf, pattern.off, pattern.len)
    } else {
      missing.push(i)
    }
  }
  const order = orderByBytes(found, descending).map((i) => places[i])
  // What leads to nothing comes before everything else.
  const all = new Uint32Array(count)
  all.set(missing, descending ? found.count : 0)
  all.set(order, descending ? 0 : missing.length)
  return all
}

/** Replies with elements, or what they lead to, or stores it. order: which elements; null for all as they are. */
function answer(call: Call, options: Options, elements: ByteList, order: Uint32Array | null): void {
  const { reply } = call
  const { gets, store } = options
  const count = order === null ? elements.count : order.length
  const patterns = gets.map((i) => new SortPattern(call, call.bytes(i)))
  const results = store === 0 ? null : new ByteList()
  if (results === null) reply.array(count * Math.max(1, patterns.length))
  for (let i = 0; i < count; i++) {
    const place = order === null ? i : order[i]
    const start = elements.start(place)
    const length = elements.end(place) - start
    if (patterns.length === 0) {
      if (results === null) reply.bulk(elements.buf, start, length)
      else results.push(elements.buf, start, length)
    }
    for (const pattern of patterns) {
      const found = pattern.find(elements.buf, start, length)
      if (results !== null) results.push(pattern.buf, pattern.off, found ? pattern.len : 0)
      else if (found) reply.bulk(pattern.buf, pattern.off, pattern.len)
      else reply.null()
    }
  }
  if (results !== null) storeResults(call, store, results)
}

function storeResults(call: Call, i: number, results: ByteList): void {
  const { effects, database } = call
  const { buf, off, len } = call.request
  const replaces = call.find(i) !== 0
  if (replaces) effects.remove(database, buf, off[i], len[i])
  if (results.count > 0) {
    call.keys.store(KeyType.list).writeRdb({ type: 'list', elements: results }, database, buf, off[i], len[i])
    call.notify(NotificationClass.list, 'sortstore', i)
  } else if (replaces) {
    call.notify(NotificationClass.generic, 'del', i)
  }
  call.reply.integer(results.count)
}
