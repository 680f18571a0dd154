import { copyBytes } from '../../base/bytes.js'
import { KeyType } from '../../keyspace/database.js'
import type { Call } from '../call.js'

const ASTERISK = 42
const HASH = 35
const ZERO = 0

/** What a BY or GET pattern leads to: the element itself, a string key, or a field of a hash key. The first * of it stands for the element. */
export class SortPattern {
  /** The value that was found: buf[off .. off+len). Valid until data changes or the next look. */
  buf: Uint8Array = new Uint8Array(0)
  off = 0
  len = 0
  private readonly isElement: boolean
  private readonly hasAsterisk: boolean
  private readonly prefix: Uint8Array
  private readonly postfix: Uint8Array
  /** Null for a string key. */
  private readonly field: Uint8Array | null
  private key = new Uint8Array(64)

  constructor(
    private readonly call: Call,
    pattern: Uint8Array,
    /** Unix ms: what falls due later is there, for the result is that of one moment however long it takes. */
    private readonly atMs: number,
  ) {
    const text = Buffer.from(pattern)
    this.isElement = text.length === 1 && text[0] === HASH
    const asterisk = asteriskIn(pattern)
    this.hasAsterisk = asterisk >= 0
    const arrow = asterisk < 0 ? -1 : text.indexOf('->', asterisk + 1)
    const hasField = arrow >= 0 && arrow + 2 < text.length
    this.prefix = text.subarray(0, Math.max(asterisk, 0))
    this.postfix = text.subarray(asterisk + 1, hasField ? arrow : undefined)
    this.field = hasField ? text.subarray(arrow + 2) : null
  }

  /** What all keys begin with that the pattern may lead to; null when it leads to none. */
  get keyPrefix(): Uint8Array | null {
    return this.isElement || !this.hasAsterisk ? null : this.prefix
  }

  /** False when the element leads to nothing. */
  find(element: Uint8Array, off: number, len: number): boolean {
    const { keyspace } = this.call
    const { nowMs } = keyspace
    keyspace.nowMs = this.atMs
    const isFound = this.look(element, off, len)
    keyspace.nowMs = nowMs
    return isFound
  }

  private look(element: Uint8Array, off: number, len: number): boolean {
    if (this.isElement) {
      this.buf = element
      this.off = off
      this.len = len
      return true
    }
    if (!this.hasAsterisk) return false
    const { call, field } = this
    const { db, keyspace, strings, session } = call
    const keyLength = this.makeKey(element, off, len)
    // The key stands where the one before has stood.
    keyspace.beginCommand()
    const ref = keyspace.findForRead(db, this.key, 0, keyLength, !session.noTouch)
    if (ref === 0) return false
    if (field === null) {
      if (!call.isString(ref)) return false
      strings.read(db, ref)
      this.buf = strings.buf
      this.off = strings.off
      this.len = strings.len
      return true
    }
    if (db.type(ref) !== KeyType.hash) return false
    const { hashes } = call.collections
    if (!hashes.find(db, db.root(ref), field, 0, field.length)) return false
    this.buf = hashes.buf
    this.off = hashes.off
    this.len = hashes.len
    return true
  }

  private makeKey(element: Uint8Array, off: number, len: number): number {
    const { prefix, postfix } = this
    const length = prefix.length + len + postfix.length
    if (length > this.key.length) this.key = new Uint8Array(length * 2)
    copyBytes(prefix, 0, this.key, 0, prefix.length)
    copyBytes(element, off, this.key, prefix.length, len)
    copyBytes(postfix, 0, this.key, prefix.length + len, postfix.length)
    return length
  }
}

/** Where the first * of a pattern is, -1 for none. To Redis a pattern ends at a zero byte. */
export function asteriskIn(pattern: Uint8Array): number {
  const end = pattern.indexOf(ZERO)
  return (end < 0 ? pattern : pattern.subarray(0, end)).indexOf(ASTERISK)
}
