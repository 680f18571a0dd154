import { readFloat64 } from '../base/byte-stream.js'
import { decimalOf, parseDecimal, type Decimal } from '../base/decimal.js'
import { LIMITS } from '../base/limits.js'
import type { FrameView } from './frame.js'
import type { Reset } from './string-state.js'

/** Effect types and flags; see docs/formats/effects.md. */
export const EffectType = {
  setString: 1,
  remove: 2,
  increment: 3,
  append: 4,
  setRange: 5,
  setBits: 6,
  expire: 7,
  flushDb: 8,

  /** From here on a collection's: the type of key it is for times 8, and up to seven more. */
  hashSet: 16,
  hashRemove: 17,
  hashIncrement: 18,
  hashExpire: 19,
  setAdd: 24,
  setRemove: 25,
  zsetAdd: 32,
  zsetRemove: 33,
  zsetIncrement: 34,
  listInsert: 40,
  listSet: 41,
  listRemove: 42,
  streamAdd: 48,
  streamRemove: 49,
  streamTrim: 50,
  streamSetId: 51,
  streamGroup: 52,
  streamAck: 53,
  streamPending: 54,
  streamMark: 55,
  hllAdd: 56,
  hllRemove: 57,

  /** A change of the list of members, not of data: see src/topology. */
  topology: 64,
} as const
/** Effects of types from here on are for the store of the collection type type >> COLLECTION_SHIFT. */
export const FIRST_COLLECTION_EFFECT = 16
export const COLLECTION_SHIFT = 3

/** Checks the payloads of a collection type's effects by walking them. */
export interface PayloadCheck {
  check(effect: EffectReader): void
}
export const SET_EXPIRY_GIVEN = 1
export const SET_EXPIRY_KEPT = 2
export const REMOVE_DUE = 1
/** The removal is of what the key holds of one type, and leaves the expiry. */
export const REMOVE_ONE_TYPE = 8
export const HAS_RESETS = 4

const LAST_EFFECT = 0x80
const NO_RESETS: readonly Reset[] = []
const MAX_KEY_TYPE = 7
const MAX_BIT_OFFSET = LIMITS.maxBulkBytes * 8

/**
 * Walks the effects of a frame and decodes one at a time into its fields. Believes nothing: whatever is wrong ends the walk with
 * `error`. Fields that an effect does not have keep old values.
 */
export class EffectReader {
  bytes: Uint8Array = new Uint8Array(0)
  /** What is wrong with the frame, or null. */
  error: string | null = null
  type = 0
  stamp = 0
  /** The effect is its op's last one. */
  endsOp = false
  database = 0
  keyOff = 0
  keyLen = 0
  flags = 0
  valueOff = 0
  valueLen = 0
  at = 0
  resets: readonly Reset[] = NO_RESETS
  /** Of a removal: the type it is for, 0 for all. */
  keyType = 0
  epoch = 0
  /** Small numbers stand in total and n; then exact is false. */
  exact = false
  total = 0
  n = 0
  exactTotal: Decimal = decimalOf(0)
  exactN: Decimal = decimalOf(0)
  offset = 0
  width = 0
  bitsHigh = 0
  bitsLow = 0

  private pos = 0
  private end = 0
  /** Where the payload of the effect begins. */
  private payloadAt = 0
  private nextStamp = 0
  private startsOp = true
  private ops = 0
  private numberText: string | null = null
  private frame: FrameView | null = null

  constructor(
    private readonly databaseCount: number,
    /** By collection type (effect type >> COLLECTION_SHIFT). */
    private readonly collections: readonly (PayloadCheck | undefined)[] = [],
    private readonly topology: PayloadCheck | null = null,
  ) {}

  start(frame: FrameView): void {
    this.frame = frame
    this.bytes = frame.bytes
    this.pos = frame.opsOffset
    this.end = frame.bytes.length
    this.nextStamp = frame.first
    this.startsOp = true
    this.ops = 0
    this.error = null
  }

