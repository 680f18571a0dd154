import { NotificationClass } from '../../base/notification-classes.js'
import { equalsWord, parseInteger } from '../../base/bytes.js'
import type { Request } from '../../resp/request.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import { keyRange, type ArgumentSpec, type CommandSpec } from '../command-spec.js'
import { KEY, oneOf, optional, token } from '../string/arguments.js'
import { bitOffset, fieldAt, readBitmap } from './bit-arguments.js'

/** BITFIELD and BITFIELD_RO: integers of 1 to 64 bits anywhere in a string. Each field that changes is one edit. */
type Overflow = 'WRAP' | 'SAT' | 'FAIL'

interface FieldOperation {
  readonly kind: 'get' | 'set' | 'incrby'
  readonly signed: boolean
  readonly bits: number
  readonly offset: number
  /** New value, or increment. */
  readonly operand: bigint
  readonly overflow: Overflow
}

const SIGNED_MARK = 105
const UNSIGNED_MARK = 117
const BAD_TYPE = 'ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.'

function bitfield(call: Call): void {
  const operations = parseOperations(call)
  const writes = operations.filter((operation) => operation.kind !== 'get')
  if (writes.length === 0) {
    readFields(call, operations)
    return
  }
  call.findString(1)
  const before = call.effects.count
  call.reply.array(operations.length)
  for (const operation of operations) {
    if (operation.kind === 'get') replyField(call, operation)
    else writeField(call, operation)
  }
  extend(call, Math.max(...writes.map((operation) => operation.offset + operation.bits)))
  if (call.effects.count > before) call.notify(NotificationClass.string, 'setbit', 1)
}

function bitfieldRo(call: Call): void {
  const operations = parseOperations(call)
  if (operations.some((operation) => operation.kind !== 'get')) {
    throw new CommandError('ERR BITFIELD_RO only supports the GET subcommand')
  }
  readFields(call, operations)
}

function readFields(call: Call, operations: readonly FieldOperation[]): void {
  call.findStringForRead(1)
  call.reply.array(operations.length)
  for (const operation of operations) replyField(call, operation)
}

function parseOperations(call: Call): FieldOperation[] {
  const operations: FieldOperation[] = []
  let overflow: Overflow = 'WRAP'
  for (let i = 2; i < call.argc;) {
    const left = call.argc - i - 1
    if (call.is(i, 'OVERFLOW') && left >= 1) {
      overflow = parseOverflow(call, i + 1)
      i += 2
      continue
    }
    const kind =
      call.is(i, 'GET') && left >= 2
        ? 'get'
        : call.is(i, 'SET') && left >= 3
          ? 'set'
          : call.is(i, 'INCRBY') && left >= 3
            ? 'incrby'
            : null
    if (kind === null) throw syntaxError()
    const { signed, bits } = parseType(call, i + 1)
    const offset = bitOffset(call, i + 2, bits, true)
    const operand = kind === 'get' ? 0n : call.integer64(i + 3)
    operations.push({ kind, signed, bits, offset, operand, overflow })
    i += kind === 'get' ? 3 : 4
  }
  return operations
}

function parseOverflow(call: Call, i: number): Overflow {
  if (call.is(i, 'WRAP')) return 'WRAP'
  if (call.is(i, 'SAT')) return 'SAT'
  if (call.is(i, 'FAIL')) return 'FAIL'
  throw new CommandError('ERR Invalid OVERFLOW type specified')
}

function parseType(call: Call, i: number): { signed: boolean; bits: number } {
  const { buf, off, len } = call.request
  const mark = len[i] > 0 ? buf[off[i]] : 0
  const signed = mark === SIGNED_MARK
  const bits = signed || mark === UNSIGNED_MARK ? parseInteger(buf, off[i] + 1, len[i] - 1) : 0
  if (!(bits >= 1 && bits <= (signed ? 64 : 63))) throw new CommandError(BAD_TYPE)
  return { signed, bits }
}

/** The field's present value. The value is looked up anew, because an earlier write of the same command may have moved it. */
function currentField(call: Call, { offset, bits, signed }: FieldOperation): bigint {
  const raw = fieldAt(call, readBitmap(call, call.find(1)), offset, bits)
  return signed ? BigInt.asIntN(bits, raw) : raw
}

