import { equalBytes } from '../../base/bytes.js'
import { LIMITS } from '../../base/limits.js'
import { NotificationClass } from '../../base/notification-classes.js'
import { ListRemoval } from '../../keyspace/list-removal.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError, Errors, syntaxError } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import type { WriteSteps } from '../services.js'
import { KEY, oneOf, START, token } from '../string/arguments.js'
import { ELEMENT, findList, INDEX, lengthOf, lists, ROW_SHARE, STOP } from './arguments.js'

/** Changes inside a list: LSET, LINSERT, LREM, LTRIM. */
function lset(call: Call): void {
  const ref = findList(call, 1)
  if (ref === 0) throw new CommandError(Errors.noSuchKey)
  const index = call.integer(2)
  const length = lengthOf(call, ref)
  const rank = index < 0 ? index + length : index
  if (rank < 0 || rank >= length) throw new CommandError(Errors.indexRange)
  const { buf, off, len } = call.request
  lists(call).writes.set(call.database, buf, off[1], len[1], rank, buf, off[3], len[3])
  call.notify(NotificationClass.list, 'lset', 1)
  call.reply.ok()
}

function linsert(call: Call): void {
  const isAfter = call.is(2, 'AFTER')
  if (!isAfter && !call.is(2, 'BEFORE')) throw syntaxError()
  const ref = findList(call, 1)
  if (ref === 0) {
    call.reply.integer(0)
    return
  }
  const { buf, off, len } = call.request
  const store = lists(call)
  let pivot = -1
  store.search(call.db, call.root(ref), buf, off[3], len[3], false, Infinity, (at) => {
    pivot = at
    return false
  })
  if (pivot < 0) {
    call.reply.integer(-1)
    return
  }
  const rank = isAfter ? pivot + 1 : pivot
  const length = lengthOf(call, ref)
  if (rank === 0 || rank === length) store.writes.push(call.database, buf, off[1], len[1], call.request, 4, 4, rank === 0)
  else store.writes.insertBefore(call.database, buf, off[1], len[1], rank, buf, off[4], len[4])
  call.notify(NotificationClass.list, 'linsert', 1)
  call.reply.integer(length + 1)
}

function lrem(call: Call): void {
  const limit = call.integer(2)
  const ref = findList(call, 1)
  if (ref === 0) {
    call.reply.integer(0)
    return
  }
  const { buf, off, len } = call.request
  const store = lists(call)
  const most = limit === 0 ? Infinity : Math.abs(limit)
  const length = lengthOf(call, ref)
  const looks = call.isLongWrite(length, 1) ? call.shortWriteElements : Infinity
  let count = 0
  let first = 0
  store.search(call.db, call.root(ref), buf, off[3], len[3], limit < 0, looks, (at) => {
    // From the end the first match in the list is the last one found.
    if (count === 0 || limit < 0) first = at
    return ++count < most
  })
  if (count < most && looks < length) {
    call.writeKeyInSlices(1, removeSteps(call, ref, limit))
    return
  }
  if (count > 0) {
    const left = store.writes.removeEqual(call.database, buf, off[1], len[1], first, count, buf, off[3], len[3])
    call.notify(NotificationClass.list, 'lrem', 1)
    if (left === 0) call.notify(NotificationClass.generic, 'del', 1)
  }
  call.reply.integer(count)
}

/** LREM of a long list: looks for all that are to go, and then writes their removal. */
function* removeSteps(call: Call, ref: Ref, limit: number): WriteSteps {
  const { buf, off, len } = call.request
  const { op, db } = call
  const root = call.root(ref)
  const length = lengthOf(call, ref)
  const most = limit === 0 ? Infinity : Math.abs(limit)
  const walk = lists(call).walkOf(db, root)
  walk.seek(limit < 0 ? length - 1 : 0)
  let count = 0
  let first = 0
  for (let i = 0; i < length && count < most; i++) {
    if (walk.len === len[3] && equalBytes(walk.buf, walk.off, buf, off[3], len[3])) {
      if (count === 0 || limit < 0) first = limit < 0 ? length - 1 - i : i
      count++
    }
    if (limit < 0) walk.previous()
    else walk.next()
    if (i % LIMITS.slicedReadSeek === 0) yield
  }
  if (count > 0) {
    yield* new ListRemoval(db, root, op, call.place(1), call.long.highestStamp).equal(first, count, buf, off[3], len[3])
    if (count === length) yield* call.emptyInSteps(1)
    yield 'commit'
    call.notify(NotificationClass.list, 'lrem', 1)
    if (count === length) call.notify(NotificationClass.generic, 'del', 1)
  }
  call.reply.integer(count)
}