  /**
   * Decodes the next effect; false at the end of the frame or when `error` is set. The payload of a collection's effect is checked and passed
   * over by its store; when `applying` it is left to the caller, who passes over it, by the primitives below, before the next call.
   */
  next(applying = false): boolean {
    if (this.pos === this.end) {
      this.checkEnd()
      return false
    }
    if (this.startsOp) {
      this.nextStamp += this.varint()
      this.ops++
    }
    const typeByte = this.byte()
    this.type = typeByte & ~LAST_EFFECT
    this.endsOp = (typeByte & LAST_EFFECT) !== 0
    this.startsOp = this.endsOp
    this.database = this.varint()
    this.keyLen = this.varint()
    this.keyOff = this.skip(this.keyLen)
    this.stamp = this.nextStamp++
    this.payloadAt = this.pos
    if (this.type < FIRST_COLLECTION_EFFECT) this.payload()
    else if (!applying) this.collectionPayload()
    if (this.error === null && this.database >= this.databaseCount) {
      this.error = `database ${this.database}; this member has ${this.databaseCount}: give every member the same "databases"`
    }
    return this.error === null
  }

  /** For an effect of so many elements of a collection: many more are likely to follow. */
  isOneOfMany(count: number): boolean {
    return count >= LIMITS.copyEffectElements && this.frame?.isLongOp === true
  }

  /** Goes back to the begin of the payload that was walked last. Gives where the walk had come to, for goOn. */
  rewind(): number {
    const { pos } = this
    this.pos = this.payloadAt
    return pos
  }

  goOn(pos: number): void {
    this.pos = pos
  }

  private collectionPayload(): void {
    if (this.type === EffectType.topology && this.keyLen > 0) this.fail('a change of the topology with a key')
    const store =
      this.type === EffectType.topology ? (this.topology ?? undefined) : this.collections[this.type >> COLLECTION_SHIFT]
    if (store === undefined) this.fail(`effect type ${this.type} is not known to this version`)
    else store.check(this)
  }

  private payload(): void {
    switch (this.type) {
      case EffectType.setString:
        this.flags = this.byte()
        if (this.flags > 7 || (this.flags & 3) === 3) this.fail('set-string with unknown flags')
        this.block()
        if ((this.flags & SET_EXPIRY_GIVEN) !== 0) this.at = this.time()
        this.readResets()
        break
      case EffectType.remove:
        this.flags = this.byte()
        if ((this.flags & ~(REMOVE_DUE | HAS_RESETS | REMOVE_ONE_TYPE)) !== 0) this.fail('remove with unknown flags')
        this.keyType = (this.flags & REMOVE_ONE_TYPE) === 0 ? 0 : this.byte()
        if (this.keyType > MAX_KEY_TYPE || ((this.flags & REMOVE_ONE_TYPE) !== 0 && this.keyType === 0))
          this.fail('remove of an unknown type')
        this.readResets()
        break
      case EffectType.increment:
        this.readIncrement()
        break
      case EffectType.append:
        this.block()
        break
      case EffectType.setRange:
        this.offset = this.varint()
        this.block()
        if (this.offset + this.valueLen > LIMITS.maxBulkBytes) this.fail('set-range beyond the longest string')
        break
      case EffectType.setBits:
        this.offset = this.varint()
        this.width = this.byte()
        this.bitsLow = this.uint32()
        this.bitsHigh = this.uint32()
        if (this.width < 1 || this.width > 64 || this.offset + this.width > MAX_BIT_OFFSET) this.fail('set-bits out of range')
        break
      case EffectType.expire:
        this.at = this.time()
        break
      case EffectType.flushDb:
        if (this.keyLen !== 0) this.fail('flush-db with a key')
        break
      default:
        this.fail(`effect type ${this.type} is not known to this version`)
    }
  }

