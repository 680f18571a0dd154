import * as zlib from 'node:zlib'

/** CRC-32 (IEEE 802.3, as in zlib). `zlib.crc32` came with Node 20.15; older Node 20 computes it from a table. */
const nativeCrc32 = (zlib as { crc32?: (data: Uint8Array, seed?: number) => number }).crc32

const TABLE = new Uint32Array(256).map((_, index) => {
  let value = index
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
  return value
})

/** The same checksum from a table; exported so that a test can hold it against the native one. */
export function crc32FromTable(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (let i = 0; i < bytes.length; i++) crc = TABLE[(crc ^ bytes[i]) & 0xff] ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}

export const crc32: (bytes: Uint8Array) => number = nativeCrc32 ? (bytes) => nativeCrc32(bytes) : crc32FromTable
