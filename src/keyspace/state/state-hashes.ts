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

const TWO_32 = 2 ** 32
const DOT_BYTES = 8
const EXPIRY_BYTES = 16

/** Told of each key with the hash of its state: two halves of 64 bits. */
export type StateHashVisitor = (key: Uint8Array, keyOff: number, keyLen: number, high: number, low: number) => void

/**
 * Hashes of the key states in records, without loading them: equal for two members that hold the same of a key, whatever their tables look like, in
 * which order they came to it, and in how many records it was written. What is each member's own is left out: consumers and what was delivered to them, the
 * moment at which a key without value came about, whether a string is raw.
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
      if (type === KeyType.hll) this.hashSketch(off, len)
      else hash.bytes(bytes, off, len)
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
    const hasDot = type === KeyType.list || (form & NO_DOT) === 0
    hash.begin()
    hash.number(type)
    hash.number(form & ~(SAME_DOT | ORPHANED_ELEMENT))
    if (hasDot) {
      reader.elementDot(form)
      hash.number(reader.dotHigh)
      hash.number(reader.dotLow)
    }
    reader.raw(reader.left)
    const tail = (form & ORPHANED_ELEMENT) !== 0 ? DOT_BYTES : 0
    hash.bytes(reader.bytes, reader.off, Math.max(0, reader.len - tail))
    this.add()
  }

  /** A HyperLogLog has several forms; its registers, and what stands before them, are one. */
  private hashSketch(off: number, len: number): void {
    const { reader, hash, registers } = this
    const { bytes, at, end } = reader
    reader.at = off
    reader.end = off + len
    const removals = reader.count(DOT_BYTES)
    reader.raw(removals * DOT_BYTES + (reader.left > removals * DOT_BYTES ? DOT_BYTES : 0))
    hash.bytes(bytes, off, reader.at - off)
    if (!reader.atEnd) {
      registers.fill(0)
      if (isDense(bytes, reader.at)) mergeDense(registers, bytes, reader.at)
      else mergeSparse(registers, bytes, reader.at, reader.left)
      hash.bytes(registers, 0, REGISTERS)
    }
    reader.at = at
    reader.end = end
  }

  private add(): void {
    const { hash } = this
    hash.end()
    const low = this.low + hash.low
    this.low = low >>> 0
    this.high = (this.high + hash.high + (low >= TWO_32 ? 1 : 0)) >>> 0
  }
}
