import { LIMITS } from '../../base/limits.js'
import { NotificationClass } from '../../base/notification-classes.js'
import { ListRemoval } from '../../keyspace/list-removal.js'
import { RunWriter } from '../../keyspace/list-store.js'
import type { Call } from '../call.js'
import { syntaxError } from '../command-error.js'
import type { ArgumentSpec, CommandSpec, KeySpec } from '../command-spec.js'
import type { KeyToHold, WriteSteps } from '../services.js'
import { oneOf, optional, token } from '../string/arguments.js'
import { DESTINATION, findList, FROM_AND_TO, isLeft, lengthOf, lists, SOURCE } from './arguments.js'
import { KeptElements } from './kept-elements.js'
import { notifyPop, positive } from './pop-commands.js'

/**
 * LMOVE and its kin: a removal and an insertion in one op. An element that two members move at the same time is in both places afterwards, never in
 * none.
 */
const moved = new KeptElements()

/** Moves an element between the keys in arguments 1 and 2 and replies with it; false, and nothing is done, when there is no source. */
export function moveElement(call: Call, fromBegin: boolean, toBegin: boolean): boolean {
  const from = findList(call, 1)
  if (from === 0) return false
  findList(call, 2)
  moved.clear()
  lists(call).readEdge(call.db, call.root(from), fromBegin, moved)
  call.reply.bulk(moved.buf, 0, moved.len[0])
  transfer(call, lengthOf(call, from), fromBegin, toBegin, false)
  return true
}

/** What LMOVEM and BLMOVEM ask for. */
interface ManyToMove {
  readonly fromBegin: boolean
  readonly toBegin: boolean
  /** From 1 on. */
  readonly count: number
  /** Fewer are not moved. */
  readonly isExact: boolean
  /** They come to stand as if they were moved one by one from a list to another, which turns them round where both ends are the same. */
  readonly oneByOne: boolean
}

/** The arguments from the one on that says how many. */
export function parseMany(call: Call, at: number, fromBegin: boolean, toBegin: boolean): ManyToMove {
  if (call.argc === at) return { fromBegin, toBegin, count: 1, isExact: false, oneByOne: false }
  if (call.argc !== at + 3) throw syntaxError()
  const isExact = call.is(at, 'EXACTLY')
  if (!isExact && !call.is(at, 'COUNT')) throw syntaxError()
  const count = positive(call, at + 1, 'ERR count should be greater than 0')
  const oneByOne = call.is(at + 2, 'OBO')
  if (!oneByOne && !call.is(at + 2, 'BULK')) throw syntaxError()
  return { fromBegin, toBegin, count, isExact, oneByOne }
}

/**
 * Moves elements between the keys in arguments 1 and 2 and replies with them in the order in which they stand in the destination, much of it in slices; false,
 * and nothing is done, when the source does not have enough.
 */
export function moveMany(call: Call, many: ManyToMove): boolean {
  const { fromBegin, toBegin } = many
  const from = findList(call, 1)
  const length = lengthOf(call, from)
  if (length < (many.isExact ? many.count : 1)) return false
  const to = findList(call, 2)
  const count = Math.min(many.count, length)
  const turnsRound = many.oneByOne && fromBegin === toBegin && count > 1
  if (call.isLongWrite(count, 1, 2)) {
    const keys: KeyToHold[] = [{ database: call.database, argument: 1, isWritten: true }]
    if (!call.areSame(1, 2)) keys.push({ database: call.database, argument: 2, isWritten: true })
    call.writeInSlices(keys, moveSteps(call, from, to, length, count, fromBegin, toBegin, turnsRound))
    return true
  }
  const first = fromBegin ? 0 : length - count
  // In the order in which they are pushed.
  const backwards = turnsRound !== toBegin
  moved.clear()
  lists(call).read(call.db, call.root(from), backwards ? first + count - 1 : first, count, backwards, moved)
  call.reply.array(count)
  for (let i = 0; i < count; i++) {
    const at = toBegin ? count - 1 - i : i
    call.reply.bulk(moved.buf, moved.off[at], moved.len[at])
  }
  transfer(call, length, fromBegin, toBegin, turnsRound)
  return true
}

/**
 * Moves the elements that `moved` holds, in the order in which they are pushed. length: of the source. turnsRound: the first one of them in the source is the
 * last one in the destination.
 */
function transfer(call: Call, length: number, fromBegin: boolean, toBegin: boolean, turnsRound: boolean): void {
  const { count } = moved
  const { writes } = lists(call)
  const { database } = call
  const { buf, off, len } = call.request
  const isSame = call.areSame(1, 2)
  const changes = call.effects.count
  let isEmpty = false
  if (isSame && !turnsRound && (fromBegin === toBegin || count === length)) {
    // The elements go where they are; that is a change to those who watch the key.
    const first = fromBegin ? 0 : length - count
    for (let i = 0; i < count; i++) {
      const rank = first + (toBegin ? count - 1 - i : i)
      writes.set(database, buf, off[1], len[1], rank, moved.buf, moved.off[i], moved.len[i])
    }
  } else if (isSame && count === length) {
    // The list never becomes empty, so the key and its expiry stay.
    writes.push(database, buf, off[2], len[2], moved, 0, count - 1, toBegin)
    writes.pop(database, buf, off[1], len[1], count, !toBegin)
  } else {
    isEmpty = writes.pop(database, buf, off[1], len[1], count, fromBegin)
    writes.push(database, buf, off[2], len[2], moved, 0, count - 1, toBegin)
  }
  // Redis counts a move as one change.
  call.effects.count = changes + 1
  call.notify(NotificationClass.list, toBegin ? 'lpush' : 'rpush', 2)
  notifyPop(call, 1, fromBegin, isEmpty)
}

