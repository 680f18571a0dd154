import { LIMITS } from '../../base/limits.js'
import { KeyType } from '../../keyspace/database.js'
import type { MapCursor } from '../../keyspace/map-cursor.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import type { CommandSpec } from '../command-spec.js'
import { scanMap } from '../map-scan.js'
import { SCAN_ARGUMENTS } from '../scan-options.js'
import { randomElement, sampleLooks, sampleSteps } from '../random-choice.js'
import type { ReadSteps } from '../services.js'
import { hashSpec, readHash } from './arguments.js'

/** HRANDFIELD and HSCAN: some of the fields. */
const OUT_OF_RANGE = 'ERR value is out of range'
const INT64_MAX = 2n ** 63n - 1n

function hrandfield(call: Call): void {
  const { reply } = call
  const { hashes } = call.collections
  if (call.argc === 2) {
    const root = readHash(call)
    hashes.noteDue(call.db, root)
    if (!randomElement(call, hashes, root)) reply.null()
    else replyKey(call, hashes.cursor)
    return
  }
  const count = call.negatableInteger64(2)
  if (call.argc > 4 || (call.argc === 4 && !call.is(3, 'WITHVALUES'))) throw syntaxError()
  const withValues = call.argc === 4
  if (withValues && (count < -(INT64_MAX / 2n) || count > INT64_MAX / 2n)) throw new CommandError(OUT_OF_RANGE)
  const root = readHash(call)
  hashes.noteDue(call.db, root)
  const size = hashes.countShown(call.db, root)
  if (count < 0n) {
    if (size > 0 && count < -BigInt(LIMITS.randomRepetitions)) throw new CommandError(OUT_OF_RANGE)
    const repetitions = size === 0 ? 0 : Number(-count)
    call.read(1, 1, repetitions, repeatSteps(call, root, repetitions, withValues))
    return
  }
  const wanted = count > BigInt(size) ? size : Number(count)
  call.read(1, 1, sampleLooks(call, hashes, root, size, wanted), choiceSteps(call, root, size, wanted, withValues))
}

function* choiceSteps(call: Call, root: Ref, size: number, wanted: number, withValues: boolean): ReadSteps {
  beginReply(call, wanted, withValues)
  yield* sampleSteps(call, call.collections.hashes, root, size, wanted, (cursor) => replyElement(call, cursor, withValues))
}

function* repeatSteps(call: Call, root: Ref, repetitions: number, withValues: boolean): ReadSteps {
  const { hashes } = call.collections
  beginReply(call, repetitions, withValues)
  for (let i = 1; i <= repetitions; i++) {
    randomElement(call, hashes, root)
    replyElement(call, hashes.cursor, withValues)
    if (i % LIMITS.slicedReadStep === 0) yield
  }
}

/** RESP3 has a pair for each element, RESP2 a flat list. */
function beginReply(call: Call, count: number, withValues: boolean): void {
  call.reply.array(withValues && call.reply.protocol === 2 ? count * 2 : count)
}

function replyElement(call: Call, cursor: MapCursor, withValues: boolean): void {
  if (withValues && call.reply.protocol === 3) call.reply.array(2)
  replyKey(call, cursor)
  if (!withValues) return
  cursor.readValue()
  call.reply.bulk(cursor.valueBuf, cursor.valueOff, cursor.valueLen)
}

function replyKey(call: Call, cursor: MapCursor): void {
  call.reply.bulk(cursor.buf, cursor.keyOff, cursor.keyLen)
}

export const RANDOM_COMMANDS: readonly CommandSpec[] = [
  {
    ...hashSpec(
      'hrandfield',
      -2,
      ['readonly'],
      ['RO', 'access'],
      '6.2.0',
      'Names any fields of a hash, each as likely as another.',
      'O(N), N being the number of fields that are returned',
      [
        {
          name: 'options',
          type: 'block',
          flags: ['optional'],
          arguments: [
            { name: 'count', type: 'integer' },
            { name: 'withvalues', type: 'pure-token', token: 'WITHVALUES', flags: ['optional'] },
          ],
        },
      ],
      hrandfield,
    ),
    tips: ['nondeterministic_output'],
  },
  {
    ...hashSpec(
      'hscan',
      -3,
      ['readonly'],
      ['RO', 'access'],
      '2.8.0',
      'Walks the fields of a hash, a few a call.',
      'O(1) for each call, O(N) for a whole walk, N being the size of the hash',
      [...SCAN_ARGUMENTS, { name: 'novalues', type: 'pure-token', token: 'NOVALUES', flags: ['optional'], since: '7.4.0' }],
      (call) => scanMap(call, call.collections.hashes, KeyType.hash, true),
    ),
    tips: ['nondeterministic_output'],
  },
]
