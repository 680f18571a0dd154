import { describe, expect, it } from 'vitest'
import { EngineHarness } from '../../support/engine-harness.js'

const message = (text: string) => expect.objectContaining({ message: expect.stringContaining(text) as string }) as unknown

/** A stream `s` of entries 1-0 … n-0, of which consumer `a` of group `g` has the first `read` pending. */
function filled(entries: number, read: number): EngineHarness {
  const member = new EngineHarness()
  for (let i = 1; i <= entries; i++) member.run('XADD', 's', `${i}-0`, 'f', String(i))
  member.run('XGROUP', 'CREATE', 's', 'g', '0')
  if (read > 0) member.run('XREADGROUP', 'GROUP', 'g', 'a', 'COUNT', String(read), 'STREAMS', 's', '>')
  return member
}

/** What consumer `b` gets: for each entry its ID, how long ago and how often it was delivered. */
function claim(member: EngineHarness, minIdle: number, ...options: string[]): unknown {
  const reply = member.run('XREADGROUP', 'GROUP', 'g', 'b', 'CLAIM', String(minIdle), ...options, 'STREAMS', 's', '>')
  if (!Array.isArray(reply)) return reply
  const [[, entries]] = reply as [[string, [string, unknown, number, number][]]]
  return entries.map(([id, , idle, deliveries]) => [id, idle, deliveries])
}

/** ID, consumer and deliveries of all that is pending. */
function pending(member: EngineHarness): unknown {
  const reply = member.run('XPENDING', 's', 'g', '-', '+', '100') as [string, string, number, number][]
  return reply.map(([id, consumer, , deliveries]) => `${id} ${consumer} ${deliveries}`)
}