/**
 * A move of many: into a run of its own, as a push of many, and then the removal, so that a list whose elements move within it is never empty. from, to: the records
 * of the source and of the destination, 0 where that is not there.
 */
function* moveSteps(
  call: Call,
  from: number,
  to: number,
  length: number,
  count: number,
  fromBegin: boolean,
  toBegin: boolean,
  turnsRound: boolean,
): WriteSteps {
  const { op, reply, db } = call
  const store = lists(call)
  const root = call.root(from)
  const first = fromBegin ? 0 : length - count
  if (to === 0) yield* call.clearInSteps(2)
  const anchor = to === 0 ? 0 : store.anchorBeyond(db, call.root(to), toBegin)
  const writer = new RunWriter(op, call.collections.environment.self, call.place(2), anchor, toBegin ? -count : 0)
  reply.array(count)
  for (let done = 0; done < count; done += LIMITS.slicedReadSeek) {
    const part = Math.min(LIMITS.slicedReadSeek, count - done)
    const rank = turnsRound ? first + count - 1 - done : first + done
    store.read(db, root, rank, part, turnsRound, reply)
    store.read(db, root, rank, part, turnsRound, writer)
    yield
  }
  const removal = new ListRemoval(db, root, op, call.place(1), call.long.highestStamp)
  yield* removal.row(first, first + count)
  const isEmpty = length === count && !call.areSame(1, 2)
  if (isEmpty) yield* call.emptyInSteps(1)
  yield 'commit'
  call.notifyAdded(NotificationClass.list, toBegin ? 'lpush' : 'rpush', 2, to !== 0)
  notifyPop(call, 1, fromBegin, isEmpty)
}

function lmove(call: Call): void {
  const fromBegin = isLeft(call, 3)
  const toBegin = isLeft(call, 4)
  if (!moveElement(call, fromBegin, toBegin)) call.reply.null()
}

function rpoplpush(call: Call): void {
  if (!moveElement(call, false, true)) call.reply.null()
}

function lmovem(call: Call): void {
  const fromBegin = isLeft(call, 3)
  const toBegin = isLeft(call, 4)
  if (!moveMany(call, parseMany(call, 5, fromBegin, toBegin))) call.reply.nullArray()
}

/** How many LMOVEM and BLMOVEM move, and how. */
export const HOW_MANY: ArgumentSpec = optional({
  name: 'how-many',
  type: 'block',
  arguments: [
    oneOf('selector', { name: 'count', type: 'integer', token: 'COUNT' }, { name: 'exactly', type: 'integer', token: 'EXACTLY' }),
    oneOf('ordering', token('obo'), token('bulk')),
  ],
})

/** Source and destination of LMOVE and its kin. */
export const MOVE_KEYS: readonly KeySpec[] = [
  {
    flags: ['RW', 'access', 'delete'],
    beginSearch: { index: 1 },
    findKeys: { lastKey: 0, step: 1, limit: 0 },
  },
  { flags: ['RW', 'insert'], beginSearch: { index: 2 }, findKeys: { lastKey: 0, step: 1, limit: 0 } },
]

export const MOVE_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'lmove',
    arity: 5,
    flags: ['write', 'denyoom'],
    keys: MOVE_KEYS,
    group: 'list',
    categories: ['list'],
    since: '6.2.0',
    summary: 'Takes an element off one end of a list, pushes it at one end of another, and replies with it.',
    complexity: 'O(1)',
    arguments: [SOURCE, DESTINATION, ...FROM_AND_TO],
    handler: lmove,
  },
  {
    name: 'lmovem',
    arity: -5,
    flags: ['write', 'denyoom'],
    keys: MOVE_KEYS,
    group: 'list',
    categories: ['list'],
    since: '8.10.0',
    summary: 'Takes elements off one end of a list, pushes them at one end of another, and replies with them.',
    complexity: 'O(N), N being the number of elements moved',
    arguments: [SOURCE, DESTINATION, ...FROM_AND_TO, HOW_MANY],
    handler: lmovem,
  },
  {
    name: 'rpoplpush',
    arity: 3,
    flags: ['write', 'denyoom'],
    keys: MOVE_KEYS,
    group: 'list',
    categories: ['list'],
    since: '1.2.0',
    summary: 'Takes the last element off a list, pushes it at the beginning of another, and replies with it.',
    complexity: 'O(1)',
    deprecated: { since: '6.2.0', replacedBy: '`LMOVE` with the `RIGHT` and `LEFT` arguments' },
    arguments: [SOURCE, DESTINATION],
    handler: rpoplpush,
  },
]
