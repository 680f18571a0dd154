import type { MemberId, Stamp } from '../base/ids.js'
import { LIMITS } from '../base/limits.js'
import { FRAME_FIXED_BYTES } from '../crdt/frame.js'
import { VersionVector } from '../crdt/version-vector.js'
import type { Disk } from '../ports/disk.js'
import { BlockReader } from './block-reader.js'
import { findWholeFrame } from './frame-search.js'

/** Whole frames behind a damaged place: what is lost when the log is cut there. */
export class LostFrames {
  bytes = 0
  frames = 0
  /** First and last stamp of each member. */
  readonly stamps = new Map<MemberId, { first: Stamp; last: Stamp }>()

  /** Adds what stands in a file from an offset on, whole or not. */
  addFile(disk: Disk, path: string, offset: number): void {
    const file = disk.openRead(path)
    const reader = new BlockReader(file, LIMITS.logReadBlockBytes)
    const end = file.size()
    this.bytes += Math.max(0, end - offset)
    for (let at = offset; at < end;) {
      at = findWholeFrame(reader, at, end, NOTHING)
      if (at < 0) break
      reader.ensure(at, FRAME_FIXED_BYTES)
      this.add(reader.u8(at + 10) as MemberId, reader.f64(at + 24) as Stamp, reader.f64(at + 32) as Stamp)
      at += reader.u32(at)
    }
    reader.close()
  }

  /** `12 frames: member 1 stamps 5..9, member 2 stamps 7..8`. */
  toString(): string {
    const members = [...this.stamps].map(([member, { first, last }]) => `member ${member} stamps ${first} to ${last}`)
    return `${this.bytes} bytes, ${this.frames} whole frames${members.length > 0 ? `: ${members.join(', ')}` : ''}`
  }

  private add(origin: MemberId, first: Stamp, last: Stamp): void {
    this.frames++
    const known = this.stamps.get(origin)
    if (known === undefined) this.stamps.set(origin, { first, last })
    else if (last > known.last) known.last = last
  }
}

const NOTHING = new VersionVector()
