import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteList } from '../../src/rdb/byte-list.js'
import { readPayload, writePayload } from '../../src/rdb/payload.js'
import type { RdbValue } from '../../src/rdb/value.js'
import { changed, latin1, values } from './arbitrary-values.js'
import { i64le, payload, str, u32be } from './old-encodings.js'
import { id, list, plain } from './plain-value.js'

function read(bytes: Uint8Array): unknown {
  const { value, failure } = readPayload(bytes)
  return failure === null ? plain(value) : failure.code
}

describe('payloads', () => {
  it('give back every value that was written', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(read(writePayload(value))).toEqual(plain(value))
      }),
      { numRuns: 400 },
    )
  })

  it('that were changed are refused, or mean a value that can be written and read', () => {
    fc.assert(
      fc.property(changed, (body) => {
        const result = readPayload(payload(16, body))
        if (result.failure === null) expect(read(writePayload(result.value))).toEqual(plain(result.value))
      }),
      { numRuns: 2000 },
    )
  })

  it('of noise behind any type are refused, or mean a value', () => {
    fc.assert(
      fc.property(fc.nat(35), fc.uint8Array({ maxLength: 60 }), (type, noise) => {
        const result = readPayload(payload(16, type, noise))
        expect(result.value === null).toBe(result.failure !== null)
      }),
      { numRuns: 5000 },
    )
  })

  it('give back long strings and lists', () => {
    for (const length of [63, 64, 16383, 16384, 1 << 20]) {
      const value = Buffer.from(Array.from({ length }, (_, i) => (Math.imul(i + 1, 0x9e3779b1) >>> 11) & 255))
      const back = readPayload(writePayload({ type: 'string', value })).value
      expect(back?.type === 'string' && Buffer.compare(back.value, value)).toBe(0)
    }
    const elements = ByteList.of(Array.from({ length: 70_000 }, (_, i) => Buffer.from(String(i))))
    expect(read(writePayload({ type: 'list', elements }))).toEqual({ list: [...elements].map(latin1) })
  })

  it('store integers as Redis does, canonical ones only', () => {
    const body = (text: string) =>
      Buffer.from(writePayload({ type: 'string', value: Buffer.from(text) }))
        .subarray(0, -10)
        .toString('hex')
    expect(body('0')).toBe('00c000')
    expect(body('-128')).toBe('00c080')
    expect(body('128')).toBe('00c18000')
    expect(body('-32769')).toBe('00c2ff7fffff')
    expect(body('2147483647')).toBe('00c2ffffff7f')
    expect(body('-2147483648')).toBe('00c200000080')
    expect(body('2147483648')).toBe('000a32313437343833363438')
    expect(body('-0')).toBe('00022d30')
    expect(body('01')).toBe('00023031')
  })

  it('say the lowest version that can hold the value', () => {
    const version = (value: RdbValue) => Buffer.from(writePayload(value)).readUInt16LE(writePayload(value).length - 10)
    const stream = (activeMs: number): RdbValue => ({
      type: 'stream',
      entries: [],
      lastId: id(1),
      firstId: id(0),
      maxDeletedId: id(1),
      entriesAdded: 1n,
      groups: [
        {
          name: Buffer.from('g'),
          lastId: id(1),
          entriesRead: 1n,
          consumers: [{ name: Buffer.from('c'), seenMs: 5, activeMs, pending: [] }],
          released: [],
        },
      ],
      marks: null,
    })
    expect(version({ type: 'string', value: Buffer.from('x') })).toBe(6)
    expect(version({ type: 'zset', members: list('a'), scores: Float64Array.of(1) })).toBe(8)
    expect([version(stream(5)), version(stream(4))]).toEqual([10, 11])
    const hash = { type: 'hash', fields: list('f'), values: list('v') } as const
    expect([version({ ...hash, expiries: null }), version({ ...hash, expiries: Float64Array.of(9) })]).toEqual([6, 12])
  })

  it('are refused when too short, changed, or of a newer version', () => {
    const good = payload(12, 0, str('x'))
    expect(read(good)).toBe('x')
    expect(read(payload(17, 0, str('x')))).toBe('version')
    expect(read(payload(0x0100, 0, str('x')))).toBe('version')
    for (let i = 0; i < good.length; i++) {
      const changed = Buffer.from(good)
      changed[i] ^= 1
      expect(['checksum', 'version']).toContain(read(changed))
      expect(['checksum', 'version']).toContain(read(good.subarray(0, i)))
    }
  })

  it('are refused when something follows the value, or nothing is there', () => {
    expect(read(payload(10, 0, str('x'), 0))).toBe('malformed')
    expect(read(payload(10))).toBe('truncated')
  })

  it('make no room for what cannot be there', () => {
    const huge = Buffer.concat([Buffer.from([0x81]), Buffer.from('0000010000000000', 'hex')])
    for (const type of [1, 2, 3, 4, 5, 14, 15, 18, 19, 21, 22, 26, 27])
      expect(read(payload(12, type, huge, 'abc'))).toBe('truncated')
    expect(read(payload(12, 24, i64le(5), huge, 'abc'))).toBe('truncated')
    expect(read(payload(12, 0, huge, 'abc'))).toBe('too-large')
    expect(read(payload(12, 0, 0x80, u32be(1 << 20), 'abc'))).toBe('truncated')
    expect(read(payload(12, 0, 0xc3, 3, huge, 'abc'))).toBe('too-large')
    expect(read(payload(12, 0, 0xc3, 3, 0x80, u32be(1 << 28), 'abc'))).toBe('malformed')
  })

  it('hold at most the longest string after decompression, in all', () => {
    // 4 MiB that decompress to 352 MiB, in a list that names them twice.
    const run = Buffer.concat([Buffer.from([0, 97]), Buffer.alloc(3 * (1 << 20), Buffer.from([0xe0, 0xff, 0]))])
    const element = Buffer.concat([Buffer.from([0xc3, 0x80]), u32be(run.length), Buffer.from([0x80]), u32be(1 + 264 * (1 << 20))])
    expect(read(payload(12, 1, 2, element, run, element, run))).toBe('too-large')
  })

  it('hold a bounded number of what becomes objects', () => {
    const count = Buffer.concat([Buffer.from([0x80]), u32be(1_000_001)])
    const head = [21, 0, 0, 0, 0, 0, 0, 0, 0, 0] as const
    expect(read(payload(12, ...head, count, Buffer.alloc(1_000_001)))).toBe('too-large')
  })

  it('name the module that a value is of', () => {
    // "ReJSON-RL", version 3.
    const name = Array.from('ReJSON-RL').reduce(
      (sum, c) => sum * 64n + BigInt('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'.indexOf(c)),
      0n,
    )
    const number = Buffer.alloc(8)
    number.writeBigUInt64BE(name * 1024n + 3n)
    expect(readPayload(payload(12, 7, 0x81, number, 0)).failure).toEqual({ code: 'unsupported', detail: 'module type ReJSON-RL' })
    expect(read(payload(12, 6, 0))).toBe('unsupported')
    for (const type of [8, 30, 32, 33, 100, 255]) expect(read(payload(12, type, 0))).toBe('malformed')
  })
})
