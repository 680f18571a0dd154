import { parseInteger } from '../../base/bytes.js'
import type { VersionVector } from '../../crdt/version-vector.js'
import { SLOT_COUNT } from '../../keyspace/key-hash.js'
import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import { BACKUP_COMMAND } from './backup-commands.js'
import { writeKeyDebug } from './key-debug.js'
import { SlicedDigest } from './sliced-digest.js'
import { TOPOLOGY_COMMAND } from './topology-commands.js'
import { decodeToken, encodeToken } from './token.js'

const COMMON = { group: 'crdt', categories: ['crdt'], since: '7.4.0' } as const

/** Commands that Redis does not have: they show where members stand to each other. */
export const CRDT_COMMANDS: readonly CommandSpec[] = [
  {
    ...COMMON,
    name: 'crdt.token',
    arity: 1,
    flags: ['stale', 'fast'],
    summary: "A token of all that this connection has written and may have read; another member's CRDT.WAITFOR takes it.",
    complexity: 'O(N), N being the number of members',
    handler: (call) => call.reply.bulkString(encodeToken(call.engine.position())),
  },
  {
    ...COMMON,
    name: 'crdt.waitfor',
    arity: 3,
    flags: ['blocking', 'stale'],
    summary: 'Waits until this member has applied what a token covers: 1, or 0 when time was up. A timeout of 0 waits for ever.',
    complexity: 'O(N), N being the number of members',
    arguments: [
      { name: 'token', type: 'string' },
      { name: 'timeout', type: 'integer' },
    ],
    handler: waitFor,
  },
  {
    ...COMMON,
    name: 'crdt.debug',
    arity: 2,
    flags: ['readonly', 'stale'],
    keys: keyRange(1, 1, 1, 'RO', 'access'),
    summary: 'Everything that is kept of a key: dots, hidden values, edits, contributions, expiries.',
    complexity: 'O(N), N being the bytes of the value',
    arguments: [{ name: 'key', type: 'key', keySpecIndex: 0 }],
    handler: writeKeyDebug,
  },
  {
    ...COMMON,
    name: 'crdt.digest',
    arity: -1,
    flags: ['readonly', 'blocking', 'stale'],
    summary:
      'A digest of the data and its version vector. Members with equal vectors have equal digests exactly when their data is equal.',
    complexity: 'O(N), N being the bytes of the data in these slots',
    arguments: [
      { name: 'first-slot', type: 'integer', flags: ['optional'] },
      { name: 'last-slot', type: 'integer', flags: ['optional'] },
    ],
    handler: digest,
  },
  TOPOLOGY_COMMAND,
  BACKUP_COMMAND,
]

function waitFor(call: Call): void {
  const { engine, request } = call
  const token: VersionVector | null = decodeToken(call.text(1))
  if (token === null) throw new CommandError('ERR Invalid token: it must come from CRDT.TOKEN, whole')
  const timeoutMs = parseInteger(request.buf, request.off[2], request.len[2])
  if (Number.isNaN(timeoutMs)) throw new CommandError('ERR timeout is not an integer or out of range')
  if (timeoutMs < 0) throw new CommandError('ERR timeout is negative')
  const isDone = (): boolean => engine.position().dominates(token)
  if (engine.isInExec || isDone()) {
    call.reply.integer(isDone() ? 1 : 0)
    return
  }
  engine.waits.begin(
    call.session,
    { command: 'crdt.waitfor', isDone, reply: (reply) => reply.integer(isDone() ? 1 : 0) },
    timeoutMs,
  )
}

function digest(call: Call): void {
  if (call.argc > 3) throw new CommandError("ERR wrong number of arguments for 'crdt.digest' command")
  const first = call.argc > 1 ? slot(call, 1) : 0
  const last = call.argc > 2 ? slot(call, 2) : call.argc > 1 ? first : SLOT_COUNT - 1
  if (last < first) throw new CommandError(`ERR Invalid slot range: ${first} is behind ${last}`)
  const sliced = new SlicedDigest(call, first, last)
  sliced.begin()
  const { engine } = call
  if (sliced.isDone()) sliced.reply(call.reply)
  else if (engine.goesInOneGo) for (const steps = sliced.stepsInExec(call); steps.next().done !== true;);
  else if (engine.isInExec) engine.goInSteps(call, sliced.stepsInExec(call))
  else {
    sliced.goOnAlone()
    engine.waits.begin(call.session, sliced, 0)
  }
}

function slot(call: Call, i: number): number {
  const value = call.integer(i)
  if (value < 0 || value >= SLOT_COUNT) throw new CommandError(`ERR Invalid slot: slots are 0 to ${SLOT_COUNT - 1}`)
  return value
}
