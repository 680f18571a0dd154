import { LIMITS } from '../base/limits.js'
import type { Ref } from '../memory/arena.js'
import type { Call } from './call.js'
import type { KeyRange } from './services.js'

/**
 * What the steps of commands of very many keys share (docs/decisions/0035). All keys count as they were when the steps began, also those that fall due
 * meanwhile: held keys do not go by themselves.
 */

/** Calls back for each key, in order, some of them a step. */
export function* eachKey(call: Call, { first, end, step }: KeyRange, visit: (i: number) => void): Generator<undefined, void> {
  const { keyspace } = call
  const { nowMs: atMs } = keyspace
  for (let i = first; i < end;) {
    const { nowMs } = keyspace
    keyspace.nowMs = atMs
    for (let left: number = LIMITS.slicedReadStep; left > 0 && i < end; left--, i += step) visit(i)
    keyspace.nowMs = nowMs
    yield
  }
}

/** The key's record if it had a visible value at that time, else 0. */
export function findAt(call: Call, i: number, atMs: number): Ref {
  const { keyspace } = call
  const { nowMs } = keyspace
  keyspace.nowMs = atMs
  const ref = call.find(i)
  keyspace.nowMs = nowMs
  return ref
}

/** How many of the keys are found. */
export function* countInSteps(call: Call, keys: KeyRange, find: (call: Call, i: number) => Ref): Generator<undefined, number> {
  let count = 0
  yield* eachKey(call, keys, (i) => {
    if (find(call, i) !== 0) count++
  })
  return count
}

/** False when the effects that remove the keys cannot all be said beforehand. */
export function* canRemoveInSteps(call: Call, keys: KeyRange): Generator<undefined, boolean> {
  let canRemove = true
  yield* eachKey(call, keys, (i) => {
    if (!call.long.canRemove(call.place(i))) canRemove = false
  })
  return canRemove
}
