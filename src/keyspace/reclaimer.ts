import { LIMITS } from '../base/limits.js'
import type { Arena, Ref } from '../memory/arena.js'
import type { CollectionStore } from './collection-store.js'

interface Remnant {
  readonly arena: Arena
  readonly store: CollectionStore
  root: Ref
  /** What freeing it will give back, as far as a look at some elements says. */
  bytes: number
}

/** Elements that are looked at to say what a collection takes. */
const SAMPLES = 16

/**
 * Large collections that nothing refers to any more: their memory is given back a little at a time, so that removing one never stops the world. Bounded by
 * the memory that the collections took.
 */
export class Reclaimer {
  private readonly remnants: Remnant[] = []
  private waitingBytes = 0
  /** Called when there is something to do after there was nothing. */
  onWork: () => void = () => undefined

  /** Collections that wait. */
  get pending(): number {
    return this.remnants.length
  }

  /**
   * About how many bytes are still to be given back. Whoever makes room counts them as free, or a large key that goes would take others along that
   * need not go.
   */
  get pendingBytes(): number {
    return this.waitingBytes
  }

  /** Frees a collection: a small one at once. */
  add(arena: Arena, store: CollectionStore, root: Ref): void {
    if (root === 0) return
    const before = arena.usedBytes
    const estimate = store.bytes(arena, root, SAMPLES)
    const left = store.free(arena, root, LIMITS.reclaimAtOnce)
    if (left === 0) return
    const bytes = Math.max(0, estimate - (before - arena.usedBytes))
    this.remnants.push({ arena, store, root: left, bytes })
    this.waitingBytes += bytes
    if (this.remnants.length === 1) this.onWork()
  }

  /** Frees some more; true when there is more to do. */
  step(): boolean {
    const last = this.remnants.at(-1)
    if (last === undefined) return false
    const before = last.arena.usedBytes
    last.root = last.store.free(last.arena, last.root, LIMITS.reclaimSlice)
    const freed = last.root === 0 ? last.bytes : Math.min(last.bytes, before - last.arena.usedBytes)
    last.bytes -= freed
    this.waitingBytes -= freed
    if (last.root === 0) this.remnants.pop()
    return this.remnants.length > 0
  }

  /** An arena is let go as a whole, and with it what waits in it. */
  forget(arena: Arena): void {
    const kept = this.remnants.filter((remnant) => remnant.arena !== arena)
    this.remnants.length = 0
    this.remnants.push(...kept)
    this.waitingBytes = kept.reduce((sum, { bytes }) => sum + bytes, 0)
  }
}
