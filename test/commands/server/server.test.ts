import { describe, expect, it } from 'vitest'
import type { SettingsService } from '../../../src/commands/services.js'
import { EngineHarness } from '../../support/engine-harness.js'
import { TestClients } from '../../support/test-clients.js'

class TestSettings implements SettingsService {
  readonly values = new Map([
    ['maxclients', '10000'],
    ['timeout', '0'],
  ])
  requirePassword: string | null = null
  debugCommand: 'yes' | 'no' | 'local' = 'yes'
  rewriteError: string | null = null
  get(pattern: string): [string, string][] {
    return [...this.values].filter(([name]) => pattern === '*' || pattern === name)
  }
  set(pairs: readonly (readonly [string, string])[]): string | null {
    for (const [name] of pairs)
      if (!this.values.has(name)) return `ERR Unknown option or number of arguments for CONFIG SET - '${name}'`
    for (const [name, value] of pairs) this.values.set(name, value)
    return null
  }
  rewrite(): string | null {
    return this.rewriteError
  }
}

describe('CONFIG', () => {
  it('gets by several patterns, each setting once', () => {
    const h = new EngineHarness({ services: { settings: new TestSettings() } })
    expect(h.run('CONFIG', 'GET', 'timeout', '*')).toEqual(['timeout', '0', 'maxclients', '10000'])
    h.session.protocol = 3
    expect(h.raw(['CONFIG', 'GET', 'timeout'])).toBe('%1\r\n$7\r\ntimeout\r\n$1\r\n0\r\n')
    expect(h.raw(['CONFIG', 'GET', 'nope'])).toBe('%0\r\n')
  })

  it('is refused by a harness that does not carry it out', () => {
    const h = new EngineHarness()
    expect(h.raw(['CONFIG', 'SET', 'timeout', '5'])).toMatch(/^-ERR CONFIG SET failed .*'timeout'/)
    expect(h.raw(['CONFIG', 'REWRITE'])).toMatch(/^-ERR /)
  })

  it('sets pairs, all or none', () => {
    const settings = new TestSettings()
    const h = new EngineHarness({ services: { settings } })
    expect(h.raw(['CONFIG', 'SET', 'timeout', '5', 'nope', '1'])).toBe(
      "-ERR Unknown option or number of arguments for CONFIG SET - 'nope'\r\n",
    )
    expect(h.raw(['CONFIG', 'SET', 'timeout', '5', 'maxclients', '6'])).toBe('+OK\r\n')
    expect([...settings.values.values()]).toEqual(['6', '5'])
    expect(h.raw(['CONFIG', 'SET', 'timeout', '5', 'maxclients'])).toBe('-ERR syntax error\r\n')
    settings.rewriteError = 'ERR The server is running without a config file'
    expect(h.raw(['CONFIG', 'REWRITE'])).toBe('-ERR The server is running without a config file\r\n')
  })
})

describe('SLOWLOG', () => {
  it('keeps what took long, newest first, without secrets', () => {
    const settings = new TestSettings()
    settings.requirePassword = 'p'
    const clients = new TestClients()
    const h = new EngineHarness({ services: { settings, clients } })
    const client = clients.connect()
    h.engine.slowLog.slowerThanMicroseconds = 0
    h.raw(['AUTH', 'p'], client)
    h.raw(['HELLO', '3', 'AUTH', 'default', 'p', 'SETNAME', 'n'], client)
    h.raw(['HELLO', '2'], client)
    h.raw(['CONFIG', 'SET', 'requirepass', 'q', 'timeout', '1'], client)
    h.raw(['DEBUG', 'SLEEP', '0.2'], client)
    h.raw(['ECHO', 'x'.repeat(200)], client)
    h.engine.slowLog.slowerThanMicroseconds = -1
    const entries = h.runIn(client, 'SLOWLOG', 'GET', '-1') as [number, number, number, string[], string, string, number][]
    expect(entries.map((entry) => entry[0])).toEqual([5, 4, 3, 2, 1, 0])
    expect(entries.map((entry) => entry[3])).toEqual([
      ['ECHO', `${'x'.repeat(128)}... (72 more bytes)`],
      ['DEBUG', 'SLEEP', '0.2'],
      ['CONFIG', 'SET', 'requirepass', '(redacted)', 'timeout', '1'],
      ['HELLO', '2'],
      ['HELLO', '3', 'AUTH', '(redacted)', '(redacted)', 'SETNAME', 'n'],
      ['AUTH', '(redacted)'],
    ])
    expect(entries[1][2]).toBeGreaterThanOrEqual(200_000)
    expect(entries[1].slice(4)).toEqual([client.address, 'n', 3])
    expect(h.runIn(client, 'SLOWLOG', 'LEN')).toBe(6)
    expect(h.runIn(client, 'SLOWLOG', 'GET', '2')).toHaveLength(2)
    expect(h.raw(['SLOWLOG', 'RESET'], client)).toBe('+OK\r\n')
    expect(h.runIn(client, 'SLOWLOG', 'LEN')).toBe(0)
    expect(h.raw(['SLOWLOG', 'GET', '-2'], client)).toBe('-ERR count should be greater than or equal to -1\r\n')
  })

  it('keeps at most the configured number of entries, and 32 arguments of each', () => {
    const h = new EngineHarness()
    h.engine.slowLog.slowerThanMicroseconds = 0
    h.engine.slowLog.maxLength = 3
    for (let i = 0; i < 10; i++) h.run('PING')
    expect(h.run('SLOWLOG', 'LEN')).toBe(3)
    h.run('MGET', ...Array.from({ length: 40 }, (_, i) => `k${i}`))
    const [[, , , args, , , argc]] = h.run('SLOWLOG', 'GET', '1') as [[number, number, number, string[], string, string, number]]
    expect(argc).toBe(41)
    expect(args).toHaveLength(32)
    expect(args.at(-1)).toBe('... (10 more arguments)')
    h.engine.slowLog.maxLength = 0
    h.engine.slowLog.reset()
    h.run('PING')
    expect(h.run('SLOWLOG', 'LEN')).toBe(0)
  })
})

