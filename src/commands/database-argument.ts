import type { Call } from './call.js'
import { CommandError } from './command-error.js'

const INT_MAX = 2 ** 31 - 1
const INT_MIN = -(2 ** 31)

/**
 * Argument i as the number of a database that exists.
 * @param notNumber reply for what is no 32-bit integer; Redis has words of its own where none are given.
 */
export function databaseArgument(call: Call, i: number, notNumber?: string): number {
  const index = int32Argument(call, i, notNumber)
  if (index < 0 || index >= call.keyspace.databaseCount) throw new CommandError('ERR DB index is out of range')
  return index
}

export function int32Argument(call: Call, i: number, notNumber?: string): number {
  const index = call.integer(i, notNumber)
  if (index < INT_MIN || index > INT_MAX) {
    throw new CommandError(notNumber ?? `ERR value is out of range, value must between ${INT_MIN} and ${INT_MAX}`)
  }
  return index
}
