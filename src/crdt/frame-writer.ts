import { assert } from '../base/assert.js'
import { allocateBytes, allocateLasting, copyBytes, plainBytes } from '../base/bytes.js'
import { crc32, extendCrc32 } from '../base/crc32.js'
import { writeVarint } from '../base/byte-stream.js'
import type { MemberId } from '../base/ids.js'
import { allocateLazily, markShared, markWhole, releasedMemory } from '../base/large-memory.js'
import { LIMITS } from '../base/limits.js'
import {
  CONTEXT_ENTRY_BYTES,
  FRAME_FIXED_BYTES,
  FRAME_KIND_OPS,
  FRAME_PREFIX_BYTES,
  FRAME_VERSION,
  FrameView,
  writeContext,
} from './frame.js'
import type { VersionVector } from './version-vector.js'

/**
 * Builds the frames of this member's own ops in place: ops are written behind one another into a slab, the header is completed when the frame is
 * closed, and the closed frame is a view of the slab, good until recycle(). See docs/formats/frame.md.
 *
 * ```
 * closed --begin--> in op --end--> open --begin--> in op …        open --close--> closed (gives the frame)
 * ```
 *
 * A frame that outgrows the slab goes on in a larger one of its own, which is address space until it is written to. From the middle of that one on, what is there
 * moves to a still larger one while more is written, so no write waits for all of it to be copied.
 *
 * ```
 * slab    | header, effects …        moved |      not moved | written next ->      |
 * larger  | header, effects …        moved |                                       |                        …
 * ```
 */
const SLAB_BYTES = 1024 * 1024
/** What the usual slab has from the first frame on that needs it: values of a megabyte come one after the other. */
const LARGEST_USUAL_BYTES = 4 * 1024 * 1024
const LAST_EFFECT = 0x80
/** Of a frame that is made in steps: checked, or moved, at a time. */
const STEP_BYTES = 256 * 1024

export class FrameWriter {
  /** Where all but large frames are written. */
  private usual = usualSlab(SLAB_BYTES)
  private slab = this.usual
  private view = new DataView(this.slab.buffer)
  /** makeRoom is asked before anything is written behind it: the end of the usual slab, the middle of a larger one, or where more is to be moved. */
  private bound = SLAB_BYTES
  /** Where the open frame goes on when the slab is full, and how many of its bytes are there. */
  private larger: Uint8Array = NO_SLAB
  private moved = 0
  /** Where the frame begins in the slab. */
  private start = 0
  private at = 0
  private opCount = 0
  private first = 0
  /** Last stamp used in the open frame. */
  private last = 0
  /** Last stamp of the frame before. */
  private previous = 0
  private inOp = false
  private effectAt = 0
  /** Of the op that was begun last: where it begins and where its first effect does, its first stamp, and the last one before it. */
  private opAt = 0
  private effectsAt = 0
  private opFirst = 0
  private beforeOp = 0

  constructor(
    private readonly self: MemberId,
    /** The member's live vector: the context of a frame is what it says when the frame is opened. */
    private readonly applied: VersionVector,
  ) {}

  /** True when ops wait in an open frame. */
  get isOpen(): boolean {
    return this.opCount > 0
  }

  /** Last stamp in the open frame. */
  get openLast(): number {
    assert(this.opCount > 0, 'no frame is open')
    return this.last
  }

  /** Bytes of the open frame so far. */
  get openBytes(): number {
    return this.opCount === 0 ? 0 : this.at - this.start
  }

  /** Last stamp of the frame that was closed last: what the next one continues. */
  get previousLast(): number {
    return this.previous
  }

  /** After recovery, or when a frame was made elsewhere: the last stamp of this member's last frame. */
  setPrevious(stamp: number): void {
    assert(this.opCount === 0, 'previous changed under an open frame')
    this.previous = stamp
  }

  /** Begins an op whose first effect has this stamp. */
  beginOp(stamp: number): void {
    assert(!this.inOp, 'op within an op')
    if (this.opCount === 0) this.open(stamp)
    this.reserve(8)
    this.opAt = this.at
    this.at = writeVarint(stamp - (this.opCount === 0 ? this.first : this.last + 1), this.slab, this.at)
    this.effectsAt = this.at
    this.opFirst = stamp
    this.beforeOp = this.last
    this.opCount++
    this.last = stamp - 1
    this.inOp = true
  }

