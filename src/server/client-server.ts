import { createServer, type Server, type Socket } from 'node:net'
import type { Server as TlsServer, TLSSocket } from 'node:tls'
import type { ClientRegistry, CommandExecutor } from '../engine/command-executor.js'
import type { Session } from '../engine/session.js'
import type { Clock, Timer } from '../ports/clock.js'
import type { Logger } from '../ports/logger.js'
import { ClientMemory } from './client-memory.js'
import { ClientTable } from './client-table.js'
import { Connection, type ConnectionHost } from './connection.js'
import { LingeringSockets } from './lingering-sockets.js'
import { type ListenAddress, listenOnAll } from './listen-address.js'
import type { ServerSettings } from './server-settings.js'
import { readAccepted, readEvents } from './socket-reading.js'
import { makeTlsServer, replaceCertificate, type ServerCertificate, type TlsSettings } from './tls-clients.js'
import { Turn } from './turn.js'

export interface ClientServerOptions {
  readonly executor: CommandExecutor
  readonly clock: Clock
  readonly logger: Logger
  /** Live: whoever changes a field changes the running server. */
  readonly settings: ServerSettings
  /** Addresses in Redis' notation: '127.0.0.1', '-::1', '*'. */
  readonly bind: readonly string[]
  /** Port for plain connections, 0 for any free one, null for none. */
  readonly port: number | null
  readonly tls: TlsSettings | null
  /** Called with every new session before its first command: says whether it is authenticated and as whom. */
  readonly admit: (session: Session) => void
}

const UPKEEP_MS = 1000
const STOP_GRACE_MS = 1000
const STOP_LOOK_MS = 10
const MAX_CLIENTS_REPLY = '-ERR max number of clients reached\r\n'

/** Listens for clients, and connects each with the engine. */
export class ClientServer {
  private readonly table: ClientTable
  private readonly lingering: LingeringSockets
  private readonly host: ConnectionHost
  private readonly turn: Turn
  private readonly memory: ClientMemory
  private servers: Server[] = []
  private tlsServers: TlsServer[] = []
  private upkeepTimer: Timer | null = null
  private stopping = false
  /** Where plain and TLS clients can connect; filled by start. */
  addresses: ListenAddress[] = []
  tlsAddresses: ListenAddress[] = []

  constructor(private readonly options: ClientServerOptions) {
    const { executor, clock, logger, settings } = options
    this.table = new ClientTable(settings)
    this.lingering = new LingeringSockets(clock)
    this.turn = new Turn(executor, clock)
    this.memory = new ClientMemory(this.table, settings, logger)
    this.host = {
      executor,
      turn: this.turn,
      clock,
      logger,
      settings,
      statistics: this.table.statistics,
      lingering: this.lingering,
      memory: this.memory,
      left: (connection) => {
        this.memory.left(connection)
        this.table.remove(connection)
      },
    }
  }

  get registry(): ClientRegistry {
    return this.table
  }

  /** @throws MeridianError MRD_PORT_IN_USE, MRD_LISTEN, MRD_CERTIFICATE; then nothing is left open. */
  async start(): Promise<void> {
    const { bind, port, tls, logger } = this.options
    try {
      if (port !== null) {
        const opened = await listenOnAll(bind, port, () =>
          createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => this.acceptPlain(socket)),
        )
        this.servers = opened.map(({ server }) => server)
        this.addresses = opened.map(({ address }) => address)
      }
      if (tls !== null) {
        const opened = await listenOnAll(bind, tls.port, () => {
          const server = makeTlsServer(tls, logger, (socket) => this.acceptTls(socket))
          this.tlsServers.push(server)
          return server
        })
        this.servers.push(...opened.map(({ server }) => server))
        this.tlsAddresses = opened.map(({ address }) => address)
      }
    } catch (error) {
      for (const server of this.servers) server.close()
      throw error
    }
    for (const server of this.servers) {
      // Such as too many open files: the listener goes on, the connection is lost.
      server.on('error', (error) => logger.warn({ error: error.message }, 'a client could not be accepted'))
    }
    this.scheduleUpkeep()
  }

  /** TLS clients that connect from now on see the new certificate. @throws MeridianError MRD_CERTIFICATE */
  replaceCertificate(certificate: ServerCertificate): void {
    replaceCertificate(this.tlsServers, certificate)
  }

  /** Accepts nobody any more, lets replies that are ready leave, closes every connection. */
  async stop(): Promise<void> {
    this.stopping = true
    this.upkeepTimer?.cancel()
    for (const server of this.servers) server.close()
    for (const connection of this.table.clients()) connection.beginClosing()
    this.turn.end()
    const { clock } = this.options
    const deadline = clock.monotonicMs() + STOP_GRACE_MS
    while (this.table.count + this.lingering.count > 0 && clock.monotonicMs() < deadline) {
      await new Promise<void>((resolve) => clock.setTimer(STOP_LOOK_MS, resolve))
    }
    for (const connection of this.table.clients()) connection.kill()
    this.lingering.destroyAll()
  }

  private acceptPlain(accepted: Socket): void {
    let connection: Connection | null = null
    const socket = readAccepted(accepted, (bytes, length) => connection?.received(bytes, length))
    connection = this.welcome(socket, false)
  }

  private acceptTls(socket: TLSSocket): void {
    const connection = this.welcome(socket, true)
    if (connection !== null) readEvents(socket, (bytes, length) => connection.received(bytes, length))
  }

  /** Makes the socket a client, or says why not. */
  private welcome(socket: Socket, encrypted: boolean): Connection | null {
    const { settings, admit } = this.options
    const { statistics } = this.table
    if (this.stopping || this.table.count >= settings.maxClients) {
      statistics.rejectedConnections++
      socket.on('error', () => {})
      if (!this.stopping) socket.write(MAX_CLIENTS_REPLY)
      this.lingering.close(socket)
      return null
    }
    statistics.totalConnections++
    if (settings.tcpKeepAliveSeconds > 0) socket.setKeepAlive(true, settings.tcpKeepAliveSeconds * 1000)
    const connection = new Connection(this.table.nextId(), this.host, socket, encrypted)
    admit(connection)
    this.table.add(connection)
    return connection
  }

  private scheduleUpkeep(): void {
    this.upkeepTimer = this.options.clock.setTimer(UPKEEP_MS, () => {
      const now = this.options.clock.wallMs()
      this.memory.upkeep()
      for (const connection of this.table.clients()) connection.upkeep(now)
      this.lingering.sweep()
      this.scheduleUpkeep()
    })
  }
}
