import { MeridianError } from '../base/errors.js'
import { LIMITS } from '../base/limits.js'
import { MAX_MEMBER_ID, type MemberId } from '../base/ids.js'
import { VersionVector } from '../crdt/version-vector.js'
import type { Clock, Timer } from '../ports/clock.js'
import type { Logger } from '../ports/logger.js'
import type { Link, LinkHandlers, Network, PeerIdentity } from '../ports/network.js'
import type { Random } from '../ports/random.js'
import { FrameReceiver } from './frame-receiver.js'
import { departedMembers } from './departures.js'
import {
  checkHello,
  checkJoin,
  duplicateId,
  forkedMember,
  isRefused,
  removedPeer,
  removedTarget,
  strayOp,
  unknownPeer,
} from './hello-check.js'
import { LinkSession, RefusedError, type SessionOwner } from './link-session.js'
import { PROTOCOL_MAX, PROTOCOL_MIN, TOPOLOGY_VERSION, type Hello, type Pong, type Vectors } from './messages.js'
import { DEFAULT_SYNC_OPTIONS, type PeerSyncOptions } from './options.js'
import { Peer } from './peer.js'
import { decodeTopology } from '../topology/topology-codec.js'
import type { PeerStatus } from './peer-status.js'
import { EncodedPublication, type Publication } from './publications.js'
import { SourceChoice } from './source-choice.js'
import { SnapshotReceiver, type SnapshotSource, type TransferProgress, type TransfersDone } from './transfer/snapshot-receiver.js'
import type { SendProgress } from './transfer/snapshot-sender.js'
import type { MemberInfo, SyncHost } from './sync-host.js'

export interface PeerSyncPorts {
  readonly network: Network
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

const NOTHING_DURABLE = new VersionVector()

/**
 * Replication between the members: links, subscriptions, the gate and the reports. Deterministic, given its ports.
 * The host calls onLogChange() whenever its `durable` (or its own entry of `applied`) has moved.
 */
export class PeerSync {
  /** Members, and removed ones that have not departed. In the order of their ids, those that came later behind. */
  private readonly peersById = new Map<MemberId, Peer>()
  /** Removed members that nothing more is to come of. */
  private readonly departed = new Set<MemberId>()
  /** Accepted links that have not said HELLO yet, or not acceptably. */
  private readonly pending = new Set<LinkSession>()
  private readonly receiver: FrameReceiver
  private readonly sources: SourceChoice
  private readonly snapshots: SnapshotReceiver | null
  private readonly owner: SessionOwner
  private readonly options: PeerSyncOptions
  private readonly incarnation: number
  private readonly vectorListeners: (() => void)[] = []
  private readonly statusListeners: (() => void)[] = []
  private readonly publicationListeners: ((publication: Publication) => void)[] = []
  /** Messages of PUBLISH given to a link and lost before they could be, one for each member. May be reset. */
  readonly counts = { sent: 0, dropped: 0 }
  private readonly stableVector = new VersionVector()
  private readonly everStable = new VersionVector()
  private tickTimer: Timer | null = null
  private lastTickMs = 0
  private reportPending = false
  private reportTimer: Timer | null = null
  private lastReportMs = -Infinity
  private lastStrangerError = ''
  private running = false
  private everStarted = false

  constructor(
    private readonly host: SyncHost,
    private readonly ports: PeerSyncPorts,
    options: Partial<PeerSyncOptions> = {},
  ) {
    this.options = { ...DEFAULT_SYNC_OPTIONS, ...options }
    // Two draws, so that two processes with one identity never have the same number.
    this.incarnation = (ports.random.uint32() >>> 12) * 2 ** 32 + ports.random.uint32()
    this.receiver = new FrameReceiver(
      host,
      ports.clock,
      ports.logger,
      () => this.reportSoon(),
      (origin) => this.forcedOut(origin),
    )
    this.sources = new SourceChoice(host, ports.clock, this.receiver, this.peersById, this.options)
    this.snapshots = this.makeSnapshots()
    this.owner = this.makeOwner()
    this.followTopology()
  }

