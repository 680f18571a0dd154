import type { MemberConfig } from '../config/member-config.js'
import { MeridianError } from '../base/errors.js'
import { readPem } from './certificate-folder.js'
import type { RedisAddress, RedisTls } from './redis-client.js'

/** What is bound to every address is reached by the loopback one. */
const ALL_ADDRESSES = new Map([
  ['*', '127.0.0.1'],
  ['0.0.0.0', '127.0.0.1'],
  ['::*', '::1'],
  ['::', '::1'],
])

/** How this machine reaches the clients' port of the member that a configuration describes. */
export function ownAddress(config: MemberConfig): RedisAddress {
  const { clients } = config
  const first = clients.bind[0].replace(/^-/, '')
  const host = ALL_ADDRESSES.get(first) ?? first
  const port = clients.port ?? clients.tls?.port ?? 0
  return { host, port, password: clients.requirepass, tls: tlsOf(config) }
}

/** `host:port`, `[::1]:port`, `:port` or `port`. @throws MeridianError MRD_ARGUMENT */
export function parseAddress(text: string): { host: string; port: number } {
  const match = /^(?:(\[[0-9a-fA-F:.]+\]|[^:[\]\s]*):)?(\d{1,5})$/.exec(text)
  const port = match ? Number(match[2]) : 0
  if (!match || port < 1 || port > 65535) {
    throw new MeridianError('MRD_ARGUMENT', `"${text}" is no address`, 'Write host:port, such as 127.0.0.1:7001.')
  }
  return { host: match[1] ? match[1].replace(/^\[|\]$/g, '') : '127.0.0.1', port }
}

function tlsOf(config: MemberConfig): RedisTls | undefined {
  const { tls, port } = config.clients
  if (port !== null || !tls) return undefined
  return {
    ca: tls.caFile === null ? undefined : readPem(tls.caFile),
    cert: readPem(tls.certFile),
    key: readPem(tls.keyFile),
  }
}
