import { MAX_MEMBER_ID } from '../../base/ids.js'
import { MeridianError } from '../../base/errors.js'
import { unpackMember, unpackStamp } from '../../memory/record.js'
import { NO_MORE_ELEMENTS, SAME_DOT } from './key-state-format.js'

/**
 * Reads what StateBytes wrote, never outside of what it was given: whatever does not fit throws MRD_SNAPSHOT_DAMAGED with the offset. That bytes are those
 * that were written is for a checksum to say; here it is only made sure that others do no harm.
 */
export class StateReader {
  bytes: Uint8Array = new Uint8Array(0)
  at = 0
  /** End of what may be read now. */
  end = 0
  /** Another member has written it: what is that one's own is not taken. */
  isForeign = false
  /** The key whose state it is, in bytes. */
  keyOff = 0
  keyLen = 0
  /** Results of block: a range in bytes. */
  off = 0
  len = 0
  /** Results of dot. */
  dotHigh = 0
  dotLow = 0
  /** Dot of the element before, see SAME_DOT; 0 for none. */
  private elementHigh = 0
  private elementLow = 0
  /** End of the record while an element is read. */
  private outerEnd = 0
  private view: DataView = new DataView(new ArrayBuffer(0))

  begin(bytes: Uint8Array, from: number, to: number): this {
    if (this.bytes !== bytes) {
      this.bytes = bytes
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    }
    this.at = from
    this.end = to
    return this
  }

  get atEnd(): boolean {
    return this.at === this.end
  }

  /** Bytes that are left. */
  get left(): number {
    return this.end - this.at
  }

  u8(): number {
    if (this.at >= this.end) this.damaged('it ends early')
    return this.bytes[this.at++]
  }

  f64(): number {
    if (this.at + 8 > this.end) this.damaged('it ends early')
    this.at += 8
    return this.view.getFloat64(this.at - 8, true)
  }

  varint(): number {
    if (this.at < this.end) {
      const byte = this.bytes[this.at]
      if (byte < 0x80) {
        this.at++
        return byte
      }
    }
    return this.longVarint()
  }

  signed(): number {
    const zigzag = this.varint()
    return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2
  }

  /** How many things follow, of which each takes at least so many bytes. */
  count(leastBytes: number): number {
    const count = this.varint()
    if (count * leastBytes > this.left) this.damaged('it says that more follows than there is')
    return count
  }

  /** Passes over a block and leaves its range in off and len. */
  block(): void {
    this.raw(this.varint())
  }

  /** The same for so many bytes without a length. */
  raw(length: number): void {
    if (length > this.end - this.at) this.damaged('it ends early')
    this.off = this.at
    this.len = length
    this.at += length
  }

  /** A copy of the range that block left. */
  copy(): Uint8Array {
    return this.bytes.slice(this.off, this.off + this.len)
  }

  /** A dot of a write: of some member, and not before all time. */
  dot(): void {
    if (this.at + 8 > this.end) this.damaged('it ends early')
    const high = this.view.getUint32(this.at, true)
    const low = this.view.getUint32(this.at + 4, true)
    this.dotHigh = high
    this.dotLow = low
    const member = unpackMember(high)
    if (member === 0 || member > MAX_MEMBER_ID || unpackStamp(high, low) === 0) this.damaged('a dot of no write')
    this.at += 8
  }

  /** Any two words, left where those of a dot are. */
  words(): void {
    if (this.at + 8 > this.end) this.damaged('it ends early')
    this.dotHigh = this.view.getUint32(this.at, true)
    this.dotLow = this.view.getUint32(this.at + 4, true)
    this.at += 8
  }

  /** A part begins: its first element says its dot. */
  beginElements(): void {
    this.elementHigh = 0
    this.elementLow = 0
  }

  /** Goes into the next element: nothing else can be read until endElement. False when there is none. */
  beginElement(): boolean {
    const length = this.varint()
    if (length === NO_MORE_ELEMENTS) return false
    if (length > this.left) this.damaged('it ends early')
    this.outerEnd = this.end
    this.end = this.at + length
    return true
  }

  /** Passes over the rest of the element. */
  skipElement(): void {
    this.at = this.end
    this.end = this.outerEnd
  }

  endElement(): void {
    if (this.at !== this.end) this.damaged('an element of another length than it says')
    this.end = this.outerEnd
  }

  /** The dot that an element of this form begins with. */
  elementDot(form: number): void {
    if ((form & SAME_DOT) === 0) {
      this.dot()
      this.elementHigh = this.dotHigh
      this.elementLow = this.dotLow
      return
    }
    if (this.elementHigh === 0) this.damaged('the dot of an element before the first')
    this.dotHigh = this.elementHigh
    this.dotLow = this.elementLow
  }

  get member(): number {
    return unpackMember(this.dotHigh)
  }

  get stamp(): number {
    return unpackStamp(this.dotHigh, this.dotLow)
  }

  /** Id of a member. */
  memberId(): number {
    const member = this.u8()
    if (member === 0) this.damaged('a member without an id')
    return member
  }

  /** A stamp, or 0 for none. */
  stampOrZero(): number {
    const stamp = this.f64()
    if (!Number.isSafeInteger(stamp) || stamp < 0) this.damaged('a stamp that is none')
    return stamp
  }

  /** A time in Unix ms, or infinity. */
  time(): number {
    const at = this.f64()
    if (at !== at) this.damaged('a time that is no number')
    return at
  }

  /** Throws. The state is damaged at the present offset. */
  damaged(what: string): never {
    throw new MeridianError(
      'MRD_SNAPSHOT_DAMAGED',
      `The state of a key is damaged at byte ${this.at}: ${what}`,
      'Use another snapshot, or let the member fetch its data from another one.',
    )
  }

  private longVarint(): number {
    let value = 0
    let factor = 1
    for (let i = 0; i < 8; i++) {
      if (this.at >= this.end) this.damaged('it ends early')
      const byte = this.bytes[this.at++]
      value += (byte & 0x7f) * factor
      if (byte < 0x80) {
        if (Number.isSafeInteger(value)) return value
        break
      }
      factor *= 128
    }
    return this.damaged('a number that is too large')
  }
}
