import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { SeededRandom } from '../differential/seeded-random.js'
import { describeWithRedisServer } from '../support/with-redis-server.js'
import { contents, EVERYTHING, LARGE, run, startMember, type Item, type TestMember } from './import-rig.js'
import { cli, CliRun } from './run.js'

let member: TestMember

beforeAll(async () => {
  member = await startMember()
})
afterAll(() => member.stop())

/** Writes of every kind that a master passes on, also those whose effect differs from what the client said. */
function randomWrite(random: SeededRandom): Item[] | Item[][] {
  const pick = <T>(...items: readonly T[]): T => items[random.below(items.length)]
  const n = random.below(20)
  const key = (type: string): string => `${type}:${random.below(6)}`
  const writes: (() => Item[] | Item[][])[] = [
    () => ['SET', key('string'), n, ...pick<Item[]>([], ['EX', 100], ['PX', 1 + n], ['KEEPTTL'])],
    () => ['GETEX', key('string'), 'EX', 50],
    () => [pick('GETDEL', 'DEL', 'UNLINK', 'PERSIST'), key('string')],
    () => [pick('INCRBY', 'DECRBY', 'INCRBYFLOAT'), key('number'), n],
    () => ['APPEND', key('text'), `+${n}`],
    () => ['SETRANGE', key('text'), n, 'xyz'],
    () => ['SETBIT', key('text'), n, 1],
    () => ['BITFIELD', key('text'), 'INCRBY', 'u8', n, 3],
    () => ['BITOP', 'XOR', key('text'), key('text'), key('string')],
    () => ['MSET', key('string'), 'm', key('string'), n],
    () => ['EXPIRE', key(pick('set', 'hash', 'list', 'zset')), 1000 + n],
    () => ['PEXPIRE', key(pick('set', 'hash', 'list', 'zset')), 1 + n],
    () => ['SADD', key('set'), n, n + 1, `m${n}`],
    () => ['SPOP', key('set'), ...pick<Item[]>([], [2], [50])],
    () => ['SMOVE', key('set'), key('set'), n],
    () => [pick('SUNIONSTORE', 'SINTERSTORE', 'SDIFFSTORE'), key('set'), key('set'), key('set')],
    () => [pick('LPUSH', 'RPUSH'), key('list'), n, n + 1],
    () => [pick('LPOP', 'RPOP'), key('list')],
    () => ['LMOVE', key('list'), key('list'), pick('LEFT', 'RIGHT'), pick('LEFT', 'RIGHT')],
    () => ['LINSERT', key('list'), 'BEFORE', n, 'inserted'],
    () => ['LREM', key('list'), 0, n],
    () => ['LTRIM', key('list'), 0, 30],
    () => ['LSET', key('list'), 0, 'set'],
    () => ['BLPOP', key('list'), '0.001'],
    () => ['BLMOVE', key('list'), key('list'), 'LEFT', 'RIGHT', '0.001'],
    () => ['ZADD', key('zset'), n / 3, `m${n}`, n, 'x'],
    () => ['ZINCRBY', key('zset'), n / 7, 'x'],
    () => [pick('ZPOPMIN', 'ZPOPMAX'), key('zset')],
    () => ['ZRANGESTORE', key('zset'), key('zset'), 0, 5],
    () => ['ZUNIONSTORE', key('zset'), 2, key('zset'), key('set'), 'WEIGHTS', 2, 1],
    () => ['GEOADD', key('geo'), n, n + 1, `place ${n}`],
    () => ['GEOSEARCHSTORE', key('geo'), key('geo'), 'FROMLONLAT', 10, 10, 'BYRADIUS', 900, 'km'],
    () => ['HSET', key('hash'), `f${n}`, n],
    () => ['HDEL', key('hash'), `f${n}`],
    () => ['HINCRBY', key('hash'), 'n', n],
    () => ['HINCRBYFLOAT', key('hash'), 'float', n / 7],
    () => ['PFADD', key('sketch'), n, n * 7],
    () => ['PFMERGE', key('sketch'), key('sketch'), key('sketch')],
    () => ['PFCOUNT', key('sketch')],
    () => ['XADD', key('stream'), ...pick<Item[]>([], ['MAXLEN', '~', 10], ['MAXLEN', 20]), '*', 'f', n],
    () => ['XDEL', key('stream'), '1-1'],
    () => ['XTRIM', key('stream'), 'MAXLEN', 15],
    () => ['XGROUP', 'CREATE', key('stream'), 'g', pick('0', '$'), 'MKSTREAM'],
    () => ['XREADGROUP', 'GROUP', 'g', pick('a', 'b'), 'COUNT', 3, 'STREAMS', key('stream'), '>'],
    () => ['XAUTOCLAIM', key('stream'), 'g', 'c', 0, '0', 'COUNT', 2],
    () => ['XGROUP', 'DELCONSUMER', key('stream'), 'g', 'b'],
    () => ['XSETID', key('stream'), '99999999999999-1'],
    () => ['SORT', key('list'), 'ALPHA', 'STORE', key('list')],
    () => ['COPY', key('hash'), key('hash'), 'REPLACE'],
    () => ['RENAME', key('list'), key('list')],
    () => ['MOVE', key('string'), 3],
    () => ['COPY', key('string'), key('string'), 'DB', 3],
    () => [
      'EVAL',
      "redis.call('INCR', KEYS[1]); return redis.call('SADD', KEYS[2], redis.call('TIME')[2])",
      2,
      'number:0',
      'set:0',
    ],
    () => [
      ['MULTI'],
      ['INCR', key('number')],
      ['SELECT', 3],
      ['SADD', key('set'), n],
      ['SELECT', 0],
      ['DEL', key('hash')],
      ['EXEC'],
    ],
    () => [['SELECT', 4], ['SET', key('string'), n], pick<Item[]>(['FLUSHDB'], ['DBSIZE']), ['SELECT', 0]],
    () => ['PUBLISH', 'channel', n],
  ]
  return pick(...writes)()
}

