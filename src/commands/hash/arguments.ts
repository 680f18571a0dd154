import { keyRange, type ArgumentSpec, type CommandFlag, type CommandSpec, type KeySpecFlag } from '../command-spec.js'
import { KeyType } from '../../keyspace/database.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'

/** What the hash commands share. */
export const HASH_KEY: ArgumentSpec = { name: 'key', type: 'key', keySpecIndex: 0 }
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

/** Most of a specification: one key in argument 1, the group, the category. */
export function hashSpec(
  name: string,
  arity: number,
  flags: readonly CommandFlag[],
  keyFlags: readonly KeySpecFlag[],
  since: string,
  summary: string,
  complexity: string,
  args: readonly ArgumentSpec[],
  handler: (call: Call) => void,
): CommandSpec {
  return {
    name,
    arity,
    flags,
    keys: keyRange(1, 1, 1, ...keyFlags),
    group: 'hash',
    categories: ['hash'],
    since,
    summary,
    complexity,
    arguments: [HASH_KEY, ...args],
    handler,
  }
}

/** The root of the hash at argument 1 for a command that reads, 0 if there is none. */
export function readHash(call: Call): Ref {
  return call.root(call.findTypedForRead(1, KeyType.hash))
}

/** The same for a command that writes. */
export function writtenHash(call: Call): Ref {
  return call.root(call.findTyped(1, KeyType.hash))
}
