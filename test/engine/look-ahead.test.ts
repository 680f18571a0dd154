import { describe, expect, it } from 'vitest'
import { ReplyWriter } from '../../src/resp/reply-writer.js'
import { Request } from '../../src/resp/request.js'
import { RequestDecoder } from '../../src/resp/request-decoder.js'
import { EngineHarness } from '../support/engine-harness.js'

const encode = (args: readonly string[]): string =>
  `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`

/** Many keys, and one large collection of each type that has elements. */
function filled(): EngineHarness {
  const harness = new EngineHarness()
  for (let from = 0; from < 5000; from += 500) {
    const numbers = Array.from({ length: 500 }, (_, i) => from + i)
    harness.run('MSET', ...numbers.flatMap((i) => [`key:${i}`, `value ${i}`]))
    harness.run('SADD', 'set', ...numbers.map((i) => `member:${i}`))
    harness.run('HSET', 'hash', ...numbers.flatMap((i) => [`field:${i}`, `value ${i}`]))
    harness.run('ZADD', 'zset', ...numbers.flatMap((i) => [String(i), `member:${i}`]))
  }
  harness.run('RPUSH', 'list', 'element')
  return harness
}

class Pipeline {
  readonly decoder = new RequestDecoder()
  private readonly request = new Request()
  private readonly writer = new ReplyWriter()

  constructor(private readonly harness: EngineHarness) {}

  /** Runs commands as a connection does that looks ahead. */
  run(commands: readonly (readonly string[])[], looksAhead = true): string {
    const { harness, decoder, request, writer } = this
    const { engine, session } = harness
    const input = Buffer.from(commands.map(encode).join(''))
    const bytes = new Uint8Array(input)
    decoder.feed(bytes, 0, bytes.length)
    engine.beginBatch()
    for (let ran = 0; ; ran++) {
      if (looksAhead && ran % 16 === 0) engine.lookAhead(session, decoder)
      if (!decoder.next(request)) break
      engine.execute(session, request, writer)
    }
    engine.endBatch()
    decoder.retain()
    return writer.take().toString('latin1')
  }
}

