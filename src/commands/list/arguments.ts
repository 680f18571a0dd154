import { KeyType } from '../../keyspace/database.js'
import type { ListStore } from '../../keyspace/list-store.js'
import type { Call } from '../call.js'
import { syntaxError } from '../command-error.js'
import type { ArgumentSpec } from '../command-spec.js'
import { KEY, oneOf, token } from '../string/arguments.js'

/** What several list commands share: lookups, ends of a list, and arguments for COMMAND DOCS. */
export const ELEMENT: ArgumentSpec = { name: 'element', type: 'string' }
export const ELEMENTS: ArgumentSpec = { ...ELEMENT, flags: ['multiple'] }
export const INDEX: ArgumentSpec = { name: 'index', type: 'integer' }
export const STOP: ArgumentSpec = { name: 'stop', type: 'integer' }
export const TIMEOUT: ArgumentSpec = { name: 'timeout', type: 'double' }
const ENDS = [token('left'), token('right')]
export const WHERE: ArgumentSpec = oneOf('where', ...ENDS)
export const FROM_AND_TO: readonly ArgumentSpec[] = [oneOf('wherefrom', ...ENDS), oneOf('whereto', ...ENDS)]
export const SOURCE: ArgumentSpec = { ...KEY, name: 'source' }
export const DESTINATION: ArgumentSpec = { ...KEY, name: 'destination', keySpecIndex: 1 }

/** Elements of a row at an end of a list that are removed in the time that one is removed by itself. */
export const ROW_SHARE = 8

export function lists(call: Call): ListStore {
  return call.collections.lists
}

/** The record of a list, 0 if there is none; for writes. */
export function findList(call: Call, i: number): number {
  return call.findTyped(i, KeyType.list)
}

export function findListForRead(call: Call, i: number): number {
  return call.findTypedForRead(i, KeyType.list)
}

/** Elements of the list in a record that findList gave. */
export function lengthOf(call: Call, ref: number): number {
  return ref === 0 ? 0 : lists(call).size(call.db, call.root(ref))
}

/** LEFT or RIGHT: true for the beginning of the list. */
export function isLeft(call: Call, i: number): boolean {
  if (call.is(i, 'LEFT')) return true
  if (call.is(i, 'RIGHT')) return false
  throw syntaxError()
}
