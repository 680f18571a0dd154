import { MeridianError } from '../base/errors.js'
import { RedisClient, ReplyError, type RedisAddress } from './redis-client.js'

/** One direction-independent view of the link to another member, from INFO peers. */
export interface LinkReport {
  readonly id: number
  readonly name: string
  /** Our link to it, through which its writes come. */
  readonly link: string
  /** Its link to us. */
  readonly inbound: string
  readonly lagMs: number
  readonly behindMs: number
  readonly rttMs: number
  /** The member its writes come through meanwhile, or `none`. */
  readonly relay: string
  /** Its new peer address, where that has not answered and the link to the one before stands; else empty. */
  readonly unreached: string
  readonly error: string
}

/** The state of another member that this one takes, because the logs do not reach back to what it lacks; from INFO replication. */
export interface TransferReport {
  /** seeking, asked, fetching or finishing. */
  readonly phase: string
  /** Name of the other member, or empty while none is chosen. */
  readonly source: string
  readonly percent: number
  /** How far the other one's snapshot is written, while it is asked for. */
  readonly writtenPercent: number
  readonly bytesReceived: number
  /** Of all data; what is equal is not sent. */
  readonly snapshotBytes: number
  readonly etaSeconds: number | null
}

/** A member that takes this one's state. */
export interface ReceiverReport {
  readonly name: string
  /** writing or sending. */
  readonly phase: string
  readonly percent: number
  readonly bytesSent: number
  readonly snapshotBytes: number
  readonly etaSeconds: number | null
}

export type MemberState = 'ok' | 'degraded' | 'loading' | 'unreachable'

/** What one member says of itself; everything but address, state and problems is missing when it does not answer. */
export interface MemberReport {
  readonly address: string
  readonly state: MemberState
  /** Why the state is not ok. */
  readonly problems: readonly string[]
  readonly details: MemberDetails | null
}

export interface MemberDetails {
  readonly clusterId: string
  readonly id: number
  readonly name: string
  readonly region: string
  readonly zone: string
  readonly version: string
  readonly uptimeSeconds: number
  readonly clients: number
  readonly opsPerSecond: number
  readonly keys: number
  readonly memoryBytes: number
  /** 0: no bound. */
  readonly maxmemoryBytes: number
  readonly maxmemoryPolicy: string
  /** Of what counts, above maxmemory. */
  readonly overMaxmemoryBytes: number
  /** Why the log takes nothing, and why the last snapshot failed; empty when all is well. */
  readonly logError: string
  readonly snapshotError: string
  /** How it takes part: active, or why it takes no writes. */
  readonly membership: string
  readonly topologyVersion: number
  /** Removed members that still have something to give. */
  readonly draining: readonly string[]
  readonly versionVector: string
  readonly stableVector: string
  readonly links: readonly LinkReport[]
  /** Null: none is under way. */
  readonly transfer: TransferReport | null
  readonly receivers: readonly ReceiverReport[]
}

/** Lag beyond which a link counts as degraded. */
export const DEFAULT_MAX_LAG_MS = 10_000

const SECTIONS = ['server', 'clients', 'memory', 'persistence', 'stats', 'keyspace', 'crdt', 'peers', 'replication']

/** Asks one member again and again, over one connection for as long as it lasts. */
export class MemberProbe {
  private client: RedisClient | null = null

  constructor(
    private readonly address: RedisAddress,
    private readonly timeoutMs: number,
    private readonly maxLagMs: number,
  ) {}

  /** Never throws: what goes wrong is the report. */
  async report(): Promise<MemberReport> {
    const address = `${this.address.host}:${this.address.port}`
    try {
      this.client ??= await RedisClient.connect(this.address, this.timeoutMs)
      const details = readDetails(parseInfo(await this.client.text('INFO', ...SECTIONS)))
      const problems = [
        ...placeProblems(details),
        ...pressureProblems(details),
        ...transferProblems(details),
        ...details.links.filter((link) => mattersTo(details, link)).flatMap((link) => linkProblems(link, this.maxLagMs)),
      ]
      return { address, state: problems.length > 0 ? 'degraded' : 'ok', problems, details }
    } catch (error) {
      this.close()
      return failedReport(address, error)
    }
  }

  close(): void {
    this.client?.close()
    this.client = null
  }
}

