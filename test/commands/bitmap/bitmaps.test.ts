import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NOTHING_STABLE } from '../../crdt/string-history.js'
import { EngineHarness } from '../../support/engine-harness.js'

const BAD_OFFSET = '-ERR bit offset is not an integer or out of range\r\n'

describe('SETBIT and GETBIT', () => {
  it('set, clear and extend', () => {
    const h = new EngineHarness()
    expect([h.run('SETBIT', 'k', '7', '1'), h.run('SETBIT', 'k', '7', '1'), h.run('SETBIT', 'k', '7', '0')]).toEqual([0, 1, 1])
    expect(h.run('SETBIT', 'k', '20', '1')).toBe(0)
    expect(h.run('GET', 'k')).toBe('\0\0\x08')
    expect([h.run('GETBIT', 'k', '20'), h.run('GETBIT', 'k', '4294967295'), h.run('GETBIT', 'none', '0')]).toEqual([1, 0, 0])
  })

  it('a clear bit still makes the key and extends the value, once', () => {
    const h = new EngineHarness()
    h.run('SETBIT', 'k', '8', '0')
    expect(h.run('GET', 'k')).toBe('\0\0')
    const frames = h.log.frames.length
    h.run('SETBIT', 'k', '8', '0')
    expect(h.log.frames.length).toBe(frames)
    h.run('SETBIT', 'k', '16', '0')
    expect(h.run('STRLEN', 'k')).toBe(3)
  })

  it('refuse bad offsets and bits', () => {
    const h = new EngineHarness()
    for (const offset of ['-1', '4294967296', 'x', '', '#1']) expect(h.raw(['SETBIT', 'k', offset, '1'])).toBe(BAD_OFFSET)
    expect(h.raw(['GETBIT', 'k', '4294967296'])).toBe(BAD_OFFSET)
    for (const bit of ['2', '-1', 'x'])
      expect(h.raw(['SETBIT', 'k', '0', bit])).toBe('-ERR bit is not an integer or out of range\r\n')
  })

  it('bits of two members both stay', () => {
    const a = new EngineHarness({ self: 1, solo: false })
    const b = new EngineHarness({ self: 2, solo: false }, a.clock)
    for (const { engine } of [a, b]) engine.keyspace.stability = NOTHING_STABLE
    a.run('SETBIT', 'k', '1', '1')
    b.run('SETBIT', 'k', '6', '1')
    b.run('BITFIELD', 'k', 'SET', 'u8', '8', '255')
    a.receive(b)
    b.receive(a)
    for (const h of [a, b]) expect(h.run('GET', 'k')).toBe('\x42\xff')
  })
})

