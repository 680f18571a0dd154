import { MAX_MEMBER_ID } from '../base/ids.js'
import type { Stability } from '../crdt/apply-context.js'
import { VersionVector } from '../crdt/version-vector.js'

/** What is causally stable in a mesh, from the vectors that peer-sync collects. */
export class ReplicatedStability implements Stability {
  private vector = new VersionVector()
  private stale = true

  constructor(
    private readonly applied: VersionVector,
    private readonly compute: () => VersionVector,
    /** True while an op is under way that `applied` does not include yet. */
    private readonly isMidway: () => boolean,
  ) {}

  /** Another member has reported progress. */
  invalidate(): void {
    this.stale = true
  }

  /** What is stable; live, not to be changed. */
  refresh(): VersionVector {
    if (this.stale) {
      this.vector = this.compute()
      this.stale = false
    }
    return this.vector
  }

  covers(member: number, stamp: number): boolean {
    return this.refresh().stamps[member] >= stamp
  }

  coversAllUpTo(stamp: number): boolean {
    if (this.isMidway()) return false
    const stable = this.refresh().stamps
    const applied = this.applied.stamps
    for (let member = 1; member <= MAX_MEMBER_ID; member++) {
      if (stable[member] < stamp && stable[member] < applied[member]) return false
    }
    return true
  }
}
