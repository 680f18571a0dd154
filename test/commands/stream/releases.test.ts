import { describe, expect, it } from 'vitest'
import { readPayload, writePayload } from '../../../src/rdb/payload.js'
import { NEW_PAYLOADS } from '../../rdb/new-payloads.js'
import { EngineHarness } from '../../support/engine-harness.js'
import { emptyTwin, loadAll, writeAll } from '../../keyspace/state/state-rig.js'

const NEVER_AGAIN = 'for ever'
const message = (text: string) => expect.objectContaining({ message: expect.stringContaining(text) as string }) as unknown

/** A stream `s` of entries 1-0 … n-0, of which consumer `a` of group `g` has the first `read` pending. */
function filled(entries: number, read: number, member = new EngineHarness()): EngineHarness {
  for (let i = 1; i <= entries; i++) member.run('XADD', 's', `${i}-0`, 'f', String(i))
  member.run('XGROUP', 'CREATE', 's', 'g', '0')
  if (read > 0) member.run('XREADGROUP', 'GROUP', 'g', 'a', 'COUNT', String(read), 'STREAMS', 's', '>')
  return member
}

function release(member: EngineHarness, mode: string, ids: readonly string[], ...options: string[]): unknown {
  return member.run('XNACK', 's', 'g', mode, 'IDS', String(ids.length), ...ids, ...options)
}

type Pending = [string, string, number, number]

/** 2^63 - 1 is more than a number of the harness can say. */
const shown = (deliveries: number): number | string => (deliveries > 2 ** 62 ? NEVER_AGAIN : deliveries)

/** ID, consumer, idle time and deliveries of all that is pending. */
function pending(member: EngineHarness, key = 's'): string[] {
  const reply = member.run('XPENDING', key, 'g', '-', '+', '100') as Pending[]
  return reply.map(([id, consumer, idle, deliveries]) => `${id} ${consumer === '' ? '-' : consumer} ${idle} ${shown(deliveries)}`)
}

/** What a consumer gets by CLAIM: ID, and how long ago and how often it was delivered. */
function claim(member: EngineHarness, minIdle: number, ...options: string[]): unknown {
  const reply = member.run('XREADGROUP', 'GROUP', 'g', 'b', 'CLAIM', String(minIdle), ...options, 'STREAMS', 's', '>')
  if (!Array.isArray(reply)) return reply
  const [[, entries]] = reply as [[string, [string, unknown, number, number][]]]
  return entries.map(([id, , idle, deliveries]) => [id, idle, shown(deliveries)])
}

/** XINFO STREAM FULL of the only group. */
function described(member: EngineHarness, key = 's'): Record<string, unknown> {
  const full = member.run('XINFO', 'STREAM', key, 'FULL') as unknown[]
  const [group] = full[full.indexOf('groups') + 1] as unknown[][]
  return Object.fromEntries(Array.from({ length: group.length / 2 }, (_, i) => [String(group[2 * i]), group[2 * i + 1]] as const))
}

