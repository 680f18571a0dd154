import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from './support/eventually.js'
import { TestCluster } from './support/test-cluster.js'

let cluster: TestCluster
const leave: (() => void)[] = []

beforeAll(async () => {
  cluster = await TestCluster.started({ proxied: true })
}, 60_000)

afterEach(() => {
  for (const close of leave.splice(0)) close()
})

afterAll(() => cluster?.dispose())

/** Waits until the condition holds. */
function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  return eventually(async () => {
    if (!(await condition())) throw new Error(`waited in vain for ${what}`)
  })
}

function portOf(member: number): number {
  return cluster.members[member].plan.port
}

function ioredis(member: number): Redis {
  const client = new Redis({ port: portOf(member), host: '127.0.0.1', lazyConnect: false })
  leave.push(() => client.disconnect())
  return client
}

async function nodeRedis(member: number, RESP: 2 | 3): Promise<ReturnType<typeof createClient>> {
  const client = createClient({ socket: { port: portOf(member), host: '127.0.0.1' }, RESP }) as ReturnType<typeof createClient>
  await client.connect()
  leave.push(() => client.destroy())
  return client
}

/** An ioredis subscriber of a channel, and what it has received. */
async function listener(member: number, channel: string): Promise<string[]> {
  const client = ioredis(member)
  const got: string[] = []
  client.on('message', (_channel, message) => got.push(message))
  await client.subscribe(channel)
  return got
}

describe('messages of ioredis', () => {
  it('reach subscribers of every region once and in order; PUBLISH counts those of its own', async () => {
    const got = await Promise.all([0, 1, 2].map((member) => listener(member, 'all')))
    const publisher = ioredis(0)
    const sent = Array.from({ length: 200 }, (_, i) => String(i))
    const counts = await Promise.all(sent.map((message) => publisher.publish('all', message)))
    expect(new Set(counts)).toEqual(new Set([1]))
    await until(() => got.every((messages) => messages.length >= sent.length), 'all messages everywhere')
    await delay(200)
    expect(got).toEqual([sent, sent, sent])
  })

  it('reach patterns and shard channels', async () => {
    const client = ioredis(1)
    const got: string[] = []
    client.on('pmessage', (pattern, channel, message) => got.push(`${pattern} ${channel} ${message}`))
    client.on('smessage', (channel, message) => got.push(`${channel} ${message}`))
    await client.psubscribe('news.*')
    await client.ssubscribe('shard')
    const publisher = ioredis(2)
    await publisher.publish('news.eu', 'a')
    await publisher.spublish('shard', 'b')
    await until(() => got.length === 2, 'both messages')
    expect(got).toEqual(['news.* news.eu a', 'shard b'])
  })

  it('may be large', async () => {
    const got = await listener(1, 'large')
    await ioredis(0).publish('large', 'x'.repeat(3_000_000))
    await until(() => got.length === 1, 'the message')
    expect(got[0]).toHaveLength(3_000_000)
  })

  it('stay at home when the scope is local', async () => {
    const [home, away] = [await listener(0, 'scope'), await listener(1, 'scope')]
    const publisher = ioredis(0)
    await publisher.config('SET', 'pubsub-scope', 'local')
    await publisher.publish('scope', 'home')
    await publisher.config('SET', 'pubsub-scope', 'cluster')
    await publisher.publish('scope', 'everywhere')
    await until(() => away.length > 0, 'the second message')
    expect([home, away]).toEqual([['home', 'everywhere'], ['everywhere']])
  })

  it('flow again after a link was broken', async () => {
    const got = await listener(1, 'broken')
    const publisher = ioredis(0)
    const [us, eu] = cluster.members
    for (const proxy of cluster.between(us.plan.name, eu.plan.name)) proxy.set('cut')
    await delay(200)
    await publisher.publish('broken', 'lost')
    for (const proxy of cluster.between(us.plan.name, eu.plan.name)) proxy.set('pass')
    await until(async () => {
      await publisher.publish('broken', 'again')
      return got.includes('again')
    }, 'messages over the new link')
    expect(got).not.toContain('lost')
  }, 30_000)
})

describe.each([2, 3] as const)('messages of node-redis, RESP%i,', (RESP) => {
  it('reach subscribers of channels, patterns and shard channels in another region', async () => {
    const client = await nodeRedis(1, RESP)
    const got: string[] = []
    await client.subscribe('c', (message, channel) => void got.push(`${channel} ${message}`))
    await client.pSubscribe('c*', (message, channel) => void got.push(`pattern ${channel} ${message}`))
    await client.sSubscribe('s', (message, channel) => void got.push(`shard ${channel} ${message}`))
    const publisher = await nodeRedis(0, RESP)
    await publisher.publish('c', '1')
    await publisher.sPublish('s', '2')
    await until(() => got.length === 3, 'three messages')
    expect(got).toEqual(['c 1', 'pattern c 1', 'shard s 2'])
    await client.unsubscribe('c')
    await client.pUnsubscribe()
    await client.sUnsubscribe('s')
    // node-redis gives a Buffer after RESP2 subscriptions, with redis-server too.
    expect(Buffer.from(await client.ping()).toString()).toBe('PONG')
  })
})

