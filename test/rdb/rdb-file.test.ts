import { describe, expect, it } from 'vitest'
import { MeridianError } from '../../src/base/errors.js'
import { Crc64, writeCrc64 } from '../../src/rdb/crc64.js'
import { openPayload, readPayload, sealPayload, writePayload } from '../../src/rdb/payload.js'
import { RdbFileReader, type RdbItem } from '../../src/rdb/rdb-file-reader.js'
import { RdbFileWriter } from '../../src/rdb/rdb-file-writer.js'
import type { RdbValue } from '../../src/rdb/value.js'
import { valueDifference } from '../../src/rdb/value-difference.js'
import { OLD_PAYLOADS } from './old-payloads.js'
import { ARRAY_PARTS, fileWith, listpack, METADATA_PARTS, NEW_FILE_PARTS, NEW_FILE_VALUES, NEW_PAYLOADS } from './new-payloads.js'
import { i64le, str } from './old-encodings.js'
import { id, list, plain } from './plain-value.js'

const VALUES: Readonly<Record<string, RdbValue>> = {
  text: { type: 'string', value: Buffer.from('x'.repeat(300)) },
  number: { type: 'string', value: Buffer.from('12345') },
  list: { type: 'list', elements: list('a', '', 'b'.repeat(100)) },
  set: { type: 'set', members: list('a', '7') },
  zset: { type: 'zset', members: list('m', 'n'), scores: Float64Array.of(1.5, -Infinity) },
  hash: { type: 'hash', fields: list('f', 'g'), values: list('1', '2'), expiries: null },
  'hash with times': {
    type: 'hash',
    fields: list('f', 'g'),
    values: list('1', '2'),
    expiries: Float64Array.of(0, 1_900_000_000_000),
  },
  stream: {
    type: 'stream',
    entries: [{ id: id(5, 1), names: list('a'), values: list('x') }],
    lastId: id(6, 2),
    firstId: id(5, 1),
    maxDeletedId: id(0),
    entriesAdded: 3n,
    groups: [
      {
        name: Buffer.from('g'),
        lastId: id(5, 1),
        entriesRead: 1n,
        consumers: [
          { name: Buffer.from('c'), seenMs: 7, activeMs: 8, pending: [{ id: id(5, 1), deliveredMs: 7, deliveries: 2n }] },
        ],
        released: [],
      },
    ],
    marks: null,
  },
}

