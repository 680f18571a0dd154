import type { Socket } from 'node:net'
import { connect, createServer, type PeerCertificate, type SecureContext, type Server, type TLSSocket } from 'node:tls'
import { MeridianError } from '../base/errors.js'
import { LIMITS } from '../base/limits.js'
import type { Clock } from '../ports/clock.js'
import type { Logger } from '../ports/logger.js'
import type { Link, LinkHandlers, Network, PeerAddress, PeerIdentity } from '../ports/network.js'
import { identityOf, openCredentials, serverNameOf, type PeerCredentials } from './peer-credentials.js'
import { ReadingTurn } from './reading-turn.js'
import { SocketLink } from './socket-link.js'

export interface TlsNetworkOptions extends PeerCredentials {
  /** Address to listen on. */
  readonly host: string
  /** 0 takes any free port; see `port` of the network. */
  readonly port: number
  readonly logger: Logger
  readonly clock: Clock
  /** From the TCP connection until the handshake is complete, either way. */
  readonly handshakeTimeoutMs?: number
}

/** One kind of complaint is logged at most this often. */
const COMPLAINT_PAUSE_MS = 10_000
const MAX_COMPLAINTS = 100
const REISSUE =
  "If a member of this cluster runs there, give it a certificate of the cluster's authority (`meridian certs issue`)."
const LOOK_THERE =
  'If a member of this cluster runs there, its log says what it did not accept; anybody else has no business at this port.'

type OnLink = (link: Link, identity: PeerIdentity) => LinkHandlers

/**
 * Peer links over mutual TLS 1.3. Who is on the other side is what the URI in its certificate says, and the certificate must
 * come from the cluster's authority. Links that come in before listen() are turned away.
 */
export class TlsNetwork implements Network {
  private readonly links = new Set<SocketLink>()
  /** Accepted connections whose handshake is not complete, by remote address and port. */
  private readonly shaking = new Map<string, Socket>()
  /** When a complaint was last logged. */
  private readonly complaints = new Map<string, number>()
  private onLink: OnLink | null = null
  private closed = false
  private readonly reading: ReadingTurn

  private constructor(
    private readonly server: Server,
    private context: SecureContext,
    private ownIdentity: PeerIdentity,
    private readonly logger: Logger,
    private readonly handshakeTimeoutMs: number,
    clock: Clock,
  ) {
    this.reading = new ReadingTurn(clock)
    server.on('connection', (socket: Socket) => this.connected(socket))
    server.on('secureConnection', (socket) => this.secured(socket))
    server.on('tlsClientError', (error, socket) => {
      const from = this.handshakeOver(socket)
      // Node leaves a connection open that ran into the handshake timeout.
      socket.destroy()
      this.complain(from, `A peer connection failed in the TLS handshake: ${error.message}. ${LOOK_THERE}`)
    })
  }

