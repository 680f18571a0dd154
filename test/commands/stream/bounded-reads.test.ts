import { describe, expect, it } from 'vitest'
import { EngineHarness } from '../../support/engine-harness.js'
import { SLICING } from '../../support/sliced-engine.js'
import { ReceivingSession, TickingClock } from '../../support/ticking-clock.js'
import { SeededRandom } from '../../simulation/random.js'

const message = (text: string) => expect.objectContaining({ message: text }) as unknown
const STREAMS = ['s1', 's2', 's3']
const BEHIND_NOTHING = ['STREAMS', ...STREAMS, '0', '0', '0']
const NEW = ['STREAMS', ...STREAMS, '>', '>', '>']

/** Streams s1, s2 and s3 of so many entries 1-0, 2-0, … each, with group `g`. */
function filled(entries: number, member = new EngineHarness()): EngineHarness {
  for (const key of STREAMS) {
    for (let i = 1; i <= entries; i++) member.run('XADD', key, `${i}-0`, 'f', 'x'.repeat(i % 7))
    member.run('XGROUP', 'CREATE', key, 'g', '0')
  }
  return member
}

/** What a read gives: the keys, each with its IDs. */
function given(reply: unknown): unknown {
  if (!Array.isArray(reply)) return reply
  return (reply as [string, [string][]][]).map(([key, entries]) => [key, entries.map(([id]) => id)])
}

describe('XREAD MAXCOUNT', () => {
  it('bounds the entries of all streams together, in the order of the keys', () => {
    const member = filled(3)
    expect(given(member.run('XREAD', 'COUNT', '2', 'MAXCOUNT', '3', ...BEHIND_NOTHING))).toEqual([
      ['s1', ['1-0', '2-0']],
      ['s2', ['1-0']],
    ])
    expect(given(member.run('XREAD', 'MAXCOUNT', '3', ...BEHIND_NOTHING))).toEqual([['s1', ['1-0', '2-0', '3-0']]])
    expect(given(member.run('XREAD', 'MAXCOUNT', '4', 'STREAMS', 's2', 's1', '3', '1'))).toEqual([['s1', ['2-0', '3-0']]])
    expect(member.run('XREAD', 'MAXCOUNT', '1', 'STREAMS', 's1', '3-0')).toBeNull()
  })

  it('is a number of at least COUNT', () => {
    const member = filled(1)
    for (const text of ['0', '-1']) {
      expect(member.run('XREAD', 'MAXCOUNT', text, ...BEHIND_NOTHING)).toEqual(message('ERR MAXCOUNT must be a positive integer'))
      expect(member.run('XREAD', 'MAXSIZE', text, ...BEHIND_NOTHING)).toEqual(message('ERR MAXSIZE must be a positive integer'))
    }
    expect(member.run('XREAD', 'MAXSIZE', 'x', ...BEHIND_NOTHING)).toEqual(message('ERR value is not an integer or out of range'))
    expect(member.run('XREAD', 'MAXCOUNT', '2', 'COUNT', '3', ...BEHIND_NOTHING)).toEqual(
      message('ERR MAXCOUNT must be greater than or equal to COUNT'),
    )
    expect(member.run('XREAD', 'MAXCOUNT')).toEqual(message("ERR wrong number of arguments for 'xread' command"))
    expect(member.run('XREAD', 'STREAMS', 's1', '0', 'MAXCOUNT')).toEqual(
      message("ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' must be specified."),
    )
  })
})

describe('XREAD MAXSIZE', () => {
  it('is not exceeded by the reply, unless by its first entry', () => {
    const member = filled(20)
    for (let maxSize = 1; maxSize < 2500; maxSize += 13) {
      const bytes = member.raw(['XREAD', 'MAXSIZE', String(maxSize), ...BEHIND_NOTHING]).length
      const entries = member.run('XREAD', 'MAXSIZE', String(maxSize), ...BEHIND_NOTHING) as [string, unknown[]][]
      const count = entries.reduce((sum, [, of]) => sum + of.length, 0)
      // A number of entries of two digits takes a byte more than is reckoned.
      if (count > 1) expect(bytes).toBeLessThanOrEqual(maxSize + STREAMS.length)
      const more = member.raw(['XREAD', 'MAXCOUNT', String(count + 1), ...BEHIND_NOTHING]).length
      if (more > bytes) expect(more).toBeGreaterThan(maxSize)
      expect(count).toBeGreaterThan(0)
    }
  })
})

