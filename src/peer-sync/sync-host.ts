import type { MemberId, Stamp } from '../base/ids.js'
import type { FrameView } from '../crdt/frame.js'
import type { VersionVector } from '../crdt/version-vector.js'
import type { LogCursor } from '../oplog/op-log.js'
import type { PeerAddress } from '../ports/network.js'

/** A member as the topology has it. */
export interface MemberInfo {
  readonly id: MemberId
  /** Unique in the cluster; the certificate carries it. */
  readonly name: string
  readonly region: string
  readonly zone: string
  readonly address: PeerAddress
}

export interface Topology {
  readonly clusterId: string
  readonly version: number
  /** Every member, this one included. */
  readonly members: readonly MemberInfo[]
  readonly self: MemberId
}

/** What peer-sync needs of the member that it works for. */
export interface SyncHost {
  readonly topology: Topology
  /** Live: everything applied here. Moves whenever the host applies a frame or makes one of its own. */
  readonly applied: VersionVector
  /** Live: everything durable here. */
  readonly durable: VersionVector
  /**
   * True while the host cannot keep frames (full disk) or is busy with a large one: then none is applied, what has come waits within its credit, and
   * onLogChange says when it is over.
   */
  readonly isRefusing: boolean
  /**
   * Applies and logs one remote frame, whole. Called only when the frame continues `applied` for its origin and its context is
   * covered. Afterwards `applied` includes it; or, of a large one, only when isRefusing is over.
   * @throws MeridianError MRD_FRAME when the ops inside are malformed; then nothing was applied.
   */
  applyFrame(frame: FrameView): void
  openCursor(origin: MemberId, after: Stamp): LogCursor
}
