import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'

/** Latest time of expiry of a field, in Unix ms; Redis keeps 46 bits. */
const MAX_FIELD_EXPIRY_MS = 2 ** 46 - 1

const MISSING = 'ERR Mandatory argument FIELDS is missing or not at the right position'
const MISMATCH = 'ERR The `numfields` parameter must match the number of arguments'

/** Checks FIELDS, numfields and as many fields, from argument i to the end. Gives the number of the first field's argument. */
export function checkFields(call: Call, i: number, notPositive: string): number {
  if (fieldsEnd(call, i, notPositive) !== call.argc) throw new CommandError(MISMATCH)
  return i + 2
}

/**
 * The same where an option may come behind the fields, as in Redis 8.4. Gives the argument behind the last field; parseOption is asked for the one behind the
 * option that is there, if it is one.
 */
export function checkFieldsBefore(call: Call, i: number, notPositive: string, parseOption: (i: number) => number): number {
  const end = fieldsEnd(call, i, notPositive)
  if (end < call.argc && parseOption(end) !== call.argc) throw new CommandError(MISMATCH)
  return end
}

function fieldsEnd(call: Call, i: number, notPositive: string): number {
  if (i >= call.argc || !call.is(i, 'FIELDS')) throw new CommandError(MISSING)
  if (i + 1 >= call.argc) throw new CommandError(notPositive)
  const count = call.integer(i + 1, notPositive)
  if (count < 1) throw new CommandError(notPositive)
  if (count > call.argc - i - 2) throw new CommandError(MISMATCH)
  return i + 2 + count
}

/** Argument i as a time of expiry in Unix ms: amount × unit + base, base being 0 or now. */
export function fieldExpiryTime(call: Call, i: number, unit: 1 | 1000, base: number): number {
  const amount = call.integer(i)
  if (amount < 0) throw new CommandError('ERR invalid expire time, must be >= 0')
  if (amount > MAX_FIELD_EXPIRY_MS / unit || amount * unit > MAX_FIELD_EXPIRY_MS - base) {
    throw new CommandError(`ERR invalid expire time in '${call.command.name}' command`)
  }
  return amount * unit + base
}