describe('commands of a pipeline that come next', () => {
  const names = Array.from({ length: 12 }, (_, i) => String(i * 397))

  it('have their keys looked up together', () => {
    const harness = filled()
    const { keyspace } = harness.engine
    const db = keyspace.database(0)
    const pipeline = new Pipeline(harness)
    const input = Buffer.from(['none', ...names].map((name) => encode(['GET', `key:${name}`])).join(''))
    pipeline.decoder.feed(new Uint8Array(input), 0, input.length)
    harness.engine.lookAhead(harness.session, pipeline.decoder)
    const found = [...keyspace.ahead.lookups.refs.subarray(0, 13)]
    expect(found[0]).toBe(0)
    expect(found.slice(1)).toEqual(names.map((name) => db.lookup(Buffer.from(`key:${name}`), 0, 4 + name.length)))
    expect(new Set(found).size).toBe(13)
  })

  it.each([
    ['SISMEMBER', (element: string) => ['SISMEMBER', 'set', `member:${element}`]],
    ['SADD', (element: string) => ['SADD', 'set', `member:${element}`]],
    ['HGET', (element: string) => ['HGET', 'hash', `field:${element}`]],
    ['HSET', (element: string) => ['HSET', 'hash', `field:${element}`, 'other']],
    ['ZSCORE', (element: string) => ['ZSCORE', 'zset', `member:${element}`]],
    ['ZADD', (element: string) => ['ZADD', 'zset', '7', `member:${element}`]],
    ['ZINCRBY', (element: string) => ['ZINCRBY', 'zset', '7', `member:${element}`]],
  ])('have their elements looked up together: %s', (name, command) => {
    const harness = filled()
    const { arena } = harness.engine.keyspace.database(0)
    const pipeline = new Pipeline(harness)
    // The last two commands were about this key.
    pipeline.run([command('1'), command('2')])
    const input = Buffer.from(names.map((element) => encode(command(element))).join(''))
    pipeline.decoder.feed(new Uint8Array(input), 0, input.length)
    harness.engine.lookAhead(harness.session, pipeline.decoder)
    const elements = [...harness.engine.keyspace.ahead.lookups.refs.subarray(0, names.length)].map((ref) => {
      const bytes = arena.u8[ref >>> 19]
      const at = (ref & (2 ** 19 - 1)) * 8 + 24
      const length = arena.u32[ref >>> 19][((ref & (2 ** 19 - 1)) << 1) + 2]
      return Buffer.from(bytes.subarray(at, at + length)).toString()
    })
    expect(elements).toEqual(names.map((element) => (name.startsWith('H') ? `field:${element}` : `member:${element}`)))
  })

  it('are not looked at while they are only queued', () => {
    const harness = filled()
    const { lookups } = harness.engine.keyspace.ahead
    const pipeline = new Pipeline(harness)
    harness.run('MULTI')
    lookups.count = 0
    const input = Buffer.from(names.map((name) => encode(['GET', `key:${name}`])).join(''))
    pipeline.decoder.feed(new Uint8Array(input), 0, input.length)
    harness.engine.lookAhead(harness.session, pipeline.decoder)
    expect(lookups.count).toBe(0)
  })

  it('are not looked at for a list, where there is nothing to look up', () => {
    const harness = filled()
    const pipeline = new Pipeline(harness)
    pipeline.run([
      ['LPUSH', 'list', 'a'],
      ['LPUSH', 'list', 'b'],
    ])
    harness.engine.beginBatch()
    const input = Buffer.from(encode(['LPUSH', 'list', 'c']).repeat(5))
    pipeline.decoder.feed(new Uint8Array(input), 0, input.length)
    harness.engine.lookAhead(harness.session, pipeline.decoder)
    expect(harness.engine.keyspace.ahead.args.count).toBe(0)
  })

  it('answer as without', () => {
    const harness = filled()
    const other = filled()
    const commands: string[][] = []
    const random = (n: number, salt: number): number => ((commands.length * 7919 + salt * 104729) >>> 3) % n
    while (commands.length < 4000) {
      const key = `key:${random(6000, 1)}`
      const member = `member:${random(6000, 2)}`
      const field = `field:${random(6000, 3)}`
      const kinds = [
        ['GET', key],
        ['SET', key, 'x'.repeat(random(200, 4))],
        ['INCR', `counter:${random(50, 5)}`],
        ['DEL', key, `key:${random(6000, 6)}`],
        ['SADD', 'set', member],
        ['SREM', 'set', member],
        ['HSET', 'hash', field, key],
        ['HDEL', 'hash', field],
        ['ZINCRBY', 'zset', '3', member],
        ['ZREM', 'zset', member],
        ['RENAME', key, `key:${random(6000, 7)}`],
        ['SELECT', String(random(2, 8))],
        ['PING'],
        ['NONSENSE', key],
        ['MSET', key, '1', `key:${random(6000, 9)}`, '2', 'a', '3', 'b', '4', 'c', '5'],
        ['APPEND', key, 'y'],
        ['DEL', 'set'],
        ['FLUSHDB'],
      ]
      // Several of one kind in a row, as pipelines are; what takes everything away is rare.
      const kind = random(400, 10) === 0 ? kinds.length - 1 - random(2, 11) : ((commands.length / 24) | 0) % (kinds.length - 2)
      commands.push(kinds[kind])
    }
    const ahead = new Pipeline(harness)
    const plain = new Pipeline(other)
    for (let from = 0; from < commands.length; from += 40) {
      const part = commands.slice(from, from + 40)
      expect(ahead.run(part)).toBe(plain.run(part, false))
    }
    for (const database of [0, 1]) {
      harness.run('SELECT', String(database))
      other.run('SELECT', String(database))
      expect(harness.run('DBSIZE')).toEqual(other.run('DBSIZE'))
    }
  })
})
