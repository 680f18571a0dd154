import { allocateBytes, copyBytes } from '../base/bytes.js'

/** Has a buffer that it can do without. */
export interface BufferLender {
  /** True: this buffer is the caller's from now on. */
  surrender(buf: Uint8Array): boolean
}

/**
 * One decoded command as byte ranges of the buffer it arrived in: argument i is buf[off[i] .. off[i] + len[i]). One Request is
 * reused for every command of a connection's batch, so ranges are valid only while the command runs.
 */
export class Request {
  buf: Uint8Array = new Uint8Array(0)
  /** Whose buffer it is, if that may be had; else null. */
  lender: BufferLender | null = null
  /** Arguments, the command's name included. */
  argc = 0
  off = new Int32Array(64)
  len = new Int32Array(64)

  /** Makes room for n arguments; keeps what is there. */
  reserve(n: number): void {
    if (n <= this.off.length) return
    const size = Math.max(n, this.off.length * 2)
    const off = new Int32Array(size)
    const len = new Int32Array(size)
    off.set(this.off)
    len.set(this.len)
    this.off = off
    this.len = len
  }

  /** Appends one argument range. */
  push(off: number, len: number): void {
    const i = this.argc
    if (i === this.off.length) this.reserve(i + 1)
    this.off[i] = off
    this.len[i] = len
    this.argc = i + 1
  }

  /** Moves every range: the bytes now lie elsewhere in the buffer. */
  shift(by: number): void {
    for (let i = 0; i < this.argc; i++) this.off[i] += by
  }

  /** Takes the content of another request, which is empty afterwards and has this one's arrays. Copies nothing. */
  exchange(other: Request): void {
    const { off, len } = this
    this.buf = other.buf
    this.lender = other.lender
    this.argc = other.argc
    this.off = other.off
    this.len = other.len
    other.off = off
    other.len = len
    other.argc = 0
  }

  /**
   * The same with bytes of its own, to be kept. Where the buffer can be had they are not copied: of 20 MB that would take 20 ms. There may be very many
   * arguments, so nothing is made for each of them.
   */
  copy(): Request {
    const { argc, buf, off, len } = this
    const copy = new Request()
    copy.argc = argc
    copy.len = len.slice(0, argc)
    if (this.lender?.surrender(buf) === true) {
      copy.buf = buf
      copy.off = off.slice(0, argc)
      return copy
    }
    let total = 0
    for (let i = 0; i < argc; i++) total += len[i]
    copy.buf = allocateBytes(total)
    copy.off = new Int32Array(argc)
    for (let i = 0, at = 0; i < argc; i++) {
      copy.off[i] = at
      copyBytes(buf, off[i], copy.buf, at, len[i])
      at += len[i]
    }
    return copy
  }

  /** A request from separate arguments: for callers without a socket, and for queued commands. Copies. */
  static of(args: readonly (string | Uint8Array)[]): Request {
    const request = new Request()
    request.setArguments(args)
    return request
  }

  setArguments(args: readonly (string | Uint8Array)[]): void {
    const parts = args.map((arg) => (typeof arg === 'string' ? Buffer.from(arg) : arg))
    const total = parts.reduce((sum, part) => sum + part.length, 0)
    const buf = allocateBytes(total)
    this.buf = buf
    this.lender = null
    this.argc = 0
    this.reserve(parts.length)
    let at = 0
    for (const part of parts) {
      buf.set(part, at)
      this.push(at, part.length)
      at += part.length
    }
  }
}
