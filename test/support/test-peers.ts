import type { MemberId, Stamp } from '../../src/base/ids.js'
import type { PeerReport, ReplicationService } from '../../src/commands/services.js'
import { VersionVector } from '../../src/crdt/version-vector.js'

/** What a member knows of others, set by the test. */
export class TestPeers implements ReplicationService {
  readonly applied = new VersionVector()
  readonly durable = new VersionVector()
  readonly stable = new VersionVector()
  readonly transfer = null
  readonly transfersDone = { count: 0, bytesReceived: 0, snapshotBytes: 0, keysChanged: 0, elapsedMs: 0 }
  readonly transfersServed = []
  readonly snapshotBytesSent = 0
  readonly peers: PeerReport[]
  readonly linkBytes = 0
  private readonly listeners: (() => void)[] = []

  constructor(
    readonly memberId: MemberId,
    others: readonly number[],
  ) {
    this.peers = others.map((id) => ({
      id: id as MemberId,
      name: `m${id}`,
      region: `r${id}`,
      link: 'up',
      inbound: 'up',
      lagMs: 3.4,
      behindMs: 0,
      roundTripMs: 1,
      bytesIn: 10,
      bytesOut: 20,
      relay: null,
      unreached: null,
      error: null,
      applied: new VersionVector(),
      durable: new VersionVector(),
    }))
  }

  onProgress(listener: () => void): void {
    this.listeners.push(listener)
  }

  /** Member `id` reports our stamp as applied, and as durable if asked. */
  acknowledge(id: number, stamp: number, durable = false): void {
    const peer = this.peers.find((other) => other.id === id)
    peer?.applied.raise(this.memberId, stamp as Stamp)
    if (durable) peer?.durable.raise(this.memberId, stamp as Stamp)
    for (const listener of this.listeners) listener()
  }
}
