import { describe, expect, it } from 'vitest'
import { EngineHarness } from '../../support/engine-harness.js'
import { TestClients } from '../../support/test-clients.js'

function harness(): { h: EngineHarness; run: (line: string) => unknown; raw3: (line: string) => string } {
  const h = new EngineHarness()
  const run = (line: string) => {
    const reply = h.run(...line.split(' '))
    return reply instanceof Error ? reply.message : reply
  }
  const resp3 = h.newSession()
  resp3.protocol = 3
  return { h, run, raw3: (line) => h.raw(line.split(' '), resp3) }
}

describe('minus zero', () => {
  it('is a score of its own to ZADD INCR and ZINCRBY, until something is added to it', () => {
    const { run } = harness()
    expect(run('ZINCRBY z -0 a')).toBe('-0')
    expect(run('ZSCORE z a')).toBe('-0')
    expect(run('ZINCRBY z -0 a')).toBe('-0')
    expect(run('ZINCRBY z 0 a')).toBe('0')
    expect(run('ZINCRBY z 0 b')).toBe('0')
    expect(run('ZINCRBY z -0 b')).toBe('0')
    expect(run('ZADD z INCR -0 c')).toBe('-0')
    expect(run('ZADD z INCR 2 c')).toBe('2')
  })

  it('is zero to INCRBYFLOAT and HINCRBYFLOAT', () => {
    const { run } = harness()
    expect(run('INCRBYFLOAT s -0')).toBe('0')
    expect(run('INCRBYFLOAT s -0')).toBe('0')
    expect(run('HINCRBYFLOAT h f -0.0')).toBe('0')
    run('HSET h g -0')
    expect(run('HINCRBYFLOAT h g -0')).toBe('0')
  })
})

describe('ZADD', () => {
  it('adds members and changes scores, and counts as asked', () => {
    const { run } = harness()
    expect(run('ZADD z 1 a 2 b')).toBe(2)
    expect(run('ZADD z 3 a 2 b 4 c')).toBe(1)
    expect(run('ZADD z CH 5 a 2 b 4 d')).toBe(2)
    expect(run('ZRANGE z 0 -1 WITHSCORES')).toEqual(['b', '2', 'c', '4', 'd', '4', 'a', '5'])
  })

  it('takes the last of several scores for one member, in the log too', () => {
    const { h, run } = harness()
    run('ZADD z 1 a 2 b 3 a 4 a')
    expect(run('ZSCORE z a')).toBe('4')
    const other = new EngineHarness({ self: 2, solo: false })
    other.receive(h)
    expect(other.run('ZRANGE', 'z', '0', '-1', 'WITHSCORES')).toEqual(['b', '2', 'a', '4'])
  })

  it('heeds conditions', () => {
    const { run } = harness()
    run('ZADD z 5 a')
    expect(run('ZADD z NX 6 a 1 b')).toBe(1)
    expect(run('ZADD z XX CH 7 a 1 c')).toBe(1)
    expect(run('ZADD z GT CH 6 a 2 b')).toBe(1)
    expect(run('ZADD z LT CH 6 a 3 b')).toBe(1)
    expect(run('ZADD z GT 9 new')).toBe(1)
    expect(run('ZRANGE z 0 -1 WITHSCORES')).toEqual(['b', '2', 'a', '6', 'new', '9'])
    expect(run('ZADD none XX 1 a')).toBe(0)
    expect(run('EXISTS none')).toBe(0)
  })

  it('increments with INCR', () => {
    const { run } = harness()
    expect(run('ZADD z INCR 5 a')).toBe('5')
    expect(run('ZADD z INCR 0.5 a')).toBe('5.5')
    expect(run('ZADD z NX INCR 1 a')).toBe(null)
    expect(run('ZADD z XX INCR 1 b')).toBe(null)
    expect(run('ZADD z GT INCR -1 a')).toBe(null)
    expect(run('ZINCRBY z inf a')).toBe('inf')
    expect(run('ZINCRBY z -inf a')).toBe('ERR resulting score is not a number (NaN)')
  })

  it('refuses what makes no sense, and changes nothing', () => {
    const { run } = harness()
    run('SET s x')
    expect(run('ZADD s 1 a')).toBe('WRONGTYPE Operation against a key holding the wrong kind of value')
    expect(run('ZADD z 1 a 2')).toBe('ERR syntax error')
    expect(run('ZADD z NX XX 1 a')).toBe('ERR XX and NX options at the same time are not compatible')
    expect(run('ZADD z NX GT 1 a')).toBe('ERR GT, LT, and/or NX options at the same time are not compatible')
    expect(run('ZADD z INCR 1 a 2 b')).toBe('ERR INCR option supports a single increment-element pair')
    expect(run('ZADD z 1 a x b')).toBe('ERR value is not a valid float')
    expect(run('ZADD z nan a')).toBe('ERR value is not a valid float')
    expect(run('EXISTS z')).toBe(0)
  })
})

