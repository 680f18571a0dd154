import { LIMITS } from '../../base/limits.js'
import { KeyType } from '../../keyspace/database.js'
import type { MapCursor } from '../../keyspace/map-cursor.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { keyRange, type ArgumentSpec, type CommandFlag, type CommandSpec, type KeySpecFlag } from '../command-spec.js'

/** What the set commands share. */
export const SET_KEY: ArgumentSpec = { name: 'key', type: 'key', keySpecIndex: 0 }
export const SET_KEYS: ArgumentSpec = { ...SET_KEY, flags: ['multiple'] }
export const MEMBER: ArgumentSpec = { name: 'member', type: 'string' }
export const MEMBERS: ArgumentSpec = { ...MEMBER, flags: ['multiple'] }

/** Most of a specification: one key in argument 1, the group, the category. */
export function setSpec(
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
    group: 'set',
    categories: ['set'],
    since,
    summary,
    complexity,
    arguments: [SET_KEY, ...args],
    handler,
  }
}

/** The root of the set at argument i for a command that reads, 0 if there is none. */
export function readSet(call: Call, i = 1): Ref {
  return call.root(call.findTypedForRead(i, KeyType.set))
}

/** The same for a command that writes. */
export function writtenSet(call: Call, i = 1): Ref {
  return call.root(call.findTyped(i, KeyType.set))
}

/** A walk through a set that may be interrupted after every LIMITS.slicedReadStep members, and needs a cursor of its own if it is. */
export function walkInSteps(call: Call, root: Ref): MapCursor {
  const { sets } = call.collections
  return sets.size(call.db, root) < LIMITS.slicedReadStep ? sets.walk(call.db, root) : sets.walkApart(call.db, root)
}