  /** @throws MeridianError MRD_CERTIFICATE, MRD_PORT_IN_USE, MRD_LISTEN */
  static async open(options: TlsNetworkOptions): Promise<TlsNetwork> {
    const { host, port, cert, key, ca, logger, clock, handshakeTimeoutMs = 5000 } = options
    const { context, identity, tls } = openCredentials({ cert, key, ca })
    const server = createServer({
      ...tls,
      handshakeTimeout: handshakeTimeoutMs,
      requestCert: true,
      // Checked in secured(), where the reason can be logged: Node itself would only drop the connection.
      rejectUnauthorized: false,
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)))
      server.listen({ host, port, exclusive: true }, resolve)
    })
    server.removeAllListeners('error')
    server.on('error', (error: Error) => logger.error({}, `The peer listener failed: ${error.message}`))
    return new TlsNetwork(server, context, identity, logger, handshakeTimeoutMs, clock)
  }

  /** The port that is listened on. */
  get port(): number {
    const address = this.server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** What this member's own certificate says. */
  get identity(): PeerIdentity {
    return this.ownIdentity
  }

  /**
   * Uses other credentials for every link from now on; links that stand live on.
   * @throws MeridianError MRD_CERTIFICATE when they cannot be used; then the old ones stay.
   */
  reload({ cert, key, ca }: PeerCredentials): void {
    const { context, identity, tls } = openCredentials({ cert, key, ca })
    if (identity.name !== this.ownIdentity.name || identity.clusterId !== this.ownIdentity.clusterId) {
      throw new MeridianError(
        'MRD_CERTIFICATE',
        `The new certificate names ${identity.name} of cluster ${identity.clusterId}, this member is ${this.ownIdentity.name} of cluster ${this.ownIdentity.clusterId}`,
        "Put this member's own certificate in place; the old one stays in use.",
      )
    }
    this.server.setSecureContext(tls)
    this.context = context
    this.ownIdentity = identity
  }

  listen(onLink: OnLink): void {
    this.onLink = onLink
  }

  dial(address: PeerAddress, handlers: LinkHandlers): Link {
    const expected = { name: address.name, clusterId: this.ownIdentity.clusterId }
    const socket = connect({
      host: address.host,
      port: address.port,
      secureContext: this.context,
      servername: serverNameOf(address.name === '' ? this.ownIdentity : expected),
      minVersion: 'TLSv1.3',
      rejectUnauthorized: true,
      checkServerIdentity: (_, certificate) => checkDialled(certificate, address, expected),
    })
    const link = this.keep(new SocketLink(socket, false, this.reading))
    let heard = false
    const timer = setTimeout(
      () => socket.destroy(unreachable(address, `no TLS handshake within ${this.handshakeTimeoutMs} ms`)),
      this.handshakeTimeoutMs,
    )
    socket.once('secureConnect', () => {
      clearTimeout(timer)
      link.stands()
      handlers.onOpen?.(identityOf(socket.getPeerCertificate().subjectaltname) ?? expected)
    })
    link.serve({
      onData: (bytes) => {
        heard = true
        handlers.onData(bytes)
      },
      onDrain: () => handlers.onDrain(),
      onClose: (error) => {
        clearTimeout(timer)
        handlers.onClose(link.closedHere ? null : dialError(error, address, heard))
      },
    })
    return link
  }

  close(): void {
    this.closed = true
    this.server.close()
    for (const socket of this.shaking.values()) socket.destroy()
    for (const link of this.links) link.close()
  }

  private connected(socket: Socket): void {
    if (this.closed || this.onLink === null || this.shaking.size >= LIMITS.pendingInboundLinks) {
      socket.destroy()
      return
    }
    const from = remoteOf(socket)
    this.shaking.set(from, socket)
    socket.once('close', () => this.shaking.delete(from))
    socket.on('error', () => socket.destroy())
  }

  private handshakeOver(socket: TLSSocket): string {
    const from = remoteOf(socket)
    this.shaking.delete(from)
    return from
  }

  private secured(socket: TLSSocket): void {
    const from = this.handshakeOver(socket)
    const turnAway = (why: string) => {
      this.complain(from, `A peer connection was turned away: ${why}. ${REISSUE}`)
      socket.destroy()
    }
    // A connection that dies now must not be an unhandled error.
    socket.on('error', () => undefined)
    if (!socket.authorized) return turnAway(`its certificate is not accepted (${authorizationError(socket)})`)
    const { subjectaltname } = socket.getPeerCertificate()
    const identity = identityOf(subjectaltname)
    if (identity === null)
      return turnAway(`its certificate names no member; its subject alternative names are: ${subjectaltname ?? 'none'}`)
    if (this.onLink === null || this.closed) return void socket.destroy()
    const link = this.keep(new SocketLink(socket, true, this.reading))
    link.serve(this.onLink(link, identity))
  }

  /** Whoever can reach the port can cause these lines, so each kind is written now and then only. */
  private complain(from: string, message: string): void {
    const nowMs = performance.now()
    if (nowMs - (this.complaints.get(message) ?? -Infinity) < COMPLAINT_PAUSE_MS) return
    if (this.complaints.size >= MAX_COMPLAINTS) this.complaints.clear()
    this.complaints.set(message, nowMs)
    this.logger.warn({ from, code: 'MRD_CERTIFICATE' }, message)
  }

  private keep(link: SocketLink): SocketLink {
    this.links.add(link)
    link.onGone = () => this.links.delete(link)
    return link
  }
}

