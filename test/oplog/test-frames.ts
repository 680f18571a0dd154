import { crc32 } from '../../src/base/crc32.js'
import { FRAME_FIXED_BYTES, FRAME_PREFIX_BYTES, FrameView } from '../../src/crdt/frame.js'

export interface TestFrame {
  origin: number
  previous: number
  first?: number
  last: number
  /** Bytes of ops; the log never looks into them. */
  body?: Uint8Array | number
}

/** A whole, valid frame without a context. */
export function testFrame({ origin, previous, first = previous + 1, last, body = 16 }: TestFrame): FrameView {
  const content = typeof body === 'number' ? new Uint8Array(body).fill(last & 0xff) : body
  const bytes = new Uint8Array(FRAME_FIXED_BYTES + content.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, bytes.length, true)
  bytes[8] = 1
  bytes[9] = 1
  bytes[10] = origin
  view.setUint32(12, 1, true)
  view.setFloat64(16, previous, true)
  view.setFloat64(24, first, true)
  view.setFloat64(32, last, true)
  bytes.set(content, FRAME_FIXED_BYTES)
  view.setUint32(4, crc32(bytes.subarray(FRAME_PREFIX_BYTES)), true)
  return new FrameView(bytes)
}

/** Makes the frames of several origins, each a chain. */
export class FrameChains {
  private readonly last = new Map<number, number>()

  next(origin: number, body: Uint8Array | number = 16): FrameView {
    const previous = this.last.get(origin) ?? 0
    const last = previous + 10
    this.last.set(origin, last)
    return testFrame({ origin, previous, last, body })
  }
}

/** What identifies a frame in a failed expectation. */
export function label(frame: FrameView): string {
  return `${frame.origin}:${frame.last}/${frame.bytes.length}`
}