  /** The op that is under way goes on in a frame of its own: closes the frame of the ops before it by `close`, which need not be if there are none. */
  setOpApart(close: () => void): void {
    assert(this.inOp, 'no op to be set apart')
    if (this.opCount === 1) return
    const effects = allocateBytes(this.at - this.effectsAt)
    effects.set(this.slab.subarray(this.effectsAt, this.at))
    const { opFirst, last } = this
    const lastEffect = this.effectAt - this.effectsAt
    this.at = this.opAt
    this.opCount--
    this.last = this.beforeOp
    this.inOp = false
    this.effectAt = 0
    close()
    this.beginOp(opFirst)
    this.putRaw(effects, 0, effects.length)
    this.effectAt = this.effectsAt + lastEffect
    this.last = last
  }

  /**
   * Adds effects to the op that is under way, which have been written elsewhere, some hundred KiB a step. The last one of so many bytes may be marked as that of an op.
   */
  *putEffects(effects: Uint8Array, count: number, lastBytes: number): Generator<undefined, void> {
    assert(this.inOp, 'effects outside an op')
    for (let from = 0; from < effects.length; from += STEP_BYTES) {
      this.putRaw(effects, from, Math.min(STEP_BYTES, effects.length - from))
      yield
    }
    this.effectAt = this.at - lastBytes
    this.setTypeByte(this.slab[this.effectAt] & ~LAST_EFFECT)
    this.last += count
  }

  /** Begins an effect; its payload follows by the put methods. Its stamp follows the previous effect's. */
  beginEffect(type: number, database: number, key: Uint8Array, off: number, len: number): void {
    assert(this.inOp, 'effect outside an op')
    this.reserve(len + 24)
    this.effectAt = this.at
    this.slab[this.at++] = type
    this.at = writeVarint(database, this.slab, this.at)
    this.at = writeVarint(len, this.slab, this.at)
    copyBytes(key, off, this.slab, this.at, len)
    this.at += len
    this.last++
  }

  putByte(value: number): void {
    this.reserve(1)
    this.slab[this.at++] = value
  }

  putVarint(value: number): void {
    this.reserve(8)
    this.at = writeVarint(value, this.slab, this.at)
  }

  putFloat64(value: number): void {
    this.reserve(8)
    this.view.setFloat64(this.at, value, true)
    this.at += 8
  }

  putUint32(value: number): void {
    this.reserve(4)
    this.view.setUint32(this.at, value, true)
    this.at += 4
  }

  /** varint length, then the bytes. */
  putBlock(from: Uint8Array, off: number, len: number): void {
    this.reserve(len + 8)
    this.at = writeVarint(len, this.slab, this.at)
    copyBytes(from, off, this.slab, this.at, len)
    this.at += len
  }

  /** Bytes as they are. */
  putRaw(from: Uint8Array, off: number, len: number): void {
    this.reserve(len)
    copyBytes(from, off, this.slab, this.at, len)
    this.at += len
  }

  /** A safe integer as `number` of docs/formats/effects.md. */
  putInteger(value: number): void {
    this.putByte(0)
    // Zigzag without 64-bit integers; the doubled value stays below 2^54, of which 2^53 values are exact: larger go as text.
    if (value <= MAX_ZIGZAG && value >= -MAX_ZIGZAG) {
      this.putVarint(value >= 0 ? value * 2 : -value * 2 - 1)
    } else {
      this.at--
      this.putText(String(value))
    }
  }

  /** A decimal text as `number` of docs/formats/effects.md. */
  putText(text: string): void {
    this.putByte(1)
    const bytes = plainBytes(Buffer.from(text, 'latin1'))
    this.putBlock(bytes, 0, bytes.length)
  }

  /** Ends the op; it must have an effect. */
  endOp(): void {
    assert(this.inOp && this.effectAt > this.start, 'end of an op without effects')
    this.setTypeByte(this.slab[this.effectAt] | LAST_EFFECT)
    this.inOp = false
    this.effectAt = 0
  }

  /** Of the effect that was begun last, which may have been moved already. */
  private setTypeByte(value: number): void {
    this.slab[this.effectAt] = value
    if (this.effectAt - this.start < this.moved) this.larger[this.effectAt - this.start] = value
  }

  /** Completes the frame. There must be one, and no op under way. */
  close(): FrameView {
    const bytes = this.complete()
    return this.end(bytes, crc32(bytes.subarray(FRAME_PREFIX_BYTES)))
  }

  /** The same for a large frame, some hundred KiB a step. */
  *closeInSteps(): Generator<undefined, FrameView> {
    const bytes = this.complete()
    let checksum = 0
    for (let from = FRAME_PREFIX_BYTES; from < bytes.length; from += STEP_BYTES) {
      checksum = extendCrc32(checksum, bytes.subarray(from, from + STEP_BYTES))
      yield
    }
    return this.end(bytes, checksum)
  }

