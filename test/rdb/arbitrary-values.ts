import fc from 'fast-check'
import { ByteList } from '../../src/rdb/byte-list.js'
import { writePayload } from '../../src/rdb/payload.js'
import { compareIds } from '../../src/rdb/stream-reader.js'
import type { RdbStreamEntry, RdbValue } from '../../src/rdb/value.js'
import { id } from './plain-value.js'

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 100 }),
  fc.integer().map((n) => Buffer.from(String(n))),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((n) => Buffer.from(String(n))),
  fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 5000 })).map(([part, times]) => {
    return Buffer.concat(Array.from({ length: times }, () => part))
  }),
)
export const latin1 = (item: Uint8Array) => Buffer.from(item).toString('latin1')
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

/** What consumers' times may be: a payload says anything. */
const anyMs = fc.oneof(ms, fc.constantFrom(2 ** 62, -(2 ** 62), -1))

const pending = fc.record({ id: streamId, deliveredMs: anyMs, deliveries: u64 })
const consumer = fc.record({
  name: bytes,
  seenMs: anyMs,
  activeMs: anyMs,
  pending: fc.array(pending, { maxLength: 4 }),
})
const group = fc
  .record({
    name: bytes,
    lastId: streamId,
    entriesRead: fc.option(fc.bigInt({ min: 0n, max: 2n ** 63n })),
    consumers: fc.uniqueArray(consumer, { maxLength: 3, selector: ({ name }) => latin1(name) }),
    released: fc.oneof(fc.array(pending, { maxLength: 0 }), fc.array(pending, { maxLength: 4 })),
  })
  .filter(({ consumers, released }) => {
    const ids = [...consumers.map(({ pending }) => pending), released].flatMap((list) =>
      list.map(({ id }) => `${id.ms}-${id.seq}`),
    )
    return new Set(ids).size === ids.length
  })

const name = bytes.filter(({ length }) => length > 0)
const marks = fc
  .record({
    durationS: fc.integer({ min: 1, max: 86_400 }),
    maxSize: fc.integer({ min: 1, max: 10_000 }),
    producers: fc.uniqueArray(
      fc.record({
        name,
        marks: fc.uniqueArray(fc.record({ name, id: streamId }), { maxLength: 4, selector: (mark) => latin1(mark.name) }),
      }),
      { maxLength: 3, selector: (producer) => latin1(producer.name) },
    ),
    added: u64,
    duplicates: u64,
  })
  .filter(({ durationS, maxSize, producers }) => durationS !== 100 || maxSize !== 100 || producers.length > 0)

/** Values of every type that payloads can hold. */
export const values: fc.Arbitrary<RdbValue> = fc.oneof(
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
      marks: fc.option(marks),
    })
    .map(({ entries, groups, maxDeletedId, added, marks }): RdbValue => ({
      type: 'stream',
      entries,
      groups,
      lastId: entries.at(-1)?.id ?? id(7),
      firstId: entries[0]?.id ?? id(0),
      maxDeletedId,
      entriesAdded: added,
      marks,
    })),
)

/** Payloads of such values without version and checksum, a few bytes of them changed, cut short or not. */
export const changed = fc
  .tuple(values, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }), fc.option(fc.nat()))
  .map(([value, bytes, cut]) => {
    const written = Buffer.from(writePayload(value))
    const body = written.subarray(0, cut === null ? -10 : cut % written.length)
    for (const [at, byte] of bytes) body[at % Math.max(1, body.length)] = byte
    return body
  })