function remoteOf(socket: Socket): string {
  return socket.remoteAddress === undefined ? 'a connection that is gone' : `${socket.remoteAddress}:${socket.remotePort}`
}

/** Node sets it to a code, whatever its type says. */
function authorizationError(socket: TLSSocket): string {
  return String(socket.authorizationError ?? 'none was shown')
}

function checkDialled(certificate: PeerCertificate, address: PeerAddress, expected: PeerIdentity): Error | undefined {
  const found = identityOf(certificate.subjectaltname)
  if (found !== null && (expected.name === '' || found.name === expected.name) && found.clusterId === expected.clusterId)
    return undefined
  const who =
    found === null
      ? `no member (${certificate.subjectaltname ?? 'no subject alternative names'})`
      : `${found.name} of cluster ${found.clusterId}`
  return new MeridianError(
    found !== null && found.clusterId !== expected.clusterId ? 'MRD_PEER_CLUSTER' : 'MRD_PEER_IDENTITY',
    `The certificate at ${address.host}:${address.port} names ${who}; expected ${expected.name || 'a member'} of cluster ${expected.clusterId}`,
    'Correct the address in the topology, or give that member its own certificate.',
  )
}

function unreachable(address: PeerAddress, why: string, cause?: unknown): MeridianError {
  return new MeridianError(
    'MRD_PEER_UNREACHABLE',
    `${address.name || 'A member'} at ${address.host}:${address.port} cannot be reached: ${why}`,
    'It is tried again by itself; check the address and that the server runs there.',
    { cause },
  )
}

/** What a certificate verification error of OpenSSL means to the operator. */
const CERTIFICATE_ERRORS: Record<string, string> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet (or a clock is wrong)',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate was issued by another authority',
  UNABLE_TO_GET_ISSUER_CERT: 'its certificate was issued by another authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate was issued by another authority',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate was issued by another authority',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate was not issued by any authority',
  CERT_SIGNATURE_FAILURE: 'its certificate was issued by another authority of the same name',
}

function dialError(error: Error | null, address: PeerAddress, heard: boolean): Error | null {
  if (error instanceof MeridianError) return error
  const code = error !== null && 'code' in error ? String(error.code) : ''
  const meaning = CERTIFICATE_ERRORS[code]
  if (meaning !== undefined) {
    return new MeridianError(
      'MRD_CERTIFICATE',
      `${address.name} at ${address.host}:${address.port} is not trusted: ${meaning} (${code})`,
      'Renew its certificate with the authority of this cluster; or, if all of them are not trusted, the certificates of this member (peers.tls-ca-cert-file) are those of another one.',
      { cause: error },
    )
  }
  if (heard) return error
  if (
    code === 'ECONNREFUSED' ||
    code === 'EHOSTUNREACH' ||
    code === 'ETIMEDOUT' ||
    code === 'ENOTFOUND' ||
    code === 'EAI_AGAIN'
  ) {
    return unreachable(address, error?.message ?? code, error)
  }
  const why = error === null ? 'it closed the link before it said anything' : error.message
  return unreachable(address, `${why}; it may not accept the certificate of this member, its log says more`, error)
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): MeridianError {
  return error.code === 'EADDRINUSE'
    ? new MeridianError(
        'MRD_PORT_IN_USE',
        `The peer address ${host}:${port} is taken`,
        'Stop the process that listens there, or choose another port.',
        { cause: error },
      )
    : new MeridianError(
        'MRD_LISTEN',
        `The peer address ${host}:${port} cannot be opened: ${error.message}`,
        'Use an address of this machine and a port that this user may open.',
        { cause: error },
      )
}
