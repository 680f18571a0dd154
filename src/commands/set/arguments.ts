import { LIMITS } from '../../base/limits.js'
import { KeyType } from '../../keyspace/database.js'
import type { MapCursor } from '../../keyspace/map-cursor.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import type { ArgumentSpec, CommandSpec } from '../command-spec.js'
import { oneKeySpec, type SpecParts } from '../one-key-spec.js'

/** What the set commands share. */
export const SET_KEY: ArgumentSpec = { name: 'key', type: 'key', keySpecIndex: 0 }
export const SET_KEYS: ArgumentSpec = { ...SET_KEY, flags: ['multiple'] }
export const MEMBER: ArgumentSpec = { name: 'member', type: 'string' }
export const MEMBERS: ArgumentSpec = { ...MEMBER, flags: ['multiple'] }

/** Most of the specification of a set command with one key. */
export function setSpec(...parts: SpecParts): CommandSpec {
  return oneKeySpec('set', ...parts)
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