function ltrim(call: Call): void {
  const from = call.integer(2)
  const to = call.integer(3)
  const ref = findList(call, 1)
  if (ref === 0) {
    call.reply.ok()
    return
  }
  const length = lengthOf(call, ref)
  const start = Math.max(from < 0 ? from + length : from, 0)
  const stop = Math.min(to < 0 ? to + length : to, length - 1)
  const empties = start > stop || start >= length
  const fromBegin = empties ? length : start
  const fromEnd = empties ? 0 : length - 1 - stop
  if (call.isLongWrite((fromBegin + fromEnd) / ROW_SHARE, 1)) {
    const steps = trimSteps(call, call.root(ref), length, fromBegin, fromEnd)
    call.writeKeyInSlices(1, steps)
    return
  }
  const { buf, off, len } = call.request
  let left = length
  if (fromBegin + fromEnd > 0) {
    left = lists(call).writes.trim(call.database, buf, off[1], len[1], fromBegin, fromEnd)
  }
  call.notify(NotificationClass.list, 'ltrim', 1)
  if (left === 0) call.notify(NotificationClass.generic, 'del', 1)
  call.reply.ok()
}

function* trimSteps(call: Call, root: Ref, length: number, fromBegin: number, fromEnd: number): WriteSteps {
  const removal = new ListRemoval(call.db, root, call.op, call.place(1), call.long.highestStamp)
  yield* removal.row(0, fromBegin)
  yield* removal.row(length - fromEnd, length)
  if (fromBegin + fromEnd === length) yield* call.emptyInSteps(1)
  yield 'commit'
  call.notify(NotificationClass.list, 'ltrim', 1)
  if (fromBegin + fromEnd === length) call.notify(NotificationClass.generic, 'del', 1)
  call.reply.ok()
}

export const EDIT_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'lset',
    arity: 4,
    flags: ['write', 'denyoom'],
    keys: keyRange(1, 1, 1, 'RW', 'update'),
    group: 'list',
    categories: ['list'],
    since: '1.0.0',
    summary: 'Gives the element of a list at an index another value.',
    complexity: 'O(log N), N being the length of the list',
    arguments: [KEY, INDEX, ELEMENT],
    handler: lset,
  },
  {
    name: 'linsert',
    arity: 5,
    flags: ['write', 'denyoom'],
    keys: keyRange(1, 1, 1, 'RW', 'insert'),
    group: 'list',
    categories: ['list'],
    since: '2.2.0',
    summary: 'Puts an element before or behind the first one that equals another.',
    complexity: 'O(N), N being the number of elements before the one that is looked for',
    arguments: [KEY, oneOf('where', token('before'), token('after')), { name: 'pivot', type: 'string' }, ELEMENT],
    handler: linsert,
  },
  {
    name: 'lrem',
    arity: 4,
    flags: ['write'],
    keys: keyRange(1, 1, 1, 'RW', 'delete'),
    group: 'list',
    categories: ['list'],
    since: '1.0.0',
    summary: 'Removes elements that equal a value: so many from the beginning, or from the end, or all.',
    complexity: 'O(N), N being the length of the list',
    arguments: [KEY, { name: 'count', type: 'integer' }, ELEMENT],
    handler: lrem,
  },
  {
    name: 'ltrim',
    arity: 4,
    flags: ['write'],
    keys: keyRange(1, 1, 1, 'RW', 'delete'),
    group: 'list',
    categories: ['list'],
    since: '1.0.0',
    summary: 'Removes all elements of a list but those from one index to another.',
    complexity: 'O(log N) and 1 for every few hundred elements removed, N being the length of the list',
    arguments: [KEY, START, STOP],
    handler: ltrim,
  },
]
