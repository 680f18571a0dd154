import type { Server } from 'node:net'
import { MeridianError } from '../base/errors.js'

/** An address that a server listens on. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** A bind setting in Redis' notation: '*' and '::*' are all addresses, a leading '-' says that the address may be missing. */
interface BindTarget {
  readonly host: string
  readonly optional: boolean
}

function bindTarget(text: string): BindTarget {
  const optional = text.startsWith('-')
  const host = optional ? text.slice(1) : text
  if (host === '*') return { host: '0.0.0.0', optional }
  if (host === '::*') return { host: '::', optional }
  return { host, optional }
}

const MISSING_ADDRESS = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EPROTONOSUPPORT', 'ENOTFOUND'])

/** 'host:port', with brackets around IPv6. */
export function formatListenAddress(address: ListenAddress): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
}

/**
 * Opens one listening server for every bind address, all on one port: with port 0 the first one chooses.
 * @throws MeridianError MRD_PORT_IN_USE, MRD_LISTEN; then none is left open.
 */
export async function listenOnAll(
  bind: readonly string[],
  port: number,
  makeServer: () => Server,
): Promise<{ server: Server; address: ListenAddress }[]> {
  const opened: { server: Server; address: ListenAddress }[] = []
  let chosen = port
  try {
    for (const text of bind) {
      const target = bindTarget(text)
      const server = makeServer()
      try {
        const bound = await listenOn(server, target.host, chosen)
        chosen = bound
        opened.push({ server, address: { host: target.host, port: bound } })
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code ?? ''
        if (target.optional && MISSING_ADDRESS.has(code)) continue
        throw listenError(error as NodeJS.ErrnoException, { host: target.host, port: chosen })
      }
    }
    if (opened.length === 0) {
      throw new MeridianError(
        'MRD_LISTEN',
        `None of the bind addresses exists: ${bind.join(' ')}`,
        "Set 'bind' to an address of this machine, or to '*' for all.",
      )
    }
  } catch (error) {
    for (const { server } of opened) server.close()
    throw error
  }
  return opened
}

function listenOn(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    // An IPv6 address means IPv6 only, as in Redis, so that '*' and '::*' can stand side by side.
    server.listen({ host, port, ipv6Only: host.includes(':'), backlog: 511 }, () => {
      server.removeListener('error', reject)
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}

function listenError(error: NodeJS.ErrnoException, address: ListenAddress): MeridianError {
  const where = formatListenAddress(address)
  if (error.code === 'EADDRINUSE') {
    return new MeridianError(
      'MRD_PORT_IN_USE',
      `${where} is already in use`,
      `Stop the process that listens there ('ss -ltnp sport = :${address.port}' names it), or choose another port.`,
      { cause: error },
    )
  }
  const remedy =
    error.code === 'EACCES'
      ? 'Choose a port above 1023, or give the process the right to bind it.'
      : "Set 'bind' to addresses of this machine, or to '*' for all."
  return new MeridianError('MRD_LISTEN', `Cannot listen on ${where}: ${error.code ?? error.message}`, remedy, { cause: error })
}
