import { CHUNK_SHIFT, UNIT_MASK, type Arena, type Ref } from '../memory/arena.js'

/** Word of a map's root that holds its place here + 1. */
export const FIELD_EXPIRY_INDEX_WORD = 7

/**
 * The hashes of one database that have fields with an expiry, as a heap by the time at which this member may remove the first of them: so what is due is
 * found without looking at anything that is not.
 */
export class FieldExpiries {
  private roots = new Uint32Array(4)
  private times = new Float64Array(4)
  count = 0

  constructor(private readonly arena: Arena) {}

  /** Unix ms; Infinity when there is none. */
  get nextTime(): number {
    return this.count === 0 ? Infinity : this.times[0]
  }

  /** The root that nextTime is about. */
  get first(): Ref {
    return this.roots[0]
  }

  get bytes(): number {
    return this.roots.byteLength + this.times.byteLength
  }

  /** Adds a root, or moves it to where its time belongs. */
  put(root: Ref, time: number): void {
    let place = this.placeOf(root)
    if (place < 0) {
      place = this.count++
      if (place === this.roots.length) this.grow()
    } else if (this.times[place] === time) {
      return
    }
    this.sift(place, root, time)
  }

  /** Takes a root out, which must be here. */
  remove(root: Ref): void {
    const place = this.placeOf(root)
    this.setPlace(root, -1)
    const last = --this.count
    if (place < last) this.sift(place, this.roots[last], this.times[last])
  }

  private grow(): void {
    const roots = new Uint32Array(this.roots.length * 2)
    const times = new Float64Array(this.times.length * 2)
    roots.set(this.roots)
    times.set(this.times)
    this.roots = roots
    this.times = times
  }

  private placeOf(root: Ref): number {
    return this.arena.u32[root >>> CHUNK_SHIFT][((root & UNIT_MASK) << 1) + FIELD_EXPIRY_INDEX_WORD] - 1
  }

  private setPlace(root: Ref, place: number): void {
    this.arena.u32[root >>> CHUNK_SHIFT][((root & UNIT_MASK) << 1) + FIELD_EXPIRY_INDEX_WORD] = place + 1
  }

  private sift(from: number, root: Ref, time: number): void {
    const { roots, times, count } = this
    let place = from
    while (place > 0) {
      const above = (place - 1) >>> 1
      if (times[above] <= time) break
      this.set(place, roots[above], times[above])
      place = above
    }
    for (;;) {
      let below = place * 2 + 1
      if (below >= count) break
      if (below + 1 < count && times[below + 1] < times[below]) below++
      if (times[below] >= time) break
      this.set(place, roots[below], times[below])
      place = below
    }
    this.set(place, root, time)
  }

  private set(place: number, root: Ref, time: number): void {
    this.roots[place] = root
    this.times[place] = time
    this.setPlace(root, place)
  }
}
