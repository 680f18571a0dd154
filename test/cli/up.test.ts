import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { RedisClient } from '../../src/cli/redis-client.js'
import { loadConfig } from '../../src/config/load.js'
import { CliRun } from './run.js'

const root = mkdtempSync(join(tmpdir(), 'meridian-up-'))
afterAll(() => rmSync(root, { recursive: true }))

/** A base whose ports are free just now; tests of other files draw their own. */
async function freeBasePort(): Promise<number> {
  for (;;) {
    const base = 20_000 + Math.floor(Math.random() * 12_000)
    const ports = [0, 1, 2, 100, 101, 102].map((offset) => base + offset)
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return base
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer().once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}

describe('up', () => {
  it('starts, shows convergence, starts a dead region again, stops, and finds the data at the next start', async () => {
    const base = await freeBasePort()
    const dir = join(root, 'cluster')
    const args = ['up', '--dir', dir, '--base-port', String(base)]
    const first = new CliRun(args)
    await first.printed(`redis-cli -p ${base + 2}    # ap, ap-south`)
    await first.printed(/us> SET demo:greeting "hello from us.*\n.*eu> GET demo:greeting {4}seen after \d+ ms\n.*ap> GET/)
    await first.printed(/all> INCR demo:counter, at the same time {4}3 in every region after \d+ ms/)
    await first.printed(/\d\d:\d\d:\d\d us ok clients=1 ops\/s=0 keys=0 memory=1.0MiB/)
    expect(first.stdout).not.toMatch(/\x1b/)

    const client = await RedisClient.connect({ host: '127.0.0.1', port: base + 1 }, 1000)
    await client.command('CRASH').catch(() => undefined)
    await first.printed(
      /eu ended with exit code 3: the fake was told to crash \(MRD_TEST\)\. Nothing to mend\.; starting again in 0\.5 s/,
    )
    await first.printed(/eu ok .*\n(.*\n)*.* 127\.0\.0\.1:\d+ unreachable(.*\n)*.* eu ok /)

    first.requestStop()
    expect(await first.finished).toBe(0)
    expect(first.stdout).toContain(`Stopped. The data is kept in ${dir}`)
    for (const offset of [0, 1, 2]) expect(await isFree(base + offset)).toBe(true)

    const second = new CliRun(args)
    await second.printed('6 in every region')
    second.requestStop()
    expect(await second.finished).toBe(0)
  })

  it('keeps edits of its configuration files, and the samples’ comments', async () => {
    const base = await freeBasePort()
    const dir = join(root, 'edited')
    const start = async (port: number): Promise<void> => {
      const run = new CliRun(['up', '--dir', dir, '--base-port', String(port), '--regions', '1', '--no-demo'])
      await run.printed('us ok')
      run.requestStop()
      expect(await run.finished).toBe(0)
    }
    await start(base)
    const file = join(dir, 'config', 'us.yaml')
    expect(readFileSync(file, 'utf8')).toContain('# Password for AUTH and HELLO')
    writeFileSync(file, readFileSync(file, 'utf8').replace('maxclients: 10000', 'maxclients: 77 # ours'))
    await start(base + 1)
    expect(readFileSync(file, 'utf8')).toContain('maxclients: 77 # ours')
    expect(loadConfig(file)).toMatchObject({
      clients: { port: base + 1, maxclients: 77 },
      storage: { dir: join(dir, 'us', 'data') },
    })
  })

  it('says which port is taken', async () => {
    const base = await freeBasePort()
    const squatter = createServer()
    await new Promise<void>((resolve) => squatter.listen(base + 1, '127.0.0.1', resolve))
    const run = new CliRun(['up', '--dir', join(root, 'taken'), '--base-port', String(base)])
    expect(await run.finished).toBe(1)
    expect(run.stderr).toContain(`meridian: Port ${base + 1} is in use (MRD_PORT_IN_USE). Stop what uses it`)
    await new Promise((resolve) => squatter.close(resolve))
  })

  it('says that its folder cannot be used', async () => {
    const file = join(root, 'a-file')
    writeFileSync(file, '')
    const run = new CliRun(['up', '--dir', join(file, 'below'), '--base-port', String(await freeBasePort())])
    expect(await run.finished).toBe(1)
    expect(run.stderr).toMatch(/a-file\/below cannot be used: .*\(MRD_DATA_FOLDER\)/)
  })
})
