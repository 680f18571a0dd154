import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { MeridianError } from '../../src/base/errors.js'
import type { MemberConfig } from '../../src/config/member-config.js'
import type { RunningServer } from '../../src/node/server.js'
import { cli, CliRun } from './run.js'

const folder = mkdtempSync(join(tmpdir(), 'meridian-cli-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('the command line', () => {
  it.each([
    [['--help']],
    [['server', '--help']],
    [['up', '--help']],
    [['status', '--help']],
    [['certs', '--help']],
    [['config', 'check', '--help']],
    [['ping', '--help']],
    [['import', '--help']],
    [['export', '--help']],
  ])('%j teaches with examples', async (args) => {
    const { code, stdout } = await cli(...args)
    expect(code).toBe(0)
    expect(stdout).toContain('$ meridian ')
  })

  it('knows its version', async () => {
    expect((await cli('--version')).stdout).toBe('0.0.0-test\n')
  })

  it.each([
    [['sevrer'], "meridian: unknown command 'sevrer' (Did you mean server?) (MRD_ARGUMENT)."],
    [['server', '--prot', '1'], "meridian: unknown option '--prot' (Did you mean --port?) (MRD_ARGUMENT)."],
    [['server', '--port', 'x'], 'meridian: --port (clients.port): found "x"; allowed: a whole number from 0 to 65535'],
    [['server', '--set', 'port'], 'meridian: --set needs section.key=value (MRD_ARGUMENT).'],
    [
      ['server', '--set', 'clients.prot=1'],
      'meridian: --set clients.prot (clients.prot): is not a known key; did you mean port?',
    ],
    [['server', '--appendfsync', 'x'], 'Allowed choices are always, everysec, no. (MRD_ARGUMENT)'],
    [['up', '--regions', '99'], 'Allowed: a whole number from 1 to 16.'],
    [['status', 'nowhere'], 'meridian: "nowhere" is no address (MRD_ARGUMENT). Write host:port'],
    [['status', '--timeout', '5', 'h:1'], 'Allowed: a duration with its unit'],
    [['certs', 'init'], "required option '--cluster-id <id>' not specified (MRD_ARGUMENT)"],
  ])('%j is refused with what is allowed', async (args, message) => {
    const { code, stderr } = await cli(...args)
    expect(stderr).toContain(message)
    expect(stderr.trimEnd()).not.toContain('\n')
    expect(code).toBe(64)
  })
})

describe('server', () => {
  it('runs without a file, flags in place of defaults, until asked to stop', async () => {
    const seen: MemberConfig[] = []
    let stopped = false
    const startServer = (config: MemberConfig): Promise<RunningServer> => {
      seen.push(config)
      return Promise.resolve({ reloadCertificates: () => undefined, stop: () => Promise.resolve(void (stopped = true)) })
    }
    const run = new CliRun(['server', '--port', '7009', '--dir', folder, '--set', 'clients.timeout=5m'], { startServer })
    await run.printed('redis-cli -p 7009')
    expect(seen[0]).toMatchObject({
      clients: { port: 7009, timeoutMs: 300_000 },
      storage: { dir: folder },
      logging: { format: 'pretty' },
    })
    expect(stopped).toBe(false)
    run.requestStop()
    expect(await run.finished).toBe(0)
    expect(stopped).toBe(true)
    expect(run.forcedExits).toEqual([])
  })

  it('ends at once at the second request to stop', async () => {
    const run = new CliRun(['server'], {
      startServer: () => Promise.resolve({ reloadCertificates: () => undefined, stop: () => new Promise<void>(() => undefined) }),
    })
    await run.printed('Ready')
    run.requestStop()
    run.requestStop()
    expect(run.forcedExits).toEqual([1])
  })

  it('reports what keeps it from starting on one line, without a stack trace', async () => {
    const error = new MeridianError('MRD_PORT_IN_USE', 'Port 7009 is in use', 'Choose another.')
    const run = new CliRun(['server'], { startServer: () => Promise.reject(error) })
    expect(await run.finished).toBe(1)
    expect(run.stderr).toBe('meridian: Port 7009 is in use (MRD_PORT_IN_USE). Choose another.\n')
  })

  it('calls a bug a bug', async () => {
    const run = new CliRun(['server'], { startServer: () => Promise.reject(new TypeError('x is undefined')) })
    expect(await run.finished).toBe(70)
    expect(run.stderr).toMatch(/this is a bug.*\nTypeError: x is undefined\n {4}at /)
  })
})

describe('config check', () => {
  it('accepts the samples', async () => {
    const { code, stdout } = await cli('config', 'check', 'config/us.yaml', 'config/eu.yaml', 'config/ap.yaml')
    expect(code).toBe(0)
    expect(stdout).toContain('config/eu.yaml: valid: member 2 eu of cluster meridian, port 7002, 3 members, peer port 7102')
  })

  it('names key, line and column', async () => {
    const file = join(folder, 'bad.yaml')
    writeFileSync(file, 'clients:\n  maxclient: 5\n')
    const { code, stderr } = await cli('config', 'check', file)
    expect(code).toBe(78)
    expect(stderr).toContain(
      `meridian: ${file}:2:3: clients.maxclient: is not a known key; did you mean maxclients? (MRD_CONFIG).`,
    )
  })

  it('looks at the files it names when asked to', async () => {
    const { code, stderr } = await cli('config', 'check', '--files', 'config/us.yaml')
    expect(code).toBe(1)
    expect(stderr).toMatch(/meridian: \/certs\/us.crt cannot be read: .*\(MRD_CERTIFICATE\)/)
  })
})
