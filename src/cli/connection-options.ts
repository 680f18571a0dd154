import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { MeridianError } from '../base/errors.js'
import { loadConfig } from '../config/load.js'
import { durationArgument } from './argument.js'
import { readPem } from './certificate-folder.js'
import { ownAddress, parseAddress } from './client-address.js'
import { DEFAULT_CLUSTER_FOLDER } from './local-cluster.js'
import { clusterTargets, type ClusterTargets } from './member-list.js'
import type { RedisAddress } from './redis-client.js'

/** Options of the verbs that talk to running members. */
export interface ConnectionOptions {
  config?: string
  tls?: boolean
  caCert?: string
  cert?: string
  key?: string
  timeout: number
}

/** A member gets this long to answer. */
const TIMEOUT_MS = 2000

export function addConnectionOptions(command: Command, timeoutMs = TIMEOUT_MS): Command {
  return command
    .option('-c, --config <file>', "a member's YAML file: its addresses, password and certificates are used")
    .option('--tls', 'use TLS for addresses given on the command line')
    .option('--ca-cert <file>', 'trust this authority (implies --tls)')
    .option('--cert <file>', 'show this certificate to the server (implies --tls)')
    .option('--key <file>', 'the key of --cert')
    .option('--timeout <duration>', 'wait this long for a member', durationArgument, timeoutMs)
}

/** The members at these addresses, else the one of the file, else the first one of the cluster that `meridian up` keeps here. */
export function targetsOf(addresses: readonly string[], options: ConnectionOptions): RedisAddress[] {
  if (addresses.length > 0) return addresses.map((text) => ({ ...parseAddress(text), ...credentialsOf(options) }))
  return [ownAddress(loadConfig(configFileOf(options)))]
}

/** The members at these addresses, else everybody in the cluster of the file, else of the one that `meridian up` keeps here. */
export async function clusterTargetsOf(addresses: readonly string[], options: ConnectionOptions): Promise<ClusterTargets> {
  if (addresses.length > 0) return { targets: targetsOf(addresses, options), withoutAddress: [] }
  return clusterTargets(configFileOf(options), options.timeout)
}

function configFileOf(options: ConnectionOptions): string {
  const file = options.config ?? localConfigFile()
  if (file !== undefined) return file
  throw new MeridianError(
    'MRD_ARGUMENT',
    'There is nobody to ask',
    `Give addresses, or --config FILE, or run \`meridian up\` here first.`,
  )
}

/** The password comes from the environment, as redis-cli takes it, so that it stands in no process list. */
function credentialsOf(options: ConnectionOptions): Pick<RedisAddress, 'password' | 'tls'> {
  const { caCert, cert, key } = options
  const tls = options.tls === true || caCert !== undefined || cert !== undefined
  return {
    password: process.env.REDISCLI_AUTH,
    tls: tls ? { ca: caCert && readPem(caCert), cert: cert && readPem(cert), key: key && readPem(key) } : undefined,
  }
}

function localConfigFile(): string | undefined {
  const folder = join(DEFAULT_CLUSTER_FOLDER, 'config')
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.yaml')) : []
  return files.length > 0 ? join(folder, files.sort()[0]) : undefined
}
