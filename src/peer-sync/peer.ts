import { MeridianError } from '../base/errors.js'
import { LIMITS } from '../base/limits.js'
import type { MemberId, Stamp } from '../base/ids.js'
import type { Clock, Timer } from '../ports/clock.js'
import type { Logger } from '../ports/logger.js'
import type { Network, PeerAddress } from '../ports/network.js'
import type { Random } from '../ports/random.js'
import { VersionVector } from '../crdt/version-vector.js'
import { LagMeter } from './lag-meter.js'
import { LinkSession, RefusedError, type SessionOwner } from './link-session.js'
import type { Pong, VectorEntry } from './messages.js'
import type { PeerSyncOptions } from './options.js'
import { PeerKnowledge } from './peer-knowledge.js'
import type { LinkStatus, PeerError, PeerStatus } from './peer-status.js'
import type { EncodedPublication } from './publications.js'
import type { MemberInfo, SyncHost } from './sync-host.js'

/** The same message is logged loudly once in this time. */
const NEWS_MS = 60_000
const MAX_LOGGED = 32

/**
 * One other member: the link that we dial, again and again with growing pauses, the link that it dials, and what is known of it.
 *
 *   waiting --timer--> connecting --open--> handshake --HELLO--> up
 *      ^--------------------+------------------+-----------------+     pause doubles; back to the first after a while up
 *
 * When its address becomes another one while a link is up, that is dialled beside it, now and then: the link that stands is given up when the new one is up, and lives on when it does not come up.
 */
export class Peer {
  readonly knowledge: PeerKnowledge
  /** Where its log begins, as far as it has said: of each origin it has the frames after this stamp only. */
  readonly logBegins = new VersionVector()
  outbound: LinkSession | null = null
  inbound: LinkSession | null = null
  /** The dial to the address that it has now, while `outbound` stands with the one that it had before. */
  private successor: LinkSession | null = null
  private dialledAddress: PeerAddress
  private successorAddress: PeerAddress
  /** Its address, where that has not answered and the link to the one before stands. */
  private unreached: PeerAddress | null = null
  /** Until that is tried again. */
  private moving: Timer | null = null
  /** Monotonic time since when the outbound link has not been up. */
  directDownMs: number
  roundTripMs: number | null = null
  clockSkewMs: number | null = null
  /** How far it is behind us, and we behind it. */
  readonly lag = new LagMeter()
  readonly behind = new LagMeter()

  /** The link that publications go over: one and the same while it stands, so that they stay in order. */
  private publicationLink: LinkSession | null = null
  private incarnation: number | null = null
  private readonly superseded: number[] = []
  /** It has said itself what it has, over links of which one has stood since. */
  private hasSaid = false
  private attempts = 0
  private redial: Timer | null = null
  private stopped = false
  /** Removed by force: no links either way. */
  private isCutOff = false
  /** It has told what it has, in some link of this process. */
  hasReported = false
  /** It has refused our last dial because we are not in its list: the next one brings ours. */
  isUnknownThere = false
  /** When a message was last logged loudly. */
  private readonly logged = new Map<string, number>()
  private lastError: PeerError | null = null
  /** Since when one of the two does not know the other. */
  private unknownSinceMs: number | null = null
  private outboundWaitingSinceMs: number
  private inboundWaitingSinceMs: number
  /** Of sessions that have ended. */
  private readonly past = { bytesSent: 0, bytesReceived: 0, framesSent: 0, framesReceived: 0 }

  constructor(
    /** As the topology has it now. */
    public member: MemberInfo,
    private readonly owner: SessionOwner,
    private readonly host: SyncHost,
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly logger: Logger,
    private readonly options: PeerSyncOptions,
  ) {
    this.knowledge = new PeerKnowledge(member.id)
    this.dialledAddress = this.successorAddress = member.address
    this.directDownMs = clock.monotonicMs()
    this.outboundWaitingSinceMs = this.inboundWaitingSinceMs = clock.wallMs()
  }

