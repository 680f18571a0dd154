import { writeCrc64 } from '../../src/rdb/crc64.js'
import { rdbHeader } from '../../src/rdb/rdb-file-writer.js'
import { i64le, payload, str } from './old-encodings.js'

/**
 * Payloads as Redis 8.6, 8.8 and 8.10 write them, put together by hand from their layouts: nothing of what writes payloads here has part in it. There is no such server
 * beside these tests.
 */

/** Of numbers from 0 to 127 and strings of at most 63 bytes. */
export function listpack(...items: (number | string)[]): Buffer {
  const elements = items.map((item) => {
    const body =
      typeof item === 'number' ? Buffer.from([item]) : Buffer.from([0x80 | item.length, ...Buffer.from(item, 'latin1')])
    return Buffer.concat([body, Buffer.from([body.length])])
  })
  const body = Buffer.concat(elements)
  const head = Buffer.alloc(6)
  head.writeUInt32LE(head.length + body.length + 1, 0)
  head.writeUInt16LE(items.length, 4)
  return Buffer.concat([head, body, Buffer.from([0xff])])
}

export function rawId(ms: number, seq: number): Buffer {
  const bytes = Buffer.alloc(16)
  bytes.writeBigUInt64BE(BigInt(ms), 0)
  bytes.writeBigUInt64BE(BigInt(seq), 8)
  return bytes
}

/** A length of 64 bits. */
export function long(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(value)
  return Buffer.concat([Buffer.from([0x81]), bytes])
}

type Parts = (number | string | Uint8Array)[]

/**
 * Entries 5-1, 5-2 and 6-0 of one node: two that have its field, one with a field of its own, at 1 ms and sequence -1 from the node's first. Then last ID 6-0, first ID 5-1,
 * nothing deleted, 3 ever added.
 */
const ENTRIES: Parts = [
  ...[1, str(rawId(5, 1)), str(listpack(3, 0, 1, 'a', 0, 2, 0, 0, 'x', 4, 2, 0, 1, 'y', 4, 0, 1, '-1', 1, 'b', 'z', 6))],
  ...[3, 6, 0, 5, 1, 0, 0, 3],
]

const ENTRIES_VALUE = {
  stream: [
    ['5-1', ['a'], ['x']],
    ['5-2', ['a'], ['y']],
    ['6-0', ['b'], ['z']],
  ],
  last: '6-0',
  first: '5-1',
  deleted: '0-0',
  added: 3,
}

/** A pending entry of a group: delivered at 700 + seq. */
const pending = (ms: number, seq: number, deliveries: number | Buffer): Parts => [rawId(ms, seq), i64le(700 + seq), deliveries]
/** 100 seconds, 100 of a producer, as lengths of 14 bits. */
const NO_MESSAGES: Parts = [0x40, 100, 0x40, 100, 0, 0, 0]
/** 50 seconds, 7 of a producer; p has sent m1 and m2, q has sent m1. 9 were named, 4 of them came again. */
const MESSAGES: Parts = [
  ...[50, 7, 2],
  ...[1, 'p', 2, 2, 'm1', 5, 1, 2, 'm2', 6, 0],
  ...[1, 'q', 1, 2, 'm1', 0x45, 0x39, long(2n ** 64n - 1n)],
  ...[9, 4],
]
const MESSAGES_VALUE = {
  settings: [50, 7],
  producers: [
    [
      'p',
      [
        ['m1', '5-1'],
        ['m2', '6-0'],
      ],
    ],
    ['q', [['m1', '1337-18446744073709551615']]],
  ],
  counts: [9, 4],
}

/** Consumer c has 5-1 pending; it was seen at 888 and active at 777. */
const CONSUMER: Parts = [1, 'c', i64le(888), i64le(777), 1, rawId(5, 1)]
const CONSUMER_VALUE = { name: 'c', seen: 888, active: 777, pending: [['5-1', 701, 2]] }
/** What follows FATAL: 2^63 - 1 deliveries. */
const MOST = long(2n ** 63n - 1n)

