import type { EvictionPolicy } from '../base/eviction-policies.js'
import type { MemberId } from '../base/ids.js'

/**
 * Everything one member is told at start: its configuration file and flags, validated, with defaults filled in, paths absolute
 * and units converted. Settings that CONFIG SET can change are here with their first value; LiveSettings has the present one.
 */
export interface MemberConfig {
  /** Absolute path of the configuration file, or null when flags and defaults are all there is. */
  readonly file: string | null
  readonly clusterId: string
  readonly member: MemberIdentityConfig
  readonly storage: StorageConfig
  readonly clients: ClientsConfig
  /** Null: a database of one region, no peer port. */
  readonly peers: PeersConfig | null
  readonly pubsub: PubSubConfig
  readonly streams: StreamsConfig
  readonly logging: LoggingConfig
  readonly slowlog: SlowLogConfig
  readonly latency: LatencyConfig
  readonly memory: MemoryConfig
  readonly data: DataConfig
  readonly debug: DebugConfig
}

export interface MemberIdentityConfig {
  readonly id: MemberId
  /** Unique in the cluster; a DNS label, because the certificate carries it. */
  readonly name: string
  readonly region: string
  readonly zone: string
}

export const YES_NO = ['yes', 'no'] as const

export const APPENDFSYNC = ['always', 'everysec', 'no'] as const
export type Appendfsync = (typeof APPENDFSYNC)[number]

export interface StorageConfig {
  /** Absolute path of the data folder. */
  readonly dir: string
  readonly databases: number
  /** Live. */
  readonly appendfsync: Appendfsync
  /** A snapshot is written when the log behind the last one has this share of its size (0: never by itself) and both together this many bytes. Live. */
  readonly autoRewritePercentage: number
  readonly autoRewriteMinBytes: number
  /** Bytes of log kept for members that do not have them yet. Live. */
  readonly backlogBytes: number
  /** Bytes a second of snapshots for members that lack too much, all of them together; 0: no bound. */
  readonly syncMaxRate: number
}

export interface ClientsConfig {
  /** Addresses to listen on, at least one. */
  readonly bind: readonly string[]
  /** Null: no plain-text port (0 in the file). 0 asks the system for a free one; only tests do. */
  readonly port: number | null
  readonly tls: ClientTlsConfig | null
  /** Empty: no password. Live. */
  readonly requirepass: string
  /** Reads are answered while the data are known to be old. Live. */
  readonly servesStale: boolean
  /** Live. */
  readonly maxclients: number
  /** An idle client is disconnected after this long; 0 never. Whole seconds. Live. */
  readonly timeoutMs: number
  /** 0: off. Whole seconds. Live, for connections accepted afterwards. */
  readonly tcpKeepaliveMs: number
  /** Live. */
  readonly outputBufferLimit: OutputBufferLimit
  /** Of clients that listen to channels. Live. */
  readonly pubsubOutputBufferLimit: OutputBufferLimit
  /** Input that one client may have waiting, in bytes. Live. */
  readonly queryBufferLimit: number
  /** Longest bulk argument in bytes. Live. */
  readonly protoMaxBulkLen: number
}

export const TLS_AUTH_CLIENTS = ['yes', 'no', 'optional'] as const
export type TlsAuthClients = (typeof TLS_AUTH_CLIENTS)[number]

export interface TlsFiles {
  readonly certFile: string
  readonly keyFile: string
  readonly caFile: string
}

export interface ClientTlsConfig {
  /** 0 asks the system for a free one; only tests do. */
  readonly port: number
  readonly certFile: string
  readonly keyFile: string
  /** Null only when authClients is `no`. */
  readonly caFile: string | null
  readonly authClients: TlsAuthClients
}

/** What a client that does not read its replies may leave queued; 0 means no such bound. */
export interface OutputBufferLimit {
  /** Disconnected at once above this. */
  readonly hardBytes: number
  /** Disconnected when above this for softMs. */
  readonly softBytes: number
  readonly softMs: number
}

