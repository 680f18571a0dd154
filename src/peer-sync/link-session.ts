import { MeridianError } from '../base/errors.js'
import { LIMITS } from '../base/limits.js'
import type { MemberId } from '../base/ids.js'
import { VersionVector } from '../crdt/version-vector.js'
import type { Clock } from '../ports/clock.js'
import type { Link, LinkHandlers, PeerIdentity } from '../ports/network.js'
import { FrameSender, type FrameOutlet } from './frame-sender.js'
import * as wire from './messages.js'
import { MESSAGE } from './messages.js'
import { MessageReader } from './message-reader.js'
import { commonVersion } from './hello-check.js'
import {
  PublicationReader,
  PublicationSender,
  type EncodedPublication,
  type Publication,
  type PublicationOutlet,
} from './publications.js'
import type { FrameSource, OriginFeed } from './origin-feed.js'
import type { SyncHost } from './sync-host.js'
import type { SnapshotLink, SnapshotReceiver } from './transfer/snapshot-receiver.js'
import { SnapshotSender, type SnapshotOutlet } from './transfer/snapshot-sender.js'
import * as transfers from './transfer/transfer-messages.js'

/** What a session tells the member that it belongs to. All calls are made from the link's own events. */
export interface SessionOwner {
  readonly host: SyncHost
  readonly clock: Clock
  /** Our HELLO. */
  hello(): wire.Hello
  /** Throws a MeridianError if the other side is not welcome; it is then refused with that. */
  checkHello(session: LinkSession, hello: wire.Hello): void
  /** Whether who is there is in the list of members. Throws a MeridianError if it is not welcome for another reason. */
  isKnown(session: LinkSession, hello: wire.Hello): boolean
  /** Our list of members for the other side of a link that we dialled, where it did not know us the last time; else null. */
  introduction(session: LinkSession): Uint8Array | null
  /** Somebody who is not in our list has brought its own. Throws a MeridianError if that is not believed. */
  introduced(session: LinkSession, hello: wire.Hello, topology: Uint8Array): void
  /** Both sides have accepted each other. */
  sessionUp(session: LinkSession): void
  /** A new member that has no id yet asks for the topology. Throws a MeridianError if it is not welcome. */
  joinRequested(session: LinkSession, hello: wire.Hello): void
  topologyReceived(session: LinkSession, topology: Uint8Array): void
  vectorsReceived(session: LinkSession, vectors: wire.Vectors): void
  pongReceived(session: LinkSession, pong: wire.Pong): void
  frameReceived(session: LinkSession, subscription: number, piece: Uint8Array): void
  /** The log of the other side does not reach back to where a subscription begins, which has ended. */
  trimmedReceived(session: LinkSession, trimmed: wire.Trimmed): void
  /** What takes snapshots of others; null where none can be taken. */
  readonly snapshots: SnapshotReceiver | null
  /** A message of PUBLISH came; its bytes are valid during the call. */
  publicationReceived(publication: Publication): void
  /** Over all links since start, or since they were reset. */
  readonly publicationCounts: { sent: number; dropped: number }
  /** Bytes that came have been handled. */
  bytesHandled(): void
  /** The session has ended; called once. Null when we closed it without a complaint. */
  sessionClosed(session: LinkSession, error: Error | null): void
}

/**
 * One link, from its first byte to its last. Either side may subscribe to frames of the other; which does is decided above.
 *
 *   dialler    opening --onOpen, send HELLO--> hello --HELLO--> up
 *   acceptor                                   hello --HELLO, send HELLO--> confirming --any message--> up
 *
 * A dialler that was refused as unknown the last time sends its list of members behind HELLO; an acceptor that still does not know it reads that first.
 * The acceptor answers HELLO only when it accepts, and the dialler's next message says that it accepts too.
 * Every state ends in closed: by REFUSED from either side, a broken protocol, silence, or the transport.
 */
export class LinkSession implements FrameOutlet, FrameSource, PublicationOutlet, SnapshotOutlet, SnapshotLink {
  readonly feeds = new Map<number, OriginFeed>()
  readonly sender: FrameSender
  /** Snapshots for the other side. */
  readonly snapshots: SnapshotSender
  private readonly publications: PublicationSender
  private readonly publicationReader = new PublicationReader()
  /** What both sides speak; known once HELLO was accepted. */
  version = wire.PROTOCOL_MIN
  state: 'opening' | 'hello' | 'confirming' | 'up' | 'closed' = 'opening'
  /** Who is there, by the certificate; null while opening. */
  identity: PeerIdentity | null = null
  /** Known once HELLO was accepted; 0 before. */
  member = 0 as MemberId
  incarnation = 0
  /** Wall clock at the last change of state, for the operator. */
  sinceMs: number
  isCutOff = false
  /** The other side asked to join, was answered, and closes the link. */
  isJoin = false
  /** The other side has heard that it was removed. */
  saysRemoved = false
  /** The other side has told all that it has; true once a PING of ours was answered. */
  hasReported = false
  /** Monotonic times. */
  readonly startedMs: number
  upMs = 0
  lastReceivedMs: number
  lastPingMs = 0
  bytesSent = 0
  bytesReceived = 0
  framesSent = 0
  framesReceived = 0
  /** Members of which the other side would like to have vectors, because it does not hear them itself. */
  wanted: readonly MemberId[] = []

