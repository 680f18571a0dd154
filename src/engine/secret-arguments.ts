import { equalsWord } from '../base/bytes.js'
import type { Request } from '../resp/request.js'

/** What is shown instead of a secret. */
export const REDACTED = '(redacted)'
const SECRET_SETTINGS = ['REQUIREPASS', 'MASTERAUTH', 'MASTERUSER', 'TLS-KEY-FILE-PASS', 'TLS-CLIENT-KEY-FILE-PASS']

/** True for an argument that neither SLOWLOG nor MONITOR may show. name: of the command, with its subcommand (`config|set`). */
export function isSecret(name: string, { buf, off, len }: Request, i: number): boolean {
  switch (name) {
    case 'auth':
      return i >= 1
    case 'hello':
      return (
        (i >= 3 && equalsWord(buf, off[i - 1], len[i - 1], 'AUTH')) || (i >= 4 && equalsWord(buf, off[i - 2], len[i - 2], 'AUTH'))
      )
    case 'migrate':
      return (
        (i > 6 && (equalsWord(buf, off[i - 1], len[i - 1], 'AUTH') || equalsWord(buf, off[i - 1], len[i - 1], 'AUTH2'))) ||
        (i > 7 && equalsWord(buf, off[i - 2], len[i - 2], 'AUTH2'))
      )
    case 'config|set':
      return i >= 3 && i % 2 === 1 && SECRET_SETTINGS.some((setting) => equalsWord(buf, off[i - 1], len[i - 1], setting))
    default:
      return false
  }
}