  /** Listens, and dials every other member. Once in the life of a PeerSync. */
  start(): void {
    if (this.everStarted) throw new Error('a PeerSync is started once')
    this.everStarted = this.running = true
    const { network, clock } = this.ports
    network.listen((link, identity) => this.accept(link, identity))
    this.lastTickMs = clock.monotonicMs()
    for (const peer of this.peersById.values()) {
      peer.directDownMs = this.lastTickMs
      peer.dial(network)
    }
    this.scheduleTick()
  }

  /** Other members, or other addresses: links come up and go by themselves. May be called while a frame is applied. */
  topologyChanged(): void {
    const added = this.followTopology()
    const { clock, network } = this.ports
    clock.defer(() => {
      if (!this.running) return
      for (const peer of added) {
        peer.directDownMs = clock.monotonicMs()
        peer.dial(network)
      }
      for (const peer of this.peersById.values()) {
        peer.dialNow(network)
        peer.addressChanged(network)
      }
      this.reviewDepartures()
      this.sources.review()
      for (const listener of this.statusListeners) listener()
    })
  }

  /** The host's topologyBytes are others now. */
  tellTopology(): void {
    for (const session of this.sessions()) if (session.up) session.sendTopology(this.host.topologyBytes)
  }

  /** Members that are linked and are of a version that does not know topologies that change. */
  peersWithoutTopology(): string[] {
    const names: string[] = []
    for (const peer of this.peersById.values()) {
      const session = peer.upSession()
      if (session !== null && session.version < TOPOLOGY_VERSION) names.push(peer.member.name)
    }
    return names
  }

  /** Whether somebody who may be there has not told yet what it has. */
  get hasUnasked(): boolean {
    for (const peer of this.peersById.values()) if (peer.isUnasked) return true
    return this.hasOnlyRemoved
  }

  /** Whether somebody has not told yet what it has, whether or not it can be reached, that was not removed by force. */
  get hasUnheard(): boolean {
    for (const peer of this.peersById.values()) if (peer.isUnheard && !isRefused(peer.member)) return true
    return this.hasOnlyRemoved
  }

  /**
   * Nobody can be reached but such as say that they were removed, of which nothing is known here: then there is somebody who removed them, may be in no list here, and brings its own
   * with its second dial.
   */
  private get hasOnlyRemoved(): boolean {
    let isAny = false
    for (const peer of this.peersById.values()) {
      const session = peer.upSession()
      if (session === null) continue
      if (!session.saysRemoved || peer.member.removal !== undefined) return false
      isAny = true
    }
    return isAny
  }

  /** Whether a member can be reached now. */
  isLinked(member: MemberId): boolean {
    return (this.peersById.get(member)?.upSession() ?? null) !== null
  }

  /** Whether somebody who can be reached has more of a member than is here. */
  hasSource(origin: MemberId): boolean {
    const here = this.host.applied.get(origin)
    for (const peer of this.peersById.values())
      if (peer.upSession() !== null && peer.knowledge.applied.get(origin) > here) return true
    return false
  }

  /** Whether anybody but this one cannot be reached, or has not told yet, over the link that is up, what it has. Those that were removed by force do not matter. */
  isMissingOther(than: MemberId | null): boolean {
    for (const peer of this.peersById.values()) {
      const { member } = peer
      if (member.id !== than && !isRefused(member) && peer.upSession()?.hasReported !== true) return true
    }
    return false
  }

  /** Nothing more is to come of a removed member. */
  hasDeparted(member: number): boolean {
    return this.departed.has(member as MemberId)
  }

  /** Whether anybody else counts: members, and removed ones that have not departed. */
  get isAlone(): boolean {
    return this.peersById.size === 0
  }

  /** Closes every link; nothing is applied or sent afterwards. The network itself is the owner's to close. */
  stop(): void {
    this.running = false
    this.tickTimer?.cancel()
    this.reportTimer?.cancel()
    this.receiver.close()
    this.snapshots?.stop()
    for (const session of [...this.pending]) session.close(null)
    for (const peer of this.peersById.values()) peer.stop()
  }

