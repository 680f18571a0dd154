import { assert } from '../base/assert.js'
import { ARGUMENTS_AHEAD, MOST_AHEAD, type ArgumentsAhead } from '../base/arguments-ahead.js'
import { allocateBytes, copyBytes, parseInteger, parseInteger64 } from '../base/bytes.js'
import { allocateLazily, releasedMemory } from '../base/large-memory.js'
import { LIMITS } from '../base/limits.js'
import { splitInline } from './inline-arguments.js'
import { Request, type BufferLender } from './request.js'

/**
 * Incremental, bounded decoder of requests: RESP arrays of bulk strings, and inline commands. What is accepted, refused and skipped,
 * and the words of every refusal, are those of Redis (redis.io/docs, protocol specification; behaviour of redis-server 7).
 *
 * Commands that are complete in the received bytes are decoded there: nothing is copied, nothing allocated. Only an incomplete
 * rest is copied to the decoder's own buffer, and the state of the scan is kept, so each byte is scanned once and copied a
 * bounded number of times, however the input is cut.
 *
 *   feed(bytes, from, to)    the received bytes, which may be reused after retain()
 *   next(request)            until it gives false; then look at `error`, and at `isPaused`
 *   retain()                 keeps what has not been decoded
 *
 * A command of very many arguments is decoded some of them a call, so that its caller can look at the clock.
 */
export interface RequestLimits {
  /** Longest bulk argument; proto-max-bulk-len. */
  maxBulkBytes: number
  maxArguments: number
}

const CR = 13
const LF = 10
const STAR = 42
const DOLLAR = 36
const ZERO = 48

/** Results of reading a length line that is no length. */
const INCOMPLETE = -1
const INVALID = -2
const NEGATIVE = -3

/** Digits that are exact in the fast path; longer numbers take the slow one. */
const FAST_DIGITS = 15
const UNAUTHENTICATED_ARGUMENTS = 10
const UNAUTHENTICATED_BULK_BYTES = 16384
const SMALLEST_BUFFER_BYTES = 1024
/** An announced bulk reserves its room at once up to here; beyond it, at most four times what has really arrived, until that is much. */
const RESERVE_AT_ONCE_BYTES = 64 * 1024
const RESERVE_FACTOR = 4
/**
 * When so much of a bulk has arrived it gets all of its room: that takes memory only as it is written to, and growing by steps would copy half of tens of
 * megabytes in one go, 10 ms and more.
 */
const RESERVE_ALL_FROM_BYTES = 1024 * 1024
/** The same for a command of very many arguments, whose length nobody announces: room for so many times what has arrived, and no more than so much besides. */
const RESERVE_MANY_FACTOR = 64
const RESERVE_MANY_BYTES = 512 * 1024 * 1024
/** A drained buffer larger than this is let go. */
const KEEP_BYTES = 128 * 1024
const NOTHING = new Uint8Array(0)

export class RequestDecoder implements BufferLender {
  /** The words after 'Protocol error: ' once the client broke the protocol; nothing is decoded from then on. */
  error: string | null = null
  /** next() gave false although more of the command is there: it may be asked again at once, or later. */
  isPaused = false
  /** Set while the client must not yet send large commands. */
  unauthenticated = false

  /** What is being decoded: the bytes that were fed, or `own`. */
  private buf: Uint8Array = NOTHING
  /** First byte of the command being decoded. Everything before it is done with. */
  private start = 0
  /** Where the command begins that was asked for last. */
  private lastStart = 0
  /** Next byte to decode; start <= pos <= end. */
  private pos = 0
  private end = 0
  private own: Uint8Array = NOTHING
  /** Up to where `own` has been written to. */
  private reached = 0

  /** Arguments of the present command that are still to come; 0 between commands. */
  private missing = 0
  /** Announced length of the bulk being read, or -1 when its length line is still to come. */
  private bulkLength = -1
  /** Bytes from pos on that are known to hold no line end. */
  private scanned = 0
  /** Has the commands that come next, unless another decoder has taken it. */
  private ahead: ArgumentsAhead | null = null
  /** Ranges of the present command so far, when it did not come in one piece. */
  private partial: Request | null = null

  constructor(private readonly limits: RequestLimits = LIMITS) {}

  /** Bytes received and not yet decoded into a finished command. */
  get pendingBytes(): number {
    return this.end - this.start
  }

  /** As pendingBytes, with the command that next() has just given out. */
  get inputBytes(): number {
    return this.end - this.lastStart
  }

