import { describe, expect, test } from 'vitest'
import { add, formatDecimal, formatSum, parseDecimal, parseInteger } from './decimal.js'
import { applyEdit, readBits, type Effect, type EffectBody } from './effects.js'
import { decodeFrame } from './frame-decoder.js'
import { encodeFrame } from './frame-encoder.js'
import { visibleState } from './oracle.js'
import { isDue, showView } from './values.js'

/** Effects on one key: who, when, what of others they had seen (by member id), and what they do. */
function at(origin: number, stamp: number, seen: readonly number[], body: EffectBody): Effect {
  return { origin, stamp, context: [0, ...seen, ...new Array<number>(15 - seen.length).fill(0)], db: 0, key: 'k', body }
}
const everything = new Array<number>(16).fill(Infinity)
const set = (value: string, expiry: number | 'keep' | 'clear' = 'clear'): EffectBody => ({ kind: 'set-string', value, expiry })
const incr = (n: string): EffectBody => ({ kind: 'increment', n })
const append = (value: string): EffectBody => ({ kind: 'append', value })
const remove: EffectBody = { kind: 'remove', due: false }
const removeDue: EffectBody = { kind: 'remove', due: true }
const expire = (time: number): EffectBody => ({ kind: 'expire', at: time })

/** Whatever the order in which they are listed. */
function visible(...effects: Effect[]): string {
  const one = showView(visibleState(effects, everything))
  expect(showView(visibleState([...effects].reverse(), everything))).toBe(one)
  return one
}
const is = (text: string, expireAt: number | null = null): string => showView({ value: { type: 'string', text }, expireAt })

describe('registers', () => {
  test('the later stamp wins, then the higher member', () => {
    expect(visible(at(1, 10, [0, 0], set('a')), at(2, 11, [0, 0], set('b')))).toBe(is('b'))
    expect(visible(at(1, 10, [0, 0], set('a')), at(2, 10, [0, 0], set('b')))).toBe(is('b'))
  })

  test('a delete removes only what its origin had seen', () => {
    expect(visible(at(1, 10, [0, 0], set('a')), at(2, 11, [10, 0], remove))).toBe('absent')
    expect(visible(at(1, 10, [0, 0], set('a')), at(1, 12, [0, 0], set('c')), at(2, 13, [10, 0], remove))).toBe(is('c'))
  })

  test('a delete of the winner brings up a loser that it had not seen', () => {
    expect(visible(at(1, 10, [0, 0], set('a')), at(2, 11, [0, 0], set('b')), at(3, 12, [0, 11], remove))).toBe(is('a'))
  })

  test('a flush is a delete of everything seen', () => {
    expect(visible(at(1, 10, [0, 0], set('a')), at(2, 9, [0, 0], incr('3')), at(1, 11, [0, 0], { kind: 'flush-db' }))).toBe(
      is('3'),
    )
  })
})

describe('counters', () => {
  test('increments add up whatever the order', () => {
    expect(visible(at(1, 10, [0, 0], incr('5')), at(2, 10, [0, 0], incr('0.1')), at(2, 11, [0, 0], incr('0.2')))).toBe(is('5.3'))
  })

  test('synced 10; SET 0 in A while INCRBY 3 in B: both end at 3', () => {
    expect(visible(at(1, 1, [0, 0], set('10')), at(1, 5, [0, 0], set('0')), at(2, 6, [1, 0], incr('3')))).toBe(is('3'))
  })

  test('synced 4.1; DEL in A while +2 in B: both end at 2', () => {
    expect(visible(at(1, 1, [0, 0], incr('4.1')), at(1, 5, [0, 0], remove), at(2, 6, [1, 0], incr('2')))).toBe(is('2'))
  })

  test('text hides increments until it is gone', () => {
    expect(visible(at(1, 10, [0, 0], set('x')), at(2, 10, [0, 0], incr('1')))).toBe(is('x'))
    expect(visible(at(1, 10, [0, 0], set('x')), at(2, 10, [0, 0], incr('1')), at(1, 11, [0, 0], remove))).toBe(is('1'))
  })

  test('a sum beyond 64 bits reads as the nearest bound', () => {
    const max = (2n ** 63n - 1n).toString()
    expect(visible(at(1, 1, [0, 0], set(max)), at(2, 5, [0, 0], incr('10')))).toBe(is(max))
  })
})