  private link: Link | null = null
  private readonly reader = new MessageReader(LIMITS.linkHelloBytes)
  /** TOPOLOGY comes next, before what HELLO says is acted on if the other side is not known. */
  private listFollows = false
  private stranger: wire.Hello | null = null
  private lastSubscription = 0
  private lastTransfer = 0
  private toldTopology: Uint8Array | null = null
  /** Per member: what of its vectors the other side has been told on this link. */
  private readonly told = new Map<MemberId, { applied: VersionVector; durable: VersionVector }>()

  constructor(
    private readonly owner: SessionOwner,
    readonly role: 'dialler' | 'acceptor',
  ) {
    this.sender = new FrameSender(owner.host, this)
    this.publications = new PublicationSender(this, owner.publicationCounts)
    this.snapshots = new SnapshotSender(owner.host.shelf, this, owner.clock)
    this.startedMs = owner.clock.monotonicMs()
    this.lastReceivedMs = this.startedMs
    this.sinceMs = owner.clock.wallMs()
  }

  /** Gives the session its link. An accepted link is open already. */
  attach(link: Link, identity: PeerIdentity | null): void {
    this.link = link
    if (identity !== null) this.opened(identity)
    else if (this.identity !== null) this.opened(this.identity)
  }

  readonly handlers: LinkHandlers = {
    onOpen: (identity) => {
      this.identity = identity
      // A transport may open the link before dial() has returned it; then attach() goes on from here.
      if (this.link !== null) this.opened(identity)
    },
    onData: (bytes) => this.received(bytes),
    onDrain: () => this.pump(),
    onClose: (error) => this.ended(error ?? closedByPeer(this)),
  }

  get up(): boolean {
    return this.state === 'up'
  }

  /** Bytes that wait to be sent. */
  get waitingBytes(): number {
    return (this.link?.bufferedBytes ?? 0) + this.publications.waitingBytes
  }

  get roomy(): boolean {
    return this.link !== null && this.state === 'up' && this.link.bufferedBytes < LIMITS.linkBufferedBytes
  }

  get publicationRoom(): boolean {
    return this.link !== null && this.state === 'up' && this.link.bufferedBytes < LIMITS.linkPublicationBytes
  }

  /** The other side understands publications, and is there. */
  get takesPublications(): boolean {
    return this.up && this.version >= wire.PUBLICATION_VERSION
  }

  get takesTrimmed(): boolean {
    return this.version >= wire.TRANSFER_VERSION
  }

  publish(publication: EncodedPublication): void {
    this.publications.push(publication)
  }

  get controlRoomy(): boolean {
    return this.link !== null && this.state === 'up' && this.link.bufferedBytes < 2 * LIMITS.linkBufferedBytes
  }

  send(bytes: Uint8Array): void {
    if (this.link === null || this.state === 'closed') return
    this.bytesSent += bytes.length
    this.link.send(bytes)
  }

  frameSent(): void {
    this.framesSent++
  }

  frameReceived(): void {
    this.framesReceived++
  }

  pumpLater(): void {
    this.owner.clock.defer(() => this.guard(() => this.sender.resumePump()))
  }

  /** Sends the publications and frames that may be sent. */
  pump(): void {
    if (!this.up) return
    this.publications.pump()
    this.guard(() => this.sender.pump())
    this.guard(() => this.snapshots.pump())
  }

  nextSubscriptionId(): number {
    return ++this.lastSubscription
  }

  nextTransferId(): number {
    return ++this.lastTransfer
  }

  sendSubscribe(subscribe: wire.Subscribe): void {
    this.send(wire.encodeSubscribe(subscribe))
  }

  sendUnsubscribe(subscription: number): void {
    this.send(wire.encodeUnsubscribe(subscription))
  }

  sendCredit(credit: wire.Credit): void {
    this.send(wire.encodeCredit(credit))
  }

  /** Reports a member's vectors, as far as the other side does not have them from this link. */
  sendVectors(member: MemberId, applied: VersionVector, durable: VersionVector): void {
    if (!this.controlRoomy) return
    let told = this.told.get(member)
    if (told === undefined) {
      told = { applied: new VersionVector(), durable: new VersionVector() }
      this.told.set(member, told)
    }
    const message = wire.encodeVectors(member, applied, durable, told.applied, told.durable)
    if (message !== null) this.send(message)
  }

