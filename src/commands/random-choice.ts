import type { MapCursor } from '../keyspace/map-cursor.js'
import type { MapStore } from '../keyspace/map-store.js'
import type { Ref } from '../memory/arena.js'
import type { Call } from './call.js'

const TWO_32 = 2 ** 32
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

/**
 * Visits so many different elements, or all when there are not so many, every subset with the same chance. size is how many there are
 * (MapStore.countShown).
 */
export function sampleElements(
  call: Call,
  store: MapStore,
  root: Ref,
  size: number,
  count: number,
  visit: (cursor: MapCursor) => void,
): void {
  const cursor = store.walk(call.db, root)
  if (count * DRAWN_SHARE < size && store.canDraw(call.db, root)) {
    draw(call, store, root, count, visit)
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
  }
}

/** Draws elements until so many different ones have come; should chance never bring them, any others make the number up. */
function draw(call: Call, store: MapStore, root: Ref, count: number, visit: (cursor: MapCursor) => void): void {
  const seen = new Set<Ref>()
  const take = (cursor: MapCursor) => {
    if (seen.has(cursor.ref)) return
    seen.add(cursor.ref)
    visit(cursor)
  }
  const { cursor } = store
  for (let draws = 0; seen.size < count && draws < count * DRAWN_SHARE + SPARE_DRAWS; draws++) {
    cursor.random((bound) => randomBelow(call, bound))
    take(cursor)
  }
  if (seen.size === count) return
  store.walk(call.db, root)
  while (seen.size < count && cursor.next()) take(cursor)
}
