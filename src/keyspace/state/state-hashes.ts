import { TWO_32 } from '../../base/words.js'
import { isDense, mergeDense, REGISTERS } from '../../crdt/hyperloglog.js'
import { mergeSparse } from '../../crdt/hyperloglog-sparse.js'
import { KeyType } from '../database.js'
import { Hash64 } from '../hash64.js'
import {
  HEAD_BITS,
  HEAD_EXPIRIES,
  HEAD_ORPHANED,
  HEAD_PARTS,
  NO_DOT,
  ORPHANED_ELEMENT,
  OWN_ELEMENT,
  PART_BITS,
  PART_COMPLEX,
  PART_TYPE,
  RECORD_CONTINUES,
  RECORD_FLAGS,
  SAME_DOT,
} from './key-state-format.js'
import { StateReader } from './state-reader.js'
import { HAS_CONTRIBUTIONS, TOTALS_SMALL } from './string-codec.js'

const DOT_BYTES = 8
const EXPIRY_BYTES = 16

/** Told of each key with the hash of its state: two halves of 64 bits. */
export type StateHashVisitor = (key: Uint8Array, keyOff: number, keyLen: number, high: number, low: number) => void

/**
 * Hashes of the key states in records, without loading them: equal for two members that hold the same of a key, whatever their tables look like, in
 * which order they came to it, and in how many records it was written. What is each member's own is left out: consumers and what was delivered to them, which of several
 * resets a counter has its base from, the moment at which a key without value came about, whether a string is raw.
 *
 * It is a sum of 64-bit hashes, one for key and expiries, one for each header, one for each element. So it holds for states that were written at one go: while
 * a key changes, an element may be written twice. Not against forgery.
 */
export class StateHashes {
  private readonly reader = new StateReader()
  private readonly hash = new Hash64()
  private readonly registers = new Uint8Array(REGISTERS)
  private high = 0
  private low = 0
  private isOpen = false
  private keyBytes: Uint8Array = new Uint8Array(0)
  private keyOff = 0
  private keyLen = 0

  /** Goes through whole records bytes[from .. to), which begin with a key's first and end with a key's last one. */
  read(bytes: Uint8Array, from: number, to: number, visit: StateHashVisitor): void {
    const { reader } = this
    this.isOpen = false
    for (let at = from; at < to;) {
      reader.begin(bytes, at, to)
      const flags = reader.u8()
      if ((flags & ~RECORD_FLAGS) !== 0) reader.damaged('a record with unknown flags')
      const length = reader.varint()
      if (length > reader.left) reader.damaged('a record that ends early')
      at = reader.at + length
      reader.end = at
      const continues = (flags & RECORD_CONTINUES) !== 0
      if (continues !== this.isOpen && continues) reader.damaged('a record that continues another key')
      if (!continues && this.isOpen) this.finish(visit)
      this.readRecord(continues)
      if (!reader.atEnd) reader.damaged('a record of another length than it says')
    }
    if (this.isOpen) this.finish(visit)
  }

  private finish(visit: StateHashVisitor): void {
    this.isOpen = false
    visit(this.keyBytes, this.keyOff, this.keyLen, this.high, this.low)
  }

  private readRecord(continues: boolean): void {
    const { reader, hash } = this
    reader.block()
    const { off, len } = reader
    const head = reader.u8()
    if ((head & ~HEAD_BITS) !== 0) reader.damaged('a key with an unknown head')
    if (!continues) {
      this.isOpen = true
      this.high = 0
      this.low = 0
      this.keyBytes = reader.bytes
      this.keyOff = off
      this.keyLen = len
      hash.begin()
      hash.number(len)
      hash.bytes(reader.bytes, off, len)
      if ((head & HEAD_EXPIRIES) !== 0) {
        const count = reader.count(EXPIRY_BYTES)
        hash.number(count)
        hash.bytes(reader.bytes, reader.at, count * EXPIRY_BYTES)
        reader.raw(count * EXPIRY_BYTES)
      }
      this.add()
      if ((head & HEAD_ORPHANED) !== 0) reader.f64()
    }
    for (let parts = head & HEAD_PARTS; parts > 0; parts--) this.readPart()
  }

