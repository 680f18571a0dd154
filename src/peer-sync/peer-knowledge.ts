import type { MemberId } from '../base/ids.js'
import { VersionVector } from '../crdt/version-vector.js'
import type { VectorEntry } from './messages.js'

/**
 * What one other member has reported of itself, directly or through others.
 *
 * Every report of `durable` is the vector of a prefix of that member's log. Prefixes are ordered, so merging two reports by
 * the higher stamps gives the later one, and late or repeated reports through third members do no harm.
 * `applied` may fall back when the member crashes before its log was synced; a new incarnation replaces it.
 */
export class PeerKnowledge {
  readonly applied = new VersionVector()
  readonly durable = new VersionVector()
  /**
   * The latest report of `durable` of which our own vector has all of the member's own ops (`durable[member] <= applied here`).
   * Stability stands on it; see stable() in peer-sync.ts.
   */
  readonly settled = new VersionVector()
  /** The latest report of `durable` of which everything is durable here as well: what retention goes by (retention.ts). */
  readonly followed = new VersionVector()
  /**
   * A process of it has come and has not said yet what is durable there: its disk may be another one, so what the earlier one has reported makes nothing stable any more. With its
   * first word, which comes before it can hear our answer, it hears all that was called stable here until then.
   */
  mayHaveLost = false
  /** The report that becomes `settled` next. Newer ones wait behind it, or under constant writes none would ever settle. */
  private readonly settling = new VersionVector()
  /** The same for `followed`. */
  private readonly following = new VersionVector()

  constructor(private readonly member: MemberId) {}

  /** Takes entries of a report; true when something moved. */
  merge(applied: readonly VectorEntry[], durable: readonly VectorEntry[]): boolean {
    const appliedMoved = raiseAll(this.applied, applied)
    return raiseAll(this.durable, durable) || appliedMoved
  }

  /** The member has restarted: what it had applied and not yet made durable may be gone. */
  restarted(): void {
    this.applied.copyFrom(this.durable)
  }

  /** What it has applied, and nothing else: its own word, before which there may be older ones of others. */
  hasApplied(applied: readonly VectorEntry[]): void {
    this.applied.copyFrom(new VersionVector())
    raiseAll(this.applied, applied)
  }

  /**
   * The first report of a process that follows another one. If it lacks what was durable, the disk was lost or is an old copy: then this is the prefix of another log, and what
   * the earlier one had does not count any more. What was called stable on its evidence stays so.
   */
  beganAnew(durable: readonly VectorEntry[]): void {
    const report = new VersionVector()
    raiseAll(report, durable)
    if (report.dominates(this.durable)) return
    this.durable.copyFrom(report)
    this.settling.copyFrom(new VersionVector())
    this.settled.copyFrom(this.settling)
    this.following.copyFrom(this.settling)
    this.followed.copyFrom(this.settling)
  }

  /** Moves `settled` on, given our own applied vector. */
  settle(appliedHere: VersionVector): void {
    const { member, settling } = this
    if (this.mayHaveLost || !appliedHere.covers(member, settling.get(member))) return
    this.settled.copyFrom(settling)
    settling.copyFrom(this.durable)
    if (appliedHere.covers(member, settling.get(member))) this.settled.copyFrom(settling)
  }

  /** Moves `followed` on, given what is durable here. */
  follow(durableHere: VersionVector): void {
    const { following } = this
    if (this.mayHaveLost || !durableHere.dominates(following)) return
    this.followed.copyFrom(following)
    following.copyFrom(this.durable)
    if (durableHere.dominates(following)) this.followed.copyFrom(following)
  }
}

function raiseAll(vector: VersionVector, entries: readonly VectorEntry[]): boolean {
  let moved = false
  for (const [member, stamp] of entries) {
    if (vector.covers(member, stamp)) continue
    vector.raise(member, stamp)
    moved = true
  }
  return moved
}
