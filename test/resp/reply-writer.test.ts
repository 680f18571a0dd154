import fc from 'fast-check'
import RedisParser from 'redis-parser'
import { describe, expect, it } from 'vitest'
import { ReplyWriter } from '../../src/resp/reply-writer.js'

function written(protocol: 2 | 3, write: (reply: ReplyWriter) => void): string {
  const reply = new ReplyWriter()
  reply.protocol = protocol
  write(reply)
  return reply.take().toString('utf8')
}

/** The replies as a client library sees them (RESP2). */
function parsed(write: (reply: ReplyWriter) => void): unknown[] {
  const replies: unknown[] = []
  const parser = new RedisParser({
    returnReply: (reply: unknown) => void replies.push(reply),
    returnError: (error: Error) => void replies.push(error),
  })
  parser.execute(Buffer.from(written(2, write), 'utf8'))
  return replies
}

describe('types', () => {
  const cases: [string, (reply: ReplyWriter) => void, string, string][] = [
    ['ok', (r) => r.ok(), '+OK\r\n', '+OK\r\n'],
    ['simple string', (r) => r.simpleString('PONG'), '+PONG\r\n', '+PONG\r\n'],
    ['error', (r) => r.error('ERR no\r\nsuch'), '-ERR no  such\r\n', '-ERR no  such\r\n'],
    ['integer', (r) => r.integer(-42), ':-42\r\n', ':-42\r\n'],
    ['64-bit integer', (r) => r.bigInteger(-(2n ** 63n)), ':-9223372036854775808\r\n', ':-9223372036854775808\r\n'],
    ['bulk', (r) => r.bulkString('héllo'), '$6\r\nhéllo\r\n', '$6\r\nhéllo\r\n'],
    ['empty bulk', (r) => r.bulkString(''), '$0\r\n\r\n', '$0\r\n\r\n'],
    ['null', (r) => r.null(), '$-1\r\n', '_\r\n'],
    ['null array', (r) => r.nullArray(), '*-1\r\n', '_\r\n'],
    ['array', (r) => r.array(12), '*12\r\n', '*12\r\n'],
    ['map', (r) => r.map(2), '*4\r\n', '%2\r\n'],
    ['set', (r) => r.set(3), '*3\r\n', '~3\r\n'],
    ['push', (r) => r.push(3), '*3\r\n', '>3\r\n'],
    ['true', (r) => r.boolean(true), ':1\r\n', '#t\r\n'],
    ['false', (r) => r.boolean(false), ':0\r\n', '#f\r\n'],
    ['double', (r) => r.double('3.14'), '$4\r\n3.14\r\n', ',3.14\r\n'],
    ['infinity', (r) => r.double('inf'), '$3\r\ninf\r\n', ',inf\r\n'],
    [
      'big number',
      (r) => r.bigNumber('1234567999999999999999999999999999999'),
      '$37\r\n1234567999999999999999999999999999999\r\n',
      '(1234567999999999999999999999999999999\r\n',
    ],
    ['verbatim', (r) => r.verbatim('txt', 'Some ä'), '$7\r\nSome ä\r\n', '=11\r\ntxt:Some ä\r\n'],
  ]
  it.each(cases)('%s', (_, write, resp2, resp3) => {
    expect(written(2, write)).toBe(resp2)
    expect(written(3, write)).toBe(resp3)
  })

  it('nest as a client library reads them', () => {
    const replies = parsed((r) => {
      r.array(4)
      r.bulkString('a')
      r.map(1)
      r.bulkString('field')
      r.double('1.5')
      r.null()
      r.boolean(true)
      r.error('WRONGTYPE no')
      r.nullArray()
      r.set(0)
    })
    expect(replies[0]).toEqual(['a', ['field', '1.5'], null, 1])
    expect((replies[1] as Error).message).toBe('WRONGTYPE no')
    expect(replies.slice(2)).toEqual([null, []])
  })
})

describe('numbers and texts', () => {
  it('integers of every length', () => {
    fc.assert(
      fc.property(fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -20, max: 20 })), (value) => {
        const decimal = String(value === 0 ? 0 : value)
        expect(written(2, (r) => r.integer(value))).toBe(`:${decimal}\r\n`)
        expect(written(2, (r) => r.bulkInteger(value))).toBe(`$${decimal.length}\r\n${decimal}\r\n`)
      }),
    )
    for (const value of [0, 9, 10, 999_999_999, 1_000_000_000, -999_999_999, -99_999_999, Number.MAX_SAFE_INTEGER]) {
      expect(parsed((r) => r.bulkInteger(value))).toEqual([String(value)])
    }
  })

  it('texts of any length and script', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200, unit: 'grapheme' }), fc.string({ maxLength: 300 }), (any, ascii) => {
        expect(parsed((r) => (r.bulkString(any), r.bulkString(ascii)))).toEqual([any, ascii])
      }),
    )
  })

  it('bytes unchanged, short and long', () => {
    for (const length of [0, 1, 95, 96, 97, 5000, 200_000]) {
      const bytes = Buffer.from(Array.from({ length }, (_, i) => i & 255))
      const reply = new ReplyWriter()
      reply.bulk(Buffer.concat([Buffer.from('xy'), bytes]), 2, length)
      const header = `$${length}\r\n`
      expect(reply.take().equals(Buffer.concat([Buffer.from(header), bytes, Buffer.from('\r\n')]))).toBe(true)
    }
  })
})

describe('the buffer', () => {
  it('grows with what is written and lets a huge one go', () => {
    const reply = new ReplyWriter()
    const usual = reply.buf.length
    reply.bulkBytes(new Uint8Array(6 * 1024 * 1024))
    expect(reply.length).toBe(6 * 1024 * 1024 + 12)
    reply.reset()
    expect(reply.length).toBe(0)
    expect(reply.buf.length).toBe(usual)
  })

  it('forgets a reply that is truncated', () => {
    const reply = new ReplyWriter()
    reply.ok()
    const before = reply.length
    reply.array(3)
    reply.truncate(before)
    reply.error('ERR changed my mind')
    expect(reply.take().toString()).toBe('+OK\r\n-ERR changed my mind\r\n')
  })

  it('is left alone once surrendered', () => {
    const reply = new ReplyWriter()
    reply.ok()
    const leaving = reply.range(0, reply.length)
    reply.surrender()
    reply.simpleString('XYZ')
    expect(Buffer.from(leaving).toString('latin1')).toBe('+OK\r\n')
  })

  it('finds its views again where replies are as long as before', () => {
    const reply = new ReplyWriter()
    // Fifty clients that got sixteen replies each.
    for (const length of [64, 80, 160, 304]) {
      const turn = () => {
        reply.reset()
        return Array.from({ length: 50 }, () => {
          const start = reply.length
          reply.raw(new Uint8Array(length))
          return reply.range(start, reply.length)
        })
      }
      const before = turn()
      expect(turn().filter((view, i) => view === before[i])).toHaveLength(50)
    }
  })
})