  /** epoch, total and n of an increment, into the fields of those names. */
  readIncrement(): void {
    this.epoch = this.float64()
    this.total = this.number()
    const totalText = this.numberText
    this.n = this.number()
    const nText = this.numberText
    this.exact = totalText !== null || nText !== null
    if (this.exact) {
      this.exactTotal = this.decimal(totalText, this.total)
      this.exactN = this.decimal(nText, this.n)
    }
    if (!(Number.isSafeInteger(this.epoch) && this.epoch > 0 && this.epoch <= this.stamp))
      this.fail('increment with an impossible epoch')
  }

  private readResets(): void {
    this.resets = (this.flags & HAS_RESETS) === 0 ? NO_RESETS : this.resetList()
  }

  /** `resets` of docs/formats/effects.md. */
  resetList(): readonly Reset[] {
    const resets: Reset[] = []
    for (let count = this.varint(); count > 0 && this.error === null; count--) {
      const member = this.byte()
      const epoch = this.float64()
      const stamp = this.float64()
      const total = this.number()
      if (!(Number.isSafeInteger(epoch) && Number.isSafeInteger(stamp) && epoch > 0 && epoch <= stamp && member > 0)) {
        this.fail('a reset of an impossible contribution')
      }
      resets.push({ member, epoch, stamp, total: this.decimal(this.numberText, total) })
    }
    return resets
  }

  /** Kind 0 gives the value and no text, kind 1 the text. */
  private number(): number {
    this.numberText = null
    const kind = this.byte()
    if (kind === 0) {
      const zigzag = this.varint()
      return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2
    }
    if (kind !== 1) return this.fail('a number of unknown kind')
    const length = this.varint()
    const off = this.skip(length)
    this.numberText = Buffer.from(this.bytes.buffer, this.bytes.byteOffset + off, this.error === null ? length : 0).toString(
      'latin1',
    )
    return 0
  }

  private decimal(text: string | null, value: number): Decimal {
    if (text === null) return decimalOf(value)
    const parsed = parseDecimal(text)
    if (parsed === null) this.fail('a number that is none')
    return parsed ?? decimalOf(0)
  }

  /** Unix ms or Infinity. */
  time(): number {
    const at = this.float64()
    if (!(at === Infinity || Number.isSafeInteger(at))) this.fail('a time that is none')
    return at
  }

  /** A length and so many bytes, into valueOff and valueLen. */
  block(): void {
    this.valueLen = this.varint()
    this.valueOff = this.skip(this.valueLen)
    if (this.valueLen > LIMITS.maxBulkBytes) this.fail('a value longer than the longest string')
  }

  private checkEnd(): void {
    const frame = this.frame
    if (frame === null || this.error !== null) return
    if (!this.startsOp) this.fail('the last op has no end')
    else if (this.ops !== frame.opCount) this.fail(`${this.ops} ops where the header says ${frame.opCount}`)
    else if (this.nextStamp - 1 !== frame.last) this.fail('effects and header disagree on the last stamp')
  }

  byte(): number {
    if (this.pos >= this.end) return this.fail('it ends within an effect')
    return this.bytes[this.pos++]
  }

  varint(): number {
    let value = 0
    let factor = 1
    for (let i = 0; i < 8; i++) {
      const byte = this.byte()
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value <= Number.MAX_SAFE_INTEGER ? value : this.fail('an integer beyond 53 bits')
      factor *= 128
    }
    return this.fail('an integer beyond 53 bits')
  }

  float64(): number {
    const off = this.skip(8)
    return this.error === null ? readFloat64(this.bytes, off) : 0
  }

  uint32(): number {
    const off = this.skip(4)
    if (this.error !== null) return 0
    const b = this.bytes
    return (b[off] | (b[off + 1] << 8) | (b[off + 2] << 16) | (b[off + 3] << 24)) >>> 0
  }

  /** Where what is read next begins in `bytes`. */
  get position(): number {
    return this.pos
  }

  /** Passes over bytes and gives where they began. */
  skip(length: number): number {
    const off = this.pos
    if (length > this.end - off) return this.fail('it ends within an effect')
    this.pos = off + length
    return off
  }

  /** Ends the walk: what is wrong with the payload. */
  fail(what: string): number {
    this.error ??= what
    this.pos = this.end
    return 0
  }
}