/** A file with each of the payloads in database 3, the second one expiring. */
function fileOf(payloads: readonly (readonly [string, Uint8Array])[], version = 12): Buffer {
  const writer = new RdbFileWriter()
  writer.aux('redis-ver', '7.4.0')
  writer.database(3, payloads.length, 1)
  const parts = [Buffer.from(writer.take())]
  for (const [i, [name, payload]] of payloads.entries()) {
    const { type, value } = openPayload(payload)
    writer.key(Buffer.from(name), type, value, i === 1 ? 1_900_000_000_123 : null)
  }
  writer.end()
  parts.push(Buffer.from(writer.take()))
  const { header, checksum } = writer.seal(version)
  return Buffer.concat([header, ...parts, checksum])
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

/** Items with copies of what they refer to. */
function read(file: Uint8Array, pieceBytes = file.length): RdbItem[] {
  const reader = new RdbFileReader('dump.rdb')
  const items: RdbItem[] = []
  const drain = (): void => {
    for (let item = reader.next(); item !== null; item = reader.next()) {
      items.push(item.kind === 'key' ? { ...item, key: item.key.slice(), value: item.value.slice() } : item)
    }
  }
  drain()
  for (let at = 0; at < file.length; at += pieceBytes) {
    reader.feed(file.subarray(at, at + pieceBytes))
    drain()
  }
  reader.finish()
  return items
}

function failure(file: Uint8Array): MeridianError | null {
  try {
    read(file)
    return null
  } catch (error) {
    if (error instanceof MeridianError) return error
    throw error
  }
}

const NEW = Object.entries(VALUES).map(([name, value]): [string, Uint8Array] => [name, writePayload(value)])
const OLD = Object.entries(OLD_PAYLOADS).map(([name, { bytes }]): [string, Uint8Array] => [name, bytes])
const NEWER = Object.entries(NEW_PAYLOADS)
  .filter(([name]) => !name.includes('metadata'))
  .map(([name, { bytes }]): [string, Uint8Array] => [name, bytes])

describe('an RDB file', () => {
  it.each([
    ['values as they are written here', NEW],
    ['values in every encoding that Redis ever wrote', OLD],
    ['values as newer servers write them', NEWER],
  ])('gives back %s, however its bytes are cut', (_, payloads) => {
    const file = fileOf(payloads)
    const whole = read(file)
    const keys = whole.filter((item) => item.kind === 'key')
    expect(keys.map(({ key }) => Buffer.from(key).toString())).toEqual(payloads.map(([name]) => name))
    for (const [i, { type, value, database, expiresAtMs }] of keys.entries()) {
      expect(database).toBe(3)
      expect(expiresAtMs).toBe(i === 1 ? 1_900_000_000_123 : null)
      expect(plain(readPayload(sealPayload(type, value, 16)).value!)).toEqual(plain(readPayload(payloads[i][1]).value!))
    }
    expect(whole[0]).toEqual({ kind: 'version', version: 12 })
    expect(whole[1]).toEqual({ kind: 'aux', name: 'redis-ver', value: '7.4.0' })
    expect(whole.at(-1)).toEqual({ kind: 'end', checked: true })
    for (const pieceBytes of [1, 7, 100]) expect(read(file, pieceBytes)).toEqual(whole)
  })

  it('that is cut anywhere is an error that says so', () => {
    const file = fileOf(NEW)
    for (let bytes = 0; bytes < file.length; bytes++) {
      expect(failure(file.subarray(0, bytes))?.message).toContain(
        `dump.rdb is damaged at byte ${bytes}: it ends before its end mark`,
      )
    }
  })

  it('with any bit turned is an error that names the place', () => {
    for (const file of [fileOf(NEW), fileOf(OLD), fileWith(15, ...NEW_FILE_PARTS)]) {
      for (let at = 0; at < file.length; at++) {
        const bad = Buffer.from(file)
        bad[at] ^= 1 << (at % 8)
        expect(failure(bad)?.message).toMatch(/^dump\.rdb (is damaged|has .*) (at )?byte \d+|MRD_RDB/)
      }
    }
  })

  it('may have been written without a checksum', () => {
    const file = fileOf(NEW)
    file.fill(0, file.length - 8)
    expect(read(file).at(-1)).toEqual({ kind: 'end', checked: false })
  })

  it('of a version before 5 has no checksum', () => {
    const items = read(fileWith(3, 253, Buffer.from([1, 0, 0, 0]), 0, str('k'), str('v')))
    expect(items.at(-2)).toMatchObject({ kind: 'key', expiresAtMs: 1000 })
    expect(items.at(-1)).toEqual({ kind: 'end', checked: false })
  })

  it('gives idle times and frequencies to the key that they stand before', () => {
    const items = read(
      fileWith(9, 248, 5, 0, str('a'), str('1'), 249, 7, 252, i64le(77), 0, str('b'), str('2'), 0, str('c'), str('3')),
    )
    expect(items.filter((item) => item.kind === 'key')).toMatchObject([
      { idleSeconds: 5, frequency: null, expiresAtMs: null },
      { idleSeconds: null, frequency: 7, expiresAtMs: 77 },
      { idleSeconds: null, frequency: null, expiresAtMs: null },
    ])
  })

  it('may hold functions, slots and data of modules, which are named and passed over', () => {
    const module = Buffer.from([0x81, ...Buffer.from('4d8be4d8be4d8400', 'hex')])
    const parts = [1, 5, 2, 6, 3, 'abcd', 4, 'abcdefgh', 5, str('text'), 0]
    const items = read(
      fileWith(
        12,
        247,
        module,
        2,
        1,
        ...parts,
        245,
        str('#!lua name=x'),
        244,
        1,
        2,
        3,
        7,
        str('k'),
        module,
        ...parts,
        0,
        str('l'),
        str('v'),
      ),
    )
    expect(items.map(({ kind }) => kind)).toEqual(['version', 'module-aux', 'function', 'key', 'key', 'end'])
    expect(items[3]).toMatchObject({ kind: 'key', unsupported: expect.stringMatching(/^the module .{9}$/) })
    expect(items[3]).toMatchObject({ unsupported: `the module ${(items[1] as { module: string }).module}` })
  })

  it('of Redis 8.10 gives hashes with templates as what DUMP gives, and passes over metadata that may be ignored', () => {
    const file = fileWith(15, ...NEW_FILE_PARTS)
    const items = read(file)
    const keys = items.filter((item) => item.kind === 'key')
    expect(
      Object.fromEntries(
        keys.map(({ key, type, value }) => [text(key), plain(readPayload(sealPayload(type, value, 15)).value!)]),
      ),
    ).toEqual(NEW_FILE_VALUES)
    expect(keys.map(({ key, expiresAtMs }) => [text(key), expiresAtMs])).toEqual([
      ['packed', 1_900_000_000_123],
      ['spread', null],
      ['other', null],
      ['messages', null],
      ['released', 1_900_000_000_456],
      ['last', null],
    ])
    expect(items.map(({ kind }) => kind)).toEqual(['version', 'aux', 'database', 'resize', ...keys.map(() => 'key'), 'end'])
    for (const pieceBytes of [1, 7, 100]) expect(read(file, pieceBytes)).toEqual(items)
    for (let bytes = 0; bytes < file.length; bytes++)
      expect(failure(file.subarray(0, bytes))?.message).toContain('it ends before its end mark')
  })

  it('names arrays and metadata that a module needs', () => {
    const items = read(fileWith(14, ...ARRAY_PARTS, ...METADATA_PARTS, 0, str('k'), str('v')))
    expect(items.slice(1)).toMatchObject([
      { kind: 'key', type: 28, unsupported: 'type array' },
      { kind: 'module-aux', module: 'KMT1' },
      { kind: 'key', unsupported: null },
      { kind: 'end' },
    ])
  })

  it.each([
    ['a template that is not there', [242, 0, 1, 1, 'f', 32, 1, 'k', 5, 0xc0, 1], 'there is no template 5'],
    ['a packed template that is not there', [30, 1, 'k', str(listpack(5, 1))], 'there is no template 5'],
    ['a hash without a number', [242, 0, 1, 1, 'f', 30, 1, 'k', str(listpack('x', 1))], 'there is no template -1'],
    ['two templates of one number', [242, 0, 1, 1, 'f', 242, 0, 1, 1, 'g'], 'there are two templates 0'],
    ['a template without fields', [242, 3, 0], 'the template 3 has no fields'],
    ['an array of another kind', [28, 1, 'k', 1, 0, 0, 4, 0], 'an array has an element of kind 4'],
  ] as const)('with %s is damaged', (_, parts, message) => {
    expect(failure(fileWith(15, ...parts))?.message).toContain(message)
  })

  it('of a newer version is refused with both versions named', () => {
    expect(failure(fileWith(80))?.message).toContain(
      'dump.rdb has RDB version 80 (known are 1 to 16) at byte 0 (MRD_RDB_UNSUPPORTED)',
    )
    expect(failure(Buffer.from('not an RDB file'))?.message).toContain('it is no RDB file')
  })

  it('leaves what follows it to others', () => {
    const reader = new RdbFileReader('a stream')
    reader.feed(Buffer.concat([fileOf(NEW), Buffer.from('more')]))
    while (reader.next()?.kind !== 'end');
    expect(Buffer.from(reader.rest).toString()).toBe('more')
  })
})

describe('a checksum', () => {
  it('of a whole follows from that of its rest', () => {
    const bytes = Buffer.from(Array.from({ length: 3000 }, (_, i) => (i * i) % 251))
    for (const at of [0, 1, 9, 2999, 3000]) {
      const rest = new Crc64()
      rest.update(bytes, at, bytes.length - at)
      const whole = rest.behind(bytes.subarray(0, at), bytes.length - at)
      const expected = Buffer.alloc(8)
      writeCrc64(bytes, 0, bytes.length, expected, 0)
      expect(whole.equals(expected, 0)).toBe(true)
    }
  })
})

describe('two values', () => {
  it('are the same in whatever encoding and order', () => {
    expect(valueDifference({ type: 'set', members: list('a', 'b') }, { type: 'set', members: list('b', 'a') })).toBeNull()
    for (const value of Object.values(VALUES)) expect(valueDifference(value, readPayload(writePayload(value)).value!)).toBeNull()
  })

  it('that differ say in what', () => {
    const stream = VALUES.stream as Extract<RdbValue, { type: 'stream' }>
    const cases: [RdbValue, RdbValue, string][] = [
      [VALUES.text, VALUES.set, 'a string there, a set here'],
      [VALUES.text, VALUES.number, 'the string is another'],
      [VALUES.list, { type: 'list', elements: list('a', 'x', 'b'.repeat(100)) }, 'element 1 is another'],
      [VALUES.set, { type: 'set', members: list('a') }, '2 elements there, 1 here'],
      [
        VALUES.zset,
        { type: 'zset', members: list('m', 'n'), scores: Float64Array.of(1.5, 2) },
        'what belongs to an element is another',
      ],
      [VALUES.hash, VALUES['hash with times'], 'what belongs to an element is another'],
      [stream, { ...stream, lastId: id(9) }, 'the last ID is another'],
      [
        stream,
        { ...stream, marks: { durationS: 100, maxSize: 7, producers: [], added: 0n, duplicates: 0n } },
        'for how long and how many messages are known is another',
      ],
      [
        stream,
        { ...stream, groups: [{ ...stream.groups[0], consumers: [], released: stream.groups[0].consumers[0].pending }] },
        'group g is another',
      ],
      [stream, { ...stream, groups: [] }, '1 groups there, 0 here'],
      [stream, { ...stream, groups: [{ ...stream.groups[0], lastId: id(0) }] }, 'group g is another'],
    ]
    for (const [a, b, words] of cases) expect(valueDifference(a, b)).toBe(words)
  })
})
