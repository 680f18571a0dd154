import { readFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { MeridianError } from '../base/errors.js'
import type { MemberId } from '../base/ids.js'
import { beginCollection, useYoungCollection } from '../base/large-memory.js'
import type { EventLoopReport, ServerService, SettingsService } from '../commands/services.js'
import { LiveSettings } from '../config/live-settings.js'
import type { ClientsConfig, MemberConfig, PeersConfig, OutputBufferLimit } from '../config/member-config.js'
import type { LiveValues } from '../config/setting-table.js'
import { readIdentity } from '../oplog/data-folder.js'
import { JoinRequest } from '../peer-sync/join-request.js'
import type { Topology } from '../peer-sync/sync-host.js'
import type { Collections } from '../keyspace/collections.js'
import type { Logger } from '../ports/logger.js'
import { NodeClock } from '../platform/node-clock.js'
import { lockDataFolder } from '../platform/node-disk-lock.js'
import { NodeDisk } from '../platform/node-disk.js'
import { NodeRandom } from '../platform/node-random.js'
import { createLogger } from '../platform/pino-logger.js'
import type { PeerCredentials } from '../platform/peer-credentials.js'
import { TcpDialer } from '../platform/tcp-dialer.js'
import { TlsNetwork } from '../platform/tls-network.js'
import { prepareStackTraces } from '../platform/stack-traces.js'
import { exposeYoungCollection } from '../platform/young-collection.js'
import { ClientServer } from '../server/client-server.js'
import { defaultServerSettings, type OutputLimit, type ServerSettings } from '../server/server-settings.js'
import type { TlsSettings } from '../server/tls-clients.js'
import { decodeTopology } from '../topology/topology-codec.js'
import { beginJoining, isJoining, topologyPath } from './joining.js'
import { Member } from './member.js'
import { logReport, makeServices, staleRefusal, writeRefusal } from './services.js'

export interface RunningServer {
  /** Reads the files of certificates again, for connections from now on. What cannot be used is logged, and what was in use stays. */
  reloadCertificates(): void
  /** Disconnects clients and peers, makes everything durable, closes. */
  stop(): Promise<void>
}

const VERSION = (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version

/**
 * Starts one member with everything around it: data folder, peer port, client listeners, recovery, peer links, in this order; stops in the reverse one. Clients that
 * come before recovery is done are told that the member is loading.
 * @param signal gives up while loading; the result is then stopped already.
 * @throws MeridianError naming what is wrong; then nothing is left open.
 */
export async function startServer(given: MemberConfig, signal?: AbortSignal): Promise<RunningServer> {
  let config = given
  const logger = createLogger({ level: config.logging.level, format: config.logging.format })
  const clock = new NodeClock()
  const random = new NodeRandom()
  const disk = new NodeDisk()
  disk.ensureFolder(config.storage.dir)
  const lock = lockDataFolder(config.storage.dir)
  let network: TlsNetwork | null = null
  let member: Member | null = null
  let clientServer: ClientServer | null = null
  const theMember = (): Member => {
    if (member === null) throw new Error('the member is not there yet')
    return member
  }
  try {
    if (config.peers !== null) {
      network = await TlsNetwork.open({
        host: config.peers.bind,
        port: config.peers.port,
        ...peerCredentials(config.peers),
        logger,
        clock,
      })
      checkIdentity(config, network)
    }
    const place = await placeOf(config, network, { clock, random, disk, logger })
    config = { ...config, member: { ...config.member, id: place.self } }
    const live = new LiveSettings(config)
    const settings = settingsService(live, config)
    const services = makeServices(
      theMember,
      () => {
        if (clientServer === null) throw new Error('no client listener yet')
        return clientServer.registry
      },
      settings,
      serverService(config, live, theMember, clock, random),
      new TcpDialer(),
    )
    member = new Member(
      {
        topology: place,
        name: config.member.name,
        ...(config.peers !== null && { startWaitMs: config.peers.startWaitMs }),
        dataFolder: config.storage.dir,
        databases: config.storage.databases,
        appendfsync: live.values.appendfsync,
        tuneCollections: (collections) => tuneCollections(collections, live.values),
      },
      { clock, random, disk, network, logger },
      services,
      'in steps',
    )
    const serverSettings = clientSettings(live.values)
    const requiresPassword = (): boolean => live.values.requirepass !== ''
    clientServer = new ClientServer({
      executor: member.engine,
      clock,
      logger,
      settings: serverSettings,
      bind: config.clients.bind,
      port: config.clients.port,
      tls: clientTls(config.clients),
      admit: (session) => {
        session.authenticated = !requiresPassword()
      },
    })
    live.onChange((values) => {
      Object.assign(serverSettings, clientSettings(values))
      logger.setLevel(values.loglevel)
      theMember().setAppendFsync(values.appendfsync)
      tuneEngine(theMember(), values)
    })
    tuneEngine(member, live.values)
    await clientServer.start()
    if (!(await recover(member, logger, signal))) {
      await clientServer.stop()
      member.stop()
      network?.close()
      lock.release()
      return { stop: () => Promise.resolve(), reloadCertificates: () => undefined }
    }
    logger.info(
      {
        member: config.member.name,
        region: member.membership.own?.region.value ?? config.member.region,
        addresses: clientServer.addresses,
        keys: keyCount(member),
      },
      'ready for clients',
    )
    // The first collection tidies what the start left behind and stops everything for 10 ms, the later ones for 2.
    useYoungCollection(exposeYoungCollection())
    beginCollection()
    prepareStackTraces()
    const started = { clientServer, member, network }
    return {
      reloadCertificates: () => reloadCertificates(config, started.network, started.clientServer, logger),
      async stop() {
        logger.info({}, 'stopping')
        await started.clientServer.stop()
        started.member.stop()
        started.network?.close()
        lock.release()
        logger.info({}, 'stopped')
      },
    }
  } catch (error) {
    await clientServer?.stop()
    member?.stop()
    network?.close()
    lock.release()
    throw error
  }
}

/** Between lines about how far loading has got. */
const PROGRESS_MS = 3000
/** What is read between two looks at the clock, and how long before clients get their turn. */
const RECOVERY_STEP_BYTES = 64 * 1024
const RECOVERY_TURN_MS = 8

/** Brings the data back while clients are answered; false when it was given up. */
async function recover(member: Member, logger: Logger, signal: AbortSignal | undefined): Promise<boolean> {
  const startMs = performance.now()
  let saidMs = startMs
  for (;;) {
    const turnMs = performance.now()
    while (performance.now() - turnMs < RECOVERY_TURN_MS) if (member.recoverStep(RECOVERY_STEP_BYTES)) return true
    await new Promise((resolve) => setImmediate(resolve))
    if (signal?.aborted === true) return false
    const now = performance.now()
    const { loading } = member
    if (now - saidMs < PROGRESS_MS || loading === null) continue
    saidMs = now
    const { loadedBytes, totalBytes } = loading
    const percent = Math.floor((100 * loadedBytes) / Math.max(1, totalBytes))
    const secondsLeft = Math.ceil((((totalBytes - loadedBytes) / Math.max(1, loadedBytes)) * (now - startMs)) / 1000)
    logger.info({ loadedBytes, totalBytes, percent, secondsLeft }, 'loading the data')
  }
}

function reloadCertificates(config: MemberConfig, network: TlsNetwork | null, clients: ClientServer, logger: Logger): void {
  const attempt = (what: string, action: () => void): void => {
    try {
      action()
      logger.info({}, `the certificate for ${what} was read again`)
    } catch (error) {
      if (!(error instanceof MeridianError)) throw error
      logger.error({ code: error.code }, `The certificate for ${what} stays as it was: ${error.message}`)
    }
  }
  const { peers } = config
  if (network !== null && peers !== null) attempt('peer links', () => network.reload(peerCredentials(peers)))
  if (config.clients.tls === null) return
  attempt('clients', () => {
    const settings = clientTls(config.clients)
    if (settings !== null) clients.replaceCertificate(settings)
  })
}

function peerCredentials(peers: PeersConfig): PeerCredentials {
  return { cert: readPem(peers.certFile), key: readPem(peers.keyFile), ca: readPem(peers.caFile) }
}

/** The certificate must be this member's: peers go by it and would refuse us, one by one, later. */
function checkIdentity(config: MemberConfig, network: TlsNetwork): void {
  const { name, clusterId } = network.identity
  if (name === config.member.name && clusterId === config.clusterId) return
  throw new MeridianError(
    'MRD_CERTIFICATE',
    `The certificate ${config.peers?.certFile ?? ''} belongs to member "${name}" of cluster "${clusterId}", this is "${config.member.name}" of "${config.clusterId}"`,
    'Name the certificate of this member, or issue one with `meridian certs issue`.',
  )
}

function keyCount(member: Member): number {
  let keys = 0
  for (let i = 0; i < member.engine.keyspace.databaseCount; i++) keys += member.engine.keyspace.peek(i)?.keyCount ?? 0
  return keys
}

/**
 * Which member this is. One that was added later learns it from another member when it starts for the first time.
 * @throws MeridianError when nobody says so.
 */
async function placeOf(
  config: MemberConfig,
  network: TlsNetwork | null,
  ports: { clock: NodeClock; random: NodeRandom; disk: NodeDisk; logger: Logger },
): Promise<Topology> {
  const { peers, clusterId, storage } = config
  if (network === null || peers === null || peers.join === null) return topologyOf(config)
  const { dir } = storage
  const { name } = config.member
  const path = topologyPath(dir)
  let bytes: Uint8Array
  if (ports.disk.exists(path)) bytes = ports.disk.readWhole(path)
  else {
    const owner = readIdentity(ports.disk, dir)
    if (owner !== null && !isJoining(ports.disk, dir)) {
      throw new MeridianError(
        'MRD_DATA_FOLDER_OWNER',
        `The data folder ${dir} belongs to member ${owner.memberName} (id ${owner.memberId}) and has no list of members to join`,
        'A new member needs an empty data folder. If this is that member, give its configuration peers.members, as before.',
      )
    }
    const { join } = peers
    bytes = await new Promise<Uint8Array>((resolve, reject) => {
      new JoinRequest({ ...ports, network }, { clusterId, name, at: join }, (result) =>
        result instanceof Error ? reject(result) : resolve(result),
      )
    })
    beginJoining(ports.disk, dir, bytes)
  }
  const entry = decodeTopology(bytes, path).named(name)
  if (entry === undefined) {
    const owner = readIdentity(ports.disk, dir)
    if (owner !== null && owner.memberName !== name) {
      // A member that was removed comes back under a new name, but with its old folder.
      throw new MeridianError(
        'MRD_DATA_FOLDER_OWNER',
        `The data folder ${dir} belongs to member ${owner.memberName} (id ${owner.memberId}), this is ${name}`,
        `A new member needs an empty data folder. Keep the old one as long as \`meridian export\` may be needed for what ${owner.memberName} never sent.`,
      )
    }
    throw new MeridianError(
      'MRD_PEER_UNKNOWN',
      `${name} is not in the list of members of its cluster`,
      `Add it with \`meridian region add ${name}\` at any member.`,
    )
  }
  return { clusterId, version: 1, members: [], self: entry.id as MemberId }
}

function topologyOf(config: MemberConfig): Topology {
  const { member, peers } = config
  const self = { ...member, address: { name: member.name, host: '127.0.0.1', port: 0 } }
  const members =
    peers === null
      ? [self]
      : peers.members.map(({ id, name, region, zone, host, port, clientPort }) => ({
          id,
          name,
          region,
          zone,
          address: { name, host, port },
          client: clientPort === null ? null : { host, port: clientPort },
        }))
  return { clusterId: config.clusterId, version: 1, members, self: member.id }
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new MeridianError(
      'MRD_CERTIFICATE',
      `Cannot read ${path}: ${(cause as Error).message}`,
      'Name an existing, readable PEM file in the configuration; `meridian certs` makes them.',
      { cause },
    )
  }
}

function clientTls(clients: ClientsConfig): TlsSettings | null {
  const { tls } = clients
  if (tls === null) return null
  return {
    port: tls.port,
    certificate: readPem(tls.certFile).toString(),
    privateKey: readPem(tls.keyFile).toString(),
    ...(tls.caFile !== null && { clientAuthorities: readPem(tls.caFile).toString() }),
    clientCertificates: tls.authClients === 'yes' ? 'required' : tls.authClients,
  }
}

function clientSettings(values: LiveValues): ServerSettings {
  return {
    ...defaultServerSettings(),
    maxClients: values.maxclients,
    idleTimeoutSeconds: values.timeoutMs / 1000,
    tcpKeepAliveSeconds: values.tcpKeepaliveMs / 1000,
    queryBufferBytes: values.queryBufferLimit,
    clientMemoryBytes: clientMemoryBytes(values),
    maxBulkBytes: values.protoMaxBulkLen,
    outputLimit: outputLimit(values.outputBufferLimit),
    pubsubOutputLimit: outputLimit(values.pubsubOutputBufferLimit),
  }
}

function clientMemoryBytes({ maxmemoryClients, maxmemory }: LiveValues): number {
  return maxmemoryClients < 0 ? Math.floor((maxmemory * -maxmemoryClients) / 100) : maxmemoryClients
}

function outputLimit({ hardBytes, softBytes, softMs }: OutputBufferLimit): OutputLimit {
  return { hardBytes, softBytes, softSeconds: softMs / 1000 }
}

/** Node counts the rounds of its loop from 20.18 on. */
function eventLoopReport(): EventLoopReport | null {
  const { nodeTiming } = performance as { nodeTiming: { uvMetricsInfo?: { loopCount: number } } }
  if (nodeTiming.uvMetricsInfo === undefined) return null
  return { cycles: nodeTiming.uvMetricsInfo.loopCount, activeMs: performance.eventLoopUtilization().active }
}

function tuneEngine({ engine, keeping }: Member, values: LiveValues): void {
  keeping.rewritePercentage = values.autoRewritePercentage
  keeping.rewriteMinBytes = values.autoRewriteMinBytes
  keeping.backlogBytes = values.backlogBytes
  keeping.syncMaxRate = values.syncMaxRate
  engine.servesStale = values.servesStale
  engine.pubsub.reachesCluster = values.pubsubScope === 'cluster'
  engine.notifications.classes = values.notifyKeyspaceEvents
  tuneCollections(engine.collections, values)
  engine.slowLog.slowerThanMicroseconds = values.slowlogSlowerThanMicroseconds
  engine.slowLog.maxLength = values.slowlogMaxLength
  engine.latency.thresholdMs = values.latencyThresholdMs
  engine.latency.tracksCommands = values.latencyTracking
  engine.latency.percentiles = values.latencyPercentiles
  engine.memory.configure(values)
}

/** What decides the forms of collections, from now on. */
function tuneCollections(collections: Collections, values: LiveValues): void {
  collections.streams.configure({
    idMode: values.streamIdMode,
    nodeMaxEntries: values.streamNodeMaxEntries,
    nodeMaxBytes: values.streamNodeMaxBytes,
  })
  collections.hlls.sparseMaxBytes = values.hllSparseMaxBytes
  collections.limit(values)
}

function settingsService(live: LiveSettings, config: MemberConfig): SettingsService {
  return {
    get: (pattern) => live.get(pattern),
    set: (pairs) => live.set(pairs),
    rewrite: () => live.rewrite(),
    get requirePassword() {
      return live.values.requirepass === '' ? null : live.values.requirepass
    },
    debugCommand: config.debug.enableDebugCommand,
  }
}

function serverService(
  config: MemberConfig,
  live: LiveSettings,
  member: () => Member,
  clock: NodeClock,
  random: NodeRandom,
): ServerService {
  const runId = randomBytes(20).toString('hex')
  const service: ServerService = {
    version: VERSION,
    clusterId: config.clusterId,
    memberName: config.member.name,
    get region() {
      return member().membership.own?.region.value ?? config.member.region
    },
    get zone() {
      return member().membership.own?.zone.value ?? config.member.zone
    },
    startedMs: clock.wallMs(),
    runId,
    tcpPort: config.clients.port ?? 0,
    tlsPort: config.clients.tls?.port ?? 0,
    configFile: config.file ?? '',
    processId: process.pid,
    residentBytes: () => process.memoryUsage.rss(),
    cpuSeconds: () => {
      const { user, system } = process.cpuUsage()
      return { user: user / 1e6, system: system / 1e6 }
    },
    get log() {
      return logReport(member(), live.values.appendfsync)
    },
    eventLoop: eventLoopReport,
    nowMicroseconds: () => Math.floor((performance.timeOrigin + performance.now()) * 1000),
    random: () => random.uint32(),
    shutdown: () => process.kill(process.pid, 'SIGTERM'),
    get writeRefusal() {
      return writeRefusal(member())
    },
    get staleRefusal() {
      return staleRefusal(member())
    },
    sleep: (ms) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms),
  }
  // Every write asks for writeRefusal. To V8 a literal with getters is a dictionary, slow to read from; as a prototype it is not.
  return Object.create(service) as ServerService
}