function failedReport(address: string, error: unknown): MemberReport {
  const loading = error instanceof ReplyError && error.message.startsWith('LOADING')
  const problem = error instanceof MeridianError || error instanceof ReplyError ? error.message : String(error)
  return { address, state: loading ? 'loading' : 'unreachable', problems: [problem], details: null }
}

const PLACES: Readonly<Record<string, string>> = {
  starting: 'takes no writes yet: it waits to hear from another member',
  restoring: 'takes no writes yet: it fetches writes of its own that its disk has lost',
  joining: 'takes no writes yet: it is new and has not caught up',
  draining: 'takes no writes: it was removed, and what it has is being fetched',
  removed: 'takes no writes: it was removed',
  forked: 'takes no writes: others have writes of it that it does not have, or another process has taken its place',
}

function placeProblems(details: MemberDetails): string[] {
  const { membership, draining } = details
  const own = PLACES[membership]
  const leaving = isCatchingUp(details) ? [] : draining
  return [...(own === undefined ? [] : [own]), ...leaving.map((name) => `${name} was removed and has not departed yet`)]
}

/** It will have heard that removed ones have departed when it has what the others have; until then it says nothing of them that anybody can do something about. */
function isCatchingUp({ membership, transfer }: MemberDetails): boolean {
  return membership === 'joining' || membership === 'restoring' || transfer !== null
}

function mattersTo(details: MemberDetails, { name }: LinkReport): boolean {
  return !isCatchingUp(details) || !details.draining.includes(name)
}

/** What its disk and its memory do not let it do. */
function pressureProblems({
  logError,
  snapshotError,
  overMaxmemoryBytes,
  maxmemoryBytes,
  maxmemoryPolicy,
}: MemberDetails): string[] {
  const problems: string[] = []
  if (logError !== '') problems.push(`takes no writes: ${logError}`)
  if (snapshotError !== '') problems.push(`the last snapshot failed: ${snapshotError}`)
  if (maxmemoryPolicy === 'noeviction' && overMaxmemoryBytes > 0)
    problems.push(
      `takes no writes that need memory: it has ${sizeText(overMaxmemoryBytes)} more than maxmemory, ${sizeText(maxmemoryBytes)}`,
    )
  return problems
}

function transferProblems({ transfer }: MemberDetails): string[] {
  return transfer === null ? [] : [`takes no writes: ${transferText(transfer)}`]
}

/** What a transfer is at, for a line of text. */
function transferText(transfer: TransferReport): string {
  const { phase, source, percent, writtenPercent, bytesReceived, snapshotBytes, etaSeconds } = transfer
  switch (phase) {
    case 'seeking':
      return 'it seeks a member whose state it can take'
    case 'asked':
      return `it takes the state of ${source}, which writes a snapshot first: ${Math.floor(writtenPercent)} %`
    case 'finishing':
      return `it has taken the state of ${source}, ${sizeText(bytesReceived)}, and makes it durable`
    default: {
      const eta = etaSeconds === null ? '' : `, about ${etaSeconds} s to go`
      return `it takes the state of ${source}: ${Math.floor(percent)} %, ${sizeText(bytesReceived)} of what differs in ${sizeText(snapshotBytes)}${eta}`
    }
  }
}

/** What a member sends to one that takes its state, for a line of text. */
export function receiverText({ name, phase, percent, bytesSent, etaSeconds }: ReceiverReport): string {
  if (phase === 'writing') return `writes a snapshot for ${name}: ${Math.floor(percent)} %`
  const eta = etaSeconds === null ? '' : `, about ${etaSeconds} s to go`
  return `sends its state to ${name}: ${Math.floor(percent)} %, ${sizeText(bytesSent)}${eta}`
}

