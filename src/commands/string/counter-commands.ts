import { INT64_MAX, INT64_MIN, latin1, parseInteger64 } from '../../base/bytes.js'
import { NotificationClass } from '../../base/notification-classes.js'
import { decimalOf, DECIMAL_ZERO, type Decimal } from '../../base/decimal.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError, Errors } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import { floatSum, NOT_FINITE, parseFloatText } from '../float-arithmetic.js'
import { KEY } from './arguments.js'

/**
 * INCR and its kin. The visible value is computed and checked here, by Redis' rules; what is replicated is the increment, so that increments made
 * in two regions add up.
 */
export const OVERFLOW = 'ERR increment or decrement would overflow'

function increment(call: Call, by: number): void {
  const ref = call.findString(1)
  const value = ref === 0 ? 0 : call.strings.counterValue(call.db, ref)
  const result = value + by
  if (!Number.isSafeInteger(result)) {
    incrementExact(call, ref, BigInt(by))
    return
  }
  const { buf, off, len } = call.request
  call.effects.addInteger(call.database, buf, off[1], len[1], by, result)
  call.notify(NotificationClass.string, 'incrby', 1)
  call.reply.integer(result)
}

/** Values and increments beyond 2^53, and values that are not in the small form. */
function incrementExact(call: Call, ref: Ref, by: bigint): void {
  const result = integerValue(call, ref) + by
  if (result > INT64_MAX || result < INT64_MIN) throw new CommandError(OVERFLOW)
  addExact(call, by, result)
  call.notify(NotificationClass.string, 'incrby', 1)
  call.reply.bigInteger(result)
}

/** The visible value of a record as an integer of 64 bits, 0 without a record. */
export function integerValue(call: Call, ref: Ref): bigint {
  if (ref === 0) return 0n
  const { strings } = call
  strings.read(call.db, ref)
  const value = parseInteger64(strings.buf, strings.off, strings.len)
  if (value === null) throw new CommandError(Errors.notInteger)
  return value
}

/** Adds to the key in argument 1, which shows the result then. */
export function addExact(call: Call, by: bigint, result: bigint): void {
  const { buf, off, len } = call.request
  if (isSafe(by) && isSafe(result)) call.effects.addInteger(call.database, buf, off[1], len[1], Number(by), Number(result))
  else call.effects.addDecimal(call.database, buf, off[1], len[1], decimalOf(by), decimalOf(result))
}

function isSafe(value: bigint): boolean {
  return Number.isSafeInteger(Number(value))
}

function incrementByArgument(call: Call, sign: 1 | -1): void {
  const by = call.integer(2)
  if (Number.isSafeInteger(by)) {
    // Zero stays positive: minus zero is no integer to write.
    increment(call, by === 0 ? 0 : sign * by)
    return
  }
  const exact = call.integer64(2)
  if (sign < 0 && exact === INT64_MIN) throw new CommandError('ERR decrement would overflow')
  incrementExact(call, call.findString(1), sign < 0 ? -exact : exact)
}

function incrementByFloat(call: Call): void {
  const value = floatValue(call, call.findString(1))
  const by = parseFloatText(latin1(call.request.buf, call.request.off[2], call.request.len[2]), Errors.notFloat)
  if (value === 'infinite' || by === 'infinite') throw new CommandError(NOT_FINITE)
  call.reply.bulkString(addFloat(call, by, floatSum(value, by, call.effects.solo)))
}

/** The visible value of a record as a number, 0 without a record. */
export function floatValue(call: Call, ref: Ref): Decimal | 'infinite' {
  return ref === 0 ? DECIMAL_ZERO : parseFloatText(valueText(call, ref), Errors.notFloat)
}

/** Adds to the key in argument 1. Gives what it shows then: beside a sum of several members it may be rounded otherwise than the result here. */
export function addFloat(call: Call, by: Decimal, result: Decimal): string {
  const { buf, off, len } = call.request
  call.effects.addDecimal(call.database, buf, off[1], len[1], by, result)
  call.notify(NotificationClass.string, 'incrbyfloat', 1)
  return valueText(call, call.find(1))
}

function valueText({ strings, db }: Call, ref: Ref): string {
  strings.read(db, ref)
  return latin1(strings.buf, strings.off, strings.len)
}

function counterSpec(
  name: string,
  summary: string,
  since: string,
  argument: string | null,
  handler: (call: Call) => void,
): CommandSpec {
  return {
    name,
    arity: argument === null ? 2 : 3,
    flags: ['write', 'denyoom', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'access', 'update'),
    group: 'string',
    categories: ['string'],
    since,
    summary,
    complexity: 'O(1)',
    arguments: argument === null ? [KEY] : [KEY, { name: argument, type: name === 'incrbyfloat' ? 'double' : 'integer' }],
    handler,
  }
}

export const COUNTER_COMMANDS: readonly CommandSpec[] = [
  counterSpec('incr', 'Adds one to an integer; a key that does not exist counts as 0.', '1.0.0', null, (call) =>
    increment(call, 1),
  ),
  counterSpec('decr', 'Takes one from an integer; a key that does not exist counts as 0.', '1.0.0', null, (call) =>
    increment(call, -1),
  ),
  counterSpec('incrby', 'Adds a number to an integer; a key that does not exist counts as 0.', '1.0.0', 'increment', (call) =>
    incrementByArgument(call, 1),
  ),
  counterSpec('decrby', 'Takes a number from an integer; a key that does not exist counts as 0.', '1.0.0', 'decrement', (call) =>
    incrementByArgument(call, -1),
  ),
  counterSpec(
    'incrbyfloat',
    'Adds a decimal fraction to a number; a key that does not exist counts as 0.',
    '2.6.0',
    'increment',
    incrementByFloat,
  ),
]
