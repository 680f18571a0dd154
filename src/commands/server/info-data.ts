import type { Call } from '../call.js'
import type { Command } from '../command-table.js'
import type { InfoFields } from './info-fields.js'

/** INFO's sections about clients, commands and keys. */
export function clientsSection({ services, engine }: Call): InfoFields {
  const { clients } = services
  const { blocking } = engine
  let largestInput = 0
  let largestOutput = 0
  let blocked = 0
  let watching = 0
  for (const client of clients.clients()) {
    largestInput = Math.max(largestInput, client.queryBufferBytes)
    largestOutput = Math.max(largestOutput, client.outputBytes)
    if (client.session.blocked !== null && client.session.blocked.isRunning !== true) blocked++
    if (client.session.watched.size > 0) watching++
  }
  return [
    ['connected_clients', clients.count],
    ['cluster_connections', 0],
    ['maxclients', clients.maxClients],
    ['client_recent_max_input_buffer', largestInput],
    ['client_recent_max_output_buffer', largestOutput],
    ['blocked_clients', blocked],
    ['tracking_clients', 0],
    ['pubsub_clients', engine.pubsub.clientCount],
    ['watching_clients', watching],
    ['clients_in_timeout_table', blocking.timedClientCount],
    ['total_watched_keys', engine.watchedKeys],
    ['total_blocking_keys', blocking.keyCount],
    ['total_blocking_keys_on_nokey', blocking.keyCountWhenGone],
  ]
}

export function commandstatsSection({ services }: Call): InfoFields {
  const fields: (readonly [string, string])[] = []
  const add = (command: Command): void => {
    const { calls, microseconds, rejectedCalls, failedCalls } = command
    if (calls + rejectedCalls + failedCalls > 0) {
      const each = calls === 0 ? 0 : microseconds / calls
      const counts = `calls=${calls},usec=${Math.floor(microseconds)},usec_per_call=${each.toFixed(2)}`
      fields.push([`cmdstat_${command.fullName}`, `${counts},rejected_calls=${rejectedCalls},failed_calls=${failedCalls}`])
    }
    for (const sub of command.subcommands.values()) add(sub)
  }
  for (const command of services.table.all()) add(command)
  return fields
}

export function latencystatsSection({ services, engine }: Call): InfoFields {
  const fields: (readonly [string, string])[] = []
  const add = ({ fullName, latency, subcommands }: Command): void => {
    if (latency.calls > 0) {
      const shares = engine.latency.percentiles.map((share) => `p${share}=${latency.percentile(share).toFixed(3)}`)
      fields.push([`latency_percentiles_usec_${fullName}`, shares.join(',')])
    }
    for (const sub of subcommands.values()) add(sub)
  }
  for (const command of services.table.all()) add(command)
  return fields
}

export function errorstatsSection({ engine }: Call): InfoFields {
  return [...engine.errorCounts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, count]) => [`errorstat_${code.replace(/[:\r\n#]/g, '_')}`, `count=${count}`] as const)
}

export function clusterSection(): InfoFields {
  return [['cluster_enabled', 0]]
}

export function modulesSection(): InfoFields {
  return []
}

/** Expiring keys sampled for avg_ttl. */
const TTL_SAMPLE = 100

export function keyspaceSection({ keyspace }: Call): InfoFields {
  const fields: (readonly [string, string])[] = []
  for (let database = 0; database < keyspace.databaseCount; database++) {
    const db = keyspace.peek(database)
    if (db === undefined || db.keyCount === 0) continue
    let sampled = 0
    let ttlMs = 0
    for (let i = 0; i < db.expiringCount && sampled < TTL_SAMPLE; i++) {
      const left = db.expiresAt(db.expiringAt(i)) - keyspace.nowMs
      if (left <= 0 || left === Infinity) continue
      sampled++
      ttlMs += left
    }
    const average = sampled === 0 ? 0 : Math.floor(ttlMs / sampled)
    fields.push([
      `db${database}`,
      `keys=${db.keyCount},expires=${db.expiringCount},avg_ttl=${average},subexpiry=${db.fieldExpiries.count}`,
    ])
  }
  return fields
}