function replyField(call: Call, operation: FieldOperation): void {
  call.reply.bigInteger(currentField(call, operation))
}

function writeField(call: Call, operation: FieldOperation): void {
  const { bits, signed, offset, kind, operand } = operation
  const before = currentField(call, operation)
  const after = fitted(operation, kind === 'set' ? (signed ? operand : BigInt.asUintN(64, operand)) : before + operand)
  if (after === null) {
    call.reply.null()
    return
  }
  call.reply.bigInteger(kind === 'set' ? before : after)
  if (after === before) return
  const { buf, off, len } = call.request
  const value = BigInt.asUintN(bits, after)
  call.effects.edit(call.database, buf, off[1], len[1], { kind: 'set-bits', offset, width: bits, value })
}

/** A number made to fit the field by the overflow rule; null when the rule is to fail. */
function fitted({ bits, signed, overflow }: FieldOperation, value: bigint): bigint | null {
  const size = BigInt(bits)
  const max = signed ? (1n << (size - 1n)) - 1n : (1n << size) - 1n
  const min = signed ? -max - 1n : 0n
  if (value >= min && value <= max) return value
  if (overflow === 'FAIL') return null
  if (overflow === 'SAT') return value > max ? max : min
  return signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value)
}

/** A write reaches up to its last bit even if it changes nothing: the value is as long afterwards as Redis makes it. */
function extend(call: Call, bits: number): void {
  const bytes = Math.ceil(bits / 8)
  if (readBitmap(call, call.find(1)) >= bytes) return
  const { buf, off, len } = call.request
  call.effects.edit(call.database, buf, off[1], len[1], { kind: 'set-bits', offset: bytes * 8 - 1, width: 1, value: 0n })
}

/** Only GET operations, from this argument on. OVERFLOW has no effect on them. */
function onlyReads({ buf, off, len, argc }: Request, from: number): boolean {
  for (let i = from; i < argc;) {
    const left = argc - i - 1
    if (equalsWord(buf, off[i], len[i], 'GET') && left >= 2) i += 3
    else if (equalsWord(buf, off[i], len[i], 'OVERFLOW') && left >= 1) i += 2
    else return false
  }
  return true
}

const ENCODING: ArgumentSpec = { name: 'encoding', type: 'string' }
const OFFSET: ArgumentSpec = { name: 'offset', type: 'integer' }
const GET_BLOCK: ArgumentSpec = { name: 'get-block', type: 'block', token: 'GET', arguments: [ENCODING, OFFSET] }

export const BITFIELD_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'bitfield',
    arity: -2,
    flags: ['write', 'denyoom'],
    keys: keyRange(1, 1, 1, 'RW', 'access', 'update', 'variable_flags'),
    keyFlags: (request, at) => (onlyReads(request, at + 2) ? ['RO', 'access'] : ['RW', 'access', 'update']),
    group: 'bitmap',
    categories: ['bitmap'],
    since: '3.2.0',
    summary: 'Reads, writes and increments integers of any width within a string.',
    complexity: 'O(1) for each operation',
    arguments: [
      KEY,
      {
        ...oneOf('operation', GET_BLOCK, {
          name: 'write',
          type: 'block',
          arguments: [
            { ...optional(oneOf('overflow-block', token('wrap'), token('sat'), token('fail'))), token: 'OVERFLOW' },
            oneOf(
              'write-operation',
              {
                name: 'set-block',
                type: 'block',
                token: 'SET',
                arguments: [ENCODING, OFFSET, { name: 'value', type: 'integer' }],
              },
              {
                name: 'incrby-block',
                type: 'block',
                token: 'INCRBY',
                arguments: [ENCODING, OFFSET, { name: 'increment', type: 'integer' }],
              },
            ),
          ],
        }),
        flags: ['optional', 'multiple'],
      },
    ],
    handler: bitfield,
  },
  {
    name: 'bitfield_ro',
    arity: -2,
    flags: ['readonly', 'fast'],
    keys: keyRange(1, 1, 1, 'RO', 'access'),
    group: 'bitmap',
    categories: ['bitmap'],
    since: '6.0.0',
    summary: 'Reads integers of any width within a string.',
    complexity: 'O(1) for each operation',
    arguments: [KEY, { ...GET_BLOCK, flags: ['optional', 'multiple', 'multiple_token'] }],
    handler: bitfieldRo,
  },
]