describe('a RESP3 client that listens', () => {
  it('may run any command', async () => {
    const client = await nodeRedis(0, 3)
    const got: string[] = []
    await client.subscribe('self', (message) => void got.push(message))
    expect(await client.set('pubsub:k', 'v')).toBe('OK')
    expect(await client.publish('self', 'hello')).toBe(1)
    await until(() => got.length === 1, 'the own message')
  })
})

describe('keyspace events', () => {
  it('are published in each region for itself', async () => {
    const got: string[] = []
    const client = ioredis(1)
    await client.config('SET', 'notify-keyspace-events', 'KEA')
    expect(await client.config('GET', 'notify-keyspace-events')).toEqual(['notify-keyspace-events', 'AKE'])
    client.on('pmessage', (_pattern, channel, message) => {
      // Writes of the tests before may still be on their way.
      if (message === 'ev') got.push(`${channel} ${message}`)
    })
    await client.psubscribe('__keyevent@0__:*')
    const writer = ioredis(0)
    await writer.set('ev', '1')
    await writer.incr('ev')
    await writer.del('ev')
    await until(() => got.length >= 3, 'three events')
    expect(got).toEqual(['__keyevent@0__:set ev', '__keyevent@0__:incrby ev', '__keyevent@0__:del ev'])
  })

  it('say what is written over, and by another type', async () => {
    const got: string[] = []
    const client = await nodeRedis(2, 3)
    await client.configSet('notify-keyspace-events', 'Eoc')
    expect(await client.configGet('notify-keyspace-events')).toEqual({ 'notify-keyspace-events': 'ocE' })
    await client.pSubscribe('__keyevent@0__:*', (key, channel) => {
      if (key.startsWith('replaced:')) got.push(`${channel.replace('__keyevent@0__:', '')} ${key}`)
    })
    const writer = ioredis(2)
    await writer.set('replaced:string', '1')
    await writer.set('replaced:string', '2')
    await writer.sadd('replaced:set', 'm')
    await writer.set('replaced:set', '3')
    await writer.rpush('replaced:list', '1')
    await writer.rename('replaced:list', 'replaced:string')
    const expected = ['replaced:string', 'replaced:set', 'replaced:set', 'replaced:string', 'replaced:string'].map(
      (key, nth) => `${nth === 2 || nth === 4 ? 'type_changed' : 'overwritten'} ${key}`,
    )
    await until(() => got.length >= expected.length, 'five events')
    expect(got).toEqual(expected)
    await writer.config('SET', 'notify-keyspace-events', '')
  })

  it('name the fields of hashes, at home and in another region', async () => {
    const home = ioredis(0)
    const away = await nodeRedis(1, 3)
    const heard: Record<'home' | 'away', string[]> = { home: [], away: [] }
    for (const client of [ioredis(0), ioredis(1)]) await client.config('SET', 'notify-keyspace-events', 'hSTIV')
    expect(await home.config('GET', 'notify-keyspace-events')).toEqual(['notify-keyspace-events', 'hSTIV'])
    const hears = (messages: string[], channel: string, message: string): void => {
      if (/\bsubkeys\b/.test(`${channel} ${message}`)) messages.push(`${channel.replace(/^__subkey/, '')} ${message}`)
    }
    home.on('pmessage', (_pattern, channel, message) => hears(heard.home, channel, message))
    await home.psubscribe('__subkey*')
    await away.pSubscribe('__subkey*', (message, channel) => hears(heard.away, channel, message))
    const writer = ioredis(0)
    await writer.hset('subkeys', 'a', '1', 'b,2', '2')
    await writer.call('HPEXPIRE', 'subkeys', '100', 'FIELDS', '1', 'a')
    await writer.hdel('subkeys', 'b,2')
    const of = (event: string, name: string): string[] => [
      `space@0__:subkeys ${event}|${name.length}:${name}`,
      `event@0__:${event} 7:subkeys|${name.length}:${name}`,
      `spaceitem@0__:subkeys\n${name} ${event}`,
      `spaceevent@0__:${event}|subkeys ${name.length}:${name}`,
    ]
    const expected = [
      'space@0__:subkeys hset|1:a,3:b,2',
      'event@0__:hset 7:subkeys|1:a,3:b,2',
      'spaceitem@0__:subkeys\na hset',
      'spaceitem@0__:subkeys\nb,2 hset',
      'spaceevent@0__:hset|subkeys 1:a,3:b,2',
      ...of('hexpire', 'a'),
      ...of('hdel', 'b,2'),
      ...of('hexpired', 'a'),
    ]
    await until(() => [heard.home, heard.away].every(({ length }) => length >= expected.length), 'the events of all fields')
    expect(heard).toEqual({ home: expected, away: expected })
  })
})
