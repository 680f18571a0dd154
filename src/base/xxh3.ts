import { TWO_32 } from './words.js'

/**
 * XXH3, 64 bits, without seed (Yann Collet; xxHash specification, version 0.8). Redis 8.4 compares values by it.
 *
 * Up to 240 bytes it is computed with 64-bit integers; beyond, the eight lanes are kept as pairs of 32-bit words, which costs about 2 ms a
 * megabyte instead of 50.
 */
const MASK = 0xffffffffffffffffn
const PRIME32_1 = 0x9e3779b1n
const PRIME32_2 = 0x85ebca77n
const PRIME32_3 = 0xc2b2ae3dn
const PRIME64_1 = 0x9e3779b185ebca87n
const PRIME64_2 = 0xc2b2ae3d27d4eb4fn
const PRIME64_3 = 0x165667b19e3779f9n
const PRIME64_4 = 0x85ebca77c2b2ae63n
const PRIME64_5 = 0x27d4eb2f165667c5n
const PRIME_MX1 = 0x165667919e3779f9n
const PRIME_MX2 = 0x9fb21c651e98df25n

/** The specification's default secret. */
const SECRET = Buffer.from(
  'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c' +
    '3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364' +
    'eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e',
  'hex',
)
const STRIPE_BYTES = 64
const STRIPES_PER_BLOCK = 16
const LANES = 8
const INITIAL_LANES = [PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1]
const SCRAMBLE_SECRET = 128
const LAST_STRIPE_SECRET = 121
const MERGE_SECRET = 11
const TWO_16 = 2 ** 16
const SCRAMBLE_PRIME = Number(PRIME32_1)

export function xxh3(bytes: Uint8Array): bigint {
  const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (input.length <= 16) return upTo16(input)
  if (input.length <= 128) return upTo128(input)
  return input.length <= 240 ? upTo240(input) : long(input)
}

/** As 16 hexadecimal digits. */
export function xxh3Text(digest: bigint): string {
  return digest.toString(16).padStart(16, '0')
}

function upTo16(input: Buffer): bigint {
  const length = input.length
  if (length === 0) return avalanche64(secret(56) ^ secret(64))
  if (length <= 3) {
    const combined = ((input[0] << 16) | (input[length >> 1] << 24) | input[length - 1] | (length << 8)) >>> 0
    return avalanche64(BigInt(combined) ^ BigInt((SECRET.readUInt32LE(0) ^ SECRET.readUInt32LE(4)) >>> 0))
  }
  if (length <= 8) {
    const joined = BigInt(input.readUInt32LE(length - 4)) + (BigInt(input.readUInt32LE(0)) << 32n)
    let hash = joined ^ secret(8) ^ secret(16)
    hash ^= rotateLeft(hash, 49n) ^ rotateLeft(hash, 24n)
    hash = (hash * PRIME_MX2) & MASK
    hash ^= (hash >> 35n) + BigInt(length)
    hash = (hash * PRIME_MX2) & MASK
    return hash ^ (hash >> 28n)
  }
  const low = input.readBigUInt64LE(0) ^ secret(24) ^ secret(32)
  const high = input.readBigUInt64LE(length - 8) ^ secret(40) ^ secret(48)
  return avalanche(BigInt(length) + swapBytes(low) + high + multiplyFold(low, high))
}

function upTo128(input: Buffer): bigint {
  const length = input.length
  let hash = BigInt(length) * PRIME64_1
  // Pairs from the outside in: 16 bytes from the front with 16 from the back, as many as there are.
  for (let i = Math.floor((length - 1) / 32); i >= 0; i--) {
    hash += mix16(input, i * 16, i * 32) + mix16(input, length - (i + 1) * 16, i * 32 + 16)
  }
  return avalanche(hash)
}

function upTo240(input: Buffer): bigint {
  const length = input.length
  let hash = BigInt(length) * PRIME64_1
  for (let i = 0; i < 8; i++) hash += mix16(input, i * 16, i * 16)
  hash = avalanche(hash)
  for (let i = 8; i < Math.floor(length / 16); i++) hash += mix16(input, i * 16, (i - 8) * 16 + 3)
  return avalanche(hash + mix16(input, length - 16, 119))
}

/** Low and high words of the eight lanes. */
const low = new Float64Array(LANES)
const high = new Float64Array(LANES)

