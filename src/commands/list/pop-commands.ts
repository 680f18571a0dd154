import { LIMITS } from '../../base/limits.js'
import { NotificationClass } from '../../base/notification-classes.js'
import { ListRemoval } from '../../keyspace/list-removal.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import type { KeyToHold } from '../services.js'
import { KEY, KEYS, optional } from '../string/arguments.js'
import { findList, isLeft, lengthOf, lists, WHERE } from './arguments.js'

/**
 * Pops at either end. They remove the elements that this member sees: one that another member pops at the same time is returned by both, none is ever
 * lost.
 */

/** Tells of a removal at one end, which may have emptied the list. */
export function notifyPop(call: Call, key: number, atBegin: boolean, isEmpty: boolean): void {
  call.notify(NotificationClass.list, atBegin ? 'lpop' : 'rpop', key)
  if (isEmpty) call.notify(NotificationClass.generic, 'del', key)
}

/**
 * Pops `count` elements, at least one and no more than there are, of the list in argument `key`, and writes them to the reply. length: of the list; any
 * for one element.
 */
export function pop(call: Call, key: number, ref: number, length: number, count: number, atBegin: boolean): void {
  const { buf, off, len } = call.request
  const store = lists(call)
  if (count === 1) store.readEdge(call.db, call.root(ref), atBegin, call.reply)
  else store.read(call.db, call.root(ref), atBegin ? 0 : length - 1, count, !atBegin, call.reply)
  const isEmpty = store.writes.pop(call.database, buf, off[key], len[key], count, atBegin)
  notifyPop(call, key, atBegin, isEmpty)
}

/** An integer from 1 on. */
export function positive(call: Call, i: number, error: string): number {
  const value = call.integer(i, error)
  if (value < 1) throw new CommandError(error)
  return value
}

function popping(atBegin: boolean): (call: Call) => void {
  return (call) => {
    if (call.argc > 3) throw new CommandError(`ERR wrong number of arguments for '${call.command.name}' command`)
    const counted = call.argc === 3
    const outOfRange = 'ERR value is out of range, must be positive'
    const count = counted ? call.integer(2, outOfRange) : 1
    if (count < 0) throw new CommandError(outOfRange)
    const ref = findList(call, 1)
    if (ref === 0) {
      if (counted) call.reply.nullArray()
      else call.reply.null()
      return
    }
    if (!counted) {
      // Lists that are there have elements.
      pop(call, 1, ref, 1, 1, atBegin)
      return
    }
    const length = lengthOf(call, ref)
    const popped = Math.min(count, length)
    if (call.isLongWrite(popped, 1)) {
      const steps = popSteps(call, 1, call.root(ref), length, popped, atBegin)
      call.writeKeyInSlices(1, steps)
      return
    }
    call.reply.array(popped)
    if (popped > 0) pop(call, 1, ref, length, popped, atBegin)
  }
}

type PopSteps = Generator<undefined | 'commit', void>

/** Pops many of the list in argument `key`, and adds them to the reply. */
function* popSteps(call: Call, key: number, root: Ref, length: number, count: number, atBegin: boolean): PopSteps {
  const { op, reply, db } = call
  const store = lists(call)
  reply.array(count)
  for (let done = 0; done < count; done += LIMITS.slicedReadSeek) {
    store.read(db, root, atBegin ? done : length - 1 - done, Math.min(LIMITS.slicedReadSeek, count - done), !atBegin, reply)
    yield
  }
  const removal = new ListRemoval(db, root, op, call.place(key), call.long.highestStamp)
  yield* atBegin ? removal.row(0, count) : removal.row(length - count, length)
  if (length === count) yield* call.emptyInSteps(key)
  yield 'commit'
  notifyPop(call, key, atBegin, length === count)
}

