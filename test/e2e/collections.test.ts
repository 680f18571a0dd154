import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from './support/eventually.js'
import { TestCluster } from './support/test-cluster.js'

/** Hashes, sets, sorted sets, lists and streams as real clients use them, in two regions. */
let cluster: TestCluster
const leave: (() => void)[] = []

beforeAll(async () => {
  cluster = await TestCluster.started({ names: ['us', 'eu'], proxied: true })
}, 60_000)

beforeEach(async () => {
  await cluster.members[0].command('FLUSHALL')
  await cluster.everywhere(['DBSIZE'], 0)
})

afterEach(() => {
  for (const close of leave.splice(0)) close()
})

afterAll(() => cluster?.dispose())

const US = 0
const EU = 1

function ioredis(member: number): Redis {
  const client = new Redis({ port: cluster.members[member].plan.port, host: '127.0.0.1' })
  leave.push(() => client.disconnect())
  return client
}

async function nodeRedis(member: number, RESP: 2 | 3): Promise<ReturnType<typeof createClient>> {
  const { port } = cluster.members[member].plan
  const client = createClient({ socket: { port, host: '127.0.0.1' }, RESP }) as ReturnType<typeof createClient>
  await client.connect()
  leave.push(() => client.destroy())
  return client
}

/** Until both regions have the same. */
const converged = (): Promise<void> => cluster.converged()

function cut(isCut: boolean): void {
  for (const proxy of cluster.between('us', 'eu')) proxy.set(isCut ? 'cut' : 'pass')
}

describe('ioredis', () => {
  it('writes every type in a pipeline in one region and reads it in the other', async () => {
    const us = ioredis(US)
    const eu = ioredis(EU)
    const results = await us
      .pipeline()
      .hset('hash', { name: 'Ada', year: '1815' })
      .hincrby('hash', 'year', 1)
      .sadd('set', 'a', 'b', 'c')
      .zadd('zset', 1, 'one', 2.5, 'more', 'inf', 'all')
      .rpush('list', '1', '2', '3')
      .xadd('stream', '5-1', 'k', 'v')
      .pfadd('hll', 'x', 'y', 'z')
      .geoadd('geo', 13.361389, 38.115556, 'Palermo')
      .exec()
    expect(results!.map(([error]) => error)).toEqual(new Array(8).fill(null))
    await converged()
    expect(await eu.hgetall('hash')).toEqual({ name: 'Ada', year: '1816' })
    expect((await eu.smembers('set')).sort()).toEqual(['a', 'b', 'c'])
    expect(await eu.zrange('zset', '0', '-1', 'WITHSCORES')).toEqual(['one', '1', 'more', '2.5', 'all', 'inf'])
    expect(await eu.lrange('list', 0, -1)).toEqual(['1', '2', '3'])
    expect(await eu.xrange('stream', '-', '+')).toEqual([['5-1', ['k', 'v']]])
    expect(await eu.pfcount('hll')).toBe(3)
    expect(await eu.geodist('geo', 'Palermo', 'Palermo')).toBe('0.0000')
  })

  it('sees the transactions of the other region whole or not at all', async () => {
    const us = ioredis(US)
    const eu = ioredis(EU)
    const rounds = 200
    const writing = (async () => {
      for (let i = 0; i < rounds; i++) {
        await us
          .multi()
          .sadd('set', String(i))
          .rpush('list', String(i))
          .zadd('zset', i, String(i))
          .hset('hash', String(i), 'x')
          .exec()
      }
    })()
    const sizes = new Set<string>()
    while ((await eu.scard('set')) < rounds) {
      const replies = await eu.multi().scard('set').llen('list').zcard('zset').hlen('hash').exec()
      sizes.add(String(new Set(replies!.map(([, size]) => size)).size))
    }
    await writing
    expect([...sizes]).toEqual(['1'])
  })

  it('finds both sides of a partition in every type afterwards', async () => {
    const us = ioredis(US)
    const eu = ioredis(EU)
    await us.pipeline().sadd('set', 'old', 'gone').zadd('zset', 10, 'm').hset('hash', 'count', 10).rpush('list', 'old').exec()
    await converged()
    cut(true)
    await us
      .pipeline()
      .sadd('set', 'us')
      .srem('set', 'gone')
      .zincrby('zset', 2, 'm')
      .hincrby('hash', 'count', 1)
      .rpush('list', 'u1', 'u2')
      .exec()
    await eu
      .pipeline()
      .sadd('set', 'eu', 'gone')
      .zincrby('zset', 3, 'm')
      .hincrby('hash', 'count', 5)
      .rpush('list', 'e1', 'e2')
      .exec()
    cut(false)
    await converged()
    for (const client of [us, eu]) {
      // Adding wins over a removal that had not seen it.
      expect((await client.smembers('set')).sort()).toEqual(['eu', 'gone', 'old', 'us'])
      expect(await client.zscore('zset', 'm')).toBe('15')
      expect(await client.hget('hash', 'count')).toBe('16')
      const list = await client.lrange('list', 0, -1)
      expect([...list].sort()).toEqual(['e1', 'e2', 'old', 'u1', 'u2'])
      // What one command has pushed stays together.
      expect(list.indexOf('u2') - list.indexOf('u1')).toBe(1)
      expect(list.indexOf('e2') - list.indexOf('e1')).toBe(1)
    }
  })
})

