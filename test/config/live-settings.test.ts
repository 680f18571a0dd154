import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { LiveSettings } from '../../src/config/live-settings.js'
import { loadConfig } from '../../src/config/load.js'

const folder = mkdtempSync(join(tmpdir(), 'meridian-settings-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('CONFIG GET', () => {
  const settings = new LiveSettings(loadConfig(null))

  it('answers one name, ignoring case, in Redis units', () => {
    expect(settings.get('MaxClients')).toEqual([['maxclients', '10000']])
    expect(settings.get('client-query-buffer-limit')).toEqual([['client-query-buffer-limit', '1073741824']])
    expect(settings.get('tcp-keepalive')).toEqual([['tcp-keepalive', '300']])
    expect(settings.get('client-output-buffer-limit')).toEqual([
      ['client-output-buffer-limit', 'normal 1073741824 268435456 60 pubsub 33554432 8388608 60'],
    ])
  })

  it('answers a glob', () => {
    expect(settings.get('max*').map(([name]) => name)).toEqual([
      'maxclients',
      'maxmemory',
      'maxmemory-clients',
      'maxmemory-policy',
      'maxmemory-samples',
      'maxmemory-eviction-tenacity',
    ])
    expect(settings.get('[de]i?').map(([name]) => name)).toEqual(['dir'])
    expect(settings.get('*').length).toBeGreaterThan(20)
    expect(settings.get('nothing*')).toEqual([])
  })

  it('survives a hostile glob', () => {
    expect(settings.get(`${'*a'.repeat(5000)}x`)).toEqual([])
  })
})

describe('CONFIG SET', () => {
  it('changes what consumers read, and tells listeners', () => {
    const settings = new LiveSettings(loadConfig(null))
    const seen: string[] = []
    settings.onChange((values) => seen.push(values.loglevel))
    const pairs = [
      ['timeout', '60'],
      ['loglevel', 'DEBUG'],
      ['proto-max-bulk-len', '1mb'],
    ] as const
    expect(settings.set(pairs)).toBeNull()
    expect(settings.values).toMatchObject({ timeoutMs: 60_000, loglevel: 'debug', protoMaxBulkLen: 1024 * 1024 })
    expect(seen).toEqual(['debug'])
  })

  it('takes percentiles as Redis does', () => {
    const settings = new LiveSettings(loadConfig(null))
    const name = 'latency-tracking-info-percentiles'
    expect(settings.get(name)).toEqual([[name, '50 99 99.9']])
    expect(settings.set([[name, '0.0 50.0 1e2']])).toBeNull()
    expect(settings.get(name)).toEqual([[name, '0 50 100']])
    const failed = `ERR CONFIG SET failed (possibly related to argument '${name}') - `
    expect(settings.set([[name, '10 a']])).toBe(`${failed}Invalid ${name} parameters`)
    expect(settings.set([[name, '10 101']])).toBe(`${failed}${name} parameters should sit between [0.0,100.0]`)
    expect(settings.values.latencyPercentiles).toEqual([0, 50, 100])
    expect(settings.set([[name, '']])).toBeNull()
    expect(settings.get(name)).toEqual([[name, '']])
  })

  it('knows settings by the name that Redis had before, too', () => {
    const settings = new LiveSettings(loadConfig(null))
    expect(settings.get('hash-max-*')).toEqual([
      ['hash-max-listpack-entries', '512'],
      ['hash-max-ziplist-entries', '512'],
      ['hash-max-listpack-value', '64'],
      ['hash-max-ziplist-value', '64'],
    ])
    const pairs = [
      ['hash-max-ziplist-entries', '3'],
      ['zset-max-ziplist-value', '1kb'],
      ['list-max-ziplist-size', '-5'],
    ] as const
    expect(settings.set(pairs)).toBeNull()
    expect(settings.get('hash-max-listpack-entries')).toEqual([['hash-max-listpack-entries', '3']])
    expect(settings.values).toMatchObject({ hashMaxListpackEntries: 3, zsetMaxListpackValue: 1024, listMaxListpackSize: -5 })
    const both = [
      ['hash-max-ziplist-entries', '3'],
      ['hash-max-listpack-entries', '4'],
    ] as const
    expect(settings.set(both)).toContain("'hash-max-listpack-entries') - duplicate parameter")
  })

  it('says whether stale data are served, by both names of Redis', () => {
    const settings = new LiveSettings(loadConfig(null))
    expect(settings.get('*-serve-stale-data')).toEqual([
      ['replica-serve-stale-data', 'yes'],
      ['slave-serve-stale-data', 'yes'],
    ])
    expect(settings.set([['slave-serve-stale-data', 'NO']])).toBeNull()
    expect(settings.values.servesStale).toBe(false)
    expect(settings.get('replica-serve-stale-data')).toEqual([['replica-serve-stale-data', 'no']])
    expect(settings.set([['replica-serve-stale-data', 'maybe']])).toContain('argument(s) must be one of the following: yes, no')
  })

  it('takes a percentage for what clients may take', () => {
    const settings = new LiveSettings(loadConfig(null))
    expect(settings.set([['maxmemory-clients', '5%']])).toBeNull()
    expect(settings.get('maxmemory-clients')).toEqual([['maxmemory-clients', '5%']])
    expect(settings.set([['maxmemory-clients', '1mb']])).toBeNull()
    expect(settings.get('maxmemory-clients')).toEqual([['maxmemory-clients', '1048576']])
  })

  it('changes all or nothing', () => {
    const settings = new LiveSettings(loadConfig(null))
    const pairs = [
      ['maxclients', '5'],
      ['timeout', 'soon'],
    ] as const
    expect(settings.set(pairs)).toBe(
      "ERR CONFIG SET failed (possibly related to argument 'timeout') - argument couldn't be parsed into an integer",
    )
    expect(settings.values.maxclients).toBe(10_000)
  })

  it.each([
    [['nope', '1'], "ERR Unknown option or number of arguments for CONFIG SET - 'nope'"],
    [['port', '1'], "ERR CONFIG SET failed (possibly related to argument 'port') - can't set immutable config"],
    [['appendonly', 'no'], "- this version of Meridian has no other value than 'yes'"],
    [['maxclients', '0'], '- argument must be between 1 and 4294967295 inclusive'],
    [['set-max-intset-entries', '-1'], '- argument must be between 0 and 9007199254740991 inclusive'],
    [['list-max-listpack-size', '-2147483649'], '- argument must be between -2147483648 and 2147483647 inclusive'],
    [['hash-max-listpack-value', 'long'], '- argument must be a memory value'],
    [
      ['maxmemory-policy', 'lru'],
      '- argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, volatile-ttl, allkeys-lru, ' +
        'allkeys-lfu, allkeys-random, noeviction',
    ],
    [['maxmemory', '-1'], "(possibly related to argument 'maxmemory') - argument must be a memory value"],
    [['maxmemory-clients', 'x'], '- argument must be a memory or percent value'],
    [['maxmemory-clients', '101%'], '- percentage argument must be less or equal to 100'],
    [['maxmemory-eviction-tenacity', '101'], '- argument must be between 0 and 100 inclusive'],
    [['appendfsync', 'x'], '- argument(s) must be one of the following: always, everysec, no'],
    [['proto-max-bulk-len', 'x'], '- argument must be a memory value'],
    [['proto-max-bulk-len', '1'], '- argument must be between 1048576 and 536870912 inclusive'],
    [['client-output-buffer-limit', 'replica 0 0 0'], '- Invalid client class specified in buffer limit configuration.'],
    [['client-output-buffer-limit', 'normal 0 0'], '- Wrong number of arguments in buffer limit configuration.'],
    [
      ['client-output-buffer-limit', 'normal 0 x 0'],
      '- Error in hard, soft or soft_seconds setting in buffer limit configuration.',
    ],
  ] as const)('refuses %j in the words of Redis', (pair, expected) => {
    expect(new LiveSettings(loadConfig(null)).set([pair])).toContain(expected)
  })

  it('lets a constant be set to what it is', () => {
    const settings = new LiveSettings(loadConfig(null))
    const pairs = [
      ['appendonly', 'yes'],
      ['timeout', '5'],
    ] as const
    expect(settings.set(pairs)).toBe(null)
    expect(settings.values.timeoutMs).toBe(5000)
  })

  it('refuses a name given twice', () => {
    const pair = ['timeout', '1'] as const
    expect(new LiveSettings(loadConfig(null)).set([pair, pair])).toContain('duplicate parameter')
  })
})

