import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteReader, ByteWriter } from '../../src/base/byte-stream.js'
import {
  copyBytes,
  eachPiece,
  equalBytes,
  equalsWord,
  faithfulUtf8,
  hasStrayBytes,
  INT64_MAX,
  INT64_MIN,
  parseInteger,
  parseInteger64,
  writeInteger,
} from '../../src/base/bytes.js'

const safeInteger = fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.integer({ min: -20, max: 20 }))
/** Texts that are integers, nearly integers, or not at all. */
const text = fc.oneof(
  fc.bigInt(-(2n ** 66n), 2n ** 66n).map(String),
  safeInteger.map(String),
  fc.string({ unit: fc.constantFrom('0', '1', '9', '-', '+', ' ', '.', 'x'), maxLength: 22 }),
)

/** The text in the middle of other bytes. */
function placed(value: string): { buf: Buffer; off: number; len: number } {
  return { buf: Buffer.from(`12${value}34`, 'latin1'), off: 2, len: value.length }
}

function isCanonical(value: string): boolean {
  return /^(0|-?[1-9]\d*)$/.test(value)
}

describe('integers as text', () => {
  it('are written as String writes them', () => {
    fc.assert(
      fc.property(safeInteger, (value) => {
        const target = Buffer.alloc(24, 1)
        const length = writeInteger(value, target, 3)
        expect(target.toString('latin1', 3, 3 + length)).toBe(String(value))
      }),
    )
    for (let exponent = 0; exponent <= 15; exponent++) {
      for (const value of [10 ** exponent, 10 ** exponent - 1, -(10 ** exponent)]) {
        const target = Buffer.alloc(24)
        expect(target.toString('latin1', 0, writeInteger(value, target, 0))).toBe(String(value))
      }
    }
    const target = Buffer.alloc(24)
    expect(target.toString('latin1', 0, writeInteger(Number.MIN_SAFE_INTEGER, target, 0))).toBe('-9007199254740991')
  })

  it('are read by Redis rules: canonical, at most 15 digits', () => {
    fc.assert(
      fc.property(text, (value) => {
        const { buf, off, len } = placed(value)
        const canonical = isCanonical(value) && value.replace('-', '').length <= 15
        expect(parseInteger(buf, off, len)).toBe(canonical ? Number(value) : NaN)
      }),
      { numRuns: 500 },
    )
  })

  it('are read exactly up to 64 bits', () => {
    fc.assert(
      fc.property(text, (value) => {
        const { buf, off, len } = placed(value)
        const exact = isCanonical(value) ? BigInt(value) : null
        const fits = exact !== null && exact <= INT64_MAX && exact >= INT64_MIN
        expect(parseInteger64(buf, off, len)).toBe(fits ? exact : null)
      }),
      { numRuns: 500 },
    )
    for (const value of [INT64_MAX, INT64_MIN])
      expect(parseInteger64(Buffer.from(String(value)), 0, String(value).length)).toBe(value)
  })
})

describe('byte ranges', () => {
  it('copy and compare as slices do', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(50), fc.nat(50), fc.option(fc.nat(299)), (bytes, from, to, flip) => {
        const source = new Uint8Array(from + bytes.length)
        source.set(bytes, from)
        const target = new Uint8Array(to + bytes.length)
        copyBytes(source, from, target, to, bytes.length)
        expect(Buffer.compare(target.subarray(to), bytes)).toBe(0)
        if (flip !== null && flip < bytes.length) target[to + flip] ^= 1
        expect(equalBytes(source, from, target, to, bytes.length)).toBe(flip === null || flip >= bytes.length)
      }),
    )
  })

  it('compare words in any case', () => {
    const bytes = Buffer.from('xkeepTtL')
    expect(equalsWord(bytes, 1, 7, 'KEEPTTL')).toBe(true)
    expect(equalsWord(bytes, 1, 6, 'KEEPTTL')).toBe(false)
    expect(equalsWord(Buffer.from('n\u0058'), 0, 2, 'NX')).toBe(true)
    expect(equalsWord(Buffer.from('.x'), 0, 2, 'NX')).toBe(false)
  })
})

describe('texts that lose nothing', () => {
  const parts = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes)),
      fc.constantFrom('a', 'é', '€', '😀', '\uFFFD', '').map((each) => Buffer.from(each)),
      fc.constantFrom('c380', 'f09f98', 'e282', 'eda080', 'c080', 'f4908080', 'ff', 'efbf').map((hex) => Buffer.from(hex, 'hex')),
    ),
  )

  it('are UTF-8 where the bytes are, and give back all others', () => {
    fc.assert(
      fc.property(parts, (given) => {
        const bytes = Buffer.concat(given)
        const text = faithfulUtf8(Buffer.concat([Buffer.from('é'), bytes, Buffer.from('é')]), 2, bytes.length)
        const pieces: Buffer[] = []
        eachPiece(
          text,
          (piece) => pieces.push(Buffer.from(piece)),
          (byte) => pieces.push(Buffer.of(byte)),
        )
        expect(Buffer.concat(pieces)).toEqual(bytes)
        const isUtf8 = Buffer.from(bytes.toString('utf8')).equals(bytes)
        expect(hasStrayBytes(text)).toBe(!isUtf8)
        if (isUtf8) expect(text).toBe(bytes.toString('utf8'))
      }),
    )
  })
})

describe('byte streams', () => {
  const natural = fc.oneof(
    fc.maxSafeNat(),
    fc.nat(300),
    fc.constantFrom(127, 128, 2 ** 28 - 1, 2 ** 28, 2 ** 32 - 1, 2 ** 32, 2 ** 35, 2 ** 53 - 1),
  )
  const item = fc.oneof(
    fc.nat(255).map((value) => ({ kind: 'u8' as const, value })),
    fc.double().map((value) => ({ kind: 'f64' as const, value })),
    natural.map((value) => ({ kind: 'varint' as const, value })),
    fc.uint8Array({ maxLength: 400 }).map((value) => ({ kind: 'block' as const, value })),
  )

  it('read what was written', () => {
    fc.assert(
      fc.property(fc.array(item), (items) => {
        const writer = new ByteWriter()
        for (const each of items) {
          if (each.kind === 'block') writer.block(each.value)
          else writer[each.kind](each.value)
        }
        const reader = new ByteReader(writer.take())
        for (const each of items) {
          if (each.kind === 'block') expect(Buffer.compare(reader.block(), each.value)).toBe(0)
          else expect(reader[each.kind]()).toBe(each.value)
        }
        expect([reader.atEnd, reader.failed]).toEqual([true, false])
      }),
    )
  })

  it('say so, and give zeros, past the end or for integers beyond 53 bits', () => {
    for (const read of ['u8', 'f64', 'varint'] as const) {
      const reader = new ByteReader(new Uint8Array(0))
      expect([reader[read](), reader.failed]).toEqual([0, true])
    }
    const tooLarge = new ByteReader(Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 127))
    expect([tooLarge.varint(), tooLarge.failed]).toEqual([0, true])
    const shortBlock = new ByteReader(Uint8Array.of(200, 1, 1, 2, 3))
    expect([shortBlock.block().length, shortBlock.failed]).toEqual([0, true])
  })
})