describe('ranges of a sorted set', () => {
  it.each([5, 300])('are the same however large it is (%i members)', (count) => {
    const { h, run } = harness()
    const members = Array.from({ length: count }, (_, i) => [String(i * 2), `m${String(i).padStart(3, '0')}`])
    h.run('ZADD', 'z', ...members.flat())
    h.run('ZADD', 'same', ...members.flatMap(([, name]) => ['0', name]))
    expect(run('OBJECT ENCODING z')).toBe(count <= 128 ? 'listpack' : 'skiplist')
    const names = members.map(([, name]) => name)
    expect(run('ZRANGE z 1 2')).toEqual(names.slice(1, 3))
    expect(run('ZREVRANGE z 0 1')).toEqual([...names].reverse().slice(0, 2))
    expect(run('ZRANGE z -2 -1 REV')).toEqual([names[1], names[0]])
    expect(run('ZRANGEBYSCORE z (2 6')).toEqual(names.slice(2, 4))
    expect(run('ZRANGEBYSCORE z -inf +inf LIMIT 1 2')).toEqual(names.slice(1, 3))
    expect(run('ZREVRANGEBYSCORE z 6 2 LIMIT 1 -1')).toEqual([names[2], names[1]])
    expect(run('ZRANGE z 6 (2 BYSCORE REV WITHSCORES')).toEqual([names[3], '6', names[2], '4'])
    expect(run('ZCOUNT z 1 (6')).toBe(2)
    expect(run('ZRANGEBYLEX same [m001 (m003')).toEqual(names.slice(1, 3))
    expect(run('ZREVRANGEBYLEX same + [m002 LIMIT 0 1')).toEqual([names[count - 1]])
    expect(run('ZLEXCOUNT same - [m003')).toBe(4)
    expect(run('ZRANK z m003')).toBe(3)
    expect(run('ZREVRANK z m003')).toBe(count - 4)
    expect(run('ZRANK z m003 WITHSCORE')).toEqual([3, '6'])
    expect(run('ZRANK z nobody')).toBe(null)
    expect(run('ZRANGESTORE d z 0 2')).toBe(3)
    expect(run('ZRANGE d 0 -1 WITHSCORES')).toEqual(['m000', '0', 'm001', '2', 'm002', '4'])
    expect(run('ZREMRANGEBYRANK z 0 0')).toBe(1)
    expect(run('ZREMRANGEBYSCORE z (2 4')).toBe(1)
    expect(run('ZREMRANGEBYLEX same - [m001')).toBe(2)
    expect(run('ZCARD z')).toBe(count - 2)
    expect(run('ZREMRANGEBYRANK z 0 -1')).toBe(count - 2)
    expect(run('EXISTS z')).toBe(0)
  })

  it('have Redis’ errors', () => {
    const { run } = harness()
    expect(run('ZRANGE z 0 1 LIMIT 0 1')).toBe(
      'ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX',
    )
    expect(run('ZRANGE z [a [b BYLEX WITHSCORES')).toBe('ERR syntax error, WITHSCORES not supported in combination with BYLEX')
    expect(run('ZRANGEBYSCORE z a b')).toBe('ERR min or max is not a float')
    expect(run('ZRANGEBYLEX z a b')).toBe('ERR min or max not valid string range item')
    expect(run('ZRANGE z a b')).toBe('ERR value is not an integer or out of range')
  })
})

