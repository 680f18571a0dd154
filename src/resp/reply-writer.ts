import { allocateBytes, copyBytes, eachPiece, hasStrayBytes, plainBytes, writeInteger } from '../base/bytes.js'

/**
 * Writes RESP2 or RESP3 replies into one growing buffer that is reused for every batch. Source: the RESP2 and RESP3
 * specifications. Types that RESP2 lacks are written as Redis writes them to RESP2 clients (map as flat array, double
 * as bulk string, null as null bulk…). Integers, short bulks and arrays allocate nothing.
 */
const CR = 13
const LF = 10
const ZERO = 48
const INITIAL_BYTES = 64 * 1024
/** A buffer that huge replies have grown beyond this is let go at the next reset. */
const KEEP_BYTES = 4 * 1024 * 1024
/** Up to here a loop over a text beats Buffer.write (measured: about 1 ns a character against 80 ns a call). */
const LOOP_CHARS = 80
const NULL = plainBytes(Buffer.from('_\r\n'))
const NULL_BULK = plainBytes(Buffer.from('$-1\r\n'))
const NULL_ARRAY = plainBytes(Buffer.from('*-1\r\n'))
const KEPT_VIEWS = 64
const NOTHING = new Uint8Array(0)
const LINE_BREAK = /[\r\n]/
const LINE_BREAKS = /[\r\n]/g

export class ReplyWriter {
  buf = allocateBytes(INITIAL_BYTES)
  private readonly views = new Array<Uint8Array>(KEPT_VIEWS).fill(NOTHING)
  /** Views given out since the last reset. */
  private given = 0
  /** Bytes written since the last reset. */
  length = 0
  protocol: 2 | 3 = 2

  /** Forgets what was written from a position on: an error that is found late replaces a reply that has begun. */
  truncate(length: number): void {
    this.length = length
  }

  reset(): void {
    this.length = 0
    this.given = 0
    if (this.buf.length > KEEP_BYTES) this.replaceBuf(allocateBytes(INITIAL_BYTES))
  }

  /** As reset, but leaves the buffer to whoever still reads from it (a socket write under way). */
  surrender(): void {
    this.length = 0
    this.given = 0
    this.replaceBuf(allocateBytes(INITIAL_BYTES))
  }

  /** A copy of everything written, and starts anew. */
  take(): Buffer {
    const bytes = Buffer.from(this.range(0, this.length))
    this.reset()
    return bytes
  }

  /**
   * What was written from start to end; not a copy. Where replies are as long as before, so are ranges, one after the other: a view that was made for the range
   * of the same number is found again, for making one takes 100 ns.
   */
  range(start: number, end: number): Uint8Array {
    const length = end - start
    const place = this.given++ & (KEPT_VIEWS - 1)
    const kept = this.views[place]
    if (kept !== NOTHING && kept.byteOffset === start && kept.length === length) return kept
    return (this.views[place] = new Uint8Array(this.buf.buffer, start, length))
  }

  private reserve(bytes: number): void {
    const need = this.length + bytes
    if (need <= this.buf.length) return
    const grown = allocateBytes(Math.max(need, this.buf.length * 2))
    grown.set(this.buf.subarray(0, this.length))
    this.replaceBuf(grown)
  }

  private replaceBuf(buf: Uint8Array): void {
    this.buf = buf
    this.views.fill(NOTHING)
  }

  private prefixed(marker: number, value: number): void {
    this.reserve(24)
    const buf = this.buf
    let at = this.length
    buf[at++] = marker
    if (value >= 0 && value < 10) buf[at++] = ZERO + value
    else at += writeInteger(value, buf, at)
    buf[at++] = CR
    buf[at++] = LF
    this.length = at
  }

  /** Appends text as UTF-8. Short ASCII, which is nearly all of it, does not leave JavaScript. */
  private text(text: string): void {
    const length = text.length
    this.reserve(length * 3)
    const buf = this.buf
    const from = this.length
    if (length <= LOOP_CHARS) {
      let i = 0
      for (; i < length; i++) {
        const unit = text.charCodeAt(i)
        if (unit > 127) break
        buf[from + i] = unit
      }
      if (i === length) {
        this.length = from + length
        return
      }
    }
    this.length = from + Buffer.from(buf.buffer).write(text, from, 'utf8')
  }

  private line(marker: number, text: string): void {
    this.reserve(1)
    this.buf[this.length++] = marker
    this.text(text)
    this.lineEnd()
  }

  private lineEnd(): void {
    this.reserve(2)
    this.buf[this.length] = CR
    this.buf[this.length + 1] = LF
    this.length += 2
  }

  /** Bytes that are RESP already, such as a constant reply. */
  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    copyBytes(plainBytes(bytes), 0, this.buf, this.length, bytes.length)
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
    this.line(43, text)
  }

  /** Text includes the code, as in 'ERR syntax error'; it may be of faithfulUtf8. Line breaks inside become spaces, as in Redis. */
  error(text: string): void {
    const line = LINE_BREAK.test(text) ? text.replace(LINE_BREAKS, ' ') : text
    if (!hasStrayBytes(line)) {
      this.line(45, line)
      return
    }
    this.reserve(1)
    this.buf[this.length++] = 45
    const stray = (byte: number): void => {
      this.reserve(1)
      this.buf[this.length++] = byte
    }
    eachPiece(line, (piece) => this.text(piece), stray)
    this.lineEnd()
  }

  integer(value: number): void {
    this.prefixed(58, value)
  }

  bigInteger(value: bigint): void {
    this.line(58, value.toString())
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

  /** A bulk string of so many bytes follows, piece by piece (raw), and then bulkEnd. */
  bulkHead(length: number): void {
    this.prefixed(36, length)
  }

  bulkEnd(): void {
    this.lineEnd()
  }

  bulkBytes(bytes: Uint8Array): void {
    this.bulk(bytes, 0, bytes.length)
  }

  bulkString(text: string): void {
    this.prefixed(36, Buffer.byteLength(text, 'utf8'))
    this.text(text)
    this.lineEnd()
  }

  /** An integer as a bulk string. */
  bulkInteger(value: number): void {
    this.reserve(32)
    const buf = this.buf
    const at = this.length
    // The digits go where a header of one digit lets them begin; only a number of ten digits or more is written again, one byte on.
    const digits = writeInteger(value, buf, at + 4)
    let end = at + 1
    buf[at] = 36
    if (digits >= 10) buf[end++] = ZERO + 1
    buf[end++] = ZERO + (digits % 10)
    buf[end++] = CR
    buf[end++] = LF
    if (digits >= 10) writeInteger(value, buf, end)
    end += digits
    buf[end++] = CR
    buf[end++] = LF
    this.length = end
  }

  /** RESP3 null, RESP2 null bulk string. */
  null(): void {
    this.raw(this.protocol === 3 ? NULL : NULL_BULK)
  }

  /** RESP3 null, RESP2 null array: for an aborted EXEC and timed-out blocking pops. */
  nullArray(): void {
    this.raw(this.protocol === 3 ? NULL : NULL_ARRAY)
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
    if (this.protocol === 3) this.line(35, value ? 't' : 'f')
    else this.integer(value ? 1 : 0)
  }

  /** An integer of any size: RESP3 big number, RESP2 bulk string. For :integers use bigInteger. */
  bigNumber(text: string): void {
    if (this.protocol === 3) this.line(40, text)
    else this.bulkString(text)
  }

  /** text is the double in Redis' formatting, made by the caller. */
  double(text: string): void {
    if (this.protocol === 3) this.line(44, text)
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
    this.lineEnd()
  }
}
