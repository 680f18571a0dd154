const MODULE_NAME_CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** The 9 characters in the upper 54 bits of a module type's number; the lower 10 are its version. */
export function moduleName(id: bigint): string {
  let name = ''
  for (let rest = id >> 10n, i = 0; i < 9; i++, rest >>= 6n) name = MODULE_NAME_CHARACTERS[Number(rest & 63n)] + name
  return name
}
