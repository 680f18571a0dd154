import { allocateBytes, copyBytes } from '../base/bytes.js'
import { Request } from './request.js'

const SMALLEST_BLOCK_BYTES = 512
const LARGEST_BLOCK_BYTES = 256 * 1024
/** A request that is larger keeps its own bytes, which are not copied where they can be had. */
const LARGE_BYTES = 32 * 1024
/** Lengths of arguments are written in so many bytes. */
const LENGTH_BYTES = 4

/**
 * Requests that wait to be run one after the other, as bytes in few blocks: an object for each, with its arrays, of a transaction of 100,000 would make every garbage
 * collection take 10 to 200 ms while it is queued.
 *
 * ```
 * request   number of arguments u32 | length of each u32 … | bytes of each …
 * ```
 */
export class QueuedRequests {
  length = 0
  private readonly parts: (Block | Request)[] = []

  /** Keeps a copy. */
  push(request: Request): void {
    const { argc, buf, off, len } = request
    this.length++
    let bytes = (argc + 1) * LENGTH_BYTES
    for (let i = 0; i < argc; i++) bytes += len[i]
    if (bytes > LARGE_BYTES) {
      this.parts.push(request.copy())
      return
    }
    let block = this.parts.at(-1)
    if (!(block instanceof Block) || block.end + bytes > block.bytes.length) {
      const before = block instanceof Block ? block.bytes.length * 4 : 0
      block = new Block(Math.max(bytes, Math.min(LARGEST_BLOCK_BYTES, Math.max(SMALLEST_BLOCK_BYTES, before))))
      this.parts.push(block)
    }
    let at = block.put(block.end, argc)
    for (let i = 0; i < argc; i++) at = block.put(at, len[i])
    for (let i = 0; i < argc; i++) {
      copyBytes(buf, off[i], block.bytes, at, len[i])
      at += len[i]
    }
    block.end = at
  }

  /** Reads them in their order. */
  reader(): QueuedReader {
    return new QueuedReader(this.parts)
  }
}

/** Gives one request after the other; each is good until the next one. */
export class QueuedReader {
  private part = 0
  private at = 0
  private readonly request = new Request()

  constructor(private readonly parts: readonly (Block | Request)[]) {}

  /** Null when there are no more. */
  next(): Request | null {
    const { parts, request } = this
    let part = parts.at(this.part)
    if (part instanceof Block && this.at === part.end) {
      this.at = 0
      part = parts.at(++this.part)
    }
    if (this.part === parts.length || part === undefined) return null
    if (part instanceof Request) {
      this.part++
      return part
    }
    const argc = part.get(this.at)
    let at = this.at + (argc + 1) * LENGTH_BYTES
    request.buf = part.bytes
    request.argc = 0
    request.reserve(argc)
    for (let i = 0; i < argc; i++) {
      const length = part.get(this.at + (i + 1) * LENGTH_BYTES)
      request.push(at, length)
      at += length
    }
    this.at = at
    return request
  }
}

class Block {
  readonly bytes: Uint8Array
  end = 0
  private readonly view: DataView

  constructor(size: number) {
    this.bytes = allocateBytes(size)
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, size)
  }

  put(at: number, value: number): number {
    this.view.setUint32(at, value, true)
    return at + LENGTH_BYTES
  }

  get(at: number): number {
    return this.view.getUint32(at, true)
  }
}
