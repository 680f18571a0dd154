import type { VersionVector } from '../crdt/version-vector.js'
import type { SegmentedLog } from './segmented-log.js'

export interface RetentionInput {
  /** Position from which on the log is needed to start from the snapshots that are kept; 0 when there is none. */
  readonly neededFrom: number
  /** What each other member of the cluster has reported as durable. */
  readonly durableElsewhere: readonly VersionVector[]
  /** Of what each of them has reported the newest of which everything is durable here too. */
  readonly followedElsewhere: readonly VersionVector[]
  /** The same, of those of them that stay: without who was removed and has not departed yet. */
  readonly followedAtStaying: readonly VersionVector[]
  /** This member was not removed. */
  readonly stays: boolean
  /** Bytes of frames before `neededFrom` that are kept for members that do not have them yet. */
  readonly budgetBytes: number
}

/**
 * Which of the oldest segments may go. Nothing does that a start from a snapshot needs. Of the rest:
 *
 * - what every other member has on its disk goes: nobody will ever ask for it;
 * - what somebody still lacks is kept, up to the budget; beyond it the oldest goes, and who lacks it needs a snapshot from somebody;
 * - what is not on the disks of more than half of the members is kept in any case. Two halves that were cut off from each other would else both let go of
 *   what the other one lacks, and nobody would have all of it: a snapshot can only be taken from a member that has all that the taker has. Of those that
 *   stay it must be more than half as well: what only a member that was removed by force has besides is with nobody once that one is not asked any more.
 *   Of what others have reported only that counts of which everything is here as well. So of any two members that let go of something there is one that has
 *   what both let go of: they have both gone by what a third one had, at an earlier and at a later time, and who went by the later has the earlier too. It is not enough that
 *   the third one has it all, for its disk may be lost.
 *
 * The budget is nothing while the disk is short of room.
 */
export class Retention {
  constructor(
    private readonly log: SegmentedLog,
    /** Asked for each segment: members may go while the one before is removed. Null: there is no snapshot, so nothing may go. */
    private readonly input: () => RetentionInput | null,
  ) {}

  run(): void {
    this.log.trim((endByte, vector) => this.mayGo(endByte, vector))
  }

  /** Bytes of frames kept for other members. */
  static backlogBytes(log: SegmentedLog, neededFrom: number): number {
    return Math.max(0, neededFrom - log.firstByte)
  }

  private mayGo(endByte: number, vector: VersionVector): boolean {
    const { log } = this
    const input = this.input()
    if (input === null || endByte > input.neededFrom) return false
    const { durableElsewhere, followedElsewhere, followedAtStaying, stays } = input
    if (durableElsewhere.every((durable) => durable.dominates(vector))) return true
    const budget = log.isShortOfRoom ? 0 : input.budgetBytes
    if (Retention.backlogBytes(log, input.neededFrom) <= budget) return false
    return isHeldByMost(vector, followedElsewhere, true) && isHeldByMost(vector, followedAtStaying, stays)
  }
}

/** More than half of these members, and this one if it counts, have every frame on their disks. */
function isHeldByMost(vector: VersionVector, others: readonly VersionVector[], counts: boolean): boolean {
  const self = counts ? 1 : 0
  const holders = self + others.filter((durable) => durable.dominates(vector)).length
  return 2 * holders > others.length + self
}
