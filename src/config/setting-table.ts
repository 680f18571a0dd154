import { EVICTION_POLICIES } from '../base/eviction-policies.js'
import { LIMITS } from '../base/limits.js'
import { formatNotificationClasses, NOTIFICATION_LETTERS, parseNotificationClasses } from '../base/notification-classes.js'
import {
  APPENDFSYNC,
  LOG_LEVELS,
  PUBSUB_SCOPES,
  type Appendfsync,
  type DataConfig,
  type LogLevel,
  type MemberConfig,
  type MemoryConfig,
  type OutputBufferLimit,
  STREAM_ID_MODES,
  YES_NO,
  type PubSubScope,
  type StreamIdMode,
} from './member-config.js'
import { formatOutputBufferLimits, formatOutputBufferLimitsForFile, parseOutputBufferLimits } from './output-buffer-limit.js'
import { formatPercentiles, parsePercentiles } from './percentiles.js'
import { formatDuration, formatSize, formatSizeOrPercentage, parseSize, parseSizeOrPercentage } from './units.js'

/** The settings that may change while the server runs. */
export interface LiveValues extends DataConfig, MemoryConfig {
  readonly appendfsync: Appendfsync
  readonly autoRewritePercentage: number
  readonly autoRewriteMinBytes: number
  readonly backlogBytes: number
  readonly syncMaxRate: number
  readonly servesStale: boolean
  readonly requirepass: string
  readonly maxclients: number
  readonly timeoutMs: number
  readonly tcpKeepaliveMs: number
  readonly outputBufferLimit: OutputBufferLimit
  readonly pubsubOutputBufferLimit: OutputBufferLimit
  readonly queryBufferLimit: number
  readonly protoMaxBulkLen: number
  readonly pubsubScope: PubSubScope
  readonly notifyKeyspaceEvents: number
  readonly streamIdMode: StreamIdMode
  readonly streamNodeMaxEntries: number
  readonly streamNodeMaxBytes: number
  readonly loglevel: LogLevel
  /** Commands that take longer are noted; negative: none. */
  readonly slowlogSlowerThanMicroseconds: number
  readonly slowlogMaxLength: number
  /** 0: nothing is watched. */
  readonly latencyThresholdMs: number
  readonly latencyTracking: boolean
  readonly latencyPercentiles: readonly number[]
}

export function initialLiveValues(config: MemberConfig): LiveValues {
  const { clients } = config
  return {
    appendfsync: config.storage.appendfsync,
    autoRewritePercentage: config.storage.autoRewritePercentage,
    autoRewriteMinBytes: config.storage.autoRewriteMinBytes,
    backlogBytes: config.storage.backlogBytes,
    syncMaxRate: config.storage.syncMaxRate,
    servesStale: clients.servesStale,
    requirepass: clients.requirepass,
    maxclients: clients.maxclients,
    timeoutMs: clients.timeoutMs,
    tcpKeepaliveMs: clients.tcpKeepaliveMs,
    outputBufferLimit: clients.outputBufferLimit,
    pubsubOutputBufferLimit: clients.pubsubOutputBufferLimit,
    queryBufferLimit: clients.queryBufferLimit,
    protoMaxBulkLen: clients.protoMaxBulkLen,
    pubsubScope: config.pubsub.scope,
    notifyKeyspaceEvents: config.pubsub.notifyKeyspaceEvents,
    streamIdMode: config.streams.idMode,
    streamNodeMaxEntries: config.streams.nodeMaxEntries,
    streamNodeMaxBytes: config.streams.nodeMaxBytes,
    loglevel: config.logging.level,
    slowlogSlowerThanMicroseconds: config.slowlog.slowerThanMicroseconds,
    slowlogMaxLength: config.slowlog.maxLength,
    latencyThresholdMs: config.latency.thresholdMs,
    latencyTracking: config.latency.tracksCommands,
    latencyPercentiles: config.latency.percentiles,
    ...config.memory,
    ...config.data,
  }
}

