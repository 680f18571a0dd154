import { crc32 } from '../base/crc32.js'
import type { MemberId } from '../base/ids.js'
import { LIMITS } from '../base/limits.js'
import { FRAME_FIXED_BYTES, FRAME_KIND_OPS, FRAME_PREFIX_BYTES } from '../crdt/frame.js'
import type { VersionVector } from '../crdt/version-vector.js'
import type { BlockReader } from './block-reader.js'

/**
 * Looks for a whole frame at or after a position, to tell a torn tail (nothing whole behind it) from damage. A frame counts when
 * its checksum holds and its stamps come after the vector: the bytes of an old frame that a client stored as a value do not.
 * Returns its position, or -1. When the search would take too long it returns where it stopped, so that nothing is cut on a guess.
 */
export function findWholeFrame(reader: BlockReader, from: number, end: number, vector: VersionVector): number {
  let summed = 0
  for (let at = from; at + FRAME_FIXED_BYTES <= end; at++) {
    if (!reader.ensure(at, FRAME_FIXED_BYTES)) return -1
    const length = reader.u32(at)
    if (length < FRAME_FIXED_BYTES || length > end - at || length > LIMITS.maxFrameBytes) continue
    if (reader.u8(at + 9) !== FRAME_KIND_OPS) continue
    const origin = reader.u8(at + 10)
    const previous = reader.f64(at + 16)
    const first = reader.f64(at + 24)
    const last = reader.f64(at + 32)
    if (origin === 0 || !(previous >= vector.get(origin as MemberId) && first > previous && last >= first)) continue
    if (!(Number.isSafeInteger(previous) && Number.isSafeInteger(first) && Number.isSafeInteger(last))) continue
    summed += length
    if (summed > LIMITS.damageSearchBytes) return at
    if (!reader.ensure(at, length)) continue
    if (crc32(reader.view(at + FRAME_PREFIX_BYTES, length - FRAME_PREFIX_BYTES)) === reader.u32(at + 4)) return at
  }
  return -1
}