describe('XNACK', () => {
  it('leaves entries pending that nobody has, with deliveries by its mode', () => {
    const member = filled(4, 4)
    member.clock.advance(10)
    expect(release(member, 'silent', ['1-0'])).toBe(1)
    expect(release(member, 'FAIL', ['2-0', '9-0'])).toBe(1)
    expect(release(member, 'FATAL', ['3-0'])).toBe(1)
    expect(pending(member)).toEqual(['1-0 - -1 0', '2-0 - -1 1', `3-0 - -1 ${NEVER_AGAIN}`, '4-0 a 10 1'])
    expect(member.raw(['XPENDING', 's', 'g', '3-0', '3-0', '1'])).toContain(':-1\r\n:9223372036854775807\r\n')
    expect(release(member, 'SILENT', ['1-0', '3-0'])).toBe(2)
    expect(pending(member).slice(0, 3)).toEqual(['1-0 - -1 0', '2-0 - -1 1', `3-0 - -1 ${NEVER_AGAIN}`])
    expect(release(member, 'FATAL', ['1-0'], 'RETRYCOUNT', '7')).toBe(1)
    expect(pending(member)[0]).toBe('1-0 - -1 7')
    expect(release(member, 'FAIL', ['1-0'], 'RETRYCOUNT', '9223372036854775807')).toBe(1)
    expect(pending(member)[0]).toBe(`1-0 - -1 ${NEVER_AGAIN}`)
  })

  it('counts an ID as often as it is named', () => {
    const member = filled(1, 1)
    member.run('XCLAIM', 's', 'g', 'a', '0', '1-0', 'RETRYCOUNT', '5')
    expect(release(member, 'SILENT', ['1-0', '1-0', '1-0'])).toBe(3)
    expect(pending(member)).toEqual(['1-0 - -1 2'])
  })

  it('says so in XPENDING and XINFO', () => {
    const member = filled(3, 3)
    release(member, 'FAIL', ['2-0'])
    expect(member.run('XPENDING', 's', 'g')).toEqual([3, '1-0', '3-0', [['a', '2']]])
    expect(member.run('XPENDING', 's', 'g', '-', '+', '10', '')).toEqual([])
    expect(member.run('XPENDING', 's', 'g', 'IDLE', '1000', '-', '+', '10')).toEqual([['2-0', '', -1, 1]])
    expect(member.run('XREADGROUP', 'GROUP', 'g', 'a', 'STREAMS', 's', '0')).toEqual([
      [
        's',
        [
          ['1-0', ['f', '1']],
          ['3-0', ['f', '3']],
        ],
      ],
    ])
    const info = described(member)
    expect(info['pel-count']).toBe(3)
    expect(info['nacked-count']).toBe(1)
    expect((info.pending as unknown[])[1]).toEqual(['2-0', '', 0, 1])
    expect(info.consumers).toHaveLength(1)
    expect(member.run('XINFO', 'CONSUMERS', 's', 'g')).toHaveLength(1)
    release(member, 'FAIL', ['1-0', '3-0'])
    expect(member.run('XPENDING', 's', 'g')).toEqual([3, '1-0', '3-0', []])
  })

  it('gives what was released first to who claims first, before all that is idle', () => {
    const member = filled(6, 5)
    const { now } = member.clock
    release(member, 'FAIL', ['4-0'])
    release(member, 'FAIL', ['3-0', '1-0'])
    release(member, 'SILENT', ['2-0'])
    member.clock.advance(50)
    expect(claim(member, 100)).toEqual([
      ['4-0', now + 50, 1],
      ['3-0', now + 50, 1],
      ['1-0', now + 50, 1],
      ['2-0', now + 50, 0],
      ['6-0', 0, 0],
    ])
    expect(pending(member)).toEqual(['1-0 b 0 2', '2-0 b 0 1', '3-0 b 0 2', '4-0 b 0 2', '5-0 a 50 1', '6-0 b 0 1'])
    // The order by time is there now, and kept.
    release(member, 'FAIL', ['6-0', '2-0'])
    expect(claim(member, 50, 'COUNT', '3')).toEqual([
      ['6-0', now + 50, 1],
      ['2-0', now + 50, 1],
      ['5-0', 50, 1],
    ])
  })

  it('gives what it released to XCLAIM and XAUTOCLAIM, however long they ask for', () => {
    const member = filled(3, 3)
    release(member, 'FAIL', ['1-0', '3-0'])
    expect(member.run('XCLAIM', 's', 'g', 'b', '99999999999999', '1-0', '2-0', 'JUSTID')).toEqual(['1-0'])
    expect(member.run('XAUTOCLAIM', 's', 'g', 'b', '99999999999999', '0', 'JUSTID')).toEqual(['0-0', ['3-0'], []])
    expect(pending(member)).toEqual(['1-0 b 0 1', '2-0 a 0 1', '3-0 b 0 1'])
    release(member, 'FATAL', ['1-0'])
    expect(member.run('XCLAIM', 's', 'g', 'b', '0', '1-0')).toEqual([['1-0', ['f', '1']]])
    expect(pending(member)[0]).toBe(`1-0 b 0 ${NEVER_AGAIN}`)
    member.run('XREADGROUP', 'GROUP', 'g', 'b', 'COUNT', '1', 'STREAMS', 's', '0')
    expect(pending(member)[0]).toBe(`1-0 b 0 ${NEVER_AGAIN}`)
    release(member, 'FAIL', ['1-0'])
    expect(claim(member, 0, 'COUNT', '1')).toEqual([['1-0', member.clock.now, NEVER_AGAIN]])
  })

  it('leaves entries to be acknowledged, to outlive their consumer, and to be read anew after SETID', () => {
    const member = filled(3, 3)
    release(member, 'FAIL', ['1-0', '2-0', '3-0'])
    expect(member.run('XGROUP', 'DELCONSUMER', 's', 'g', 'a')).toBe(0)
    expect(member.run('XACK', 's', 'g', '2-0')).toBe(1)
    expect(pending(member)).toEqual(['1-0 - -1 1', '3-0 - -1 1'])
    member.run('XDEL', 's', '3-0')
    expect(member.run('XAUTOCLAIM', 's', 'g', 'b', '0', '2-0', 'JUSTID')).toEqual(['0-0', [], ['3-0']])
    member.run('XGROUP', 'SETID', 's', 'g', '0')
    member.run('XREADGROUP', 'GROUP', 'g', 'b', 'COUNT', '1', 'STREAMS', 's', '>')
    expect(pending(member)).toEqual(['1-0 b 0 1'])
    expect(member.run('XGROUP', 'DESTROY', 's', 'g')).toBe(1)
  })

  it('makes entries pending with FORCE that are in the stream, by each mode', () => {
    const member = filled(4, 0)
    expect(release(member, 'FAIL', ['1-0'])).toBe(0)
    expect(release(member, 'FAIL', ['1-0', '9-0'], 'FORCE')).toBe(1)
    expect(release(member, 'FATAL', ['2-0'], 'FORCE')).toBe(1)
    expect(release(member, 'SILENT', ['3-0'], 'FORCE', 'RETRYCOUNT', '3')).toBe(1)
    expect(pending(member)).toEqual(['1-0 - -1 0', `2-0 - -1 ${NEVER_AGAIN}`, '3-0 - -1 3'])
  })

  it('says what is wrong with its arguments', () => {
    const member = filled(1, 1)
    member.run('SET', 'text', 'x')
    const wrong = (...args: string[]): unknown => member.run('XNACK', ...args)
    expect(wrong('nope', 'g', 'FAIL', 'IDS', '1', '1-0')).toEqual(message("NOGROUP No such key 'nope' or consumer group 'g'"))
    expect(wrong('s', 'nope', 'FAIL', 'IDS', '1', '1-0')).toEqual(message('NOGROUP'))
    expect(wrong('text', 'g', 'FAIL', 'IDS', '1', '1-0')).toEqual(message('WRONGTYPE'))
    expect(wrong('s', 'g', 'KIND', 'IDS', '1', '1-0')).toEqual(message('ERR mode must be SILENT, FAIL, or FATAL'))
    for (const count of ['0', '-1', 'x', '2147483648']) {
      expect(wrong('s', 'g', 'FAIL', 'IDS', count, '1-0')).toEqual(message('ERR numids must be a positive integer'))
    }
    expect(wrong('s', 'g', 'FAIL', 'IDS', '2', '1-0')).toEqual(message("ERR number of IDs doesn't match numids"))
    expect(wrong('s', 'g', 'FAIL', 'IDS', '1', '1-0', '2-0')).toEqual(message("ERR Unrecognized XNACK option '2-0'"))
    expect(wrong('s', 'g', 'FAIL', 'IDS', '1', 'x')).toEqual(message('ERR Invalid stream ID'))
    expect(wrong('s', 'g', 'FAIL', 'FORCE', 'RETRYCOUNT', '1')).toEqual(message('ERR syntax error, expected IDS keyword'))
    expect(release(member, 'FAIL', ['1-0'], 'RETRYCOUNT', '-1')).toEqual(message('ERR Invalid RETRYCOUNT value, must be >= 0'))
    expect(release(member, 'FAIL', ['1-0'], 'RETRYCOUNT', 'x')).toEqual(message('ERR value is not an integer'))
    expect(pending(member)).toEqual(['1-0 a 0 1'])
  })

  it('is taken along by COPY, RENAME, DUMP and a state, in the order of the releases', () => {
    const member = filled(4, 4)
    member.run('XGROUP', 'CREATECONSUMER', 's', 'g', '')
    release(member, 'FAIL', ['3-0'])
    release(member, 'FATAL', ['1-0'])
    const before = pending(member)
    member.run('COPY', 's', 'copy')
    expect(pending(member, 'copy')).toEqual(before)
    expect(member.run('XPENDING', 'copy', 'g')).toEqual(member.run('XPENDING', 's', 'g'))
    member.run('RENAME', 'copy', 'again')
    const twin = emptyTwin(member)
    loadAll(twin.engine, writeAll(member.engine))
    expect(pending(twin, 'again')).toEqual(before)
    expect(described(twin, 'again')['nacked-count']).toBe(2)
    const reply = twin.run('XREADGROUP', 'GROUP', 'g', 'b', 'CLAIM', '100', 'STREAMS', 'again', '>') as [[string, [string][]]]
    expect(reply[0][1].map(([id]) => id)).toEqual(['3-0', '1-0'])
  })
})

