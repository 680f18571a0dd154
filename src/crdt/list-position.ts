import { LIMITS } from '../base/limits.js'
import type { EffectReader } from './effect-reader.js'

/** Where a position is written: the writer of a frame, or an op that is being built. */
export interface NumberSink {
  putByte(value: number): void
  putVarint(value: number): void
}

/** Indexes are signed and have 32 bits: a run that comes near a bound is left for a new one. */
export const MAX_LIST_INDEX = 2 ** 31 - 1
export const MIN_LIST_INDEX = -(2 ** 31)

/**
 * Position of a list element: a path of levels (anchor, run stamp, run's member, index), compared level by level, a shorter path first. It never
 * changes and is never given to another element, so every member has the elements in the same order whatever arrives first.
 *
 * A *run* is a sequence of elements that one member put behind one another (or before one another); its elements share all but the last index,
 * which is why concurrent pushes are not mixed. An element put between two others that have no free place between them goes one level below the
 * first of them. This is the tree of Logoot (Weiss, Urso, Molli, 2009) with whole runs for its nodes, as in LogootSplit (André et al., 2013);
 * different from both, the order of runs in one place is by the anchor first, so that a later push at the end is behind all earlier ones.
 *
 * Mutable and reused: the hot paths allocate none.
 */
export class ListPosition {
  depth = 0
  anchors = new Float64Array(2)
  stamps = new Float64Array(2)
  members = new Uint8Array(2)
  indexes = new Int32Array(2)

  clear(): this {
    this.depth = 0
    return this
  }

  push(anchor: number, member: number, stamp: number, index: number): this {
    const { depth } = this
    if (depth === this.anchors.length) this.grow()
    this.anchors[depth] = anchor
    this.members[depth] = member
    this.stamps[depth] = stamp
    this.indexes[depth] = index
    this.depth = depth + 1
    return this
  }

  copyFrom(other: ListPosition): this {
    this.depth = 0
    for (let i = 0; i < other.depth; i++) this.push(other.anchors[i], other.members[i], other.stamps[i], other.indexes[i])
    return this
  }

  /** Index in the deepest level. */
  get index(): number {
    return this.indexes[this.depth - 1]
  }

  set index(value: number) {
    this.indexes[this.depth - 1] = value
  }

  /** Negative when this position comes first, 0 when they are the same. */
  compare(other: ListPosition): number {
    return this.compareLevels(other, Math.min(this.depth, other.depth)) || this.depth - other.depth
  }

  /** True when this is a position below the other one: behind that element, and before the next of its run. */
  isBelow(other: ListPosition): boolean {
    return this.depth > other.depth && this.compareLevels(other, other.depth) === 0
  }

  private compareLevels(other: ListPosition, levels: number): number {
    for (let i = 0; i < levels; i++) {
      const order =
        compareRuns(this.anchors[i], this.stamps[i], this.members[i], other.anchors[i], other.stamps[i], other.members[i]) ||
        this.indexes[i] - other.indexes[i]
      if (order !== 0) return order
    }
    return 0
  }

  /** True when both are in the same run, whatever their indexes. */
  sharesRun(other: ListPosition): boolean {
    const last = this.depth - 1
    if (other.depth !== this.depth) return false
    for (let i = 0; i < last; i++) if (this.indexes[i] !== other.indexes[i]) return false
    for (let i = 0; i <= last; i++) {
      if (this.stamps[i] !== other.stamps[i] || this.members[i] !== other.members[i] || this.anchors[i] !== other.anchors[i]) {
        return false
      }
    }
    return true
  }

  /** `position` of docs/formats/effects.md, in an effect with this stamp. */
  write(writer: NumberSink, stamp: number): void {
    writer.putVarint(this.depth)
    for (let i = 0; i < this.depth; i++) {
      writeLevel(writer, this.anchors[i], this.members[i], stamp - this.stamps[i], this.indexes[i])
    }
  }

  /** Reads what write wrote, for an effect with this stamp; fails the effect for what no member writes. */
  read(effect: EffectReader, written = effect.stamp): void {
    this.depth = 0
    const depth = effect.varint()
    if (depth < 1 || depth > LIMITS.listPositionLevels) effect.fail('a list position of an impossible depth')
    for (let i = 0; i < depth && effect.error === null; i++) {
      const anchor = signed(effect)
      const member = effect.byte()
      const stamp = written - effect.varint()
      const index = signed(effect)
      if (stamp <= 0 || member === 0 || (index | 0) !== index) effect.fail('an impossible list position')
      this.push(anchor, member, stamp, index)
    }
  }

  /** For CRDT.DEBUG. */
  toString(): string {
    const levels: string[] = []
    for (let i = 0; i < this.depth; i++) {
      levels.push(`${this.anchors[i]}:${this.members[i]}-${this.stamps[i]}[${this.indexes[i]}]`)
    }
    return levels.join('/')
  }

  private grow(): void {
    const size = this.depth * 2
    const { anchors, stamps, members, indexes } = this
    this.anchors = new Float64Array(size)
    this.anchors.set(anchors)
    this.stamps = new Float64Array(size)
    this.stamps.set(stamps)
    this.members = new Uint8Array(size)
    this.members.set(members)
    this.indexes = new Int32Array(size)
    this.indexes.set(indexes)
  }
}

/** Order of two runs below the same element (or at the top). */
export function compareRuns(
  anchor: number,
  stamp: number,
  member: number,
  otherAnchor: number,
  otherStamp: number,
  otherMember: number,
): number {
  return anchor - otherAnchor || stamp - otherStamp || member - otherMember
}

/** As ListPosition.write of a position at the top level, whose run is so much older than the effect. */
export function writeTopPosition(writer: NumberSink, anchor: number, member: number, age: number, index: number): void {
  writer.putVarint(1)
  writeLevel(writer, anchor, member, age, index)
}

function writeLevel(writer: NumberSink, anchor: number, member: number, age: number, index: number): void {
  putSigned(writer, anchor)
  writer.putByte(member)
  writer.putVarint(age)
  putSigned(writer, index)
}

function putSigned(writer: NumberSink, value: number): void {
  writer.putVarint(zigzag(value))
}

/** As in `signed` of docs/formats/effects.md; at most 52 bits. */
export function zigzag(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1
}

function signed(effect: EffectReader): number {
  const zigzag = effect.varint()
  return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2
}
