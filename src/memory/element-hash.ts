/**
 * Hash of an element of a collection, for ElementTable: four bytes at a time after MurmurHash3, with a secret seed, so that clients cannot choose
 * elements that collide. As KeyHasher, without the hash slot that only keys need.
 */
export function hashElement(seed: number, buf: Uint8Array, off: number, len: number): number {
  let hash = seed ^ len
  const end = off + len
  let i = off
  for (; i + 4 <= end; i += 4) {
    const word = buf[i] | (buf[i + 1] << 8) | (buf[i + 2] << 16) | (buf[i + 3] << 24)
    hash = Math.imul(hash ^ Math.imul(word, 0xcc9e2d51), 0x1b873593)
    hash ^= hash >>> 15
  }
  for (; i < end; i++) hash = Math.imul(hash ^ buf[i], 0x01000193)
  hash ^= hash >>> 16
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
