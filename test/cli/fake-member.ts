import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import RedisParser from 'redis-parser'

/** A server that answers PING, AUTH, INFO and CRDT.TOPOLOGY LIST as told, in this process. */
export interface FakeMember {
  readonly port: number
  close(): Promise<void>
}

export interface FakeMemberOptions {
  readonly info?: string
  readonly password?: string
  /** The list of members; left out, it has none. */
  readonly list?: readonly { id: number; name: string; client: string; state: string }[]
  /** An error for every command but AUTH. */
  readonly error?: string
  /** Never answers. */
  readonly silent?: boolean
  readonly tls?: { cert: string; key: string; ca: string }
}

export async function startFakeMember(options: FakeMemberOptions): Promise<FakeMember> {
  const sockets = new Set<Socket>()
  const onSocket = (socket: Socket): void => {
    sockets.add(socket)
    let authenticated = options.password === undefined
    const parser = new RedisParser({
      returnReply: (request: string[]) => {
        if (options.silent) return
        const name = request[0].toUpperCase()
        if (name === 'AUTH') {
          authenticated = request[1] === options.password
          socket.write(authenticated ? '+OK\r\n' : '-WRONGPASS invalid username-password pair or user is disabled.\r\n')
        } else if (!authenticated) socket.write('-NOAUTH Authentication required.\r\n')
        else if (options.error !== undefined) socket.write(`-${options.error}\r\n`)
        else if (name === 'INFO') socket.write(`$${Buffer.byteLength(options.info ?? '')}\r\n${options.info ?? ''}\r\n`)
        else if (name === 'CRDT.TOPOLOGY' && options.list !== undefined) socket.write(listReply(options.list))
        else socket.write('+PONG\r\n')
      },
      returnError: () => socket.destroy(),
    })
    socket.on('data', (bytes: Buffer) => parser.execute(bytes))
    socket.on('error', () => socket.destroy())
  }
  const server: Server = options.tls
    ? createTlsServer({ ...options.tls, requestCert: true, rejectUnauthorized: true }, onSocket)
    : createServer(onSocket)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

function listReply(list: NonNullable<FakeMemberOptions['list']>): string {
  const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`
  const entries = list.map(
    ({ id, name, client, state }) =>
      `*8\r\n${bulk('id')}:${id}\r\n${['name', name, 'client-address', client, 'state', state].map(bulk).join('')}`,
  )
  return `*${list.length}\r\n${entries.join('')}`
}

/** INFO as a member answers it. */
export function fakeInfo(
  member: { id: number; name: string; clusterId?: string },
  peers: readonly string[],
  replication: readonly string[] = ['sync_state:none', 'sync_receivers:0'],
  crdt: readonly string[] = [],
): string {
  return [
    '# Server',
    'redis_version:7.4.0',
    'meridian_version:0.1.0',
    'uptime_in_seconds:12',
    '# Clients',
    'connected_clients:3',
    '# Memory',
    'used_memory:2097152',
    'maxmemory:2097152',
    'mem_over_maxmemory:1000',
    'maxmemory_policy:allkeys-lru',
    '# Stats',
    'instantaneous_ops_per_sec:250',
    '# Replication',
    ...replication,
    '# CRDT',
    `member_id:${member.id}`,
    `member_name:${member.name}`,
    `region:${member.name}-region`,
    'zone:a',
    `cluster_id:${member.clusterId ?? 'test'}`,
    'version_vector:1:100,2:90',
    'stable_vector:1:80',
    ...crdt,
    '# Peers',
    ...peers.map((peer, index) => `peer${index}:${peer}`),
    '# Keyspace',
    'db0:keys=5,expires=1,avg_ttl=0',
    'db3:keys=2,expires=0,avg_ttl=0',
    '',
  ].join('\r\n')
}

/** One `peerN` line of INFO peers, all well unless told otherwise. */
export function fakePeer(fields: Record<string, string | number>): string {
  const all = {
    id: 2,
    name: 'eu',
    region: 'eu',
    link: 'up',
    inbound: 'up',
    lag_ms: 3,
    behind_ms: 0,
    rtt_ms: 1,
    bytes_in: 1,
    bytes_out: 1,
    relay: 'none',
    error: '',
  }
  return Object.entries({ ...all, ...fields })
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
}
