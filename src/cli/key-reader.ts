import { LIMITS } from '../base/limits.js'
import { SHARD_COUNT } from '../base/shards.js'
import { writePayload } from '../rdb/payload.js'
import { readLarge } from './large-value.js'
import type { PipelinedClient, RawReply } from './pipelined-client.js'
import { refused } from './redis-client.js'

/** Keys of one SCAN call: some 0.2 ms of the server's time. */
const SCAN_COUNT = 500
/** Keys asked for at once, as long as their values are small. */
const MOST_AT_ONCE = 256
/** Readings of a large key whose expiry changes meanwhile, before it is read by DUMP. */
const MOST_ATTEMPTS = 3
/** What a key counts as whose size is not known. */
const UNKNOWN_BYTES = 128 * 1024

export interface ReadKey {
  readonly key: Buffer
  /** As DUMP gives it. */
  readonly payload: Buffer
  /** Unix ms; null: never. */
  readonly expiresAtMs: number | null
}

/**
 * Reads the keys of a running server with SCAN and DUMP. Each is as it was at one moment, value and expiry together, where the server has PEXPIRETIME (7.0);
 * else the time of expiry is near.
 */
export class KeyReader {
  /** Keys that SCAN named and that were gone when they were to be read. */
  vanished = 0

  private constructor(
    private readonly client: PipelinedClient,
    /** The server has PEXPIRETIME. */
    readonly isExact: boolean,
    private readonly isMeridian: boolean,
  ) {}

  /** @throws MeridianError */
  static async open(client: PipelinedClient): Promise<KeyReader> {
    const probe = await client.ask('PEXPIRETIME', 'meridian')
    const info = await client.text('INFO', 'server')
    return new KeyReader(client, !(probe instanceof Error), info.includes('meridian_version:'))
  }

  /**
   * The names of all keys of a database, some at a time. A key that is there all the time comes at least once; from a member of Meridian exactly once.
   * @throws MeridianError
   */
  async *names(database: number): AsyncGenerator<readonly Buffer[]> {
    const { client } = this
    let seen = new Set<string>()
    let cursor = '0'
    do {
      await client.select(database)
      const [next, keys] = (await client.command('SCAN', cursor, 'COUNT', String(SCAN_COUNT))) as readonly [
        Buffer,
        readonly Buffer[],
      ]
      const before = cursor
      cursor = next.toString()
      if (!this.isMeridian) {
        yield keys
        continue
      }
      const fresh = keys.filter((key) => !seen.has(key.toString('latin1')))
      if (shardOf(cursor) !== shardOf(before)) seen = new Set()
      for (const key of keys) seen.add(key.toString('latin1'))
      yield fresh
    } while (cursor !== '0')
  }

  /** What keys of a database hold, some at a time: fewer when values are large. @throws MeridianError */
  async *values(database: number, keys: readonly Buffer[]): AsyncGenerator<readonly ReadKey[]> {
    const { client } = this
    const sizes = await this.sizes(database, keys)
    for (let from = 0; from < keys.length;) {
      let to = from
      for (let bytes = 0; to < keys.length && to - from < MOST_AT_ONCE; to++) {
        bytes += sizes[to]
        if (to > from && bytes > LIMITS.bulkInFlightBytes) break
      }
      const [small, large]: [Buffer[], Buffer[]] = [[], []]
      for (let i = from; i < to; i++) (this.isMeridian && sizes[i] > LIMITS.dumpAtOnceBytes ? large : small).push(keys[i])
      from = to
      await client.select(database)
      if (small.length > 0) yield await this.read(small)
      for (const key of large) yield await this.readSliced(key)
    }
  }

  /** About how many bytes each key takes; where the server does not say, as if each were large enough to be careful. */
  private async sizes(database: number, keys: readonly Buffer[]): Promise<number[]> {
    await this.client.select(database)
    const replies = await Promise.all(keys.map((key) => this.client.ask('MEMORY', 'USAGE', key, 'SAMPLES', '5')))
    return replies.map((reply) => (typeof reply === 'number' ? reply : reply instanceof Error ? UNKNOWN_BYTES : 0))
  }

  /** A large collection without DUMP, unless only that tells it whole. */
  private async readSliced(key: Buffer): Promise<readonly ReadKey[]> {
    const { client } = this
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const before = await client.command('PEXPIRETIME', key)
      const value = await readLarge(client, key)
      if (value === null) break
      if ((await client.command('PEXPIRETIME', key)) !== before) continue
      const expiry = before as number
      return [{ key, payload: Buffer.from(writePayload(value)), expiresAtMs: expiry < 0 ? null : expiry }]
    }
    return this.read([key])
  }

  private async read(keys: readonly Buffer[]): Promise<ReadKey[]> {
    const { client, isExact } = this
    const found: ReadKey[] = []
    const again: Buffer[] = []
    const failures: Error[] = []
    for (const key of keys) {
      let before: RawReply = null
      let value: RawReply = null
      if (isExact) client.send(['PEXPIRETIME', key], (reply) => (before = reply))
      client.send(['DUMP', key], (reply) => (value = reply))
      client.send([isExact ? 'PEXPIRETIME' : 'PTTL', key], (after) => {
        const error = [before, value, after].find((reply) => reply instanceof Error)
        if (error !== undefined) failures.push(error)
        else if (isExact && before !== after) again.push(key)
        else this.add(found, key, value, after as number)
      })
    }
    await client.drained()
    for (const failure of failures) throw refused(client.address, 'DUMP', failure)
    for (const key of again) {
      // Its expiry was changed meanwhile: both in one transaction.
      const replies = await Promise.all(
        [['MULTI'], ['DUMP', key], ['PEXPIRETIME', key], ['EXEC']].map((args) => client.command(...args)),
      )
      const [value, expiry] = replies[3] as readonly [RawReply, number]
      this.add(found, key, value, expiry)
    }
    return found
  }

  private add(found: ReadKey[], key: Buffer, payload: RawReply, expiry: number): void {
    if (!Buffer.isBuffer(payload)) {
      this.vanished++
      return
    }
    const expiresAtMs = expiry < 0 ? null : this.isExact ? expiry : Date.now() + expiry
    found.push({ key, payload, expiresAtMs })
  }
}

function shardOf(cursor: string): number {
  return Number(BigInt(cursor) % BigInt(SHARD_COUNT))
}