describe('BITCOUNT and BITPOS', () => {
  const text = fc.uint8Array({ maxLength: 90 })
  const index = fc.integer({ min: -100, max: 100 })

  function bitsOf(bytes: Uint8Array): string {
    return [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  }

  /** The part of the bits that a range names, and where it begins; null when it is empty. */
  function part(bits: string, start: number, end: number, unit: 'BIT' | 'BYTE'): { from: number; bits: string } | null {
    const scale = unit === 'BIT' ? 1 : 8
    const total = bits.length / scale
    const first = Math.max(start < 0 ? start + total : start, 0)
    const last = Math.min(Math.max(end < 0 ? end + total : end, 0), total - 1)
    return first > last ? null : { from: first * scale, bits: bits.slice(first * scale, (last + 1) * scale) }
  }

  it('count what a string of bits counts', () => {
    fc.assert(
      fc.property(text, index, index, fc.constantFrom('BIT', 'BYTE'), (bytes, start, end, unit) => {
        const h = new EngineHarness()
        h.run('SET', 'k', bytes)
        const bits = bitsOf(bytes)
        const found = start < 0 && end < 0 && start > end ? null : part(bits, start, end, unit)
        const count = (found?.bits ?? '').replaceAll('0', '').length
        expect(h.run('BITCOUNT', 'k', String(start), String(end), unit)).toBe(count)
        expect(h.run('BITCOUNT', 'k')).toBe(bits.replaceAll('0', '').length)
      }),
      { numRuns: 100 },
    )
  })

  it('find what a string of bits finds', () => {
    const mostlyFull = fc.array(fc.constantFrom(0, 255, 255, 0, 64), { maxLength: 40 }).map((bytes) => Uint8Array.from(bytes))
    fc.assert(
      fc.property(
        mostlyFull,
        index,
        index,
        fc.constantFrom('BIT', 'BYTE'),
        fc.constantFrom('0', '1'),
        (bytes, start, end, unit, bit) => {
          const h = new EngineHarness()
          h.run('SET', 'k', bytes)
          const bits = bitsOf(bytes)
          const found = part(bits, start, end, unit)
          const at = found?.bits.indexOf(bit) ?? -1
          expect(h.run('BITPOS', 'k', bit, String(start), String(end), unit)).toBe(
            at < 0 || found === null ? -1 : found.from + at,
          )
          const open = part(bits, start, -1, 'BYTE')
          const openAt = open === null ? -1 : open.bits.indexOf(bit)
          const expected = open === null ? -1 : openAt >= 0 ? open.from + openAt : bit === '0' ? bits.length : -1
          expect(h.run('BITPOS', 'k', bit, String(start))).toBe(expected)
        },
      ),
      { numRuns: 150 },
    )
  })

  it('answer for keys that do not exist, and refuse bad arguments', () => {
    const h = new EngineHarness()
    expect([h.run('BITCOUNT', 'none'), h.run('BITPOS', 'none', '0'), h.run('BITPOS', 'none', '1')]).toEqual([0, 0, -1])
    expect(h.raw(['BITCOUNT', 'none', '1'])).toBe('-ERR syntax error\r\n')
    expect(h.raw(['BITCOUNT', 'none', '1', '2', 'NIBBLE'])).toBe('-ERR syntax error\r\n')
    expect(h.raw(['BITPOS', 'none', '2'])).toBe('-ERR The bit argument must be 1 or 0.\r\n')
    expect(h.raw(['BITPOS', 'none', '1', '0', '1', 'BIT', 'x'])).toBe('-ERR syntax error\r\n')
  })
})

describe('BITOP', () => {
  const ops = {
    AND: (bits: number[]) => bits.every((bit) => bit === 1),
    OR: (bits: number[]) => bits.includes(1),
    XOR: (bits: number[]) => bits.filter((bit) => bit === 1).length % 2 === 1,
    DIFF: ([first, ...others]: number[]) => first === 1 && !others.includes(1),
    DIFF1: ([first, ...others]: number[]) => first === 0 && others.includes(1),
    ANDOR: ([first, ...others]: number[]) => first === 1 && others.includes(1),
    ONE: (bits: number[]) => bits.filter((bit) => bit === 1).length === 1,
  }

  it.each(Object.entries(ops))('%s, bit by bit', (name, rule) => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 12 }), { minLength: 2, maxLength: 4 }), (sources) => {
        const h = new EngineHarness()
        sources.forEach((bytes, i) => h.run('SET', `s${i}`, bytes))
        const length = Math.max(...sources.map((bytes) => bytes.length))
        const expected = Uint8Array.from({ length }, (_, i) => {
          let byte = 0
          for (let bit = 7; bit >= 0; bit--)
            byte = byte * 2 + (rule(sources.map((bytes) => ((bytes[i] ?? 0) >> bit) & 1)) ? 1 : 0)
          return byte
        })
        expect(h.run('BITOP', name, 'out', ...sources.map((_, i) => `s${i}`))).toBe(length)
        expect(h.run('GET', 'out')).toBe(length === 0 ? null : Buffer.from(expected).toString('latin1'))
      }),
      { numRuns: 40 },
    )
  })

  it('NOT, empty results, a source that is the target, and errors', () => {
    const h = new EngineHarness()
    h.run('MSET', 'a', '\x0f\xf0', 'out', 'x')
    expect(h.run('BITOP', 'NOT', 'a', 'a')).toBe(Buffer.from('\x0f\xf0').length)
    expect(h.run('BITOP', 'or', 'out', 'none', 'none2')).toBe(0)
    expect(h.run('GET', 'out')).toBe(null)
    expect(h.raw(['BITOP', 'NOT', 'out', 'a', 'b'])).toBe('-ERR BITOP NOT must be called with a single source key.\r\n')
    expect(h.raw(['BITOP', 'diff', 'out', 'a'])).toBe('-ERR BITOP DIFF must be called with at least two source keys.\r\n')
    expect(h.raw(['BITOP', 'NAND', 'out', 'a'])).toBe('-ERR syntax error\r\n')
  })

  it('works on counters too', () => {
    const h = new EngineHarness({ solo: false })
    h.run('INCRBY', 'a', '12')
    h.run('INCRBY', 'b', '34')
    expect(h.run('BITOP', 'OR', 'out', 'a', 'b')).toBe(2)
    expect(h.run('GET', 'out')).toBe('36')
  })
})

