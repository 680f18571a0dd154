import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { MeridianError } from '../base/errors.js'
import { parseConfig } from '../config/load.js'
import { replaceFile } from '../config/rewrite.js'
import { YamlSource } from '../config/yaml-source.js'
import { AUTHORITY_NAME, CertificateFolder } from './certificate-folder.js'

/** Where `up` keeps everything unless told otherwise; `status` looks here too. */
export const DEFAULT_CLUSTER_FOLDER = '.meridian'
export const DEFAULT_BASE_PORT = 7001
/** Distance of a member's peer port from its client port; also the most members that fit. */
const PEER_PORT_OFFSET = 100
export const MAX_LOCAL_MEMBERS = 16

const HOST = '127.0.0.1'
const CERTIFICATE_DAYS = 365
/** A certificate this close to its end is issued anew at start. */
const RENEW_DAYS = 30

const REGIONS = [
  { name: 'us', region: 'us-east' },
  { name: 'eu', region: 'eu-west' },
  { name: 'ap', region: 'ap-south' },
] as const

export interface LocalClusterOptions {
  readonly folder: string
  readonly basePort: number
  readonly regions: number
}

export interface LocalMember {
  readonly id: number
  readonly name: string
  readonly region: string
  readonly host: string
  readonly port: number
  readonly peerPort: number
  readonly configFile: string
  readonly logFile: string
}

/** Names, ports and files of a cluster on this machine. The first three are the regions of config/. */
export function planLocalCluster(options: LocalClusterOptions): LocalMember[] {
  const folder = resolve(options.folder)
  return Array.from({ length: options.regions }, (_, index) => {
    const { name, region } = REGIONS.at(index) ?? { name: `r${index + 1}`, region: `region-${index + 1}` }
    return {
      id: index + 1,
      name,
      region,
      host: HOST,
      port: options.basePort + index,
      peerPort: options.basePort + PEER_PORT_OFFSET + index,
      configFile: join(folder, 'config', `${name}.yaml`),
      logFile: join(folder, name, 'server.log'),
    }
  })
}

/**
 * Makes what is missing: folders, certificates, configuration files. A configuration file that exists keeps what was changed in
 * it; only folders, addresses and ports are brought in line.
 * @throws MeridianError when a port is taken, a file cannot be written, or the folder holds another cluster's certificates.
 */
export async function prepareLocalCluster(members: readonly LocalMember[], folder: string, sampleFolder: string): Promise<void> {
  await requireFreePorts(members)
  const certificates = new CertificateFolder(join(resolve(folder), 'certs'))
  try {
    for (const member of members) mkdirSync(join(resolve(folder), member.name), { recursive: true })
    mkdirSync(join(resolve(folder), 'config'), { recursive: true })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new MeridianError('MRD_DATA_FOLDER', `${folder} cannot be used: ${reason}`, 'Choose another folder with --dir.', {
      cause: error,
    })
  }
  const clusterIds = members.map((member) => writeConfig(member, members, sampleFolder))
  await ensureCertificates(certificates, clusterIds[0], members)
}

/** Returns the cluster id that the file has. */
function writeConfig(member: LocalMember, members: readonly LocalMember[], sampleFolder: string): string {
  const { document } = existsSync(member.configFile) ? YamlSource.read(member.configFile) : sampleFor(member, sampleFolder)
  const set = (path: string, value: unknown): void => document.setIn(path.split('.'), value)
  set('member.id', member.id)
  set('member.name', member.name)
  set('storage.dir', `../${member.name}/data`)
  set('clients.bind', document.createNode([HOST]))
  set('clients.port', member.port)
  set('peers.bind', HOST)
  set('peers.port', member.peerPort)
  set('peers.tls-cert-file', `../certs/${member.name}.crt`)
  set('peers.tls-key-file', `../certs/${member.name}.key`)
  set('peers.tls-ca-cert-file', `../certs/${AUTHORITY_NAME}.crt`)
  const list = members.map(({ id, name, region, host, peerPort, port }) => ({
    id,
    name,
    region,
    host,
    port: peerPort,
    'client-port': port,
  }))
  set('peers.members', document.createNode(list))
  const text = document.toString({ lineWidth: 0 })
  const config = parseConfig(member.configFile, text)
  if (!existsSync(member.configFile)) writeFileSync(member.configFile, text)
  else if (readFileSync(member.configFile, 'utf8') !== text) replaceFile(member.configFile, text)
  return config.clusterId
}

function sampleFor(member: LocalMember, sampleFolder: string): YamlSource {
  const own = join(sampleFolder, `${member.name}.yaml`)
  return YamlSource.read(existsSync(own) ? own : join(sampleFolder, `${REGIONS[1].name}.yaml`))
}

async function ensureCertificates(folder: CertificateFolder, clusterId: string, members: readonly LocalMember[]): Promise<void> {
  const { clusterOfAuthority, createAuthority, isSignedBy, issueMemberCertificate, summariseCertificate } =
    await import('./certificates.js')
  if (!folder.has(AUTHORITY_NAME)) folder.write(AUTHORITY_NAME, await createAuthority(clusterId, CERTIFICATE_DAYS * 10), false)
  const authority = folder.read(AUTHORITY_NAME)
  const present = clusterOfAuthority(authority.certificate)
  if (present !== clusterId) {
    const what = `${folder.folder} holds certificates of cluster ${present}, the configuration says ${clusterId}`
    throw new MeridianError('MRD_CERTIFICATE', what, 'Remove that folder to have them made anew, or correct cluster.id.')
  }
  for (const { name } of members) {
    const usable = (): boolean => {
      const { certificate } = folder.read(name)
      return (
        isSignedBy(certificate, authority.certificate) &&
        summariseCertificate(certificate, name, Date.now()).daysLeft >= RENEW_DAYS
      )
    }
    if (folder.has(name) && usable()) continue
    const request = { member: name, hosts: ['localhost', HOST], days: CERTIFICATE_DAYS }
    folder.write(name, await issueMemberCertificate(authority, request), true)
  }
}

async function requireFreePorts(members: readonly LocalMember[]): Promise<void> {
  for (const port of members.flatMap((member) => [member.port, member.peerPort])) {
    await new Promise<void>((done, fail) => {
      const probe = createServer()
      probe.once('error', (error: NodeJS.ErrnoException) => {
        const taken = error.code === 'EADDRINUSE'
        const what = taken ? `Port ${port} is in use` : `Port ${port} cannot be opened: ${error.message}`
        const remedy = taken
          ? 'Stop what uses it (another `meridian up`?), or choose other ports with --base-port.'
          : 'Choose other ports with --base-port.'
        fail(new MeridianError(taken ? 'MRD_PORT_IN_USE' : 'MRD_LISTEN', what, remedy, { cause: error }))
      })
      probe.listen({ host: HOST, port, exclusive: true }, () => probe.close(() => done()))
    })
  }
}