  /** The host's vectors have moved: there may be frames to send, to apply, and something to report. */
  onLogChange(): void {
    if (!this.running) return
    this.reviewDepartures()
    for (const peer of this.peersById.values()) {
      peer.measure()
      peer.outbound?.pump()
      peer.inbound?.pump()
    }
    this.receiver.drain()
    this.reportSoon()
  }

  /** Bytes that wait on all links, to be sent or to be applied. */
  get waitingBytes(): number {
    let bytes = this.receiver.waitingBytes
    for (const peer of this.peersById.values()) bytes += peer.waitingBytes
    return bytes
  }

  /** How far the taking of a snapshot of another member has got; null when none is under way. */
  get transfer(): TransferProgress | null {
    return this.snapshots?.isActive === true ? this.snapshots.progress : null
  }

  /** Transfers that came to their end; null where none can be taken. */
  get transfersDone(): TransfersDone | null {
    return this.snapshots?.done ?? null
  }

  /** What other members take of this one. */
  transfersServed(): SendProgress[] {
    return [...this.sessions()].flatMap(({ snapshots: { progress } }) => (progress === null ? [] : [progress]))
  }

  private refuseStray(origin: number): void {
    const removed = this.host.topology.members.find(({ id }) => id === origin)
    if (removed !== undefined) throw strayOp(removed)
  }

  private forcedOut(origin: MemberId): MemberInfo | null {
    const peer = this.peersById.get(origin)
    // Of a member that is linked nothing is looked up, frame by frame.
    if (peer !== undefined) return isRefused(peer.member) ? peer.member : null
    return this.host.topology.members.find((member) => member.id === origin && isRefused(member)) ?? null
  }

  /** Every other member of the topology that is one, and removed ones that have not departed. */
  peers(): PeerStatus[] {
    return [...this.peersById.values()].map((peer) => peer.status(this.sources.relayOf(peer.member.id)))
  }

  /** What is durable at each of them, as last reported; live, not to be changed. */
  durableElsewhere(): VersionVector[] {
    return [...this.peersById.values()].map((peer) => peer.knowledge.durable)
  }

  /**
   * Of what each of them has reported as durable the newest of which all is durable here too, and by how many of them it counts that stay: without those that were removed
   * and have not departed yet. Live, not to be changed.
   */
  followed(): { readonly all: VersionVector[]; readonly staying: VersionVector[] } {
    const all: VersionVector[] = []
    const staying: VersionVector[] = []
    for (const { member, knowledge } of this.peersById.values()) {
      knowledge.follow(this.host.durable)
      all.push(knowledge.followed)
      if (member.removal === undefined) staying.push(knowledge.followed)
    }
    return { all, staying }
  }

  /** What a member has applied, as last reported; live, not to be changed. Null for who is no other member. */
  appliedBy(member: MemberId): VersionVector | null {
    return this.peersById.get(member)?.knowledge.applied ?? null
  }

  /** What is durable at a member, as last reported; live, not to be changed. Null for who is no other member. */
  durableBy(member: MemberId): VersionVector | null {
    return this.peersById.get(member)?.knowledge.durable ?? null
  }