  /** Bytes of the decoder's own buffer, used or free; of one that was reserved for a large bulk those that have been written to, for the others take no memory. */
  get bufferBytes(): number {
    return this.own.length > RESERVE_ALL_FROM_BYTES * RESERVE_FACTOR ? this.reached : this.own.length
  }

  /** Nothing is left of what was fed. */
  get drained(): boolean {
    return this.start === this.end
  }

  /** Takes bytes[from .. to). They must stay as they are until retain(), and so must the ranges that next() gave out. */
  feed(bytes: Uint8Array, from: number, to: number): void {
    if (this.start === this.end) {
      this.buf = bytes
      this.start = this.pos = from
      this.end = to
      this.scanned = 0
      return
    }
    assert(this.buf === this.own, 'feed without retain')
    this.append(bytes, from, to)
  }

  /** Decodes the next command into request. False when none is complete, or when the protocol was broken: see `error`. */
  next(request: Request): boolean {
    if (this.error !== null) return false
    this.lastStart = this.start
    const { ahead } = this
    if (ahead !== null) {
      if (ahead.owner === this && ahead.next < ahead.count && !this.unauthenticated) {
        this.takeAhead(ahead, request)
        return true
      }
      this.forgetAhead(ahead)
    }
    if (this.missing > 0) return this.resume(request)
    while (this.pos < this.end) {
      request.argc = 0
      request.buf = this.buf
      request.lender = this.buf === this.own ? this : null
      if (this.buf[this.pos] !== STAR) {
        if (!this.inline(request)) return false
        this.start = this.pos
        if (request.argc > 0) return true
        continue
      }
      const count = this.shortCount() || this.lengthLine('too big mbulk count string')
      if (count === INCOMPLETE) return false
      if (count === INVALID || count > this.limits.maxArguments) return this.fail('invalid multibulk length')
      if (count > UNAUTHENTICATED_ARGUMENTS && this.unauthenticated) return this.fail('unauthenticated multibulk length')
      if (count <= 0) {
        this.start = this.pos
        continue
      }
      this.missing = count
      if (this.readBulks(request)) return true
      if (this.error === null) this.keepRanges(request)
      return false
    }
    return false
  }

  /** Reads a whole count line of one digit, as nearly all are, and moves behind it; 0 when it is another. */
  private shortCount(): number {
    const { buf, pos } = this
    if (pos + 4 > this.end || buf[pos + 2] !== CR) return 0
    const digit = buf[pos + 1] - ZERO
    if (digit <= 0 || digit > 9) return 0
    this.pos = pos + 4
    this.scanned = 0
    return digit
  }

  /**
   * Decodes the commands that come next, as far as they are whole and of the usual form, and gives them out by `next` afterwards. They stand in `ahead`, which is everybody's:
   * what another decoder has put in its place meanwhile is decoded again.
   */
  peek(ahead: ArgumentsAhead): void {
    ahead.forget()
    this.ahead = null
    if (this.missing > 0 || this.unauthenticated || this.error !== null) return
    const { buf, end } = this
    const { maxBulkBytes } = this.limits
    const { offs, lens } = ahead
    let pos = this.pos
    let count = 0
    for (; count < MOST_AHEAD; count++) {
      if (pos + 4 > end || buf[pos] !== STAR || buf[pos + 2] !== CR) break
      const argc = buf[pos + 1] - ZERO
      if (argc <= 0 || argc > ARGUMENTS_AHEAD) break
      pos += 4
      const first = count * ARGUMENTS_AHEAD
      let i = 0
      for (; i < argc; i++) {
        // The fast path of readBulks.
        let at = pos + 1
        let bytes = 0
        let digit = at < end ? buf[at] - ZERO : -1
        while (digit >= 0 && digit <= 9) {
          bytes = bytes * 10 + digit
          at++
          digit = at < end ? buf[at] - ZERO : -1
        }
        const digits = at - pos - 1
        if (at + bytes + 4 > end || buf[at] !== CR || buf[pos] !== DOLLAR || bytes > maxBulkBytes) break
        if (digits !== 1 && (digits === 0 || digits > FAST_DIGITS || buf[pos + 1] === ZERO)) break
        offs[first + i] = at + 2
        lens[first + i] = bytes
        pos = at + bytes + 4
      }
      if (i < argc) break
      for (; i < ARGUMENTS_AHEAD; i++) offs[first + i] = lens[first + i] = 0
      ahead.argc[count] = argc
      ahead.end[count] = pos
    }
    if (count === 0) return
    ahead.buf = buf
    ahead.count = count
    ahead.owner = this
    this.ahead = ahead
  }

  private forgetAhead(ahead: ArgumentsAhead): void {
    if (ahead.owner === this) ahead.owner = null
    this.ahead = null
  }

