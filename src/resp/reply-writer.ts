import { copyBytes, writeInteger } from '../base/bytes.js'

/**
 * Writes RESP2 or RESP3 replies into one growing buffer that is reused for every batch. Source: the RESP2 and RESP3
 * specifications. Types that RESP2 lacks are written as Redis writes them to RESP2 clients (map as flat array, double
 * as bulk string, null as null bulk…). Integers, short bulks and arrays allocate nothing.
 */
const CR = 13
const LF = 10
const INITIAL_BYTES = 64 * 1024
/** A buffer that a huge reply has grown beyond this is let go at the next take(). */
const KEEP_BYTES = 1024 * 1024

export class ReplyWriter {
  buf: Buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES)
  /** Bytes written since the last reset. */
  length = 0
  protocol: 2 | 3 = 2

  /** Forgets what was written from a position on: an error that is found late replaces a reply that has begun. */
  truncate(length: number): void {
    this.length = length
  }

  reset(): void {
    this.length = 0
    if (this.buf.length > KEEP_BYTES) this.buf = Buffer.allocUnsafeSlow(INITIAL_BYTES)
  }

  /** A copy of everything written, and starts anew. */
  take(): Buffer {
    const bytes = Buffer.from(this.buf.subarray(0, this.length))
    this.reset()
    return bytes
  }

  private reserve(bytes: number): void {
    const need = this.length + bytes
    if (need <= this.buf.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(need, this.buf.length * 2))
    grown.set(this.buf.subarray(0, this.length))
    this.buf = grown
  }

  private prefixed(marker: number, value: number): void {
    this.reserve(24)
    const buf = this.buf
    let at = this.length
    buf[at++] = marker
    at += writeInteger(value, buf, at)
    buf[at++] = CR
    buf[at++] = LF
    this.length = at
  }

  private line(marker: string, text: string): void {
    const bytes = Buffer.byteLength(text, 'utf8')
    this.reserve(bytes + 3)
    this.buf[this.length++] = marker.charCodeAt(0)
    this.buf.write(text, this.length, bytes, 'utf8')
    this.length += bytes
    this.buf[this.length++] = CR
    this.buf[this.length++] = LF
  }

  /** Bytes that are RESP already, such as a constant reply. */
  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    copyBytes(bytes, 0, this.buf, this.length, bytes.length)
    this.length += bytes.length
  }

  ok(): void {
    this.reserve(5)
    const buf = this.buf
    const at = this.length
    buf[at] = 43
    buf[at + 1] = 79
    buf[at + 2] = 75
    buf[at + 3] = CR
    buf[at + 4] = LF
    this.length = at + 5
  }

  simpleString(text: string): void {
    this.line('+', text)
  }

  /** Text includes the code, as in 'ERR syntax error'. Line breaks inside become spaces, as in Redis. */
  error(text: string): void {
    this.line('-', text.replace(/[\r\n]/g, ' '))
  }

  integer(value: number): void {
    this.prefixed(58, value)
  }

  bigInteger(value: bigint): void {
    this.line(':', value.toString())
  }

  bulk(from: Uint8Array, off: number, len: number): void {
    this.reserve(len + 32)
    const buf = this.buf
    let at = this.length
    buf[at++] = 36
    at += writeInteger(len, buf, at)
    buf[at++] = CR
    buf[at++] = LF
    copyBytes(from, off, buf, at, len)
    at += len
    buf[at++] = CR
    buf[at++] = LF
    this.length = at
  }

  bulkBytes(bytes: Uint8Array): void {
    this.bulk(bytes, 0, bytes.length)
  }

  bulkString(text: string): void {
    this.bulkBytes(Buffer.from(text, 'utf8'))
  }

  /** An integer as a bulk string. */
  bulkInteger(value: number): void {
    this.bulkString(String(value))
  }

  /** RESP3 null, RESP2 null bulk string. */
  null(): void {
    if (this.protocol === 3) this.line('_', '')
    else this.line('$', '-1')
  }

  /** RESP3 null, RESP2 null array: for an aborted EXEC and timed-out blocking pops. */
  nullArray(): void {
    if (this.protocol === 3) this.line('_', '')
    else this.line('*', '-1')
  }

  array(count: number): void {
    this.prefixed(42, count)
  }

  /** pairs key-value pairs follow. */
  map(pairs: number): void {
    if (this.protocol === 3) this.prefixed(37, pairs)
    else this.prefixed(42, pairs * 2)
  }

  set(count: number): void {
    this.prefixed(this.protocol === 3 ? 126 : 42, count)
  }

  push(count: number): void {
    this.prefixed(this.protocol === 3 ? 62 : 42, count)
  }

  boolean(value: boolean): void {
    if (this.protocol === 3) this.line('#', value ? 't' : 'f')
    else this.integer(value ? 1 : 0)
  }

  /** text is the double in Redis' formatting, made by the caller. */
  double(text: string): void {
    if (this.protocol === 3) this.line(',', text)
    else this.bulkString(text)
  }

  /** format is three letters: txt or mkd. */
  verbatim(format: string, text: string): void {
    if (this.protocol === 2) {
      this.bulkString(text)
      return
    }
    const body = Buffer.from(`${format}:${text}`, 'utf8')
    this.prefixed(61, body.length)
    this.raw(body)
    this.raw(CRLF)
  }
}

const CRLF = Uint8Array.of(CR, LF)