  /**
   * The causally stable dots: every op that arrives or is made here from now on has observed them, so metadata that is kept
   * only for the sake of concurrent ops may go. The vector is reused by the next call.
   *
   * Dot (m, s) is stable when of every other member C there is a report V, the vector of what was durable at C, with
   * V[m] >= s and V[C] <= applied here [C]. Why: C logs ops in the order in which it applies or makes them, and V is the vector of a
   * prefix of that log. An op that C makes after this prefix has (m, s) in its context, also if C crashes, because the prefix
   * is durable. An op that C made within the prefix has a stamp of at most V[C] and is applied here already. So every op of C
   * that is still to come has observed (m, s). Reports of *applied* would not do: a crash takes them back.
   *
   * A removed member counts until it has departed: then there are no ops of it still to come (departures.ts).
   *
   * A new member N counts as soon as it is known here. Before that it need not: (m, s) is stable here and N is not known, so the op a that
   * adds N is not applied here. Its maker A counts, or it has departed and a never comes, or it is this member and N is known. So a is one of the ops of A that
   * are still to come, and has observed (m, s). N makes its first op after it has applied a (a member takes no writes before), so every op of N
   * has observed a, and all that a had observed. While N catches up its reports are far behind; what was stable once stays so.
   *
   * Nothing becomes stable while ops of this member may still come from others, because its disk has lost them: they have not observed what
   * was made since. Nor does it report anything as durable until they are here: what it has is no prefix of its log then.
   */
  stable(): VersionVector {
    const { stableVector, everStable } = this
    if (!this.host.isWhole) {
      stableVector.copyFrom(everStable)
      return stableVector
    }
    stableVector.copyFrom(this.host.applied)
    for (const { knowledge } of this.peersById.values()) {
      knowledge.settle(this.host.applied)
      for (let member = 1; member <= MAX_MEMBER_ID; member++) {
        const stamp = knowledge.settled.stamps[member]
        if (stamp < stableVector.stamps[member]) stableVector.stamps[member] = stamp
      }
    }
    everStable.merge(stableVector)
    stableVector.copyFrom(everStable)
    return stableVector
  }

  /** Calls back when a vector that another member reported has moved. */
  onVectors(listener: () => void): void {
    this.vectorListeners.push(listener)
  }

  /** Calls back when a link has come up or gone down, or a member cannot be reached from the start. */
  onStatus(listener: () => void): void {
    this.statusListeners.push(listener)
  }

  /** Sends a message to every member: unlogged, lost where the link is broken or slow. Not relayed, so nobody gets it twice. */
  publish(channel: Uint8Array, message: Uint8Array, sharded: boolean): void {
    if (!this.running) return
    const publication = new EncodedPublication({ channel, message, sharded })
    for (const peer of this.peersById.values()) if (!peer.publish(publication)) this.counts.dropped++
  }

  /** Calls back for every message that a client of another member has published; its bytes are valid during the call. */
  onPublication(listener: (publication: Publication) => void): void {
    this.publicationListeners.push(listener)
  }

  /** What sessions may call, kept out of the public face. */
  private makeOwner(): SessionOwner {
    return {
      host: this.host,
      clock: this.ports.clock,
      hello: () => this.hello(),
      checkHello: (session, hello) => this.checkHello(session, hello),
      isKnown: (session, hello) => this.isKnown(session, hello),
      introduction: (session) => (this.peerOfOutbound(session)?.isUnknownThere === true ? this.host.topologyBytes : null),
      introduced: (session, hello, topology) => this.introduced(session, hello, topology),
      sessionUp: (session) => this.sessionUp(session),
      joinRequested: (session, hello) => this.joinRequested(session, hello),
      topologyReceived: (session, topology) => this.host.topologyReceived(topology.slice(), session.identity?.name ?? 'a peer'),
      vectorsReceived: (session, vectors) => this.vectorsReceived(session, vectors),
      pongReceived: (session, pong) => this.pongReceived(session, pong),
      frameReceived: (session, subscription, piece) => this.receiver.receive(session, subscription, piece),
      trimmedReceived: (session, { subscription, begins }) => {
        const origin = this.receiver.trimmed(session, subscription)
        if (origin === null) return
        this.peersById.get(session.member)?.logBegins.raise(origin, begins)
        this.sources.review()
      },
      snapshots: this.snapshots,
      publicationReceived: (publication) => {
        for (const listener of this.publicationListeners) listener(publication)
      },
      publicationCounts: this.counts,
      bytesHandled: () => this.receiver.drain(),
      sessionClosed: (session, error) => this.sessionClosed(session, error),
    }
  }

