import { MAX_MEMBER_ID } from '../base/ids.js'
import type { VersionVector } from '../crdt/version-vector.js'
import type { SegmentedLog } from './segmented-log.js'

export interface RetentionInput {
  /** Position from which on the log is needed to start from the snapshots that are kept; 0 when there is none. */
  readonly neededFrom: number
  /** What each other member of the cluster has reported as durable. */
  readonly durableElsewhere: readonly VersionVector[]
  /** Bytes of frames before `neededFrom` that are kept for members that do not have them yet. */
  readonly budgetBytes: number
}

/**
 * Which of the oldest segments may go. Nothing does that a start from a snapshot needs. Of the rest:
 *
 * - what every other member has on its disk goes: nobody will ever ask for it;
 * - what somebody still lacks is kept, up to the budget; beyond it the oldest goes, and who lacks it needs a snapshot from somebody;
 * - what is on no other member's disk is kept in any case: here alone it can be asked for as it was written.
 *
 * The budget is nothing while the disk is short of room.
 */
export class Retention {
  private input: RetentionInput | null = null

  constructor(private readonly log: SegmentedLog) {}

  run(input: RetentionInput): void {
    this.input = input
    this.log.trim((endByte, vector) => this.mayGo(endByte, vector))
  }

  /** Bytes of frames kept for other members. */
  static backlogBytes(log: SegmentedLog, neededFrom: number): number {
    return Math.max(0, neededFrom - log.firstByte)
  }

  private mayGo(endByte: number, vector: VersionVector): boolean {
    const { log, input } = this
    if (input === null || endByte > input.neededFrom) return false
    const { durableElsewhere } = input
    if (durableElsewhere.every((durable) => durable.dominates(vector))) return true
    const budget = log.isShortOfRoom ? 0 : input.budgetBytes
    return Retention.backlogBytes(log, input.neededFrom) > budget && isHeldElsewhere(vector, durableElsewhere)
  }
}

/** Every frame is on the disk of at least one other member. */
function isHeldElsewhere(vector: VersionVector, durableElsewhere: readonly VersionVector[]): boolean {
  for (let member = 1; member <= MAX_MEMBER_ID; member++) {
    const stamp = vector.stamps[member]
    if (stamp > 0 && !durableElsewhere.some((durable) => durable.stamps[member] >= stamp)) return false
  }
  return true
}