export const STREAM_4 = 26
export const STREAM_5 = 27
export const ARRAY = 28
export const TEMPLATE_LISTPACK = 29
export const TEMPLATE_LISTPACK_REFERENCE = 30
export const TEMPLATE = 31
export const TEMPLATE_REFERENCE = 32

/** Group g has read all 3 up to 6-0: 5-1 is pending for c; 6-0 and then 5-2 were released. */
const RELEASED_GROUP: Parts = [
  ...[1, 'g', 6, 0, 3, 3, ...pending(5, 1, 2), ...pending(5, 2, MOST), ...pending(6, 0, 1)],
  ...[1, ...CONSUMER],
  ...[2, rawId(6, 0), rawId(5, 2)],
]

export const NEW_PAYLOADS: Readonly<Record<string, { bytes: Buffer; value: unknown }>> = {
  'a stream of Redis 8.6 in which nobody names messages': {
    bytes: payload(13, STREAM_4, ...ENTRIES, 1, 1, 'g', 5, 2, 2, 1, ...pending(5, 1, 2), 1, ...CONSUMER, ...NO_MESSAGES),
    value: { ...ENTRIES_VALUE, groups: [{ name: 'g', last: '5-2', read: 2, consumers: [CONSUMER_VALUE] }] },
  },
  'a stream of Redis 8.6 with messages of producers': {
    bytes: payload(13, STREAM_4, ...ENTRIES, 0, ...MESSAGES),
    value: { ...ENTRIES_VALUE, groups: [], marks: MESSAGES_VALUE },
  },
  'a stream of Redis 8.8 with released entries': {
    bytes: payload(14, STREAM_5, ...ENTRIES, 1, ...RELEASED_GROUP, ...MESSAGES),
    value: {
      ...ENTRIES_VALUE,
      groups: [
        {
          name: 'g',
          last: '6-0',
          read: 3,
          consumers: [CONSUMER_VALUE],
          released: [
            ['6-0', 700, 1],
            ['5-2', 702, Number(2n ** 63n - 1n)],
          ],
        },
      ],
      marks: MESSAGES_VALUE,
    },
  },
  'a stream of Redis 8.8 in which nothing was released': {
    bytes: payload(14, STREAM_5, ...ENTRIES, 1, 1, 'g', 0, 0, 0, 0, 0, 0, ...NO_MESSAGES),
    value: { ...ENTRIES_VALUE, groups: [{ name: 'g', last: '0-0', read: 0, consumers: [] }] },
  },
  'a hash with a template of Redis 8.10, packed': {
    bytes: payload(15, TEMPLATE_LISTPACK, 0, str(listpack('age', 'name', 'email')), str(listpack(3, 42, 'Ann', 'a@b.c'))),
    value: {
      hash: [
        ['age', '42'],
        ['email', 'a@b.c'],
        ['name', 'Ann'],
      ],
    },
  },
  'a hash with a template of long fields': {
    bytes: payload(15, TEMPLATE_LISTPACK, 1, 2, 1, 'f', str('g'.repeat(70)), str(listpack(0, 1, 2))),
    value: {
      hash: [
        ['f', '1'],
        ['g'.repeat(70), '2'],
      ],
    },
  },
  'a hash with a template and long values': {
    bytes: payload(15, TEMPLATE, 1, 2, 1, 'f', 1, 'g', 0xc0, 7, str('v'.repeat(70))),
    value: {
      hash: [
        ['f', '7'],
        ['g', 'v'.repeat(70)],
      ],
    },
  },
  'a hash with a packed template and long values': {
    bytes: payload(16, TEMPLATE, 0, str(listpack('f', 'g')), 0xc0, 7, str('v'.repeat(70))),
    value: {
      hash: [
        ['f', '7'],
        ['g', 'v'.repeat(70)],
      ],
    },
  },
  'a string with metadata of modules that may be ignored': {
    // Classes of two modules: a number and a string; a double and a float.
    bytes: payload(13, 243, 2, 0x01, 'abc', 2, 5, 5, 1, 'm', 0, 0x07, 'xyz', 4, '12345678', 3, '1234', 0, 0, 2, 'ok'),
    value: 'ok',
  },
}

