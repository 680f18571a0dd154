import { readFileSync, writeFileSync } from 'node:fs'
import type { SpawnOptions } from 'node:child_process'
import { RedisClient, ReplyError } from '../../../src/cli/redis-client.js'
import { eventually } from './eventually.js'
import { ManagedProcess, type ExitStatus } from './managed-process.js'
import { meridianCommand } from './project-root.js'

export interface MemberPlan {
  readonly name: string
  readonly id: number
  readonly port: number
  /** 0 for a database of one region. */
  readonly peerPort: number
  readonly configFile: string
  readonly dataFolder: string
}

const CLIENT_TIMEOUT_MS = 15_000

/** One `meridian server --config FILE`, started and ended as often as a test likes. */
export class MemberProcess {
  private process: ManagedProcess | null = null
  private readonly clients = new Set<RedisClient>()
  /** Of runs that have ended. */
  private earlierOutput = ''

  constructor(
    readonly plan: MemberPlan,
    private readonly spawnOptions: SpawnOptions = {},
  ) {}

  get name(): string {
    return this.plan.name
  }

  get port(): number {
    return this.plan.port
  }

  get running(): ManagedProcess {
    if (this.process === null) throw new Error(`${this.name} was never started`)
    return this.process
  }

  /** What every run of it printed. */
  get output(): string {
    return this.earlierOutput + (this.process?.output ?? '')
  }

  /** Starts the process; it may not serve yet, or never. */
  launch(...flags: readonly string[]): ManagedProcess {
    if (this.process !== null) {
      if (!this.process.hasExited) throw new Error(`${this.name} runs already`)
      this.earlierOutput = this.output
    }
    const [command, ...args] = meridianCommand()
    this.process = ManagedProcess.start(
      command,
      [...args, 'server', '--config', this.plan.configFile, ...flags],
      this.spawnOptions,
    )
    return this.process
  }

  /** Starts it and waits until it serves and takes writes, unless it refuses them for good. */
  async start(timeoutMs = 20_000): Promise<void> {
    await this.serves(this.launch(), timeoutMs)
    await this.takesWrites(timeoutMs)
  }

  /** A member that has just started serves reads before it takes writes: it first hears from another one how far its own had got. */
  async takesWrites(timeoutMs = 20_000): Promise<void> {
    await eventually(
      async () => {
        const client = await RedisClient.connect({ host: '127.0.0.1', port: this.port }, CLIENT_TIMEOUT_MS)
        try {
          const loading = await client.loadingError()
          if (loading !== null) throw new Error(`${this.name} takes no writes: ${loading}`)
        } finally {
          client.close()
        }
      },
      timeoutMs,
      25,
    )
  }

  /** Waits until it answers; it may refuse writes. */
  async serves(process: ManagedProcess, timeoutMs = 20_000): Promise<void> {
    await eventually(
      async () => {
        // An ended process will not serve however long we wait.
        if (process.hasExited) return
        const client = await RedisClient.connect({ host: '127.0.0.1', port: this.port }, 2000)
        try {
          await client.command('PING')
        } finally {
          client.close()
        }
      },
      timeoutMs,
      25,
    )
    if (process.hasExited) throw new Error(`${this.name} ended instead of serving:\n${process.output.slice(-4000)}`)
  }

  async stop(): Promise<ExitStatus> {
    this.closeClients()
    return this.running.stop()
  }

  /** As a power cut does to the process, not to the disk. */
  async kill(): Promise<void> {
    await this.running.kill()
    this.closeClients()
  }

  /** Ends it however it is, after a test. */
  async dispose(): Promise<void> {
    this.closeClients()
    await this.process?.kill()
  }

  async client(): Promise<RedisClient> {
    const client = await RedisClient.connect({ host: '127.0.0.1', port: this.port }, CLIENT_TIMEOUT_MS)
    this.clients.add(client)
    return client
  }

  /** One command on a connection of its own. */
  async command(...args: readonly string[]): Promise<unknown> {
    const client = await RedisClient.connect({ host: '127.0.0.1', port: this.port }, CLIENT_TIMEOUT_MS)
    try {
      return await client.command(...args)
    } finally {
      client.close()
    }
  }

  /** A field of INFO. */
  async info(name: string): Promise<string> {
    const text = String(await this.command('INFO', 'everything'))
    return new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(text)?.[1] ?? `INFO has no ${name}`
  }

  /** As command; an error reply comes back as its text. */
  async replyOrError(...args: readonly string[]): Promise<unknown> {
    try {
      return await this.command(...args)
    } catch (error) {
      if (error instanceof ReplyError) return error.message
      throw error
    }
  }

  editConfig(edit: (yaml: string) => string): void {
    const before = readFileSync(this.plan.configFile, 'utf8')
    const after = edit(before)
    if (after === before) throw new Error(`the edit did not change ${this.plan.configFile}`)
    writeFileSync(this.plan.configFile, after)
  }

  private closeClients(): void {
    for (const client of this.clients) client.close()
    this.clients.clear()
  }
}
