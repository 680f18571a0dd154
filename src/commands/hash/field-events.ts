import { NotificationClass } from '../../base/notification-classes.js'
import type { Request } from '../../resp/request.js'
import type { Call } from '../call.js'
import type { FieldNames } from '../services.js'

/**
 * Events about fields of the hash in argument 1: as other keyspace events, and with the names of the fields where those are asked for (classes S, T, I, V). Names are gathered
 * only then. As in Redis a field that a command names twice is told twice when both have had an effect.
 */

/** Tells of the fields in arguments first, first + step, … below end. */
export function notifyFields(call: Call, event: string, first: number, end: number, step = 1): void {
  call.notify(NotificationClass.hash, event, 1)
  if (call.engine.notifications.tellsFields) tell(call, event, rangeOf(call.request, first, end, step))
}

/** Tells of the fields in the first `count` arguments of a list. */
export function notifyListedFields(call: Call, event: string, listed: ArrayLike<number>, count = listed.length): void {
  call.notify(NotificationClass.hash, event, 1)
  if (call.engine.notifications.tellsFields) tell(call, event, listOf(call.request, listed, count))
}

/** Tells of fields that are no arguments, of the hash in argument `key`. */
export function notifyNames(call: Call, event: string, key: number, names: FieldNames): void {
  call.notify(NotificationClass.hash, event, key)
  if (call.engine.notifications.tellsFields) tell(call, event, names, key)
}

/** As notifyListedFields, of fields that are gone; when they were the last ones, also that the key is. */
export function notifyRemoval(call: Call, listed: ArrayLike<number>, count = listed.length): void {
  notifyListedFields(call, 'hdel', listed, count)
  notifyIfGone(call)
}

/** The last steps of a write of very many: see notifyFields. wasThere: the key has been told of, or was there before. */
export function* addedSteps(call: Call, event: string, first: number, end: number, step: number, wasThere: boolean): Steps {
  call.notifyAdded(NotificationClass.hash, event, 1, wasThere)
  if (call.engine.notifications.tellsFields) yield* tellInSteps(call, event, rangeOf(call.request, first, end, step))
}

/** Those of HIMPORT SET of very many: see notifyNames. */
export function* namedSteps(call: Call, event: string, key: number, names: FieldNames, wasThere: boolean): Steps {
  call.notifyAdded(NotificationClass.hash, event, key, wasThere)
  if (call.engine.notifications.tellsFields) yield* tellInSteps(call, event, names, key)
}

/** Those of HEXPIRE of very many: see notifyListedFields. */
export function* listedSteps(call: Call, event: string, listed: ArrayLike<number>, count: number): Steps {
  call.notify(NotificationClass.hash, event, 1)
  if (call.engine.notifications.tellsFields) yield* tellInSteps(call, event, listOf(call.request, listed, count))
}

/** Those of HDEL of very many: see notifyRemoval. */
export function* removalSteps(call: Call, listed: ArrayLike<number>, count: number): Steps {
  yield* listedSteps(call, 'hdel', listed, count)
  notifyIfGone(call)
}

type Steps = Generator<undefined, void>

/** When the hash has no more fields, its key is gone. */
export function notifyIfGone(call: Call): void {
  if (call.find(1) === 0) call.notify(NotificationClass.generic, 'del', 1)
}

function tell(call: Call, event: string, fields: FieldNames, key = 1): void {
  const { buf, off, len } = call.request
  call.engine.notifications.notifyFields(event, call.database, buf, off[key], len[key], fields)
}

function tellInSteps(call: Call, event: string, fields: FieldNames, key = 1): Steps {
  const { buf, off, len } = call.request
  return call.engine.notifications.fieldSteps(event, call.database, buf, off[key], len[key], fields)
}

function rangeOf({ buf, off, len }: Request, first: number, end: number, step: number): FieldNames {
  const at = (nth: number): Uint8Array => {
    const i = first + nth * step
    return buf.subarray(off[i], off[i] + len[i])
  }
  return { count: Math.ceil((end - first) / step), at }
}

function listOf({ buf, off, len }: Request, listed: ArrayLike<number>, count: number): FieldNames {
  return { count, at: (nth) => buf.subarray(off[listed[nth]], off[listed[nth]] + len[listed[nth]]) }
}