function sizeText(bytes: number): string {
  return bytes < 1024 ** 2 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / 1024 ** 2).toFixed(1)} MiB`
}

function linkProblems(link: LinkReport, maxLagMs: number): string[] {
  const problems: string[] = []
  if (link.link !== 'up') problems.push(`link to ${link.name} is ${link.link}${link.error ? `: ${link.error}` : ''}`)
  if (link.unreached !== '')
    problems.push(
      `${link.name} is not reached at its new address ${link.unreached}, the link to the one before stands: ${link.error}`,
    )
  if (link.inbound !== 'up') problems.push(`link from ${link.name} is ${link.inbound}`)
  if (link.relay === link.name) problems.push(`writes of ${link.name} come over the link that it has opened itself`)
  else if (link.relay !== 'none') problems.push(`writes of ${link.name} come through ${link.relay}`)
  const behindMs = Math.max(link.lagMs, link.behindMs)
  if (behindMs > maxLagMs) problems.push(`writes of ${link.name} are ${behindMs} ms behind`)
  return problems
}

/** INFO's `key:value` lines; the keys of all sections together, as they are unique. */
export function parseInfo(text: string): Map<string, string> {
  const fields = new Map<string, string>()
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':')
    if (colon > 0 && !line.startsWith('#')) fields.set(line.slice(0, colon), line.slice(colon + 1))
  }
  return fields
}

function readDetails(info: Map<string, string>): MemberDetails {
  const number = (key: string): number => Number(info.get(key) ?? 0)
  const text = (key: string): string => info.get(key) ?? ''
  let keys = 0
  const links: LinkReport[] = []
  const receivers: ReceiverReport[] = []
  for (const [key, value] of info) {
    if (/^db\d+$/.test(key)) keys += Number(parseFields(value).get('keys') ?? 0)
    if (/^peer\d+$/.test(key)) links.push(readLink(parseFields(value)))
    if (/^sync_receiver\d+$/.test(key)) receivers.push(readReceiver(parseFields(value)))
  }
  return {
    clusterId: text('cluster_id'),
    id: number('member_id'),
    name: text('member_name'),
    region: text('region'),
    zone: text('zone'),
    version: text('meridian_version'),
    uptimeSeconds: number('uptime_in_seconds'),
    clients: number('connected_clients'),
    opsPerSecond: number('instantaneous_ops_per_sec'),
    keys,
    memoryBytes: number('used_memory'),
    maxmemoryBytes: number('maxmemory'),
    maxmemoryPolicy: text('maxmemory_policy'),
    overMaxmemoryBytes: number('mem_over_maxmemory'),
    logError: text('log_last_error'),
    snapshotError: text('snapshot_last_error'),
    membership: text('membership') || 'active',
    topologyVersion: number('topology_version'),
    draining: text('draining').split(';').filter(Boolean),
    versionVector: text('version_vector'),
    stableVector: text('stable_vector'),
    links: links.sort((a, b) => a.id - b.id),
    transfer: ['', 'none'].includes(text('sync_state'))
      ? null
      : {
          phase: text('sync_state'),
          source: text('sync_source'),
          percent: number('sync_perc'),
          writtenPercent: number('sync_source_perc'),
          bytesReceived: number('sync_bytes_received'),
          snapshotBytes: number('sync_snapshot_bytes'),
          etaSeconds: seconds(text('sync_eta_seconds')),
        },
    receivers,
  }
}

/** -1, or nothing: it cannot be said. */
function seconds(text: string | undefined): number | null {
  return text === undefined || text === '' || Number(text) < 0 ? null : Number(text)
}

function readReceiver(fields: Map<string, string>): ReceiverReport {
  const number = (key: string): number => Number(fields.get(key) ?? 0)
  return {
    name: fields.get('name') ?? '?',
    phase: fields.get('state') ?? 'unknown',
    percent: number('perc'),
    bytesSent: number('bytes_sent'),
    snapshotBytes: number('snapshot_bytes'),
    etaSeconds: seconds(fields.get('eta_seconds')),
  }
}

/** `keys=3,expires=0`. The field `error` is last and may hold commas. */
function parseFields(value: string): Map<string, string> {
  const fields = new Map<string, string>()
  const errorAt = value.search(/(^|,)error=/)
  const plain = errorAt < 0 ? value : value.slice(0, errorAt)
  for (const pair of plain.split(',')) {
    const equals = pair.indexOf('=')
    if (equals > 0) fields.set(pair.slice(0, equals), pair.slice(equals + 1))
  }
  if (errorAt >= 0) fields.set('error', value.slice(value.indexOf('error=', errorAt) + 'error='.length))
  return fields
}

function readLink(fields: Map<string, string>): LinkReport {
  const number = (key: string): number => Number(fields.get(key) ?? 0)
  return {
    id: number('id'),
    name: fields.get('name') ?? '?',
    link: fields.get('link') ?? 'unknown',
    inbound: fields.get('inbound') ?? 'unknown',
    lagMs: number('lag_ms'),
    behindMs: number('behind_ms'),
    rttMs: number('rtt_ms'),
    relay: fields.get('relay') ?? 'none',
    unreached: fields.get('unreached') ?? '',
    error: fields.get('error') ?? '',
  }
}
