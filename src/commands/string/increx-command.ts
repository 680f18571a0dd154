import { INT64_MAX, INT64_MIN, latin1 } from '../../base/bytes.js'
import { addDecimals, compareDecimals, decimalOf, printDecimal, subtractDecimals, type Decimal } from '../../base/decimal.js'
import { fitsLongDouble, LONG_DOUBLE_MAX } from '../../base/long-double.js'
import { NotificationClass } from '../../base/notification-classes.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError, Errors, syntaxError } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import { floatSum, NOT_FINITE, parseFloatText } from '../float-arithmetic.js'
import { KEY, oneOf, optional, TIMES, token } from './arguments.js'
import { addExact, addFloat, floatValue, integerValue, OVERFLOW } from './counter-commands.js'
import { SetOptions } from './set-options.js'
import { applyExpiry } from './value-commands.js'

const CROSSED = "ERR LBOUND can't be greater than UBOUND"
const BEYOND_MAX: Decimal = { digits: LONG_DOUBLE_MAX.digits * 2n, scale: 0 }
const LONG_DOUBLE_MIN = negative(LONG_DOUBLE_MAX)

/** Arguments that hold the numbers of INCREX, 0 for those that are not given, and what else it is asked for. */
class IncrexOptions {
  readonly expiry = new SetOptions()
  isFloat = false
  by = 0
  lower = 0
  upper = 0
  saturates = false
  /** The expiry is for a key that has none. */
  keepsExpiry = false

  /** @throws CommandError syntax error. */
  parse(call: Call): void {
    const { expiry } = this
    expiry.clear()
    this.isFloat = this.saturates = this.keepsExpiry = false
    this.by = this.lower = this.upper = 0
    for (let i = 2; i < call.argc; i++) {
      if (call.is(i, 'SATURATE')) this.saturates = true
      else if (call.is(i, 'ENX')) this.keepsExpiry = true
      else if (call.is(i, 'PERSIST')) expiry.persist()
      else if (i + 1 === call.argc) throw syntaxError()
      else {
        if (!expiry.parseTime(call, i)) this.parseNumber(call, i)
        i++
      }
    }
    if (this.keepsExpiry && !expiry.hasTime) throw syntaxError()
  }

  private parseNumber(call: Call, i: number): void {
    if (call.is(i, 'LBOUND')) this.lower = i + 1
    else if (call.is(i, 'UBOUND')) this.upper = i + 1
    else if (this.by === 0 && (call.is(i, 'BYINT') || call.is(i, 'BYFLOAT'))) {
      this.isFloat = call.is(i, 'BYFLOAT')
      this.by = i + 1
    } else throw syntaxError()
  }
}

const options = new IncrexOptions()

/**
 * An increment that stays within bounds, and an expiry. What is replicated is the increment that was applied, as with INCRBY: those of two regions add up,
 * and may together pass a bound that each of them kept.
 */
function increx(call: Call): void {
  options.parse(call)
  const at = options.expiry.expireAt(call)
  const ref = call.findString(1)
  const isApplied = options.isFloat ? incrementFloat(call, ref) : incrementInteger(call, ref)
  if (!isApplied) return
  const now = call.find(1)
  if (!options.keepsExpiry || call.db.expiresAt(now) === Infinity) applyExpiry(call, now, options.expiry, at)
}

/** False when the result would be out of bounds, and nothing was changed. */
function incrementInteger(call: Call, ref: Ref): boolean {
  const by = options.by === 0 ? 1n : call.integer64(options.by)
  const lower = options.lower === 0 ? INT64_MIN : call.integer64(options.lower)
  const upper = options.upper === 0 ? INT64_MAX : call.integer64(options.upper)
  if (lower > upper) throw new CommandError(CROSSED)
  const value = integerValue(call, ref)
  const wanted = value + by
  const result = wanted < lower ? lower : wanted > upper ? upper : wanted
  const isApplied = result === wanted || options.saturates
  const applied = isApplied ? result - value : 0n
  if (applied > INT64_MAX || applied < INT64_MIN) throw new CommandError(OVERFLOW)
  if (isApplied) {
    addExact(call, applied, result)
    call.notify(NotificationClass.string, 'incrby', 1)
  }
  call.reply.array(2)
  call.reply.bigInteger(value + applied)
  call.reply.bigInteger(applied)
  return isApplied
}

/** As incrementInteger. */
function incrementFloat(call: Call, ref: Ref): boolean {
  const by = boundOf(call, options.by)
  const lower = options.lower === 0 ? LONG_DOUBLE_MIN : boundOf(call, options.lower)
  const upper = options.upper === 0 ? LONG_DOUBLE_MAX : boundOf(call, options.upper)
  if (compareDecimals(lower, upper) > 0) throw new CommandError(CROSSED)
  const value = floatValue(call, ref)
  if (value === 'infinite') throw new CommandError(NOT_FINITE)
  const exact = addDecimals(value, by)
  const wanted = fitsLongDouble(by) && fitsLongDouble(exact) ? floatSum(value, by, call.effects.solo) : exact
  const result = compareDecimals(wanted, lower) < 0 ? lower : compareDecimals(wanted, upper) > 0 ? upper : wanted
  call.reply.array(2)
  if (result !== wanted && !options.saturates) {
    call.reply.double(printDecimal(value))
    call.reply.double('0')
    return false
  }
  if (!fitsLongDouble(result)) throw new CommandError(NOT_FINITE)
  const applied = result === wanted ? by : subtractDecimals(result, value)
  call.reply.double(addFloat(call, applied, result))
  call.reply.double(printDecimal(applied))
  return true
}

/** Argument i as a number; an infinite one lies beyond all others. */
function boundOf(call: Call, i: number): Decimal {
  const { buf, off, len } = call.request
  const text = latin1(buf, off[i], len[i])
  const value = parseFloatText(text, Errors.notFloat)
  if (value !== 'infinite') return value
  return text.startsWith('-') ? negative(BEYOND_MAX) : BEYOND_MAX
}

function negative(value: Decimal): Decimal {
  return subtractDecimals(decimalOf(0), value)
}

export const INCREX_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'increx',
    arity: -2,
    flags: ['write', 'denyoom', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'access', 'update'),
    group: 'string',
    categories: ['string'],
    since: '8.8.0',
    summary: 'Adds a number to a number within bounds, and sets or removes its expiry; a key that does not exist counts as 0.',
    complexity: 'O(1)',
    arguments: [
      KEY,
      optional(
        oneOf(
          'increment',
          { name: 'float', type: 'double', token: 'BYFLOAT' },
          { name: 'integer', type: 'integer', token: 'BYINT' },
        ),
      ),
      optional(token('saturate')),
      optional({ name: 'lowerbound', type: 'string', token: 'LBOUND' }),
      optional({ name: 'upperbound', type: 'string', token: 'UBOUND' }),
      optional(oneOf('expiration', ...TIMES, token('persist'))),
      optional(token('enx')),
    ],
    handler: increx,
  },
]
