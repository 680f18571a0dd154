import { INT64_MAX, INT64_MIN, latin1, parseInteger, parseInteger64 } from '../../base/bytes.js'
import { decimalOf, DECIMAL_ZERO, type Decimal } from '../../base/decimal.js'
import type { Call } from '../call.js'
import { CommandError, Errors } from '../command-error.js'
import type { CommandSpec } from '../command-spec.js'
import { floatSum, NOT_FINITE, parseFloatText } from '../float-arithmetic.js'
import { FIELD, hashSpec, writtenHash } from './arguments.js'
import { replyField } from './field-commands.js'
import { notifyFields } from './field-events.js'

/**
 * HINCRBY and HINCRBYFLOAT: as INCR, on a field. The visible value is computed and checked here; what is replicated is the increment, so that
 * increments made in two regions add up.
 */
const OVERFLOW = 'ERR increment or decrement would overflow'

function hincrby(call: Call): void {
  const by = call.integer(3)
  const root = writtenHash(call)
  const { buf, off, len } = call.request
  const { hashes } = call.collections
  const found = hashes.find(call.db, root, buf, off[2], len[2])
  const value = found ? parseInteger(hashes.buf, hashes.off, hashes.len) : 0
  const result = value + by
  if (Number.isSafeInteger(by) && Number.isSafeInteger(result)) {
    hashes.addInteger(call.db, root, call.database, call.request, by, result)
    notifyFields(call, 'hincrby', 2, 3)
    call.reply.integer(result)
    return
  }
  const exact = found ? parseInteger64(hashes.buf, hashes.off, hashes.len) : 0n
  if (exact === null) throw new CommandError('ERR hash value is not an integer')
  const exactBy = call.integer64(3)
  const exactResult = exact + exactBy
  if (exactResult > INT64_MAX || exactResult < INT64_MIN) throw new CommandError(OVERFLOW)
  if (isSafe(exactBy) && isSafe(exactResult)) {
    hashes.addInteger(call.db, root, call.database, call.request, Number(exactBy), Number(exactResult))
  } else {
    hashes.addDecimal(call.db, root, call.database, call.request, decimalOf(exactBy), decimalOf(exactResult))
  }
  notifyFields(call, 'hincrby', 2, 3)
  call.reply.bigInteger(exactResult)
}

function isSafe(value: bigint): boolean {
  return Number.isSafeInteger(Number(value))
}

function hincrbyfloat(call: Call): void {
  const { buf, off, len } = call.request
  const by = parseFloatText(latin1(buf, off[3], len[3]), Errors.notFloat)
  if (by === 'infinite') throw new CommandError('ERR value is NaN or Infinity')
  const root = writtenHash(call)
  const { hashes } = call.collections
  let value: Decimal | 'infinite' = DECIMAL_ZERO
  if (hashes.find(call.db, root, buf, off[2], len[2])) {
    value = parseFloatText(latin1(hashes.buf, hashes.off, hashes.len), 'ERR hash value is not a float')
  }
  if (value === 'infinite') throw new CommandError(NOT_FINITE)
  hashes.addDecimal(call.db, root, call.database, call.request, by, floatSum(value, by, call.effects.solo))
  notifyFields(call, 'hincrbyfloat', 2, 3)
  // What is visible now: beside a sum of several members it may be rounded otherwise than the result here.
  replyField(call, writtenHash(call), 2)
}

export const INCREMENT_COMMANDS: readonly CommandSpec[] = [
  hashSpec(
    'hincrby',
    4,
    ['write', 'denyoom', 'fast'],
    ['RW', 'access', 'update'],
    '2.0.0',
    'Adds a number to the integer in a field; a field that does not exist counts as 0.',
    'O(1)',
    [FIELD, { name: 'increment', type: 'integer' }],
    hincrby,
  ),
  hashSpec(
    'hincrbyfloat',
    4,
    ['write', 'denyoom', 'fast'],
    ['RW', 'access', 'update'],
    '2.6.0',
    'Adds a decimal fraction to the number in a field; a field that does not exist counts as 0.',
    'O(1)',
    [FIELD, { name: 'increment', type: 'double' }],
    hincrbyfloat,
  ),
]
