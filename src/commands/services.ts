import type { MemberId } from '../base/ids.js'
import type { VersionVector } from '../crdt/version-vector.js'
import type { ClientRegistry } from './client-registry.js'
import type { CommandTable } from './command-table.js'
import type { Session } from './session.js'

/** What commands may ask of the server around the keyspace. The composition root fills it. */
export interface Services {
  readonly table: CommandTable
  readonly clients: ClientRegistry
  readonly settings: SettingsService
  readonly replication: ReplicationService
  readonly server: ServerService
  readonly transactions: TransactionService
}

/** CONFIG. */
export interface SettingsService {
  /** Name and value of every setting whose name matches a glob pattern. */
  get(pattern: string): [string, string][]
  /** Sets all or none. Null, or the error reply in Redis' words. */
  set(pairs: readonly (readonly [string, string])[]): string | null
  /** Writes the settings to the configuration file. Null, or the error reply. */
  rewrite(): string | null
  resetStatistics(): void
  /** Current values that commands look at. */
  readonly requirePassword: string | null
  readonly debugCommand: 'yes' | 'no' | 'local'
}

/** How far writes have got in other members. */
export interface ReplicationService {
  readonly memberId: MemberId
  readonly applied: VersionVector
  readonly durable: VersionVector
  readonly stable: VersionVector
  /** Other members. */
  readonly peers: readonly PeerReport[]
  /** Calls back whenever `applied`, `durable` or a peer's report has moved. */
  onProgress(listener: () => void): void
}

/** One other member, as INFO peers and WAIT see it. */
export interface PeerReport {
  readonly id: MemberId
  readonly name: string
  readonly region: string
  /** State of the link that this member dialled, and of the one that the peer dialled. */
  readonly link: 'up' | 'connecting' | 'down'
  readonly inbound: 'up' | 'down'
  /** How old our oldest write is that the peer has not applied, and the peer's oldest that we have not; ms, 0 when there is none. */
  readonly lagMs: number
  readonly behindMs: number
  readonly roundTripMs: number
  readonly bytesIn: number
  readonly bytesOut: number
  /** Name of the member through which this one's ops come while there is no direct link, or null. */
  readonly relay: string | null
  readonly error: string | null
  /** Highest stamps that the peer reported as applied, and as durable. */
  readonly applied: VersionVector
  readonly durable: VersionVector
}

/** The process and its place in the cluster. */
export interface ServerService {
  readonly version: string
  readonly clusterId: string
  readonly memberName: string
  readonly region: string
  readonly zone: string
  readonly startedMs: number
  readonly runId: string
  readonly tcpPort: number
  readonly tlsPort: number
  readonly configFile: string
  readonly processId: number
  /** Bytes, from the operating system. */
  residentBytes(): number
  /** Seconds of CPU, user and system. */
  cpuSeconds(): { user: number; system: number }
  readonly log: LogReport
  /** Unix time in µs. */
  nowMicroseconds(): number
  /** Uniform in 0 .. 2^32-1. */
  random(): number
  /** Begins an orderly stop. */
  shutdown(): void
  /** The error reply while writes are refused (disk full, disk failure), or null. */
  readonly writeRefusal: string | null
  /** Equal in two members with equal vectors exactly when their data is equal. Slots first..last, inclusive. */
  digest(firstSlot: number, lastSlot: number): string
  readonly statistics: ServerStatistics
}

export interface ServerStatistics {
  commandsProcessed: number
  expiredKeys: number
  evictedKeys: number
  remoteFrames: number
  remoteOps: number
  /** Per second, over the last seconds. */
  operationsPerSecond: number
}

export interface LogReport {
  readonly appendedBytes: number
  readonly durableBytes: number
  readonly segments: number
  readonly policy: 'always' | 'everysec' | 'no'
  readonly lastError: string | null
}

export interface TransactionService {
  multi(session: Session): void
  discard(session: Session): void
  watch(session: Session, database: number, key: Uint8Array): void
  unwatch(session: Session): void
  /** Forgets the session's transaction state: RESET, disconnect. */
  reset(session: Session): void
}