  dial(network: Network): void {
    if (this.stopped || this.isCutOff) return
    const session = new LinkSession(this.owner, 'dialler')
    this.outbound = session
    this.dialledAddress = this.member.address
    this.stayHere()
    session.attach(network.dial(this.member.address, session.handlers), null)
  }

  /** Its address may be another one. A dial that waits, or is under way to the one before, goes to the new one now. */
  addressChanged(network: Network): void {
    if (this.stopped || this.isCutOff) return
    const { outbound, successor } = this
    const { address } = this.member
    const pursued = successor === null ? (this.unreached ?? this.dialledAddress) : this.successorAddress
    if (outbound !== null && isSame(address, pursued)) return
    this.successor = null
    this.stayHere()
    successor?.close(null)
    if (outbound?.up !== true) {
      // Its end makes a dial wait.
      outbound?.close(null)
      this.dialNow(network)
    } else if (!isSame(address, this.dialledAddress)) this.move(network)
  }

  /** Where the address that it has now has not answered, and the link to the one before stands: tries again after a pause. */
  moveLater(network: Network): void {
    if (this.unreached === null || this.moving !== null || this.stopped || this.isCutOff) return
    this.moving = this.clock.setTimer(this.options.backoffMaxMs, () => {
      this.moving = null
      if (this.outbound?.up === true && this.successor === null) this.move(network)
    })
  }

  private move(network: Network): void {
    const session = new LinkSession(this.owner, 'dialler')
    this.successor = session
    this.successorAddress = this.member.address
    session.attach(network.dial(this.member.address, session.handlers), null)
  }

  private stayHere(): void {
    this.unreached = null
    this.moving?.cancel()
    this.moving = null
  }

  /** This is a link that we dialled: the one in use, or the one that is to take its place. */
  hasDialled(session: LinkSession): boolean {
    return session === this.outbound || session === this.successor
  }

  /** A dial to its new address is under way. */
  get isMoving(): boolean {
    return this.successor !== null
  }

  /** The links that there are. */
  *sessions(): Generator<LinkSession> {
    for (const session of [this.outbound, this.successor, this.inbound]) if (session !== null) yield session
  }

  /** A link is up. When it is the one to the new address, the other one is given up. */
  takeOver(session: LinkSession): void {
    if (session !== this.successor) return
    const before = this.outbound
    this.succeed()
    before?.close(null)
  }

  private succeed(): void {
    this.outbound = this.successor
    if (this.successor === null) return
    this.dialledAddress = this.successorAddress
    this.successor = null
    this.stayHere()
  }