/** What CONFIG GET, SET and REWRITE know of one setting. */
export interface Setting {
  /** Redis' name where Redis has the setting. */
  readonly name: string
  /** The value as CONFIG GET shows it. */
  get(values: LiveValues, config: MemberConfig): string
  /** Missing: cannot be changed while the server runs. */
  readonly change?: SettingChange
  /** Redis could change it, here it is always this: setting it to what it is succeeds. */
  readonly isConstant?: boolean
}

export interface SettingChange {
  /** What the text changes, or Redis' words for what is wrong with it. */
  parse(text: string): Partial<LiveValues> | string
  /** Where it stands in the configuration file. */
  readonly filePath: readonly [section: string, key: string]
  /** How it is written there. */
  toFile(values: LiveValues): string | number
}

const INT_MAX = 2 ** 31 - 1
const UINT_MAX = 2 ** 32 - 1

export const SETTINGS: readonly Setting[] = [
  fixed('cluster-id', (config) => config.clusterId),
  fixed('member-id', (config) => String(config.member.id)),
  fixed('member-name', (config) => config.member.name),
  fixed('region', (config) => config.member.region),
  fixed('zone', (config) => config.member.zone),
  fixed('dir', (config) => config.storage.dir),
  fixed('databases', (config) => String(config.storage.databases)),
  fixed('bind', (config) => config.clients.bind.join(' ')),
  fixed('port', (config) => String(config.clients.port ?? 0)),
  fixed('tls-port', (config) => String(config.clients.tls?.port ?? 0)),
  fixed('tls-cert-file', (config) => config.clients.tls?.certFile ?? ''),
  fixed('tls-key-file', (config) => config.clients.tls?.keyFile ?? ''),
  fixed('tls-ca-cert-file', (config) => config.clients.tls?.caFile ?? ''),
  fixed('tls-auth-clients', (config) => config.clients.tls?.authClients ?? 'yes'),
  fixed('peer-bind', (config) => config.peers?.bind ?? ''),
  fixed('peer-port', (config) => String(config.peers?.port ?? 0)),
  fixed('log-format', (config) => config.logging.format),
  fixed('enable-debug-command', (config) => config.debug.enableDebugCommand),
  // True of every Meridian server, and asked for by redis-benchmark, client libraries and tests.
  fixed('daemonize', () => 'no'),
  constant('appendonly', 'yes'),
  constant('aof-use-rdb-preamble', 'no'),
  constant('save', ''),
  constant('hz', '10'),
  constant('lazyfree-lazy-eviction', 'yes'),
  constant('lazyfree-lazy-expire', 'yes'),
  constant('lazyfree-lazy-server-del', 'yes'),
  constant('lazyfree-lazy-user-del', 'yes'),
  constant('lazyfree-lazy-user-flush', 'yes'),
  {
    name: 'appendfsync',
    get: (values) => values.appendfsync,
    change: {
      parse: (text) => choice(text, APPENDFSYNC, (appendfsync) => ({ appendfsync })),
      filePath: ['storage', 'appendfsync'],
      toFile: (values) => values.appendfsync,
    },
  },
  {
    name: 'auto-aof-rewrite-percentage',
    get: (values) => String(values.autoRewritePercentage),
    change: {
      parse: (text) => integer(text, 0, INT_MAX, (autoRewritePercentage) => ({ autoRewritePercentage })),
      filePath: ['storage', 'auto-aof-rewrite-percentage'],
      toFile: (values) => values.autoRewritePercentage,
    },
  },
  {
    name: 'auto-aof-rewrite-min-size',
    get: (values) => String(values.autoRewriteMinBytes),
    change: {
      parse: (text) => size(text, 0, Number.MAX_SAFE_INTEGER, (autoRewriteMinBytes) => ({ autoRewriteMinBytes })),
      filePath: ['storage', 'auto-aof-rewrite-min-size'],
      toFile: (values) => formatSize(values.autoRewriteMinBytes),
    },
  },
  {
    name: 'repl-backlog-size',
    get: (values) => String(values.backlogBytes),
    change: {
      parse: (text) => size(text, 0, Number.MAX_SAFE_INTEGER, (backlogBytes) => ({ backlogBytes })),
      filePath: ['storage', 'repl-backlog-size'],
      toFile: (values) => formatSize(values.backlogBytes),
    },
  },
  {
    name: 'sync-max-rate',
    get: (values) => String(values.syncMaxRate),
    change: {
      parse: (text) => size(text, 0, Number.MAX_SAFE_INTEGER, (syncMaxRate) => ({ syncMaxRate })),
      filePath: ['storage', 'sync-max-rate'],
      toFile: (values) => formatSize(values.syncMaxRate),
    },
  },
  ...['replica-serve-stale-data', 'slave-serve-stale-data'].map((name) => ({
    name,
    get: (values: LiveValues) => yesOrNo(values.servesStale),
    change: {
      parse: (text: string) => choice(text, YES_NO, (answer) => ({ servesStale: answer === 'yes' })),
      filePath: ['clients', 'replica-serve-stale-data'] as const,
      toFile: (values: LiveValues) => yesOrNo(values.servesStale),
    },
  })),
  {
    name: 'requirepass',
    get: (values) => values.requirepass,
    change: {
      parse: (requirepass) => {
        return requirepass.length <= LIMITS.maxPasswordBytes
          ? { requirepass }
          : `argument must be at most ${LIMITS.maxPasswordBytes} bytes`
      },
      filePath: ['clients', 'requirepass'],
      toFile: (values) => values.requirepass,
    },
  },
  {
    name: 'maxclients',
    get: (values) => String(values.maxclients),
    change: {
      parse: (text) => integer(text, 1, UINT_MAX, (maxclients) => ({ maxclients })),
      filePath: ['clients', 'maxclients'],
      toFile: (values) => values.maxclients,
    },
  },
  {
    name: 'timeout',
    get: (values) => String(values.timeoutMs / 1000),
    change: {
      parse: (text) => integer(text, 0, INT_MAX, (seconds) => ({ timeoutMs: seconds * 1000 })),
      filePath: ['clients', 'timeout'],
      toFile: (values) => formatDuration(values.timeoutMs),
    },
  },
  {
    name: 'tcp-keepalive',
    get: (values) => String(values.tcpKeepaliveMs / 1000),
    change: {
      parse: (text) => integer(text, 0, INT_MAX, (seconds) => ({ tcpKeepaliveMs: seconds * 1000 })),
      filePath: ['clients', 'tcp-keepalive'],
      toFile: (values) => formatDuration(values.tcpKeepaliveMs),
    },
  },
  {
    name: 'client-output-buffer-limit',
    get: (values) => formatOutputBufferLimits(values.outputBufferLimit, values.pubsubOutputBufferLimit),
    change: {
      parse: (text) => {
        const limits = parseOutputBufferLimits(text)
        if (typeof limits === 'string') return limits
        const { normal, pubsub } = limits
        return {
          ...(normal !== undefined && { outputBufferLimit: normal }),
          ...(pubsub !== undefined && { pubsubOutputBufferLimit: pubsub }),
        }
      },
      filePath: ['clients', 'client-output-buffer-limit'],
      toFile: (values) => formatOutputBufferLimitsForFile(values.outputBufferLimit, values.pubsubOutputBufferLimit),
    },
  },
  {
    name: 'client-query-buffer-limit',
    get: (values) => String(values.queryBufferLimit),
    change: {
      parse: (text) => size(text, 1024 ** 2, 64 * 1024 ** 3, (queryBufferLimit) => ({ queryBufferLimit })),
      filePath: ['clients', 'client-query-buffer-limit'],
      toFile: (values) => formatSize(values.queryBufferLimit),
    },
  },
  {
    name: 'proto-max-bulk-len',
    get: (values) => String(values.protoMaxBulkLen),
    change: {
      parse: (text) => size(text, 1024 ** 2, LIMITS.maxBulkBytes, (protoMaxBulkLen) => ({ protoMaxBulkLen })),
      filePath: ['clients', 'proto-max-bulk-len'],
      toFile: (values) => formatSize(values.protoMaxBulkLen),
    },
  },
  {
    name: 'pubsub-scope',
    get: (values) => values.pubsubScope,
    change: {
      parse: (text) => choice(text, PUBSUB_SCOPES, (pubsubScope) => ({ pubsubScope })),
      filePath: ['pubsub', 'scope'],
      toFile: (values) => values.pubsubScope,
    },
  },
  {
    name: 'notify-keyspace-events',
    get: (values) => formatNotificationClasses(values.notifyKeyspaceEvents),
    change: {
      parse: (text) => {
        const notifyKeyspaceEvents = parseNotificationClasses(text)
        return notifyKeyspaceEvents === null
          ? `Invalid event class character. Use '${NOTIFICATION_LETTERS}'.`
          : { notifyKeyspaceEvents }
      },
      filePath: ['pubsub', 'notify-keyspace-events'],
      toFile: (values) => formatNotificationClasses(values.notifyKeyspaceEvents),
    },
  },
  {
    name: 'stream-id-mode',
    get: (values) => values.streamIdMode,
    change: {
      parse: (text) => choice(text, STREAM_ID_MODES, (streamIdMode) => ({ streamIdMode })),
      filePath: ['streams', 'id-mode'],
      toFile: (values) => values.streamIdMode,
    },
  },
  {
    name: 'stream-node-max-entries',
    get: (values) => String(values.streamNodeMaxEntries),
    change: {
      parse: (text) => integer(text, 0, INT_MAX, (streamNodeMaxEntries) => ({ streamNodeMaxEntries })),
      filePath: ['streams', 'node-max-entries'],
      toFile: (values) => values.streamNodeMaxEntries,
    },
  },
  {
    name: 'stream-node-max-bytes',
    get: (values) => String(values.streamNodeMaxBytes),
    change: {
      parse: (text) => integer(text, 0, INT_MAX, (streamNodeMaxBytes) => ({ streamNodeMaxBytes })),
      filePath: ['streams', 'node-max-bytes'],
      toFile: (values) => values.streamNodeMaxBytes,
    },
  },
  {
    name: 'loglevel',
    get: (values) => values.loglevel,
    change: {
      parse: (text) => choice(text, LOG_LEVELS, (loglevel) => ({ loglevel })),
      filePath: ['logging', 'level'],
      toFile: (values) => values.loglevel,
    },
  },
  {
    name: 'slowlog-log-slower-than',
    get: (values) => String(values.slowlogSlowerThanMicroseconds),
    change: {
      parse: (text) => integer(text, -1, INT_MAX, (slowlogSlowerThanMicroseconds) => ({ slowlogSlowerThanMicroseconds })),
      filePath: ['slowlog', 'log-slower-than'],
      toFile: (values) => values.slowlogSlowerThanMicroseconds,
    },
  },
  {
    name: 'slowlog-max-len',
    get: (values) => String(values.slowlogMaxLength),
    change: {
      parse: (text) => integer(text, 0, LIMITS.slowLogEntries, (slowlogMaxLength) => ({ slowlogMaxLength })),
      filePath: ['slowlog', 'max-len'],
      toFile: (values) => values.slowlogMaxLength,
    },
  },
  {
    name: 'latency-monitor-threshold',
    get: (values) => String(values.latencyThresholdMs),
    change: {
      parse: (text) => integer(text, 0, INT_MAX, (latencyThresholdMs) => ({ latencyThresholdMs })),
      filePath: ['latency', 'monitor-threshold'],
      toFile: (values) => values.latencyThresholdMs,
    },
  },
  {
    name: 'latency-tracking',
    get: (values) => yesOrNo(values.latencyTracking),
    change: {
      parse: (text) => choice(text, YES_NO, (answer) => ({ latencyTracking: answer === 'yes' })),
      filePath: ['latency', 'tracking'],
      toFile: (values) => yesOrNo(values.latencyTracking),
    },
  },
  {
    name: 'latency-tracking-info-percentiles',
    get: (values) => formatPercentiles(values.latencyPercentiles),
    change: {
      parse: (text) => {
        const latencyPercentiles = parsePercentiles(text)
        return typeof latencyPercentiles === 'string' ? latencyPercentiles : { latencyPercentiles }
      },
      filePath: ['latency', 'tracking-info-percentiles'],
      toFile: (values) => formatPercentiles(values.latencyPercentiles),
    },
  },
  {
    name: 'maxmemory',
    get: (values) => String(values.maxmemory),
    change: {
      parse: (text) => size(text, 0, Number.MAX_SAFE_INTEGER, (maxmemory) => ({ maxmemory })),
      filePath: ['memory', 'maxmemory'],
      toFile: (values) => formatSize(values.maxmemory),
    },
  },
  {
    name: 'maxmemory-clients',
    get: ({ maxmemoryClients }) => (maxmemoryClients < 0 ? formatSizeOrPercentage(maxmemoryClients) : String(maxmemoryClients)),
    change: {
      parse: (text) => {
        const maxmemoryClients = parseSizeOrPercentage(text)
        return typeof maxmemoryClients === 'string' ? maxmemoryClients : { maxmemoryClients }
      },
      filePath: ['memory', 'maxmemory-clients'],
      toFile: (values) => formatSizeOrPercentage(values.maxmemoryClients),
    },
  },
  {
    name: 'maxmemory-policy',
    get: (values) => values.evictionPolicy,
    change: {
      parse: (text) => choice(text, EVICTION_POLICIES, (evictionPolicy) => ({ evictionPolicy })),
      filePath: ['memory', 'maxmemory-policy'],
      toFile: (values) => values.evictionPolicy,
    },
  },
  {
    name: 'maxmemory-samples',
    get: (values) => String(values.evictionSamples),
    change: {
      parse: (text) => integer(text, 1, LIMITS.evictionSamples, (evictionSamples) => ({ evictionSamples })),
      filePath: ['memory', 'maxmemory-samples'],
      toFile: (values) => values.evictionSamples,
    },
  },
  {
    name: 'maxmemory-eviction-tenacity',
    get: (values) => String(values.evictionTenacity),
    change: {
      parse: (text) => integer(text, 0, 100, (evictionTenacity) => ({ evictionTenacity })),
      filePath: ['memory', 'maxmemory-eviction-tenacity'],
      toFile: (values) => values.evictionTenacity,
    },
  },
  {
    name: 'lfu-log-factor',
    get: (values) => String(values.lfuLogFactor),
    change: {
      parse: (text) => integer(text, 0, INT_MAX, (lfuLogFactor) => ({ lfuLogFactor })),
      filePath: ['memory', 'lfu-log-factor'],
      toFile: (values) => values.lfuLogFactor,
    },
  },
  {
    name: 'lfu-decay-time',
    get: (values) => String(values.lfuDecayMinutes),
    change: {
      parse: (text) => integer(text, 0, INT_MAX, (lfuDecayMinutes) => ({ lfuDecayMinutes })),
      filePath: ['memory', 'lfu-decay-time'],
      toFile: (values) => values.lfuDecayMinutes,
    },
  },
  {
    name: 'hll-sparse-max-bytes',
    get: (values) => String(values.hllSparseMaxBytes),
    change: {
      parse: (text) => size(text, 0, LIMITS.hllSparseBytes, (hllSparseMaxBytes) => ({ hllSparseMaxBytes })),
      filePath: ['data', 'hll-sparse-max-bytes'],
      toFile: (values) => values.hllSparseMaxBytes,
    },
  },
  ...aliased(
    ['hash-max-listpack-entries', 'hash-max-ziplist-entries'],
    (values) => values.hashMaxListpackEntries,
    (text) => integer(text, 0, Number.MAX_SAFE_INTEGER, (hashMaxListpackEntries) => ({ hashMaxListpackEntries })),
  ),
  ...aliased(
    ['hash-max-listpack-value', 'hash-max-ziplist-value'],
    (values) => values.hashMaxListpackValue,
    (text) => size(text, 0, Number.MAX_SAFE_INTEGER, (hashMaxListpackValue) => ({ hashMaxListpackValue })),
  ),
  ...aliased(
    ['set-max-intset-entries'],
    (values) => values.setMaxIntsetEntries,
    (text) => integer(text, 0, Number.MAX_SAFE_INTEGER, (setMaxIntsetEntries) => ({ setMaxIntsetEntries })),
  ),
  ...aliased(
    ['set-max-listpack-entries'],
    (values) => values.setMaxListpackEntries,
    (text) => integer(text, 0, Number.MAX_SAFE_INTEGER, (setMaxListpackEntries) => ({ setMaxListpackEntries })),
  ),
  ...aliased(
    ['set-max-listpack-value'],
    (values) => values.setMaxListpackValue,
    (text) => size(text, 0, Number.MAX_SAFE_INTEGER, (setMaxListpackValue) => ({ setMaxListpackValue })),
  ),
  ...aliased(
    ['zset-max-listpack-entries', 'zset-max-ziplist-entries'],
    (values) => values.zsetMaxListpackEntries,
    (text) => integer(text, 0, Number.MAX_SAFE_INTEGER, (zsetMaxListpackEntries) => ({ zsetMaxListpackEntries })),
  ),
  ...aliased(
    ['zset-max-listpack-value', 'zset-max-ziplist-value'],
    (values) => values.zsetMaxListpackValue,
    (text) => size(text, 0, Number.MAX_SAFE_INTEGER, (zsetMaxListpackValue) => ({ zsetMaxListpackValue })),
  ),
  ...aliased(
    ['list-max-listpack-size', 'list-max-ziplist-size'],
    (values) => values.listMaxListpackSize,
    (text) => integer(text, -INT_MAX - 1, INT_MAX, (listMaxListpackSize) => ({ listMaxListpackSize })),
  ),
]

