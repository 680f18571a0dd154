import { MAX_MEMBER_ID, type MemberId, type Stamp } from '../base/ids.js'
import type { Clock } from '../ports/clock.js'
import type { FrameReceiver } from './frame-receiver.js'
import type { LinkSession } from './link-session.js'
import type { PeerSyncOptions } from './options.js'
import type { Peer } from './peer.js'
import type { SyncHost } from './sync-host.js'

/**
 * Which origins to ask of whom.
 *
 * A member's own frames are asked of that member over the link that we dialled, so that in a healthy mesh each frame crosses
 * each link once. When that link has been down for relayDelayMs, or the origin is no member any more, they are asked of a peer
 * that has reported more of them than we have: the relay, one at a time. It may be the origin itself over the link that
 * *it* dialled. Logs hold frames of all origins in causal order, so whoever sent us a frame has what the frame depends on,
 * and a chain of relays reaches every member of a connected topology.
 */
export class SourceChoice {
  /** Frames are not wanted: a snapshot is being taken. */
  private isPaused = false

  constructor(
    private readonly host: SyncHost,
    private readonly clock: Clock,
    private readonly receiver: FrameReceiver,
    private readonly peers: ReadonlyMap<MemberId, Peer>,
    private readonly options: PeerSyncOptions,
  ) {}

  /** To be called when a link came or went, and now and then. */
  review(): void {
    if (this.isPaused) return
    for (let id = 1; id <= MAX_MEMBER_ID; id++) {
      const origin = id as MemberId
      if (origin === this.host.topology.self) {
        if (this.host.takesOwnFrames) this.reviewRelay(origin)
        else this.receiver.unsubscribe(origin)
        continue
      }
      const peer = this.peers.get(origin)
      if (peer?.outbound?.up && peer.reaches(origin, this.host.applied.get(origin))) {
        if (this.receiver.feed(origin).source !== peer.outbound) this.receiver.subscribe(origin, peer.outbound)
      } else if (
        peer === undefined ||
        peer.outbound?.up ||
        this.clock.monotonicMs() - peer.directDownMs >= this.options.relayDelayMs
      ) {
        this.reviewRelay(origin)
      }
    }
  }

  pause(): void {
    this.isPaused = true
    for (let id = 1; id <= MAX_MEMBER_ID; id++) this.receiver.unsubscribe(id as MemberId)
  }

  resume(): void {
    this.isPaused = false
    this.review()
  }

  /**
   * True when there are frames of some origin that nobody within reach has in a log any more, though somebody has seen them: then only the state of a
   * member that has seen them helps.
   */
  get isOutOfReach(): boolean {
    const { applied, topology } = this.host
    for (let id = 1; id <= MAX_MEMBER_ID; id++) {
      const origin = id as MemberId
      if (origin === topology.self && !this.host.takesOwnFrames) continue
      const after = applied.get(origin)
      let isTrimmed = false
      let isThere = false
      for (const peer of this.peers.values()) {
        if (peer.upSession() === null || peer.knowledge.durable.get(origin) <= after) continue
        if (peer.reaches(origin, after)) isThere = true
        else isTrimmed = true
      }
      if (isTrimmed && !isThere && !this.hasDeparted(origin)) return true
    }
    return false
  }

  /**
   * True when nobody who is linked will ever have all that is here: each lacks something that neither this log has any more nor that of another one, as far as
   * that has said where it begins. It is here as part of a state only.
   */
  get isOutOfTheirReach(): boolean {
    const linked = [...this.peers.values()].filter((peer) => peer.upSession() !== null)
    return linked.length > 0 && linked.every((peer) => this.lacksForGood(peer, linked))
  }

  private lacksForGood(peer: Peer, linked: readonly Peer[]): boolean {
    const { host } = this
    for (let id = 1; id <= MAX_MEMBER_ID; id++) {
      const origin = id as MemberId
      const has = hasSurely(peer, origin)
      if (host.applied.get(origin) <= has || host.logBegins(origin) <= has) continue
      const gives = (other: Peer): boolean => hasSurely(other, origin) > has && other.reaches(origin, has)
      if (!linked.some((other) => other !== peer && gives(other))) return true
    }
    return false
  }

  /** A removed one that is no peer any more: nothing more is to come of it. */
  private hasDeparted(origin: MemberId): boolean {
    const isRemoved = this.host.topology.members.some(({ id, removal }) => id === origin && removal !== undefined)
    return isRemoved && !this.peers.has(origin)
  }

  /** The member through which an origin's frames come, if not directly. */
  relayOf(origin: MemberId): MemberId | null {
    for (const peer of this.peers.values()) {
      const source = this.receiver.feed(origin).source
      if (source === null || source === this.peers.get(origin)?.outbound) return null
      if (source === peer.outbound || source === peer.inbound) return peer.member.id
    }
    return null
  }

  private reviewRelay(origin: MemberId): void {
    const best = this.bestRelay(origin)
    if (best === null) return
    const feed = this.receiver.feed(origin)
    if (feed.source === null) {
      this.receiver.subscribe(origin, best)
      return
    }
    // Someone else has more. That is normal for a moment; a relay that stays behind with nothing waiting here is left.
    if (feed.source === best || feed.head !== null) {
      feed.behindSinceMs = 0
      return
    }
    const nowMs = this.clock.monotonicMs()
    if (feed.behindSinceMs === 0) feed.behindSinceMs = nowMs
    else if (nowMs - feed.behindSinceMs >= this.options.relayStallMs) this.receiver.subscribe(origin, best)
  }

  /**
   * The link to the peer that has most of an origin, if that is more than we have. The lower id wins a tie. It sends what is durable there; a member that has
   * lost ops of its own does not say what that is, and two of them may need each other.
   */
  private bestRelay(origin: MemberId): LinkSession | null {
    let best: LinkSession | null = null
    let most = this.host.applied.get(origin)
    for (const peer of this.peers.values()) {
      const stamp = peer.knowledge.applied.get(origin)
      if (stamp <= most || !peer.reaches(origin, this.host.applied.get(origin))) continue
      const session = peer.upSession()
      if (session === null) continue
      best = session
      most = stamp
    }
    return best
  }
}

/** What a peer has of an origin: who has lost its disk has not what it once reported as durable, and says what is applied now. */
function hasSurely({ knowledge }: Peer, origin: MemberId): Stamp {
  return Math.min(knowledge.durable.get(origin), knowledge.applied.get(origin)) as Stamp
}