/** Payloads of these types that are none, and what is wrong with them. */
export const BAD_PAYLOADS: Readonly<Record<string, Buffer>> = {
  'messages that are known for no time': payload(13, STREAM_4, ...ENTRIES, 0, 0, 7, 0, 0, 0),
  'messages that are known for more than a day': payload(13, STREAM_4, ...ENTRIES, 0, 0x80, '\x00\x01\x51\x81', 7, 0, 0, 0),
  'no message of a producer that is known': payload(13, STREAM_4, ...ENTRIES, 0, 50, 0, 0, 0, 0),
  'more messages of a producer than Redis allows': payload(13, STREAM_4, ...ENTRIES, 0, 50, 0x80, '\x00\x00\x27\x11', 0, 0, 0),
  'a producer twice': payload(13, STREAM_4, ...ENTRIES, 0, 50, 7, 2, 1, 'p', 0, 1, 'p', 0, 0, 0),
  'a producer without a name': payload(13, STREAM_4, ...ENTRIES, 0, 50, 7, 1, 0, 0, 0, 0),
  'a message without a name': payload(13, STREAM_4, ...ENTRIES, 0, 50, 7, 1, 1, 'p', 1, 0, 5, 1, 0, 0),
  'messages that end too soon': payload(13, STREAM_4, ...ENTRIES, 0, ...MESSAGES.slice(0, -1)),
  'nothing about messages': payload(13, STREAM_4, ...ENTRIES, 0),
  'a released entry that is not pending': payload(
    14,
    STREAM_5,
    ...ENTRIES,
    1,
    1,
    'g',
    5,
    2,
    2,
    0,
    0,
    1,
    rawId(5, 1),
    ...NO_MESSAGES,
  ),
  'a released entry that a consumer has': payload(
    14,
    ...[STREAM_5, ...ENTRIES, 1, 1, 'g', 5, 2, 2, 1, ...pending(5, 1, 2)],
    ...[1, ...CONSUMER, 1, rawId(5, 1), ...NO_MESSAGES],
  ),
  'an entry that was released twice': payload(
    14,
    ...[STREAM_5, ...ENTRIES, 1, 1, 'g', 5, 2, 2, 1, ...pending(5, 1, 2)],
    ...[0, 2, rawId(5, 1), rawId(5, 1), ...NO_MESSAGES],
  ),
  'a pending entry that neither a consumer has nor nobody': payload(
    14,
    ...[STREAM_5, ...ENTRIES, 1, 1, 'g', 5, 2, 2, 1, ...pending(5, 1, 2)],
    ...[0, 0, ...NO_MESSAGES],
  ),
  'released entries in a payload that cannot have them': payload(13, STREAM_4, ...ENTRIES, 1, ...RELEASED_GROUP, ...MESSAGES),
  // What Redis' own tests of templates refuse.
  'fewer values than fields': payload(15, TEMPLATE_LISTPACK, 0, str(listpack('field1', 'field2')), str(listpack(0, 1))),
  'no values': payload(15, TEMPLATE_LISTPACK, 0, str(listpack('field1', 'field2')), str(listpack())),
  'a template with a name for its number': payload(
    15,
    TEMPLATE_LISTPACK,
    0,
    str(listpack('field1', 'field2')),
    str(listpack('x', 1, 2)),
  ),
  'a template without fields': payload(15, TEMPLATE_LISTPACK, 0, str(listpack()), str(listpack(0, 1, 2))),
  'a template with 0 fields': payload(15, TEMPLATE, 1, 0, 6, 'field1', 6, 'field2', 0xc0, 1, 0xc0, 2),
  'fields that fall': payload(15, TEMPLATE, 1, 2, 6, 'field2', 6, 'field1', 0xc0, 1, 0xc0, 2),
  'fields that are the same': payload(15, TEMPLATE_LISTPACK, 0, str(listpack('field1', 'field1')), str(listpack(0, 1, 2))),
  'a longer field before a shorter one': payload(15, TEMPLATE, 1, 2, 2, 'aa', 1, 'b', 0xc0, 1, 0xc0, 2),
  'fields of an unknown form': payload(15, TEMPLATE, 2, 1, 1, 'f', 0xc0, 1),
  'a packed hash whose template is in a file': payload(15, TEMPLATE_LISTPACK_REFERENCE, str(listpack(5, 1, 2))),
  'a hash whose template is in a file': payload(15, TEMPLATE_REFERENCE, 5, 0xc0, 1, 0xc0, 2),
  'metadata with a part that is none': payload(13, 243, 1, 0x01, 'abc', 9, 0, 0, 2, 'ok'),
}

