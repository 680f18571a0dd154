import { crc32 } from '../../src/base/crc32.js'
import { parseFrame, type FrameView } from '../../src/crdt/frame.js'
import type { VersionVector } from '../../src/crdt/version-vector.js'

/** A frame with the given header and a body of any bytes; see docs/formats/frame.md. */
export function buildFrame(
  origin: number,
  previous: number,
  first: number,
  last: number,
  context: VersionVector,
  bodyBytes = 10,
): FrameView {
  const entries = [...context.entries()].filter(([member]) => member !== origin)
  const bytes = Buffer.alloc(40 + 8 * entries.length + bodyBytes, last % 251)
  bytes.writeUInt32LE(bytes.length, 0)
  bytes[8] = 1
  bytes[9] = 1
  bytes[10] = origin
  bytes[11] = entries.length
  bytes.writeUInt32LE(1, 12)
  bytes.writeDoubleLE(previous, 16)
  bytes.writeDoubleLE(first, 24)
  bytes.writeDoubleLE(last, 32)
  entries.forEach(([member, stamp], i) => {
    bytes.writeUInt32LE(((member << 21) | Math.floor(stamp / 2 ** 32)) >>> 0, 40 + 8 * i)
    bytes.writeUInt32LE(stamp >>> 0, 44 + 8 * i)
  })
  bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4)
  return parseFrame(bytes)
}
