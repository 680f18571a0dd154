import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { TestClient } from '../server/test-client.js'
import { eventually } from './support/eventually.js'
import type { MemberProcess } from './support/member-process.js'
import { SoloRig } from './support/solo-member.js'

/** Transactions of very many commands, which go in slices, on real connections. */
const COUNT = 3000
const SETS = Array.from({ length: COUNT }, (_, i) => ['SET', `k${i}`, `v${i}`])
const QUEUED = '+QUEUED\r\n'
const REPLIES = `*${COUNT}\r\n${'+OK\r\n'.repeat(COUNT)}`

const rig = new SoloRig()
let member: MemberProcess
const clients: TestClient[] = []

beforeAll(async () => {
  member = await rig.member({ appendfsync: 'always' })
  await member.start()
}, 30_000)

beforeEach(async () => {
  await member.command('FLUSHALL')
})

afterEach(() => {
  for (const client of clients.splice(0)) client.destroy()
})

afterAll(() => rig.dispose())

async function connected(): Promise<TestClient> {
  const client = await TestClient.plain(member.plan.port)
  clients.push(client)
  return client
}

function encode(commands: readonly (readonly string[])[]): string {
  return commands.map((args) => `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`).join('')
}

/** All in one write, and what comes behind it. */
function send(client: TestClient, commands: readonly (readonly string[])[], behind: readonly (readonly string[])[] = []): void {
  client.send(encode([['MULTI'], ...commands, ['EXEC'], ...behind]))
}

const begun = (commands: number): string => `+OK\r\n${QUEUED.repeat(commands)}`

it('reply as a whole, and then to what came behind them', async () => {
  const client = await connected()
  send(client, SETS, [['PING'], ['DBSIZE']])
  await client.expectText(`${begun(COUNT)}${REPLIES}+PONG\r\n:${COUNT}\r\n`)
})

it('are atomic for other clients', async () => {
  const client = await connected()
  const other = await connected()
  const pairs = Array.from({ length: COUNT }, () => [
    ['INCR', 'a'],
    ['INCR', 'b'],
  ])
  for (let round = 1; round <= 3; round++) {
    send(client, pairs.flat())
    const { length } = client
    for (let look = 0; look < 20; look++) {
      other.command('MGET', 'a', 'b')
      await eventually(() => {
        expect(other.text).toMatch(/^\*2\r\n(\$-1\r\n\$-1\r\n|\$\d+\r\n(\d+)\r\n\$\d+\r\n\2\r\n)$/)
        return Promise.resolve()
      })
      other.forget()
    }
    expect(client.length).toBeGreaterThanOrEqual(length)
    await client.until(({ text }) => text.includes(`:${COUNT * round}\r\n:${COUNT * round}\r\n`))
    client.forget()
  }
})

it('are heard to the end when the client closes its side', async () => {
  const client = await connected()
  send(client, SETS)
  client.socket.end()
  await client.expectText(begun(COUNT) + REPLIES)
  await client.expectEnd()
})

it('are over before a client goes that one of the commands disconnects', async () => {
  const client = await connected()
  client.command('CLIENT', 'ID')
  await client.until(({ text }) => text.endsWith('\r\n'))
  const id = client.text.slice(1, -2)
  client.forget()
  send(client, [['CLIENT', 'KILL', 'ID', id, 'SKIPME', 'no'], ...SETS])
  await client.expectText(`${begun(COUNT + 1)}*${COUNT + 1}\r\n:1\r\n${'+OK\r\n'.repeat(COUNT)}`)
  await client.expectEnd()
  await eventually(async () => expect(await member.command('DBSIZE')).toBe(COUNT))
})

it('send what the client hears of its own messages behind the reply', async () => {
  const client = await connected()
  client.command('HELLO', '3')
  client.command('SUBSCRIBE', 'chat')
  await client.until(({ text }) => text.includes('subscribe'))
  client.forget()
  send(client, [['PUBLISH', 'chat', 'one'], ...SETS, ['PUBLISH', 'chat', 'two']])
  const message = (text: string): string => `>3\r\n$7\r\nmessage\r\n$4\r\nchat\r\n$3\r\n${text}\r\n`
  await client.expectText(
    `${begun(COUNT + 2)}*${COUNT + 2}\r\n:1\r\n${'+OK\r\n'.repeat(COUNT)}:1\r\n${message('one')}${message('two')}`,
  )
})

it('have no reply when one of the commands says so, which holds for those behind them', async () => {
  const client = await connected()
  send(client, [...SETS, ['CLIENT', 'REPLY', 'OFF']], [['PING'], ['CLIENT', 'REPLY', 'ON'], ['ECHO', 'on']])
  await client.expectText(`${begun(COUNT + 1)}+OK\r\n$2\r\non\r\n`)
  send(
    client,
    [...SETS, ['CLIENT', 'REPLY', 'SKIP']],
    [
      ['ECHO', 'skipped'],
      ['ECHO', 'heard'],
    ],
  )
  await client.expectText(`${begun(COUNT + 1)}$5\r\nheard\r\n`)
})

it('are here after a restart, and half of one never is', async () => {
  const client = await connected()
  for (let round = 1; round <= 3; round++) {
    send(client, [...SETS, ['INCR', 'rounds'], ['SET', 'last', `${round}`]])
    await client.until(({ text }) => text.includes(`:${round}\r\n+OK\r\n`))
    client.forget()
  }
  send(client, [...SETS.map(([, key]) => ['SET', key, 'other']), ['INCR', 'rounds']])
  await client.until(({ text }) => text.startsWith(begun(100)))
  await member.kill()
  await member.start()
  const rounds = Number(await member.command('GET', 'rounds'))
  const others = new Set<unknown>()
  for (const [, key, value] of SETS) others.add((await member.command('GET', key)) === value)
  expect([...others]).toEqual([rounds === 3])
  expect([3, 4]).toContain(rounds)
})
