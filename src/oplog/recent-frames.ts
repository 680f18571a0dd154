import { assert } from '../base/assert.js'
import { LIMITS } from '../base/limits.js'
import { FrameView } from '../crdt/frame.js'
import { VersionVector } from '../crdt/version-vector.js'

/**
 * The newest frames of the log, kept in memory so that peers which are nearly up to date cost no disk reads. Frames have
 * running numbers, first .. end; the oldest leave when the bytes pass the bound.
 *
 * Frames are copied into one ring of bytes that is written round and round: a buffer for each would keep the garbage collector marking all the
 * time. So a frame that is read here is good only until the next push. A frame of more than an eighth of the ring has a buffer of its own.
 *
 * ```
 * ring   | newest … |<- at      oldest … | left over |
 *          a frame is never split: one that does not fit at the end begins at 0
 * ```
 */
export class RecentFrames {
  /** Everything before `first`: for an origin whose position is at or past this, all later frames are here. */
  readonly before = new VersionVector()
  first = 0
  end = 0
  /** Rings whose length is a power of two; what belongs to frame n is at n modulo the length. */
  private slots: (FrameView | null)[] = new Array<FrameView | null>(64).fill(null)
  /** Where each frame begins in the ring of bytes; -1 when it has its own buffer. */
  private starts = new Int32Array(64)
  /** Positions in the log, behind each frame. */
  private ends = new Float64Array(64)
  private heldBytes = 0
  private ring: Uint8Array | null = null
  private at = 0

  constructor(
    private readonly maxBytes: number,
    before: VersionVector,
  ) {
    this.before.copyFrom(before)
  }

  /** Bytes of the frames that are here. */
  get bytes(): number {
    return this.heldBytes
  }

  /** Copies the frame, behind which the log is at `end`. */
  push(frame: FrameView, end: number): void {
    if (this.end - this.first === this.slots.length) this.grow()
    const slot = this.end & (this.slots.length - 1)
    const { length } = frame.bytes
    if (length * 8 > this.maxBytes) {
      // One that is larger than the ring goes again at once.
      this.slots[slot] = length > this.maxBytes ? frame : frame.lasting()
      this.starts[slot] = -1
    } else {
      this.starts[slot] = this.makeRoom(length)
      const ring = (this.ring ??= new Uint8Array(this.maxBytes))
      ring.set(frame.bytes, this.at)
      this.slots[slot] = new FrameView(ring.subarray(this.at, this.at + length))
      this.at += length
    }
    this.ends[slot] = end
    this.end++
    this.heldBytes += cost(frame)
    while (this.heldBytes > this.maxBytes) this.dropFirst()
  }

  /** Lets all frames go; what comes next comes after `before`. Numbers go on. */
  restart(before: VersionVector): void {
    this.slots.fill(null)
    this.first = this.end
    this.heldBytes = 0
    this.at = 0
    this.before.copyFrom(before)
  }

  /** Good until the next push. */
  frame(index: number): FrameView {
    const frame = index >= this.first && index < this.end ? this.slots[index & (this.slots.length - 1)] : null
    assert(frame !== null, 'the frame is still in memory')
    return frame
  }

  /** Position in the log behind a frame that is here. */
  endOf(index: number): number {
    return this.ends[index & (this.slots.length - 1)]
  }

  /** Moves `at` to where so many bytes have room, letting go of the frames that stood there. */
  private makeRoom(length: number): number {
    const from = this.at
    const wraps = from + length > this.maxBytes
    if (wraps) this.at = 0
    const until = this.at + length
    for (;;) {
      const oldest = this.oldestInRing()
      if (oldest < 0) break
      const start = this.starts[oldest & (this.slots.length - 1)]
      const overlaps = start >= this.at && start < until
      // What was written at the end of the last round goes before what was written at its beginning.
      if (!overlaps && !(wraps && start >= from)) break
      while (this.first <= oldest) this.dropFirst()
    }
    return this.at
  }

  /** Number of the oldest frame that stands in the ring, or -1. */
  private oldestInRing(): number {
    for (let n = this.first; n < this.end; n++) if (this.starts[n & (this.slots.length - 1)] >= 0) return n
    return -1
  }

  private dropFirst(): void {
    const slot = this.first & (this.slots.length - 1)
    const frame = this.slots[slot]
    assert(frame !== null, 'the bytes of an empty ring are 0')
    this.slots[slot] = null
    this.first++
    this.heldBytes -= cost(frame)
    this.before.raise(frame.origin, frame.last)
  }

  private grow(): void {
    const larger = new Array<FrameView | null>(this.slots.length * 2).fill(null)
    const starts = new Int32Array(larger.length)
    const ends = new Float64Array(larger.length)
    for (let n = this.first; n < this.end; n++) {
      larger[n & (larger.length - 1)] = this.slots[n & (this.slots.length - 1)]
      starts[n & (larger.length - 1)] = this.starts[n & (this.slots.length - 1)]
      ends[n & (larger.length - 1)] = this.ends[n & (this.slots.length - 1)]
    }
    this.slots = larger
    this.starts = starts
    this.ends = ends
  }
}

function cost(frame: FrameView): number {
  return frame.bytes.length + LIMITS.recentFrameOverheadBytes
}