  /** Dials again after a pause: half to one and a half times the present one, so that members do not dial in step. */
  dialLater(network: Network): void {
    if (this.stopped || this.isCutOff) return
    const { backoffMinMs, backoffMaxMs } = this.options
    const pause = Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(this.attempts, 20))
    this.attempts++
    this.redial = this.clock.setTimer(pause * (0.5 + this.random.uint32() / 2 ** 32), () => {
      this.redial = null
      this.dial(network)
    })
  }

  /** The member has shown that it is there: a dial that waits for its pause goes out now. */
  dialNow(network: Network): void {
    if (this.redial === null) return
    this.redial.cancel()
    this.redial = null
    this.dial(network)
  }

  /** Another process of the member was linked after this one. */
  wasFollowed(incarnation: number): boolean {
    return this.superseded.includes(incarnation)
  }

  /**
   * Notes which process of the member is speaking, once it has answered: the HELLO of one that has died may come late, after its successor's. A process that comes back after it was followed by another one still
   * runs: then there are two. Returns false in that case.
   */
  acceptIncarnation(incarnation: number): boolean {
    if (incarnation === this.incarnation) return true
    if (this.wasFollowed(incarnation)) return false
    // Others may have told of an earlier process of it, although it is the first one here.
    this.knowledge.mayHaveLost = true
    this.hasSaid = false
    if (this.incarnation !== null) {
      this.superseded.push(this.incarnation)
      if (this.superseded.length > LIMITS.supersededIncarnations) this.superseded.shift()
      this.knowledge.restarted()
      // Another process may have another log.
      this.logBegins.copyFrom(new VersionVector())
    }
    this.incarnation = incarnation
    return true
  }

  /** It says itself what it has: all of it, the first time on a link. True when something of it is news. */
  reports(applied: readonly VectorEntry[], durable: readonly VectorEntry[]): boolean {
    const { knowledge } = this
    if (!this.hasSaid) knowledge.hasApplied(applied)
    this.hasSaid = true
    // One that has lost ops of its own says nothing of what is durable before they are here again.
    const isFirst = knowledge.mayHaveLost && durable.length > 0
    if (isFirst) {
      knowledge.mayHaveLost = false
      knowledge.beganAnew(durable)
    }
    // The first report is news though others have told the same before: from now on it counts.
    return knowledge.merge(applied, durable) || isFirst
  }

  /**
   * Somebody else tells what it has. While it says so itself that is not asked for: the other one may still tell of what it had before it lost its disk, and two such members would wait for
   * each other's frames. True when something of it is news.
   */
  isSaidToHave(applied: readonly VectorEntry[], durable: readonly VectorEntry[]): boolean {
    return !this.hasSaid && this.knowledge.merge(applied, durable)
  }

  /** Its log has what comes after this of an origin, as far as is known. */
  reaches(origin: MemberId, after: Stamp): boolean {
    return this.logBegins.get(origin) <= after
  }

  pong(pong: Pong): void {
    const roundTripMs = Math.max(0, this.clock.monotonicMs() - pong.sentAtMs)
    this.roundTripMs = roundTripMs
    this.clockSkewMs = pong.wallMs + roundTripMs / 2 - this.clock.wallMs()
  }

  /** Brings the lag meters up to date; called when a vector has moved. */
  measure(): void {
    const nowMs = this.clock.monotonicMs()
    const { self } = this.host.topology
    this.lag.note(this.host.durable.get(self), this.knowledge.applied.get(self), nowMs)
    this.behind.note(this.knowledge.durable.get(this.member.id), this.host.applied.get(this.member.id), nowMs)
  }

  get waitingBytes(): number {
    return (this.outbound?.waitingBytes ?? 0) + (this.inbound?.waitingBytes ?? 0)
  }

  /** A session of this peer has ended; true if it was one of the two in use. */
  sessionClosed(session: LinkSession): boolean {
    this.past.bytesSent += session.bytesSent
    this.past.bytesReceived += session.bytesReceived
    this.past.framesSent += session.framesSent
    this.past.framesReceived += session.framesReceived
    if (session === this.successor) {
      this.successor = null
      this.unreached = this.successorAddress
      return false
    }
    if (session === this.outbound) {
      this.succeed()
      this.outboundWaitingSinceMs = this.clock.wallMs()
      if (session.upMs > 0) {
        this.directDownMs = this.clock.monotonicMs()
        if (this.directDownMs - session.upMs >= this.options.backoffResetMs) this.attempts = 0
      }
      this.hasSaid = this.hasSaid && this.upSession() !== null
      return true
    }
    if (session === this.inbound) {
      this.inbound = null
      this.inboundWaitingSinceMs = this.clock.wallMs()
      this.hasSaid = this.hasSaid && this.upSession() !== null
      return true
    }
    return false
  }

  /**
   * Keeps an error for the status page and logs it, loudly only when it is news. That a member cannot be reached follows from
   * many errors, so it does not push a more telling one off the page for a while.
   */
  note(cause: Error): void {
    const error = cause instanceof MeridianError || cause instanceof RefusedError ? cause : broken(this.member.name, cause)
    const { code } = error
    const atMs = this.clock.wallMs()
    const { lastError } = this
    const telling = lastError !== null && lastError.code !== 'MRD_PEER_UNREACHABLE' && atMs - lastError.atMs < NEWS_MS
    if (code !== 'MRD_PEER_UNREACHABLE' || !telling) this.lastError = { code, message: error.message, atMs }
    const fields = { peer: this.member.name, code }
    const nowMs = this.clock.monotonicMs()
    if (nowMs - (this.logged.get(error.message) ?? -Infinity) < NEWS_MS) {
      this.logger.debug(fields, error.message)
      return
    }
    if (this.logged.size >= MAX_LOGGED) this.logged.clear()
    this.logged.set(error.message, nowMs)
    // A new member is not known everywhere at once.
    if (code === 'MRD_PEER_UNKNOWN' && nowMs - (this.unknownSinceMs ??= nowMs) < NEWS_MS) this.logger.info(fields, error.message)
    else this.logger.warn(fields, error.message)
  }

  /** The links that are up, the one that we dialled first. */
  upSession(): LinkSession | null {
    if (this.outbound?.up) return this.outbound
    return this.inbound?.up ? this.inbound : null
  }

  /** It has not told what it has. */
  get isUnheard(): boolean {
    return !this.hasReported && !this.isCutOff
  }

  /** Neither has it told what it has, nor has a dial failed yet. */
  get isUnasked(): boolean {
    return this.isUnheard && this.attempts === 0
  }

  /** Gives a publication to a link; false when no link to the member takes it. */
  publish(publication: EncodedPublication): boolean {
    if (this.publicationLink?.takesPublications !== true) {
      this.publicationLink = [this.outbound, this.inbound].find((session) => session?.takesPublications) ?? null
    }
    this.publicationLink?.publish(publication)
    return this.publicationLink !== null
  }

  /** From now on nothing of what its links bring counts; they are closed in a turn of their own. */
  cutOff(reason: Error): void {
    if (this.isCutOff) return
    this.isCutOff = true
    this.redial?.cancel()
    this.redial = null
    this.stayHere()
    const sessions = [...this.sessions()]
    for (const session of sessions) session.isCutOff = true
    this.clock.defer(() => {
      for (const session of sessions) session.fail(reason)
    })
  }

  stop(): void {
    this.stopped = true
    this.redial?.cancel()
    this.redial = null
    this.stayHere()
    for (const session of [...this.sessions()]) session.close(null)
  }

  status(relay: MemberId | null): PeerStatus {
    const { applied, durable } = this.knowledge
    const { self } = this.host.topology
    const nowMs = this.clock.monotonicMs()
    const total = { ...this.past }
    for (const session of this.sessions()) {
      total.bytesSent += session.bytesSent
      total.bytesReceived += session.bytesReceived
      total.framesSent += session.framesSent
      total.framesReceived += session.framesReceived
    }
    return {
      member: this.member,
      outbound: linkStatus(this.outbound, this.outboundWaitingSinceMs),
      inbound: linkStatus(this.inbound, this.inboundWaitingSinceMs),
      lastError: this.lastError,
      unreached: this.unreached,
      applied,
      durable,
      lagMs: this.lag.lagMs(this.host.durable.get(self), applied.get(self), nowMs),
      behindMs: this.behind.lagMs(durable.get(this.member.id), this.host.applied.get(this.member.id), nowMs),
      ...total,
      relay,
      roundTripMs: this.roundTripMs,
      clockSkewMs: this.clockSkewMs,
    }
  }
}

function isSame(one: PeerAddress, other: PeerAddress): boolean {
  return one.host === other.host && one.port === other.port
}

/** What the network says of a link that was open, in its own words. */
function broken(name: string, cause: Error): MeridianError {
  return new MeridianError(
    'MRD_PEER_UNREACHABLE',
    `The link to ${name} broke: ${cause.message}`,
    'It is opened again by itself.',
    { cause },
  )
}

const LINK_STATES = { opening: 'connecting', hello: 'handshake', confirming: 'handshake', up: 'up', closed: 'waiting' } as const

function linkStatus(session: LinkSession | null, waitingSinceMs: number): LinkStatus {
  return session === null
    ? { state: 'waiting', sinceMs: waitingSinceMs }
    : { state: LINK_STATES[session.state], sinceMs: session.sinceMs }
}
