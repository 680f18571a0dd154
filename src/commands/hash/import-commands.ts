import { LIMITS } from '../../base/limits.js'
import { DistinctRanges } from '../../keyspace/byte-ranges.js'
import { KeyType } from '../../keyspace/database.js'
import { FieldsWriter } from '../../keyspace/hash-store.js'
import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'
import { keyRange, type ArgumentSpec, type CommandSpec } from '../command-spec.js'
import { Fieldset, Fieldsets } from '../fieldsets.js'
import type { ReadSteps, WriteSteps } from '../services.js'
import { FIELD_LIST, FIELD_VALUE } from './arguments.js'
import { namedSteps, notifyNames } from './field-events.js'

const DUPLICATE = 'ERR duplicate field name in fieldset'
const NO_FIELDSET = 'ERR no such fieldset'
const WRONG_COUNT = 'ERR value count does not match fieldset field count'
const TOO_LARGE = `ERR the fieldsets of a connection must not take more than ${LIMITS.fieldsetBytes} bytes: discard some`

/** First field of HIMPORT PREPARE, first value of HIMPORT SET. */
const FIRST_FIELD = 3
const FIRST_VALUE = 4

/** HIMPORT PREPARE fieldset field [field …] */
function prepare(call: Call): void {
  const { request, session } = call
  const { buf, off, len } = request
  const fields = call.argc - FIRST_FIELD
  let bytes = 0
  for (let i = FIRST_FIELD; i < call.argc; i++) bytes += len[i]
  const replaced = session.fieldsets?.find(buf, off[2], len[2])?.bytes ?? 0
  const others = (session.fieldsets?.bytes ?? 0) - replaced
  if (others + Fieldset.bytesOf(len[2], fields, bytes) > LIMITS.fieldsetBytes) throw new CommandError(TOO_LARGE)
  // No key is read.
  call.read(1, 0, fields, prepareSteps(call, fields, bytes))
}

function* prepareSteps(call: Call, fields: number, bytes: number): ReadSteps {
  const { request, session } = call
  const { buf, off, len } = request
  const fieldset = new Fieldset(call.bytes(2).slice(), fields, bytes)
  const distinct = new DistinctRanges()
  distinct.begin(fields)
  for (let i = FIRST_FIELD; i < call.argc; i++) {
    if (!distinct.pick(request, i)) throw new CommandError(DUPLICATE)
    fieldset.push(buf, off[i], len[i])
    if (i % LIMITS.slicedReadSeek === 0) yield
  }
  session.fieldsets ??= new Fieldsets()
  session.fieldsets.put(fieldset)
  call.reply.ok()
}

/** HIMPORT SET key fieldset value [value …]: the key holds these fields and nothing else, as after DEL and HSET, but that it must be a hash or nothing. */
function set(call: Call): void {
  const ref = call.findTyped(2, KeyType.hash)
  const { request, session } = call
  const { buf, off, len } = request
  const fieldset = session.fieldsets?.find(buf, off[3], len[3])
  if (fieldset === undefined) throw new CommandError(NO_FIELDSET)
  const { count } = fieldset
  if (count !== call.argc - FIRST_VALUE) throw new CommandError(WRONG_COUNT)
  const before = ref === 0 ? KeyType.none : KeyType.hash
  const looks = ref === 0 ? 0 : call.long.removalLooks(call.db, ref)
  if (count + looks > call.shortWriteElements && call.isLongWrite(count + looks, 2)) {
    call.writeKeyInSlices(2, setSteps(call, fieldset, before))
    return
  }
  if (ref === 0) call.collections.hashes.setNamed(call.database, request, fieldset, FIRST_VALUE)
  else {
    call.effects.unannounced(() => {
      call.effects.remove(call.database, buf, off[2], len[2])
      call.collections.hashes.setNamed(call.database, request, fieldset, FIRST_VALUE)
    })
    call.notifyReplaced(before, 2)
  }
  notifyNames(call, 'hset', 2, fieldset)
  call.reply.ok()
}

/** HIMPORT SET of many, or in place of many with contributions. */
function* setSteps(call: Call, fieldset: Fieldset, before: number): WriteSteps {
  const { op, request } = call
  const { buf, off, len } = request
  yield* call.clearInSteps(2)
  const writer = new FieldsWriter(op, call.place(2))
  for (let i = 0; i < fieldset.count; i++) {
    const value = FIRST_VALUE + i
    writer.push(fieldset.buf, fieldset.off[i], fieldset.len[i], buf, off[value], len[value], Infinity)
    if (i % LIMITS.slicedReadStep === 0) yield
  }
  yield 'commit'
  call.notifyReplaced(before, 2)
  yield* namedSteps(call, 'hset', 2, fieldset, before !== KeyType.none)
  call.reply.ok()
}

/** HIMPORT DISCARD fieldset */
function discard(call: Call): void {
  const { buf, off, len } = call.request
  call.reply.integer(call.session.fieldsets?.remove(buf, off[2], len[2]) === true ? 1 : 0)
}

/** HIMPORT DISCARDALL */
function discardAll(call: Call): void {
  call.reply.integer(call.session.fieldsets?.count ?? 0)
  call.session.fieldsets = null
}

const FIELDSET: ArgumentSpec = { name: 'fieldset-name', type: 'string' }
const EVERYWHERE = ['request_policy:all_shards']

const PART: Pick<CommandSpec, 'group' | 'categories' | 'since'> = { group: 'hash', categories: ['hash'], since: '8.10.0' }

/** HIMPORT: hashes with the same fields, whose names are said once for a connection. */
export const IMPORT_COMMANDS: readonly CommandSpec[] = [
  {
    ...PART,
    name: 'himport',
    arity: -2,
    flags: [],
    summary: 'Holds the commands that write many hashes with the same fields.',
    complexity: 'Depends on the subcommand',
    subcommands: [
      {
        ...PART,
        name: 'prepare',
        arity: -4,
        flags: ['denyoom'],
        summary: 'Names the fields of hashes that this connection is about to write.',
        complexity: 'O(N), N being the number of fields',
        tips: EVERYWHERE,
        arguments: [FIELDSET, FIELD_LIST],
        handler: prepare,
      },
      {
        ...PART,
        name: 'set',
        arity: -5,
        flags: ['write', 'denyoom'],
        keys: keyRange(2, 2, 1, 'OW', 'update'),
        summary: 'Writes a hash with the fields of a fieldset, in place of what it was.',
        complexity: 'O(N), N being the number of fields',
        arguments: [{ name: 'key', type: 'key', keySpecIndex: 0 }, FIELDSET, { ...FIELD_VALUE, flags: ['multiple'] }],
        handler: set,
      },
      {
        ...PART,
        name: 'discard',
        arity: 3,
        flags: [],
        summary: 'Forgets a fieldset.',
        complexity: 'O(1)',
        tips: EVERYWHERE,
        arguments: [FIELDSET],
        handler: discard,
      },
      {
        ...PART,
        name: 'discardall',
        arity: 2,
        flags: [],
        summary: 'Forgets all fieldsets of the connection.',
        complexity: 'O(1)',
        tips: EVERYWHERE,
        handler: discardAll,
      },
    ],
  },
]
