import type { MemberId, Stamp } from '../base/ids.js'
import type { FrameView } from '../crdt/frame.js'
import type { VersionVector } from '../crdt/version-vector.js'
import type { LogCursor } from '../oplog/op-log.js'
import type { PeerAddress } from '../ports/network.js'
import type { HostPort } from '../topology/topology-change.js'
import type { Introduced } from '../topology/introduction.js'
import type { Dot } from '../topology/topology-list.js'
import type { VectorEntry } from './messages.js'
import type { SnapshotIntake } from './transfer/snapshot-intake.js'
import type { SnapshotShelf } from './transfer/snapshot-shelf.js'

/** A member as the topology has it. */
export interface MemberInfo {
  readonly id: MemberId
  /** Unique in the cluster; the certificate carries it. */
  readonly name: string
  readonly region: string
  readonly zone: string
  readonly address: PeerAddress
  /** Where clients reach it, when that is known. */
  readonly client?: HostPort | null
  /** Missing: it is a member. */
  readonly removal?: MemberRemoval
}

/** What a member has told of itself. */
export interface KnownVectors {
  readonly applied: VersionVector
  /** A crash cannot take it back. */
  readonly durable: VersionVector
}

/** What is known of the removal of a member. */
export interface MemberRemoval {
  /** Ops that removed it by force; any of them is enough. None: it is drained. */
  readonly forced: readonly Dot[]
  /** Stamp of its last op, 0 while it has not left. */
  readonly lastStamp: Stamp
}

export interface Topology {
  readonly clusterId: string
  readonly version: number
  /** Everybody who is or was a member, this one included. */
  readonly members: readonly MemberInfo[]
  readonly self: MemberId
}

/** What peer-sync needs of the member that it works for. */
export interface SyncHost {
  /** As it is now; PeerSync.topologyChanged() says that it is another one. */
  readonly topology: Topology
  /** The whole of it, for other members: durable here, every change of it. Null while nothing was ever changed. */
  readonly topologyBytes: Uint8Array | null
  /** Another member's. @throws MeridianError MRD_TOPOLOGY when the two do not fit. */
  topologyReceived(bytes: Uint8Array, from: string): void
  /**
   * The topology of one that is not in ours. Null: it was taken; else why not.
   * @throws MeridianError MRD_TOPOLOGY when it cannot be read.
   */
  introduced(bytes: Uint8Array, stranger: Introduced): string | null
  /** True while frames of our own are taken from others: the disk has lost them. */
  readonly takesOwnFrames: boolean
  /** No ops of our own are still to come from others, as far as those say that can be reached. */
  readonly isWhole: boolean
  /** Another member has ops of ours that are not here. @throws MeridianError MRD_PEER_DUPLICATE_ID when they cannot be ours. */
  ownOpsElsewhere(member: MemberInfo, stamp: Stamp): void
  /**
   * What this member, in this process or an earlier one, has told somebody to be durable here.
   * @throws MeridianError MRD_PEER_DUPLICATE_ID when it is not, and something was written since.
   */
  saidBefore(member: MemberInfo, durable: readonly VectorEntry[]): void
  /**
   * A link has come up, and the member there has told what it has. isFirst: since this process runs.
   * @throws MeridianError MRD_PEER_DUPLICATE_ID when it has ops of ours that this member's history does not have.
   */
  reportedBy(member: MemberInfo, its: KnownVectors, isFirst: boolean): void
  /** This member was removed, or is being drained, as far as it has heard. */
  readonly isRemoved: boolean
  /** Another member says that this one was removed. */
  refusedAsRemoved(message: string): void
  /** Another member says that another process has taken the place of this one, or has written in its name. */
  refusedAsForked(message: string): void
  /** Another member says that this one has writes of a removed one which the others have done without. */
  refusedAsStray(message: string): void
  /** Live: everything applied here. Moves whenever the host applies a frame or makes one of its own. */
  readonly applied: VersionVector
  /** What this process or an earlier one has called stable, as far as the log says it. May be reused by the next call. */
  readonly everStable: VersionVector
  /** Live: everything durable here. */
  readonly durable: VersionVector
  /**
   * True while the host cannot keep frames (full disk) or is busy with a large one: then none is applied, what has come waits within its credit, and
   * onLogChange says when it is over.
   */
  readonly isRefusing: boolean
  /**
   * Everybody who can be reached was asked for the list of members, or that was waited for long enough. Before, nothing is taken from anybody: a disk that is empty or an older copy does
   * not know who was removed since, and who links first may be one of those, with ops that no member has. onLogChange says when it becomes true.
   */
  readonly hasAskedAround: boolean
  /**
   * Applies and logs one remote frame, whole. Called only when the frame continues `applied` for its origin and its context is
   * covered. Afterwards `applied` includes it; or, of a large one, only when isRefusing is over.
   * @throws MeridianError MRD_FRAME when the ops inside are malformed; then nothing was applied.
   */
  applyFrame(frame: FrameView): void
  /** @throws MeridianError MRD_LOG_TRIMMED when the log no longer has what comes after. */
  openCursor(origin: MemberId, after: Stamp): LogCursor
  /** The log's frames of an origin begin after this stamp. */
  logBegins(origin: MemberId): Stamp
  /** Snapshots for others, and the place for one of theirs; null for a host that has no data to send or to replace. */
  readonly shelf: SnapshotShelf | null
  readonly intake: SnapshotIntake | null
}
