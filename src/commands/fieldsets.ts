import { allocateBytes, copyBytes, equalBytes, latin1 } from '../base/bytes.js'

/** Objects and entries of one fieldset, and of one of its fields; roughly. */
const FIELDSET_OVERHEAD_BYTES = 300
const FIELD_OVERHEAD_BYTES = 8

/** Names of fields of a hash, no two of them alike, in the order in which their values are given: HIMPORT PREPARE. Field i is buf[off[i] .. off[i] + len[i]). */
export class Fieldset {
  readonly buf: Uint8Array
  readonly off: Int32Array
  readonly len: Int32Array
  count = 0
  private end = 0

  /** Room for so many fields with so many bytes in all. */
  constructor(
    readonly name: Uint8Array,
    fields: number,
    bytes: number,
  ) {
    this.buf = allocateBytes(bytes)
    this.off = new Int32Array(fields)
    this.len = new Int32Array(fields)
  }

  /** What one takes, for client memory accounting. */
  static bytesOf(nameBytes: number, fields: number, fieldBytes: number): number {
    return FIELDSET_OVERHEAD_BYTES + nameBytes + fields * FIELD_OVERHEAD_BYTES + fieldBytes
  }

  get bytes(): number {
    return Fieldset.bytesOf(this.name.length, this.off.length, this.buf.length)
  }

  /** Appends a field. */
  push(buf: Uint8Array, off: number, len: number): void {
    copyBytes(buf, off, this.buf, this.end, len)
    this.off[this.count] = this.end
    this.len[this.count++] = len
    this.end += len
  }

  /** Field i, as a view. */
  at(i: number): Uint8Array {
    return this.buf.subarray(this.off[i], this.off[i] + this.len[i])
  }

  isNamed(buf: Uint8Array, off: number, len: number): boolean {
    const { name } = this
    return name.length === len && equalBytes(name, 0, buf, off, len)
  }
}

/** The fieldsets of one connection. */
export class Fieldsets {
  /** What all of them take, for client memory accounting. */
  bytes = 0
  /** By name, as latin1. */
  private readonly byName = new Map<string, Fieldset>()
  /** The one that was found last: an import uses one many times, and no string is made to find it again. */
  private last: Fieldset | undefined

  get count(): number {
    return this.byName.size
  }

  find(buf: Uint8Array, off: number, len: number): Fieldset | undefined {
    if (this.last?.isNamed(buf, off, len) !== true) this.last = this.byName.get(latin1(buf, off, len))
    return this.last
  }

  /** Adds one, in place of the one that has its name. */
  put(fieldset: Fieldset): void {
    const { name } = fieldset
    this.remove(name, 0, name.length)
    this.byName.set(latin1(name, 0, name.length), fieldset)
    this.bytes += fieldset.bytes
  }

  /** False when there is none of this name. */
  remove(buf: Uint8Array, off: number, len: number): boolean {
    const key = latin1(buf, off, len)
    const fieldset = this.byName.get(key)
    if (fieldset === undefined) return false
    this.byName.delete(key)
    this.bytes -= fieldset.bytes
    this.last = undefined
    return true
  }
}