  /** Gives the next of the commands out that `peek` has decoded. */
  private takeAhead(ahead: ArgumentsAhead, request: Request): void {
    const command = ahead.next++
    const { offs, lens } = ahead
    const argc = ahead.argc[command]
    const first = command * ARGUMENTS_AHEAD
    const { off, len } = request
    for (let i = 0; i < argc; i++) {
      off[i] = offs[first + i]
      len[i] = lens[first + i]
    }
    request.argc = argc
    request.buf = this.buf
    request.lender = this.buf === this.own ? this : null
    this.start = this.pos = ahead.end[command]
    this.scanned = 0
  }

  /** Copies what is not decoded yet, because the bytes that were fed will be reused. */
  retain(): void {
    if (this.ahead !== null) this.forgetAhead(this.ahead)
    if (this.error !== null) this.start = this.pos = this.end
    if (this.start === this.end) {
      if (this.own.length > KEEP_BYTES) this.replaceOwn(NOTHING)
      this.buf = this.own
      this.start = this.pos = this.end = 0
      return
    }
    if (this.buf === this.own) return
    const rest = this.end - this.start
    if (this.own.length < rest) {
      this.replaceOwn(allocate(this.roomFor(rest)))
    }
    copyBytes(this.buf, this.start, this.own, 0, rest)
    this.buf = this.own
    this.moveToFront(rest)
  }

  /** A buffer that would be let go anyway, because a large command was all that was in it. */
  surrender(buf: Uint8Array): boolean {
    if (buf !== this.own || !this.drained || this.own.length <= KEEP_BYTES || this.lastStart !== 0) return false
    this.replaceOwn(NOTHING)
    return true
  }

  /** Lets the buffers of an idle connection go. */
  shrink(): void {
    if (!this.drained || this.buf !== this.own) return
    this.replaceOwn(NOTHING)
    this.buf = NOTHING
    this.start = this.pos = this.end = 0
    this.partial = null
  }

  /** The present command now starts at 0 of `own`. */
  private moveToFront(rest: number): void {
    const by = this.start
    if (by > 0 && this.partial !== null && this.missing > 0) this.partial.shift(-by)
    this.pos -= by
    this.start = 0
    this.end = rest
    this.reached = Math.max(this.reached, rest)
  }

  private append(bytes: Uint8Array, from: number, to: number): void {
    const rest = this.end - this.start
    const length = to - from
    if (this.end + length > this.own.length) {
      // Moving is worth it only when it frees at least what it moves: so the moves stay linear in what was received.
      if (rest + length <= this.own.length && this.start >= rest) {
        this.own.copyWithin(0, this.start, this.end)
      } else {
        const grown = allocate(this.roomFor(rest + length))
        grown.set(this.own.subarray(this.start, this.end))
        this.replaceOwn(grown)
      }
      this.buf = this.own
      this.moveToFront(rest)
    }
    copyBytes(bytes, from, this.own, this.end, length)
    this.end += length
    this.reached = Math.max(this.reached, this.end)
  }

  private replaceOwn(by: Uint8Array): void {
    if (this.own.length >= RESERVE_ALL_FROM_BYTES) releasedMemory(this.reached)
    this.own = by
    this.reached = 0
  }

  /**
   * Bytes to allocate for a buffer that must hold `needed`: as much as the announced bulk wants, but a mere announcement must not
   * take more memory than a multiple of what has arrived.
   */
  private roomFor(needed: number): number {
    const wanted = this.bulkLength < 0 ? 0 : this.pos - this.start + this.bulkLength + 2
    if (wanted < needed) {
      if (needed >= RESERVE_ALL_FROM_BYTES) return Math.min(needed * RESERVE_MANY_FACTOR, needed + RESERVE_MANY_BYTES)
      return Math.max(SMALLEST_BUFFER_BYTES, needed + (needed >>> 1))
    }
    if (needed >= RESERVE_ALL_FROM_BYTES) return wanted
    return Math.min(wanted, Math.max(RESERVE_AT_ONCE_BYTES, needed * RESERVE_FACTOR))
  }

  private fail(words: string): false {
    this.error = words
    this.missing = 0
    this.partial = null
    return false
  }

  /** Goes on with a command whose beginning came earlier; at its end it changes ranges with the caller's request. */
  private resume(request: Request): boolean {
    const partial = this.partial
    assert(partial !== null, 'a command was begun but its ranges are gone')
    partial.buf = this.buf
    partial.lender = this
    this.isPaused = false
    if (!this.readBulks(partial)) return false
    request.exchange(partial)
    return true
  }