describe('edits', () => {
  test('concurrent appends both stay, in dot order', () => {
    expect(visible(at(1, 1, [0, 0], set('a')), at(1, 6, [0, 0], append('x')), at(2, 5, [1, 0], append('y')))).toBe(is('ayx'))
  })

  test('a later SET beats an earlier edit that it had not seen; an earlier one is edited', () => {
    expect(visible(at(1, 5, [0, 0], append('x')), at(2, 6, [0, 0], set('new')))).toBe(is('new'))
    expect(visible(at(1, 7, [0, 0], append('x')), at(2, 6, [0, 0], set('new')))).toBe(is('newx'))
  })

  test('bits set in two places both stay', () => {
    const bit = (bitOffset: number): EffectBody => ({ kind: 'set-bits', bitOffset, width: 1, bits: 1n })
    expect(visible(at(1, 1, [0, 0], bit(1)), at(2, 1, [0, 0], bit(7)))).toBe(is('A'))
  })

  test('ranges and bits extend with zero bytes', () => {
    expect(applyEdit('ab', { kind: 'set-range', offset: 4, value: 'z' })).toBe('ab\0\0z')
    expect(applyEdit('abcdef', { kind: 'set-range', offset: 1, value: 'XY' })).toBe('aXYdef')
    expect(readBits(applyEdit('', { kind: 'set-bits', bitOffset: 13, width: 5, bits: 21n }), 13, 5)).toBe(21n)
    expect(readBits('', 100, 8)).toBe(0n)
  })
})

describe('expiry', () => {
  test('of concurrent times the latest counts, and PERSIST is later than all', () => {
    const value = at(1, 1, [0, 0], set('v'))
    expect(visible(value, at(1, 5, [0, 0], expire(500)), at(2, 4, [1, 0], expire(100)))).toBe(is('v', 500))
    expect(visible(value, at(1, 4, [0, 0], expire(500)), at(2, 5, [1, 0], expire(100)))).toBe(is('v', 500))
    expect(visible(value, at(1, 4, [0, 0], expire(500)), at(2, 5, [1, 0], expire(Infinity)))).toBe(is('v'))
  })

  test('SET clears the times it had seen, unless it keeps them', () => {
    const first = at(1, 1, [0, 0], set('v', 500))
    expect(visible(first, at(2, 5, [1, 0], set('w')))).toBe(is('w'))
    expect(visible(first, at(2, 5, [1, 0], set('w', 'keep')))).toBe(is('w', 500))
    expect(visible(first, at(2, 5, [0, 0], set('w')))).toBe(is('w', 500))
  })

  test('what survives the removal of a due key keeps the time; what is written afterwards does not', () => {
    const first = at(1, 1, [0, 0], set('v', 500))
    const gone = at(1, 9, [0, 0], removeDue)
    expect(visible(first, gone)).toBe('absent')
    expect(visible(first, gone, at(2, 5, [1, 0], append('x')))).toBe(is('x', 500))
    expect(visible(first, gone, at(2, 12, [9, 0], append('x')))).toBe(is('x'))
    expect(showView(visibleState([first, gone, at(2, 12, [9, 0], append('x'))], everything, 'stays'))).toBe(is('x', 500))
  })

  test('a key is due at its time', () => {
    expect([isDue(null, 5), isDue(6, 5), isDue(5, 5)]).toEqual([false, false, true])
  })
})

describe('collections', () => {
  const add = (...members: string[]): EffectBody => ({ kind: 'set-add', members })
  const take = (...members: string[]): EffectBody => ({ kind: 'set-remove', members })
  const hset = (field: string, value: string): EffectBody => ({ kind: 'hash-set', expiry: 'clear', fields: [[field, value]] })
  const zadd = (member: string, score: number): EffectBody => ({ kind: 'zset-add', scores: [[member, score]] })

  test('a set: what is added wins over a removal that had not seen it', () => {
    expect(visible(at(1, 1, [0, 0], add('a', 'b')), at(1, 5, [0, 0], take('a')), at(2, 5, [1, 0], add('a')))).toBe(
      'set {"a", "b"}',
    )
    expect(visible(at(1, 1, [0, 0], add('a', 'b')), at(2, 5, [1, 0], take('a')))).toBe('set {"b"}')
  })

  test('a hash: each field is a register with its own time, and increments add up', () => {
    const increment: EffectBody = { kind: 'hash-increment', field: 'n', n: '3' }
    const first = at(1, 1, [0, 0], hset('n', '10'))
    expect(visible(first, at(1, 5, [0, 0], hset('n', '0')), at(2, 6, [1, 0], increment))).toBe('hash {"n": "3"}')
    const timed: EffectBody = { kind: 'hash-expire', at: 500, fields: ['n'] }
    expect(visible(first, at(2, 5, [1, 0], timed), at(1, 6, [0, 0], hset('m', 'x')))).toBe('hash {"m": "x", "n": "10" until 500}')
  })

  test('a sorted set: synced 4; ZREM in A while +2 in B: both end at 2', () => {
    const increment: EffectBody = { kind: 'zset-increment', member: 'a', n: 2 }
    const gone: EffectBody = { kind: 'zset-remove', members: ['a'] }
    expect(visible(at(1, 1, [0, 0], zadd('a', 4)), at(1, 5, [0, 0], gone), at(2, 6, [1, 0], increment))).toBe('zset {"a": 2}')
  })

  test('of several types the one with the newest surviving write is visible; a removal of one type leaves the others and the time', () => {
    const text = at(1, 1, [0, 0], set('text', 500))
    const members = at(2, 5, [0, 0], add('a'))
    expect(visible(text, members)).toBe('set {"a"} until 500')
    expect(visible(text, members, at(3, 9, [1, 5], { kind: 'remove', due: false, only: 3 }))).toBe(is('text', 500))
    expect(visible(text, members, at(3, 9, [1, 5], remove))).toBe('absent')
  })
})

