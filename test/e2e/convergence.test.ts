import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from './support/eventually.js'
import { TestCluster } from './support/test-cluster.js'

/** What the three client libraries have in common here. */
interface Client {
  send(...args: string[]): Promise<unknown>
  close(): Promise<unknown> | undefined
}

let cluster: TestCluster
let clients: Client[]

beforeAll(async () => {
  cluster = await TestCluster.started()
  const [us, eu, ap] = cluster.members
  clients = [ioredis(us.port), await nodeRedis(eu.port, 2), await nodeRedis(ap.port, 3)]
})

afterAll(async () => {
  for (const client of clients ?? []) await client.close()
  await cluster?.dispose()
})

function ioredis(port: number): Client {
  const redis = new Redis({ port, host: '127.0.0.1' })
  return { send: (command, ...args) => redis.call(command, args), close: async () => redis.quit() }
}

async function nodeRedis(port: number, RESP: 2 | 3): Promise<Client> {
  const client = createClient({ RESP, socket: { port, host: '127.0.0.1' } })
  client.on('error', () => undefined)
  await client.connect()
  return { send: (...args) => client.sendCommand(args), close: () => client.close() }
}

/** The same from every region at once. */
async function everywhere(write: (client: Client, region: string) => Promise<unknown>): Promise<void> {
  await Promise.all(clients.map((client, i) => write(client, cluster.members[i].name)))
}

async function readEverywhere(...command: string[]): Promise<unknown[]> {
  return Promise.all(clients.map((client) => client.send(...command)))
}

describe('three regions written to at once through ioredis, node-redis with RESP2 and with RESP3', () => {
  it('have every key of every region', async () => {
    await everywhere((client, region) =>
      Promise.all(Array.from({ length: 200 }, (_, n) => client.send('SET', `key:${region}:${n}`, `value ${n} of ${region}`))),
    )
    await cluster.converged()
    for (const region of ['us', 'eu', 'ap']) {
      expect(await readEverywhere('GET', `key:${region}:199`)).toEqual(Array(3).fill(`value 199 of ${region}`))
    }
    expect(await readEverywhere('DBSIZE')).toEqual([600, 600, 600])
  })

  it('agree on one of the values written to one key', async () => {
    await everywhere(async (client, region) => {
      for (let n = 0; n < 50; n++) await client.send('SET', 'contested', `${region} ${n}`)
    })
    await cluster.converged()
    const [first, ...others] = await readEverywhere('GET', 'contested')
    expect(first).toMatch(/^(us|eu|ap) \d+$/)
    expect(others).toEqual([first, first])
  })

  it('add every increment up, whole and fractional', async () => {
    await everywhere((client) =>
      Promise.all(
        Array.from({ length: 100 }, async () => {
          await client.send('INCR', 'counter')
          await client.send('INCRBYFLOAT', 'amount', '0.1')
        }),
      ),
    )
    await cluster.everywhere(['GET', 'counter'], '300')
    await cluster.everywhere(['GET', 'amount'], '30')
    await cluster.converged()
  })

  it('keep both of two concurrent appends', async () => {
    await everywhere((client, region) => client.send('APPEND', 'journal', `<${region}>`))
    await cluster.converged()
    const [journal] = await readEverywhere('GET', 'journal')
    for (const region of ['us', 'eu', 'ap']) expect(journal).toContain(`<${region}>`)
  })

  it('apply a transaction as a whole', async () => {
    const redis = new Redis({ port: cluster.members[0].port, host: '127.0.0.1' })
    const watcher = clients[1]
    try {
      let stop = false
      const seen: unknown[] = []
      const watching = (async () => {
        while (!stop) seen.push(await watcher.send('MGET', 'left', 'right'))
      })()
      for (let n = 0; n < 100; n++) await redis.multi().set('left', n).set('right', n).exec()
      await cluster.everywhere(['GET', 'right'], '99')
      stop = true
      await watching
      expect(seen.length).toBeGreaterThan(10)
      for (const pair of seen as [string | null, string | null][]) expect(pair[0]).toBe(pair[1])
    } finally {
      redis.disconnect()
    }
  })

  it('hide an expired key everywhere and keep the later of two expiries', async () => {
    const [us, eu] = clients
    await us.send('SET', 'brief', 'soon gone', 'PX', '700')
    await us.send('SET', 'kept', 'x')
    await cluster.everywhere(['GET', 'kept'], 'x')
    await Promise.all([us.send('EXPIRE', 'kept', '50'), eu.send('EXPIRE', 'kept', '500')])
    await cluster.everywhere(['GET', 'brief'], null)
    await eventually(async () => {
      for (const ttl of await readEverywhere('TTL', 'kept')) expect(ttl).toBeGreaterThan(400)
    })
    await cluster.converged()
  })

  it('remove by DEL what the deleting region had seen', async () => {
    await clients[2].send('SET', 'doomed', 'x')
    await cluster.everywhere(['GET', 'doomed'], 'x')
    await clients[0].send('DEL', 'doomed')
    await cluster.everywhere(['EXISTS', 'doomed'], 0)
  })

  it('answer WAIT when the others have the write', async () => {
    const client = await cluster.member('us').client()
    await client.command('SET', 'awaited', 'x')
    expect(await client.command('WAIT', '2', '5000')).toBe(2)
    expect(await readEverywhere('GET', 'awaited')).toEqual(['x', 'x', 'x'])
  })
})
