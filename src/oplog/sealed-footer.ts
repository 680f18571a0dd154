import { startsWith } from '../base/bytes.js'
import { crc32 } from '../base/crc32.js'

/** Bytes of the checksum that a footer ends with; before it are its magic and its fields. */
const CHECKSUM_BYTES = 4

/** A footer of so many bytes: what `write` writes behind the magic, and a checksum of all of it. */
export function sealedFooter(length: number, magic: Uint8Array, write: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(length)
  const view = new DataView(bytes.buffer)
  bytes.set(magic)
  write(view)
  const end = length - CHECKSUM_BYTES
  view.setUint32(end, crc32(bytes.subarray(0, end)), true)
  return bytes
}

/** Null when these are not the bytes of a footer of that length and magic. */
export function openedFooter(bytes: Uint8Array, length: number, magic: Uint8Array): DataView | null {
  if (bytes.length !== length || !startsWith(bytes, magic)) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const end = length - CHECKSUM_BYTES
  return crc32(bytes.subarray(0, end)) === view.getUint32(end, true) ? view : null
}
