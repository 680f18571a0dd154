import type { Call } from '../call.js'
import type { PeerReport, ReplicationService, ServedTransfer, Services, TransferReport } from '../services.js'
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

/** How far the taking of another member's state has got, and who takes this one's. */
function transferFields(replication: ReplicationService): InfoFields {
  const { transfer, transfersDone, transfersServed, snapshotBytesSent } = replication
  return [
    ...(transfer === null ? [['sync_state', 'none'] as const] : takenFields(transfer)),
    ['sync_completed', transfersDone.count],
    ['sync_last_bytes_received', transfersDone.bytesReceived],
    ['sync_last_snapshot_bytes', transfersDone.snapshotBytes],
    ['sync_last_keys_changed', transfersDone.keysChanged],
    ['sync_last_seconds', (transfersDone.elapsedMs / 1000).toFixed(1)],
    ['sync_bytes_sent', snapshotBytesSent],
    ['sync_receivers', transfersServed.length],
    ...transfersServed.map((served, i) => [`sync_receiver${i}`, servedLine(served)] as const),
  ]
}

function takenFields(transfer: TransferReport): InfoFields {
  const { phase, source, shards, shardsDone, writtenPercent, bytesReceived, snapshotBytes, keysChanged, remainingMs } = transfer
  return [
    ['sync_state', phase],
    ['sync_source', source ?? ''],
    ['sync_source_perc', writtenPercent.toFixed(2)],
    ['sync_perc', (shards === 0 ? 0 : (100 * shardsDone) / shards).toFixed(2)],
    ['sync_bytes_received', bytesReceived],
    ['sync_snapshot_bytes', snapshotBytes],
    ['sync_keys_changed', keysChanged],
    ['sync_eta_seconds', wholeSeconds(remainingMs)],
  ]
}

function servedLine({ receiver, phase, percent, bytesSent, snapshotBytes, remainingMs }: ServedTransfer): string {
  return [
    `name=${receiver}`,
    `state=${phase}`,
    `perc=${percent.toFixed(2)}`,
    `bytes_sent=${bytesSent}`,
    `snapshot_bytes=${snapshotBytes}`,
    `eta_seconds=${wholeSeconds(remainingMs)}`,
  ].join(',')
}

function wholeSeconds(ms: number): number {
  return ms < 0 ? -1 : Math.ceil(ms / 1000)
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
    ...(peer.unreached === null ? [] : [`unreached=${peer.unreached}`]),
    // Last, and without commas, so that a line splits easily.
    `error=${oneLine(peer.error).replaceAll(',', ';')}`,
  ].join(',')
}

function oneLine(text: string | null): string {
  return (text ?? '').replace(/\s+/g, ' ')
}
