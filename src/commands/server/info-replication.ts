import type { Call } from '../call.js'
import type { PeerReport, ReplicationService, Services } from '../services.js'
import type { InfoFields } from './info-fields.js'

/** INFO's sections about the other members. To Redis' clients every member is a master without replicas. */
export function replicationSection({ services }: Call): InfoFields {
  const { log, runId } = services.server
  return [
    ['role', 'master'],
    ['connected_slaves', 0],
    ['master_failover_state', 'no-failover'],
    ['master_replid', runId],
    ['master_replid2', '0'.repeat(40)],
    ['master_repl_offset', log.appendedBytes],
    ['second_repl_offset', -1],
    ['repl_backlog_active', 1],
    ['repl_backlog_size', log.backlogLimit],
    ['repl_backlog_first_byte_offset', log.firstByte + 1],
    ['repl_backlog_histlen', log.appendedBytes - log.firstByte],
    ...transferFields(services.replication),
  ]
}

/** How far the taking of another member's state has got, and how many take this one's. */
function transferFields({ transfer, snapshotsServed }: ReplicationService): InfoFields {
  const served = ['sync_snapshots_served', snapshotsServed] as const
  if (transfer === null) return [['sync_state', 'none'], served]
  const { phase, source, shards, shardsDone, bytesReceived, keysChanged, elapsedMs } = transfer
  const remaining = shardsDone === 0 ? -1 : Math.ceil((elapsedMs / 1000) * (shards / shardsDone - 1))
  return [
    ['sync_state', phase],
    ['sync_source', source ?? ''],
    ['sync_perc', (shards === 0 ? 0 : (100 * shardsDone) / shards).toFixed(2)],
    ['sync_bytes_received', bytesReceived],
    ['sync_keys_changed', keysChanged],
    ['sync_eta_seconds', remaining],
    served,
  ]
}

export function crdtSection({ services, engine }: Call): InfoFields {
  const { server, replication } = services
  const { log } = server
  return [
    ['member_id', replication.memberId],
    ['member_name', server.memberName],
    ['region', server.region],
    ['zone', server.zone],
    ['cluster_id', server.clusterId],
    ['members', replication.peers.length + 1],
    ['topology_version', services.topology.version],
    ['membership', services.topology.ownState],
    ['draining', draining(services)],
    ['version_vector', engine.position().toString()],
    ['durable_vector', replication.durable.toString()],
    ['stable_vector', replication.stable.toString()],
    ['log_bytes', log.appendedBytes],
    ['log_durable_bytes', log.durableBytes],
    ['log_segments', log.segments],
    ['log_last_error', oneLine(log.lastError)],
  ]
}

/** Names of removed members that still have something to give, or that not everybody knows to be removed. */
function draining({ topology, replication }: Services): string {
  const linked = new Set(replication.peers.map(({ name }) => name))
  const names = topology.list().flatMap(({ name, state }) => (state !== 'active' && linked.has(name) ? [name] : []))
  return names.join(';')
}

export function peersSection({ services }: Call): InfoFields {
  const { peers } = services.replication
  return [['peers', peers.length], ...peers.map((peer, i) => [`peer${i}`, peerLine(peer)] as const)]
}

function peerLine(peer: PeerReport): string {
  return [
    `id=${peer.id}`,
    `name=${peer.name}`,
    `region=${peer.region}`,
    `link=${peer.link}`,
    `inbound=${peer.inbound}`,
    `lag_ms=${Math.round(peer.lagMs)}`,
    `behind_ms=${Math.round(peer.behindMs)}`,
    `rtt_ms=${Math.round(peer.roundTripMs)}`,
    `bytes_in=${peer.bytesIn}`,
    `bytes_out=${peer.bytesOut}`,
    `relay=${peer.relay ?? 'none'}`,
    // Last, and without commas, so that a line splits easily.
    `error=${oneLine(peer.error).replaceAll(',', ';')}`,
  ].join(',')
}

function oneLine(text: string | null): string {
  return (text ?? '').replace(/\s+/g, ' ')
}
