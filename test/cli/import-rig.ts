import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { loadConfig } from '../../src/config/load.js'
import { startServer } from '../../src/node/server.js'
import { readPayload } from '../../src/rdb/payload.js'
import { freePorts } from '../e2e/support/free-ports.js'
import { plain } from '../rdb/plain-value.js'

export type Item = string | number | Buffer

/** A member in this process, with a client of it. */
export interface TestMember {
  readonly address: string
  readonly redis: Redis
  stop(): Promise<void>
}

export async function startMember(settings: Readonly<Record<string, string>> = {}): Promise<TestMember> {
  const folder = mkdtempSync(join(tmpdir(), 'meridian-import-'))
  const [port] = await freePorts(1)
  const values = { 'clients.port': String(port), 'storage.dir': folder, 'logging.level': 'warn', ...settings }
  const overrides = Object.entries(values).map(([path, value]) => ({ path: path.split('.'), value, flag: '--set' }))
  const server = await startServer(loadConfig(null, overrides))
  const redis = new Redis(port, '127.0.0.1')
  return {
    address: `127.0.0.1:${port}`,
    redis,
    async stop() {
      redis.disconnect()
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A member for the tests of a file, empty before each, and a folder with room for one RDB file, which goes after each. */
export function memberWithFolder(): {
  readonly member: Pick<TestMember, 'address' | 'redis'>
  readonly folder: string
  readonly file: string
} {
  const folder = mkdtempSync(join(tmpdir(), 'meridian-rdb-'))
  const file = join(folder, 'dump.rdb')
  let started: TestMember | null = null
  const member = (): TestMember => {
    if (started === null) throw new Error('the member is there once tests run')
    return started
  }
  beforeAll(async () => {
    started = await startMember()
  })
  afterAll(async () => {
    await started?.stop()
    rmSync(folder, { recursive: true })
  })
  beforeEach(async () => {
    await member().redis.flushall()
    await member().redis.select(0)
  })
  afterEach(() => rmSync(file, { force: true }))
  return {
    folder,
    file,
    member: {
      get address() {
        return member().address
      },
      get redis() {
        return member().redis
      },
    },
  }
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)

/** Commands that make keys of every type, small and large, with and without expiry. */
export const EVERYTHING: readonly (readonly Item[])[] = [
  ['SET', 'string', 'hello'],
  ['SET', 'number', 12345],
  ['SET', 'empty', ''],
  ['SET', Buffer.from([0, 255, 13, 10]), Buffer.from(Array.from({ length: 300 }, (_, i) => (i * 7919) & 255))],
  ['SET', 'long', 'abcdefgh'.repeat(5000)],
  ['SET', 'expiring', 'soon', 'PX', 3_600_000],
  ['RPUSH', 'list', 'a', 1, '', 'x'.repeat(100)],
  ['RPUSH', 'long list', ...numbers(3000).map((i) => `element ${i}`)],
  ['SADD', 'intset', 1, 2, 300, -70_000],
  ['SADD', 'set', 'a', 'b', 7],
  ['SADD', 'large set', ...numbers(1000).map((i) => `member ${i}`)],
  ['ZADD', 'zset', 1, 'a', '-inf', 'b', 2.5, 'c'],
  ['ZADD', 'large zset', ...numbers(1000).flatMap((i) => [i / 7, `member ${i}`])],
  ['EXPIRE', 'zset', 5000],
  ['HSET', 'hash', 'f', 'v', 'n', 5],
  ['HSET', 'large hash', ...numbers(1000).flatMap((i) => [`field ${i}`, `value ${i}`])],
  ['PFADD', 'sketch', ...numbers(50)],
  ['PFADD', 'dense sketch', ...numbers(5000)],
  ['XADD', 'stream', '5-1', 'a', 'x', 'b', '1'],
  ['XADD', 'stream', '5-2', 'a', 'y', 'b', '2'],
  ['XADD', 'stream', '6-0', 'other', 'z'],
  ['XDEL', 'stream', '5-2'],
  ['XGROUP', 'CREATE', 'stream', 'idle', '$'],
  ['XGROUP', 'CREATE', 'stream', 'busy', '0'],
  ['XREADGROUP', 'GROUP', 'busy', 'one', 'COUNT', 1, 'STREAMS', 'stream', '>'],
  ['XREADGROUP', 'GROUP', 'busy', 'two', 'STREAMS', 'stream', '>'],
  ['XACK', 'stream', 'busy', '6-0'],
]

/** Collections that do not go by one DUMP or RESTORE. */
export const LARGE: readonly (readonly Item[])[] = numbers(20).flatMap((n): Item[][] => {
  const some = numbers(500).map((i) => n * 500 + i)
  return [
    ['RPUSH', 'huge list', ...some.map((i) => `element number ${i}`)],
    ['SADD', 'huge set', ...some.map((i) => `member number ${i}`)],
    ['ZADD', 'huge zset', '-inf', 'first', ...some.flatMap((i) => [i / 7, `member number ${i}`])],
    ['HSET', 'huge hash', ...some.flatMap((i) => [`field number ${i}`, `value ${i}`])],
    ['EXPIRE', 'huge set', 5000],
  ]
})

export async function run(redis: Redis, commands: readonly (readonly Item[])[]): Promise<void> {
  for (const [name, ...args] of commands) await redis.callBuffer(String(name), ...args)
}

/** Every key of the present database: what it holds, when it expires. */
export async function contents(redis: Redis): Promise<Record<string, readonly [value: unknown, expireAt: unknown]>> {
  const result: Record<string, readonly [value: unknown, expireAt: unknown]> = {}
  for (const key of (await redis.keysBuffer('*')).sort((a, b) => Buffer.compare(a, b))) {
    const { value } = readPayload(await redis.dumpBuffer(key))
    result[key.toString('latin1')] = [value && settled(plain(value)), await redis.call('PEXPIRETIME', key)]
  }
  return result
}

/** Without what a stream remembers of its past, and a HyperLogLog of its last count. */
function settled(value: unknown): unknown {
  if (typeof value === 'string' && value.startsWith('HYLL')) return value.slice(0, 8) + value.slice(16)
  if (typeof value !== 'object' || value === null || !('stream' in value)) return value
  const { stream, last, groups } = value as {
    stream: unknown
    last: unknown
    groups: { name: string; last: string; consumers: { name: string; pending: unknown }[] }[]
  }
  return {
    stream,
    last,
    groups: groups.map(({ name, last, consumers }) => [name, last, consumers.map(({ name, pending }) => [name, pending])]),
  }
}