  private makeSnapshots(): SnapshotReceiver | null {
    const { host, sources, ports } = this
    if (host.intake === null) return null
    const linked = (): SnapshotSource[] => {
      const found: SnapshotSource[] = []
      for (const peer of this.peersById.values()) {
        const link = peer.upSession()
        if (link?.takesTrimmed === true) found.push({ link, name: peer.member.name, durable: peer.knowledge.durable })
      }
      return found
    }
    return new SnapshotReceiver(
      host.intake,
      {
        get clusterId() {
          return host.topology.clusterId
        },
        get applied() {
          return host.applied
        },
        get isNeeded() {
          return host.hasAskedAround && sources.isOutOfReach
        },
        isForNobody: () => !this.isMissingOther(null) && sources.isOutOfTheirReach,
        linked,
        pauseFrames: () => sources.pause(),
        resumeFrames: () => sources.resume(),
      },
      ports.clock,
      ports.logger,
    )
  }

  private hello(): Hello {
    const { topology, isRemoved } = this.host
    const { clusterId, version, self, members } = topology
    return {
      minVersion: PROTOCOL_MIN,
      maxVersion: PROTOCOL_MAX,
      member: self,
      incarnation: this.incarnation,
      topologyVersion: version,
      clusterId,
      name: members.find((member) => member.id === self)?.name ?? '',
      ...(isRemoved && { isRemoved }),
    }
  }

  private accept(link: Link, identity: PeerIdentity): LinkHandlers {
    const session = new LinkSession(this.owner, 'acceptor')
    session.attach(link, identity)
    if (!this.running || this.pending.size >= LIMITS.pendingInboundLinks) session.close(null)
    else this.pending.add(session)
    return session.handlers
  }

  private checkHello(session: LinkSession, hello: Hello): void {
    const { identity } = session
    if (identity === null) throw new Error('HELLO on a link that is not open')
    const dialled = this.peerOfOutbound(session)
    const member = checkHello(hello, identity, this.host.topology, dialled?.member ?? null)
    this.refuseDeparted(member)
    const peer = this.peersById.get(member.id)
    if (peer === undefined || hello.incarnation === this.incarnation) throw duplicateId(runsTwice(member))
    if (peer.wasFollowed(hello.incarnation)) throw forkedMember(runsTwice(member))
    if (session.role === 'acceptor') {
      this.pending.delete(session)
      const previous = peer.inbound
      peer.inbound = session
      // The member has dialled again, so it has given the old link up.
      previous?.close(null)
    }
  }

  private isKnown({ identity }: LinkSession, hello: Hello): boolean {
    if (identity === null) throw new Error('HELLO on a link that is not open')
    try {
      checkHello(hello, identity, this.host.topology, null)
      return true
    } catch (error) {
      if (error instanceof MeridianError && error.code === 'MRD_PEER_UNKNOWN') return false
      throw error
    }
  }

  /** One that is in no list here has shown a certificate of this cluster and brings its list; see topology/introduction.ts. */
  private introduced(session: LinkSession, hello: Hello, list: Uint8Array): void {
    // In the meantime others may have told of it.
    if (this.isKnown(session, hello)) return
    const doubt = this.host.introduced(list.slice(), { id: hello.member, name: hello.name })
    if (doubt !== null) throw unknownPeer(hello, this.host.topology, doubt)
    this.ports.logger.info(
      { peer: hello.name, version: this.host.topology.version },
      'a member that was not known here has brought the list of members, which goes on from the one here',
    )
  }

  /** Peers for who is in the topology and had none; returns those that are to be dialled. */
  private followTopology(): Peer[] {
    const { host, ports, owner, options } = this
    const { members, self } = host.topology
    const added: Peer[] = []
    for (const member of [...members].sort((a, b) => a.id - b.id)) {
      const { id, removal } = member
      if (id === self || this.departed.has(id)) continue
      let peer = this.peersById.get(id)
      if (peer !== undefined) peer.member = member
      else if (removal !== undefined && removal.lastStamp > 0 && host.applied.covers(id, removal.lastStamp)) this.departed.add(id)
      else {
        peer = new Peer(member, owner, host, ports.clock, ports.random, ports.logger, options)
        this.peersById.set(id, peer)
        added.push(peer)
      }
      if (isRefused(member)) peer?.cutOff(removedPeer(member))
    }
    return added
  }