  /** Writes what the header says of the ops. */
  private complete(): Uint8Array {
    assert(this.opCount > 0 && !this.inOp, 'close of no frame')
    const { view, start } = this
    view.setUint32(start, this.at - start, true)
    view.setUint32(start + 12, this.opCount, true)
    view.setFloat64(start + 32, this.last, true)
    return this.slab.subarray(start, this.at)
  }

  private end(bytes: Uint8Array, checksum: number): FrameView {
    this.view.setUint32(this.start + 4, checksum, true)
    this.previous = this.last
    this.opCount = 0
    // Nothing else is written to the array of a large one.
    if (this.slab !== this.usual && this.start === 0) markWhole(bytes)
    this.start = this.at
    this.larger = NO_SLAB
    this.moved = 0
    return new FrameView(bytes)
  }

  /**
   * The log has taken the frames that were closed so far: their room is written again. A slab a few milliseconds would otherwise keep the garbage
   * collector marking without end (docs/decisions/0009).
   */
  recycle(): void {
    assert(this.opCount === 0 && !this.inOp, 'recycling under an open frame')
    if (this.slab !== this.usual) {
      this.goOnIn(this.usual)
      return
    }
    this.start = 0
    this.at = 0
  }

  /** Writes the header as far as it is known. */
  private open(stamp: number): void {
    // The log has not taken what is there.
    if (this.slab !== this.usual || this.slab.length - this.at < LIMITS.frameTargetBytes * 2) {
      this.usual = usualSlab(this.usual.length)
      this.goOnIn(this.usual)
    }
    this.start = this.at
    this.setBound()
    this.reserve(FRAME_FIXED_BYTES + 256 * CONTEXT_ENTRY_BYTES)
    const { slab, view, start, applied, self } = this
    slab[start + 8] = FRAME_VERSION
    slab[start + 9] = FRAME_KIND_OPS
    slab[start + 10] = self
    view.setFloat64(start + 16, this.previous, true)
    view.setFloat64(start + 24, stamp, true)
    this.at = writeContext(view, start + FRAME_FIXED_BYTES, applied, self)
    slab[start + 11] = (this.at - start - FRAME_FIXED_BYTES) / CONTEXT_ENTRY_BYTES
    this.first = stamp
  }

  private reserve(bytes: number): void {
    if (this.at + bytes > this.bound) this.makeRoom(bytes)
  }

  /** Goes on in a larger slab if the frame and these bytes do not fit, else moves some of the frame to one: two bytes for each that can be written before it is asked again. */
  private makeRoom(bytes: number): void {
    const { slab, start, at } = this
    const length = at - start
    if (slab.length === SLAB_BYTES && length + bytes <= LARGEST_USUAL_BYTES / 2) {
      this.larger = usualSlab(LARGEST_USUAL_BYTES)
      this.usual = this.larger
    } else if (this.larger.length < length + bytes) {
      // Half of it at least is left then, to be written while what is there moves on.
      this.larger = allocateLazily(Math.max(4 * length, 2 * (length + bytes)) + LARGEST_USUAL_BYTES)
      this.moved = 0
    }
    const isFull = at + bytes > slab.length
    const until = isFull ? length : Math.min(length, this.moved + 2 * (bytes + STEP_BYTES))
    this.larger.set(slab.subarray(start + this.moved, start + until), this.moved)
    this.moved = until
    if (isFull) {
      if (this.effectAt > 0) this.effectAt -= start
      this.opAt -= start
      this.effectsAt -= start
      const { larger } = this
      this.goOnIn(larger)
      this.at = length
    } else this.bound = Math.min(slab.length, at + bytes + STEP_BYTES)
  }

  /** From its beginning on. */
  private goOnIn(slab: Uint8Array): void {
    if (this.slab.length > LARGEST_USUAL_BYTES) releasedMemory(this.at)
    this.slab = slab
    this.view = new DataView(slab.buffer)
    this.start = 0
    this.at = 0
    this.larger = NO_SLAB
    this.moved = 0
    this.setBound()
  }

  /** A frame that begins behind the middle is moved when the slab is full. */
  private setBound(): void {
    const { length } = this.slab
    const middle = length >>> 1
    this.bound = length === SLAB_BYTES || this.start >= middle ? length : middle
  }
}

function usualSlab(bytes: number): Uint8Array {
  const slab = allocateLasting(bytes)
  markShared(slab)
  return slab
}

const NO_SLAB = new Uint8Array(0)
const MAX_ZIGZAG = 2 ** 52 - 1