describe('CONFIG REWRITE', () => {
  it('writes changed settings and keeps comments, hand edits and permissions', () => {
    const file = join(folder, 'member.yaml')
    writeFileSync(file, '# ours\nclients:\n  port: 7001 # the usual\n  timeout: 5m\n')
    chmodSync(file, 0o640)
    const settings = new LiveSettings(loadConfig(file))
    settings.set([
      ['timeout', '90'],
      ['requirepass', '12345'],
      ['loglevel', 'warn'],
    ])
    writeFileSync(file, readFileSync(file, 'utf8').replace('7001', '7002'))
    expect(settings.rewrite()).toBeNull()
    expect(readFileSync(file, 'utf8')).toBe(
      '# ours\nclients:\n  port: 7002 # the usual\n  timeout: 90s\n  requirepass: "12345"\nlogging:\n  level: warn\n',
    )
    expect(statSync(file).mode & 0o777).toBe(0o640)
    expect(loadConfig(file).clients.requirepass).toBe('12345')
  })

  it('says that there is no file', () => {
    expect(new LiveSettings(loadConfig(null)).rewrite()).toBe('ERR The server is running without a config file')
  })

  it('says on one line why it cannot be done', () => {
    const file = join(folder, 'gone.yaml')
    writeFileSync(file, '')
    const settings = new LiveSettings(loadConfig(file))
    rmSync(file)
    expect(settings.rewrite()).toMatch(/^ERR Rewriting config file: .*gone\.yaml.*$/)
  })
})

describe('settings of publish and subscribe', () => {
  it('are read and changed in Redis’ forms', () => {
    const settings = new LiveSettings(loadConfig(null))
    expect(settings.get('pubsub-scope')).toEqual([['pubsub-scope', 'cluster']])
    expect(settings.set([['pubsub-scope', 'LOCAL']])).toBeNull()
    expect(settings.values.pubsubScope).toBe('local')
    expect(settings.set([['notify-keyspace-events', 'EKg$']])).toBeNull()
    expect(settings.get('notify-keyspace-events')).toEqual([['notify-keyspace-events', 'g$KE']])
    expect(settings.set([['notify-keyspace-events', 'q']])).toMatch(
      /Invalid event class character. Use 'Ag\$lshzxeKEtmdnocSTIV'./,
    )
    expect(settings.set([['client-output-buffer-limit', 'pubsub 1mb 0 0']])).toBeNull()
    expect(settings.get('client-output-buffer-limit')[0][1]).toBe('normal 1073741824 268435456 60 pubsub 1048576 0 0')
  })
})
