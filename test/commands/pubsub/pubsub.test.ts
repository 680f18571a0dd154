import { describe, expect, it } from 'vitest'
import { TestClients, type TestClient } from '../../support/test-clients.js'
import { EngineHarness } from '../../support/engine-harness.js'

function setUp(): { h: EngineHarness; clients: TestClients; connect: (protocol?: 2 | 3) => TestClient } {
  const clients = new TestClients()
  const h = new EngineHarness({ services: { clients } })
  const connect = (protocol: 2 | 3 = 2): TestClient => {
    const client = clients.connect(h.clock.now)
    client.protocol = protocol
    return client
  }
  return { h, clients, connect }
}

const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`
const push = (mark: string, count: number, ...parts: (string | number)[]): string =>
  `${mark}${count}\r\n` + parts.map((part) => (typeof part === 'number' ? `:${part}\r\n` : bulk(part))).join('')

describe('SUBSCRIBE and its kin', () => {
  it('confirm each name on its own, with the number of channels and patterns together', () => {
    const { h, connect } = setUp()
    const client = connect()
    expect(h.raw(['SUBSCRIBE', 'a', 'b', 'a'], client)).toBe(
      push('*', 3, 'subscribe', 'a', 1) + push('*', 3, 'subscribe', 'b', 2) + push('*', 3, 'subscribe', 'a', 2),
    )
    expect(h.raw(['PSUBSCRIBE', 'x*'], client)).toBe(push('*', 3, 'psubscribe', 'x*', 3))
    expect(h.raw(['SSUBSCRIBE', 's'], client)).toBe(push('*', 3, 'ssubscribe', 's', 1))
    expect(h.raw(['UNSUBSCRIBE', 'a'], client)).toBe(push('*', 3, 'unsubscribe', 'a', 2))
    expect(h.raw(['SUNSUBSCRIBE'], client)).toBe(push('*', 3, 'sunsubscribe', 's', 0))
  })

  it('are pushes in RESP3', () => {
    const { h, connect } = setUp()
    const client = connect(3)
    expect(h.raw(['SUBSCRIBE', 'a'], client)).toBe(push('>', 3, 'subscribe', 'a', 1))
    h.run('PUBLISH', 'a', 'hello')
    expect(client.delivered).toBe(push('>', 3, 'message', 'a', 'hello'))
  })

  it('end for all names without arguments, and answer even when there are none', () => {
    const { h, connect } = setUp()
    const client = connect()
    h.runIn(client, 'SUBSCRIBE', 'a', 'b')
    expect(h.raw(['UNSUBSCRIBE'], client)).toBe(push('*', 3, 'unsubscribe', 'a', 1) + push('*', 3, 'unsubscribe', 'b', 0))
    expect(h.raw(['UNSUBSCRIBE'], client)).toBe('*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n')
    expect(h.raw(['PUNSUBSCRIBE', 'x'], client)).toBe(push('*', 3, 'punsubscribe', 'x', 0))
    expect(h.run('PUBLISH', 'a', 'x')).toBe(0)
  })

  it('are confirmed to a client that wants no replies', () => {
    const { h, connect } = setUp()
    const client = connect(3)
    client.replyMode = 'off'
    h.raw(['SUBSCRIBE', 'a'], client)
    expect(client.delivered).toBe(push('>', 3, 'subscribe', 'a', 1))
  })

  it('keep binary names apart', () => {
    const { h, connect } = setUp()
    const client = connect()
    h.runIn(client, 'SUBSCRIBE', Buffer.from([0xff, 0x00]))
    expect(h.run('PUBLISH', Buffer.from([0xff, 0x00]), 'x')).toBe(1)
    expect(h.run('PUBLISH', Buffer.from([0xfe, 0x00]), 'x')).toBe(0)
  })
})

describe('PUBLISH', () => {
  it('reaches channels, then patterns, and counts every way', () => {
    const { h, connect } = setUp()
    const client = connect()
    h.runIn(client, 'SUBSCRIBE', 'news.eu')
    h.runIn(client, 'PSUBSCRIBE', 'news.*', '*eu')
    expect(h.run('PUBLISH', 'news.eu', 'm')).toBe(3)
    expect(client.delivered).toBe(
      push('*', 3, 'message', 'news.eu', 'm') +
        push('*', 4, 'pmessage', 'news.*', 'news.eu', 'm') +
        push('*', 4, 'pmessage', '*eu', 'news.eu', 'm'),
    )
  })

  it('and SPUBLISH know nothing of each other', () => {
    const { h, connect } = setUp()
    const client = connect()
    h.runIn(client, 'SSUBSCRIBE', 'c')
    h.runIn(client, 'PSUBSCRIBE', 'c')
    expect(h.run('SPUBLISH', 'c', 'm')).toBe(1)
    expect(client.delivered).toBe(push('*', 3, 'smessage', 'c', 'm'))
    expect(h.run('PUBSUB', 'SHARDNUMSUB', 'c', 'd')).toEqual(['c', 1, 'd', 0])
    expect(h.run('PUBSUB', 'CHANNELS')).toEqual([])
    expect(h.run('PUBSUB', 'SHARDCHANNELS', 'c*')).toEqual(['c'])
  })
})

describe('PUBSUB', () => {
  it('says who listens', () => {
    const { h, connect } = setUp()
    const [one, two] = [connect(), connect()]
    h.runIn(one, 'SUBSCRIBE', 'a', 'b')
    h.runIn(two, 'SUBSCRIBE', 'a')
    h.runIn(one, 'PSUBSCRIBE', 'p*')
    h.runIn(two, 'PSUBSCRIBE', 'p*')
    expect(h.run('PUBSUB', 'CHANNELS')).toEqual(['a', 'b'])
    expect(h.run('PUBSUB', 'CHANNELS', 'b*')).toEqual(['b'])
    expect(h.run('PUBSUB', 'NUMSUB', 'a', 'x')).toEqual(['a', 2, 'x', 0])
    expect(h.run('PUBSUB', 'NUMPAT')).toBe(1)
    const info = String(h.run('INFO', 'everything'))
    expect(info).toContain('pubsub_channels:2\r\npubsub_patterns:1\r\npubsubshard_channels:0')
    expect(info).toContain('pubsub_clients:2')
  })
})

describe('a RESP2 client that listens', () => {
  it('may only run a few commands, in Redis’ words', () => {
    const { h, connect } = setUp()
    const client = connect()
    h.runIn(client, 'SUBSCRIBE', 'a')
    expect(h.raw(['GET', 'x'], client)).toBe(
      "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\r\n",
    )
    expect(h.raw(['CLIENT', 'ID'], client)).toContain("'client|id'")
    expect(h.raw(['PING'], client)).toBe('*2\r\n$4\r\npong\r\n$0\r\n\r\n')
    expect(h.raw(['PING', 'x'], client)).toBe(push('*', 2, 'pong', 'x'))
    h.runIn(client, 'UNSUBSCRIBE')
    expect(h.raw(['PING'], client)).toBe('+PONG\r\n')
  })

  it('is an ordinary client again after RESET, and forgotten when it leaves', () => {
    const { h, connect } = setUp()
    const client = connect()
    h.runIn(client, 'SUBSCRIBE', 'a')
    h.runIn(client, 'PSUBSCRIBE', 'a')
    h.runIn(client, 'SSUBSCRIBE', 'a')
    expect(h.raw(['RESET'], client)).toBe('+RESET\r\n')
    expect(client.delivered).toBe('')
    expect(h.run('PUBLISH', 'a', 'x')).toBe(0)
    h.runIn(client, 'SUBSCRIBE', 'a')
    h.engine.sessionClosed(client)
    expect(h.run('PUBSUB', 'CHANNELS')).toEqual([])
  })

  it('is of the type pubsub in CLIENT LIST and CLIENT KILL', () => {
    const { h, connect } = setUp()
    const client = connect()
    const other = connect()
    h.runIn(client, 'SUBSCRIBE', 'a', 'b')
    h.runIn(client, 'PSUBSCRIBE', 'c')
    h.runIn(client, 'SSUBSCRIBE', 'd')
    const list = String(h.runIn(other, 'CLIENT', 'LIST', 'TYPE', 'pubsub'))
    expect(list).toMatch(/flags=P db=0 sub=2 psub=1 ssub=1 /)
    expect(list.trim().split('\n')).toHaveLength(1)
    expect(h.runIn(other, 'CLIENT', 'KILL', 'TYPE', 'pubsub')).toBe(1)
    expect([client.killed, other.killed]).toEqual([true, false])
  })
})

describe('in a transaction', () => {
  it('SUBSCRIBE confirms within the reply, SSUBSCRIBE is refused', () => {
    const { h, connect } = setUp()
    const client = connect(3)
    h.runIn(client, 'MULTI')
    h.runIn(client, 'SUBSCRIBE', 'a')
    h.runIn(client, 'SSUBSCRIBE', 's')
    expect(h.raw(['EXEC'], client)).toBe(
      `*2\r\n${push('>', 3, 'subscribe', 'a', 1)}-ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client\r\n`,
    )
  })
})
