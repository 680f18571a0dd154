/**
 * HyperLogLog in the very bytes that Redis keeps: what GET gives here redis-server's PFCOUNT reads, and the other way round. Two of them merge by
 * the maximum of each register, which is idempotent, commutative and associative: there is nothing to say about the order of adds.
 *
 * ```
 * byte  0  "HYLL"
 *       4  encoding: 0 dense, 1 sparse
 *       5  three bytes unused
 *       8  the last count, little-endian; bit 7 of byte 15 says that it is out of date
 *      16  dense: 16,384 registers of 6 bits, the lowest bits of a byte first;  sparse: see hyperloglog-sparse
 * ```
 *
 * Sources: Flajolet et al., "HyperLogLog" (2007) for the registers; Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches"
 * (arXiv:1702.01284) for the estimate. Hash (MurmurHash64A), its seed and which of its bits mean what are Redis', or registers could not be exchanged.
 *
 * Everything works on byte ranges and allocates nothing.
 */
export const REGISTERS = 16_384
export const HEADER_BYTES = 16
export const DENSE_BYTES = HEADER_BYTES + (REGISTERS * 6) / 8
/** The highest rank that a hash can have: 50 bits without a one. Six bits of a register could say more, and merged bytes of others may. */
export const MAX_RANK = 51
export const DENSE = 0
export const SPARSE = 1
/** Redis' default for the longest sparse representation. */
export const SPARSE_MAX_BYTES = 3000

const INDEX_BITS = 14
const INDEX_MASK = REGISTERS - 1
const REGISTER_BITS = 6
const REGISTER_MAX = 63
const ENCODING_BYTE = 4
const COUNT_BYTE = 8
const COUNT_BYTES = 8
const MAGIC = [0x48, 0x59, 0x4c, 0x4c] as const

const MURMUR_HIGH = 0xc6a4a793 | 0
const MURMUR_LOW = 0x5bd1e995
const MURMUR_LOW_0 = MURMUR_LOW & 0xffff
const MURMUR_LOW_1 = MURMUR_LOW >>> 16
/** The hash's shift of 47 in 32-bit halves: the low half gets bits 47..63, the high half nothing. */
const MURMUR_SHIFT = 47 - 32
const SEED = 0xadc83b19 | 0

/** Upper half of the product of an unsigned 32-bit integer and the lower half of Murmur's factor. */
function productHigh(low: number): number {
  const low0 = low & 0xffff
  const low1 = low >>> 16
  const middle = low1 * MURMUR_LOW_0 + ((low0 * MURMUR_LOW_0) >>> 16)
  const other = low0 * MURMUR_LOW_1 + (middle & 0xffff)
  return (low1 * MURMUR_LOW_1 + (middle >>> 16) + (other >>> 16)) | 0
}

/** Register and rank of an element, packed: index | rank << 14. */
export function patternOf(buf: Uint8Array, off: number, len: number): number {
  let low = SEED ^ Math.imul(len, MURMUR_LOW)
  let high = (productHigh(len) + Math.imul(len, MURMUR_HIGH)) | 0
  let i = off
  for (const end = off + (len & ~7); i < end; i += 8) {
    let kLow = buf[i] | (buf[i + 1] << 8) | (buf[i + 2] << 16) | (buf[i + 3] << 24)
    let kHigh = buf[i + 4] | (buf[i + 5] << 8) | (buf[i + 6] << 16) | (buf[i + 7] << 24)
    kHigh = (productHigh(kLow) + Math.imul(kHigh, MURMUR_LOW) + Math.imul(kLow, MURMUR_HIGH)) | 0
    kLow = Math.imul(kLow, MURMUR_LOW)
    kLow ^= kHigh >>> MURMUR_SHIFT
    kHigh = (productHigh(kLow) + Math.imul(kHigh, MURMUR_LOW) + Math.imul(kLow, MURMUR_HIGH)) | 0
    kLow = Math.imul(kLow, MURMUR_LOW)
    low ^= kLow
    high ^= kHigh
    high = (productHigh(low) + Math.imul(high, MURMUR_LOW) + Math.imul(low, MURMUR_HIGH)) | 0
    low = Math.imul(low, MURMUR_LOW)
  }
  const rest = len & 7
  if (rest > 0) {
    for (let j = rest - 1; j >= 0; j--) {
      if (j >= 4) high ^= buf[i + j] << ((j - 4) << 3)
      else low ^= buf[i + j] << (j << 3)
    }
    high = (productHigh(low) + Math.imul(high, MURMUR_LOW) + Math.imul(low, MURMUR_HIGH)) | 0
    low = Math.imul(low, MURMUR_LOW)
  }
  low ^= high >>> MURMUR_SHIFT
  high = (productHigh(low) + Math.imul(high, MURMUR_LOW) + Math.imul(low, MURMUR_HIGH)) | 0
  low = Math.imul(low, MURMUR_LOW)
  low ^= high >>> MURMUR_SHIFT
  return (low & INDEX_MASK) | (rankOf(low >>> INDEX_BITS, high) << INDEX_BITS)
}

