import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { RedisClient } from '../../src/cli/redis-client.js'
import { eventually } from './support/eventually.js'
import { freeBasePort } from './support/free-ports.js'
import { ManagedProcess } from './support/managed-process.js'
import { meridianCommand } from './support/project-root.js'
import { meridian } from './support/test-cluster.js'

const PEER_PORT_OFFSET = 100
const folder = mkdtempSync(join(tmpdir(), 'meridian-e2e-up-'))
const started: ManagedProcess[] = []

afterEach(async () => {
  for (const process of started.splice(0)) await process.stop('SIGTERM', 20_000)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function up(basePort: number): Promise<ManagedProcess> {
  const [command, ...args] = meridianCommand()
  const process = ManagedProcess.start(command, [
    ...args,
    'up',
    '--dir',
    join(folder, 'cluster'),
    '--base-port',
    String(basePort),
  ])
  started.push(process)
  await process.printed(new RegExp(`redis-cli -p ${basePort + 2} `), 30_000)
  return process
}

async function command(port: number, ...args: string[]): Promise<unknown> {
  const client = await RedisClient.connect({ host: '127.0.0.1', port }, 5000)
  try {
    return await client.command(...args)
  } finally {
    client.close()
  }
}

async function memberPids(basePort: number): Promise<number[]> {
  const infos = await Promise.all([0, 1, 2].map((i) => command(basePort + i, 'INFO', 'server')))
  return infos.map((info) => Number(/process_id:(\d+)/.exec(String(info))?.[1]))
}

function runs(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('meridian up, into a pipe', () => {
  it('prints plain lines, converges, stops every region on Ctrl-C, and finds the data again', async () => {
    const basePort = await freeBasePort(3, PEER_PORT_OFFSET)
    const first = await up(basePort)
    await first.printed(/\d\d:\d\d:\d\d us ok /)
    await first.printed(/ ap ok /)
    await command(basePort, 'SET', 'greeting', 'hello')
    await eventually(async () => expect(await command(basePort + 2, 'GET', 'greeting')).toBe('hello'))

    const status = await meridian('status', `127.0.0.1:${basePort}`, `127.0.0.1:${basePort + 1}`, `127.0.0.1:${basePort + 2}`)
    expect(status).toMatchObject({ code: 0 })

    const pids = await memberPids(basePort)
    first.signal('SIGINT')
    expect(await first.ends()).toEqual({ code: 0, signal: null })
    expect(first.output).not.toContain('\x1b')
    expect(first.output).toContain(`Stopped. The data is kept in ${join(folder, 'cluster')}`)
    expect(pids.filter(runs)).toEqual([])

    const second = await up(basePort)
    expect(await command(basePort + 1, 'GET', 'greeting')).toBe('hello')

    // Nobody stays behind when `up` itself is killed.
    const orphans = await memberPids(basePort)
    await second.kill()
    await eventually(() => expect(orphans.filter(runs)).toEqual([]))
  }, 60_000)

  it('starts a region again that was killed', async () => {
    const basePort = await freeBasePort(3, PEER_PORT_OFFSET)
    const cluster = await up(basePort)
    const [, eu] = await memberPids(basePort)
    process.kill(eu, 'SIGKILL')
    await cluster.printed(/eu was ended by SIGKILL; starting again in 0\.5 s/)
    await eventually(async () => expect(await command(basePort + 1, 'PING')).toBe('PONG'))
    await cluster.printed(/eu was ended by SIGKILL(.|\n)* eu ok /)
  }, 60_000)
})
