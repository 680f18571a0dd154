import { LIMITS } from '../../base/limits.js'
import { NotificationClass } from '../../base/notification-classes.js'
import { RunWriter } from '../../keyspace/list-store.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import type { WriteSteps } from '../services.js'
import { KEY } from '../string/arguments.js'
import { ELEMENTS, findList, lengthOf, lists } from './arguments.js'

/** Pushes at either end. Elements of one command stay together, whatever other members push meanwhile. */

/** Pushes arguments first .. last at one end of the list in argument `key`; gives the length then. */
export function push(call: Call, key: number, first: number, last: number, atBegin: boolean): number {
  const { buf, off, len } = call.request
  const length = lists(call).writes.push(call.database, buf, off[key], len[key], call.request, first, last, atBegin)
  call.notify(NotificationClass.list, atBegin ? 'lpush' : 'rpush', key)
  return length
}

function pushing(atBegin: boolean, onlyIfThere: boolean): (call: Call) => void {
  return (call) => {
    const ref = findList(call, 1)
    if (onlyIfThere && ref === 0) call.reply.integer(0)
    else if (call.bringsMany(call.argc - 2)) call.writeKeyInSlices(1, pushSteps(call, ref, atBegin))
    else call.reply.integer(push(call, 1, 2, call.argc - 1, atBegin))
  }
}

/** A push of many: a run of its own, whatever stands at that end, for the stamps that are to come are not known. */
function* pushSteps(call: Call, ref: Ref, atBegin: boolean): WriteSteps {
  const { op, request, argc, collections } = call
  const length = lengthOf(call, ref)
  if (ref === 0) yield* call.clearInSteps(1)
  const anchor = ref === 0 ? 0 : lists(call).anchorBeyond(call.db, call.root(ref), atBegin)
  const writer = new RunWriter(op, collections.environment.self, call.place(1), anchor)
  for (let i = 2; i < argc; yield) {
    if (atBegin) i = writer.pushBefore(request, i, argc)
    else
      for (const end = Math.min(i + LIMITS.slicedReadStep, argc); i < end; i++)
        writer.bulk(request.buf, request.off[i], request.len[i])
  }
  yield 'commit'
  call.notifyAdded(NotificationClass.list, atBegin ? 'lpush' : 'rpush', 1, ref !== 0)
  call.reply.integer(length + argc - 2)
}

function spec(name: string, since: string, several: string, summary: string, handler: (call: Call) => void): CommandSpec {
  return {
    name,
    arity: -3,
    flags: ['write', 'denyoom', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'insert'),
    group: 'list',
    categories: ['list'],
    since,
    summary,
    complexity: 'O(N), N being the number of elements pushed',
    history: [[several, 'Several elements at once.']],
    arguments: [KEY, ELEMENTS],
    handler,
  }
}

export const PUSH_COMMANDS: readonly CommandSpec[] = [
  spec(
    'lpush',
    '1.0.0',
    '2.4.0',
    'Puts elements before the first one of a list; makes the list if need be.',
    pushing(true, false),
  ),
  spec(
    'rpush',
    '1.0.0',
    '2.4.0',
    'Puts elements behind the last one of a list; makes the list if need be.',
    pushing(false, false),
  ),
  spec('lpushx', '2.2.0', '4.0.0', 'Puts elements before the first one of a list that exists.', pushing(true, true)),
  spec('rpushx', '2.2.0', '4.0.0', 'Puts elements behind the last one of a list that exists.', pushing(false, true)),
]
