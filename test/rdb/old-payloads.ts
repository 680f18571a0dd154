import { ListpackWriter } from '../../src/rdb/listpack-writer.js'
import { i64le, payload, str, ziplist } from './old-encodings.js'

/**
 * One payload for each encoding that redis-server 7.0 reads but does not write any more. The test against redis-server has it restore them, so
 * that it is Redis who says that they mean this.
 */
const INTEGERS = ['0', '12', '13', '-1', '127', '-128', '128', '-32768', '8388607', '-8388608', '2147483647', '-2147483648']
const LONG = ['9223372036854775807', '-9223372036854775808']

function i(value: string): Buffer {
  const n = BigInt(value)
  if (n >= 0n && n <= 12n) return Buffer.from([0xf1 + Number(n)])
  const [head, bytes] =
    n >= -128n && n < 128n
      ? [0xfe, 1]
      : n >= -32768n && n < 32768n
        ? [0xc0, 2]
        : n >= -(1n << 23n) && n < 1n << 23n
          ? [0xf0, 3]
          : n >= -(1n << 31n) && n < 1n << 31n
            ? [0xd0, 4]
            : [0xe0, 8]
  return Buffer.concat([Buffer.from([head]), i64le(n).subarray(0, bytes)])
}

function streamNode(): Buffer {
  const writer = new ListpackWriter()
  // 2 live, 1 deleted, names a and b; a live entry with them, a deleted one, a live one with a name of its own.
  for (const n of [2, 1, 2]) writer.integer(BigInt(n))
  for (const name of ['a', 'b']) writer.string(Buffer.from(name))
  writer.integer(0n)
  for (const part of ['2', '0', '0', 'x', '1', '5']) writer.string(Buffer.from(part))
  for (const part of ['3', '1', '-5', 'x', '1', '5']) writer.string(Buffer.from(part))
  for (const part of ['0', '2', '7', '1', 'c', 'y', '6']) writer.string(Buffer.from(part))
  return Buffer.from(writer.finish())
}

function rawId(ms: number, seq: number): Buffer {
  const bytes = Buffer.alloc(16)
  bytes.writeBigUInt64BE(BigInt(ms), 0)
  bytes.writeBigUInt64BE(BigInt(seq), 8)
  return bytes
}

export const OLD_PAYLOADS: Readonly<Record<string, { bytes: Buffer; value: unknown }>> = {
  'a list, element by element': { bytes: payload(6, 1, 3, str('a'), 0xc0, 5, str('')), value: { list: ['a', '5', ''] } },
  'a list as a ziplist with strings of every length': {
    bytes: payload(6, 10, str(ziplist('a', 'b'.repeat(63), 'c'.repeat(64), 'd'.repeat(300), 'e'.repeat(20_000), 'f'))),
    value: { list: ['a', 'b'.repeat(63), 'c'.repeat(64), 'd'.repeat(300), 'e'.repeat(20_000), 'f'] },
  },
  'a list as a ziplist with integers of every length': {
    bytes: payload(6, 10, str(ziplist(...INTEGERS.map(i), ...LONG.map(i)))),
    value: { list: [...INTEGERS, ...LONG] },
  },
  'a list as a quicklist of ziplists': {
    bytes: payload(7, 14, 2, str(ziplist('a', i('5'))), str(ziplist('b'))),
    value: { list: ['a', '5', 'b'] },
  },
  'a list with a plain node': {
    bytes: payload(10, 18, 2, 1, str('alone'), 1, str('too')),
    value: { list: ['alone', 'too'] },
  },
  'a sorted set with scores as text': {
    bytes: payload(6, 3, 4, str('a'), 3, '1.5', str('b'), 254, str('c'), 255, str('d'), 5, '-1e+2'),
    value: {
      zset: [
        ['a', 1.5],
        ['b', Infinity],
        ['c', -Infinity],
        ['d', -100],
      ],
    },
  },
  'a sorted set as a ziplist': {
    bytes: payload(6, 12, str(ziplist('m', '-inf', 'n', i('3'), 'o', '3.25'))),
    value: {
      zset: [
        ['m', -Infinity],
        ['n', 3],
        ['o', 3.25],
      ],
    },
  },
  'a hash as a ziplist': {
    bytes: payload(6, 13, str(ziplist('f', i('1'), 'g', 'v'))),
    value: {
      hash: [
        ['f', '1'],
        ['g', 'v'],
      ],
    },
  },
  'a hash as a zipmap': {
    bytes: payload(6, 9, str(`\x02\x03foo\x03\x00bar\x05hello\x03\x02abc??\xff`)),
    value: {
      hash: [
        ['foo', 'bar'],
        ['hello', 'abc'],
      ],
    },
  },
  'a hash as a zipmap with a long value': {
    bytes: payload(
      6,
      9,
      str(
        Buffer.concat([Buffer.from('\x01\x01f\xfe\x2c\x01\x00\x00\x00', 'latin1'), Buffer.alloc(300, 'v'), Buffer.from([255])]),
      ),
    ),
    value: { hash: [['f', 'v'.repeat(300)]] },
  },
  'a stream of the first kind': {
    bytes: payload(
      ...[9, 15, 1, str(rawId(10, 5)), str(streamNode()), 2, 12, 12],
      ...[1, str('g'), 10, 5, 1, rawId(10, 5), i64le(777), 3, 1, str('c'), i64le(888), 1, rawId(10, 5)],
    ),
    value: {
      stream: [
        ['10-5', ['a', 'b'], ['x', '1']],
        ['12-12', ['c'], ['y']],
      ],
      last: '12-12',
      first: '10-5',
      deleted: '0-0',
      added: 2,
      groups: [
        { name: 'g', last: '10-5', read: 1, consumers: [{ name: 'c', seen: 888, active: 888, pending: [['10-5', 777, 3]] }] },
      ],
    },
  },
}
