import type { SpawnOptions } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RedisClient, ReplyError } from '../../src/cli/redis-client.js'
import { eventually } from '../e2e/support/eventually.js'
import { freePorts } from '../e2e/support/free-ports.js'
import { ManagedProcess } from '../e2e/support/managed-process.js'
import type { MemberProcess } from '../e2e/support/member-process.js'
import { meridianCommand } from '../e2e/support/project-root.js'
import { TestCluster } from '../e2e/support/test-cluster.js'
import { cpuSeconds, residentBytes } from './process-usage.js'

/** Loading millions of keys comes before the first answer. */
const START_MS = 300_000
const COMMAND_MS = 120_000
const SNAPSHOT_MS = 300_000
const CLUSTER_NAMES = ['one', 'two'] as const

/** A server that says on SIGUSR2 what stopped it. */
const WATCHED: SpawnOptions = {
  env: { ...process.env, NODE_OPTIONS: `--import=${new URL('./turn-watch.js', import.meta.url).href}` },
}

export type System = 'redis' | 'meridian'

/** A database under measurement, as both kinds look from outside. */
export interface Server {
  readonly system: System
  readonly port: number
  /** User and system time of all its threads since its start, in seconds. */
  cpuSeconds(): number
  residentBytes(): number
  command(...args: readonly string[]): Promise<unknown>
  /** Of a watched server: what stopped it longest since this was last asked. */
  pauses(): Promise<Pauses>
  /** SIGTERM: everything is on disk afterwards. */
  stop(): Promise<void>
  /** Spawns it again on its data; returns seconds from spawn to the first PONG. */
  restart(): Promise<number>
}

/** See turn-watch. */
export interface Pauses {
  readonly longestMs: number
  readonly longestOwnMs: number
  readonly longestCollectionMs: number
}

/** Everything that one benchmark starts; ends it all and removes the files. */
export class Bench {
  private readonly folder = mkdtempSync(join(tmpdir(), 'meridian-bench-'))
  private readonly processes = new Set<ManagedProcess>()
  private readonly clusters: TestCluster[] = []

  async redis(...flags: readonly string[]): Promise<Server> {
    const [port] = await freePorts(1)
    const folder = join(this.folder, `redis-${port}`)
    mkdirSync(folder)
    // As Meridian has it: a log that is synced every second, no snapshot, no rewriting of the log during a measurement.
    const settings = ['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', '', '--auto-aof-rewrite-percentage', '0']
    const where = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder]
    return this.serverOf('redis', port, ['redis-server', ...where, ...settings, ...flags])
  }

  /** Follows another redis-server: what stands beside a Meridian with one live peer. */
  async redisReplica(primary: Server): Promise<Server> {
    const replica = await this.redis('--replicaof', '127.0.0.1', String(primary.port), '--repl-diskless-load', 'on-empty-db')
    await eventually(async () => {
      const info = String(await replica.command('INFO', 'replication'))
      if (!info.includes('master_link_status:up')) throw new Error('the replica is not linked')
    }, 60_000)
    return replica
  }

  /** A database of one region, without a file, as `meridian server` gives it. Watched ones can be asked for their pauses. */
  async meridian(isWatched = false): Promise<Server> {
    const [port] = await freePorts(1)
    const folder = join(this.folder, `meridian-${port}`)
    const where = ['server', '--port', String(port), '--dir', folder]
    // As redis-server above.
    const settings = ['--appendfsync', 'everysec', '--log-level', 'warn', '--set', 'storage.auto-aof-rewrite-percentage=0']
    return this.serverOf('meridian', port, [...meridianCommand(), ...where, ...settings], isWatched ? WATCHED : {})
  }

  /** Two members over mutual TLS, up and linked. */
  async meridianPair(isWatched = false): Promise<readonly [Server, Server]> {
    const [one, two] = await this.meridianCluster(CLUSTER_NAMES, isWatched)
    await this.linked(two, one)
    // As above.
    for (const server of [one, two]) await server.command('CONFIG', 'SET', 'auto-aof-rewrite-percentage', '0')
    return [one, two]
  }

  /** Members over mutual TLS, up, and linked to the first one. */
  async meridianCluster(names: readonly string[], isWatched = false): Promise<readonly Server[]> {
    const spawn = (): SpawnOptions => (isWatched ? WATCHED : {})
    const cluster = await TestCluster.create({ names, clusterId: 'bench', logLevel: 'warn', spawn })
    this.clusters.push(cluster)
    await Promise.all(cluster.members.map((member) => member.start()))
    const servers = cluster.members.map((member) => new MemberServer(member))
    for (const other of servers.slice(1)) await this.linked(servers[0], other)
    return servers
  }

  /** Waits until what is written in one shows in the other. */
  async linked(from: Server, to: Server): Promise<void> {
    await new Settlement(from, to).settle()
  }

  /** Ends everything that runs and removes its files. */
  async clear(): Promise<void> {
    await Promise.all([...this.processes].map((process) => process.kill()))
    this.processes.clear()
    for (const cluster of this.clusters.splice(0)) await cluster.dispose()
    for (const name of readdirSync(this.folder)) rmSync(join(this.folder, name), { recursive: true, force: true })
  }

  async dispose(): Promise<void> {
    await this.clear()
    rmSync(this.folder, { recursive: true, force: true })
  }

  private async serverOf(
    system: System,
    port: number,
    commandLine: readonly string[],
    spawn: SpawnOptions = {},
  ): Promise<Server> {
    const server = new ProcessServer(system, port, commandLine, this.processes, spawn)
    await server.restart()
    return server
  }
}

