import { assert } from '../base/assert.js'
import { LIMITS } from '../base/limits.js'
import type { FrameView } from '../crdt/frame.js'
import { VersionVector } from '../crdt/version-vector.js'

/**
 * The newest frames of the log, kept in memory so that peers which are nearly up to date cost no disk reads. Frames have
 * running numbers, first .. end; the oldest leave when the bytes pass the bound.
 */
export class RecentFrames {
  /** Everything before `first`: for an origin whose position is at or past this, all later frames are here. */
  readonly before = new VersionVector()
  first = 0
  end = 0
  /** A ring whose length is a power of two; frame n is at n modulo the length. */
  private slots: (FrameView | null)[] = new Array<FrameView | null>(64).fill(null)
  private bytes = 0

  constructor(
    private readonly maxBytes: number,
    before: VersionVector,
  ) {
    this.before.copyFrom(before)
  }

  push(frame: FrameView): void {
    if (this.end - this.first === this.slots.length) this.grow()
    this.slots[this.end & (this.slots.length - 1)] = frame
    this.end++
    this.bytes += cost(frame)
    while (this.bytes > this.maxBytes) this.dropFirst()
  }

  at(index: number): FrameView {
    const frame = index >= this.first && index < this.end ? this.slots[index & (this.slots.length - 1)] : null
    assert(frame !== null, 'the frame is still in memory')
    return frame
  }

  private dropFirst(): void {
    const slot = this.first & (this.slots.length - 1)
    const frame = this.slots[slot]
    assert(frame !== null, 'the bytes of an empty ring are 0')
    this.slots[slot] = null
    this.first++
    this.bytes -= cost(frame)
    this.before.raise(frame.origin, frame.last)
  }

  private grow(): void {
    const larger = new Array<FrameView | null>(this.slots.length * 2).fill(null)
    for (let n = this.first; n < this.end; n++) larger[n & (larger.length - 1)] = this.slots[n & (this.slots.length - 1)]
    this.slots = larger
  }
}

function cost(frame: FrameView): number {
  return frame.bytes.length + LIMITS.recentFrameOverheadBytes
}