  /** Tells the whole topology, unless this link has carried it; later when there is no room now. */
  sendTopology(topology: Uint8Array | null): void {
    if (topology === null || topology === this.toldTopology || this.version < wire.TOPOLOGY_VERSION || !this.controlRoomy) return
    this.toldTopology = topology
    this.send(wire.encodeTopologyMessage(topology))
  }

  /** To one that wants to join: who is here, and the topology. It closes the link then. */
  answerJoin(hello: wire.Hello, topology: Uint8Array): void {
    this.send(wire.encodeHello(hello))
    this.send(wire.encodeTopologyMessage(topology))
  }

  sendPing(wanted: readonly MemberId[]): void {
    if (!this.controlRoomy) return
    this.lastPingMs = this.owner.clock.monotonicMs()
    this.send(wire.encodePing(this.lastPingMs, wanted))
  }

  /** Tells the other side why, then closes. */
  fail(error: Error): void {
    if (this.state === 'closed') return
    const code = error instanceof MeridianError ? error.code : 'MRD_PEER_PROTOCOL'
    this.send(wire.encodeRefused({ code, text: error.message }))
    this.close(error)
  }

  /** Closes; error is for our own log and status. */
  close(error: Error | null): void {
    const { link } = this
    this.ended(error)
    link?.close()
  }

  private opened(identity: PeerIdentity): void {
    if (this.state !== 'opening') return
    this.identity = identity
    this.lastReceivedMs = this.owner.clock.monotonicMs()
    this.enter('hello')
    if (this.role === 'acceptor') return
    const list = this.owner.introduction(this)
    this.send(wire.encodeHello({ ...this.owner.hello(), introduces: list !== null }))
    if (list !== null) this.send(wire.encodeTopologyMessage(list))
  }

  private received(bytes: Uint8Array): void {
    if (this.state === 'closed' || this.state === 'opening') return
    this.lastReceivedMs = this.owner.clock.monotonicMs()
    this.bytesReceived += bytes.length
    this.guard(() => {
      this.reader.push(bytes)
      while (this.reader.next()) {
        if (this.link !== null && this.link.bufferedBytes > LIMITS.linkAnswerBytes)
          throw wire.protocolError(`${this.link.bufferedBytes} bytes of answers are not read, and more is asked`)
        this.handle(this.reader.type, this.reader.payload)
        // Handling may close the session; the compiler cannot see that.
        if ((this.state as string) === 'closed') return
      }
    })
    this.owner.bytesHandled()
  }

  /** Runs what handles a peer's input or reads the log for it: a coded error closes the link, anything else is a bug. */
  guard(action: () => void): void {
    if (this.state === 'closed') return
    try {
      action()
    } catch (error) {
      if (!(error instanceof MeridianError)) throw error
      this.fail(error)
    }
  }

  private handle(type: number, payload: Uint8Array): void {
    if (type === MESSAGE.refused) {
      const { code, text } = wire.decodeRefused(payload)
      this.close(new RefusedError(code, `Refused by ${this.identity?.name ?? 'the peer'}: ${text}`))
      return
    }
    if (this.listFollows) {
      this.listReceived(type, payload)
      return
    }
    if (this.state === 'hello') {
      if (type !== MESSAGE.hello) throw wire.protocolError(`the first message is of type ${type}, not HELLO`)
      this.helloReceived(wire.decodeHello(payload))
      return
    }
    if (this.state === 'confirming') {
      this.becomeUp()
      // It may be refused even now; the compiler cannot see that.
      if ((this.state as string) === 'closed') return
    }
    switch (type) {
      case MESSAGE.ping: {
        const ping = wire.decodePing(payload)
        this.wanted = ping.wanted
        if (this.controlRoomy) this.send(wire.encodePong({ sentAtMs: ping.sentAtMs, wallMs: this.owner.clock.wallMs() }))
        return
      }
      case MESSAGE.pong:
        this.owner.pongReceived(this, wire.decodePong(payload))
        return
      case MESSAGE.vectors:
        this.owner.vectorsReceived(this, wire.decodeVectors(payload))
        return
      case MESSAGE.subscribe:
        this.sender.subscribe(wire.decodeSubscribe(payload))
        this.sender.pump()
        return
      case MESSAGE.unsubscribe:
        this.sender.unsubscribe(wire.decodeUnsubscribe(payload))
        return
      case MESSAGE.credit:
        this.sender.credit(wire.decodeCredit(payload))
        this.sender.pump()
        return
      case MESSAGE.frame: {
        const subscription = wire.decodeFrameSubscription(payload)
        if (subscription === 0 || subscription > this.lastSubscription) {
          throw wire.protocolError(`a frame for subscription ${subscription}, which was never opened`)
        }
        this.owner.frameReceived(this, subscription, payload.subarray(4))
        return
      }
      case MESSAGE.publication: {
        if (this.version < wire.PUBLICATION_VERSION) throw this.unknownType(type)
        const publication = this.publicationReader.receive(wire.decodePublicationFlags(payload), payload.subarray(1))
        if (publication !== null) this.owner.publicationReceived(publication)
        return
      }
      case MESSAGE.topology:
        if (this.version < wire.TOPOLOGY_VERSION) throw this.unknownType(type)
        this.owner.topologyReceived(this, payload)
        return
      case MESSAGE.hello:
        throw wire.protocolError('a second HELLO')
      default:
        if (this.version < wire.TRANSFER_VERSION) throw this.unknownType(type)
        this.handleTransfer(type, payload)
    }
  }

