import { allocateWords } from '../../base/bytes.js'
import { DoubleList } from '../../base/double-list.js'
import { LIMITS } from '../../base/limits.js'
import { NotificationClass } from '../../base/notification-classes.js'
import { KeyType } from '../../keyspace/database.js'
import { RunWriter } from '../../keyspace/list-store.js'
import type { Ref } from '../../memory/arena.js'
import { ByteList } from '../../rdb/byte-list.js'
import type { Call } from '../call.js'
import { CommandError, Errors, syntaxError } from '../command-error.js'
import { keyRange, type ArgumentSpec, type CommandSpec } from '../command-spec.js'
import type { ReadSteps } from '../services.js'
import { walkInSteps } from '../set/arguments.js'
import { sortNumber } from './sort-number.js'
import { orderByBytes, orderByNumber } from './sort-order.js'
import { asteriskIn, SortPattern } from './sort-pattern.js'

/**
 * SORT and SORT_RO: the elements of a list, set or sorted set in the order of themselves or of what they lead to. Elements, weights and results stand in flat
 * buffers, and are ordered by radix: a million elements are no million objects. With STORE the result replaces a key, in one op.
 */
/** Places written in one step. */
const PLACES_A_STEP = 4096
const NOTHING = new Uint8Array(0)
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
  const range = rangeOf(options, size)
  const work: Work = { options, ref, type, range, order: sorts ? { alpha, by } : null, atMs: call.nowMs }
  const looks = sorts ? size : range.end - range.start
  const { store } = options
  if (store === 0) {
    call.read(1, 1, looks, replySteps(call, work), prefixesOf(call, work))
  } else if (call.isLongWrite(looks, store)) {
    const keys = [1, store].map((argument) => ({ database: call.database, argument, isWritten: argument === store }))
    call.writeInSlices(keys, storeSteps(call, work), prefixesOf(call, work))
  } else {
    storeAtOnce(call, work)
  }
}

/** What keys begin with that patterns lead to. */
function prefixesOf(call: Call, { options, order, atMs }: Work): readonly Uint8Array[] {
  const patterns = order === null || order.by === 0 ? options.gets : [order.by, ...options.gets]
  return patterns.flatMap((i) => new SortPattern(call, call.bytes(i), atMs).keyPrefix ?? [])
}

/** What is to be done. */
interface Work {
  readonly options: Options
  readonly ref: Ref
  readonly type: number
  /** The part of the result that LIMIT asks for. */
  readonly range: { readonly start: number; readonly end: number }
  /** Null: nothing is sorted. by: argument of the pattern, 0 for none. */
  readonly order: { readonly alpha: boolean; readonly by: number } | null
  /** Unix ms of which it is the result. */
  readonly atMs: number
}

/** The elements that are the result, in `elements` and in this order; null for all as they are. */
interface Result {
  readonly elements: ByteList
  readonly order: Uint32Array | null
}

function* resultSteps(call: Call, { options, ref, type, range, order, atMs }: Work): Generator<undefined, Result> {
  const { start, end } = range
  const { descending } = options
  if (order === null) {
    const elements = ref === 0 ? new ByteList() : yield* unsorted(call, ref, type, start, end, descending)
    return { elements, order: null }
  }
  const elements = ref === 0 ? new ByteList() : yield* elementsOf(call, ref, type)
  const pattern = order.by === 0 ? null : new SortPattern(call, call.bytes(order.by), atMs)
  const all = order.alpha
    ? yield* orderByText(elements, pattern, descending)
    : yield* orderByNumber(yield* weightsOf(elements, pattern), elements, descending)
  return { elements, order: all.subarray(start, end) }
}

function* replySteps(call: Call, work: Work): ReadSteps {
  const result = yield* resultSteps(call, work)
  const { elements, order } = result
  call.reply.array((order === null ? elements.count : order.length) * Math.max(1, work.options.gets.length))
  yield* answer(call, work, result, {
    bulk: (buf, off, len) => call.reply.bulk(buf, off, len),
    none: () => call.reply.null(),
  })
}

/** STORE, in slices. */
function* storeSteps(call: Call, work: Work): Generator<undefined | 'commit', void> {
  const { op, long, collections } = call
  const { options } = work
  const at = call.place(options.store)
  const before = call.typeOf(options.store)
  const result = yield* resultSteps(call, work)
  yield* long.remove(op, at)
  const writer = new RunWriter(op, collections.environment.self, at)
  yield* answer(call, work, result, {
    bulk: (buf, off, len) => writer.bulk(buf, off, len),
    none: () => writer.bulk(NOTHING, 0, 0),
  })
  if (before !== KeyType.none || writer.count > 0) yield 'commit'
  call.stored(NotificationClass.list, 'sortstore', options.store, writer.count, before)
}