function* multiPopSteps(call: Call, key: number, root: Ref, length: number, count: number, atBegin: boolean): PopSteps {
  const { buf, off, len } = call.request
  call.reply.array(2)
  call.reply.bulk(buf, off[key], len[key])
  yield* popSteps(call, key, root, length, count, atBegin)
}

/** What LMPOP and BLMPOP ask for. */
interface MultiPop {
  readonly firstKey: number
  readonly keyCount: number
  readonly atBegin: boolean
  readonly count: number
}

/** Arguments from the number of keys on. */
export function parseMultiPop(call: Call, at: number): MultiPop {
  const keyCount = positive(call, at, 'ERR numkeys should be greater than 0')
  const where = at + keyCount + 1
  if (where >= call.argc) throw syntaxError()
  const atBegin = isLeft(call, where)
  let count = 0
  for (let i = where + 1; i < call.argc; i += 2) {
    if (count > 0 || !call.is(i, 'COUNT') || i + 1 === call.argc) throw syntaxError()
    count = positive(call, i + 1, 'ERR count should be greater than 0')
  }
  return { firstKey: at + 1, keyCount, atBegin, count: Math.max(count, 1) }
}

/** Pops from the first of the keys that holds a list and replies, much of it in slices; false, and nothing is done, when none does. */
export function popFirst(call: Call, { firstKey, keyCount, atBegin, count }: MultiPop): boolean {
  for (let key = firstKey; key < firstKey + keyCount; key++) {
    const ref = findList(call, key)
    if (ref === 0) continue
    const length = lengthOf(call, ref)
    const popped = Math.min(count, length)
    if (call.isLongWrite(popped, key)) {
      // Those before it are held too: no list may come there.
      const keys: KeyToHold[] = []
      for (let i = firstKey; i <= key; i++) keys.push({ database: call.database, argument: i, isWritten: i === key })
      call.writeInSlices(keys, multiPopSteps(call, key, call.root(ref), length, popped, atBegin))
      return true
    }
    const { buf, off, len } = call.request
    call.reply.array(2)
    call.reply.bulk(buf, off[key], len[key])
    call.reply.array(popped)
    pop(call, key, ref, length, popped, atBegin)
    return true
  }
  return false
}

function lmpop(call: Call): void {
  if (!popFirst(call, parseMultiPop(call, 1))) call.reply.nullArray()
}

function spec(name: string, summary: string, handler: (call: Call) => void): CommandSpec {
  return {
    name,
    arity: -2,
    flags: ['write', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'access', 'delete'),
    group: 'list',
    categories: ['list'],
    since: '1.0.0',
    summary,
    complexity: 'O(N), N being the number of elements popped',
    history: [['6.2.0', 'Argument `count`.']],
    arguments: [KEY, { ...optional({ name: 'count', type: 'integer' }), since: '6.2.0' }],
    handler,
  }
}

/** Arguments of LMPOP and, behind the timeout, of BLMPOP. */
export const MULTI_POP_ARGUMENTS = [
  { name: 'numkeys', type: 'integer' as const },
  KEYS,
  WHERE,
  optional({ name: 'count', type: 'integer', token: 'COUNT' }),
]

export const POP_COMMANDS: readonly CommandSpec[] = [
  spec('lpop', 'Takes elements off the beginning of a list and replies with them.', popping(true)),
  spec('rpop', 'Takes elements off the end of a list and replies with them.', popping(false)),
  {
    name: 'lmpop',
    arity: -4,
    flags: ['write'],
    keys: [
      {
        flags: ['RW', 'access', 'delete'],
        beginSearch: { index: 1 },
        findKeys: { keyNumIndex: 0, firstKey: 1, step: 1 },
      },
    ],
    group: 'list',
    categories: ['list'],
    since: '7.0.0',
    summary: 'Takes elements off one end of the first list that exists.',
    complexity: 'O(N+M), N being the number of keys and M the number of elements popped',
    arguments: MULTI_POP_ARGUMENTS,
    handler: lmpop,
  },
]