  private readPart(): void {
    const { reader, hash } = this
    const kind = reader.u8()
    const type = kind & PART_TYPE
    if ((kind & ~PART_BITS) !== 0 || type === KeyType.none) reader.damaged('a part of unknown kind')
    reader.block()
    const { bytes, off, len } = reader
    if (len > 0) {
      hash.begin()
      hash.number(kind & (PART_TYPE | PART_COMPLEX))
      const { at, end } = reader
      reader.at = off
      reader.end = off + len
      if (type === KeyType.hll) this.hashSketch()
      else if ((kind & PART_COMPLEX) !== 0) this.hashContent()
      else hash.bytes(bytes, off, len)
      reader.at = at
      reader.end = end
      this.add()
    }
    if (type === KeyType.string) return
    reader.beginElements()
    while (reader.beginElement()) {
      this.readElement(type)
      reader.endElement()
    }
  }

  private readElement(type: number): void {
    const { reader, hash } = this
    const form = reader.u8()
    if ((form & OWN_ELEMENT) !== 0) {
      reader.raw(reader.left)
      return
    }
    const { end } = reader
    if ((form & ORPHANED_ELEMENT) !== 0) {
      if (reader.left < DOT_BYTES) reader.damaged('it ends early')
      reader.end -= DOT_BYTES
    }
    const hasDot = type === KeyType.list || (form & NO_DOT) === 0
    hash.begin()
    hash.number(type)
    hash.number(form & ~(SAME_DOT | ORPHANED_ELEMENT))
    if (hasDot) {
      reader.elementDot(form)
      hash.number(reader.dotHigh)
      hash.number(reader.dotLow)
    }
    if (!hasDot && type !== KeyType.stream) {
      reader.block()
      hash.number(reader.len)
      hash.bytes(reader.bytes, reader.off, reader.len)
      if (type === KeyType.zset) this.hashContributions(type)
      else this.hashContent()
    }
    this.hashRest()
    this.add()
    reader.at = end
    reader.end = end
  }

  /** The content of a string or element that is more than one value. */
  private hashContent(): void {
    const { reader, hash } = this
    const parts = reader.u8()
    hash.number(parts)
    if ((parts & HAS_CONTRIBUTIONS) !== 0) this.hashContributions(KeyType.string)
    this.hashRest()
  }

  /** Contributions, less the stamps of their bases: resets that took the same may have come in another order. */
  private hashContributions(type: number): void {
    const { reader, hash } = this
    const count = reader.varint()
    hash.number(count)
    for (let left = count; left > 0; left--) {
      reader.raw(1 + 2 * DOT_BYTES)
      hash.bytes(reader.bytes, reader.off, reader.len)
      reader.f64()
      // Scores are doubles; strings say in which form their totals are.
      const form = type === KeyType.zset ? TOTALS_SMALL : reader.u8()
      if (form === TOTALS_SMALL) {
        reader.raw(2 * DOT_BYTES)
        hash.bytes(reader.bytes, reader.off, reader.len)
        continue
      }
      for (let texts = 2; texts > 0; texts--) {
        reader.block()
        hash.number(reader.len)
        hash.bytes(reader.bytes, reader.off, reader.len)
      }
    }
  }

  private hashRest(): void {
    const { reader, hash } = this
    reader.raw(reader.left)
    hash.bytes(reader.bytes, reader.off, reader.len)
  }

  /** A HyperLogLog has several forms; its registers, and what stands before them, are one. */
  private hashSketch(): void {
    const { reader, hash, registers } = this
    const { bytes, at } = reader
    const removals = reader.count(DOT_BYTES)
    reader.raw(removals * DOT_BYTES + (reader.left > removals * DOT_BYTES ? DOT_BYTES : 0))
    hash.bytes(bytes, at, reader.at - at)
    if (reader.atEnd) return
    registers.fill(0)
    if (isDense(bytes, reader.at)) mergeDense(registers, bytes, reader.at)
    else mergeSparse(registers, bytes, reader.at, reader.left)
    hash.bytes(registers, 0, REGISTERS)
  }

  private add(): void {
    const { hash } = this
    hash.end()
    const low = this.low + hash.low
    this.low = low >>> 0
    this.high = (this.high + hash.high + (low >= TWO_32 ? 1 : 0)) >>> 0
  }
}
