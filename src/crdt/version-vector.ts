import { MAX_MEMBER_ID, type MemberId, type Stamp } from '../base/ids.js'

/**
 * Version vector: member id -> highest stamp of that member which is included. Dense, because `covers` stands on the
 * path of every remote effect.
 */
export class VersionVector {
  /** Indexed by member id; 0 where nothing is included. Read-only for everyone but this class. */
  readonly stamps = new Float64Array(MAX_MEMBER_ID + 1)

  static from(entries: Iterable<readonly [number, number]>): VersionVector {
    const vector = new VersionVector()
    for (const [member, stamp] of entries) vector.stamps[member] = stamp
    return vector
  }

  get(member: MemberId): Stamp {
    return this.stamps[member] as Stamp
  }

  /** Raises one entry; a lower stamp changes nothing. */
  raise(member: MemberId, stamp: Stamp): void {
    if (stamp > this.stamps[member]) this.stamps[member] = stamp
  }

  covers(member: number, stamp: number): boolean {
    return this.stamps[member] >= stamp
  }

  /** True when every entry of the other is included here. */
  dominates(other: VersionVector): boolean {
    for (let member = 1; member <= MAX_MEMBER_ID; member++) {
      if (this.stamps[member] < other.stamps[member]) return false
    }
    return true
  }

  equals(other: VersionVector): boolean {
    return this.dominates(other) && other.dominates(this)
  }

  merge(other: VersionVector): void {
    for (let member = 1; member <= MAX_MEMBER_ID; member++) this.raise(member as MemberId, other.stamps[member] as Stamp)
  }

  copyFrom(other: VersionVector): void {
    this.stamps.set(other.stamps)
  }

  clone(): VersionVector {
    const copy = new VersionVector()
    copy.stamps.set(this.stamps)
    return copy
  }

  /** The entries that are not 0, by member id. */
  *entries(): Generator<[MemberId, Stamp]> {
    for (let member = 1; member <= MAX_MEMBER_ID; member++) {
      if (this.stamps[member] > 0) yield [member as MemberId, this.stamps[member] as Stamp]
    }
  }

  /** For logs and messages: `1:123,2:456`. */
  toString(): string {
    return [...this.entries()].map(([member, stamp]) => `${member}:${stamp}`).join(',')
  }
}
