import type { ArgumentSpec, CommandSpec } from '../command-spec.js'
import { oneKeySpec, type SpecParts } from '../one-key-spec.js'
import { KeyType } from '../../keyspace/database.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'

/** What the hash commands share. */
export const FIELD: ArgumentSpec = { name: 'field', type: 'string' }
export const FIELD_LIST: ArgumentSpec = { ...FIELD, flags: ['multiple'] }
export const FIELD_VALUE: ArgumentSpec = { name: 'value', type: 'string' }
export const FIELD_PAIRS: ArgumentSpec = { name: 'data', type: 'block', flags: ['multiple'], arguments: [FIELD, FIELD_VALUE] }
/** FIELDS numfields field [field …] */
export const FIELDS_BLOCK: ArgumentSpec = {
  name: 'fields',
  type: 'block',
  token: 'FIELDS',
  arguments: [{ name: 'numfields', type: 'integer' }, FIELD_LIST],
}

/** Most of the specification of a hash command with one key. */
export function hashSpec(...parts: SpecParts): CommandSpec {
  return oneKeySpec('hash', ...parts)
}

/** The root of the hash at argument 1 for a command that reads, 0 if there is none. */
export function readHash(call: Call): Ref {
  return call.root(call.findTypedForRead(1, KeyType.hash))
}

/** The same for a command that writes. */
export function writtenHash(call: Call): Ref {
  return call.root(call.findTyped(1, KeyType.hash))
}
