import { NotificationClass } from '../../base/notification-classes.js'
import { LIMITS } from '../../base/limits.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError, Errors } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import { END, KEY, START, VALUE } from './arguments.js'

/** Parts of a string: APPEND and SETRANGE replicate the edit, not the value, so that edits made in two regions both stay. */
const NO_BYTES = new Uint8Array(0)

/** Bytes of the visible value; 0 for no record. */
export function visibleLength(call: Call, ref: Ref): number {
  if (ref === 0) return 0
  call.strings.read(call.db, ref)
  return call.strings.len
}

function strlen(call: Call): void {
  call.reply.integer(visibleLength(call, call.findStringForRead(1)))
}

function getrange(call: Call): void {
  let start = call.integer(2)
  let end = call.integer(3)
  const ref = call.findStringForRead(1)
  const length = visibleLength(call, ref)
  if (start < 0) start += length
  if (end < 0) end += length
  if (length === 0 || start >= length || end < 0 || start > end) {
    call.reply.bulk(NO_BYTES, 0, 0)
    return
  }
  start = Math.max(start, 0)
  end = Math.min(end, length - 1)
  call.reply.bulk(call.strings.buf, call.strings.off + start, end - start + 1)
}

function append(call: Call): void {
  const { buf, off, len } = call.request
  const length = visibleLength(call, call.findString(1)) + len[2]
  if (length > LIMITS.maxBulkBytes) throw new CommandError(Errors.stringTooLong)
  call.effects.edit(call.database, buf, off[1], len[1], { kind: 'append', bytes: call.bytes(2) })
  call.notify(NotificationClass.string, 'append', 1)
  call.reply.integer(length)
}

function setrange(call: Call): void {
  const offset = call.integer(2)
  if (offset < 0) throw new CommandError('ERR offset is out of range')
  const { buf, off, len } = call.request
  const length = visibleLength(call, call.findString(1))
  if (len[3] === 0) {
    call.reply.integer(length)
    return
  }
  if (offset + len[3] > LIMITS.maxBulkBytes) throw new CommandError(Errors.stringTooLong)
  call.effects.edit(call.database, buf, off[1], len[1], { kind: 'set-range', offset, bytes: call.bytes(3) })
  call.notify(NotificationClass.string, 'setrange', 1)
  call.reply.integer(Math.max(length, offset + len[3]))
}

export const RANGE_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'append',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'insert'),
    group: 'string',
    categories: ['string'],
    since: '2.0.0',
    summary: 'Adds bytes to the end of a string; makes the key if it does not exist.',
    complexity: 'O(1), amortised',
    arguments: [KEY, VALUE],
    handler: append,
  },
  {
    name: 'strlen',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: keyRange(1, 1, 1, 'RO'),
    group: 'string',
    categories: ['string'],
    since: '2.2.0',
    summary: 'The length of a string in bytes.',
    complexity: 'O(1)',
    arguments: [KEY],
    handler: strlen,
  },
  {
    name: 'getrange',
    arity: 4,
    flags: ['readonly'],
    keys: keyRange(1, 1, 1, 'RO', 'access'),
    group: 'string',
    categories: ['string'],
    since: '2.4.0',
    summary: 'Reads a part of a string.',
    complexity: 'O(N), N being the length of the part',
    arguments: [KEY, START, END],
    handler: getrange,
  },
  {
    name: 'substr',
    arity: 4,
    flags: ['readonly'],
    keys: keyRange(1, 1, 1, 'RO', 'access'),
    group: 'string',
    categories: ['string'],
    since: '1.0.0',
    summary: 'Reads a part of a string.',
    complexity: 'O(N), N being the length of the part',
    deprecated: { since: '2.0.0', replacedBy: '`GETRANGE`' },
    arguments: [KEY, START, END],
    handler: getrange,
  },
  {
    name: 'setrange',
    arity: 4,
    flags: ['write', 'denyoom'],
    keys: keyRange(1, 1, 1, 'RW', 'update'),
    group: 'string',
    categories: ['string'],
    since: '2.2.0',
    summary: 'Overwrites a part of a string from an offset, with zero bytes before it where the string is too short.',
    complexity: 'O(N), N being the length of the value',
    arguments: [KEY, { name: 'offset', type: 'integer' }, VALUE],
    handler: setrange,
  },
]