  /** Removed members that nothing more is to come of are let go. */
  private reviewDepartures(): void {
    const peers = [...this.peersById.values()]
    if (!peers.some(({ member }) => member.removal !== undefined)) return
    const { applied, durable } = this.host
    const departed = departedMembers(peers, applied, durable)
    if (departed.size === 0) return
    for (const id of departed) {
      const peer = this.peersById.get(id)
      if (peer === undefined) continue
      this.ports.logger.info({ peer: peer.member.name, until: applied.get(id) }, 'all that a removed member had to give is here')
      peer.cutOff(removedPeer(peer.member))
      this.departed.add(id)
      this.peersById.delete(id)
    }
    for (const listener of this.vectorListeners) listener()
    for (const listener of this.statusListeners) listener()
  }

  /** A member that is starting for the first time gets the topology, and with it its id; it closes the link then. */
  private joinRequested(session: LinkSession, hello: Hello): void {
    const { identity } = session
    if (identity === null) throw new Error('HELLO on a link that is not open')
    const { topologyBytes, topology, isRemoved } = this.host
    // The list here may lack what came after the removal, that one too: another member is to be asked.
    if (isRemoved) throw removedTarget(topology)
    const member = checkJoin(hello, identity, topology)
    this.refuseDeparted(member)
    if (topologyBytes === null) {
      throw new MeridianError(
        'MRD_PEER_UNKNOWN',
        `${member.name} was not added to this cluster, it is in its configuration`,
        'Start it with the same list of members (peers.members) as the others, without --join.',
      )
    }
    // What is known here of it may not be durable yet; then it asks again.
    if (decodeTopology(topologyBytes, 'the own list of members').member(member.id) === undefined)
      throw unknownPeer(hello, this.host.topology)
    this.ports.logger.info({ peer: member.name, id: member.id }, 'a new member asks for the list of members')
    session.answerJoin(this.hello(), topologyBytes)
  }

  private refuseDeparted(member: MemberInfo): void {
    if (this.departed.has(member.id)) throw removedPeer(member)
  }

  private sessionUp(session: LinkSession): void {
    const peer = this.peersById.get(session.member)
    if (peer?.acceptIncarnation(session.incarnation) === false) {
      session.fail(forkedMember(runsTwice(peer.member)))
      return
    }
    peer?.takeOver(session)
    // Links of an earlier process of that member are dead, they only do not know it yet.
    for (const other of [peer?.outbound, peer?.inbound]) {
      if (other && other !== session && other.incarnation !== 0 && other.incarnation !== session.incarnation) other.close(null)
    }
    this.ports.logger.info(
      { peer: peer?.member.name, link: session.role === 'dialler' ? 'outbound' : 'inbound' },
      'peer link is up',
    )
    if (session === peer?.outbound) peer.isUnknownThere = false
    session.sendTopology(this.host.topologyBytes)
    // Before it can hear our answer to its PING, after which it may take writes.
    if (peer !== undefined) session.sendVectors(peer.member.id, peer.knowledge.applied, this.onceDurableAt(peer))
    session.sendPing(this.unheard())
    this.report(session)
    if (session.role === 'acceptor') peer?.dialNow(this.ports.network)
    this.sources.review()
    for (const listener of this.statusListeners) listener()
  }

  /**
   * What a member has told to be durable there, as far as it is still known: in an earlier process too, for what was called stable here and noted in the log was durable there. A member that came
   * later has it as well before it makes an op (see stable()).
   */
  private onceDurableAt({ knowledge }: Peer): VersionVector {
    const durable = knowledge.durable.clone()
    durable.merge(this.host.everStable)
    return durable
  }

  private pongReceived(session: LinkSession, pong: Pong): void {
    const peer = this.peersById.get(session.member)
    if (peer === undefined) return
    peer.pong(pong)
    if (session.hasReported) return
    // The other side reports when the link comes up, before it can answer a PING.
    session.hasReported = true
    // One that has nothing has told so by telling nothing.
    peer.reports([], [])
    const isFirst = !peer.hasReported
    peer.hasReported = true
    this.host.reportedBy(peer.member, peer.knowledge, isFirst)
  }

