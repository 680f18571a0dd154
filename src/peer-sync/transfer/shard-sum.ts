import { LIMITS } from '../../base/limits.js'

/** Goes over records and says what they are of, as hashes. */
export interface HashedRecords {
  readonly from: number
  readonly to: number
  readonly begins: boolean
  readonly isWhole: boolean
  readonly isPlain: boolean
  readonly keyHash: number
  readonly keyNumber: number
  readonly stateHigh: number
  readonly stateLow: number
  begin(bytes: Uint8Array, from: number, end: number): void
  next(): boolean
}

/** Bytes of a key in a list of digests: hash of the key u32, hash of its state 2 × u32. */
export const DIGEST_BYTES = 12
export const SHARD_SUM_BYTES = 12

/**
 * What a shard holds, as a number of keys and a sum: over the states of plain strings, and over the keys of everything else, which members may write in different
 * ways. The last record of a key counts, since a snapshot may have it more than once.
 */
export class ShardSum {
  /** By key number: what it has added. */
  private readonly keys = new Map<number, { high: number; low: number }>()
  private high = 0
  private low = 0

  has(keyNumber: number): boolean {
    return this.keys.has(keyNumber)
  }

  add(record: HashedRecords): void {
    const { keyNumber, isPlain, keyHash } = record
    const before = this.keys.get(keyNumber)
    if (before !== undefined) {
      this.high = (this.high - before.high) >>> 0
      this.low = (this.low - before.low) >>> 0
    }
    const added = isPlain ? { high: record.stateHigh, low: record.stateLow } : { high: keyHash, low: 0 }
    this.high = (this.high + added.high) >>> 0
    this.low = (this.low + added.low) >>> 0
    this.keys.set(keyNumber, added)
  }

  encoded(): Uint8Array {
    const bytes = new Uint8Array(SHARD_SUM_BYTES)
    const view = new DataView(bytes.buffer)
    view.setUint32(0, this.keys.size, true)
    view.setUint32(4, this.high, true)
    view.setUint32(8, this.low, true)
    return bytes
  }
}

/** The list of digests of what is in a shard, as long as it may be sent. */
export class DigestBytes {
  private buffer = new Uint8Array(256 * DIGEST_BYTES)
  private view = new DataView(this.buffer.buffer)
  private length = 0

  add({ keyHash, stateHigh, stateLow }: HashedRecords): void {
    const { length } = this
    if (length > LIMITS.transferDigestBytes) return
    if (length === this.buffer.length) {
      const larger = new Uint8Array(2 * length)
      larger.set(this.buffer)
      this.buffer = larger
      this.view = new DataView(larger.buffer)
    }
    this.view.setUint32(length, keyHash, true)
    this.view.setUint32(length + 4, stateHigh, true)
    this.view.setUint32(length + 8, stateLow, true)
    this.length += DIGEST_BYTES
  }

  /** Null: too many. */
  get bytes(): Uint8Array | null {
    return this.length > LIMITS.transferDigestBytes ? null : this.buffer.subarray(0, this.length)
  }
}

/** A list of digests by the hashes of keys; those of keys that the other side has too are taken note of. */
export class DigestList {
  private readonly states = new Map<number, { high: number; low: number; isSeen: boolean }>()
  private looking: MapIterator<[number, { isSeen: boolean }]> | null = null

  /** Adds a run of whole digests. */
  add(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let at = 0; at + DIGEST_BYTES <= bytes.length; at += DIGEST_BYTES) {
      const state = { high: view.getUint32(at + 4, true), low: view.getUint32(at + 8, true), isSeen: false }
      this.states.set(view.getUint32(at, true), state)
    }
  }

  /** True when the list has the key in the same state. */
  see(record: HashedRecords): boolean {
    const known = this.states.get(record.keyHash)
    if (known === undefined) return false
    known.isSeen = true
    return record.isWhole && known.high === record.stateHigh && known.low === record.stateLow
  }

  /** Looks at some keys of the list and gives the hashes of those that were not seen; null when all were looked at. Nothing is seen any more then. */
  unseen(looks: number): Uint8Array | null {
    this.looking ??= this.states.entries()
    const bytes = new Uint8Array(4 * looks)
    const view = new DataView(bytes.buffer)
    let length = 0
    for (let i = 0; i < looks; i++) {
      const next = this.looking.next()
      if (next.done === true) return i === 0 ? null : bytes.subarray(0, length)
      const [hash, { isSeen }] = next.value
      if (isSeen) continue
      view.setUint32(length, hash, true)
      length += 4
    }
    return bytes.subarray(0, length)
  }
}
