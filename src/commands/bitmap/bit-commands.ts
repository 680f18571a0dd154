import { NotificationClass } from '../../base/notification-classes.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import { END, KEY, oneOf, optional, START, token } from '../string/arguments.js'
import { bitAt, bitOffset, readBitmap, unitIsBit } from './bit-arguments.js'
import { countBits, findBit } from './bit-scan.js'

/** SETBIT, GETBIT, BITCOUNT, BITPOS. SETBIT replicates the bit it sets, so that bits set in two regions both stay. */
const BAD_BIT = 'ERR bit is not an integer or out of range'

function setbit(call: Call): void {
  const offset = bitOffset(call, 2, 1, false)
  const bit = call.integer(3, BAD_BIT)
  if (bit !== 0 && bit !== 1) throw new CommandError(BAD_BIT)
  const length = readBitmap(call, call.findString(1))
  const before = bitAt(call, length, offset)
  // An unchanged bit within the value is no change; one beyond it still makes the key, or the value longer.
  if (before !== bit || offset >= length * 8) {
    const { buf, off, len } = call.request
    call.effects.edit(call.database, buf, off[1], len[1], { kind: 'set-bits', offset, width: 1, value: BigInt(bit) })
    call.notify(NotificationClass.string, 'setbit', 1)
  }
  call.reply.integer(before)
}

function getbit(call: Call): void {
  const offset = bitOffset(call, 2, 1, false)
  const length = readBitmap(call, call.findStringForRead(1))
  call.reply.integer(bitAt(call, length, offset))
}

function bitcount(call: Call): void {
  const { argc } = call
  if (argc !== 2 && argc !== 4 && argc !== 5) throw syntaxError()
  let start = argc > 2 ? call.integer(2) : 0
  let end = argc > 2 ? call.integer(3) : -1
  const isBit = argc === 5 && unitIsBit(call, 4)
  const length = readBitmap(call, call.findStringForRead(1))
  const total = isBit ? length * 8 : length
  const isBackwards = start < 0 && end < 0 && start > end
  start = clampIndex(start, total)
  end = Math.min(clampIndex(end, total), total - 1)
  if (isBackwards || start > end) {
    call.reply.integer(0)
    return
  }
  const { buf, off } = call.strings
  call.reply.integer(countBits(buf, off, isBit ? start : start * 8, isBit ? end : end * 8 + 7))
}

function bitpos(call: Call): void {
  const { argc } = call
  const bit = call.integer(2)
  if (bit !== 0 && bit !== 1) throw new CommandError('ERR The bit argument must be 1 or 0.')
  if (argc > 6) throw syntaxError()
  let start = argc > 3 ? call.integer(3) : 0
  const isBit = argc === 6 && unitIsBit(call, 5)
  let end = argc > 4 ? call.integer(4) : -1
  const ref = call.findStringForRead(1)
  if (ref === 0) {
    call.reply.integer(bit === 1 ? -1 : 0)
    return
  }
  const length = readBitmap(call, ref)
  const total = isBit ? length * 8 : length
  start = clampIndex(start, total)
  end = Math.min(clampIndex(end, total), total - 1)
  if (start > end) {
    call.reply.integer(-1)
    return
  }
  const { buf, off } = call.strings
  const position = findBit(buf, off, isBit ? start : start * 8, isBit ? end : end * 8 + 7, bit)
  // Without an end the value counts as padded with zero bits to the right.
  call.reply.integer(position < 0 && bit === 0 && argc <= 4 ? length * 8 : position)
}

/** A negative index counts from the end; one before the beginning is the beginning. */
function clampIndex(index: number, total: number): number {
  return Math.max(index < 0 ? index + total : index, 0)
}

const UNIT = { ...optional(oneOf('unit', token('byte'), token('bit'))), since: '7.0.0' }

export const BIT_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'setbit',
    arity: 4,
    flags: ['write', 'denyoom'],
    keys: keyRange(1, 1, 1, 'RW', 'access', 'update'),
    group: 'bitmap',
    categories: ['bitmap'],
    since: '2.2.0',
    summary: 'Sets or clears a bit of a string, with zero bytes before it where the string is too short.',
    complexity: 'O(1)',
    arguments: [KEY, { name: 'offset', type: 'integer' }, { name: 'value', type: 'integer' }],
    handler: setbit,
  },
  {
    name: 'getbit',
    arity: 3,
    flags: ['readonly', 'fast'],
    keys: keyRange(1, 1, 1, 'RO', 'access'),
    group: 'bitmap',
    categories: ['bitmap'],
    since: '2.2.0',
    summary: 'Reads a bit of a string.',
    complexity: 'O(1)',
    arguments: [KEY, { name: 'offset', type: 'integer' }],
    handler: getbit,
  },
  {
    name: 'bitcount',
    arity: -2,
    flags: ['readonly'],
    keys: keyRange(1, 1, 1, 'RO', 'access'),
    group: 'bitmap',
    categories: ['bitmap'],
    since: '2.6.0',
    summary: 'Counts the bits that are set in a string or a part of it.',
    complexity: 'O(N)',
    history: [['7.0.0', 'Option BYTE or BIT.']],
    arguments: [KEY, { name: 'range', type: 'block', flags: ['optional'], arguments: [START, END, UNIT] }],
    handler: bitcount,
  },
  {
    name: 'bitpos',
    arity: -3,
    flags: ['readonly'],
    keys: keyRange(1, 1, 1, 'RO', 'access'),
    group: 'bitmap',
    categories: ['bitmap'],
    since: '2.8.7',
    summary: 'Finds the first bit that is set, or clear, in a string or a part of it.',
    complexity: 'O(N)',
    history: [['7.0.0', 'Option BYTE or BIT.']],
    arguments: [
      KEY,
      { name: 'bit', type: 'integer' },
      {
        name: 'range',
        type: 'block',
        flags: ['optional'],
        arguments: [START, { name: 'end-unit-block', type: 'block', flags: ['optional'], arguments: [END, UNIT] }],
      },
    ],
    handler: bitpos,
  },
]
