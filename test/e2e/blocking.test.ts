import { connect, type Socket } from 'node:net'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { eventually } from './support/eventually.js'
import { TestCluster } from './support/test-cluster.js'

let cluster: TestCluster
let near: Redis
let far: Redis
const open: { disconnect(): void }[] = []

function client(member: number): Redis {
  const redis = new Redis({ port: cluster.members[member].plan.port, host: '127.0.0.1' })
  open.push(redis)
  return redis
}

beforeAll(async () => {
  cluster = await TestCluster.started({ names: ['us', 'eu'], appendfsync: 'always' })
  near = new Redis({ port: cluster.members[0].plan.port, host: '127.0.0.1' })
  far = new Redis({ port: cluster.members[1].plan.port, host: '127.0.0.1' })
}, 60_000)

afterEach(async () => {
  for (const redis of open.splice(0)) redis.disconnect()
  await blocked(0)
})

afterAll(() => {
  near?.disconnect()
  far?.disconnect()
  return cluster?.dispose()
})

/** Waits until so many clients of the first member wait. */
function blocked(count: number): Promise<void> {
  return eventually(async () => expect(await near.info('clients')).toContain(`blocked_clients:${count}\r\n`))
}

it('a client that waits is served by a push in another region, and that region sees the element go', async () => {
  const popped = client(0).blpop('jobs', 0)
  await blocked(1)
  await far.rpush('jobs', 'job')
  expect(await popped).toEqual(['jobs', 'job'])
  await eventually(async () => expect(await far.exists('jobs')).toBe(0))
})

it('clients are served in the order in which they came, by every kind of push', async () => {
  const waiting: Promise<unknown>[] = []
  for (let i = 0; i < 4; i++) {
    waiting.push(client(0).blpop('queue', 0))
    await blocked(i + 1)
  }
  await near.rpush('queue', 'a', 'b')
  await near.multi().rpush('other', 'c').rename('other', 'queue').exec()
  await near.rpush('queue', 'd')
  expect(await Promise.all(waiting)).toEqual(['a', 'b', 'c', 'd'].map((element) => ['queue', element]))
})

it('moves go on from list to list', async () => {
  const moved = client(0).blmove('one', 'two', 'LEFT', 'RIGHT', 0)
  await blocked(1)
  const popped = client(0).brpop('two', 0)
  await blocked(2)
  await near.lpush('one', 'x')
  expect([await moved, await popped]).toEqual(['x', ['two', 'x']])
})

it('what a client sent behind its blocking command runs after it', async () => {
  const socket = raw()
  const got = textOf(socket)
  socket.write('BLPOP pipe 0\r\nRPUSH after 1\r\nPING\r\n')
  await blocked(1)
  expect(await near.exists('after')).toBe(0)
  await near.rpush('pipe', 'x')
  await eventually(() => expect(got()).toBe('*2\r\n$4\r\npipe\r\n$1\r\nx\r\n:1\r\n+PONG\r\n'))
})

it('a client that has gone takes nothing', async () => {
  for (const end of ['destroy', 'end'] as const) {
    const socket = raw()
    socket.write('BLPOP left 0\r\n')
    await blocked(1)
    socket[end]()
    await blocked(0)
    await near.rpush('left', 'x')
    expect(await near.llen('left')).toBe(1)
    await near.del('left')
  }
})

it('waiting ends with the time and with CLIENT UNBLOCK', async () => {
  expect(await client(0).blpop('never', 0.05)).toBe(null)
  const waiter = client(0)
  const id = await waiter.client('ID')
  const refused = expect(waiter.blpop('never', 0)).rejects.toThrow('UNBLOCKED client unblocked via CLIENT UNBLOCK')
  await blocked(1)
  expect(await near.client('UNBLOCK', id, 'ERROR')).toBe(1)
  await refused
})

function raw(): Socket {
  const socket = connect(cluster.members[0].plan.port, '127.0.0.1')
  open.push({ disconnect: () => socket.destroy() })
  return socket
}

function textOf(socket: Socket): () => string {
  let text = ''
  socket.on('data', (bytes) => (text += bytes.toString('latin1')))
  return () => text
}
