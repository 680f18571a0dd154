import type { VersionVector } from '../crdt/version-vector.js'
import type { SegmentedLog } from './segmented-log.js'

export interface RetentionInput {
  /** Position from which on the log is needed to start from the snapshots that are kept; 0 when there is none. */
  readonly neededFrom: number
  /** What each other member of the cluster has reported as durable. */
  readonly durableElsewhere: readonly VersionVector[]
  /** The same, of those of them that stay: without who was removed and has not departed yet. */
  readonly durableAtStaying: readonly VersionVector[]
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
    const { durableElsewhere, durableAtStaying } = input
    if (durableElsewhere.every((durable) => durable.dominates(vector))) return true
    const budget = log.isShortOfRoom ? 0 : input.budgetBytes
    if (Retention.backlogBytes(log, input.neededFrom) <= budget) return false
    return isHeldByMost(vector, durableElsewhere) && isHeldByMost(vector, durableAtStaying)
  }
}

/** More than half of these members and this one have every frame on their disks. */
function isHeldByMost(vector: VersionVector, durableElsewhere: readonly VersionVector[]): boolean {
  const holders = 1 + durableElsewhere.filter((durable) => durable.dominates(vector)).length
  return 2 * holders > durableElsewhere.length + 1
}