describeWithRedisServer('import from a running redis-server', (suite) => {
  let address: string
  const clients: Redis[] = []
  const runs: CliRun[] = []

  beforeEach(async () => {
    await member.redis.flushall()
    await member.redis.select(0)
    await suite.redis.flushall()
    await suite.redis.select(0)
    await suite.redis.config('SET', 'repl-diskless-sync-delay', '0')
    await suite.redis.config('SET', 'repl-diskless-sync', 'yes')
    address = `127.0.0.1:${suite.redis.options.port}`
  })
  afterEach(async () => {
    for (const client of clients.splice(0)) client.disconnect()
    for (const run of runs.splice(0)) {
      run.requestStop()
      run.requestStop()
      await run.finished
    }
  })

  function start(...args: string[]): CliRun {
    const importing = new CliRun(['import', member.address, '--from', address, ...args])
    runs.push(importing)
    return importing
  }

  async function following(importing: CliRun): Promise<void> {
    while (!importing.stderr.includes('the snapshot is in')) {
      if (importing.stderr.includes('MRD_')) throw new Error(importing.stderr)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  /** Writes until told to stop; gives how to stop. */
  function writeOn(seed: number): () => Promise<void> {
    const random = new SeededRandom(seed)
    const client = suite.redis.duplicate()
    clients.push(client)
    let isStopped = false
    const writing = (async () => {
      while (!isStopped) {
        const pipeline = client.pipeline()
        for (let i = 0; i < 50; i++) {
          const write = randomWrite(random)
          for (const [name, ...args] of Array.isArray(write[0]) ? (write as Item[][]) : [write as Item[]])
            pipeline.call(String(name), ...args)
        }
        await pipeline.exec()
      }
    })()
    return () => {
      isStopped = true
      return writing
    }
  }

  async function expectSame(): Promise<void> {
    for (const database of [0, 3, 4]) {
      await suite.redis.select(database)
      await member.redis.select(database)
      const there = await contents(suite.redis)
      expect(await contents(member.redis)).toEqual(there)
    }
  }

  it.each([
    ['over the link', 'yes'],
    ['by way of its disk', 'no'],
  ])('follows every kind of write until cut-over, the snapshot coming %s', async (_, diskless) => {
    await suite.redis.config('SET', 'repl-diskless-sync', diskless)
    await run(suite.redis, [...EVERYTHING, ...(diskless === 'yes' ? LARGE : [])])
    const stops = [1, 2].map(writeOn)
    const importing = start('--verify')
    await following(importing)
    await new Promise((resolve) => setTimeout(resolve, 700))
    for (const stop of stops) await stop()
    importing.requestStop()
    const code = await importing.finished
    expect(importing.stderr).not.toContain('MRD_')
    expect(importing.stdout).toMatch(/followed \d+,\d{3} commands written meanwhile/)
    expect(importing.stdout).toMatch(/compared .* no difference/)
    expect(code).toBe(0)
    await expectSame()
  })

  it('ends by itself when nothing is behind, if told to', async () => {
    await run(suite.redis, EVERYTHING)
    const importing = start('--until-synced')
    expect(await importing.finished).toBe(0)
    expect(importing.stdout).toContain('compared all 18 keys: no difference')
    await expectSame()
  })

  it('goes on where it was when the link breaks', async () => {
    const stop = writeOn(3)
    const importing = start()
    await following(importing)
    await suite.redis.call('CLIENT', 'KILL', 'TYPE', 'replica')
    await new Promise((resolve) => setTimeout(resolve, 300))
    await stop()
    importing.requestStop()
    expect(await importing.finished).toBe(0)
    expect(importing.stdout).toContain('over 1 reconnection')
    await expectSame()
  })

  it('ends with the reason when the source no longer has what was missed', async () => {
    await suite.redis.config('SET', 'repl-backlog-size', '16384')
    const importing = start()
    await following(importing)
    const pipeline = suite.redis.pipeline()
    pipeline.call('CLIENT', 'KILL', 'TYPE', 'replica')
    for (let i = 0; i < 50; i++) pipeline.set(`k${i}`, 'x'.repeat(100_000))
    await pipeline.exec()
    const code = await importing.finished
    await suite.redis.config('SET', 'repl-backlog-size', '1mb')
    expect(importing.stderr).toContain(
      'cannot be followed: the source no longer has the writes that were missed while the link was down (MRD_SOURCE)',
    )
    expect(code).toBe(1)
  })

  it('ends with the reason when the link breaks before the snapshot is complete', async () => {
    const pipeline = suite.redis.pipeline()
    for (let i = 0; i < 3000; i++) pipeline.set(`k${i}`, i)
    await pipeline.exec()
    await suite.redis.config('SET', 'rdb-key-save-delay', '1000')
    const importing = start()
    while (!(await suite.redis.info('replication')).includes('connected_slaves:1'))
      await new Promise((resolve) => setTimeout(resolve, 10))
    await new Promise((resolve) => setTimeout(resolve, 300))
    await suite.redis.call('CLIENT', 'KILL', 'TYPE', 'replica')
    const code = await importing.finished
    await suite.redis.config('SET', 'rdb-key-save-delay', '0')
    expect(importing.stderr).toContain('the link broke before the snapshot was complete (MRD_SOURCE)')
    expect(code).toBe(1)
  })

  it('puts one database into another', async () => {
    await run(suite.redis, [
      ['SET', 'a', 1],
      ['SELECT', 2],
      ['SET', 'b', 1],
      ['SELECT', 0],
    ])
    const importing = start('--db', '0', '--map-db', '0:4')
    await following(importing)
    await run(suite.redis, [['INCR', 'a'], ['SET', 'c', 1], ['SELECT', 2], ['INCR', 'b'], ['FLUSHDB'], ['SELECT', 0]])
    importing.requestStop()
    expect(await importing.finished).toBe(0)
    expect(await member.redis.dbsize()).toBe(0)
    await member.redis.select(4)
    expect(await member.redis.mget('a', 'b', 'c')).toEqual(['2', null, '1'])
  })

  it('leaves out functions, and says so', async () => {
    const strict = start()
    await following(strict)
    await suite.redis.set('k', 'v')
    await suite.redis.call(
      'FUNCTION',
      'LOAD',
      'REPLACE',
      '#!lua name=mine\nredis.register_function("f", function() return 1 end)',
    )
    await suite.redis.set('k', 'w')
    strict.requestStop()
    expect(await strict.finished).toBe(0)
    expect(strict.stdout).toContain('left out: 1 command FUNCTION, which Meridian does not have')
    expect(await member.redis.get('k')).toBe('w')
    await suite.redis.call('FUNCTION', 'FLUSH')
  })

  it('does not begin when the target has keys or takes no stream IDs', async () => {
    await member.redis.set('mine', 1)
    const taken = await cli('import', member.address, '--from', address)
    expect(taken.stderr).toContain(
      'The target has the key "mine" already (MRD_IMPORT_EXISTS). Empty the target first, or choose --replace',
    )
    await member.redis.config('SET', 'stream-id-mode', 'strict')
    const strict = await cli('import', member.address, '--from', address, '--replace')
    await member.redis.config('SET', 'stream-id-mode', 'semi-strict')
    expect(strict.stderr).toContain('The target has stream-id-mode strict')
    expect(strict.code).toBe(1)
    expect(await member.redis.keys('*')).toEqual(['mine'])
  })

  it('says when the source does not let itself be followed, and can still copy what is there', async () => {
    await run(suite.redis, EVERYTHING)
    await suite.redis.call('ACL', 'SETUSER', 'mover', 'on', '>pw', '~*', '+@all', '-psync', '-sync')
    process.env.MERIDIAN_SOURCE_AUTH = 'pw'
    try {
      const refusal = await cli('import', member.address, '--from', address, '--from-user', 'mover')
      expect(refusal.stderr).toContain('does not send its writes: NOPERM')
      expect(refusal.stderr).toContain('(MRD_SOURCE). Use a user that may PSYNC and REPLCONF')
      const copy = await cli('import', member.address, '--from', address, '--from-user', 'mover', '--method', 'scan', '--verify')
      expect(copy.stdout).toContain('what was written there meanwhile may be missing')
      expect(copy.stdout).toContain('compared all 18 keys: no difference')
      expect(copy.code).toBe(0)
      process.env.MERIDIAN_SOURCE_AUTH = 'wrong'
      expect((await cli('import', member.address, '--from', address, '--from-user', 'mover')).stderr).toContain(
        'refuses AUTH: WRONGPASS',
      )
    } finally {
      delete process.env.MERIDIAN_SOURCE_AUTH
      await suite.redis.call('ACL', 'DELUSER', 'mover')
    }
    await expectSame()
  })

  it('keeps keys that the source keeps, however late their extension arrives', async () => {
    const pipeline = suite.redis.pipeline()
    for (let i = 0; i < 2500; i++) pipeline.set(`k${i}`, i)
    await pipeline.exec()
    // The snapshot takes so long that these are due when it arrives; one is extended when it has been taken.
    await suite.redis.config('SET', 'rdb-key-save-delay', '1000')
    await run(suite.redis, [
      ['SET', 'session', 1, 'PX', 2000],
      ['SET', 'gone', 1, 'PX', 2000],
    ])
    const importing = start('--verify')
    while (!(await suite.redis.info('persistence')).includes('rdb_bgsave_in_progress:1')) {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    expect(await suite.redis.pexpireat('session', 1_999_999_999_999)).toBe(1)
    await following(importing)
    await suite.redis.config('SET', 'rdb-key-save-delay', '0')
    importing.requestStop()
    expect(await importing.finished).toBe(0)
    expect(await member.redis.pexpiretime('session')).toBe(1_999_999_999_999)
    expect(await member.redis.exists('gone')).toBe(0)
    await expectSame()
  })

  it('leaves no key that lives too long when it is given up', async () => {
    await run(suite.redis, [
      ['SET', 'a', 1, 'EX', 100],
      ['HSET', 'hash', 'f', 'v'],
    ])
    const importing = start()
    await following(importing)
    importing.requestStop()
    importing.requestStop()
    expect(await importing.finished).toBe(1)
    expect(importing.stderr).toContain('Stopped before everything had arrived (MRD_IMPORT_STOPPED)')
    expect(await member.redis.ttl('a')).toBeLessThanOrEqual(100)
  })

  it('says in what the sides differ', async () => {
    await run(suite.redis, [
      ['SET', 'a', 1],
      ['SET', 'b', 1],
      ['SET', 'c', 1],
    ])
    const importing = start('--verify')
    await following(importing)
    await run(member.redis, [
      ['SET', 'a', 2],
      ['DEL', 'b'],
      ['EXPIRE', 'c', 1000],
    ])
    importing.requestStop()
    expect(await importing.finished).toBe(1)
    expect(importing.stdout).toContain('compared all 3 keys: 4 differences')
    expect(importing.stdout).toContain('db0 "a": the string is another')
    expect(importing.stdout).toContain('db0 "b": it is not in the target')
    expect(importing.stdout).toContain('db0 "c": it expires never there, at ')
    expect(importing.stdout).toContain('db0 has 2 keys, the source 3')
  })

  it('refuses what contradicts itself', async () => {
    for (const args of [['--match', 'x'], ['--skip-existing'], ['--from-rdb', 'x'], ['--method', 'x'], ['--spool-limit', 'x']]) {
      expect(await cli('import', member.address, '--from', address, ...args)).toMatchObject({ code: 64 })
    }
  })
})