function fixed(name: string, get: (config: MemberConfig) => string): Setting {
  return { name, get: (_values, config) => get(config) }
}

function constant(name: string, value: string): Setting {
  return { name, get: () => value, isConstant: true }
}

/** A number of the data section, by its name there and by the one that Redis had before. */
function aliased(
  names: readonly [name: string, ...former: string[]],
  read: (values: LiveValues) => number,
  parse: SettingChange['parse'],
): Setting[] {
  const change: SettingChange = { parse, filePath: ['data', names[0]], toFile: read }
  return names.map((name) => ({ name, get: (values) => String(read(values)), change }))
}

function yesOrNo(value: boolean): 'yes' | 'no' {
  return value ? 'yes' : 'no'
}

function choice<T extends string>(text: string, choices: readonly T[], change: (value: T) => Partial<LiveValues>) {
  const chosen = choices.find((candidate) => candidate === text.toLowerCase())
  return chosen === undefined ? `argument(s) must be one of the following: ${choices.join(', ')}` : change(chosen)
}

function integer(text: string, min: number, max: number, change: (value: number) => Partial<LiveValues>) {
  if (!/^-?\d{1,15}$/.test(text)) return "argument couldn't be parsed into an integer"
  return between(Number(text), min, max) ?? change(Number(text))
}

function size(text: string, min: number, max: number, change: (bytes: number) => Partial<LiveValues>) {
  const bytes = parseSize(text)
  return bytes === undefined ? 'argument must be a memory value' : (between(bytes, min, max) ?? change(bytes))
}

function between(value: number, min: number, max: number): string | undefined {
  return value >= min && value <= max ? undefined : `argument must be between ${min} and ${max} inclusive`
}
