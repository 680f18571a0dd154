import { describe, expect, it } from 'vitest'
import { readPayload, writePayload } from '../../src/rdb/payload.js'
import { ByteList } from '../../src/rdb/byte-list.js'
import { checkUnique } from '../../src/rdb/uniqueness.js'
import { ListpackWriter } from '../../src/rdb/listpack-writer.js'
import { ARRAY, BAD_PAYLOADS, NEW_PAYLOADS } from './new-payloads.js'
import { i64le, payload, sealed, str, ziplist } from './old-encodings.js'
import { OLD_PAYLOADS } from './old-payloads.js'
import { plain } from './plain-value.js'

function unique(list: ByteList): string {
  const steps = checkUnique(list)
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

function read(bytes: Uint8Array): unknown {
  const { value, failure } = readPayload(bytes)
  return failure === null ? plain(value) : failure.code
}

function listpack(...items: string[]): Buffer {
  const writer = new ListpackWriter()
  for (const item of items) writer.string(Buffer.from(item))
  return Buffer.from(writer.finish())
}

describe('encodings of older servers', () => {
  for (const [name, { bytes, value }] of Object.entries(OLD_PAYLOADS)) {
    it(`reads ${name}`, () => expect(read(bytes)).toEqual(value))
  }
})

describe('encodings of newer servers', () => {
  for (const [name, { bytes, value }] of Object.entries(NEW_PAYLOADS)) {
    it(`reads ${name}, and what it writes of it itself`, () => {
      expect(read(bytes)).toEqual(value)
      expect(read(writePayload(readPayload(bytes).value!))).toEqual(value)
    })
  }

  it.each(Object.entries(BAD_PAYLOADS))('refuses %s', (_, bytes) => {
    expect(['malformed', 'truncated']).toContain(read(bytes))
  })

  it('takes the first of two messages with one name, as Redis', () => {
    const bytes = NEW_PAYLOADS['a stream of Redis 8.6 with messages of producers'].bytes
    const twice = sealed(Buffer.from(bytes.toString('latin1').replace('m2', 'm1'), 'latin1'))
    expect(read(twice)).toMatchObject({ marks: { producers: [['p', [['m1', '5-1']]], expect.anything()] } })
  })

  it('refuses a payload whose checksum is left out', () => {
    for (const { bytes } of Object.values(NEW_PAYLOADS)) {
      expect(read(Buffer.concat([bytes.subarray(0, -8), Buffer.alloc(8)]))).toBe('checksum')
    }
  })

  it('names what it cannot hold: arrays, and metadata that a module does not want to be ignored', () => {
    expect(readPayload(payload(14, ARRAY, 1, 0, 0, 1, i64le(5))).failure).toEqual({
      code: 'unsupported',
      detail: 'value of type array',
    })
    // Class "KMT1" of version 2: 10 << 18 | 12 << 12 | 19 << 6 | 53, then the version and no flag.
    const spec = Buffer.alloc(4)
    spec.writeUInt32LE((((10 * 64 + 12) * 64 + 19) * 64 + 53) * 256 + 2 * 8)
    expect(readPayload(payload(13, 243, 1, spec, 2, 5, 0, 0, 2, 'ok')).failure).toEqual({
      code: 'unsupported',
      detail: 'value with metadata of the class KMT1',
    })
  })

  it('reads a set as a listpack', () => {
    expect(read(payload(11, 20, str(listpack('a', '-5', 'b'))))).toEqual({ set: ['-5', 'a', 'b'] })
  })

  it('reads hashes with times of expiry, packed and not', () => {
    const hash = {
      hash: [
        ['f', 'v', 2000],
        ['g', '7', 0],
      ],
    }
    expect(read(payload(12, 25, i64le(2000), str(listpack('f', 'v', '2000', 'g', '7', '0'))))).toEqual(hash)
    expect(read(payload(12, 23, str(listpack('f', 'v', '2000', 'g', '7', '0'))))).toEqual(hash)
    expect(read(payload(12, 24, i64le(1999), 2, 2, str('f'), str('v'), 0, str('g'), str('7')))).toEqual(hash)
    expect(read(payload(12, 22, 2, 0x47, 0xd0, str('f'), str('v'), 0, str('g'), str('7')))).toEqual(hash)
  })

  it('refuses times of expiry that are none', () => {
    expect(read(payload(12, 25, i64le(1), str(listpack('f', 'v', 'x'))))).toBe('malformed')
    expect(read(payload(12, 25, i64le(1), str(listpack('f', 'v', '-1'))))).toBe('malformed')
    expect(read(payload(12, 25, i64le(1), str(listpack('f', 'v'))))).toBe('malformed')
    expect(read(payload(12, 24, i64le(2n ** 60n), 1, 1, str('f'), str('v')))).toBe('malformed')
    expect(read(payload(12, 24, i64le(-5), 1, 1, str('f'), str('v')))).toBe('malformed')
  })
})

describe('packed values that contradict themselves', () => {
  it('are refused: listpacks', () => {
    const good = listpack('a', '300', 'x'.repeat(200))
    expect(read(payload(11, 20, str(good)))).toEqual({ set: ['300', 'a', 'x'.repeat(200)] })
    const change = (at: number, to: number) => {
      const bytes = Buffer.from(good)
      bytes[at] = to
      return read(payload(11, 20, str(bytes)))
    }
    // Total, count, an encoding that there is not, length of a string, back length, end mark.
    for (const [at, to] of [
      [0, 1],
      [4, 2],
      [6, 0xf5],
      [6, 0x82],
      [8, 3],
      [good.length - 1, 0],
    ])
      expect(change(at, to)).toBe('malformed')
    for (let n = 0; n < good.length; n++) expect(read(payload(11, 20, str(good.subarray(0, n))))).toBe('malformed')
    // A count of 65535 says nothing.
    const many = Buffer.from(good)
    many.writeUInt16LE(65535, 4)
    expect(read(payload(11, 20, str(many)))).toEqual({ set: ['300', 'a', 'x'.repeat(200)] })
  })

  it('are refused: ziplists', () => {
    const good = ziplist('a', 'b'.repeat(300), 'c')
    for (const [at, to] of [
      [0, 1],
      [4, 0],
      [8, 2],
      [10, 1],
      [11, 0x3f],
      [13, 255],
      [good.length - 1, 0],
    ]) {
      const bytes = Buffer.from(good)
      bytes[at] = to
      expect(read(payload(6, 10, str(bytes)))).toBe('malformed')
    }
    for (let n = 0; n < good.length; n++) expect(read(payload(6, 10, str(good.subarray(0, n))))).toBe('malformed')
  })

  it('are refused: members, fields and scores that do not fit together', () => {
    expect(read(payload(11, 20, str(listpack('a', 'a'))))).toBe('malformed')
    expect(read(payload(11, 2, 2, str('a'), str('a')))).toBe('malformed')
    expect(read(payload(11, 16, str(listpack('f', 'v', 'f', 'w'))))).toBe('malformed')
    expect(read(payload(11, 16, str(listpack('f'))))).toBe('malformed')
    expect(read(payload(11, 17, str(listpack('m', 'x'))))).toBe('malformed')
    expect(read(payload(11, 17, str(listpack('m', 'nan'))))).toBe('malformed')
    expect(read(payload(11, 17, str(listpack('m'))))).toBe('malformed')
    expect(read(payload(11, 3, 1, str('m'), 253))).toBe('malformed')
    expect(read(payload(11, 5, 1, str('m'), Buffer.from('000000000000f87f', 'hex')))).toBe('malformed')
    expect(read(payload(11, 11, str(Buffer.from('02000000020000000200' + '0100', 'hex'))))).toBe('malformed')
    expect(read(payload(11, 18, 1, 3, str(listpack('a'))))).toBe('malformed')
  })

  it('are refused when one of very many members is there twice', () => {
    const equal = ByteList.of(Array.from({ length: 200_000 }, () => Buffer.from('same')))
    expect(unique(equal)).toBe('duplicate')
    const different = ByteList.of(Array.from({ length: 200_000 }, (_, i) => Buffer.from(`member:${i}`)))
    expect(unique(different)).toBe('unique')
    const late = ByteList.of([...different, Buffer.from('member:5')])
    expect(unique(late)).toBe('duplicate')
    expect(unique(new ByteList())).toBe('unique')
  })

  it('are refused when they are empty', () => {
    for (const type of [1, 2, 3, 4, 5, 14, 18]) expect(read(payload(11, type, 0))).toBe('empty')
    for (const type of [16, 17, 20]) expect(read(payload(11, type, str(listpack())))).toBe('empty')
    expect(read(payload(11, 10, str(ziplist())))).toBe('empty')
    expect(read(payload(11, 18, 1, 2, str(listpack())))).toBe('empty')
  })

  it('read back lengths as Redis writes them at the bounds of their sizes', () => {
    for (const length of [
      60, 62, 63, 64, 125, 126, 127, 4090, 4095, 4096, 16376, 16377, 16378, 16379, 2097144, 2097145, 2097146, 2097147,
    ]) {
      expect(read(payload(11, 18, 1, 2, str(listpack('x'.repeat(length), 'y'))))).toEqual({ list: ['x'.repeat(length), 'y'] })
    }
  })
})
