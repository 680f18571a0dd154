import { latin1 } from '../../base/bytes.js'
import { CommandError } from '../command-error.js'

/** A name that can stand in a line of CLIENT LIST; empty for none. Throws Redis' error. */
export function clientName(bytes: Uint8Array): string {
  if (!isPrintable(bytes)) throw new CommandError('ERR Client names cannot contain spaces, newlines or special characters.')
  return latin1(bytes, 0, bytes.length)
}

/** Visible ASCII without spaces: lines of CLIENT LIST must stay easy to split. */
export function isPrintable(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte >= 33 && byte <= 126)
}