function long(input: Buffer): bigint {
  INITIAL_LANES.forEach((lane, i) => {
    low[i] = Number(lane & 0xffffffffn)
    high[i] = Number(lane >> 32n)
  })
  const stripes = Math.floor((input.length - 1) / STRIPE_BYTES)
  for (let stripe = 0; stripe < stripes; stripe++) {
    const inBlock = stripe % STRIPES_PER_BLOCK
    accumulate(input, stripe * STRIPE_BYTES, inBlock * 8)
    if (inBlock === STRIPES_PER_BLOCK - 1) scramble()
  }
  accumulate(input, input.length - STRIPE_BYTES, LAST_STRIPE_SECRET)
  let hash = BigInt(input.length) * PRIME64_1
  for (let i = 0; i < LANES; i += 2) {
    hash += multiplyFold(lane(i) ^ secret(MERGE_SECRET + i * 8), lane(i + 1) ^ secret(MERGE_SECRET + i * 8 + 8))
  }
  return avalanche(hash)
}

function lane(i: number): bigint {
  return (BigInt(high[i]) << 32n) | BigInt(low[i])
}

/** Adds one stripe: to each lane the product of the halves of its keyed word, and to its neighbour the word itself. */
function accumulate(input: Buffer, at: number, secretAt: number): void {
  for (let i = 0; i < LANES; i++) {
    const wordLow = readUint32(input, at + i * 8)
    const wordHigh = readUint32(input, at + i * 8 + 4)
    addTo(i ^ 1, wordLow, wordHigh)
    const keyLow = (wordLow ^ readUint32(SECRET, secretAt + i * 8)) >>> 0
    const keyHigh = (wordHigh ^ readUint32(SECRET, secretAt + i * 8 + 4)) >>> 0
    const upper = (keyLow >>> 16) * keyHigh
    const rest = (keyLow & 0xffff) * keyHigh + (upper % TWO_16) * TWO_16
    addTo(i, rest % TWO_32, Math.floor(upper / TWO_16) + Math.floor(rest / TWO_32))
  }
}

function addTo(i: number, addLow: number, addHigh: number): void {
  const sum = low[i] + addLow
  const carry = sum >= TWO_32 ? 1 : 0
  low[i] = sum - carry * TWO_32
  high[i] = (high[i] + addHigh + carry) % TWO_32
}

/** Ends a block: each lane is mixed with the secret and multiplied by a 32-bit prime. */
function scramble(): void {
  for (let i = 0; i < LANES; i++) {
    const mixedLow = (low[i] ^ (high[i] >>> 15) ^ readUint32(SECRET, SCRAMBLE_SECRET + i * 8)) >>> 0
    const mixedHigh = (high[i] ^ readUint32(SECRET, SCRAMBLE_SECRET + i * 8 + 4)) >>> 0
    const upper = (mixedLow >>> 16) * SCRAMBLE_PRIME
    const rest = (mixedLow & 0xffff) * SCRAMBLE_PRIME + (upper % TWO_16) * TWO_16
    low[i] = rest % TWO_32
    high[i] = (Math.floor(upper / TWO_16) + Math.floor(rest / TWO_32) + (Math.imul(mixedHigh, SCRAMBLE_PRIME) >>> 0)) % TWO_32
  }
}

function readUint32(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0
}

function secret(at: number): bigint {
  return SECRET.readBigUInt64LE(at)
}

function mix16(input: Buffer, at: number, secretAt: number): bigint {
  return multiplyFold(input.readBigUInt64LE(at) ^ secret(secretAt), input.readBigUInt64LE(at + 8) ^ secret(secretAt + 8))
}

/** The two halves of the 128-bit product, folded into one. */
function multiplyFold(a: bigint, b: bigint): bigint {
  const product = a * b
  return (product & MASK) ^ (product >> 64n)
}

function rotateLeft(value: bigint, bits: bigint): bigint {
  return ((value << bits) | (value >> (64n - bits))) & MASK
}

function swapBytes(value: bigint): bigint {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return bytes.readBigUInt64BE()
}

/** XXH3's own last step; takes the sum before it is cut to 64 bits. */
function avalanche(sum: bigint): bigint {
  let hash = sum & MASK
  hash ^= hash >> 37n
  hash = (hash * PRIME_MX1) & MASK
  return hash ^ (hash >> 32n)
}

/** XXH64's last step, which XXH3 takes for the shortest inputs. */
function avalanche64(value: bigint): bigint {
  let hash = value ^ (value >> 33n)
  hash = (hash * PRIME64_2) & MASK
  hash ^= hash >> 29n
  hash = (hash * PRIME64_3) & MASK
  return hash ^ (hash >> 32n)
}
