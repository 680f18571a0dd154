import { resolve } from 'node:path'
import { assert } from '../base/assert.js'
import type { ClientTlsConfig, MemberConfig, PeerMemberConfig, PeersConfig } from './member-config.js'
import type { FileSettings } from './schema.js'

/** Something wrong, and where. */
export interface ConfigProblem {
  readonly path: readonly PropertyKey[]
  readonly message: string
}

/** What must hold between keys that are each valid. */
export function checkTogether(settings: FileSettings): ConfigProblem[] {
  return [...checkClientPorts(settings), ...checkClientTls(settings), ...checkMembers(settings)]
}

function checkClientPorts({ clients, peers }: FileSettings): ConfigProblem[] {
  const { port } = clients
  const tlsPort = clients['tls-port']
  const problems: ConfigProblem[] = []
  if (port === 0 && tlsPort === 0) {
    problems.push({
      path: ['clients', 'port'],
      message: 'port and tls-port are both 0: no client could connect; set one of them',
    })
  }
  if (port !== 0 && port === tlsPort) {
    problems.push({ path: ['clients', 'tls-port'], message: `found ${tlsPort}, which is port already; allowed: another port` })
  }
  if (peers && (peers.port === port || peers.port === tlsPort)) {
    problems.push({
      path: ['peers', 'port'],
      message: `found ${peers.port}, which is a client port already; allowed: another port`,
    })
  }
  return problems
}

function checkClientTls({ clients }: FileSettings): ConfigProblem[] {
  if (clients['tls-port'] === 0) return []
  const needed = ['tls-cert-file', 'tls-key-file', ...(clients['tls-auth-clients'] === 'no' ? [] : ['tls-ca-cert-file'])] as const
  return needed
    .filter((key) => clients[key as 'tls-cert-file'] === undefined)
    .map((key) => {
      const why = key === 'tls-ca-cert-file' ? `tls-auth-clients ${clients['tls-auth-clients']}` : 'tls-port'
      return { path: ['clients', key], message: `is missing; allowed: a path, because ${why} needs it` }
    })
}

function checkMembers({ member, peers }: FileSettings): ConfigProblem[] {
  if (!peers) return []
  if (peers.members === undefined) {
    if (peers.join !== undefined) return []
    return [{ path: ['peers', 'members'], message: 'is missing; allowed: a list, or join for a member that was added later' }]
  }
  if (peers.join !== undefined) {
    return [
      {
        path: ['peers', 'join'],
        message: 'found beside members; allowed: one of the two, join for a member that was added later',
      },
    ]
  }
  const problems: ConfigProblem[] = []
  const seen = new Map<string, number>()
  peers.members.forEach((entry, index) => {
    const identities = [
      ['id', String(entry.id)],
      ['name', entry.name],
      ['port', `${entry.host}:${entry.port}`],
    ] as const
    for (const [key, text] of identities) {
      const earlier = seen.get(`${key} ${text}`)
      if (earlier === undefined) seen.set(`${key} ${text}`, index)
      else {
        const message = `found ${text}, which peers.members[${earlier}] has already; allowed: each member its own`
        problems.push({ path: ['peers', 'members', index, key], message })
      }
    }
  })
  const own = peers.members.findIndex((entry) => entry.id === member.id)
  if (own === -1) {
    const ids = peers.members.map((entry) => entry.id).join(', ')
    problems.push({ path: ['member', 'id'], message: `found ${member.id}, which peers.members does not list; allowed: ${ids}` })
    return problems
  }
  const listed = peers.members[own]
  for (const key of ['name', 'region', 'zone'] as const) {
    const given = member[key]
    const expected = key === 'zone' ? (listed.zone ?? listed.region) : listed[key]
    if (given !== undefined && given !== expected) {
      const message = `found ${given}, but peers.members[${own}] calls member ${member.id} ${expected}; allowed: the same in both`
      problems.push({ path: ['member', key], message })
    }
  }
  return problems
}

