import type { Session } from './session.js'

/** A connected client as CLIENT LIST, CLIENT KILL and INFO see it. */
export interface ConnectedClient {
  readonly session: Session
  readonly address: string
  readonly localAddress: string
  readonly fd: number
  /** Bytes of input not yet run, and free room behind them. */
  readonly queryBufferBytes: number
  readonly queryBufferFreeBytes: number
  /** Bytes of replies not yet taken by the operating system. */
  readonly outputBytes: number
  readonly totalMemoryBytes: number
  kill(): void
}

export interface ClientRegistry {
  clients(): Iterable<ConnectedClient>
  find(id: number): ConnectedClient | undefined
  readonly count: number
  readonly maxClients: number
  readonly statistics: ClientStatistics
}

export interface ClientStatistics {
  totalConnections: number
  rejectedConnections: number
  netInputBytes: number
  netOutputBytes: number
  outputBufferLimitDisconnections: number
  queryBufferLimitDisconnections: number
  /** Disconnected because all clients together took too much. */
  evictedClients: number
}