describe('what was not applied does not count', () => {
  test('only effects that the vector covers', () => {
    const effects = [at(1, 1, [0, 0], set('a')), at(2, 5, [1, 0], set('b'))]
    expect(showView(visibleState(effects, [0, 1, 4]))).toBe(is('a'))
    expect(visibleState(effects, [0, 0, 0])).toBeNull()
  })
})

describe('decimals', () => {
  test('are exact', () => {
    const sum = (a: string, b: string): string => formatDecimal(add(parseDecimal(a)!, parseDecimal(b)!))
    expect(sum('0.1', '0.2')).toBe('0.3')
    expect(sum('-0.05', '0.050')).toBe('0')
    expect(sum('9007199254740993', '0.5')).toBe('9007199254740993.5')
    expect(sum('-.5', '1e2')).toBe('99.5')
    expect(formatSum(parseDecimal('-9223372036854775809')!)).toBe('-9223372036854775808')
  })

  test('know what is no number', () => {
    expect(['', 'x', ' 1', '1 ', '.', '-', '1e', '0x10'].map(parseDecimal)).toEqual(new Array(8).fill(null))
    expect(['01', '+1', '-0', '9223372036854775808', '1.0', ''].map(parseInteger)).toEqual(new Array(6).fill(null))
    expect(parseInteger('-9223372036854775808')).toBe(-(2n ** 63n))
  })
})

describe('frame decoder', () => {
  test('reads what the encoder writes', () => {
    const bodies: EffectBody[] = [
      set('\xff\0', 1.7e12),
      set('', 'keep'),
      set('x'),
      removeDue,
      remove,
      incr('-9007199254740993'),
      incr('-7'),
      incr('0.25'),
      append('abc'),
      { kind: 'set-range', offset: 300, value: 'r' },
      { kind: 'set-bits', bitOffset: 5, width: 64, bits: 2n ** 63n + 1n },
      expire(Infinity),
      { kind: 'flush-db' },
      { kind: 'remove', due: false, only: 3 },
      { kind: 'hash-set', expiry: 5, fields: [['f', 'v']] },
      { kind: 'hash-set', expiry: 'keep', fields: [] },
      { kind: 'hash-remove', due: true, fields: ['f', ''] },
      { kind: 'hash-increment', field: 'f', n: '-0.5' },
      { kind: 'hash-expire', at: 7, fields: ['f'] },
      { kind: 'set-add', members: ['a', '\xff'] },
      { kind: 'set-remove', members: ['a'] },
      { kind: 'zset-add', scores: [['m', -Infinity]] },
      { kind: 'zset-remove', members: ['m'] },
      { kind: 'zset-increment', member: 'm', n: 0.1 },
    ]
    const first = 258_696_805_785_602
    const effects = bodies.map((body) => ({ db: 3, key: body.kind === 'flush-db' ? '' : 'key', body }))
    const bytes = encodeFrame({
      origin: 2,
      previous: 7,
      first,
      context: [0, first - 9, 0, 12],
      ops: [effects.slice(0, 4), effects.slice(4)],
    })
    const frame = decodeFrame(bytes)
    expect(frame.ops.flat().map((effect) => effect.body)).toEqual(bodies)
    expect(frame.ops.map((op) => op.length)).toEqual([4, bodies.length - 4])
    expect(frame.context.slice(0, 4)).toEqual([0, first - 9, 0, 12])
    expect([frame.origin, frame.previous, frame.first, frame.last]).toEqual([2, 7, first, first + bodies.length - 1])
    bytes[bytes.length - 1] ^= 1
    expect(() => decodeFrame(bytes)).toThrow(/checksum/)
  })
})