describe('XREADGROUP CLAIM', () => {
  it('gives what is pending for long enough, then what is new', () => {
    const member = filled(4, 2)
    member.clock.advance(100)
    expect(claim(member, 50)).toEqual([
      ['1-0', 100, 1],
      ['2-0', 100, 1],
      ['3-0', 0, 0],
      ['4-0', 0, 0],
    ])
    expect(pending(member)).toEqual(['1-0 b 2', '2-0 b 2', '3-0 b 1', '4-0 b 1'])
    expect(claim(member, 50)).toBeNull()
    member.clock.advance(50)
    expect(claim(member, 50, 'COUNT', '1')).toEqual([['1-0', 50, 2]])
  })

  it('gives four parts for each entry, in RESP3 too', () => {
    const member = filled(1, 1)
    member.clock.advance(10)
    expect(member.run('XREADGROUP', 'GROUP', 'g', 'b', 'CLAIM', '10', 'STREAMS', 's', '>')).toEqual([
      ['s', [['1-0', ['f', '1'], 10, 1]]],
    ])
    member.session.protocol = 3
    expect(member.raw(['XREADGROUP', 'GROUP', 'g', 'b', 'CLAIM', '0', 'STREAMS', 's', '>'])).toBe(
      '%1\r\n$1\r\ns\r\n*1\r\n*4\r\n$3\r\n1-0\r\n*2\r\n$1\r\nf\r\n$1\r\n1\r\n:0\r\n:2\r\n',
    )
  })

  it('shares COUNT between both, and begins with what has been idle the longest', () => {
    const member = filled(4, 3)
    member.run('XCLAIM', 's', 'g', 'a', '0', '2-0', 'IDLE', '5000', 'JUSTID')
    member.run('XCLAIM', 's', 'g', 'a', '0', '3-0', 'IDLE', '9000', 'JUSTID')
    member.clock.advance(100)
    expect(claim(member, 100, 'COUNT', '2')).toEqual([
      ['3-0', 9100, 1],
      ['2-0', 5100, 1],
    ])
    expect(claim(member, 100, 'COUNT', '2')).toEqual([
      ['1-0', 100, 1],
      ['4-0', 0, 0],
    ])
  })

  it('leaves what it claims pending under NOACK', () => {
    const member = filled(2, 1)
    member.clock.advance(100)
    expect(claim(member, 50, 'NOACK')).toEqual([
      ['1-0', 100, 1],
      ['2-0', 0, 0],
    ])
    expect(pending(member)).toEqual(['1-0 b 2'])
  })

  it('drops what has gone from the stream', () => {
    const member = filled(3, 3)
    member.run('XDEL', 's', '1-0', '3-0')
    member.clock.advance(100)
    expect(claim(member, 50)).toEqual([['2-0', 100, 1]])
    expect(pending(member)).toEqual(['2-0 b 2'])
    member.run('XDEL', 's', '2-0')
    member.clock.advance(100)
    expect(claim(member, 50)).toBeNull()
    expect(pending(member)).toEqual([])
  })

  it('is for new entries only: a history has its usual form', () => {
    const member = filled(2, 2)
    expect(member.run('XREADGROUP', 'GROUP', 'g', 'a', 'CLAIM', '0', 'COUNT', '1', 'STREAMS', 's', '0')).toEqual([
      ['s', [['1-0', ['f', '1']]]],
    ])
  })

  it('wakes a reader that waits as soon as something has been pending for long enough', () => {
    const member = filled(2, 2)
    member.run('XDEL', 's', '1-0')
    const waiting = member.newSession()
    const read = ['XREADGROUP', 'GROUP', 'g', 'b', 'BLOCK', '0', 'CLAIM', '500', 'STREAMS', 's', '>']
    expect(member.raw(read, waiting)).toBe('')
    member.clock.advance(499)
    expect(waiting.blocked).not.toBeNull()
    // Delivered once more, it has to wait again.
    member.run('XREADGROUP', 'GROUP', 'g', 'a', 'STREAMS', 's', '1')
    member.clock.advance(499)
    expect(waiting.blocked).not.toBeNull()
    member.clock.advance(1)
    expect(waiting.blocked).toBeNull()
    expect(pending(member)).toEqual(['2-0 b 3'])
  })

  it('wakes one that waits for what others are given later', () => {
    const member = filled(0, 0)
    member.run('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
    const [first, second] = [member.newSession(), member.newSession()]
    for (const [session, consumer] of [[first, 'a'] as const, [second, 'b'] as const]) {
      member.raw(['XREADGROUP', 'GROUP', 'g', consumer, 'BLOCK', '0', 'CLAIM', '100', 'STREAMS', 's', '>'], session)
    }
    member.run('XADD', 's', '1-0', 'f', '1')
    expect([first.blocked === null, second.blocked === null]).toEqual([true, false])
    member.clock.advance(100)
    expect(second.blocked).toBeNull()
    expect(pending(member)).toEqual(['1-0 b 2'])
  })

  it('wakes a reader that waits as soon as something is given back', () => {
    const member = filled(1, 1)
    const waiting = member.newSession()
    member.raw(['XREADGROUP', 'GROUP', 'g', 'b', 'BLOCK', '0', 'CLAIM', '1000000', 'STREAMS', 's', '>'], waiting)
    expect(waiting.blocked).not.toBeNull()
    member.run('XNACK', 's', 'g', 'SILENT', 'IDS', '1', '1-0')
    expect(waiting.blocked).toBeNull()
    expect(pending(member)).toEqual(['1-0 b 1'])
  })

  it('refuses what is no idle time', () => {
    const member = filled(1, 0)
    for (const text of ['x', '5.5', '+10', '-0', '10e']) {
      const reply = member.run('XREADGROUP', 'GROUP', 'g', 'b', 'CLAIM', text, 'STREAMS', 's', '>')
      expect(reply).toEqual(message('ERR min-idle-time is not an integer'))
    }
    const negative = member.run('XREADGROUP', 'CLAIM', '-1', 'GROUP', 'g', 'b', 'STREAMS', 's', '>')
    expect(negative).toEqual(message('ERR min-idle-time must be a positive integer'))
    expect(member.run('XREAD', 'CLAIM', '1', 'STREAMS', 's', '0')).toEqual(
      message('ERR The CLAIM option is only supported by XREADGROUP. You called XREAD instead.'),
    )
    expect(claim(member, 9223372036854776000, 'COUNT', '1')).toEqual(message('min-idle-time is not an integer'))
    expect(member.run('XREADGROUP', 'GROUP', 'g', 'b', 'CLAIM', '9223372036854775807', 'STREAMS', 's', '>')).toEqual([
      ['s', [['1-0', ['f', '1'], 0, 0]]],
    ])
  })

  it('keeps the times of all that is pending in order, whatever becomes of it', () => {
    const member = filled(300, 100)
    let seed = 5
    const random = (below: number) => (seed = (seed * 48271) % 2147483647) % below
    claim(member, 1e9)
    /** IDs in the order in which they were given back last. */
    let released: string[] = []
    for (let round = 0; round < 400; round++) {
      const id = `${random(300) + 1}-0`
      member.clock.advance(random(20))
      const consumer = `c${random(4)}`
      switch (random(7)) {
        case 6: {
          const ids = [id, `${random(300) + 1}-0`].filter((each, i, both) => both.indexOf(each) === i)
          member.run('XNACK', 's', 'g', 'FAIL', 'IDS', String(ids.length), ...ids, ...(random(3) === 0 ? ['FORCE'] : []))
          released = [...released.filter((each) => !ids.includes(each)), ...ids]
          break
        }
        case 0:
          member.run('XACK', 's', 'g', id)
          break
        case 1:
          member.run('XCLAIM', 's', 'g', consumer, '0', id, 'FORCE', 'IDLE', String(random(1000)))
          break
        case 2:
          member.run('XREADGROUP', 'GROUP', 'g', consumer, 'COUNT', '2', 'STREAMS', 's', '0')
          break
        case 3:
          member.run('XREADGROUP', 'GROUP', 'g', consumer, 'COUNT', '3', 'STREAMS', 's', '>')
          break
        case 4:
          member.run('XGROUP', round % 10 === 0 ? 'DELCONSUMER' : 'CREATECONSUMER', 's', 'g', consumer)
          break
        default: {
          const all = member.run('XPENDING', 's', 'g', '-', '+', '1000') as [string, string, number, number][]
          const place = (key: string, idle: number): number => (idle < 0 ? released.indexOf(key) - 1e9 : -idle)
          const expected = all
            .map(([key, , idle, deliveries], i) => ({ key, idle, deliveries, i }))
            .filter(({ idle }) => idle >= 30 || idle < 0)
            .sort((a, b) => place(a.key, a.idle) - place(b.key, b.idle) || a.i - b.i)
            .slice(0, 4)
            .map(({ key, idle, deliveries }) => [key, idle < 0 ? member.clock.now : idle, deliveries])
          const given = (claim(member, 30, 'COUNT', '4') ?? []) as [string, number, number][]
          expect(given.filter(([, idle]) => idle > 0)).toEqual(expected)
        }
      }
    }
    member.run('XGROUP', 'DESTROY', 's', 'g')
  })
})
