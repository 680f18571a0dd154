/**
 * Hash slot and table hash of a key. The slot is CRC-16/XMODEM of the key, or of its hash tag, modulo 16,384 (Redis Cluster
 * specification). The table hash is FNV-1a with a secret seed and MurmurHash3's finaliser.
 */
const CRC16 = new Uint16Array(256).map((_, index) => {
  let crc = index << 8
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff
  return crc
})

export const SLOT_COUNT = 16384
const OPEN_BRACE = 123
const CLOSE_BRACE = 125

export class KeyHasher {
  /** Results of the last compute. */
  hash = 0
  slot = 0

  constructor(private readonly seed: number) {}

  compute(buf: Uint8Array, off: number, len: number): void {
    let hash = this.seed
    let crc = 0
    let brace = -1
    for (let i = 0; i < len; i++) {
      const byte = buf[off + i]
      hash = Math.imul(hash ^ byte, 0x01000193)
      crc = ((crc << 8) & 0xffff) ^ CRC16[(crc >>> 8) ^ byte]
      if (byte === OPEN_BRACE && brace < 0) brace = i
    }
    hash ^= hash >>> 16
    hash = Math.imul(hash, 0x85ebca6b)
    hash ^= hash >>> 13
    hash = Math.imul(hash, 0xc2b2ae35)
    this.hash = (hash ^ (hash >>> 16)) >>> 0
    this.slot = (brace >= 0 ? tagCrc(buf, off, len, brace, crc) : crc) & (SLOT_COUNT - 1)
  }
}

/** CRC of what stands between the first { and the next }, if that is not empty; else of the whole key. */
function tagCrc(buf: Uint8Array, off: number, len: number, open: number, whole: number): number {
  let close = open + 1
  while (close < len && buf[off + close] !== CLOSE_BRACE) close++
  if (close === len || close === open + 1) return whole
  let crc = 0
  for (let i = open + 1; i < close; i++) crc = ((crc << 8) & 0xffff) ^ CRC16[(crc >>> 8) ^ buf[off + i]]
  return crc
}

/** Hash slot of a key, for CLUSTER KEYSLOT and tools. */
export function slotOf(key: Uint8Array): number {
  const hasher = new KeyHasher(0)
  hasher.compute(key, 0, key.length)
  return hasher.slot
}
