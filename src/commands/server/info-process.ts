import type { Call } from '../call.js'
import type { PersistenceReport } from '../services.js'
import { REDIS_VERSION } from '../redis-version.js'
import { humanBytes, memoryReport } from './memory-report.js'
import type { InfoFields } from './info-fields.js'

/** INFO's sections about the process: server, memory, persistence, stats, cpu. */
export function serverSection({ services, engine, nowMs, keyspace }: Call): InfoFields {
  const { server } = services
  const uptime = Math.max(0, Math.floor((nowMs - server.startedMs) / 1000))
  return [
    ['redis_version', REDIS_VERSION],
    // No repository is known to a package, as in Redis' own.
    ['redis_git_sha1', '00000000'],
    ['redis_git_dirty', 0],
    ['meridian_version', server.version],
    ['redis_mode', 'standalone'],
    ['arch_bits', 64],
    ['process_id', server.processId],
    ['run_id', server.runId],
    ['tcp_port', server.tcpPort === 0 ? server.tlsPort : server.tcpPort],
    ['server_time_usec', server.nowMicroseconds()],
    ['uptime_in_seconds', uptime],
    ['uptime_in_days', Math.floor(uptime / 86_400)],
    ['hz', 10],
    ['configured_hz', 10],
    ['lru_clock', keyspace.clock],
    ['config_file', server.configFile],
    ['paused_actions', engine.pause.mode],
  ]
}

export function memorySection(call: Call): InfoFields {
  const memory = memoryReport(call)
  const bound = call.engine.memory
  return [
    ['used_memory', memory.used],
    ['used_memory_human', humanBytes(memory.used)],
    ['used_memory_rss', memory.resident],
    ['used_memory_rss_human', humanBytes(memory.resident)],
    ['used_memory_peak', memory.peak],
    ['used_memory_peak_human', humanBytes(memory.peak)],
    ['used_memory_peak_perc', `${percent(memory.used, memory.peak)}%`],
    ['used_memory_overhead', memory.overhead],
    ['used_memory_startup', 0],
    ['used_memory_dataset', memory.dataset],
    ['used_memory_dataset_perc', `${percent(memory.dataset, memory.used)}%`],
    ['allocator_allocated', memory.data],
    ['allocator_active', memory.reserved],
    ['maxmemory', bound.maxBytes],
    ['maxmemory_human', humanBytes(bound.maxBytes)],
    ['maxmemory_policy', bound.policy],
    // What other members' writes may take above it, and what is above it now: more than the reserve only if nothing may be evicted.
    ['maxmemory_reserve', bound.reserveBytes],
    ['mem_over_maxmemory', bound.maxBytes === 0 ? 0 : Math.max(0, memory.used - memory.notCounted - bound.maxBytes)],
    ['allocator_frag_ratio', ratio(memory.reserved, memory.data)],
    ['allocator_frag_bytes', memory.reserved - memory.data],
    ['mem_fragmentation_ratio', ratio(memory.resident, memory.used)],
    ['mem_fragmentation_bytes', memory.resident - memory.used],
    ['mem_not_counted_for_evict', memory.notCounted],
    ['mem_replication_backlog', memory.recentFrames],
    ['mem_total_replication_buffers', memory.recentFrames + memory.links],
    ['mem_peer_links', memory.links],
    ['mem_clients_slaves', 0],
    ['mem_clients_normal', memory.clients],
    ['mem_aof_buffer', memory.pendingFrames],
    ['mem_allocator', 'meridian-arena'],
    ['lazyfree_pending_objects', call.keyspace.reclaimer.pending],
    ['lazyfree_pending_bytes', call.keyspace.reclaimer.pendingBytes],
  ]
}

export function persistenceSection({ services, nowMs }: Call): InfoFields {
  const { log } = services.server
  const { report } = services.persistence
  const { running, runningSeconds, lastStatus, lastDuration } = report
  return [
    ['loading', report.loading === null ? 0 : 1],
    ['async_loading', 0],
    ...(report.loading === null ? [] : loadingFields(report.loading, nowMs)),
    ['rdb_changes_since_last_save', report.changesSinceSave],
    ['rdb_bgsave_in_progress', running === 'save' ? 1 : 0],
    ['rdb_last_save_time', Math.floor(report.lastSaveMs / 1000)],
    ['rdb_last_bgsave_status', lastStatus.save],
    ['rdb_last_bgsave_time_sec', lastDuration.save],
    ['rdb_current_bgsave_time_sec', running === 'save' ? runningSeconds : -1],
    ['rdb_saves', report.completed],
    ['aof_enabled', 1],
    ['aof_rewrite_in_progress', running === 'rewrite' ? 1 : 0],
    ['aof_rewrite_scheduled', report.scheduled === 'rewrite' ? 1 : 0],
    ['aof_last_rewrite_time_sec', lastDuration.rewrite],
    ['aof_current_rewrite_time_sec', running === 'rewrite' ? runningSeconds : -1],
    ['aof_last_bgrewrite_status', lastStatus.rewrite],
    ['aof_last_write_status', log.lastError === null ? 'ok' : 'err'],
    ['aof_fsync_policy', log.policy],
    ['aof_current_size', report.totalBytes],
    ['aof_base_size', report.baseBytes],
    ['aof_buffer_length', log.appendedBytes - log.durableBytes],
    ['aof_pending_bio_fsync', log.syncingMs > 0 ? 1 : 0],
    ['aof_delayed_fsync', log.delayedSyncs],
    ['aof_last_fsync_ms', Math.round(log.lastSyncMs)],
    ['aof_current_fsync_ms', Math.round(log.syncingMs)],
    ['snapshot_last_error', (report.lastError ?? '').replace(/\s+/g, ' ')],
  ]
}

