import { ByteReader, ByteWriter } from '../../base/byte-stream.js'
import { crc32 } from '../../base/crc32.js'
import { isMemberId, type Stamp } from '../../base/ids.js'
import { VersionVector } from '../../crdt/version-vector.js'

/**
 * A version vector as an opaque text: version, count, then member and stamp of each entry by ascending member, and a checksum, all in
 * base64url. The checksum tells a mangled token from one that was never reached.
 */
const VERSION = 1
const CHECKSUM_BYTES = 4
/** 64 members take 10 bytes each at most; with room to spare. */
const MAX_TEXT_BYTES = 4096

export function encodeToken(vector: VersionVector): string {
  const entries = [...vector.entries()]
  const writer = new ByteWriter()
  writer.u8(VERSION)
  writer.varint(entries.length)
  for (const [member, stamp] of entries) {
    writer.varint(member)
    writer.varint(stamp)
  }
  const body = writer.take()
  const checksum = Buffer.alloc(CHECKSUM_BYTES)
  checksum.writeUInt32LE(crc32(body))
  return Buffer.concat([body, checksum]).toString('base64url')
}

/** Null when it is no token. */
export function decodeToken(text: string): VersionVector | null {
  if (text.length > MAX_TEXT_BYTES || !/^[A-Za-z0-9_-]+$/.test(text)) return null
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.length <= CHECKSUM_BYTES) return null
  const body = bytes.subarray(0, bytes.length - CHECKSUM_BYTES)
  if (crc32(body) !== bytes.readUInt32LE(body.length)) return null
  const reader = new ByteReader(body)
  if (reader.u8() !== VERSION) return null
  const vector = new VersionVector()
  let before = 0
  for (let count = reader.varint(); count > 0 && !reader.failed; count--) {
    const member = reader.varint()
    const stamp = reader.varint()
    if (!isMemberId(member) || member <= before) return null
    before = member
    vector.raise(member, stamp as Stamp)
  }
  return reader.failed || !reader.atEnd ? null : vector
}