describe('XREADGROUP within bounds', () => {
  it('makes pending what it gives and nothing else', () => {
    const member = filled(3)
    const read = ['XREADGROUP', 'GROUP', 'g', 'c']
    expect(given(member.run(...read, 'MAXCOUNT', '4', ...NEW))).toEqual([
      ['s1', ['1-0', '2-0', '3-0']],
      ['s2', ['1-0']],
    ])
    expect(STREAMS.map((key) => (member.run('XPENDING', key, 'g') as unknown[])[0])).toEqual([3, 1, 0])
    expect(given(member.run(...read, 'MAXSIZE', '1', ...NEW))).toEqual([['s2', ['2-0']]])
    expect(given(member.run(...read, 'NOACK', 'MAXCOUNT', '2', ...NEW))).toEqual([
      ['s2', ['3-0']],
      ['s3', ['1-0']],
    ])
    expect(STREAMS.map((key) => (member.run('XPENDING', key, 'g') as unknown[])[0])).toEqual([3, 2, 0])
  })

  it('bounds what has been pending for long enough and what is new together', () => {
    const member = filled(3)
    member.run('XREADGROUP', 'GROUP', 'g', 'a', 'COUNT', '2', ...NEW)
    member.clock.advance(10)
    const claim = ['XREADGROUP', 'GROUP', 'g', 'b', 'CLAIM', '5', 'MAXCOUNT', '5', ...NEW]
    expect(given(member.run(...claim))).toEqual([
      ['s1', ['1-0', '2-0', '3-0']],
      ['s2', ['1-0', '2-0']],
    ])
    expect(given(member.run(...claim))).toEqual([
      ['s2', ['3-0']],
      ['s3', ['1-0', '2-0', '3-0']],
    ])
  })

  it('bounds what a consumer has pending, of which there may be nothing', () => {
    const member = filled(2)
    const read = ['XREADGROUP', 'GROUP', 'g', 'c']
    member.run(...read, 'STREAMS', 's2', 's3', '>', '>')
    member.run('XDEL', 's2', '1-0')
    expect(member.run(...read, 'MAXCOUNT', '3', ...BEHIND_NOTHING)).toEqual([
      ['s1', []],
      [
        's2',
        [
          ['1-0', null],
          ['2-0', ['f', 'xx']],
        ],
      ],
      ['s3', [['1-0', ['f', 'x']]]],
    ])
    expect(given(member.run(...read, 'MAXCOUNT', '2', ...BEHIND_NOTHING))).toEqual([
      ['s1', []],
      ['s2', ['1-0', '2-0']],
    ])
  })

  it('gives a key that is named more than once each entry once', () => {
    const member = filled(3)
    const read = ['XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '1', 'MAXCOUNT', '2', 'STREAMS', 's1', 's1', 's1', '>', '>', '>']
    expect(given(member.run(...read))).toEqual([
      ['s1', ['1-0']],
      ['s1', ['2-0']],
    ])
    expect(given(member.run(...read))).toEqual([['s1', ['3-0']]])
  })

  it('tells keys apart that are no text', () => {
    const member = new EngineHarness()
    const keys = [Uint8Array.of(0xff), Uint8Array.of(0xfe)]
    for (const key of keys) {
      for (const id of ['1-0', '2-0']) member.run('XADD', key, id, 'f', 'x')
      member.run('XGROUP', 'CREATE', key, 'g', '0')
    }
    expect(given(member.run('XREADGROUP', 'GROUP', 'g', 'c', 'MAXCOUNT', '9', 'STREAMS', ...keys, '>', '>'))).toEqual([
      ['\xff', ['1-0', '2-0']],
      ['\xfe', ['1-0', '2-0']],
    ])
  })
})

describe('bounded reads in slices', () => {
  it.each([1, 2])('give what they give in one go (seed %i)', (seed) => {
    const random = new SeededRandom(seed)
    const below = (bound: number): number => random.uint32() % bound
    const whole = filled(120)
    const clock = new TickingClock()
    const slicing = { ...SLICING, readElements: 20, writeElements: 20, frameBytes: Infinity }
    const sliced = filled(120, new EngineHarness({ slicing }, clock))
    const client = new ReceivingSession(100)
    const inSlices = (command: string[]): string => {
      client.received = ''
      const reply = sliced.raw(command, client)
      while (client.blocked !== null) clock.turn()
      return reply + client.received
    }
    for (let step = 0; step < 60; step++) {
      const bounds: string[] = []
      const maxCount = 1 + below(200)
      if (below(2) === 0) bounds.push('MAXCOUNT', String(maxCount))
      if (below(2) === 0) bounds.push('MAXSIZE', String(1 + below(6000)))
      if (below(3) === 0) bounds.push('COUNT', String(1 + below(maxCount)))
      const from = STREAMS.map(() => String(below(120)))
      const consumer = `c${below(2)}`
      const group = ['XREADGROUP', 'GROUP', 'g', consumer, ...bounds]
      const command = [
        ['XREAD', ...bounds, 'STREAMS', ...STREAMS, ...from],
        [...group, 'STREAMS', ...STREAMS, ...from],
        [...group, ...NEW],
      ][below(3)]
      expect(inSlices(command)).toBe(whole.raw(command))
    }
    for (const key of STREAMS) {
      const look = ['XPENDING', key, 'g', '-', '+', '1000']
      expect(inSlices(look)).toBe(whole.raw(look))
    }
  })
})
