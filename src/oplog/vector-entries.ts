import type { MemberId, Stamp } from '../base/ids.js'
import { TWO_32 } from '../base/words.js'
import { VersionVector } from '../crdt/version-vector.js'

/**
 * The entries of a version vector as they stand in segment headers and snapshots: u32 (member id << 21) | (stamp >>> 32), u32 stamp & 0xffffffff.
 * How many there are is written elsewhere.
 */
export const VECTOR_ENTRY_BYTES = 8

/** Writes the entries from `at` on; gives where they end. */
export function putVector(view: DataView, at: number, entries: readonly (readonly [MemberId, Stamp])[]): number {
  for (const [member, stamp] of entries) {
    view.setUint32(at, ((member << 21) | Math.floor(stamp / TWO_32)) >>> 0, true)
    view.setUint32(at + 4, stamp % TWO_32, true)
    at += VECTOR_ENTRY_BYTES
  }
  return at
}

/** Reads so many entries from `at` on; the caller has checked that they are there. */
export function readVector(view: DataView, at: number, entries: number): VersionVector {
  const vector = new VersionVector()
  for (let i = 0; i < entries; i++, at += VECTOR_ENTRY_BYTES) {
    const high = view.getUint32(at, true)
    vector.raise((high >>> 21) as MemberId, ((high & 0x1fffff) * TWO_32 + view.getUint32(at + 4, true)) as Stamp)
  }
  return vector
}
