import { LIMITS } from '../../base/limits.js'
import { NotificationClass } from '../../base/notification-classes.js'
import { DistinctRanges } from '../../keyspace/byte-ranges.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { keyRange, type ArgumentSpec, type CommandSpec } from '../command-spec.js'
import { canRemoveInSteps, countInSteps, findAt } from '../many-keys.js'
import type { KeyRange, ReadSteps, WriteSteps } from '../services.js'
import { TYPE_NAMES } from './type-names.js'

const KEYS_ARGUMENT: readonly ArgumentSpec[] = [{ name: 'key', type: 'key', keySpecIndex: 0, flags: ['multiple'] }]
const SUM_TIPS = ['request_policy:multi_shard', 'response_policy:agg_sum']

/** DEL, UNLINK, EXISTS, TOUCH, TYPE: a key as a whole, whatever it holds. */
export const KEY_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'del',
    arity: -2,
    flags: ['write'],
    keys: keyRange(1, -1, 1, 'RM', 'delete'),
    group: 'generic',
    categories: ['keyspace'],
    since: '1.0.0',
    summary: 'Removes keys, as far as this region has seen their values.',
    complexity: 'O(N), N being the number of keys; a large collection adds its number of elements',
    tips: SUM_TIPS,
    arguments: KEYS_ARGUMENT,
    handler: removeKeys,
  },
  {
    name: 'unlink',
    arity: -2,
    flags: ['write', 'fast'],
    keys: keyRange(1, -1, 1, 'RM', 'delete'),
    group: 'generic',
    categories: ['keyspace'],
    since: '4.0.0',
    summary: 'Removes keys and gives their memory back later.',
    complexity: 'O(1) for each key',
    tips: SUM_TIPS,
    arguments: KEYS_ARGUMENT,
    handler: removeKeys,
  },
  {
    name: 'exists',
    arity: -2,
    flags: ['readonly', 'fast'],
    keys: keyRange(1, -1, 1, 'RO'),
    group: 'generic',
    categories: ['keyspace'],
    since: '1.0.0',
    history: [['3.0.3', 'Takes several keys.']],
    summary: 'Counts which of the given keys exist; a key given twice counts twice.',
    complexity: 'O(N), N being the number of keys',
    tips: SUM_TIPS,
    arguments: KEYS_ARGUMENT,
    handler: exists,
  },
  {
    name: 'touch',
    arity: -2,
    flags: ['readonly', 'fast'],
    keys: keyRange(1, -1, 1, 'RO'),
    group: 'generic',
    categories: ['keyspace'],
    since: '3.2.1',
    summary: 'Counts which of the given keys exist and notes that they were used just now.',
    complexity: 'O(N), N being the number of keys',
    tips: SUM_TIPS,
    arguments: KEYS_ARGUMENT,
    handler: touch,
  },
  {
    name: 'type',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: keyRange(1, 1, 1, 'RO'),
    group: 'generic',
    categories: ['keyspace'],
    since: '1.0.0',
    summary: 'Names the type of the value of a key.',
    complexity: 'O(1)',
    arguments: [{ name: 'key', type: 'key', keySpecIndex: 0 }],
    handler: (call) => {
      const ref = call.findUntouched(1)
      call.reply.simpleString(TYPE_NAMES[ref === 0 ? 0 : call.db.type(ref)])
    },
  },
]

function exists(call: Call): void {
  replyCount(call, findUntouched)
}

function touch(call: Call): void {
  replyCount(call, findForTouch)
}

function findUntouched(call: Call, i: number): Ref {
  return call.findUntouched(i)
}

/** Asked for by name, so CLIENT NO-TOUCH does not hold it back. */
function findForTouch(call: Call, i: number): Ref {
  const { buf, off, len } = call.request
  return call.keyspace.findForRead(call.db, buf, off[i], len[i], true)
}

/** Replies how many of the keys are found. */
function replyCount(call: Call, find: (call: Call, i: number) => Ref): void {
  if (call.hasManyKeys(call.argc - 1, true)) {
    call.workOnKeysInSlices(allKeys(call), countSteps(call, find))
    return
  }
  let found = 0
  for (let i = 1; i < call.argc; i++) if (find(call, i) !== 0) found++
  call.reply.integer(found)
}

function* countSteps(call: Call, find: (call: Call, i: number) => Ref): ReadSteps {
  call.reply.integer(yield* countInSteps(call, allKeys(call), find))
}

function allKeys(call: Call): KeyRange {
  return { first: 1, end: call.argc, step: 1 }
}

/** Elements that a removal of the keys must look at, because it has to say what it saw of their counters. */
function removalLooks(call: Call): number {
  let looks = 0
  for (let i = 1; i < call.argc; i++) {
    const ref = call.find(i)
    if (ref !== 0) looks += call.long.removalLooks(call.db, ref)
  }
  return looks
}

function* removalSteps(call: Call, keys: KeyRange): WriteSteps {
  const { op, long, request } = call
  const { nowMs: atMs } = call
  if (!(yield* canRemoveInSteps(call, keys))) {
    yield 'at-once'
    removeAtOnce(call)
    return
  }
  const there = new DistinctRanges()
  there.begin(keys.end - keys.first)
  for (let i = keys.first; i < keys.end; i++) {
    if (findAt(call, i, atMs) !== 0 && there.pick(request, i)) yield* long.remove(op, call.place(i))
    if (i % LIMITS.slicedReadStep === 0) yield
  }
  if (there.count > 0) yield 'commit'
  for (let nth = 0; nth < there.count; nth++) {
    call.notify(NotificationClass.generic, 'del', there.picked[nth])
    if (nth % LIMITS.slicedReadStep === 0) yield
  }
  call.reply.integer(there.count)
}

function removeKeys(call: Call): void {
  const { solo } = call.effects
  const isLong = call.hasManyKeys(call.argc - 1) || (!solo && call.isLongWrite(removalLooks(call)))
  if (!isLong) {
    removeAtOnce(call)
    return
  }
  const keys = allKeys(call)
  call.workOnKeysInSlices(keys, removalSteps(call, keys))
}

function removeAtOnce(call: Call): void {
  const { buf, off, len, argc } = call.request
  let removed = 0
  for (let i = 1; i < argc; i++) {
    if (call.find(i) === 0) continue
    call.effects.remove(call.database, buf, off[i], len[i])
    call.notify(NotificationClass.generic, 'del', i)
    removed++
  }
  call.reply.integer(removed)
}