describe('BITFIELD', () => {
  it('reads, writes and increments', () => {
    const h = new EngineHarness()
    expect(h.run('BITFIELD', 'k', 'INCRBY', 'i5', '100', '1', 'GET', 'u4', '0')).toEqual([1, 0])
    expect(h.run('BITFIELD', 'k', 'SET', 'u8', '#1', '200', 'GET', 'i8', '#1', 'GET', 'u8', '8')).toEqual([0, -56, 200])
    expect(h.run('BITFIELD', 'k')).toEqual([])
    expect(h.run('BITFIELD_RO', 'k', 'GET', 'u8', '#1')).toEqual([200])
  })

  it('overflows as told', () => {
    const h = new EngineHarness()
    h.run('BITFIELD', 'k', 'SET', 'u8', '0', '250')
    expect(h.run('BITFIELD', 'k', 'OVERFLOW', 'FAIL', 'INCRBY', 'u8', '0', '10')).toEqual([null])
    expect(h.run('BITFIELD', 'k', 'OVERFLOW', 'SAT', 'INCRBY', 'u8', '0', '10')).toEqual([255])
    expect(h.run('BITFIELD', 'k', 'INCRBY', 'u8', '0', '10')).toEqual([9])
    expect(h.run('BITFIELD', 'k', 'OVERFLOW', 'SAT', 'INCRBY', 'i8', '0', '-500')).toEqual([-128])
    const reply = h.raw(['BITFIELD', 'k', 'SET', 'i64', '0', '9223372036854775807', 'INCRBY', 'i64', '0', '1'])
    expect(reply.endsWith(':-9223372036854775808\r\n')).toBe(true)
  })

  it('extends the value even when it changes nothing', () => {
    const h = new EngineHarness()
    h.run('BITFIELD', 'k', 'SET', 'u8', '16', '0')
    expect(h.run('GET', 'k')).toBe('\0\0\0')
    h.run('BITFIELD', 'k', 'OVERFLOW', 'FAIL', 'SET', 'u2', '30', '9')
    expect(h.run('STRLEN', 'k')).toBe(4)
    h.run('BITFIELD', 'k', 'GET', 'u8', '64')
    expect(h.run('STRLEN', 'k')).toBe(4)
  })

  it('does nothing at all when one of its arguments is wrong', () => {
    const h = new EngineHarness()
    const badType = '-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.\r\n'
    for (const type of ['u64', 'i65', 'u0', 'x8', 'i', '']) {
      expect(h.raw(['BITFIELD', 'k', 'SET', 'u8', '0', '1', 'GET', type, '0'])).toBe(badType)
    }
    expect(h.raw(['BITFIELD', 'k', 'SET', 'u8', '0', '1', 'OVERFLOW', 'x'])).toBe('-ERR Invalid OVERFLOW type specified\r\n')
    expect(h.raw(['BITFIELD', 'k', 'SET', 'u8', '0', '1', 'GET', 'u8'])).toBe('-ERR syntax error\r\n')
    expect(h.raw(['BITFIELD', 'k', 'SET', 'u8', '0', 'x'])).toBe('-ERR value is not an integer or out of range\r\n')
    expect(h.raw(['BITFIELD', 'k', 'SET', 'u8', '4294967295', '1'])).toBe(BAD_OFFSET)
    expect(h.raw(['BITFIELD_RO', 'k', 'SET', 'u8', '0', '1'])).toBe('-ERR BITFIELD_RO only supports the GET subcommand\r\n')
    expect(h.run('GET', 'k')).toBe(null)
  })

  it('holds any integer of any width at any offset', () => {
    const field = fc.record({
      signed: fc.boolean(),
      bits: fc.integer({ min: 1, max: 63 }),
      offset: fc.integer({ min: 0, max: 200 }),
      value: fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }),
    })
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), field, (before, { signed, bits, offset, value }) => {
        const h = new EngineHarness()
        h.run('SET', 'k', before)
        const type = `${signed ? 'i' : 'u'}${bits}`
        const stored = signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value)
        const reply = h.raw(['BITFIELD', 'k', 'SET', type, String(offset), String(value), 'GET', type, String(offset)])
        expect(reply.endsWith(`\r\n:${stored}\r\n`)).toBe(true)
      }),
      { numRuns: 100 },
    )
  })
})

describe('BITOP of long strings', () => {
  const lengths = [131_079, 65_536, 3, 0, 65_541, 131_074]
  const at = (source: number, i: number): number =>
    i < lengths[source] ? (Math.imul(i + 1, 0x9e3779b1 + source * 2) >>> 21) & 255 : 0
  const rules: Record<string, (first: number, others: readonly number[]) => number> = {
    AND: (first, others) => others.reduce((all, each) => all & each, first),
    OR: (first, others) => others.reduce((all, each) => all | each, first),
    XOR: (first, others) => others.reduce((all, each) => all ^ each, first),
    DIFF: (first, others) => first & ~others.reduce((all, each) => all | each, 0),
    DIFF1: (first, others) => ~first & others.reduce((all, each) => all | each, 0),
    ANDOR: (first, others) => first & others.reduce((all, each) => all | each, 0),
    ONE: (first, others) => {
      let once = first
      let more = 0
      for (const each of others) {
        more |= once & each
        once |= each
      }
      return once & ~more
    },
  }

  it.each(Object.keys(rules))('%s does to each byte what it says, whatever the lengths', (operation) => {
    const member = new EngineHarness()
    lengths.forEach((length, source) => member.raw(['SET', `s${source}`, Uint8Array.from({ length }, (_, i) => at(source, i))]))
    for (const sources of [
      [0, 1],
      [1, 0, 5],
      [2, 4, 0],
      [3, 5],
      [4, 1, 2, 3],
    ]) {
      const length = Math.max(...sources.map((source) => lengths[source]))
      expect(member.run('BITOP', operation, 'to', ...sources.map((source) => `s${source}`))).toBe(length)
      const wanted = Buffer.from(
        Uint8Array.from({ length }, (_, i) => {
          const [first, ...others] = sources.map((source) => at(source, i))
          return rules[operation](first, others)
        }),
      ).toString('latin1')
      expect(member.raw(['GET', 'to']) === `$${length}\r\n${wanted}\r\n`).toBe(true)
    }
  })
})