/** Valid settings as the program uses them; relative paths count from baseFolder. */
export function toMemberConfig(settings: FileSettings, file: string | null, baseFolder: string): MemberConfig {
  const { cluster, member, storage, clients, pubsub, streams, logging, slowlog, latency, memory, data, debug } = settings
  const peers = settings.peers ? toPeers(settings.peers, baseFolder) : null
  const listed = peers?.members.find((entry) => entry.id === member.id)
  const region = member.region ?? listed?.region ?? member.name
  return {
    file,
    clusterId: cluster.id,
    member: { id: member.id, name: member.name, region, zone: member.zone ?? listed?.zone ?? region },
    storage: {
      dir: resolve(baseFolder, storage.dir ?? 'meridian-data'),
      databases: storage.databases,
      appendfsync: storage.appendfsync,
      autoRewritePercentage: storage['auto-aof-rewrite-percentage'],
      autoRewriteMinBytes: storage['auto-aof-rewrite-min-size'],
      backlogBytes: storage['repl-backlog-size'],
      syncMaxRate: storage['sync-max-rate'],
    },
    clients: {
      bind: clients.bind,
      port: clients.port === 0 ? null : clients.port,
      tls: clients['tls-port'] === 0 ? null : toClientTls(clients, baseFolder),
      requirepass: clients.requirepass,
      servesStale: clients['replica-serve-stale-data'] === 'yes',
      maxclients: clients.maxclients,
      timeoutMs: clients.timeout,
      tcpKeepaliveMs: clients['tcp-keepalive'],
      outputBufferLimit: clients['client-output-buffer-limit'].normal,
      pubsubOutputBufferLimit: clients['client-output-buffer-limit'].pubsub,
      queryBufferLimit: clients['client-query-buffer-limit'],
      protoMaxBulkLen: clients['proto-max-bulk-len'],
    },
    peers,
    pubsub: { scope: pubsub.scope, notifyKeyspaceEvents: pubsub['notify-keyspace-events'] },
    streams: {
      idMode: streams['id-mode'],
      nodeMaxEntries: streams['node-max-entries'],
      nodeMaxBytes: streams['node-max-bytes'],
    },
    logging,
    slowlog: { slowerThanMicroseconds: slowlog['log-slower-than'], maxLength: slowlog['max-len'] },
    latency: {
      thresholdMs: latency['monitor-threshold'],
      tracksCommands: latency.tracking === 'yes',
      percentiles: latency['tracking-info-percentiles'],
    },
    memory: {
      maxmemory: memory.maxmemory,
      maxmemoryClients: memory['maxmemory-clients'],
      evictionPolicy: memory['maxmemory-policy'],
      evictionSamples: memory['maxmemory-samples'],
      evictionTenacity: memory['maxmemory-eviction-tenacity'],
      lfuLogFactor: memory['lfu-log-factor'],
      lfuDecayMinutes: memory['lfu-decay-time'],
    },
    data: {
      hllSparseMaxBytes: data['hll-sparse-max-bytes'],
      hashMaxListpackEntries: data['hash-max-listpack-entries'],
      hashMaxListpackValue: data['hash-max-listpack-value'],
      setMaxIntsetEntries: data['set-max-intset-entries'],
      setMaxListpackEntries: data['set-max-listpack-entries'],
      setMaxListpackValue: data['set-max-listpack-value'],
      zsetMaxListpackEntries: data['zset-max-listpack-entries'],
      zsetMaxListpackValue: data['zset-max-listpack-value'],
      listMaxListpackSize: data['list-max-listpack-size'],
    },
    debug: { enableDebugCommand: debug['enable-debug-command'] },
  }
}

function toClientTls(clients: FileSettings['clients'], baseFolder: string): ClientTlsConfig {
  const certFile = clients['tls-cert-file']
  const keyFile = clients['tls-key-file']
  assert(certFile !== undefined && keyFile !== undefined, 'checkTogether let a tls-port without certificate pass')
  const caFile = clients['tls-ca-cert-file']
  return {
    port: clients['tls-port'],
    certFile: resolve(baseFolder, certFile),
    keyFile: resolve(baseFolder, keyFile),
    caFile: caFile === undefined ? null : resolve(baseFolder, caFile),
    authClients: clients['tls-auth-clients'],
  }
}

function toPeers(peers: NonNullable<FileSettings['peers']>, baseFolder: string): PeersConfig {
  const members = (peers.members ?? []).map((entry): PeerMemberConfig => ({
    id: entry.id,
    name: entry.name,
    region: entry.region,
    zone: entry.zone ?? entry.region,
    host: entry.host,
    port: entry.port,
    clientPort: entry['client-port'] ?? null,
  }))
  return {
    bind: peers.bind,
    port: peers.port,
    certFile: resolve(baseFolder, peers['tls-cert-file']),
    keyFile: resolve(baseFolder, peers['tls-key-file']),
    caFile: resolve(baseFolder, peers['tls-ca-cert-file']),
    members: members.sort((a, b) => a.id - b.id),
    join: peers.join ?? null,
    startWaitMs: peers['start-wait'],
  }
}
