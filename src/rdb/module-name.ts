const MODULE_NAME_CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const METADATA_NAME_CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-'

/** The 9 characters in the upper 54 bits of a module type's number; the lower 10 are its version. */
export function moduleName(id: bigint): string {
  let name = ''
  for (let rest = id >> 10n, i = 0; i < 9; i++, rest >>= 6n) name = MODULE_NAME_CHARACTERS[Number(rest & 63n)] + name
  return name
}

/** Bytes of what says of which class metadata of a key is: little-endian, from the lowest bit on 3 flags, a version of 5 bits, and 4 characters of 6. */
export const METADATA_CLASS_BYTES = 4
/** Flag: who does not know the class may leave the metadata out. */
const MAY_BE_IGNORED = 1

export function mayBeIgnored(buf: Uint8Array, at: number): boolean {
  return (buf[at] & MAY_BE_IGNORED) !== 0
}

export function metadataClassName(buf: Uint8Array, at: number): string {
  const characters = buf[at + 1] | (buf[at + 2] << 8) | (buf[at + 3] << 16)
  return [18, 12, 6, 0].map((shift) => METADATA_NAME_CHARACTERS[(characters >>> shift) & 63]).join('')
}
