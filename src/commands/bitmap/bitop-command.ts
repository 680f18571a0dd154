import { NotificationClass } from '../../base/notification-classes.js'
import { ExpiryMode } from '../../keyspace/string-store.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import { oneOf, token } from '../string/arguments.js'
import { readBitmap } from './bit-arguments.js'

/**
 * BITOP. Sources are folded one after the other into bytes as long as the longest so far; a shorter source counts as padded with zeros. The result
 * is written as a whole value.
 */
type Operation = 'AND' | 'OR' | 'XOR' | 'NOT' | 'DIFF' | 'DIFF1' | 'ANDOR' | 'ONE'
const OPERATIONS: readonly Operation[] = ['AND', 'OR', 'XOR', 'NOT', 'DIFF', 'DIFF1', 'ANDOR', 'ONE']
const FIRST_SOURCE = 3

function bitop(call: Call): void {
  const operation = OPERATIONS.find((word) => call.is(1, word))
  if (operation === undefined) throw syntaxError()
  const sources = call.argc - FIRST_SOURCE
  if (operation === 'NOT' && sources !== 1) throw new CommandError('ERR BITOP NOT must be called with a single source key.')
  if ((operation === 'DIFF' || operation === 'DIFF1' || operation === 'ANDOR') && sources < 2) {
    throw new CommandError(`ERR BITOP ${operation} must be called with at least two source keys.`)
  }
  for (let i = FIRST_SOURCE; i < call.argc; i++) call.findString(i)
  const result = new BitOperation(operation).run(call)
  const { buf, off, len } = call.request
  if (result.length > 0) {
    const before = call.typeToReplace(2)
    call.effects.setString(call.database, buf, off[2], len[2], result, 0, result.length, ExpiryMode.clear)
    call.notifyReplaced(before, 2)
    call.notify(NotificationClass.string, 'set', 2)
  } else if (call.find(2) !== 0) {
    call.effects.remove(call.database, buf, off[2], len[2])
    call.notify(NotificationClass.generic, 'del', 2)
  }
  call.reply.integer(result.length)
}

/** Of a source, that is looked at four bytes at a time, and lies anywhere: so much is copied here first. */
const piece = new Int32Array(16 * 1024)
const pieceBytes = new Uint8Array(piece.buffer)

class BitOperation {
  private length = 0
  /** What is behind the length is 0 until the end. */
  private result = new Int32Array(0)
  /** DIFF, DIFF1, ANDOR: the union of all sources but the first. ONE: bits seen more than once. */
  private other = new Int32Array(0)
  private readonly needsOther: boolean

  constructor(private readonly operation: Operation) {
    this.needsOther = operation.startsWith('DIFF') || operation === 'ANDOR' || operation === 'ONE'
  }

  run(call: Call): Uint8Array {
    for (let i = FIRST_SOURCE; i < call.argc; i++) {
      const length = readBitmap(call, call.findForRead(i))
      this.grow(length)
      this.fold(call.strings.buf, call.strings.off, length, i === FIRST_SOURCE)
    }
    this.finish()
    return new Uint8Array(this.result.buffer, 0, this.length)
  }

  private grow(length: number): void {
    if (length <= this.length) return
    this.length = length
    this.result = extended(this.result, length)
    if (this.needsOther) this.other = extended(this.other, length)
  }

  private fold(buf: Uint8Array, off: number, length: number, isFirst: boolean): void {
    const { result } = this
    if (isFirst) {
      new Uint8Array(result.buffer).set(buf.subarray(off, off + length))
      return
    }
    for (let at = 0; at < length; at += pieceBytes.length) {
      const size = Math.min(pieceBytes.length, length - at)
      const words = (size + 3) >>> 2
      piece[words - 1] = 0
      pieceBytes.set(buf.subarray(off + at, off + at + size))
      this.combine(at >>> 2, words)
    }
    if (this.operation === 'AND') result.fill(0, (length + 3) >>> 2)
  }

  /** With so many words of the piece. */
  private combine(first: number, words: number): void {
    const { result, other } = this
    switch (this.operation) {
      case 'AND':
        for (let i = 0; i < words; i++) result[first + i] &= piece[i]
        break
      case 'OR':
        for (let i = 0; i < words; i++) result[first + i] |= piece[i]
        break
      case 'XOR':
        for (let i = 0; i < words; i++) result[first + i] ^= piece[i]
        break
      case 'ONE':
        for (let i = 0; i < words; i++) {
          other[first + i] |= result[first + i] & piece[i]
          result[first + i] |= piece[i]
        }
        break
      default:
        for (let i = 0; i < words; i++) other[first + i] |= piece[i]
    }
  }

  private finish(): void {
    const { result, other } = this
    switch (this.operation) {
      case 'NOT':
        for (let i = 0; i < result.length; i++) result[i] = ~result[i]
        break
      case 'DIFF':
      case 'ONE':
        for (let i = 0; i < result.length; i++) result[i] &= ~other[i]
        break
      case 'DIFF1':
        for (let i = 0; i < result.length; i++) result[i] = other[i] & ~result[i]
        break
      case 'ANDOR':
        for (let i = 0; i < result.length; i++) result[i] &= other[i]
        break
      default:
    }
  }
}

/** The same words, with room for so many bytes. */
function extended(words: Int32Array, bytes: number): Int32Array<ArrayBuffer> {
  const longer = new Int32Array((bytes + 3) >>> 2)
  longer.set(words)
  return longer
}

export const BITOP_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'bitop',
    arity: -4,
    flags: ['write', 'denyoom'],
    keys: [...keyRange(2, 2, 1, 'OW', 'update'), ...keyRange(3, -1, 1, 'RO', 'access')],
    group: 'bitmap',
    categories: ['bitmap'],
    since: '2.6.0',
    summary: 'Combines strings bit by bit and stores the result.',
    complexity: 'O(N)',
    history: [['8.2.0', 'Operations DIFF, DIFF1, ANDOR and ONE.']],
    arguments: [
      oneOf('operation', ...OPERATIONS.map((word) => token(word.toLowerCase()))),
      { name: 'destkey', type: 'key', keySpecIndex: 0 },
      { name: 'key', type: 'key', keySpecIndex: 1, flags: ['multiple'] },
    ],
    handler: bitop,
  },
]
