import { Hash64 } from '../hash64.js'
import { HEAD_EXPIRIES, HEAD_ORPHANED, HEAD_PARTS, PART_RAW, RECORD_CONTINUES, RECORD_HAS_MORE } from './key-state-format.js'
import { KeyType } from '../database.js'
import { StateReader } from './state-reader.js'
import { StreamAcks } from './stream-acks.js'

const EXPIRY_ENTRY_BYTES = 16
const PLAIN_HEAD = 1

/**
 * Goes over whole records as StateWalk writes them and says which key each is of, and what it holds, as hashes; nothing is loaded. Two members that hold the
 * same of a key mostly, not always, have the same bytes for it: the order of elements may differ. So unequal hashes mean that the key is to be sent, and
 * equal ones that it need not be. Of streams' groups what each member has for itself is left out, and what was acknowledged is not.
 */
export class RecordHashes {
  /** Where the record stands. */
  from = 0
  to = 0
  /** It begins a key, and all of the key is in it. */
  begins = false
  isWhole = false
  /** 32 bits for a key, and 20 more. */
  keyHash = 0
  private keyLow = 0
  /** 64 bits for the key and what the record holds of it. */
  stateHigh = 0
  stateLow = 0
  /** The record is a string of one value: every member writes the same bytes for the same state. */
  isPlain = false
  private bytes: Uint8Array = NOTHING
  private end = 0
  private readonly hash = new Hash64()
  private readonly reader = new StateReader()
  private readonly acks = new StreamAcks()

  /** Stands before the first record of bytes[from .. end), which must be whole and right. */
  begin(bytes: Uint8Array, from: number, end: number): void {
    this.bytes = bytes
    this.to = from
    this.end = end
  }

  /** Goes to the next record; false when there is none. */
  next(): boolean {
    if (this.to >= this.end) return false
    const { bytes, hash } = this
    this.from = this.to
    const flags = bytes[this.from]
    let at = this.from + 1
    const body = this.varint(at)
    at = this.after
    this.to = at + body
    const keyLength = this.varint(at)
    const keyAt = this.after
    this.begins = (flags & RECORD_CONTINUES) === 0
    this.isWhole = this.begins && (flags & RECORD_HAS_MORE) === 0
    hash.begin()
    hash.bytes(bytes, keyAt, keyLength)
    hash.end()
    this.keyHash = hash.high
    this.keyLow = hash.low
    hash.begin()
    hash.bytes(bytes, at, body)
    hash.end()
    this.stateHigh = hash.high
    this.stateLow = hash.low
    let part = keyAt + keyLength
    const head = bytes[part++]
    // Most keys are strings without more: they need not be looked into.
    if (this.isWhole && (head & HEAD_PARTS) === 1 && (head !== PLAIN_HEAD || bytes[part] === KeyType.stream))
      this.hashStream(at, part, head)
    if (head === (PLAIN_HEAD | HEAD_EXPIRIES) && bytes[part] === 1) part += 1 + EXPIRY_ENTRY_BYTES
    else if (head !== PLAIN_HEAD) part = -1
    this.isPlain = this.isWhole && part > 0 && (bytes[part] & ~PART_RAW) === KeyType.string
    return true
  }

  /** If the only part of a whole record is a stream with groups, its hash is another one. */
  private hashStream(from: number, afterHead: number, head: number): void {
    const { bytes, hash, reader } = this
    reader.begin(bytes, afterHead, this.to)
    if ((head & HEAD_EXPIRIES) !== 0) reader.raw(reader.count(EXPIRY_ENTRY_BYTES) * EXPIRY_ENTRY_BYTES)
    if ((head & HEAD_ORPHANED) !== 0) reader.f64()
    if (reader.u8() !== KeyType.stream) return
    hash.begin()
    hash.bytes(bytes, from, reader.at - from)
    if (!this.acks.add(reader, hash)) return
    hash.end()
    this.stateHigh = hash.high
    this.stateLow = hash.low
  }

  /** A number for the key that is another one's with next to no chance. */
  get keyNumber(): number {
    return this.keyHash * 2 ** 20 + (this.keyLow & 0xfffff)
  }

  private after = 0

  private varint(from: number): number {
    let value = 0
    let at = from
    for (let factor = 1; ; factor *= 128) {
      const byte = this.bytes[at++]
      value += (byte & 0x7f) * factor
      if (byte < 0x80) break
    }
    this.after = at
    return value
  }
}

const NOTHING = new Uint8Array(0)