/** One more than the zeros at the low end of the 50 bits `high:low`, low being 18 of them. */
function rankOf(low: number, high: number): number {
  if (low !== 0) return 32 - Math.clz32(low & -low)
  return high === 0 ? MAX_RANK : 32 - INDEX_BITS + 32 - Math.clz32(high & -high)
}

export function indexOf(pattern: number): number {
  return pattern & INDEX_MASK
}

export function rankIn(pattern: number): number {
  return pattern >>> INDEX_BITS
}

/** True for bytes that say that they are a HyperLogLog: what Redis asks before it reads one. */
export function hasHeader(buf: Uint8Array, off: number, len: number): boolean {
  if (len < HEADER_BYTES) return false
  for (let i = 0; i < MAGIC.length; i++) if (buf[off + i] !== MAGIC[i]) return false
  const encoding = buf[off + ENCODING_BYTE]
  return encoding === SPARSE || (encoding === DENSE && len === DENSE_BYTES)
}

export function isDense(buf: Uint8Array, off: number): boolean {
  return buf[off + ENCODING_BYTE] === DENSE
}

/** Writes the header with a count of 0 that is up to date. */
export function writeHeader(buf: Uint8Array, off: number, encoding: number): void {
  for (let i = 0; i < MAGIC.length; i++) buf[off + i] = MAGIC[i]
  buf[off + ENCODING_BYTE] = encoding
  for (let i = ENCODING_BYTE + 1; i < HEADER_BYTES; i++) buf[off + i] = 0
}

/** The registers have changed: the count in the header is out of date. */
export function forgetCount(buf: Uint8Array, off: number): void {
  buf[off + HEADER_BYTES - 1] |= 0x80
}

/** The count in the header, NaN when it is out of date. Bytes from elsewhere may say any number: a safe integer all the same. */
export function rememberedCount(buf: Uint8Array, off: number): number {
  if ((buf[off + HEADER_BYTES - 1] & 0x80) !== 0) return Number.NaN
  let count = 0
  for (let i = COUNT_BYTES - 1; i >= 0; i--) count = count * 256 + buf[off + COUNT_BYTE + i]
  return Math.min(count, Number.MAX_SAFE_INTEGER)
}

export function rememberCount(buf: Uint8Array, off: number, count: number): void {
  let rest = count
  for (let i = 0; i < COUNT_BYTES; i++) {
    buf[off + COUNT_BYTE + i] = rest % 256
    rest = Math.floor(rest / 256)
  }
}

export function denseRegister(buf: Uint8Array, off: number, index: number): number {
  const bit = index * REGISTER_BITS
  const at = off + HEADER_BYTES + (bit >>> 3)
  // The last register ends with its byte: what is read behind it is shifted out.
  return ((buf[at] | (buf[at + 1] << 8)) >>> (bit & 7)) & REGISTER_MAX
}

