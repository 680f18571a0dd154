import { z } from 'zod'
import { EVICTION_POLICIES } from '../base/eviction-policies.js'
import { MAX_MEMBER_ID, type MemberId } from '../base/ids.js'
import { LIMITS } from '../base/limits.js'
import { DNS_LABEL, HOST, parseHostPort, PLACE_LABEL } from '../base/names.js'
import { NOTIFICATION_LETTERS, parseNotificationClasses } from '../base/notification-classes.js'
import {
  APPENDFSYNC,
  DEBUG_COMMAND_ACCESS,
  LOG_FORMATS,
  LOG_LEVELS,
  PUBSUB_SCOPES,
  STREAM_ID_MODES,
  TLS_AUTH_CLIENTS,
  YES_NO,
} from './member-config.js'
import { DEFAULT_OUTPUT_BUFFER_LIMITS, parseOutputBufferLimits } from './output-buffer-limit.js'
import { parsePercentiles } from './percentiles.js'
import { formatSize, parseDuration, parseSize, parseSizeOrPercentage } from './units.js'

/**
 * The configuration file, key by key: Redis' names where Redis has the thing. Values come out converted (bytes, milliseconds);
 * what must hold between keys is checked in load.ts. Every message says what was found and what is allowed.
 */

/** Seconds that Redis' int settings can hold. */
const MAX_SECONDS = 2 ** 31 - 1
const SMALLEST_BULK_LIMIT = 1024 * 1024

/** As in Redis: `*` and `::*` are all addresses, a leading `-` says that the address may be missing. */
const BIND = /^-?(?:\*|::\*|[A-Za-z0-9._:%][A-Za-z0-9._:%-]{0,254})$/

/** A value, how to read it, and what to say when it cannot be read. No fallback: the key must be there. */
function value<T>(allowed: string, read: (input: unknown) => T | undefined, fallback?: T, secret = false) {
  return z
    .unknown()
    .optional()
    .transform((input, context): T => {
      if (input === undefined && fallback !== undefined) return fallback
      const result = input === undefined || input === null ? undefined : read(input)
      if (result !== undefined) return result
      const found = input === undefined ? 'is missing' : `found ${describe(input, secret)}`
      context.issues.push({ code: 'custom', message: `${found}; allowed: ${allowed}`, input })
      return z.NEVER
    })
}

/** What was found, shortened; a secret is never repeated. */
export function describe(input: unknown, secret = false): string {
  if (input === null) return 'no value'
  if (Array.isArray(input)) return 'a list'
  if (typeof input === 'object') return 'a section'
  if (secret) return `a ${typeof input}`
  const text = JSON.stringify(input)
  return text.length > 80 ? `${text.slice(0, 77)}…` : text
}

function text(allowed: string, accept: (input: string) => boolean, fallback?: string) {
  return value(allowed, (input) => (typeof input === 'string' && accept(input) ? input : undefined), fallback)
}

function oneOf<const T extends string>(choices: readonly T[], fallback: T) {
  return value(choices.join(', '), (input) => choices.find((choice) => choice === input), fallback)
}

const percentiles = value<readonly number[]>(
  'numbers from 0 to 100 with spaces between',
  (input) => {
    const shares = typeof input === 'string' || typeof input === 'number' ? parsePercentiles(String(input)) : ''
    return typeof shares === 'string' ? undefined : shares
  },
  [50, 99, 99.9],
)

function integer(min: number, max: number, fallback?: number, note = '') {
  const read = (input: unknown): number | undefined => {
    const number = typeof input === 'string' && /^\d{1,15}$/.test(input) ? Number(input) : input
    return typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max ? number : undefined
  }
  return value(`a whole number from ${min} to ${max}${note}`, read, fallback)
}

function wholeSeconds(fallbackMs: number) {
  const read = (input: unknown): number | undefined => {
    const ms = typeof input === 'string' || typeof input === 'number' ? parseDuration(String(input)) : undefined
    return ms !== undefined && ms % 1000 === 0 && ms / 1000 <= MAX_SECONDS ? ms : undefined
  }
  return value('whole seconds with their unit, such as 30s, 5m or 2h, or 0 for off', read, fallbackMs)
}

function duration(minMs: number, maxMs: number, fallbackMs: number) {
  const read = (input: unknown): number | undefined => {
    const ms = typeof input === 'string' || typeof input === 'number' ? parseDuration(String(input)) : undefined
    return ms !== undefined && ms >= minMs && ms <= maxMs ? ms : undefined
  }
  return value(`a duration of at most ${maxMs / 1000}s with its unit, such as 500ms or 3s`, read, fallbackMs)
}

