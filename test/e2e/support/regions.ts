import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePorts } from './free-ports.js'
import { MemberProcess } from './member-process.js'
import { meridian, type TestCluster } from './test-cluster.js'

/** `meridian region …` against a member. @throws when it fails. */
export async function region(via: MemberProcess, ...args: readonly string[]): Promise<string> {
  const { code, output } = await meridian('region', ...args, '--via', `127.0.0.1:${via.port}`)
  if (code !== 0) throw new Error(`meridian region ${args.join(' ')} failed: ${output}`)
  return output
}

/** Adds a member at `via` and makes what it needs: the certificate, and the configuration that `region add` prints. It is not started. */
export async function addRegion({ folder }: TestCluster, name: string, via: MemberProcess): Promise<MemberProcess> {
  const [port, peerPort] = await freePorts(2)
  const issued = await meridian('certs', 'issue', name, '--dir', join(folder, 'certs'))
  if (issued.code !== 0) throw new Error(`certs issue ${name} failed: ${issued.output}`)
  const printed = await region(
    via,
    ...['add', name, '--region', `${name}-region`],
    ...['--peer-address', `127.0.0.1:${peerPort}`, '--client-address', `127.0.0.1:${port}`],
  )
  const yaml = printed
    .split('\n')
    .filter((line) => line.startsWith('     ') && !line.includes('meridian server') && !line.includes('and bring'))
    .map((line) => line.slice(5))
    .join('\n')
    .replace('dir: data', `dir: ${name}`)
    .replace('peers:', 'peers:\n  bind: 127.0.0.1')
  const configFile = join(folder, `${name}.yaml`)
  writeFileSync(configFile, `${yaml}\nlogging: { level: info, format: json }\n`)
  const id = Number(/as member (\d+)/.exec(printed)?.[1])
  return new MemberProcess({ name, id, port, peerPort, configFile, dataFolder: join(folder, name) })
}
