import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteList } from '../../src/rdb/byte-list.js'
import { compareIds } from '../../src/rdb/stream-reader.js'
import { readPayload, writePayload } from '../../src/rdb/payload.js'
import type { RdbStreamEntry, RdbValue } from '../../src/rdb/value.js'
import { i64le, payload, str, u32be } from './old-encodings.js'
import { id, list, plain } from './plain-value.js'

function read(bytes: Uint8Array): unknown {
  const { value, failure } = readPayload(bytes)
  return failure === null ? plain(value) : failure.code
}

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 100 }),
  fc.integer().map((n) => Buffer.from(String(n))),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((n) => Buffer.from(String(n))),
  fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 5000 })).map(([part, times]) => {
    return Buffer.concat(Array.from({ length: times }, () => part))
  }),
)
const latin1 = (item: Uint8Array) => Buffer.from(item).toString('latin1')
const someBytes = fc.array(bytes, { minLength: 1, maxLength: 20 })
const uniqueBytes = fc.uniqueArray(bytes, { minLength: 1, maxLength: 20, selector: latin1 })
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const streamId = fc.record({ ms: u64, seq: u64 })
const ms = fc.integer({ min: 0, max: 2 ** 47 })

const entries = fc
  .uniqueArray(fc.tuple(streamId, fc.array(fc.tuple(bytes, bytes), { minLength: 1, maxLength: 3 })), {
    maxLength: 12,
    selector: ([{ ms, seq }]) => `${ms}-${seq}`,
  })
  .map((rows) =>
    rows
      .sort(([a], [b]) => compareIds(a, b))
      .map(([id, pairs]): RdbStreamEntry => ({
        id,
        names: ByteList.of(pairs.map(([name]) => name)),
        values: ByteList.of(pairs.map(([, value]) => value)),
      })),
  )

const pending = fc.record({ id: streamId, deliveredMs: ms, deliveries: u64 })
const consumer = fc.record({
  name: bytes,
  seenMs: ms,
  activeMs: fc.oneof(ms, fc.constant(-1)),
  pending: fc.array(pending, { maxLength: 4 }),
})
const group = fc
  .record({
    name: bytes,
    lastId: streamId,
    entriesRead: fc.option(fc.bigInt({ min: 0n, max: 2n ** 63n })),
    consumers: fc.uniqueArray(consumer, { maxLength: 3, selector: ({ name }) => latin1(name) }),
  })
  .filter(({ consumers }) => {
    const ids = consumers.flatMap(({ pending }) => pending.map(({ id }) => `${id.ms}-${id.seq}`))
    return new Set(ids).size === ids.length
  })

const values: fc.Arbitrary<RdbValue> = fc.oneof(
  bytes.map((value): RdbValue => ({ type: 'string', value })),
  someBytes.map((items): RdbValue => ({ type: 'list', elements: ByteList.of(items) })),
  uniqueBytes.map((items): RdbValue => ({ type: 'set', members: ByteList.of(items) })),
  fc
    .tuple(uniqueBytes, fc.array(fc.double({ noNaN: true }), { minLength: 20, maxLength: 20 }))
    .map(([items, scores]): RdbValue => ({
      type: 'zset',
      members: ByteList.of(items),
      scores: Float64Array.from(scores.slice(0, items.length)),
    })),
  fc
    .tuple(uniqueBytes, fc.boolean(), fc.array(ms, { minLength: 20, maxLength: 20 }))
    .map(([items, expiring, times]): RdbValue => ({
      type: 'hash',
      fields: ByteList.of(items),
      values: ByteList.of([...items].reverse()),
      expiries:
        expiring && times.slice(0, items.length).some((at) => at > 0) ? Float64Array.from(times.slice(0, items.length)) : null,
    })),
  fc
    .record({
      entries,
      groups: fc.uniqueArray(group, { maxLength: 3, selector: ({ name }) => latin1(name) }),
      maxDeletedId: streamId,
      added: u64,
    })
    .map(({ entries, groups, maxDeletedId, added }): RdbValue => ({
      type: 'stream',
      entries,
      groups,
      lastId: entries.at(-1)?.id ?? id(7),
      firstId: entries[0]?.id ?? id(0),
      maxDeletedId,
      entriesAdded: added,
    })),
)

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
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(values, changes, fc.option(fc.nat()), (value, bytes, cut) => {
        const written = Buffer.from(writePayload(value))
        const body = written.subarray(0, cut === null ? -10 : cut % written.length)
        for (const [at, byte] of bytes) body[at % Math.max(1, body.length)] = byte
        const result = readPayload(payload(12, body))
        if (result.failure === null) expect(read(writePayload(result.value))).toEqual(plain(result.value))
      }),
      { numRuns: 2000 },
    )
  })

  it('of noise behind any type are refused, or mean a value', () => {
    fc.assert(
      fc.property(fc.nat(30), fc.uint8Array({ maxLength: 60 }), (type, noise) => {
        const result = readPayload(payload(12, type, noise))
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
        },
      ],
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
    expect(read(payload(13, 0, str('x')))).toBe('version')
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
    for (const type of [1, 2, 3, 4, 5, 14, 15, 18, 19, 21, 22]) expect(read(payload(12, type, huge, 'abc'))).toBe('truncated')
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
    for (const type of [8, 26, 100, 255]) expect(read(payload(12, type, 0))).toBe('malformed')
  })
})