export interface PeersConfig extends TlsFiles {
  /** Address to listen on for other members. */
  readonly bind: string
  readonly port: number
  /**
   * The members that the cluster begins with, by id, this one included. Once the list was changed while they ran, the data folder's counts. Empty when this
   * one was added later: `join` is set then.
   */
  readonly members: readonly PeerMemberConfig[]
  /** The peer port of any member, which a new member asks for the list when its data folder is empty. */
  readonly join: { readonly host: string; readonly port: number } | null
  /** How long a member that starts waits to hear from another one how far its own writes had got, before it takes new ones. */
  readonly startWaitMs: number
}

export interface PeerMemberConfig extends MemberIdentityConfig {
  /** Where the other members reach its peer port. */
  readonly host: string
  readonly port: number
  /** Where clients and `meridian status` reach it on the same host; null when not told. */
  readonly clientPort: number | null
}

export const PUBSUB_SCOPES = ['cluster', 'local'] as const
export type PubSubScope = (typeof PUBSUB_SCOPES)[number]

/** Both live. */
export interface PubSubConfig {
  /** Whether messages that clients publish here reach the other members. */
  readonly scope: PubSubScope
  /** Keyspace events that are published, as bits of NotificationClass. */
  readonly notifyKeyspaceEvents: number
}

export const STREAM_ID_MODES = ['strict', 'semi-strict', 'liberal'] as const
export type StreamIdMode = (typeof STREAM_ID_MODES)[number]

/** All live. */
export interface StreamsConfig {
  /** Which IDs XADD takes and makes in a database with several members. */
  readonly idMode: StreamIdMode
  /** Entries and bytes of one chunk of a stream, 0: no bound but the built-in ones. MAXLEN ~ removes whole chunks. */
  readonly nodeMaxEntries: number
  readonly nodeMaxBytes: number
}

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export const LOG_FORMATS = ['json', 'pretty'] as const
export type LogFormat = (typeof LOG_FORMATS)[number]

export interface LoggingConfig {
  /** Live, as `loglevel`. */
  readonly level: LogLevel
  readonly format: LogFormat
}

/** How far collections are kept in their small forms: Redis' settings. All live. */
export interface CompactConfig {
  readonly hashMaxListpackEntries: number
  readonly hashMaxListpackValue: number
  readonly setMaxIntsetEntries: number
  readonly setMaxListpackEntries: number
  readonly setMaxListpackValue: number
  readonly zsetMaxListpackEntries: number
  readonly zsetMaxListpackValue: number
  readonly listMaxListpackSize: number
}

export interface DataConfig extends CompactConfig {
  /** Longest sparse representation of a HyperLogLog. Live. */
  readonly hllSparseMaxBytes: number
}

/** What is done when memory is short. All live. */
export interface MemoryConfig {
  /** Bytes; 0: no bound. */
  readonly maxmemory: number
  /** What all clients together may take: bytes, or negative a percentage of maxmemory; 0: no bound. */
  readonly maxmemoryClients: number
  readonly evictionPolicy: EvictionPolicy
  /** Keys looked at for one that is evicted. */
  readonly evictionSamples: number
  /** How long a command may take to make room: 0 (least) to 100. */
  readonly evictionTenacity: number
  readonly lfuLogFactor: number
  readonly lfuDecayMinutes: number
}

export interface LatencyConfig {
  /** Events that take at least so long are kept for LATENCY; 0: none. Live. */
  readonly thresholdMs: number
  /** How long commands take is counted, for LATENCY HISTOGRAM and INFO latencystats. Live. */
  readonly tracksCommands: boolean
  /** Percentiles that INFO latencystats shows, 0 to 100. Live. */
  readonly percentiles: readonly number[]
}

export interface SlowLogConfig {
  /** Commands that take longer are noted; negative: none. */
  readonly slowerThanMicroseconds: number
  readonly maxLength: number
}

export const DEBUG_COMMAND_ACCESS = ['no', 'local', 'yes'] as const
export type DebugCommandAccess = (typeof DEBUG_COMMAND_ACCESS)[number]

export interface DebugConfig {
  /** Who may use DEBUG: nobody, connections from this machine, everyone. */
  readonly enableDebugCommand: DebugCommandAccess
}
