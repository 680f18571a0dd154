import { KeyType } from '../../keyspace/database.js'
import { blockingTimeout } from '../blocking-timeout.js'
import type { Call } from '../call.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import { KEYS } from '../string/arguments.js'
import { DESTINATION, findList, FROM_AND_TO, isLeft, lengthOf, SOURCE, TIMEOUT } from './arguments.js'
import { HOW_MANY, MOVE_KEYS, moveElement, moveMany, parseMany } from './move-commands.js'
import { MULTI_POP_ARGUMENTS, parseMultiPop, pop, popFirst } from './pop-commands.js'

/** Pops and moves that wait until there is something. See Call.blockOn. */
function popping(atBegin: boolean): (call: Call) => void {
  const tryPop = (call: Call): boolean => {
    for (let key = 1; key < call.argc - 1; key++) {
      const ref = findList(call, key)
      if (ref === 0) continue
      const { buf, off, len } = call.request
      call.reply.array(2)
      call.reply.bulk(buf, off[key], len[key])
      pop(call, key, ref, lengthOf(call, ref), 1, atBegin)
      return true
    }
    return false
  }
  return (call) => {
    const timeoutMs = blockingTimeout(call, call.argc - 1)
    if (tryPop(call)) return
    call.blockOn({ firstKey: 1, keyCount: call.argc - 2, type: KeyType.list, timeoutMs, retry: tryPop })
  }
}

function blmpop(call: Call): void {
  const wanted = parseMultiPop(call, 2)
  const timeoutMs = blockingTimeout(call, 1)
  if (popFirst(call, wanted)) return
  const { firstKey, keyCount } = wanted
  call.blockOn({ firstKey, keyCount, type: KeyType.list, timeoutMs, retry: (again) => popFirst(again, wanted) })
}

function waitAndMove(call: Call, fromBegin: boolean, toBegin: boolean, timeoutMs: number): void {
  const retry = (again: Call): boolean => moveElement(again, fromBegin, toBegin)
  if (retry(call)) return
  if (call.engine.isInExec) call.reply.null()
  else call.blockOn({ firstKey: 1, keyCount: 1, type: KeyType.list, timeoutMs, retry })
}

function blmove(call: Call): void {
  const fromBegin = isLeft(call, 3)
  const toBegin = isLeft(call, 4)
  waitAndMove(call, fromBegin, toBegin, blockingTimeout(call, 5))
}

/** Also tried again, in vain, when there is something but not as much as EXACTLY asks for: then those behind it may take that. */
function blmovem(call: Call): void {
  const fromBegin = isLeft(call, 3)
  const toBegin = isLeft(call, 4)
  const timeoutMs = blockingTimeout(call, 5)
  const many = parseMany(call, 6, fromBegin, toBegin)
  const retry = (again: Call): boolean => moveMany(again, many)
  if (!retry(call)) call.blockOn({ firstKey: 1, keyCount: 1, type: KeyType.list, timeoutMs, retry })
}

function brpoplpush(call: Call): void {
  waitAndMove(call, false, true, blockingTimeout(call, 3))
}

function popSpec(name: string, summary: string, handler: (call: Call) => void): CommandSpec {
  return {
    name,
    arity: -3,
    flags: ['write', 'blocking'],
    keys: keyRange(1, -2, 1, 'RW', 'access', 'delete'),
    group: 'list',
    categories: ['list'],
    since: '2.0.0',
    summary,
    complexity: 'O(N), N being the number of keys',
    history: [['6.0.0', 'The timeout may have a fraction.']],
    arguments: [KEYS, TIMEOUT],
    handler,
  }
}

export const BLOCKING_COMMANDS: readonly CommandSpec[] = [
  popSpec('blpop', 'Takes the first element off the first list that exists; waits for one if need be.', popping(true)),
  popSpec('brpop', 'Takes the last element off the first list that exists; waits for one if need be.', popping(false)),
  {
    name: 'blmpop',
    arity: -5,
    flags: ['write', 'blocking'],
    keys: [
      {
        flags: ['RW', 'access', 'delete'],
        beginSearch: { index: 2 },
        findKeys: { keyNumIndex: 0, firstKey: 1, step: 1 },
      },
    ],
    group: 'list',
    categories: ['list'],
    since: '7.0.0',
    summary: 'Takes elements off one end of the first list that exists; waits for one if need be.',
    complexity: 'O(N+M), N being the number of keys and M the number of elements popped',
    arguments: [TIMEOUT, ...MULTI_POP_ARGUMENTS],
    handler: blmpop,
  },
  {
    name: 'blmove',
    arity: 6,
    flags: ['write', 'denyoom', 'blocking'],
    keys: MOVE_KEYS,
    group: 'list',
    categories: ['list'],
    since: '6.2.0',
    summary: 'Moves an element from one list to another and replies with it; waits for one if need be.',
    complexity: 'O(1)',
    arguments: [SOURCE, DESTINATION, ...FROM_AND_TO, TIMEOUT],
    handler: blmove,
  },
  {
    name: 'blmovem',
    arity: -6,
    flags: ['write', 'denyoom', 'blocking'],
    keys: MOVE_KEYS,
    group: 'list',
    categories: ['list'],
    since: '8.10.0',
    summary: 'Moves elements from one list to another and replies with them; waits for enough of them if need be.',
    complexity: 'O(N), N being the number of elements moved',
    arguments: [SOURCE, DESTINATION, ...FROM_AND_TO, TIMEOUT, HOW_MANY],
    handler: blmovem,
  },
  {
    name: 'brpoplpush',
    arity: 4,
    flags: ['write', 'denyoom', 'blocking'],
    keys: MOVE_KEYS,
    group: 'list',
    categories: ['list'],
    since: '2.2.0',
    summary: 'Moves the last element of a list to the beginning of another and replies with it; waits for one if need be.',
    complexity: 'O(1)',
    history: [['6.0.0', 'The timeout may have a fraction.']],
    deprecated: { since: '6.2.0', replacedBy: '`BLMOVE` with the `RIGHT` and `LEFT` arguments' },
    arguments: [SOURCE, DESTINATION, TIMEOUT],
    handler: brpoplpush,
  },
]
