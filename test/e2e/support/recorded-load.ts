import { MeridianError } from '../../../src/base/errors.js'
import { RedisClient, ReplyError } from '../../../src/cli/redis-client.js'
import type { MemberProcess } from './member-process.js'

/**
 * Clients that write to one member until told to stop, or until it dies or refuses writes for its disk, and remember what was acknowledged: each acknowledged
 * SET must be there for good, and a counter must end between its acknowledged and its attempted increments.
 */
export class RecordedLoad {
  /** Keys with their values. */
  readonly acknowledged = new Map<string, string>()
  increments = 0
  attemptedIncrements = 0
  private stopping = false
  private readonly workers: Promise<void>[]

  constructor(
    private readonly member: MemberProcess,
    private readonly label: string,
    readonly counter: string,
    connections = 4,
  ) {
    this.workers = Array.from({ length: connections }, (_, worker) => this.work(worker))
  }

  /** Resolves when the load has ended, whether it was told to or the member is gone. */
  async stop(): Promise<void> {
    this.stopping = true
    await Promise.all(this.workers)
  }

  private async work(worker: number): Promise<void> {
    try {
      const client = await RedisClient.connect({ host: '127.0.0.1', port: this.member.port }, 10_000)
      try {
        for (let n = 0; !this.stopping; n++) await this.writeOnce(client, `${this.label}:${worker}:${n}`)
      } finally {
        client.close()
      }
    } catch (error) {
      // The member was killed, or its disk refuses: what was not acknowledged may be there or not.
      if (!(error instanceof MeridianError || (error instanceof ReplyError && error.message.startsWith('MISCONF')))) throw error
    }
  }

  private async writeOnce(client: RedisClient, key: string): Promise<void> {
    this.attemptedIncrements++
    const value = `value of ${key}`
    const set = client.command('SET', key, value).then(() => this.acknowledged.set(key, value))
    const increment = client.command('INCR', this.counter).then(() => this.increments++)
    const outcomes = await Promise.allSettled([set, increment])
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }
}

/** Throws, naming some, when a member does not have everything that was acknowledged. */
export async function requireAcknowledged(member: MemberProcess, loads: readonly RecordedLoad[]): Promise<void> {
  const client = await RedisClient.connect({ host: '127.0.0.1', port: member.port }, 10_000)
  try {
    for (const load of loads) {
      const entries = [...load.acknowledged]
      const lost: string[] = []
      for (let i = 0; i < entries.length; i += 500) {
        const batch = entries.slice(i, i + 500)
        const values = await client.command('MGET', ...batch.map(([key]) => key))
        if (!Array.isArray(values)) throw new Error('MGET answers a list')
        batch.forEach(([key, value], at) => {
          if (values[at] !== value) lost.push(`${key} is ${JSON.stringify(values[at])}`)
        })
      }
      if (lost.length > 0)
        throw new Error(
          `${member.name} lacks ${lost.length} of ${entries.length} acknowledged writes: ${lost.slice(0, 3).join(', ')}`,
        )
    }
  } finally {
    client.close()
  }
}

export function totals(loads: readonly RecordedLoad[]): { acknowledged: number; attempted: number } {
  return {
    acknowledged: loads.reduce((sum, load) => sum + load.increments, 0),
    attempted: loads.reduce((sum, load) => sum + load.attemptedIncrements, 0),
  }
}