function size(min: number, max: number, fallback: number) {
  const read = (input: unknown): number | undefined => {
    const bytes = typeof input === 'string' || typeof input === 'number' ? parseSize(String(input)) : undefined
    return bytes !== undefined && bytes >= min && bytes <= max ? bytes : undefined
  }
  return value(`a size from ${formatSize(min)} to ${formatSize(max)}, such as 64mb`, read, fallback)
}

const sizeOrPercentage = value(
  'a size such as 256mb, or a percentage of maxmemory such as 5%; 0 is no bound',
  (input) => {
    const found = typeof input === 'string' || typeof input === 'number' ? parseSizeOrPercentage(String(input)) : undefined
    return typeof found === 'number' ? found : undefined
  },
  0,
)

const dnsLabel = (fallback?: string) =>
  text(
    '1 to 63 characters of a-z, 0-9 and -, beginning and ending with a letter or digit',
    (input) => DNS_LABEL.test(input),
    fallback,
  )
const placeLabel = text('1 to 63 characters of letters, digits, dot, - and _', (input) => PLACE_LABEL.test(input))
const host = (fallback?: string) => text('a host name or an address', (input) => HOST.test(input), fallback)
const path = text('a path', (input) => input.length > 0 && !input.includes('\0'))
const port = (fallback?: number) => integer(1, 65535, fallback)
const portOrOff = (fallback: number) => integer(0, 65535, fallback, ' (0 is off)')
const memberId = (fallback?: number) => integer(1, MAX_MEMBER_ID, fallback).transform((id) => id as MemberId)

const bindList = value(
  'addresses to listen on, as a list or separated by spaces',
  (input): readonly string[] | undefined => {
    const hosts: unknown[] = typeof input === 'string' ? input.split(/\s+/) : Array.isArray(input) ? input : []
    const valid = hosts.length > 0 && hosts.every((entry): entry is string => typeof entry === 'string' && BIND.test(entry))
    return valid ? hosts : undefined
  },
  ['127.0.0.1'],
)

const password = value(
  'text; put it in quotes',
  (input) => (typeof input === 'string' && input.length <= LIMITS.maxPasswordBytes ? input : undefined),
  '',
  true,
)

const outputBufferLimit = value(
  'CLASS HARD SOFT SECONDS, for the classes normal and pubsub, such as "normal 1gb 256mb 60s pubsub 32mb 8mb 60s"; 0 is no bound',
  (input) => {
    const limits = typeof input === 'string' ? parseOutputBufferLimits(input) : undefined
    return typeof limits === 'object' ? { ...DEFAULT_OUTPUT_BUFFER_LIMITS, ...limits } : undefined
  },
  DEFAULT_OUTPUT_BUFFER_LIMITS,
)

const notificationClasses = value(
  `letters of ${Array.from(NOTIFICATION_LETTERS).join(', ')}, in quotes`,
  (input) => (typeof input === 'string' ? (parseNotificationClasses(input) ?? undefined) : undefined),
  0,
)

const hostPort = value('host:port', (input) => (typeof input === 'string' ? (parseHostPort(input) ?? undefined) : undefined))

const peerMember = z.strictObject({
  id: memberId(),
  name: dnsLabel(),
  region: placeLabel,
  zone: placeLabel.optional(),
  host: host(),
  port: port(),
  'client-port': port().optional(),
})