describe('popping and picking members', () => {
  it('pops from either end, flat or nested', () => {
    const { run, raw3 } = harness()
    run('ZADD z 1 a 2 b 3 c 4 d')
    expect(run('ZPOPMIN z')).toEqual(['a', '1'])
    expect(run('ZPOPMAX z 2')).toEqual(['d', '4', 'c', '3'])
    expect(raw3('ZPOPMIN z 5')).toBe('*1\r\n*2\r\n$1\r\nb\r\n,2\r\n')
    expect(run('EXISTS z')).toBe(0)
    expect(run('ZPOPMIN z -1')).toBe('ERR value is out of range, must be positive')
    run('ZADD y 1 a 2 b')
    expect(run('ZMPOP 2 z y MAX COUNT 5')).toEqual([
      'y',
      [
        ['b', '2'],
        ['a', '1'],
      ],
    ])
    expect(run('ZMPOP 1 z MIN')).toBe(null)
  })

  it('picks different members, or as many as asked', () => {
    const { run } = harness()
    run('ZADD z 1 a 2 b 3 c')
    expect(run('ZRANDMEMBER z 10')).toEqual(['a', 'b', 'c'])
    expect((run('ZRANDMEMBER z -10') as string[]).length).toBe(10)
    expect((run('ZRANDMEMBER z -10 WITHSCORES') as string[]).length).toBe(20)
    expect(run('ZRANDMEMBER none')).toBe(null)
    expect(run('ZRANDMEMBER z -9223372036854775808')).toBe(
      'ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807',
    )
  })

  it('scans every member', () => {
    const { h, run } = harness()
    h.run('ZADD', 'z', ...Array.from({ length: 500 }, (_, i) => [String(i), `m${i}`]).flat())
    const seen = new Set<string>()
    let cursor = '0'
    do {
      const [next, found] = run(`ZSCAN z ${cursor} COUNT 50`) as [string, string[]]
      for (let i = 0; i < found.length; i += 2) seen.add(found[i])
      cursor = next
    } while (cursor !== '0')
    expect(seen.size).toBe(500)
    expect(run('ZSCAN z x')).toBe('ERR invalid cursor')
  })
})

describe('waiting for members', () => {
  it('pops at once what is there, and what comes later', () => {
    const { h, run } = harness()
    run('ZADD z 1 a 2 b 3 c')
    expect(run('BZPOPMIN none z 1')).toEqual(['z', 'a', '1'])
    expect(run('BZPOPMAX z 0')).toEqual(['z', 'c', '3'])
    expect(run('BZMPOP 0 2 none z MIN COUNT 2')).toEqual(['z', [['b', '2']]])
    const clients = new TestClients()
    const waiting = clients.connect()
    expect(h.raw(['BZPOPMIN', 'z', '0'], waiting)).toBe('')
    run('ZADD z 5 x')
    expect(waiting.delivered).toBe('*3\r\n$1\r\nz\r\n$1\r\nx\r\n$1\r\n5\r\n')
    expect(run('EXISTS z')).toBe(0)
    const multi = clients.connect()
    expect(h.raw(['BZMPOP', '0', '1', 'z', 'MAX', 'COUNT', '2'], multi)).toBe('')
    run('GEOADD z 1 1 x 2 2 y 3 3 w')
    expect(multi.delivered).toContain('*2\r\n$1\r\nz\r\n*2\r\n*2\r\n$1\r\nw\r\n')
    run('DEL z')
    expect(run('BZPOPMIN z -1')).toBe('ERR timeout is negative')
    expect(run('BZMPOP 1 0 z MIN')).toBe('ERR numkeys should be greater than 0')
  })
})

