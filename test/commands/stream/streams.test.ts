import { describe, expect, it } from 'vitest'
import { Engine } from '../../../src/engine/engine.js'
import { ReplyWriter } from '../../../src/resp/reply-writer.js'
import { Request } from '../../../src/resp/request.js'
import { EngineHarness } from '../../support/engine-harness.js'

const message = (text: string) => expect.objectContaining({ message: expect.stringContaining(text) as string }) as unknown
const ids = (reply: unknown): unknown => (Array.isArray(reply) ? (reply as [string, unknown][]).map(([id]) => id) : reply)

/** How many entries group `g` has pending, the first and the last. */
const pending = (member: EngineHarness) => (member.run('XPENDING', 's', 'g') as unknown[]).slice(0, 3)

/** A stream `s` of so many entries 1-0, 2-0, …, of which group `g` has read some. */
function filled(entries: number, read = 0): EngineHarness {
  const member = new EngineHarness()
  for (let i = 1; i <= entries; i++) member.run('XADD', 's', `${i}-0`, 'f', String(i))
  if (read > 0) {
    member.run('XGROUP', 'CREATE', 's', 'g', '0')
    member.run('XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', String(read), 'STREAMS', 's', '>')
  }
  return member
}

describe('XADD', () => {
  it('numbers as Redis does when there is one member', () => {
    const member = new EngineHarness()
    const now = member.clock.now
    expect(member.run('XADD', 's', '*', 'f', 'v')).toBe(`${now}-0`)
    expect(member.run('XADD', 's', '*', 'f', 'v')).toBe(`${now}-1`)
    expect(member.run('XADD', 's', `${now + 1}`, 'f', 'v')).toBe(`${now + 1}-0`)
    expect(member.run('XADD', 's', `${now + 1}-*`, 'f', 'v')).toBe(`${now + 1}-1`)
    expect(member.run('XADD', 's', '0-0', 'f', 'v')).toEqual(message('must be greater than 0-0'))
    expect(member.run('XADD', 's', '1-1', 'f', 'v')).toEqual(message('equal or smaller'))
    expect(member.run('XADD', 's', '1-1', 'f')).toEqual(message('wrong number of arguments'))
    expect(member.run('XADD', 'none', 'NOMKSTREAM', '*', 'f', 'v')).toBeNull()
  })

  it('goes to the last ID that there is', () => {
    const member = new EngineHarness()
    const last = '18446744073709551615-18446744073709551615'
    expect(member.run('XADD', 's', last, 'f', 'v')).toBe(last)
    expect(member.run('XADD', 's', '*', 'f', 'v')).toEqual(message('exhausted the last possible ID'))
    expect(member.run('XRANGE', 's', '-', '+')).toEqual([[last, ['f', 'v']]])
  })

  it('trims whole chunks with ~, exactly without', () => {
    const member = filled(250)
    expect(member.run('XADD', 's', 'MAXLEN', '~', '120', '251-0', 'f', 'v')).toBe('251-0')
    expect(member.run('XLEN', 's')).toBe(151)
    expect(member.run('XADD', 's', 'MAXLEN', '120', '252-0', 'f', 'v')).toBe('252-0')
    expect(member.run('XLEN', 's')).toBe(120)
    expect(member.run('XTRIM', 's', 'MINID', '200-0')).toBe(67)
    expect(ids(member.run('XRANGE', 's', '-', '+', 'COUNT', '1'))).toEqual(['200-0'])
    // The first chunk has one entry left, the next more than the limit.
    expect(member.run('XTRIM', 's', 'MAXLEN', '~', '0', 'LIMIT', '1')).toBe(1)
    expect(member.run('XTRIM', 's', 'MAXLEN', '~', '0', 'LIMIT', '1')).toBe(0)
  })
})

