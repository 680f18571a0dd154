import type { SpawnOptions } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from './eventually.js'
import { freePorts } from './free-ports.js'
import { ManagedProcess } from './managed-process.js'
import { MemberProcess } from './member-process.js'
import { meridianCommand } from './project-root.js'
import { TcpProxy } from './tcp-proxy.js'

export interface TestClusterOptions {
  readonly names?: readonly string[]
  readonly clusterId?: string
  /** Puts a proxy into every link, one a direction; see TestCluster.proxy. */
  readonly proxied?: boolean
  /** Further YAML lines of sections that are not generated. */
  readonly extraYaml?: string
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error'
  readonly appendfsync?: 'always' | 'everysec' | 'no'
  /** How the process of a member is started. */
  readonly spawn?: (name: string, folder: string) => SpawnOptions
}

/** Runs a `bin/meridian` verb to its end. */
export async function meridian(...args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const [command, ...launcher] = meridianCommand()
  const process = ManagedProcess.start(command, [...launcher, ...args])
  const { code } = await process.exited
  return { code, output: process.output }
}

/** A cluster of real processes in a folder of its own, with generated configuration and certificates. */
export class TestCluster {
  private constructor(
    readonly folder: string,
    readonly members: readonly MemberProcess[],
    /** By `from>to`: what `from` dials to reach `to`. */
    private readonly proxies: ReadonlyMap<string, TcpProxy>,
  ) {}

  /** Writes everything; starts nothing. */
  static async create(options: TestClusterOptions = {}): Promise<TestCluster> {
    const { names = ['us', 'eu', 'ap'], clusterId = 'e2e', proxied = false } = options
    const folder = mkdtempSync(join(tmpdir(), 'meridian-e2e-'))
    await makeCertificates(join(folder, 'certs'), clusterId, names)
    const ports = await freePorts(names.length * 2 + names.length * names.length)
    const plans = names.map((name, index) => ({
      name,
      id: index + 1,
      port: ports[index * 2],
      peerPort: ports[index * 2 + 1],
      configFile: join(folder, `${name}.yaml`),
      dataFolder: join(folder, name),
    }))
    const proxies = new Map<string, TcpProxy>()
    if (proxied) {
      for (const [fromIndex, from] of plans.entries()) {
        for (const [toIndex, to] of plans.entries()) {
          if (from === to) continue
          const port = ports[names.length * 2 + fromIndex * names.length + toIndex]
          proxies.set(`${from.name}>${to.name}`, await TcpProxy.open(port, to.peerPort))
        }
      }
    }
    for (const self of plans) {
      const list = plans.map((other) => {
        const port = proxies.get(`${self.name}>${other.name}`)?.port ?? other.peerPort
        return `    - { id: ${other.id}, name: ${other.name}, region: ${other.name}, host: 127.0.0.1, port: ${port}, client-port: ${other.port} }`
      })
      const yaml = `cluster: { id: ${clusterId} }
member: { id: ${self.id}, name: ${self.name} }
storage: { dir: ${self.name}, appendfsync: ${options.appendfsync ?? 'everysec'} }
clients: { port: ${self.port} }
peers:
  bind: 127.0.0.1
  port: ${self.peerPort}
  tls-cert-file: certs/${self.name}.crt
  tls-key-file: certs/${self.name}.key
  tls-ca-cert-file: certs/ca.crt
  members:
${list.join('\n')}
logging: { level: ${options.logLevel ?? 'info'}, format: json }
${options.extraYaml ?? ''}
`
      writeFileSync(self.configFile, yaml)
    }
    return new TestCluster(
      folder,
      plans.map((plan) => new MemberProcess(plan, options.spawn?.(plan.name, folder))),
      proxies,
    )
  }

  /** Creates and starts; nothing is left behind when that fails. */
  static async started(options: TestClusterOptions = {}): Promise<TestCluster> {
    const cluster = await TestCluster.create(options)
    try {
      await Promise.all(cluster.members.map((member) => member.start()))
      await cluster.linked()
      return cluster
    } catch (error) {
      await cluster.dispose()
      throw error
    }
  }

  /** Waits until every member has had a link to every other one. */
  async linked(): Promise<void> {
    for (const from of this.members) {
      for (const to of this.members) if (from !== to) await from.running.printed(linkUp(to.name))
    }
  }

  member(name: string): MemberProcess {
    const found = this.members.find((member) => member.name === name)
    if (found === undefined) throw new Error(`there is no member ${name}`)
    return found
  }

  /** What stands between `from` and the peer port of `to` when `from` dials. */
  proxy(from: string, to: string): TcpProxy {
    const found = this.proxies.get(`${from}>${to}`)
    if (found === undefined) throw new Error(`there is no proxy from ${from} to ${to}`)
    return found
  }

  /** Both links between two members. */
  between(a: string, b: string): readonly [TcpProxy, TcpProxy] {
    return [this.proxy(a, b), this.proxy(b, a)]
  }

  /**
   * Waits until the members have the same digest (which is equal exactly when the data is). Nobody may be writing.
   * @throws with the digests when they do not get there.
   */
  async converged(timeoutMs = 20_000, members: readonly MemberProcess[] = this.members): Promise<void> {
    await eventually(
      async () => {
        const digests = await Promise.all(members.map((member) => member.command('CRDT.DIGEST')))
        const sizes = await Promise.all(members.map((member) => member.command('DBSIZE')))
        const states = members.map((member, i) => `${member.name}: ${JSON.stringify(digests[i])} with ${String(sizes[i])} keys`)
        if (new Set(states.map((state) => state.slice(state.indexOf(' ')))).size > 1)
          throw new Error(`not converged: ${states.join(', ')}`)
      },
      timeoutMs,
      50,
    )
  }

  /** Waits until a command answers the same, and that, in every member. */
  async everywhere(command: readonly string[], expected: unknown, timeoutMs = 15_000, members = this.members): Promise<void> {
    await eventually(
      async () => {
        for (const member of members) {
          const reply = await member.command(...command)
          if (JSON.stringify(reply) !== JSON.stringify(expected)) {
            throw new Error(
              `${member.name} answers ${JSON.stringify(reply)} to ${command.join(' ')}, not ${JSON.stringify(expected)}`,
            )
          }
        }
      },
      timeoutMs,
      25,
    )
  }

  async dispose(): Promise<void> {
    await Promise.all(this.members.map((member) => member.dispose()))
    for (const proxy of this.proxies.values()) proxy.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** What a member logs when the link that it dialled stands. */
export function linkUp(peer: string): RegExp {
  return new RegExp(`"peer":"${peer}","link":"outbound","msg":"peer link is up"`)
}

/** An authority and a certificate for each member, by the command line. */
export async function makeCertificates(
  folder: string,
  clusterId: string,
  names: readonly string[],
  ...flags: readonly string[]
): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const init = await meridian('certs', 'init', '--cluster-id', clusterId, '--dir', folder)
  if (init.code !== 0) throw new Error(`certs init failed: ${init.output}`)
  const issue = await meridian('certs', 'issue', ...names, '--dir', folder, ...flags)
  if (issue.code !== 0) throw new Error(`certs issue failed: ${issue.output}`)
}