describe('combining sorted sets', () => {
  it('unites, intersects and subtracts', () => {
    const { run } = harness()
    run('ZADD x 1 a 2 b 3 c')
    run('ZADD y 10 b 20 c 30 d')
    expect(run('ZUNION 2 x y WITHSCORES')).toEqual(['a', '1', 'b', '12', 'c', '23', 'd', '30'])
    expect(run('ZINTER 2 x y WEIGHTS 2 1 AGGREGATE MAX WITHSCORES')).toEqual(['b', '10', 'c', '20'])
    expect(run('ZDIFF 2 x y WITHSCORES')).toEqual(['a', '1'])
    expect(run('ZUNION 2 x y AGGREGATE COUNT WITHSCORES')).toEqual(['a', '1', 'd', '1', 'b', '2', 'c', '2'])
    expect(run('ZINTER 2 x y AGGREGATE count WEIGHTS 0.5 3 WITHSCORES')).toEqual(['b', '3.5', 'c', '3.5'])
    expect(run('ZINTERCARD 2 x y LIMIT 1')).toBe(1)
    expect(run('ZUNIONSTORE x 2 x y')).toBe(4)
    expect(run('ZSCORE x c')).toBe('23')
    expect(run('ZINTERSTORE x 2 x none')).toBe(0)
    expect(run('EXISTS x')).toBe(0)
    run('SADD s b q')
    expect(run('ZINTER 2 y s WITHSCORES')).toEqual(['b', '11'])
    expect(run('ZUNION 2 s s WEIGHTS 1 2 WITHSCORES')).toEqual(['b', '3', 'q', '3'])
    expect(run('ZDIFF 2 s y')).toEqual(['q'])
    expect(run('ZUNION 0 x')).toBe("ERR at least 1 input key is needed for 'zunion' command")
    expect(run('ZUNION 2 y x WEIGHTS 1 z')).toBe('ERR weight value is not a float')
  })
})

describe('scores in replies', () => {
  it('are doubles and pairs for RESP3 clients', () => {
    const { run, raw3 } = harness()
    run('ZADD z 1.5 a inf b')
    expect(raw3('ZSCORE z a')).toBe(',1.5\r\n')
    expect(raw3('ZSCORE z none')).toBe('_\r\n')
    expect(raw3('ZRANGE z 0 -1 WITHSCORES')).toBe('*2\r\n*2\r\n$1\r\na\r\n,1.5\r\n*2\r\n$1\r\nb\r\n,inf\r\n')
    expect(raw3('ZMSCORE z a none')).toBe('*2\r\n,1.5\r\n_\r\n')
  })
})

describe('a sorted set as a whole', () => {
  it('is copied, dumped and restored', () => {
    const { h, run } = harness()
    h.run('ZADD', 'z', ...Array.from({ length: 300 }, (_, i) => [String(i / 4), `m${i}`]).flat())
    expect(run('COPY z y')).toBe(1)
    expect(run('ZRANGE y 0 -1 WITHSCORES')).toEqual(run('ZRANGE z 0 -1 WITHSCORES'))
    const payload = h.run('DUMP', 'z') as string
    expect(h.run('RESTORE', 'r', '0', Buffer.from(payload, 'latin1'))).toBe('OK')
    expect(run('ZRANGE r 0 -1 WITHSCORES')).toEqual(run('ZRANGE z 0 -1 WITHSCORES'))
    expect(Number(run('MEMORY USAGE z'))).toBeGreaterThan(300 * 40)
  })

  it('gives all its memory back', () => {
    const { h, run } = harness()
    const { arena } = h.engine.keyspace.database(0)
    run('SET other x')
    const before = arena.usedBytes
    h.run('ZADD', 'z', ...Array.from({ length: 5000 }, (_, i) => [String(i), `m${i}`]).flat())
    h.run('ZADD', 'y', ...Array.from({ length: 100 }, (_, i) => [String(i), `m${i}`]).flat())
    run('DEL z')
    run('ZPOPMIN y 100')
    h.clock.advance(1000)
    expect(arena.usedBytes).toBe(before)
  })
})
