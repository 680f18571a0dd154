import { expect, it } from 'vitest'
import { SeededRandom } from '../differential/seeded-random.js'
import { describeWithRedisServer } from '../support/with-redis-server.js'
import { EVERYTHING, LARGE, run, type Item } from './import-rig.js'
import { liveImports } from './live-import-rig.js'

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
  const imports = liveImports(suite)

  /** Writes until told to stop; gives how to stop. */
  function writeOn(seed: number): () => Promise<void> {
    const random = new SeededRandom(seed)
    const client = imports.client()
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
        // As fast as it can, it would write more than there is to see.
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    })()
    return () => {
      isStopped = true
      return writing
    }
  }

  it.each([
    ['over the link', 'yes'],
    ['by way of its disk', 'no'],
  ])('follows every kind of write until cut-over, the snapshot coming %s', async (_, diskless) => {
    await suite.redis.config('SET', 'repl-diskless-sync', diskless)
    await run(suite.redis, [...EVERYTHING, ...(diskless === 'yes' ? LARGE : [])])
    const stops = [1, 2].map(writeOn)
    const importing = imports.start('--verify')
    await imports.following(importing)
    await new Promise((resolve) => setTimeout(resolve, 700))
    for (const stop of stops) await stop()
    importing.requestStop()
    const code = await importing.finished
    expect(importing.stderr).not.toContain('MRD_')
    expect(importing.stdout).toMatch(/followed \d+,\d{3} commands written meanwhile/)
    expect(importing.stdout).toMatch(/compared .* no difference/)
    expect(code).toBe(0)
    await imports.expectSame()
  })

  it('ends by itself when nothing is behind, if told to', async () => {
    await run(suite.redis, EVERYTHING)
    const importing = imports.start('--until-synced')
    expect(await importing.finished).toBe(0)
    expect(importing.stdout).toContain('compared all 18 keys: no difference')
    await imports.expectSame()
  })

  it('goes on where it was when the link breaks', async () => {
    const stop = writeOn(3)
    const importing = imports.start()
    await imports.following(importing)
    await suite.redis.call('CLIENT', 'KILL', 'TYPE', 'replica')
    await new Promise((resolve) => setTimeout(resolve, 300))
    await stop()
    importing.requestStop()
    expect(await importing.finished).toBe(0)
    expect(importing.stdout).toContain('over 1 reconnection')
    await imports.expectSame()
  })

  it('puts one database into another', async () => {
    await run(suite.redis, [
      ['SET', 'a', 1],
      ['SELECT', 2],
      ['SET', 'b', 1],
      ['SELECT', 0],
    ])
    const importing = imports.start('--db', '0', '--map-db', '0:4')
    await imports.following(importing)
    await run(suite.redis, [['INCR', 'a'], ['SET', 'c', 1], ['SELECT', 2], ['INCR', 'b'], ['FLUSHDB'], ['SELECT', 0]])
    importing.requestStop()
    expect(await importing.finished).toBe(0)
    expect(await imports.member.redis.dbsize()).toBe(0)
    await imports.member.redis.select(4)
    expect(await imports.member.redis.mget('a', 'b', 'c')).toEqual(['2', null, '1'])
  })
})