describe('what XNACK released, in a payload', () => {
  const restored = (member: EngineHarness): EngineHarness => {
    const other = new EngineHarness()
    expect(other.run('RESTORE', 's', '0', Buffer.from(member.run('DUMP', 's') as string, 'latin1'))).toBe('OK')
    return other
  }

  it('comes back as it was', () => {
    const member = filled(3, 3)
    release(member, 'FATAL', ['2-0'])
    release(member, 'FAIL', ['1-0'])
    const other = restored(member)
    expect(pending(other).slice(0, 2)).toEqual(['1-0 - -1 1', `2-0 - -1 ${NEVER_AGAIN}`])
    expect(other.run('XINFO', 'CONSUMERS', 's', 'g')).toHaveLength(1)
    expect(described(other)['nacked-count']).toBe(2)
  })

  it('comes back in the order of the releases, also beside a consumer without a name', () => {
    const member = filled(5, 4)
    member.run('XREADGROUP', 'GROUP', 'g', '', 'STREAMS', 's', '>')
    for (const id of ['3-0', '1-0', '4-0']) release(member, 'FAIL', [id])
    const other = restored(member)
    expect(pending(other)).toEqual(pending(member))
    expect(described(other)['nacked-count']).toBe(3)
    const claimed = claim(other, 100)
    expect(claimed).toEqual(claim(member, 100))
    expect((claimed as [string][]).slice(0, 3).map(([id]) => id)).toEqual(['3-0', '1-0', '4-0'])
  })

  it('needs the newest type, which nothing else does', () => {
    const member = filled(2, 2)
    const type = () => Buffer.from(member.run('DUMP', 's') as string, 'latin1')[0]
    expect(type()).toBe(19)
    release(member, 'FAIL', ['1-0'])
    expect(type()).toBe(27)
    member.run('XACK', 's', 'g', '1-0')
    expect(type()).toBe(19)
  })

  it('comes back from a payload of before, where a consumer without a name that was never seen stands for nobody', () => {
    const member = filled(3, 3)
    release(member, 'FATAL', ['2-0'])
    release(member, 'FAIL', ['1-0'])
    const { value } = readPayload(Buffer.from(member.run('DUMP', 's') as string, 'latin1'))
    const before = writePayload(value!, 10)
    expect(before[0]).toBe(19)
    const other = new EngineHarness()
    expect(other.run('RESTORE', 's', '0', before)).toBe('OK')
    expect(pending(other)).toEqual(pending(member))
    expect(other.run('XINFO', 'CONSUMERS', 's', 'g')).toHaveLength(1)
    expect(described(other)['nacked-count']).toBe(2)
  })

  it('is read as Redis 8.8 writes it', () => {
    const other = new EngineHarness()
    expect(other.run('RESTORE', 's', '0', NEW_PAYLOADS['a stream of Redis 8.8 with released entries'].bytes)).toBe('OK')
    expect(pending(other).map((line) => line.replace(/ \d+ (?=\d+$)/, ' … '))).toEqual([
      '5-1 c … 2',
      `5-2 - -1 ${NEVER_AGAIN}`,
      '6-0 - -1 1',
    ])
    expect(described(other)['nacked-count']).toBe(2)
    expect((claim(other, 1) as [string][]).map(([id]) => id)).toEqual(['6-0', '5-2', '5-1'])
  })
})

