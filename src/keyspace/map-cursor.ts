import { CHUNK_SHIFT, UNIT_MASK, type Arena, type Ref } from '../memory/arena.js'
import type { MapSpace } from './map-space.js'
import { KIND_MASK, PACKED, type PackedMap } from './packed-map.js'
import type { StringStore } from './string-store.js'

/** In place of a time: shows also the elements that are due. */
export const INCLUDING_DUE = -Infinity
/** Draws of an element that may turn out to be hidden; after them a walk decides. */
const RANDOM_DRAWS = 100

/**
 * Goes through the elements of a map that clients see, in whichever form it is. The map must not change meanwhile.
 *
 * The element's key is buf[keyOff .. keyOff+keyLen), and after readValue its value valueBuf[valueOff .. valueOff+valueLen).
 */
export class MapCursor {
  buf: Uint8Array = new Uint8Array(0)
  keyOff = 0
  keyLen = 0
  valueBuf: Uint8Array = new Uint8Array(0)
  valueOff = 0
  valueLen = 0
  /** Unix ms at which the element goes, Infinity for never. */
  expiresAt = Infinity
  /** The element's record, 0 in a packed map. */
  ref: Ref = 0
  private arena!: Arena
  private root: Ref = 0
  private isPacked = false
  private nowMs = 0
  /** Packed: place of the next entry, and the end. Large: the scan's cursor, -1 when it has ended. */
  private position = 0
  private end = 0

  constructor(
    private readonly packed: PackedMap,
    private readonly space: MapSpace,
    private readonly strings: StringStore,
  ) {}

  /** Stands before the first element. root 0 is an empty map. */
  begin(arena: Arena, root: Ref, nowMs: number): void {
    this.arena = arena
    this.root = root
    this.nowMs = nowMs
    this.isPacked = root === 0 || (arena.u32[root >>> CHUNK_SHIFT][(root & UNIT_MASK) << 1] & KIND_MASK) === PACKED
    this.position = 0
    this.end = 0
    if (root === 0) return
    if (this.isPacked) {
      this.position = this.packed.first(root)
      this.end = this.packed.end(arena, root)
    } else {
      this.space.open(arena, root)
    }
  }

  /** Stands before the first element again. */
  rewind(): void {
    this.begin(this.arena, this.root, this.nowMs)
  }

  /** Goes to the next element; false behind the last one. */
  next(): boolean {
    if (this.isPacked) {
      if (this.position >= this.end) return false
      this.stand(this.position)
      this.position = this.packed.next
      return true
    }
    while (this.position >= 0) {
      if (this.step()) return true
    }
    return false
  }

  /**
   * One step of a walk that goes on in a later command: cursor and result are ElementTable's, packed maps are gone through by next alone. Whether it
   * came to an element that clients see is in `stepped`.
   */
  scan(cursor: number): number {
    this.position = cursor
    this.stepped = this.step()
    return Math.max(this.position, 0)
  }

  stepped = false

  /** Goes to an element, each with the same chance; false when there is none. below(n) is uniform in 0 .. n-1. */
  random(below: (bound: number) => number): boolean {
    if (this.root === 0) return false
    if (this.isPacked) {
      this.stand(this.packed.place(this.arena, this.root, below(this.packed.count(this.arena, this.root))))
      return true
    }
    const { space } = this
    for (let draw = 0; draw < RANDOM_DRAWS; draw++) {
      const ref = space.random(below)
      if (!space.isShown(ref, this.nowMs)) continue
      this.standAt(ref)
      return true
    }
    this.position = 0
    return this.next()
  }

  readValue(): void {
    if (this.isPacked) return
    const { strings } = this
    strings.read(this.space, this.ref)
    this.valueBuf = strings.buf
    this.valueOff = strings.off
    this.valueLen = strings.len
  }

  private step(): boolean {
    const { space } = this
    const cursor = space.scan(this.position)
    this.position = cursor === 0 ? -1 : cursor
    const ref = space.scanned
    if (ref === 0 || !space.isShown(ref, this.nowMs)) return false
    this.standAt(ref)
    return true
  }

  private stand(place: number): void {
    const { packed } = this
    packed.read(this.arena, this.root, place)
    this.buf = this.arena.u8[this.root >>> CHUNK_SHIFT]
    this.keyOff = packed.keyOff
    this.keyLen = packed.keyLen
    this.valueBuf = this.buf
    this.valueOff = packed.valueOff
    this.valueLen = packed.valueLen
    this.expiresAt = Infinity
    this.ref = 0
  }

  private standAt(ref: Ref): void {
    const { space } = this
    this.ref = ref
    this.buf = this.arena.u8[ref >>> CHUNK_SHIFT]
    this.keyOff = space.keyOffset(ref)
    this.keyLen = space.keyLength(ref)
    this.expiresAt = space.expiresAt(ref)
  }
}
