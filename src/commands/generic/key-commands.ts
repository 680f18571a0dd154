import { latin1 } from '../../base/bytes.js'
import { NotificationClass } from '../../base/notification-classes.js'
import type { Call } from '../call.js'
import { keyRange, type ArgumentSpec, type CommandSpec } from '../command-spec.js'
import type { KeyToHold } from '../services.js'
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
    handler: (call) => {
      let found = 0
      for (let i = 1; i < call.argc; i++) if (call.findUntouched(i) !== 0) found++
      call.reply.integer(found)
    },
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
    handler: (call) => {
      const { buf, off, len } = call.request
      let found = 0
      // Asked for by name, so CLIENT NO-TOUCH does not hold it back.
      for (let i = 1; i < call.argc; i++) if (call.keyspace.findForRead(call.db, buf, off[i], len[i], true) !== 0) found++
      call.reply.integer(found)
    },
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

/** Elements that a removal of the keys must look at, because it has to say what it saw of their counters. */
function removalLooks(call: Call): number {
  let looks = 0
  for (let i = 1; i < call.argc; i++) {
    const ref = call.find(i)
    if (ref !== 0) looks += call.long.removalLooks(call.db, ref)
  }
  return looks
}

function* removalSteps(call: Call): Generator<undefined | 'commit', void> {
  const { op, long, request } = call
  const there: number[] = []
  const names = new Set<string>()
  for (let i = 1; i < call.argc; i++) {
    const name = latin1(request.buf, request.off[i], request.len[i])
    if (names.has(name) || call.find(i) === 0) continue
    names.add(name)
    there.push(i)
    yield* long.remove(op, call.place(i))
  }
  if (there.length > 0) yield 'commit'
  for (const i of there) call.notify(NotificationClass.generic, 'del', i)
  call.reply.integer(there.length)
}

function removeKeys(call: Call): void {
  const { buf, off, len, argc } = call.request
  // Alone there is nothing to be said of counters.
  if (!call.effects.solo && call.isLongWrite(removalLooks(call))) {
    const keys: KeyToHold[] = []
    for (let i = 1; i < argc; i++) keys.push({ database: call.database, argument: i, isWritten: true })
    if (keys.every(({ argument }) => call.long.canRemove(call.place(argument)))) {
      call.writeInSlices(keys, removalSteps(call))
      return
    }
  }
  let removed = 0
  for (let i = 1; i < argc; i++) {
    if (call.find(i) === 0) continue
    call.effects.remove(call.database, buf, off[i], len[i])
    call.notify(NotificationClass.generic, 'del', i)
    removed++
  }
  call.reply.integer(removed)
}
