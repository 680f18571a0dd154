import { assert } from '../base/assert.js'
import { allocateBuffer, allocateBytes } from '../base/bytes.js'
import { ByteWriter, writeVarint } from '../base/byte-stream.js'
import { combineCrc32, crc32, extendCrc32 } from '../base/crc32.js'
import { decimalToText } from '../base/decimal.js'
import type { MemberId } from '../base/ids.js'
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
import type { Reset } from './string-state.js'
import type { VersionVector } from './version-vector.js'

const LAST_EFFECT = 0x80
/**
 * Bytes are kept in pieces, each as large as all before it together within these bounds. In few, because V8 counts what is allocated outside of its heap: while
 * it marks garbage every such allocation stops everything for some milliseconds of marking.
 */
const FIRST_PIECE_BYTES = 64 * 1024
const LARGEST_PIECE_BYTES = 4 * 1024 * 1024
/** Bytes that a step of assembling moves. */
const ASSEMBLE_BYTES = 256 * 1024

/**
 * One large op in the making, over many turns of the event loop: effects are written behind one another without being applied, and without stamps, for others
 * may write meanwhile. When all are there, `assemble` puts them into one frame, a step at a time, and `seal` gives it its stamps: that is when the op
 * happens. The frame is then applied like one that came from elsewhere.
 *
 * ```
 * begin (add …) begin (add …) … assemble → seal
 * ```
 */
export class OpBuilder {
  /** Effects so far, the open one included. */
  effects = 0
  private readonly pieces: Uint8Array[] = []
  /** Bytes used of each piece. */
  private readonly ends: number[] = []
  /** The open effect: what comes before the number of its elements, and behind. */
  private readonly head = new ByteWriter()
  private readonly payload = new ByteWriter()
  /** Elements of the open effect; it is written only if it has some. */
  private count = 0
  private isOpen = false
  /** Offset in the last piece of the last effect's type. */
  private lastAt = 0
  /** The frame, with room for a context of so many entries, and the checksum of its ops. */
  private frame: Uint8Array = new Uint8Array(0)
  private contextCount = 0
  private opsChecksum = 0
  /** Where its effects begin in it. */
  private effectsAt = 0

  /** Bytes of the effects that are closed. */
  get bytes(): number {
    let total = 0
    for (const end of this.ends) total += end
    return total
  }

  /** Begins an effect, ending the one before. What comes first in the payload goes to the result; then come elements, if the effect has any. */
  begin(type: number, database: number, key: Uint8Array, off: number, len: number): ByteWriter {
    this.end()
    const head = this.head.reset()
    this.payload.reset()
    this.count = 0
    this.isOpen = true
    this.effects++
    head.u8(type)
    head.varint(database)
    head.range(key, off, len)
    return head
  }

  /** One more element of the open effect: its bytes go to the result. */
  add(): ByteWriter {
    assert(this.isOpen, 'an element of no effect')
    this.count++
    return this.payload
  }

  /** The open effect has as many elements as it should. */
  get isFull(): boolean {
    return this.count >= LIMITS.copyEffectElements || this.payload.length >= LIMITS.copyEffectBytes
  }

  /** Elements of the open effect. */
  get elements(): number {
    return this.count
  }

  /** Assembles the frame, some hundred KiB a step. contextCount: other members in the vector that seal will be given. */
  *assemble(contextCount: number): Generator<undefined, void> {
    this.end()
    assert(this.effects > 0, 'an op without effects')
    const last = this.pieces.length - 1
    this.pieces[last][this.lastAt] |= LAST_EFFECT
    const start = FRAME_FIXED_BYTES + contextCount * CONTEXT_ENTRY_BYTES
    this.contextCount = contextCount
    this.frame = allocateBuffer(start + 1 + this.bytes)
    // The gap before the op: it begins with the frame's first stamp.
    let at = writeVarint(0, this.frame, start)
    this.opsChecksum = crc32(this.frame.subarray(start, at))
    this.effectsAt = at
    yield
    for (let i = 0; i <= last; i++) {
      const piece = this.pieces[i].subarray(0, this.ends[i])
      this.pieces[i] = NOTHING
      for (let from = 0; from < piece.length; from += ASSEMBLE_BYTES) {
        const part = piece.subarray(from, from + ASSEMBLE_BYTES)
        this.frame.set(part, at)
        this.opsChecksum = extendCrc32(this.opsChecksum, part)
        at += part.length
        yield
      }
    }
    assert(at === this.frame.length, 'a frame of another length than its ops')
  }

  /** Of an op that is assembled: its effects, one after the other. */
  get assembled(): Uint8Array {
    return this.frame.subarray(this.effectsAt)
  }

  /** Of an op that is assembled: bytes of its last effect, which is marked as such. */
  get lastEffectBytes(): number {
    return this.ends[this.ends.length - 1] - this.lastAt
  }

  /** Gives the op its stamps: `first` and those that follow. The frame continues `previous`. */
  seal(self: MemberId, applied: VersionVector, previous: number, first: number): FrameView {
    const { frame, contextCount } = this
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
    view.setUint32(0, frame.length, true)
    frame[8] = FRAME_VERSION
    frame[9] = FRAME_KIND_OPS
    frame[10] = self
    frame[11] = contextCount
    view.setUint32(12, 1, true)
    view.setFloat64(16, previous, true)
    view.setFloat64(24, first, true)
    view.setFloat64(32, first + this.effects - 1, true)
    const at = writeContext(view, FRAME_FIXED_BYTES, applied, self)
    assert(at === FRAME_FIXED_BYTES + contextCount * CONTEXT_ENTRY_BYTES, 'the context has grown since the frame was assembled')
    const header = crc32(frame.subarray(FRAME_PREFIX_BYTES, at))
    view.setUint32(4, combineCrc32(header, this.opsChecksum, frame.length - at), true)
    return new FrameView(frame)
  }

  /** Closes the open effect. */
  private end(): void {
    if (!this.isOpen) return
    this.isOpen = false
    const { head, payload, count } = this
    if (count > 0) head.varint(count)
    const size = head.length + payload.length
    let piece = this.pieces.at(-1)
    if (piece === undefined || this.ends[this.ends.length - 1] + size > piece.length) {
      piece = allocateBytes(Math.max(size, Math.min(Math.max(FIRST_PIECE_BYTES, this.bytes), LARGEST_PIECE_BYTES)))
      this.pieces.push(piece)
      this.ends.push(0)
    }
    const at = this.ends[this.ends.length - 1]
    this.lastAt = at
    piece.set(head.bytes.subarray(0, head.length), at)
    piece.set(payload.bytes.subarray(0, payload.length), at + head.length)
    this.ends[this.ends.length - 1] = at + size
  }
}

const NOTHING = new Uint8Array(0)

/** `resets` of docs/formats/effects.md. */
export function writeResets(to: ByteWriter, resets: readonly Reset[]): void {
  to.varint(resets.length)
  for (const { member, epoch, stamp, total } of resets) {
    to.u8(member)
    to.f64(epoch)
    to.f64(stamp)
    // A number as text, which any number may be.
    const text = decimalToText(total)
    to.u8(1)
    to.varint(text.length)
    for (let i = 0; i < text.length; i++) to.u8(text.charCodeAt(i))
  }
}