describe('entries that groups refer to', () => {
  it('are deleted by XDELEX as its option says', () => {
    const member = filled(4, 2)
    expect(member.run('XDELEX', 's', 'ACKED', 'IDS', '3', '1-0', '3-0', '9-0')).toEqual([2, 2, -1])
    member.run('XACK', 's', 'g', '1-0')
    expect(member.run('XDELEX', 's', 'ACKED', 'IDS', '1', '1-0')).toEqual([1])
    expect(member.run('XDELEX', 's', 'IDS', '1', '2-0')).toEqual([1])
    expect(pending(member)).toEqual([1, '2-0', '2-0'])
    member.run('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 's', '>')
    expect(member.run('XDELEX', 's', 'DELREF', 'IDS', '1', '3-0')).toEqual([1])
    expect(pending(member)).toEqual([2, '2-0', '4-0'])
    expect(member.run('XDELEX', 'none', 'IDS', '1', '1-0')).toEqual([-1])
    expect(member.run('XDELEX', 's', 'IDS', '0', '1-0')).toEqual(message('positive integer'))
    expect(member.run('XDELEX', 's', 'IDS', '2', '1-0')).toEqual(message('numids'))
    expect(member.run('XDELEX', 's', 'IDS', '1', '1-0', '2-0')).toEqual(message('syntax error'))
    expect(member.run('XDELEX', 's', 'KEEPREF', 'DELREF', 'IDS', '1', '1-0')).toEqual(message('syntax error'))
    expect(member.run('XDELEX', 's', 'IDS', '1', 'x')).toEqual(message('Invalid stream ID'))
  })

  it('are acknowledged and deleted by XACKDEL', () => {
    const member = filled(3, 3)
    member.run('XGROUP', 'CREATE', 's', 'h', '0')
    expect(member.run('XACKDEL', 's', 'g', 'ACKED', 'IDS', '1', '1-0')).toEqual([2])
    expect(member.run('XACKDEL', 's', 'g', 'IDS', '2', '2-0', '9-0')).toEqual([1, -1])
    expect(member.run('XACKDEL', 's', 'g', 'IDS', '1', '1-0')).toEqual([-1])
    expect(member.run('XACKDEL', 's', 'none', 'IDS', '1', '3-0')).toEqual([-1])
    expect(ids(member.run('XRANGE', 's', '-', '+'))).toEqual(['1-0', '3-0'])
    expect(pending(member)).toEqual([1, '3-0', '3-0'])
  })

  it('stay through a trim with ACKED, and leave nothing pending with DELREF', () => {
    const member = filled(5, 3)
    member.run('XACK', 's', 'g', '2-0')
    expect(member.run('XTRIM', 's', 'MAXLEN', '0', 'ACKED')).toBe(1)
    expect(ids(member.run('XRANGE', 's', '-', '+'))).toEqual(['1-0', '3-0', '4-0', '5-0'])
    expect(member.run('XINFO', 'STREAM', 's')).toEqual(expect.arrayContaining(['max-deleted-entry-id', '0-0']))
    expect(member.run('XADD', 's', 'DELREF', 'MAXLEN', '2', '6-0', 'f', 'v')).toBe('6-0')
    expect(ids(member.run('XRANGE', 's', '-', '+'))).toEqual(['5-0', '6-0'])
    expect(pending(member)).toEqual([0, null, null])
  })
})

describe('readers that wait', () => {
  it('get what comes after the last ID of when they began', () => {
    const member = filled(2)
    const waiting = member.newSession()
    expect(member.raw(['XREAD', 'BLOCK', '0', 'STREAMS', 's', '$'], waiting)).toBe('')
    member.run('XADD', 's', '3-0', 'f', '3')
    expect(waiting.blocked).toBeNull()
    expect(ids((member.run('XREAD', 'STREAMS', 's', '+') as [[string, unknown]])[0][1])).toEqual(['3-0'])
  })

  it('of a group are told when it is destroyed', () => {
    const member = filled(1, 1)
    const waiting = member.newSession()
    expect(member.raw(['XREADGROUP', 'GROUP', 'g', 'd', 'BLOCK', '0', 'STREAMS', 's', '>'], waiting)).toBe('')
    expect(waiting.blocked).not.toBeNull()
    member.run('XGROUP', 'DESTROY', 's', 'g')
    expect(waiting.blocked).toBeNull()
  })
})

describe('a log that is read again', () => {
  it('brings back consumers and what they have pending', () => {
    const member = filled(5, 4)
    member.run('XCLAIM', 's', 'g', 'd', '0', '2-0', 'RETRYCOUNT', '7')
    member.run('XACK', 's', 'g', '3-0')
    member.run('XGROUP', 'CREATECONSUMER', 's', 'g', 'idle')
    const { clock, services, log } = member
    const engine = new Engine({ self: services.replication.memberId, databases: 16, solo: true, hashSeed: 5 }, clock, services)
    for (const frame of log.frames) engine.replay.recover(frame)
    engine.start(log)
    for (const command of [
      ['XPENDING', 's', 'g', '-', '+', '10'],
      ['XINFO', 'STREAM', 's', 'FULL'],
      ['XRANGE', 's', '-', '+'],
    ]) {
      const reply = new ReplyWriter()
      engine.beginBatch()
      engine.execute(member.newSession(), Request.of(command), reply)
      engine.endTurn()
      expect(reply.take().toString('latin1')).toEqual(member.raw(command))
    }
  })
})
