import { crc32 } from '../base/crc32.js'
import { MeridianError } from '../base/errors.js'
import { isAlone } from '../base/large-memory.js'
import { LIMITS } from '../base/limits.js'
import { MAX_MEMBER_ID, type MemberId, type Stamp } from '../base/ids.js'
import { TWO_32 } from '../base/words.js'
import type { VersionVector } from './version-vector.js'

/**
 * Header of a frame; see docs/formats/frame.md for the layout. The ops inside are read by op-codec.
 */
export const FRAME_VERSION = 1
export const FRAME_KIND_OPS = 1
/** What was causally stable at this place in a log; see stability-note. Never crosses a link. */
export const FRAME_KIND_STABILITY = 2
export const FRAME_FIXED_BYTES = 40
export const CONTEXT_ENTRY_BYTES = 8
/** length and checksum: what must be read before a frame's size and integrity can be known. */
export const FRAME_PREFIX_BYTES = 8

/** Bytes of the frame that starts at offset, from its first four bytes. */
export function frameLength(bytes: Uint8Array, offset = 0): number {
  return (bytes[offset] | (bytes[offset + 1] << 8) | (bytes[offset + 2] << 16) | (bytes[offset + 3] << 24)) >>> 0
}

/** Writes the context of a member's frame from `at` on: of every other member that it has seen something of, the last. Gives where it ends. */
export function writeContext(view: DataView, at: number, applied: VersionVector, self: MemberId): number {
  const { stamps } = applied
  let end = at
  for (let member = 1; member < stamps.length; member++) {
    const seen = stamps[member]
    if (seen === 0 || member === self) continue
    view.setUint32(end, ((member << 21) | (seen / TWO_32)) >>> 0, true)
    view.setUint32(end + 4, seen >>> 0, true)
    end += CONTEXT_ENTRY_BYTES
  }
  return end
}

/** The fields of a frame's header, and the frame's own bytes. */
export class FrameView {
  private readonly view: DataView

  constructor(readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** The frame in memory of its own. (A Buffer's slice would share it.) */
  copy(): FrameView {
    return new FrameView(new Uint8Array(this.bytes))
  }

  /** The frame in memory that nobody writes again: this one if it has its memory for itself, as large ones do, else a copy. */
  lasting(): FrameView {
    return isAlone(this.bytes) ? this : this.copy()
  }

  get checksum(): number {
    return this.view.getUint32(4, true)
  }
  get version(): number {
    return this.bytes[8]
  }
  get kind(): number {
    return this.bytes[9]
  }
  get origin(): MemberId {
    return this.bytes[10] as MemberId
  }
  get contextCount(): number {
    return this.bytes[11]
  }
  get opCount(): number {
    return this.view.getUint32(12, true)
  }
  /** One op of many effects, as commands in slices write them: stamps of one op follow one another. */
  get isLongOp(): boolean {
    return this.opCount === 1 && this.last - this.first >= LIMITS.slicedFrameEffects
  }
  get previous(): Stamp {
    return this.view.getFloat64(16, true) as Stamp
  }
  get first(): Stamp {
    return this.view.getFloat64(24, true) as Stamp
  }
  get last(): Stamp {
    return this.view.getFloat64(32, true) as Stamp
  }
  /** Where the ops begin. */
  get opsOffset(): number {
    return FRAME_FIXED_BYTES + this.contextCount * CONTEXT_ENTRY_BYTES
  }

  /** Member id of context entry i. */
  contextMember(i: number): MemberId {
    return (this.view.getUint32(FRAME_FIXED_BYTES + i * CONTEXT_ENTRY_BYTES, true) >>> 21) as MemberId
  }

  contextStamp(i: number): Stamp {
    const at = FRAME_FIXED_BYTES + i * CONTEXT_ENTRY_BYTES
    return ((this.view.getUint32(at, true) & 0x1fffff) * TWO_32 + this.view.getUint32(at + 4, true)) as Stamp
  }

  /** True when everything the origin had seen of others is in the vector. */
  contextCoveredBy(vector: VersionVector): boolean {
    for (let i = 0; i < this.contextCount; i++) {
      if (!vector.covers(this.contextMember(i), this.contextStamp(i))) return false
    }
    return true
  }

  /** True when its origin had seen everything in the vector when it made it. */
  hasSeen(vector: VersionVector): boolean {
    for (const [member, stamp] of vector.entries()) {
      const seen = member === this.origin ? this.previous : this.contextOf(member)
      if (seen < stamp) return false
    }
    return true
  }

  private contextOf(member: number): number {
    for (let i = 0; i < this.contextCount; i++) if (this.contextMember(i) === member) return this.contextStamp(i)
    return 0
  }
}

/**
 * Checks a frame's header and checksum before anything believes it. The bytes must be exactly one frame. checksum: what its bytes behind the prefix come to,
 * if that is known.
 * @throws MeridianError MRD_FRAME; MRD_LOG_VERSION when the frame's version is not known here.
 */
export function parseFrame(bytes: Uint8Array, checksum?: number): FrameView {
  const fail = (what: string): never => {
    throw new MeridianError(
      'MRD_FRAME',
      `Malformed frame: ${what}`,
      'The sender or the file is damaged; nothing of the frame was applied.',
    )
  }
  if (bytes.length < FRAME_FIXED_BYTES) fail(`${bytes.length} bytes, less than a header`)
  if (frameLength(bytes) !== bytes.length) fail(`says ${frameLength(bytes)} bytes, has ${bytes.length}`)
  if (bytes.length > LIMITS.maxFrameBytes) fail(`${bytes.length} bytes, over the limit of ${LIMITS.maxFrameBytes}`)
  const frame = new FrameView(bytes)
  if ((checksum ?? crc32(bytes.subarray(FRAME_PREFIX_BYTES))) !== frame.checksum) fail('checksum mismatch')
  if (frame.version !== FRAME_VERSION) {
    throw new MeridianError(
      'MRD_LOG_VERSION',
      `Frame version ${frame.version}, this server reads version ${FRAME_VERSION}`,
      'Upgrade this server to the version that wrote it.',
    )
  }
  const isNote = frame.kind === FRAME_KIND_STABILITY
  if (frame.kind !== FRAME_KIND_OPS && !isNote) fail(`kind ${frame.kind} is not known`)
  if ((frame.origin === 0) !== isNote) fail(`origin ${frame.origin} in a frame of kind ${frame.kind}`)
  if (frame.opsOffset > bytes.length) fail('context longer than the frame')
  if ((frame.opCount === 0) !== isNote) fail(`${frame.opCount} ops in a frame of kind ${frame.kind}`)
  const { previous, first, last } = frame
  if (!(Number.isSafeInteger(previous) && Number.isSafeInteger(first) && Number.isSafeInteger(last)))
    fail('stamp is not an integer')
  if (!(previous >= 0 && first > previous && last >= first)) fail(`stamps out of order: ${previous}, ${first}, ${last}`)
  let before = 0
  for (let i = 0; i < frame.contextCount; i++) {
    const member = frame.contextMember(i)
    if (member <= before || member > MAX_MEMBER_ID || member === frame.origin) fail(`context entry ${i} names member ${member}`)
    before = member
  }
  return frame
}