describe('MEMORY', () => {
  it('counts a key with its share of the table', () => {
    const h = new EngineHarness({ services: { clients: new TestClients() } })
    expect(h.run('MEMORY', 'USAGE', 'k')).toBe(null)
    h.run('SET', 'k', 'x'.repeat(1000))
    const usage = Number(h.run('MEMORY', 'USAGE', 'k', 'SAMPLES', '5'))
    expect(usage).toBeGreaterThan(1000)
    expect(usage).toBeLessThan(1300)
    expect(h.raw(['MEMORY', 'USAGE', 'k', 'SAMPLES', '-1'])).toBe('-ERR syntax error\r\n')
    expect(h.raw(['MEMORY', 'USAGE', 'k', 'SAMPLES'])).toBe('-ERR syntax error\r\n')
    expect(h.run('MEMORY', 'STATS')).toContain('keys.bytes-per-key')
    expect(h.run('MEMORY', 'DOCTOR')).toMatch(/too little data/)
    expect(h.run('MEMORY', 'MALLOC-STATS')).toMatch(/^db0: used=\d+/)
  })

  it('is given back by PURGE as far as it is kept for later', () => {
    const h = new EngineHarness()
    const { arena } = h.engine.keyspace.database(0)
    const { length } = arena.u8
    for (let n = 0; arena.u8.length < length + 3; n++) h.run('SET', `k${n}`, 'x'.repeat(100_000))
    h.run('FLUSHALL')
    const kept = h.engine.keyspace.database(0).arena
    // As if a run had been taken last in a chunk that is empty by now.
    const refs = Array.from({ length: 100 }, () => kept.alloc(100_000))
    for (const ref of refs) kept.free(ref)
    const before = kept.reservedBytes
    expect(h.run('MEMORY', 'PURGE')).toBe('OK')
    expect(kept.reservedBytes).toBeLessThan(before)
    expect(h.raw(['MEMORY', 'PURGE', 'x'])).toBe("-ERR wrong number of arguments for 'memory|purge' command\r\n")
    h.run('SET', 'k', 'v')
    expect(h.run('GET', 'k')).toBe('v')
  })
})

describe('TIME, LOLWUT, ROLE, SHUTDOWN', () => {
  it('answer', () => {
    const h = new EngineHarness()
    expect(h.run('TIME')).toEqual(['1790000000', '0'])
    expect(h.run('LOLWUT', 'VERSION', '5')).toMatch(/\nMeridian ver\. 0\.0\.0\n$/)
    expect(h.raw(['ROLE'])).toBe('*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n')
    expect(h.raw(['SHUTDOWN', 'ABORT'])).toBe('-ERR No shutdown in progress.\r\n')
    expect(h.raw(['SHUTDOWN', 'SAVE', 'NOSAVE'])).toBe('-ERR syntax error\r\n')
    expect(h.raw(['SHUTDOWN', 'NOSAVE', 'NOW', 'FORCE'])).toBe('')
    expect(h.session.close).toBe('now')
  })
})