  private keepRanges(request: Request): void {
    const partial = (this.partial ??= new Request())
    partial.exchange(request)
  }

  /** Reads the arguments that are still to come, as many as go in one call. True when the command is complete. */
  private readBulks(request: Request): boolean {
    const buf = this.buf
    const end = this.end
    const maxBulkBytes = this.unauthenticated ? UNAUTHENTICATED_BULK_BYTES : this.limits.maxBulkBytes
    let pos = this.pos
    let missing = this.missing
    let length = this.bulkLength
    const left = Math.max(0, missing - LIMITS.decodedArguments)
    while (missing > left) {
      if (length < 0) {
        // Fast path of lengthLine: '$', canonical digits, and a whole line end.
        let at = pos + 1
        let digit = at < end ? buf[at] - ZERO : -1
        length = 0
        while (digit >= 0 && digit <= 9) {
          length = length * 10 + digit
          at++
          digit = at < end ? buf[at] - ZERO : -1
        }
        const digits = at - pos - 1
        if (
          at + 1 < end &&
          buf[at] === CR &&
          buf[pos] === DOLLAR &&
          length <= maxBulkBytes &&
          (digits === 1 || (digits > 1 && digits <= FAST_DIGITS && buf[pos + 1] !== ZERO))
        ) {
          pos = at + 2
          this.scanned = 0
        } else {
          this.pos = pos
          this.missing = missing
          this.bulkLength = -1
          length = this.bulkLine()
          if (length < 0) return false
          pos = this.pos
        }
      }
      if (end - pos < length + 2) {
        this.pos = pos
        this.missing = missing
        this.bulkLength = length
        return false
      }
      request.push(pos, length)
      pos += length + 2
      length = -1
      missing--
    }
    this.pos = pos
    this.missing = missing
    this.bulkLength = -1
    this.isPaused = missing > 0
    if (this.isPaused) return false
    this.start = pos
    return true
  }

  /** The length line of a bulk, with every check. A negative result means that it is incomplete or that `error` is set. */
  private bulkLine(): number {
    const at = this.pos
    const length = this.lengthLine('too big bulk count string')
    if (length === INCOMPLETE) return INCOMPLETE
    if (this.buf[at] !== DOLLAR) {
      this.fail(`expected '$', got '${String.fromCharCode(this.buf[at])}'`)
      return INVALID
    }
    if (length < 0 || length > this.limits.maxBulkBytes) {
      this.fail('invalid bulk length')
      return INVALID
    }
    if (this.unauthenticated && length > UNAUTHENTICATED_BULK_BYTES) {
      this.fail('unauthenticated bulk length')
      return INVALID
    }
    return length
  }

  /**
   * Reads the line at pos as a marker and a canonical 64-bit integer and moves pos behind it. As in Redis the line ends at the first
   * carriage return, and the byte after that is not looked at.
   * @returns the integer, or INCOMPLETE (`error` is set if the line is too long), INVALID, NEGATIVE.
   */
  private lengthLine(tooLong: string): number {
    const buf = this.buf
    const end = this.end
    const pos = this.pos
    let at = pos + this.scanned
    while (at < end && buf[at] !== CR) at++
    if (at + 1 >= end) {
      this.scanned = at - pos
      if (at === end && end - pos > LIMITS.maxInlineBytes) this.fail(tooLong)
      return INCOMPLETE
    }
    this.pos = at + 2
    this.scanned = 0
    const small = parseInteger(buf, pos + 1, at - pos - 1)
    if (small === small) return small < 0 ? NEGATIVE : small
    const value = parseInteger64(buf, pos + 1, at - pos - 1)
    if (value === null) return INVALID
    return value < 0n ? NEGATIVE : Number(value)
  }

  /** Reads a line as an inline command. False when it is incomplete or `error` is set. */
  private inline(request: Request): boolean {
    const buf = this.buf
    const end = this.end
    const pos = this.pos
    let at = pos + this.scanned
    while (at < end && buf[at] !== LF) at++
    if (at === end) {
      this.scanned = at - pos
      if (end - pos > LIMITS.maxInlineBytes) this.fail('too big inline request')
      return false
    }
    this.scanned = 0
    const lineEnd = at > pos && buf[at - 1] === CR ? at - 1 : at
    this.pos = at + 1
    if (!splitInline(request, buf, pos, lineEnd)) return this.fail('unbalanced quotes in request')
    return true
  }
}

/** Much of a large one may never be written to; what was is accounted for when it is dropped. */
function allocate(length: number): Uint8Array {
  return length < RESERVE_ALL_FROM_BYTES ? allocateBytes(length) : allocateLazily(length)
}