/** How far a start has got. */
function loadingFields(
  { startedMs, totalBytes, loadedBytes }: NonNullable<PersistenceReport['loading']>,
  nowMs: number,
): InfoFields {
  const seconds = Math.max(0, nowMs - startedMs) / 1000
  return [
    ['loading_start_time', Math.floor(startedMs / 1000)],
    ['loading_total_bytes', totalBytes],
    ['loading_loaded_bytes', loadedBytes],
    ['loading_loaded_perc', percent(loadedBytes, totalBytes)],
    ['loading_eta_seconds', loadedBytes === 0 ? 1 : Math.ceil((Math.max(0, totalBytes - loadedBytes) * seconds) / loadedBytes)],
  ]
}

export function statsSection({ services, engine, keyspace }: Call): InfoFields {
  const { statistics, load, pubsub, memory } = engine
  const { rates } = load
  const clients = services.clients.statistics
  return [
    ['total_connections_received', clients.totalConnections],
    ['total_commands_processed', statistics.commandsProcessed],
    ['instantaneous_ops_per_sec', Math.round(rates.operations)],
    ['total_net_input_bytes', clients.netInputBytes],
    ['total_net_output_bytes', clients.netOutputBytes],
    ['instantaneous_input_kbps', (rates.inputBytes / 1024).toFixed(2)],
    ['instantaneous_output_kbps', (rates.outputBytes / 1024).toFixed(2)],
    ['rejected_connections', clients.rejectedConnections],
    ['sync_full', 0],
    ['sync_partial_ok', 0],
    ['sync_partial_err', 0],
    ['expired_subkeys', statistics.expiredFields],
    ['expired_keys', statistics.expiredKeys],
    ['evicted_keys', statistics.evictedKeys],
    ['evicted_clients', clients.evictedClients],
    ['total_eviction_exceeded_time', Math.round(memory.exceededMs.total)],
    ['current_eviction_exceeded_time', Math.round(memory.exceededMs.current)],
    ['keyspace_hits', keyspace.hits],
    ['keyspace_misses', keyspace.misses],
    ['pubsub_channels', pubsub.channelCount],
    ['pubsub_patterns', pubsub.patternCount],
    ['pubsubshard_channels', pubsub.shardChannelCount],
    ['latest_fork_usec', 0],
    ['total_forks', 0],
    ['migrate_cached_sockets', 0],
    ['unexpected_error_replies', 0],
    ['total_error_replies', statistics.errorReplies],
    ['unknown_commands', statistics.unknownCommands],
    ['remote_frames_applied', statistics.remoteFrames],
    ['remote_ops_applied', statistics.remoteOps],
    ['remote_messages_sent', pubsub.messagesSent],
    ['remote_messages_received', pubsub.messagesReceived],
    ['remote_messages_dropped', pubsub.messagesDropped],
    ...eventLoopFields(engine),
    ['client_query_buffer_limit_disconnections', clients.queryBufferLimitDisconnections],
    ['client_output_buffer_limit_disconnections', clients.outputBufferLimitDisconnections],
    ['acl_access_denied_auth', statistics.failedAuthentications],
  ]
}

function eventLoopFields({ load, statistics }: Call['engine']): InfoFields {
  const { eventLoop, rates } = load
  if (eventLoop === null) return []
  return [
    ['eventloop_cycles', eventLoop.cycles],
    ['eventloop_duration_sum', Math.round(eventLoop.activeMs * 1000)],
    ['eventloop_duration_cmd_sum', Math.round(statistics.commandMicroseconds)],
    ['instantaneous_eventloop_cycles_per_sec', Math.round(rates.cycles)],
    ['instantaneous_eventloop_duration_usec', rates.cycles === 0 ? 0 : Math.round((rates.activeMs * 1000) / rates.cycles)],
  ]
}

export function cpuSection({ services }: Call): InfoFields {
  const { user, system } = services.server.cpuSeconds()
  return [
    ['used_cpu_sys', system.toFixed(6)],
    ['used_cpu_user', user.toFixed(6)],
    ['used_cpu_sys_children', '0.000000'],
    ['used_cpu_user_children', '0.000000'],
  ]
}

function percent(part: number, whole: number): string {
  return (whole === 0 ? 0 : (part / whole) * 100).toFixed(2)
}

function ratio(a: number, b: number): string {
  return (b === 0 ? 0 : a / b).toFixed(2)
}
