import { writeCrc64 } from '../../src/rdb/crc64.js'

/** Builders of what older and newer servers write, from the formats' layouts: this server never writes these itself. */
export function payload(version: number, ...parts: (number | string | Uint8Array)[]): Buffer {
  const bytes = parts.map((part) => (typeof part === 'number' ? Buffer.from([part]) : Buffer.from(part as string, 'latin1')))
  const body = Buffer.concat([...bytes, Buffer.from([version & 0xff, version >> 8]), Buffer.alloc(8)])
  writeCrc64(body, 0, body.length - 8, body, body.length - 8)
  return body
}

/** The same bytes with a checksum that fits them. */
export function sealed(bytes: Uint8Array): Buffer {
  const copy = Buffer.from(bytes)
  writeCrc64(copy, 0, copy.length - 8, copy, copy.length - 8)
  return copy
}

/** A string behind its length. */
export function str(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value as string, 'latin1')
  return Buffer.concat([Buffer.from([0x80]), u32be(bytes.length), bytes])
}

export function u32be(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function i64le(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64LE(BigInt(value))
  return bytes
}

/** Strings go as strings, Buffers as ready encodings with data. */
export function ziplist(...items: (string | Buffer)[]): Buffer {
  const entries: Buffer[] = []
  let tail = 10
  let previous = 0
  for (const item of items) {
    const before = previous < 254 ? Buffer.from([previous]) : Buffer.concat([Buffer.from([254]), u32le(previous)])
    const entry = Buffer.concat([before, typeof item === 'string' ? ziplistString(item) : item])
    if (entries.length > 0) tail += previous
    previous = entry.length
    entries.push(entry)
  }
  const body = Buffer.concat(entries)
  const head = Buffer.alloc(10)
  head.writeUInt32LE(body.length + 11, 0)
  head.writeUInt32LE(tail, 4)
  head.writeUInt16LE(items.length, 8)
  return Buffer.concat([head, body, Buffer.from([255])])
}

function ziplistString(value: string): Buffer {
  const { length } = value
  const head =
    length < 64
      ? Buffer.from([length])
      : length < 16384
        ? Buffer.from([0x40 | (length >> 8), length & 255])
        : Buffer.concat([Buffer.from([0x80]), u32be(length)])
  return Buffer.concat([head, Buffer.from(value, 'latin1')])
}

function u32le(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
