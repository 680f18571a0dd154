/** Times of the replication protocol, in milliseconds. */
export interface PeerSyncOptions {
  /** Between heartbeats on a link; each also measures the round trip. */
  readonly heartbeatMs: number
  /** A link on which nothing has arrived for this long is dead. Several heartbeats, or a lost one kills the link. */
  readonly silenceMs: number
  /** From dialling or accepting until both HELLOs were exchanged. */
  readonly helloTimeoutMs: number
  /** Least time between two reports of our vectors; the first after a pause goes out at once. */
  readonly ackDelayMs: number
  /** How long a member may be without a direct link before its frames are asked of someone else. */
  readonly relayDelayMs: number
  /** How long a relay may lag behind what another peer has before the other is asked instead. */
  readonly relayStallMs: number
  /** First and longest pause before dialling again. */
  readonly backoffMinMs: number
  readonly backoffMaxMs: number
  /** A link that stood this long resets the pause to the first. */
  readonly backoffResetMs: number
}

export const DEFAULT_SYNC_OPTIONS: PeerSyncOptions = {
  heartbeatMs: 1000,
  silenceMs: 5000,
  helloTimeoutMs: 10_000,
  ackDelayMs: 2,
  relayDelayMs: 1000,
  relayStallMs: 3000,
  backoffMinMs: 100,
  backoffMaxMs: 5000,
  backoffResetMs: 3000,
}