export function setDenseRegister(buf: Uint8Array, off: number, index: number, rank: number): void {
  const bit = index * REGISTER_BITS
  const at = off + HEADER_BYTES + (bit >>> 3)
  const shift = bit & 7
  buf[at] = (buf[at] & ~(REGISTER_MAX << shift)) | (rank << shift)
  if (shift > 8 - REGISTER_BITS) buf[at + 1] = (buf[at + 1] & ~(REGISTER_MAX >>> (8 - shift))) | (rank >>> (8 - shift))
}

/** Writes 16,384 registers, one a byte, as a dense HyperLogLog of DENSE_BYTES. Its count is out of date. */
export function writeDense(registers: Uint8Array, to: Uint8Array, off: number): void {
  writeHeader(to, off, DENSE)
  forgetCount(to, off)
  let at = off + HEADER_BYTES
  for (let i = 0; i < REGISTERS; i += 4) {
    const four = registers[i] | (registers[i + 1] << 6) | (registers[i + 2] << 12) | (registers[i + 3] << 18)
    to[at++] = four
    to[at++] = four >>> 8
    to[at++] = four >>> 16
  }
}

/** Raises registers, one a byte, to those of a dense HyperLogLog. */
export function mergeDense(registers: Uint8Array, buf: Uint8Array, off: number): void {
  let at = off + HEADER_BYTES
  for (let i = 0; i < REGISTERS; i += 4) {
    const four = buf[at] | (buf[at + 1] << 8) | (buf[at + 2] << 16)
    at += 3
    if (four === 0) continue
    // Not a loop: this is all of the time that PFCOUNT and PFMERGE of many take.
    const a = four & REGISTER_MAX
    const b = (four >>> 6) & REGISTER_MAX
    const c = (four >>> 12) & REGISTER_MAX
    const d = four >>> 18
    if (a > registers[i]) registers[i] = a
    if (b > registers[i + 1]) registers[i + 1] = b
    if (c > registers[i + 2]) registers[i + 2] = c
    if (d > registers[i + 3]) registers[i + 3] = d
  }
}

/** How many registers have each rank; one set of counters for all. */
const counts = new Int32Array(REGISTER_MAX + 1)

export function beginCounting(): Int32Array {
  return counts.fill(0)
}

export function countDense(buf: Uint8Array, off: number): number {
  beginCounting()
  for (let at = off + HEADER_BYTES, end = off + DENSE_BYTES; at < end; at += 3) {
    const four = buf[at] | (buf[at + 1] << 8) | (buf[at + 2] << 16)
    counts[four & REGISTER_MAX]++
    counts[(four >>> 6) & REGISTER_MAX]++
    counts[(four >>> 12) & REGISTER_MAX]++
    counts[four >>> 18]++
  }
  return estimate()
}

/** Counts registers that stand one a byte. */
export function countRegisters(registers: Uint8Array): number {
  beginCounting()
  for (let i = 0; i < REGISTERS; i++) counts[registers[i]]++
  return estimate()
}

const ALPHA_INFINITY = 0.72134752044448170368

/** The cardinality that the counted ranks make likely. The order of the operations is Redis': the last bit must be the same. */
export function estimate(): number {
  let z = REGISTERS * tau((REGISTERS - counts[MAX_RANK]) / REGISTERS)
  for (let rank = MAX_RANK - 1; rank >= 1; rank--) {
    z += counts[rank]
    z *= 0.5
  }
  z += REGISTERS * sigma(counts[0] / REGISTERS)
  // No hash gives registers that are all at their highest; bytes from elsewhere can say so.
  return z === 0 ? Number.MAX_SAFE_INTEGER : Math.round((ALPHA_INFINITY * REGISTERS * REGISTERS) / z)
}

function sigma(start: number): number {
  if (start === 1) return Infinity
  let x = start
  let y = 1
  let z = start
  for (let before = -1; before !== z;) {
    x *= x
    before = z
    z += x * y
    y += y
  }
  return z
}

function tau(start: number): number {
  if (start === 0 || start === 1) return 0
  let x = start
  let y = 1
  let z = 1 - start
  for (let before = -1; before !== z;) {
    x = Math.sqrt(x)
    before = z
    y *= 0.5
    z -= (1 - x) ** 2 * y
  }
  return z / 3
}