  private vectorsReceived(session: LinkSession, vectors: Vectors): void {
    const { self } = this.host.topology
    const peer = this.peersById.get(vectors.member)
    const teller = this.peersById.get(session.member)
    if (vectors.member === self && teller !== undefined) this.host.saidBefore(teller.member, vectors.durable)
    // About us, or about a member that our topology does not have (yet).
    if (peer === undefined) return
    if (vectors.member === session.member) {
      for (const [member, stamp] of [...vectors.applied, ...vectors.durable]) {
        if (member === self && stamp > this.host.applied.get(self)) this.host.ownOpsElsewhere(peer.member, stamp)
        // There are none, by departures.ts, unless it has taken them from the removed one itself, with a disk that did not know of the removal.
        if (this.departed.has(member) && stamp > this.host.applied.get(member)) this.refuseStray(member)
      }
    }
    const { applied, durable } = vectors
    const isNews = vectors.member === session.member ? peer.reports(applied, durable) : peer.isSaidToHave(applied, durable)
    if (!isNews) return
    peer.measure()
    for (const listener of this.vectorListeners) listener()
  }

  private sessionClosed(session: LinkSession, error: Error | null): void {
    this.pending.delete(session)
    this.receiver.sourceClosed(session)
    this.snapshots?.linkClosed(session)
    const peer = this.peerOfOutbound(session) ?? this.peersById.get(session.member)
    if (peer === undefined) {
      if (error !== null) this.noteStranger(session, error)
      return
    }
    if (error instanceof RefusedError && error.code === 'MRD_PEER_REMOVED') this.host.refusedAsRemoved(error.message)
    if (error instanceof RefusedError && error.code === 'MRD_PEER_FORKED') this.host.refusedAsForked(error.message)
    if (error instanceof RefusedError && error.code === 'MRD_PEER_STRAY') this.host.refusedAsStray(error.message)
    if (error instanceof RefusedError && session === peer.outbound) peer.isUnknownThere = error.code === 'MRD_PEER_UNKNOWN'
    const wasUp = session.upMs > 0
    const wasOutbound = session === peer.outbound
    // The other side gives the link up when it hears of the one that is to take its place.
    if (error !== null && this.running && !(wasOutbound && peer.isMoving)) peer.note(error)
    peer.sessionClosed(session)
    if (!this.running) return
    peer.moveLater(this.ports.network)
    if (wasOutbound && peer.outbound !== null) {
      this.sources.review()
      return
    }
    const wasUnasked = peer.isUnasked
    if (wasOutbound) peer.dialLater(this.ports.network)
    // Nobody waits for one that cannot be reached.
    if (!wasUp && peer.isUnasked === wasUnasked) return
    this.sources.review()
    for (const listener of this.statusListeners) listener()
  }

  /** A link ended before we knew which member it was. */
  private noteStranger(session: LinkSession, error: Error): void {
    if (session.isJoin && error instanceof MeridianError && error.code === 'MRD_PEER_UNREACHABLE') return
    const name = session.identity?.name
    const peer = [...this.peersById.values()].find(({ member }) => member.name === name)
    if (peer !== undefined) {
      peer.note(error)
      return
    }
    const fields = {
      peer: name,
      cluster: session.identity?.clusterId,
      code: error instanceof MeridianError ? error.code : undefined,
    }
    const isNews = error.message !== this.lastStrangerError
    if (isNews && error instanceof MeridianError && error.code === 'MRD_PEER_UNKNOWN')
      this.ports.logger.info(fields, error.message)
    else if (isNews) this.ports.logger.warn(fields, error.message)
    else this.ports.logger.debug(fields, error.message)
    this.lastStrangerError = error.message
  }

  private peerOfOutbound(session: LinkSession): Peer | undefined {
    for (const peer of this.peersById.values()) if (peer.hasDialled(session)) return peer
    return undefined
  }