  private handleTransfer(type: number, payload: Uint8Array): void {
    const { snapshots } = this.owner
    switch (type) {
      case MESSAGE.trimmed:
        this.owner.trimmedReceived(this, wire.decodeTrimmed(payload))
        return
      case MESSAGE.snapshotAsk:
        this.snapshots.ask(transfers.decodeSnapshotAsk(payload))
        return
      case MESSAGE.shardAsk:
        this.snapshots.question(transfers.decodeShardAsk(payload))
        return
      case MESSAGE.snapshotCredit:
        this.snapshots.credit(transfers.decodeSnapshotCredit(payload))
        return
      case MESSAGE.snapshotDone:
        this.snapshots.done(transfers.decodeSnapshotDone(payload))
        return
      case MESSAGE.snapshotWait:
        snapshots?.waitReceived(this, transfers.decodeSnapshotWait(payload))
        return
      case MESSAGE.snapshotOffer:
        snapshots?.offerReceived(this, transfers.decodeSnapshotOffer(payload))
        return
      case MESSAGE.snapshotNo:
        snapshots?.noReceived(this, transfers.decodeSnapshotNo(payload))
        return
      case MESSAGE.shardPiece:
        snapshots?.pieceReceived(this, transfers.decodeShardPiece(payload))
        return
      default:
        throw this.unknownType(type)
    }
  }

  private unknownType(type: number): MeridianError {
    return wire.protocolError(`message type ${type} is not known in link protocol version ${this.version}`)
  }

  private helloReceived(hello: wire.Hello): void {
    if (hello.member === 0 && this.role === 'acceptor') {
      this.isJoin = true
      this.owner.joinRequested(this, hello)
      return
    }
    this.listFollows = hello.introduces === true && this.role === 'acceptor'
    if (this.listFollows && !this.owner.isKnown(this, hello)) {
      this.stranger = hello
      this.reader.maxMessageBytes = LIMITS.linkMessageBytes
    } else this.accept(hello)
  }

  private listReceived(type: number, topology: Uint8Array): void {
    this.listFollows = false
    if (type !== MESSAGE.topology) throw wire.protocolError(`message type ${type} where HELLO said that TOPOLOGY follows`)
    const { stranger } = this
    // Who is known tells its list when the link is up.
    if (stranger === null) return
    this.owner.introduced(this, stranger, topology)
    this.accept(stranger)
  }

  private accept(hello: wire.Hello): void {
    this.owner.checkHello(this, hello)
    this.member = hello.member as MemberId
    this.version = commonVersion(hello) ?? wire.PROTOCOL_MIN
    this.incarnation = hello.incarnation
    this.saysRemoved = hello.isRemoved === true
    this.reader.maxMessageBytes = LIMITS.linkMessageBytes
    if (this.role === 'dialler') {
      this.becomeUp()
    } else {
      this.send(wire.encodeHello(this.owner.hello()))
      this.enter('confirming')
    }
  }

  private becomeUp(): void {
    this.enter('up')
    this.upMs = this.owner.clock.monotonicMs()
    this.owner.sessionUp(this)
  }

  private enter(state: LinkSession['state']): void {
    this.state = state
    this.sinceMs = this.owner.clock.wallMs()
  }

  private ended(error: Error | null): void {
    if (this.state === 'closed') return
    this.enter('closed')
    this.sender.close()
    this.snapshots.close()
    this.publications.close()
    this.owner.sessionClosed(this, error)
  }
}

/** The other side closed the link with this reason. The code is the other side's and may be one that is not known here. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message)
  }
}

function closedByPeer(session: LinkSession): MeridianError {
  return new MeridianError(
    'MRD_PEER_UNREACHABLE',
    `The link to ${session.identity?.name ?? 'the peer'} was closed by the other side`,
    'It is opened again by itself; the log of the other side may say more.',
  )
}
