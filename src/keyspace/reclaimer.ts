import { LIMITS } from '../base/limits.js'
import type { Arena, Ref } from '../memory/arena.js'
import type { CollectionStore } from './collection-store.js'

interface Remnant {
  readonly arena: Arena
  readonly store: CollectionStore
  root: Ref
}

/**
 * Large collections that nothing refers to any more: their memory is given back a little at a time, so that removing one never stops the world. Bounded by
 * the memory that the collections took.
 */
export class Reclaimer {
  private readonly remnants: Remnant[] = []
  /** Called when there is something to do after there was nothing. */
  onWork: () => void = () => undefined

  /** Collections that wait. */
  get pending(): number {
    return this.remnants.length
  }

  /** Frees a collection: a small one at once. */
  add(arena: Arena, store: CollectionStore, root: Ref): void {
    if (root === 0) return
    const left = store.free(arena, root, LIMITS.reclaimAtOnce)
    if (left === 0) return
    this.remnants.push({ arena, store, root: left })
    if (this.remnants.length === 1) this.onWork()
  }

  /** Frees some more; true when there is more to do. */
  step(): boolean {
    const last = this.remnants.at(-1)
    if (last === undefined) return false
    last.root = last.store.free(last.arena, last.root, LIMITS.reclaimSlice)
    if (last.root === 0) this.remnants.pop()
    return this.remnants.length > 0
  }

  /** An arena is let go as a whole, and with it what waits in it. */
  forget(arena: Arena): void {
    const kept = this.remnants.filter((remnant) => remnant.arena !== arena)
    this.remnants.length = 0
    this.remnants.push(...kept)
  }
}