describe.each([2, 3] as const)('node-redis over RESP%i', (RESP) => {
  it('gives every type its own shape', async () => {
    const us = await nodeRedis(US, RESP)
    const eu = await nodeRedis(EU, RESP)
    await us
      .multi()
      .hSet('hash', { a: '1', b: '2' })
      .sAdd('set', ['x', 'y'])
      .zAdd('zset', [{ score: 1.5, value: 'm' }])
      .rPush('list', ['1', '2'])
      .exec()
    await us.xAdd('stream', '7-1', { field: 'value' })
    await converged()
    expect({ ...(await eu.hGetAll('hash')) }).toEqual({ a: '1', b: '2' })
    expect([...(await eu.sMembers('set'))].sort()).toEqual(['x', 'y'])
    expect(await eu.zRangeWithScores('zset', 0, -1)).toEqual([{ value: 'm', score: 1.5 }])
    expect(await eu.lRange('list', 0, -1)).toEqual(['1', '2'])
    const entries = await eu.xRange('stream', '-', '+')
    expect(entries!.map(({ id, message }) => [id, { ...message }])).toEqual([['7-1', { field: 'value' }]])
    expect(await eu.zPopMin('zset')).toEqual({ value: 'm', score: 1.5 })
  })

  it('is woken from a blocking pop by a push in the other region', async () => {
    const us = await nodeRedis(US, RESP)
    const eu = await nodeRedis(EU, RESP)
    const list = eu.blPop(['list'], 10)
    await us.rPush('list', 'pushed')
    expect(await list).toEqual({ key: 'list', element: 'pushed' })
    const zset = eu.bzPopMin('zset', 10)
    await us.zAdd('zset', { score: 3, value: 'm' })
    expect(await zset).toEqual({ key: 'zset', value: 'm', score: 3 })
    const read = eu.xRead({ key: 'stream', id: '$' }, { BLOCK: 10_000 })
    // The reader must be waiting: `$` is what is there when it begins.
    await eventually(async () => {
      const clients = String(await cluster.members[EU].command('INFO', 'clients'))
      if (!clients.includes('blocked_clients:1')) throw new Error('nobody waits')
    })
    await us.xAdd('stream', '9-1', { k: 'v' })
    expect(JSON.stringify(await read)).toContain('9-1')
  })

  it('shares a stream between consumers of two regions: what is acknowledged in one is not read in the other', async () => {
    const us = await nodeRedis(US, RESP)
    const eu = await nodeRedis(EU, RESP)
    await us.xGroupCreate('jobs', 'workers', '0', { MKSTREAM: true })
    for (let i = 1; i <= 6; i++) await us.xAdd('jobs', `${i}-1`, { job: String(i) })
    const take = async (client: typeof us, name: string, count: number): Promise<string[]> => {
      const reply = await client.xReadGroup('workers', name, { key: 'jobs', id: '>' }, { COUNT: count })
      return [...JSON.stringify(reply ?? []).matchAll(/"(\d+-1)"/g)].map(([, id]) => id)
    }
    const first = await take(us, 'ann', 3)
    expect(first).toEqual(['1-1', '2-1', '3-1'])
    expect(await us.xAck('jobs', 'workers', first)).toBe(3)
    await converged()
    expect(await take(eu, 'eve', 10)).toEqual(['4-1', '5-1', '6-1'])
    expect(await eu.xAck('jobs', 'workers', ['4-1', '5-1', '6-1'])).toBe(3)
    await converged()
    expect(await take(us, 'ann', 10)).toEqual([])
    expect((await us.xPending('jobs', 'workers')).pending).toBe(0)
  })
})
