import type { Call } from './call.js'
import { CommandError, syntaxError } from './command-error.js'
import type { ArgumentSpec } from './command-spec.js'

const DEFAULT_COUNT = 10
/** Argument 0 is the command's name and never a pattern. */
export const NO_PATTERN = 0

/** Options of the commands that walk one collection, for COMMAND DOCS. */
export const SCAN_ARGUMENTS: readonly ArgumentSpec[] = [
  { name: 'cursor', type: 'integer' },
  { name: 'pattern', type: 'pattern', token: 'MATCH', flags: ['optional'] },
  { name: 'count', type: 'integer', token: 'COUNT', flags: ['optional'] },
]

export interface ScanOptions {
  readonly count: number
  /** Argument with the pattern, or NO_PATTERN. */
  readonly pattern: number
  readonly noValues: boolean
}

/** Argument i as a cursor: a decimal number of up to 64 bits; leading zeros are accepted, as Redis does. */
export function cursorArgument(call: Call, i: number): bigint {
  const text = call.text(i)
  const cursor = /^\d{1,40}$/.test(text) ? BigInt(text) : -1n
  if (cursor < 0n || cursor >= 2n ** 64n) throw new CommandError('ERR invalid cursor')
  return cursor
}

/** Options of HSCAN, SSCAN and ZSCAN, from argument 3 on. */
export function scanOptions(call: Call, takesNoValues: boolean): ScanOptions {
  let count = DEFAULT_COUNT
  let pattern = NO_PATTERN
  let noValues = false
  for (let i = 3; i < call.argc; i++) {
    const hasValue = i + 1 < call.argc
    if (call.is(i, 'COUNT') && hasValue) {
      count = call.integer(++i)
      if (count < 1) throw syntaxError()
    } else if (call.is(i, 'MATCH') && hasValue) {
      pattern = call.is(++i, '*') ? NO_PATTERN : i
    } else if (call.is(i, 'NOVALUES')) {
      if (!takesNoValues) throw new CommandError('ERR NOVALUES option can only be used in HSCAN')
      noValues = true
    } else {
      throw syntaxError()
    }
  }
  return { count, pattern, noValues }
}
