import { LIMITS } from '../base/limits.js'
import { TWO_32 } from '../base/words.js'
import type { MapCursor } from '../keyspace/map-cursor.js'
import type { MapStore } from '../keyspace/map-store.js'
import type { Ref } from '../memory/arena.js'
import type { Call } from './call.js'

/** Fewer elements than one in so many of a large map are drawn one by one; more are picked out of a walk. */
const DRAWN_SHARE = 3
const SPARE_DRAWS = 100

/** Uniform in 0 .. bound-1. */
export function randomBelow(call: Call, bound: number): number {
  return Math.floor((call.services.server.random() / TWO_32) * bound)
}

/** Puts the store's cursor on an element that clients see, each with the same chance; false when there is none. */
export function randomElement(call: Call, store: MapStore, root: Ref): boolean {
  return store.walk(call.db, root).random((bound) => randomBelow(call, bound))
}

/** True when so many elements are drawn one by one, and not picked out of a walk through all. */
function draws(call: Call, store: MapStore, root: Ref, size: number, count: number): boolean {
  return count * DRAWN_SHARE < size && count <= LIMITS.slicedReadElements && store.canDraw(call.db, root)
}

/** Elements that sampleSteps looks at. */
export function sampleLooks(call: Call, store: MapStore, root: Ref, size: number, count: number): number {
  return draws(call, store, root, size, count) ? count : size
}

/**
 * Visits so many different elements, or all when there are not so many, every subset with the same chance. size is how many there are
 * (MapStore.countShown). Other commands may run between two steps if they do not change the map.
 */
export function* sampleSteps(
  call: Call,
  store: MapStore,
  root: Ref,
  size: number,
  count: number,
  visit: (cursor: MapCursor) => void,
): Generator<undefined, void> {
  if (root === 0) return
  const cursor = size < LIMITS.slicedReadStep ? store.walk(call.db, root) : store.walkApart(call.db, root)
  if (draws(call, store, root, size, count)) {
    yield* draw(call, cursor, count, visit)
    return
  }
  let left = size
  let wanted = Math.min(count, size)
  // Each element is taken with the chance that makes the number come out (Knuth, algorithm S).
  while (wanted > 0 && cursor.next()) {
    if (randomBelow(call, left) < wanted) {
      visit(cursor)
      wanted--
    }
    left--
    if (left % LIMITS.slicedReadStep === 0) yield
  }
}

/** Draws elements until so many different ones have come; should chance never bring them, any others make the number up. */
function* draw(call: Call, cursor: MapCursor, count: number, visit: (cursor: MapCursor) => void): Generator<undefined, void> {
  const seen = new Set<Ref>()
  const take = () => {
    if (seen.has(cursor.ref)) return
    seen.add(cursor.ref)
    visit(cursor)
  }
  for (let drawn = 1; seen.size < count && drawn <= count * DRAWN_SHARE + SPARE_DRAWS; drawn++) {
    cursor.random((bound) => randomBelow(call, bound))
    take()
    if (drawn % LIMITS.slicedReadStep === 0) yield
  }
  if (seen.size === count) return
  cursor.rewind()
  while (seen.size < count && cursor.next()) take()
}