describe('XNACK in several regions', () => {
  const mesh = (): EngineHarness[] => Array.from({ length: 2 }, (_, i) => new EngineHarness({ self: i + 1, solo: false }))
  const sync = (...members: EngineHarness[]): void => {
    for (const from of members) for (const to of members) if (from !== to) to.receive(from)
  }

  it('gives back to its own region only, and is over when somebody acknowledges elsewhere', () => {
    const [one, two] = mesh()
    filled(3, 0, one)
    sync(one, two)
    for (const member of [one, two]) member.run('XREADGROUP', 'GROUP', 'g', 'a', 'STREAMS', 's', '>')
    expect(release(one, 'FAIL', ['1-0', '2-0'])).toBe(2)
    two.run('XACK', 's', 'g', '1-0')
    sync(one, two)
    expect(pending(one)).toEqual(['2-0 - -1 1', '3-0 a 0 1'])
    expect(pending(two)).toEqual(['2-0 a 0 1', '3-0 a 0 1'])
    expect(release(two, 'FATAL', ['1-0'])).toBe(0)
  })

  it('comes back with the ops of a member whose disk was lost, whichever come first', () => {
    const [one, two] = mesh()
    filled(3, 0, one)
    sync(one, two)
    one.run('XREADGROUP', 'GROUP', 'g', 'a', 'STREAMS', 's', '>')
    release(one, 'FAIL', ['3-0'])
    release(one, 'SILENT', ['1-0', '2-0'])
    one.run('XCLAIM', 's', 'g', 'b', '0', '2-0', 'JUSTID')
    sync(one, two)
    two.run('XACK', 's', 'g', '1-0')
    sync(one, two)
    const again = mesh()[0]
    again.receive(two)
    again.receive(one)
    expect(pending(one)).toEqual(['2-0 b 0 0', '3-0 - -1 1'])
    expect(pending(again)).toEqual(pending(one))
    expect(again.run('XINFO', 'CONSUMERS', 's', 'g')).toHaveLength(2)
  })

  it('leaves what was released in the region that takes the state of another one', () => {
    const [one, two] = mesh()
    filled(3, 2, one)
    release(one, 'FAIL', ['1-0'])
    sync(one, two)
    const here = emptyTwin(two)
    const loader = here.engine.states.loader('foreign')
    for (const { database, bytes } of writeAll(one.engine).sections) {
      loader.load(database, bytes, 0, bytes.length)
      loader.end()
    }
    expect(pending(here)).toEqual([])
    const [[, entries]] = here.run('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 's', '>') as [[string, [string][]]]
    expect(entries.map(([id]) => id)).toEqual(['1-0', '2-0', '3-0'])
  })
})