/** What stands in a file of Redis 8.10 between header and end mark: two templates, then keys with values of every new type, two of them expiring. */
export const NEW_FILE_PARTS: Parts = [
  ...[250, 9, 'redis-ver', 6, '8.10.0'],
  ...[242, 0, 3, 3, 'age', 4, 'name', 5, 'email'],
  ...[242, 7, 2, 1, 'f', str('g'.repeat(70))],
  ...[254, 0, 251, 6, 2],
  ...[252, i64le(1_900_000_000_123), TEMPLATE_LISTPACK_REFERENCE, 6, 'packed', str(listpack(0, 42, 'Ann', 'a@b.c'))],
  ...[TEMPLATE_REFERENCE, 6, 'spread', 7, 0xc0, 7, str('v'.repeat(70))],
  ...[TEMPLATE_LISTPACK_REFERENCE, 5, 'other', str(listpack(7, 'x', 'y'))],
  ...[STREAM_4, 8, 'messages', ...ENTRIES, 0, ...MESSAGES],
  ...[
    252,
    i64le(1_900_000_000_456),
    243,
    1,
    0x01,
    'abc',
    2,
    5,
    0,
    STREAM_5,
    8,
    'released',
    ...ENTRIES,
    1,
    ...RELEASED_GROUP,
    ...MESSAGES,
  ],
  ...[243, 1, 0x01, 'abc', 0, 0, 4, 'last', 2, 'ok'],
]

export const NEW_FILE_VALUES: Readonly<Record<string, unknown>> = {
  packed: NEW_PAYLOADS['a hash with a template of Redis 8.10, packed'].value,
  spread: {
    hash: [
      ['f', '7'],
      ['g'.repeat(70), 'v'.repeat(70)],
    ],
  },
  other: {
    hash: [
      ['f', 'x'],
      ['g'.repeat(70), 'y'],
    ],
  },
  messages: NEW_PAYLOADS['a stream of Redis 8.6 with messages of producers'].value,
  released: NEW_PAYLOADS['a stream of Redis 8.8 with released entries'].value,
  last: 'ok',
}

/** An array of Redis 8.8 with elements of every kind, as it stands in a file: type, key and value. */
export const ARRAY_PARTS: Parts = [
  ...[ARRAY, 5, 'array', 4, 1, 9],
  ...[0, 0, 3, 'abc', 2, 1, i64le(-5), 3, 2, i64le(0), 0x40, 100, 3, 1, 's'],
]
/** Metadata of a module that must not be left out: class `KMT1`. */
export const METADATA_PARTS: Parts = [243, 1, 0x10, 0xf5, 0xc4, 0x28, 2, 5, 0]

/** A file with these bytes between header and end mark. */
export function fileWith(version: number, ...parts: (number | string | Uint8Array)[]): Buffer {
  const body = parts.map((part) => (typeof part === 'number' ? Buffer.from([part]) : Buffer.from(part as string, 'latin1')))
  const whole = Buffer.concat([rdbHeader(version), ...body, Buffer.from([255]), Buffer.alloc(version >= 5 ? 8 : 0)])
  if (version >= 5) writeCrc64(whole, 0, whole.length - 8, whole, whole.length - 8)
  return whole
}
