import { LIMITS } from '../base/limits.js'

/** What a client did wrong: its text is the error reply. Thrown by handlers before they have changed anything. */
export class CommandError extends Error {
  override readonly name = 'CommandError'

  /** @param message the reply, its code first: 'ERR syntax error'. */
  constructor(message: string) {
    super(message)
  }
}

/** As many bytes of what a client said does an error show, of a word or of all arguments together. */
export const EXCERPT_BYTES = 128

/** Redis' words for errors that many commands share. */
export const Errors = {
  syntax: 'ERR syntax error',
  wrongType: 'WRONGTYPE Operation against a key holding the wrong kind of value',
  notInteger: 'ERR value is not an integer or out of range',
  notNegatable: 'ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807',
  notFloat: 'ERR value is not a valid float',
  opTooLong: `ERR the command and its transaction write more than ${LIMITS.maxOpBytes} bytes: write less at once`,
  noSuchKey: 'ERR no such key',
  indexRange: 'ERR index out of range',
  outOfMemory: "OOM command not allowed when used memory > 'maxmemory'.",
  stringTooLong: 'ERR string exceeds maximum allowed size (proto-max-bulk-len)',
} as const

export function syntaxError(): CommandError {
  return new CommandError(Errors.syntax)
}
