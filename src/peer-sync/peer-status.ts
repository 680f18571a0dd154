import type { MemberId } from '../base/ids.js'
import type { VersionVector } from '../crdt/version-vector.js'
import type { PeerAddress } from '../ports/network.js'
import type { MemberInfo } from './sync-host.js'

/** One direction between two members, for the operator. */
export interface LinkStatus {
  /** waiting: for the next attempt (outbound) or to be dialled (inbound). */
  readonly state: 'waiting' | 'connecting' | 'handshake' | 'up'
  /** Unix milliseconds since when it has been so. */
  readonly sinceMs: number
}

export interface PeerError {
  /** From the error catalogue; of the other side's when it refused us. */
  readonly code: string
  readonly message: string
  /** Unix milliseconds. */
  readonly atMs: number
}

/** How it stands with one other member. */
export interface PeerStatus {
  readonly member: MemberInfo
  /** The link that we dialled; we pull over it. */
  readonly outbound: LinkStatus
  /** The link that it dialled; it pulls over it. */
  readonly inbound: LinkStatus
  /** What last went wrong; stays after it is mended, see atMs. */
  readonly lastError: PeerError | null
  /** The address that it should have, which has not answered; the link to the one that it had before stands. Else null. */
  readonly unreached: PeerAddress | null
  /** Vectors last reported; live, not to be changed. */
  readonly applied: VersionVector
  readonly durable: VersionVector
  /** How far it is behind our own durable writes, in milliseconds; 0 when it has them all. */
  readonly lagMs: number
  /** How far we are behind its durable writes, in milliseconds; 0 when we have all that it reported. */
  readonly behindMs: number
  /** Over all links since start. */
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly framesSent: number
  readonly framesReceived: number
  /** The member through which its frames come, when they do not come over the link that we dialled; else null. */
  readonly relay: MemberId | null
  /** Of the last heartbeat that was answered; null before. */
  readonly roundTripMs: number | null
  /** Its wall clock minus ours, give or take half a round trip; null before the first heartbeat. */
  readonly clockSkewMs: number | null
}