export const fileSchema = z.strictObject({
  cluster: z.strictObject({ id: dnsLabel('meridian') }).prefault({}),
  member: z
    .strictObject({
      id: memberId(1),
      name: dnsLabel('local'),
      region: placeLabel.optional(),
      zone: placeLabel.optional(),
    })
    .prefault({}),
  storage: z
    .strictObject({
      dir: path.optional(),
      databases: integer(1, LIMITS.maxDatabases, LIMITS.defaultDatabases),
      appendfsync: oneOf(APPENDFSYNC, 'everysec'),
      'auto-aof-rewrite-percentage': integer(0, MAX_SECONDS, 100),
      'auto-aof-rewrite-min-size': size(0, Number.MAX_SAFE_INTEGER, 64 * 1024 ** 2),
      'repl-backlog-size': size(0, Number.MAX_SAFE_INTEGER, LIMITS.defaultBacklogBytes),
      'sync-max-rate': size(0, Number.MAX_SAFE_INTEGER, 0),
    })
    .prefault({}),
  clients: z
    .strictObject({
      bind: bindList,
      port: portOrOff(6379),
      'tls-port': portOrOff(0),
      'tls-cert-file': path.optional(),
      'tls-key-file': path.optional(),
      'tls-ca-cert-file': path.optional(),
      'tls-auth-clients': oneOf(TLS_AUTH_CLIENTS, 'yes'),
      requirepass: password,
      'replica-serve-stale-data': oneOf(YES_NO, 'yes'),
      maxclients: integer(1, 2 ** 32 - 1, 10_000),
      timeout: wholeSeconds(0),
      'tcp-keepalive': wholeSeconds(300_000),
      'client-output-buffer-limit': outputBufferLimit,
      'client-query-buffer-limit': size(SMALLEST_BULK_LIMIT, 64 * 1024 ** 3, 1024 ** 3),
      'proto-max-bulk-len': size(SMALLEST_BULK_LIMIT, LIMITS.maxBulkBytes, LIMITS.maxBulkBytes),
    })
    .prefault({}),
  peers: z
    .strictObject({
      bind: host('0.0.0.0'),
      port: port(),
      'tls-cert-file': path,
      'tls-key-file': path,
      'tls-ca-cert-file': path,
      members: z.array(peerMember).min(1).max(LIMITS.maxMembers).optional(),
      join: hostPort.optional(),
      'start-wait': duration(0, 600_000, 3000),
    })
    .optional(),
  pubsub: z.strictObject({ scope: oneOf(PUBSUB_SCOPES, 'cluster'), 'notify-keyspace-events': notificationClasses }).prefault({}),
  streams: z
    .strictObject({
      'id-mode': oneOf(STREAM_ID_MODES, 'semi-strict'),
      'node-max-entries': integer(0, MAX_SECONDS, 100),
      'node-max-bytes': integer(0, MAX_SECONDS, 4096),
    })
    .prefault({}),
  logging: z.strictObject({ level: oneOf(LOG_LEVELS, 'info'), format: oneOf(LOG_FORMATS, 'json') }).prefault({}),
  slowlog: z
    .strictObject({
      // Microseconds; -1 notes nothing.
      'log-slower-than': integer(-1, MAX_SECONDS, 10_000),
      'max-len': integer(0, LIMITS.slowLogEntries, 128),
    })
    .prefault({}),
  latency: z
    .strictObject({
      // Milliseconds; 0 watches nothing.
      'monitor-threshold': integer(0, MAX_SECONDS, 0),
      tracking: oneOf(YES_NO, 'yes'),
      'tracking-info-percentiles': percentiles,
    })
    .prefault({}),
  memory: z
    .strictObject({
      // Bytes; 0 is no bound.
      maxmemory: size(0, Number.MAX_SAFE_INTEGER, 0),
      'maxmemory-clients': sizeOrPercentage,
      'maxmemory-policy': oneOf(EVICTION_POLICIES, 'noeviction'),
      'maxmemory-samples': integer(1, LIMITS.evictionSamples, 5),
      'maxmemory-eviction-tenacity': integer(0, 100, 10),
      'lfu-log-factor': integer(0, MAX_SECONDS, 10),
      // Minutes; 0: counts do not sink.
      'lfu-decay-time': integer(0, MAX_SECONDS, 1),
    })
    .prefault({}),
  data: z
    .strictObject({
      'hll-sparse-max-bytes': integer(0, LIMITS.hllSparseBytes, 3000),
      'hash-max-listpack-entries': integer(0, Number.MAX_SAFE_INTEGER, 512),
      'hash-max-listpack-value': size(0, Number.MAX_SAFE_INTEGER, 64),
      'set-max-intset-entries': integer(0, Number.MAX_SAFE_INTEGER, 512),
      'set-max-listpack-entries': integer(0, Number.MAX_SAFE_INTEGER, 128),
      'set-max-listpack-value': size(0, Number.MAX_SAFE_INTEGER, 64),
      'zset-max-listpack-entries': integer(0, Number.MAX_SAFE_INTEGER, 128),
      'zset-max-listpack-value': size(0, Number.MAX_SAFE_INTEGER, 64),
      'list-max-listpack-size': integer(-(2 ** 31), MAX_SECONDS, -2),
    })
    .prefault({}),
  debug: z.strictObject({ 'enable-debug-command': oneOf(DEBUG_COMMAND_ACCESS, 'no') }).prefault({}),
})

export type FileSettings = z.output<typeof fileSchema>

/** The keys allowed in the section at a path, for did-you-mean; list indexes are skipped. */
export function knownKeys(path: readonly PropertyKey[]): string[] {
  let schema: z.core.$ZodType = fileSchema
  for (const step of path) schema = child(schema, step)
  const section = unwrap(schema)
  return section instanceof z.ZodObject ? Object.keys(section.shape) : []
}

function child(schema: z.core.$ZodType, step: PropertyKey): z.core.$ZodType {
  const section = unwrap(schema)
  if (section instanceof z.ZodArray) return section.element
  const shape = section instanceof z.ZodObject ? (section.shape as Readonly<Record<PropertyKey, z.core.$ZodType>>) : {}
  return shape[step] ?? z.never()
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  return schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional ? unwrap(schema.unwrap()) : schema
}
