import { copyBytes, equalBytes } from '../../base/bytes.js'
import { NotificationClass } from '../../base/notification-classes.js'
import type { Call } from '../call.js'
import type { CommandSpec, KeySpec } from '../command-spec.js'
import { DESTINATION, findList, FROM_AND_TO, isLeft, lengthOf, lists, SOURCE } from './arguments.js'
import { notifyPop } from './pop-commands.js'

/**
 * LMOVE and RPOPLPUSH: a removal and an insertion in one op. An element that two members move at the same time is in both places afterwards, never in
 * none.
 */
const moved = { buf: new Uint8Array(256), off: [0], len: [0] }

/** Moves an element between the keys in arguments 1 and 2 and replies with it; false, and nothing is done, when there is no source. */
export function moveElement(call: Call, fromBegin: boolean, toBegin: boolean): boolean {
  const from = findList(call, 1)
  if (from === 0) return false
  findList(call, 2)
  const store = lists(call)
  const { buf, off, len } = call.request
  const length = lengthOf(call, from)
  store.element(call.db, call.root(from), fromBegin ? 0 : length - 1)
  keep(store.walk.buf, store.walk.off, store.walk.len)
  call.reply.bulk(moved.buf, 0, moved.len[0])
  const { writes } = store
  const { database } = call
  const isSame = len[1] === len[2] && equalBytes(buf, off[1], buf, off[2], len[1])
  const changes = call.effects.count
  let isEmpty = false
  if (!isSame) {
    isEmpty = writes.pop(database, buf, off[1], len[1], 1, fromBegin)
    writes.push(database, buf, off[2], len[2], moved, 0, 0, toBegin)
  } else if (fromBegin !== toBegin && length > 1) {
    // The list never becomes empty, so the key and its expiry stay.
    writes.push(database, buf, off[2], len[2], moved, 0, 0, toBegin)
    writes.pop(database, buf, off[1], len[1], 1, fromBegin)
  } else {
    // The element goes where it is; that is a change to those who watch the key.
    store.writes.set(database, buf, off[1], len[1], fromBegin ? 0 : length - 1, moved.buf, 0, moved.len[0])
  }
  // Redis counts a move as one change.
  call.effects.count = changes + 1
  call.notify(NotificationClass.list, toBegin ? 'lpush' : 'rpush', 2)
  notifyPop(call, 1, fromBegin, isEmpty)
  return true
}

function keep(from: Uint8Array, off: number, len: number): void {
  if (len > moved.buf.length) moved.buf = new Uint8Array(Math.max(len, moved.buf.length * 2))
  copyBytes(from, off, moved.buf, 0, len)
  moved.len[0] = len
}

function lmove(call: Call): void {
  const fromBegin = isLeft(call, 3)
  const toBegin = isLeft(call, 4)
  if (!moveElement(call, fromBegin, toBegin)) call.reply.null()
}

function rpoplpush(call: Call): void {
  if (!moveElement(call, false, true)) call.reply.null()
}

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
