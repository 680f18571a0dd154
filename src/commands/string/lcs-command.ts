import { LIMITS } from '../../base/limits.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import { optional, token } from './arguments.js'

/** LCS: the longest common subsequence of two strings, by the textbook's table of the lengths for all pairs of prefixes. */
interface Match {
  readonly aStart: number
  readonly aEnd: number
  readonly bStart: number
  readonly bEnd: number
}

interface Options {
  readonly length: boolean
  readonly indexes: boolean
  readonly minMatch: number
  readonly withMatchLength: boolean
}

function lcs(call: Call): void {
  const first = call.findForRead(1)
  const second = call.findForRead(2)
  if (!isStringOrNone(call, first) || !isStringOrNone(call, second)) {
    throw new CommandError('ERR The specified keys must contain string values')
  }
  const a = copyOf(call, first)
  const b = copyOf(call, second)
  const options = parseOptions(call)
  const table = lengths(a, b)
  const total = table[table.length - 1]
  if (options.length) {
    call.reply.integer(total)
    return
  }
  const { text, matches } = trace(a, b, table, total)
  if (!options.indexes) {
    call.reply.bulkBytes(text)
    return
  }
  replyMatches(call, matches, total, options)
}

function isStringOrNone(call: Call, ref: Ref): boolean {
  return ref === 0 || call.isString(ref)
}

function copyOf(call: Call, ref: Ref): Uint8Array {
  if (ref === 0) return new Uint8Array(0)
  const { strings } = call
  strings.read(call.db, ref)
  return strings.buf.slice(strings.off, strings.off + strings.len)
}

function parseOptions(call: Call): Options {
  let length = false
  let indexes = false
  let minMatch = 0
  let withMatchLength = false
  for (let i = 3; i < call.argc; i++) {
    if (call.is(i, 'IDX')) indexes = true
    else if (call.is(i, 'LEN')) length = true
    else if (call.is(i, 'WITHMATCHLEN')) withMatchLength = true
    else if (call.is(i, 'MINMATCHLEN') && i + 1 < call.argc) minMatch = call.integer(++i)
    else throw syntaxError()
  }
  if (length && indexes) throw new CommandError('ERR If you want both the length and indexes, please just use IDX.')
  return { length, indexes, minMatch, withMatchLength }
}

/** Row by row: the length of the longest common subsequence of the first i bytes of a and the first j of b at i * (|b| + 1) + j. */
function lengths(a: Uint8Array, b: Uint8Array): Uint32Array {
  const width = b.length + 1
  const cells = (a.length + 1) * width
  if (cells * 4 > LIMITS.maxBulkBytes) {
    throw new CommandError('ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len')
  }
  const table = new Uint32Array(cells)
  for (let i = 1, at = width; i <= a.length; i++) {
    const byte = a[i - 1]
    at++
    for (let j = 1; j <= b.length; j++, at++) {
      const up = table[at - width]
      const left = table[at - 1]
      table[at] = byte === b[j - 1] ? table[at - width - 1] + 1 : up > left ? up : left
    }
  }
  return table
}

/** Walks the table back from its end. Matches come out from the last to the first, as Redis lists them. */
function trace(a: Uint8Array, b: Uint8Array, table: Uint32Array, total: number): { text: Uint8Array; matches: Match[] } {
  const width = b.length + 1
  const text = new Uint8Array(total)
  const matches: Match[] = []
  let left = total
  let aEnd = -1
  let bEnd = -1
  let run = 0
  const emit = (): void => {
    if (run > 0) matches.push({ aStart: aEnd - run + 1, aEnd, bStart: bEnd - run + 1, bEnd })
    run = 0
  }
  for (let i = a.length, j = b.length; i > 0 && j > 0;) {
    if (a[i - 1] === b[j - 1]) {
      text[--left] = a[i - 1]
      if (run === 0) {
        aEnd = i - 1
        bEnd = j - 1
      }
      run++
      i--
      j--
    } else {
      emit()
      if (table[(i - 1) * width + j] > table[i * width + j - 1]) i--
      else j--
    }
  }
  emit()
  return { text, matches }
}

function replyMatches(call: Call, matches: readonly Match[], total: number, options: Options): void {
  const { reply } = call
  const shown = matches.filter((match) => match.aEnd - match.aStart + 1 >= options.minMatch)
  reply.map(2)
  reply.bulkString('matches')
  reply.array(shown.length)
  for (const match of shown) {
    reply.array(options.withMatchLength ? 3 : 2)
    reply.array(2)
    reply.integer(match.aStart)
    reply.integer(match.aEnd)
    reply.array(2)
    reply.integer(match.bStart)
    reply.integer(match.bEnd)
    if (options.withMatchLength) reply.integer(match.aEnd - match.aStart + 1)
  }
  reply.bulkString('len')
  reply.integer(total)
}

export const LCS_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'lcs',
    arity: -3,
    flags: ['readonly'],
    keys: keyRange(1, 2, 1, 'RO', 'access'),
    group: 'string',
    categories: ['string'],
    since: '7.0.0',
    summary: 'The longest common subsequence of two strings.',
    complexity: 'O(N*M), N and M being the lengths of the strings',
    arguments: [
      { name: 'key1', type: 'key', keySpecIndex: 0 },
      { name: 'key2', type: 'key', keySpecIndex: 0 },
      optional(token('len')),
      optional(token('idx')),
      { name: 'min-match-len', type: 'integer', token: 'MINMATCHLEN', flags: ['optional'] },
      optional(token('withmatchlen')),
    ],
    handler: lcs,
  },
]
