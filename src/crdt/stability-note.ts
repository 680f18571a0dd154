import { crc32 } from '../base/crc32.js'
import type { Stamp } from '../base/ids.js'
import {
  CONTEXT_ENTRY_BYTES,
  FRAME_FIXED_BYTES,
  FRAME_KIND_STABILITY,
  FRAME_PREFIX_BYTES,
  FRAME_VERSION,
  FrameView,
} from './frame.js'
import { packDotHigh, packDotLow } from '../memory/record.js'
import type { VersionVector } from './version-vector.js'

/**
 * A stability note: a frame of origin 0 without ops whose context says what was causally stable when it was appended to this member's log.
 * Recovery reads the log without hearing from anyone; by the notes it folds edits and forgets the expiries of removed keys where the
 * running member did, instead of keeping all of them until the others report again.
 */
export function stabilityNote(stable: VersionVector, stamp: Stamp): FrameView {
  const entries = [...stable.entries()]
  const bytes = Buffer.alloc(FRAME_FIXED_BYTES + entries.length * CONTEXT_ENTRY_BYTES)
  bytes.writeUInt32LE(bytes.length, 0)
  bytes[8] = FRAME_VERSION
  bytes[9] = FRAME_KIND_STABILITY
  bytes[11] = entries.length
  bytes.writeDoubleLE(stamp, 24)
  bytes.writeDoubleLE(stamp, 32)
  entries.forEach(([member, seen], i) => {
    bytes.writeUInt32LE(packDotHigh(member, seen), FRAME_FIXED_BYTES + i * CONTEXT_ENTRY_BYTES)
    bytes.writeUInt32LE(packDotLow(seen), FRAME_FIXED_BYTES + i * CONTEXT_ENTRY_BYTES + 4)
  })
  bytes.writeUInt32LE(crc32(bytes.subarray(FRAME_PREFIX_BYTES)), 4)
  return new FrameView(bytes)
}

export function isStabilityNote(frame: FrameView): boolean {
  return frame.kind === FRAME_KIND_STABILITY
}