function storeAtOnce(call: Call, work: Work): void {
  const results = new ByteList()
  const gathering = resultSteps(call, work)
  let step = gathering.next()
  while (step.done !== true) step = gathering.next()
  const answering = answer(call, work, step.value, {
    bulk: (buf, off, len) => results.push(buf, off, len),
    none: () => results.push(NOTHING, 0, 0),
  })
  while (answering.next().done !== true);
  storeResults(call, work.options.store, results)
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
function* elementsOf(call: Call, ref: Ref, type: number): Generator<undefined, ByteList> {
  const { db, collections, keys } = call
  const root = db.root(ref)
  const store = keys.store(type)
  const size = store.size(db, root)
  const found = new ByteList()
  if (type !== KeyType.set) {
    yield* ordered(call, root, type, 0, size, false, found)
    return found
  }
  const cursor = walkInSteps(call, root)
  const { sets } = collections
  for (let left = sets.size(db, root); cursor.next(); left--) {
    found.push(cursor.buf, cursor.keyOff, cursor.keyLen)
    if (left % LIMITS.slicedReadStep === 0) yield
  }
  return found
}

/** Elements start … end - 1 of the collection's own order, copied; of a set in any order. */
function* unsorted(
  call: Call,
  ref: Ref,
  type: number,
  start: number,
  end: number,
  descending: boolean,
): Generator<undefined, ByteList> {
  const found = new ByteList()
  if (end <= start) return found
  const root = call.db.root(ref)
  if (type !== KeyType.set) {
    yield* ordered(call, root, type, start, end, descending, found)
    return found
  }
  const members = yield* elementsOf(call, ref, type)
  for (let i = start; i < end; i++) {
    found.pushFrom(members, i)
    if (i % LIMITS.slicedReadStep === LIMITS.slicedReadStep - 1) yield
  }
  return found
}

/** Elements start … end - 1 of the order of a list or a sorted set, counted from the end if descending. */
function* ordered(
  call: Call,
  root: Ref,
  type: number,
  start: number,
  end: number,
  descending: boolean,
  found: ByteList,
): Generator<undefined, void> {
  const { db, collections } = call
  const { lists, zsets } = collections
  const size = call.keys.store(type).size(db, root)
  const sink = { bulk: (buf: Uint8Array, off: number, len: number) => found.push(buf, off, len) }
  for (let from = start; from < end; from += LIMITS.slicedReadSeek) {
    const count = Math.min(LIMITS.slicedReadSeek, end - from)
    const first = descending ? size - 1 - from : from
    if (type === KeyType.list) {
      lists.read(db, root, first, count, descending, sink)
    } else {
      const cursor = zsets.seek(db, root, first)
      for (let i = 0; i < count; i++) {
        found.push(cursor.buf, cursor.off, cursor.len)
        cursor.step(!descending)
      }
    }
    if (from + count < end) yield
  }
}

/** The number of each element, or of what it leads to; 0 if that is nothing. */
function* weightsOf(elements: ByteList, pattern: SortPattern | null): Generator<undefined, DoubleList> {
  const { count } = elements
  const weights = new DoubleList()
  for (let i = 0; i < count; i++) {
    const buf = elements.bytesOf(i)
    const start = elements.start(i)
    const length = elements.end(i) - start
    let weight = 0
    if (pattern === null) weight = sortNumber(buf, start, length)
    else if (pattern.find(buf, start, length)) weight = sortNumber(pattern.buf, pattern.off, pattern.len)
    if (Number.isNaN(weight)) throw new CommandError(NOT_NUMBERS)
    weights.push(weight)
    if (i % LIMITS.slicedReadStep === LIMITS.slicedReadStep - 1) yield
  }
  return weights
}

function* orderByText(elements: ByteList, pattern: SortPattern | null, descending: boolean): Generator<undefined, Uint32Array> {
  if (pattern === null) return yield* orderByBytes(elements, descending)
  const { count } = elements
  const found = new ByteList()
  const places = allocateWords(count)
  // What leads to nothing comes before everything else.
  const all = allocateWords(count)
  let missing = 0
  for (let i = 0; i < count; i++) {
    const buf = elements.bytesOf(i)
    const start = elements.start(i)
    if (pattern.find(buf, start, elements.end(i) - start)) {
      places[found.count] = i
      found.push(pattern.buf, pattern.off, pattern.len)
    } else {
      all[missing++] = i
    }
    if (i % LIMITS.slicedReadStep === LIMITS.slicedReadStep - 1) yield
  }
  if (descending) all.copyWithin(found.count, 0, missing)
  const order = yield* orderByBytes(found, descending)
  const first = descending ? 0 : missing
  for (let i = 0; i < order.length; i++) {
    all[first + i] = places[order[i]]
    if (i % PLACES_A_STEP === PLACES_A_STEP - 1) yield
  }
  return all
}

/** Where the result goes. */
interface Sink {
  bulk(buf: Uint8Array, off: number, len: number): void
  /** A pattern has led to nothing. */
  none(): void
}

/** Gives elements to the sink, or what they lead to. */
function* answer(
  call: Call,
  { options: { gets }, atMs }: Work,
  { elements, order }: Result,
  sink: Sink,
): Generator<undefined, void> {
  const count = order === null ? elements.count : order.length
  const patterns = gets.map((i) => new SortPattern(call, call.bytes(i), atMs))
  for (let i = 0; i < count; i++) {
    const place = order === null ? i : order[i]
    const buf = elements.bytesOf(place)
    const start = elements.start(place)
    const length = elements.end(place) - start
    if (patterns.length === 0) sink.bulk(buf, start, length)
    for (const pattern of patterns) {
      if (pattern.find(buf, start, length)) sink.bulk(pattern.buf, pattern.off, pattern.len)
      else sink.none()
    }
    if (i % LIMITS.slicedReadStep === LIMITS.slicedReadStep - 1) yield
  }
}

function storeResults(call: Call, i: number, results: ByteList): void {
  const { effects, database } = call
  const { buf, off, len } = call.request
  const before = call.typeOf(i)
  effects.unannounced(() => {
    if (before !== KeyType.none) effects.remove(database, buf, off[i], len[i])
    if (results.count === 0) return
    call.keys.store(KeyType.list).writeRdb({ type: 'list', elements: results }, database, buf, off[i], len[i])
  })
  call.stored(NotificationClass.list, 'sortstore', i, results.count, before)
}