describe('what Meridian does differently', () => {
  it('is refused with the reason', () => {
    const h = new EngineHarness()
    expect(h.raw(['REPLICAOF', 'host', '1'])).toMatch(/^-ERR Meridian has no replicas: every member takes writes/)
    expect(h.raw(['SLAVEOF', 'no', 'one'])).toBe('+OK\r\n')
    expect(h.raw(['PSYNC', '?', '-1'])).toMatch(/^-ERR Meridian's members replicate over their own links/)
    expect(h.raw(['CLUSTER', 'SLOTS'])).toBe('-ERR This instance has cluster support disabled\r\n')
    expect(h.raw(['CLUSTER', 'KEYSLOT', 'foo{hash_tag}'])).toBe(':2515\r\n')
    expect(h.raw(['MODULE', 'LIST'])).toBe('*0\r\n')
    expect(h.raw(['MODULE', 'LOAD', 'x'])).toBe('-ERR Meridian does not load modules\r\n')
  })
})

describe('DEBUG', () => {
  it('is refused unless the setting allows it, from here or from everywhere', () => {
    const settings = new TestSettings()
    const clients = new TestClients()
    const h = new EngineHarness({ services: { settings, clients } })
    const client = clients.connect()
    settings.debugCommand = 'no'
    expect(h.raw(['DEBUG', 'SLEEP', '0'], client)).toMatch(
      /^-ERR DEBUG command not allowed\. If the enable-debug-command option is set to "local", you can run it/,
    )
    settings.debugCommand = 'local'
    expect(h.raw(['DEBUG', 'SLEEP', '0'], client)).toBe('+OK\r\n')
    expect(h.raw(['DEBUG', 'SLEEP', '0'])).toMatch(/^-ERR DEBUG command not allowed/)
  })

  it('answers with every type of the protocol', () => {
    const h = new EngineHarness({ services: { settings: new TestSettings() } })
    const protocol = (type: string): string => h.raw(['DEBUG', 'PROTOCOL', type])
    expect(protocol('map')).toBe('*6\r\n:0\r\n:0\r\n:1\r\n:1\r\n:2\r\n:0\r\n')
    expect(protocol('push')).toBe('-ERR RESP2 is not supported by this command\r\n')
    h.session.protocol = 3
    expect(protocol('map')).toBe('%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n')
    expect(protocol('set')).toBe('~3\r\n:0\r\n:1\r\n:2\r\n')
    expect(protocol('double')).toBe(',3.141\r\n')
    expect(protocol('bignum')).toBe('(1234567999999999999999999999999999999\r\n')
    expect(protocol('null')).toBe('_\r\n')
    expect(protocol('true')).toBe('#t\r\n')
    expect(protocol('verbatim')).toBe('=29\r\ntxt:This is a verbatim\nstring\r\n')
    expect(protocol('attrib')).toMatch(/^\|1\r\n\$14\r\nkey-popularity\r\n\*2\r\n/)
    expect(protocol('push')).toMatch(/^>2\r\n/)
    expect(protocol('odd')).toMatch(/^-ERR Wrong protocol type name/)
  })

  it('does the rest of what tests need', () => {
    const h = new EngineHarness({ services: { settings: new TestSettings() } })
    expect(h.raw(['DEBUG', 'STRINGMATCH-LEN', 'a*', 'abc'])).toBe(':1\r\n')
    expect(h.raw(['DEBUG', 'ERROR', 'CODE a\nb'])).toBe('-CODE a b\r\n')
    expect(h.raw(['DEBUG', 'POPULATE', '3', 'p', '4'])).toBe('+OK\r\n')
    expect(h.run('GET', 'p:2')).toBe('valu')
    expect(h.run('DEBUG', 'OBJECT', 'p:2')).toMatch(
      /^Value at:0x[0-9a-f]+ refcount:1 encoding:embstr serializedlength:5 lru:\d+ lru_seconds_idle:0$/,
    )
    expect(h.raw(['DEBUG', 'OBJECT', 'nope'])).toBe('-ERR no such key\r\n')
    expect(h.raw(['DEBUG', 'NOPE'])).toBe("-ERR unknown subcommand or wrong number of arguments for 'NOPE'. Try DEBUG HELP.\r\n")
    h.raw(['DEBUG', 'SET-ACTIVE-EXPIRE', '0'])
    h.raw(['SET', 'gone', '1', 'PX', '10'])
    h.clock.advance(1000)
    expect(h.engine.statistics.expiredKeys).toBe(0)
    h.raw(['DEBUG', 'SET-ACTIVE-EXPIRE', '1'])
    h.clock.advance(1000)
    expect(h.engine.statistics.expiredKeys).toBe(1)
    const before = h.run('DEBUG', 'DIGEST')
    expect(before).toMatch(/^[0-9a-f]{40}$/)
    h.run('SET', 'other', '1')
    expect(h.run('DEBUG', 'DIGEST')).not.toBe(before)
    expect(h.run('DEBUG', 'DIGEST-VALUE', 'nope', 'p:1')).toEqual(['0'.repeat(40), expect.stringMatching(/^0{24}[0-9a-f]{16}$/)])
  })
})
