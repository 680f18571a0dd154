import { loadConfig } from '../config/load.js'
import type { MemberConfig } from '../config/member-config.js'
import { ownAddress, parseAddress } from './client-address.js'
import { RedisClient, type RedisAddress, type Reply } from './redis-client.js'

/** Whom to ask, to see all of a cluster. */
export interface ClusterTargets {
  readonly targets: readonly RedisAddress[]
  /** Members whose address for clients nobody has told. */
  readonly withoutAddress: readonly string[]
}

/** A member as the list of members says, or the configuration. */
interface Listed {
  readonly name: string
  readonly client: { readonly host: string; readonly port: number } | null
}

/**
 * Every member of the cluster of a configuration file: as the running ones say, since members come and go without the file; as the file says where none of them answers. Everyone is
 * taken to have the password and TLS that the file has.
 */
export async function clusterTargets(file: string, timeoutMs: number): Promise<ClusterTargets> {
  const config = loadConfig(file)
  const own = ownAddress(config)
  const configured = configuredMembers(config)
  // By name: one that was added later does not find its id in its file.
  const addressOf = ({ name, client }: Listed): RedisAddress | null => {
    if (name === config.member.name) return own
    const known = client ?? configured.find((each) => each.name === name)?.client ?? null
    return known === null ? null : { ...own, ...known }
  }
  const fromFile = configured.flatMap((member) => addressOf(member) ?? [])
  const lists = await Promise.all(fromFile.map((address) => listOf(address, timeoutMs)))
  // Entries are never removed: the longest list is the newest, or as new as any.
  const newest = lists.reduce((best, list) => (list.length > best.length ? list : best), [])
  const active = newest.filter(({ isPresent }) => isPresent)
  const members = active.length > 0 ? active : configured
  return {
    targets: members.flatMap((member) => addressOf(member) ?? []),
    withoutAddress: members.filter((member) => addressOf(member) === null).map(({ name }) => name),
  }
}

function configuredMembers({ member, peers }: MemberConfig): Listed[] {
  // One that was added later has no list in its file; nor has a database of one region.
  if (peers === null || peers.members.length === 0) return [{ name: member.name, client: null }]
  return peers.members.map(({ name, host, clientPort }) => ({
    name,
    client: clientPort === null ? null : { host, port: clientPort },
  }))
}

/** Everybody who is or was a member, as this one says; nobody when it does not answer, or is of a version that has no list. */
async function listOf(address: RedisAddress, timeoutMs: number): Promise<(Listed & { readonly isPresent: boolean })[]> {
  let client: RedisClient | null = null
  try {
    client = await RedisClient.connect(address, timeoutMs)
    const reply = await client.command('CRDT.TOPOLOGY', 'LIST')
    return Array.isArray(reply) ? (reply as Reply[]).map(readListed) : []
  } catch {
    // The status of this member says what is the matter with it.
    return []
  } finally {
    client?.close()
  }
}

function readListed(entry: Reply): Listed & { readonly isPresent: boolean } {
  const fields = fieldsOf(entry)
  const address = String(fields.get('client-address') ?? '')
  const state = String(fields.get('state'))
  return {
    name: String(fields.get('name')),
    client: address === '' ? null : parseAddress(address),
    isPresent: state === 'active' || state === 'draining',
  }
}

/** A map that came as a flat array. */
export function fieldsOf(reply: Reply): Map<string, Reply> {
  const fields = new Map<string, Reply>()
  const list = Array.isArray(reply) ? (reply as Reply[]) : []
  for (let i = 0; i + 1 < list.length; i += 2) fields.set(String(list[i]), list[i + 1])
  return fields
}