  private *sessions(): Generator<LinkSession> {
    for (const peer of this.peersById.values()) yield* peer.sessions()
    yield* this.pending
  }

  /** Members that we have no link with in either direction: their vectors must come through others. */
  private unheard(): MemberId[] {
    const unheard: MemberId[] = []
    for (const peer of this.peersById.values()) if (peer.upSession() === null) unheard.push(peer.member.id)
    return unheard
  }

  /** Reports our vectors and gives credit back: at once after a pause, else when ackDelayMs have passed since the last time. */
  private reportSoon(): void {
    if (this.reportPending || !this.running) return
    this.reportPending = true
    const { clock } = this.ports
    const waitMs = this.lastReportMs + this.options.ackDelayMs - clock.monotonicMs()
    if (waitMs <= 0) clock.defer(() => this.reportAll())
    else this.reportTimer = clock.setTimer(waitMs, () => this.reportAll())
  }

  private reportAll(): void {
    this.reportPending = false
    this.reportTimer = null
    if (!this.running) return
    this.lastReportMs = this.ports.clock.monotonicMs()
    this.receiver.flushCredits()
    // One link per peer is enough; the other one is told at heartbeats.
    for (const peer of this.peersById.values()) {
      const session = peer.upSession()
      if (session !== null) this.report(session)
    }
  }

  private report(session: LinkSession): void {
    const { topology, applied, durable, isWhole } = this.host
    session.sendVectors(topology.self, applied, isWhole ? durable : NOTHING_DURABLE)
  }

  private scheduleTick(): void {
    this.tickTimer = this.ports.clock.setTimer(this.options.heartbeatMs / 4, () => this.tick())
  }

  private tick(): void {
    if (!this.running) return
    const nowMs = this.ports.clock.monotonicMs()
    // After a long pause of this process what has arrived in the meantime is not read yet: nobody is silent on that evidence.
    const late = nowMs - this.lastTickMs > this.options.silenceMs / 2
    this.lastTickMs = nowMs
    for (const session of [...this.sessions()]) {
      if (session.state === 'closed') continue
      if (late) session.lastReceivedMs = nowMs
      if (!session.up) this.checkHandshake(session, nowMs)
      else if (nowMs - session.lastReceivedMs >= this.options.silenceMs) session.close(this.silent(session, nowMs))
      else if (nowMs - session.lastPingMs >= this.options.heartbeatMs) this.heartbeat(session)
      // A transport that never says onDrain costs a tick, not the link.
      session.pump()
    }
    this.receiver.retryGaps()
    this.receiver.flushCredits()
    this.receiver.drain()
    this.sources.review()
    this.snapshots?.review()
    this.scheduleTick()
  }

  private heartbeat(session: LinkSession): void {
    session.sendTopology(this.host.topologyBytes)
    session.sendPing(this.unheard())
    this.report(session)
    for (const member of session.wanted) {
      const peer = this.peersById.get(member)
      if (peer !== undefined) session.sendVectors(member, peer.knowledge.applied, peer.knowledge.durable)
    }
  }

  private checkHandshake(session: LinkSession, nowMs: number): void {
    if (nowMs - session.startedMs < this.options.helloTimeoutMs) return
    const name = session.identity?.name ?? this.peerOfOutbound(session)?.member.name ?? 'a peer'
    session.close(
      new MeridianError(
        'MRD_PEER_UNREACHABLE',
        `No HELLO from ${name} within ${this.options.helloTimeoutMs} ms`,
        'Check that its server runs and that nothing between the two drops packets.',
      ),
    )
  }

  private silent(session: LinkSession, nowMs: number): MeridianError {
    return new MeridianError(
      'MRD_PEER_SILENT',
      `Nothing from ${session.identity?.name ?? 'a peer'} for ${Math.round(nowMs - session.lastReceivedMs)} ms`,
      'The link was closed and is dialled again; check the network between the two.',
    )
  }
}

function runsTwice({ name, id }: MemberInfo): string {
  return `${name} (member ${id}) runs more than once: a second process with its identity is linked with this cluster`
}
