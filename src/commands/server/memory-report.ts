import type { Call } from '../call.js'

/**
 * Where the memory is, in bytes: what is big and Meridian's own. Not in it are the program itself, the JavaScript heap with what is small or short-lived, and what
 * the arenas hold without using it (`reserved` less `data`); used_memory_rss has it all.
 */
export interface MemoryReport {
  /** Data, clients, log and links: used_memory. */
  readonly used: number
  /** Records, extras and tables: exact, from the arenas. */
  readonly data: number
  /** What the arenas have taken from the operating system. */
  readonly reserved: number
  readonly clients: number
  /** Frames of the log in memory: those kept for other members, and those that wait for a disk that has refused them. */
  readonly recentFrames: number
  readonly pendingFrames: number
  /** What waits on links with other members. */
  readonly links: number
  /** Log and links: used, but no reason to evict keys; see MemoryBound. */
  readonly notCounted: number
  /** All but the dataset. */
  readonly overhead: number
  /** Records and extras. */
  readonly dataset: number
  readonly peak: number
  /** Of the whole process. */
  readonly resident: number
  readonly keys: number
  readonly databases: readonly { readonly index: number; readonly tables: number; readonly keys: number }[]
}

export function memoryReport({ keyspace, services, engine }: Call): MemoryReport {
  const data = keyspace.usedBytes()
  let clients = 0
  for (const client of services.clients.clients()) clients += client.totalMemoryBytes
  const databases = []
  let tables = 0
  let keys = 0
  for (let index = 0; index < keyspace.databaseCount; index++) {
    const db = keyspace.peek(index)
    if (db === undefined) continue
    const bytes = db.tableBytes()
    databases.push({ index, tables: bytes, keys: db.keyCount })
    tables += bytes
    keys += db.keyCount
  }
  const { recentBytes, pendingBytes } = services.server.log
  const links = services.replication.linkBytes
  const notCounted = recentBytes + pendingBytes + links
  const used = data + clients + notCounted
  return {
    used,
    data,
    reserved: Math.max(keyspace.reservedBytes(), data),
    clients,
    recentFrames: recentBytes,
    pendingFrames: pendingBytes,
    links,
    notCounted,
    overhead: tables + clients + notCounted,
    dataset: Math.max(0, data - tables),
    peak: Math.max(engine.load.peakBytes, used),
    resident: services.server.residentBytes(),
    keys,
    databases,
  }
}

/** As Redis prints bytes for people: 1.50K, 3.00M. */
export function humanBytes(bytes: number): string {
  const units = ['B', 'K', 'M', 'G', 'T', 'P']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return unit === 0 ? `${bytes}B` : `${value.toFixed(2)}${units[unit]}`
}