/** Writes a marker in one server and waits for it in the other: then everything before it has arrived. */
export class Settlement {
  private static markers = 0

  constructor(
    private readonly from: Server,
    private readonly to: Server,
  ) {}

  async settle(timeoutMs = 120_000): Promise<void> {
    const marker = `${process.pid}-${++Settlement.markers}`
    await this.from.command('SET', 'bench:marker', marker)
    await eventually(
      async () => {
        const seen = await this.to.command('GET', 'bench:marker')
        if (seen !== marker) throw new Error(`the second server has not caught up within ${timeoutMs / 1000} s`)
      },
      timeoutMs,
      5,
    )
  }
}

class ProcessServer implements Server {
  private process: ManagedProcess | null = null

  constructor(
    readonly system: System,
    readonly port: number,
    private readonly commandLine: readonly string[],
    private readonly processes: Set<ManagedProcess>,
    private readonly spawn: SpawnOptions,
  ) {}

  cpuSeconds(): number {
    return cpuSeconds(this.running.pid)
  }

  residentBytes(): number {
    return residentBytes(this.running.pid)
  }

  command(...args: readonly string[]): Promise<unknown> {
    return oneCommand(this.port, args)
  }

  pauses(): Promise<Pauses> {
    return pausesOf(this.running)
  }

  async stop(): Promise<void> {
    await this.running.stop('SIGTERM', 60_000)
    this.processes.delete(this.running)
  }

  async restart(): Promise<number> {
    const [command, ...args] = this.commandLine
    const startMs = performance.now()
    const started = ManagedProcess.start(command, args, this.spawn)
    this.process = started
    this.processes.add(started)
    await answersPing(this.port, started)
    return (performance.now() - startMs) / 1000
  }

  private get running(): ManagedProcess {
    if (this.process === null) throw new Error('the server was never started')
    return this.process
  }
}

/** A member of a TestCluster in the same clothes. */
class MemberServer implements Server {
  readonly system = 'meridian'

  constructor(private readonly member: MemberProcess) {}

  get port(): number {
    return this.member.port
  }

  cpuSeconds(): number {
    return cpuSeconds(this.member.running.pid)
  }

  residentBytes(): number {
    return residentBytes(this.member.running.pid)
  }

  command(...args: readonly string[]): Promise<unknown> {
    return oneCommand(this.port, args)
  }

  pauses(): Promise<Pauses> {
    return pausesOf(this.member.running)
  }

  async stop(): Promise<void> {
    await this.member.stop()
  }

  async restart(): Promise<number> {
    const startMs = performance.now()
    await answersPing(this.port, this.member.launch())
    return (performance.now() - startMs) / 1000
  }
}

async function pausesOf(process: ManagedProcess): Promise<Pauses> {
  const from = process.output.length
  process.signal('SIGUSR2')
  const line = await process.printed(/turn-watch .*\n/, 20_000, from)
  return JSON.parse(line.slice('turn-watch '.length)) as Pauses
}

async function oneCommand(port: number, args: readonly string[]): Promise<unknown> {
  const client = await RedisClient.connect({ host: '127.0.0.1', port }, COMMAND_MS)
  try {
    return await client.command(...args)
  } finally {
    client.close()
  }
}

/** An answer to PING that is no error: redis-server says LOADING while it reads its log. */
async function answersPing(port: number, process: ManagedProcess): Promise<void> {
  await eventually(
    async () => {
      if (process.hasExited) return
      const reply = await oneCommand(port, ['PING'])
      if (reply !== 'PONG') throw new Error(`PING was answered ${String(reply)}`)
    },
    START_MS,
    5,
  )
  if (process.hasExited) throw new Error(`${process.title} ended:\n${process.output.slice(-4000)}`)
}

/** The value of one field of INFO, or null when the server does not say. */
export async function infoField(server: Server, section: string, field: string): Promise<string | null> {
  const info = String(await server.command('INFO', section))
  return new RegExp(`^${field}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? null
}

/** Has a Meridian write a snapshot and waits until it is there. */
export async function snapshotWritten(server: Server): Promise<void> {
  const reply = await server.command('BGSAVE')
  if (reply !== 'Background saving started') throw new Error(`BGSAVE was answered ${String(reply)}`)
  await eventually(
    async () => {
      if ((await infoField(server, 'persistence', 'rdb_bgsave_in_progress')) !== '0')
        throw new Error('the snapshot is not written')
    },
    SNAPSHOT_MS,
    5,
  )
  const status = await infoField(server, 'persistence', 'rdb_last_bgsave_status')
  if (status !== 'ok') throw new Error('the snapshot could not be written')
}

/** CRDT.DIGEST where the server has it, else null. */
export async function digest(server: Server): Promise<string | null> {
  try {
    const reply = await server.command('CRDT.DIGEST')
    // Name and value in turn: digest, vector.
    return Array.isArray(reply) ? String(reply[1]) : null
  } catch (error) {
    if (error instanceof ReplyError) return null
    throw error
  }
}
