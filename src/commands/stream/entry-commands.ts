import { NotificationClass } from '../../base/notification-classes.js'
import { IdForm, parseStreamId, StreamId } from '../../crdt/stream-id.js'
import { KeyType } from '../../keyspace/database.js'
import { RemovalWriter } from '../../keyspace/stream-op-writers.js'
import { StreamFields } from '../../keyspace/stream-fields.js'
import { StreamPositions } from '../../keyspace/stream-positions.js'
import type { Call } from '../call.js'
import { CommandError, Errors, syntaxError } from '../command-error.js'
import { keyRange, type ArgumentSpec, type CommandSpec } from '../command-spec.js'
import type { WriteSteps } from '../services.js'
import { checkIds, deletePlanned, Deletion, deletionSteps, parseIdBlock, planDeletion } from './deletion.js'
import { distinctIds } from './id-arguments.js'
import { Marking } from './marking.js'
import {
  ID_ARGUMENTS,
  INVALID_ID,
  isByte,
  isLongWrite,
  KEY,
  KEY_ARGUMENT,
  openForRead,
  openForWrite,
  strictId,
  StreamReading,
} from './stream-arguments.js'
import { replyId } from './stream-reply.js'
import { xaddSteps, xtrimSteps } from './trim-steps.js'
import { Trim, TrimStrategy } from './trim.js'

/** Commands that write entries: XADD, XDEL, XDELEX, XTRIM, XSETID, and XLEN. See keyspace/stream-store for what concurrent ones mean. */
const STAR = 42
/** Redis' bound for the fields of one entry, 1 GiB. */
const MAX_ENTRY_BYTES = 1 << 30
const ADD_TOO_SMALL = 'ERR The ID specified in XADD is equal or smaller than the target stream top item'

const stream = new StreamReading()
const trim = new Trim()
const marking = new Marking()
const given = new StreamId()
const last = new StreamId()
const fields = new StreamFields()
const positions = new StreamPositions()

/** How XADD says what the ID is to be. */
const AUTOMATIC = -1

function xadd(call: Call): void {
  trim.reset()
  marking.reset()
  const { request } = call
  let i = 2
  let noMakeStream = false
  let form: number = IdForm.none
  for (; i < call.argc; i++) {
    if (isByte(call, i, STAR)) {
      form = AUTOMATIC
      break
    }
    const next = trim.parse(call, i)
    if (next !== i) {
      i = next - 1
    } else if (call.is(i, 'NOMKSTREAM')) {
      noMakeStream = true
    } else if (call.is(i, 'IDMP') && i + 2 < call.argc) {
      marking.parse(call, i, false)
      i += 2
    } else if (call.is(i, 'IDMPAUTO') && i + 1 < call.argc) {
      marking.parse(call, i, true)
      i++
    } else {
      form = parseStreamId(request.buf, request.off[i], request.len[i], given)
      if (form === IdForm.none) throw new CommandError(INVALID_ID)
      break
    }
  }
  trim.check(call)
  if (marking.isGiven && form !== AUTOMATIC) {
    throw new CommandError('ERR IDMP/IDMPAUTO can be used only with auto-generated IDs')
  }
  const count = call.argc - i - 1
  if (count < 2 || count % 2 === 1) throw new CommandError("ERR wrong number of arguments for 'xadd' command")
  const asRedis = call.effects.solo || call.collections.streams.settings.idMode === 'liberal'
  const isWhole = form === IdForm.full || (form === IdForm.msOnly && asRedis)
  if (isWhole && given.isZero) throw new CommandError('ERR The ID specified in XADD must be greater than 0-0')
  if (form === IdForm.full && !call.effects.solo && call.collections.streams.settings.idMode === 'strict') {
    throw new CommandError("ERR stream-id-mode is strict: give the ID as '*', or without its sequence")
  }
  collectFields(call, i + 1)
  const exists = openForWrite(call, 1, stream)
  if (!exists && noMakeStream) {
    call.reply.null()
    return
  }
  if (marking.isGiven) {
    marking.complete(fields)
    if (exists && marking.isDuplicate(call, stream)) {
      replyId(call.reply, marking.mark.id)
      return
    }
  }
  if (exists) stream.space.roots.lastId(stream.root, last)
  else last.set(0, 0, 0, 0)
  if (last.isMax) throw new CommandError('ERR The stream has exhausted the last possible ID, unable to add more items')
  if (!isWhole) nextId(call, form, asRedis)
  if (given.compare(last) <= 0) throw new CommandError(ADD_TOO_SMALL)
  const { writes } = call.collections.streams
  KEY.of(call, 1)
  if (marking.isGiven) marking.mark.id.copyFrom(given)
  const steps = exists ? trim.inSlicesWith(call, stream, given) : null
  if (steps !== null) {
    const collect = (): StreamFields => {
      collectFields(call, i + 1)
      return fields
    }
    const mark = marking.isGiven ? marking.forSteps(call, stream) : null
    call.writeKeyInSlices(1, xaddSteps(call, stream.clone(), given.clone(), collect, mark, steps))
    return
  }
  writes.add(KEY, given, fields)
  if (marking.isGiven) writes.marks.add(KEY, marking.mark)
  replyId(call.reply, given)
  call.notify(NotificationClass.stream, 'xadd', 1)
  if (trim.strategy === TrimStrategy.none) return
  openForWrite(call, 1, stream)
  if (trim.apply(call, stream) > 0) call.notify(NotificationClass.stream, 'xtrim', 1)
}

function collectFields(call: Call, first: number): void {
  const { buf, off, len } = call.request
  fields.start(buf)
  let bytes = 0
  for (let i = first; i < call.argc; i += 2) {
    fields.add(off[i], len[i], off[i + 1], len[i + 1])
    bytes += len[i] + len[i + 1]
  }
  if (bytes > MAX_ENTRY_BYTES) throw new CommandError('ERR Elements are too large to be stored')
}

/** Makes the ID that comes after the last one: for `*`, or within the milliseconds that are given. */
function nextId(call: Call, form: number, asRedis: boolean): void {
  const member = call.collections.streams.self
  if (form === AUTOMATIC) {
    given.setMs(call.nowMs)
    if (given.compare(last) > 0) {
      if (!asRedis) given.seqLow = member
      return
    }
    given.copyFrom(last)
    if (asRedis) {
      given.increment()
      return
    }
    // The last ID may be of any member, and of a later time than this one's clock.
    if (!given.nextOwnSequence(member) && given.incrementMs()) given.seqLow = member
    return
  }
  const sameMs = given.msHigh === last.msHigh && given.msLow === last.msLow
  if (sameMs) {
    const { msHigh, msLow } = given
    given.copyFrom(last)
    const isIn = asRedis ? given.increment() : given.nextOwnSequence(member)
    if (!isIn || given.msHigh !== msHigh || given.msLow !== msLow) throw new CommandError(ADD_TOO_SMALL)
    return
  }
  if (!asRedis) given.seqLow = member
}

function xlen(call: Call): void {
  call.reply.integer(openForRead(call, 1, stream) ? stream.length : 0)
}

function xdel(call: Call): void {
  if (!openForWrite(call, 1, stream)) {
    call.reply.integer(0)
    return
  }
  if (isLongWrite(call, call.argc - 2, 1)) {
    call.writeKeyInSlices(1, delSteps(call, stream.clone()))
    return
  }
  for (let i = 2; i < call.argc; i++) strictId(call, i, given)
  const { space } = stream
  const { cursor } = space
  positions.clear()
  const seen = call.argc > 3 ? new Set<string>() : null
  for (let i = 2; i < call.argc; i++) {
    strictId(call, i, given)
    if (!space.log.find(stream.words, stream.at, given, 0, cursor) || cursor.entry.id.compare(given) !== 0) continue
    if (seen !== null) {
      const text = given.toString()
      if (seen.has(text)) continue
      seen.add(text)
    }
    positions.push(given, cursor.entry.region)
  }
  if (positions.count > 0) {
    call.collections.streams.writes.remove(KEY.of(call, 1), positions)
    call.notify(NotificationClass.stream, 'xdel', 1)
  }
  call.reply.integer(positions.count)
}

/** XDEL of many. */
function* delSteps(call: Call, from: StreamReading): WriteSteps {
  const { log, roots } = from.space
  const maxDeleted = roots.deletedBy(from.root, call.collections.streams.self, new StreamId())
  const writer = new RemovalWriter(call.op, call.place(1), maxDeleted)
  const id = new StreamId()
  let count = 0
  yield* distinctIds(call, 2, call.argc, id, () => {
    const { cursor } = from.space
    if (!log.find(from.words, from.at, id, 0, cursor) || cursor.entry.id.compare(id) !== 0) return
    writer.push(id)
    count++
  })
  writer.end()
  if (count > 0) {
    yield 'commit'
    call.notify(NotificationClass.stream, 'xdel', 1)
  }
  call.reply.integer(count)
}

function xdelex(call: Call): void {
  const block = parseIdBlock(call, 2)
  const { policy, firstId, count } = block
  if (isLongWrite(call, count, 1)) {
    const from = openForWrite(call, 1, stream) ? stream.clone() : null
    call.writeKeyInSlices(1, deletionSteps(call, from, block, null))
    return
  }
  checkIds(call, block)
  const exists = openForWrite(call, 1, stream)
  const results: number[] = []
  positions.clear()
  const taken = new Set<string>()
  for (let i = 0; i < count; i++) {
    strictId(call, firstId + i, given)
    results.push(exists ? planDeletion(stream, given, policy, positions, taken) : Deletion.noSuchId)
  }
  deletePlanned(call, stream, policy, positions)
  call.reply.array(count)
  for (const result of results) call.reply.integer(result)
}

function xtrim(call: Call): void {
  trim.parseAll(call)
  KEY.of(call, 1)
  const exists = openForWrite(call, 1, stream)
  const steps = exists ? trim.inSlices(call, stream) : null
  if (steps !== null) {
    call.writeKeyInSlices(1, xtrimSteps(call, steps))
    return
  }
  const removed = exists ? trim.apply(call, stream) : 0
  if (removed > 0) call.notify(NotificationClass.stream, 'xtrim', 1)
  call.reply.integer(removed)
}

const maxDeleted = new StreamId()
const other = new StreamId()

function xsetid(call: Call): void {
  strictId(call, 2, given)
  let added = -1
  let hasMaxDeleted = false
  for (let i = 3; i < call.argc; i += 2) {
    if (call.is(i, 'ENTRIESADDED') && i + 1 < call.argc) {
      added = call.integer(i + 1)
      if (added < 0) throw new CommandError('ERR entries_added must be positive')
    } else if (call.is(i, 'MAXDELETEDID') && i + 1 < call.argc) {
      strictId(call, i + 1, maxDeleted)
      hasMaxDeleted = !maxDeleted.isZero
      if (given.compare(maxDeleted) < 0) {
        throw new CommandError('ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id')
      }
    } else {
      throw syntaxError()
    }
  }
  if (!stream.open(call, call.findTyped(1, KeyType.stream))) throw new CommandError(Errors.noSuchKey)
  const { roots, log, cursor } = stream.space
  roots.maxDeletedId(stream.root, other)
  if (given.compare(other) < 0) {
    throw new CommandError('ERR The ID specified in XSETID is smaller than current max_deleted_entry_id')
  }
  if (log.last(stream.words, stream.at, cursor)) {
    if (given.compare(cursor.entry.id) < 0) {
      throw new CommandError('ERR The ID specified in XSETID is smaller than the target stream top item')
    }
    if (added !== -1 && stream.length > added) {
      throw new CommandError('ERR The entries_added specified in XSETID is smaller than the target stream length')
    }
  }
  if (!hasMaxDeleted) maxDeleted.copyFrom(other)
  if (added === -1) added = roots.entriesAdded(stream.root)
  call.collections.streams.writes.setId(KEY.of(call, 1), given, Math.min(added, Number.MAX_SAFE_INTEGER - 1), maxDeleted)
  call.reply.ok()
  call.notify(NotificationClass.stream, 'xsetid', 1)
}

const POLICY: ArgumentSpec = {
  name: 'condition',
  type: 'oneof',
  flags: ['optional'],
  since: '8.2.0',
  arguments: [
    { name: 'keepref', type: 'pure-token', token: 'KEEPREF' },
    { name: 'delref', type: 'pure-token', token: 'DELREF' },
    { name: 'acked', type: 'pure-token', token: 'ACKED' },
  ],
}

const TRIM: ArgumentSpec = {
  name: 'trim',
  type: 'block',
  arguments: [
    {
      name: 'strategy',
      type: 'oneof',
      arguments: [
        { name: 'maxlen', type: 'pure-token', token: 'MAXLEN' },
        { name: 'minid', type: 'pure-token', token: 'MINID', since: '6.2.0' },
      ],
    },
    {
      name: 'operator',
      type: 'oneof',
      flags: ['optional'],
      arguments: [
        { name: 'equal', type: 'pure-token', token: '=' },
        { name: 'approximately', type: 'pure-token', token: '~' },
      ],
    },
    { name: 'threshold', type: 'string' },
    { name: 'count', type: 'integer', token: 'LIMIT', flags: ['optional'], since: '6.2.0' },
  ],
}

export const ID_BLOCK: readonly ArgumentSpec[] = [
  POLICY,
  {
    name: 'ids',
    type: 'block',
    token: 'IDS',
    arguments: [{ name: 'numids', type: 'integer' }, ID_ARGUMENTS],
  },
]

const PRODUCER: ArgumentSpec = { name: 'producer-id', type: 'string' }
const IDEMPOTENCE: ArgumentSpec = {
  name: 'idempotency',
  type: 'oneof',
  flags: ['optional'],
  since: '8.6.0',
  arguments: [
    { ...PRODUCER, token: 'IDMPAUTO' },
    { name: 'idmp', type: 'block', token: 'IDMP', arguments: [PRODUCER, { name: 'idempotent-id', type: 'string' }] },
  ],
}

export const STREAM_ENTRY_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'xadd',
    arity: -5,
    flags: ['write', 'denyoom', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'update'),
    group: 'stream',
    categories: ['stream'],
    since: '5.0.0',
    summary: 'Adds an entry to a stream; makes the stream if there is none, and may trim it.',
    complexity: 'O(1) for the entry, O(N) for N entries that are trimmed',
    history: [
      ['6.2.0', 'Options NOMKSTREAM, MINID and LIMIT.'],
      ['7.0.0', 'IDs of the form `<ms>-*`.'],
      ['8.2.0', 'Options KEEPREF, DELREF and ACKED.'],
      ['8.6.0', 'Options IDMP and IDMPAUTO.'],
    ],
    tips: ['nondeterministic_output'],
    arguments: [
      KEY_ARGUMENT,
      { name: 'nomkstream', type: 'pure-token', token: 'NOMKSTREAM', flags: ['optional'], since: '6.2.0' },
      POLICY,
      IDEMPOTENCE,
      { ...TRIM, flags: ['optional'] },
      {
        name: 'id-selector',
        type: 'oneof',
        arguments: [
          { name: 'auto-id', type: 'pure-token', token: '*' },
          { name: 'id', type: 'string' },
        ],
      },
      {
        name: 'data',
        type: 'block',
        flags: ['multiple'],
        arguments: [
          { name: 'field', type: 'string' },
          { name: 'value', type: 'string' },
        ],
      },
    ],
    handler: xadd,
  },
  {
    name: 'xlen',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: keyRange(1, 1, 1, 'RO'),
    group: 'stream',
    categories: ['stream'],
    since: '5.0.0',
    summary: 'Gives the number of entries of a stream.',
    complexity: 'O(1)',
    arguments: [KEY_ARGUMENT],
    handler: xlen,
  },
  {
    name: 'xdel',
    arity: -3,
    flags: ['write', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'delete'),
    group: 'stream',
    categories: ['stream'],
    since: '5.0.0',
    summary: 'Removes entries from a stream and tells how many.',
    complexity: 'O(log(N)) for each entry, N being the number of entries of the stream',
    arguments: [KEY_ARGUMENT, ID_ARGUMENTS],
    handler: xdel,
  },
  {
    name: 'xdelex',
    arity: -5,
    flags: ['write', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'delete'),
    group: 'stream',
    categories: ['stream'],
    since: '8.2.0',
    summary: 'Removes entries from a stream, with or without what groups have pending of them, or only if no group needs them.',
    complexity: 'O(log(N)) for each entry, N being the number of entries of the stream',
    arguments: [KEY_ARGUMENT, ...ID_BLOCK],
    handler: xdelex,
  },
  {
    name: 'xtrim',
    arity: -4,
    flags: ['write'],
    keys: keyRange(1, 1, 1, 'RW', 'delete'),
    group: 'stream',
    categories: ['stream'],
    since: '5.0.0',
    summary: 'Removes the oldest entries of a stream, down to a length or up to an ID.',
    complexity: 'O(N), N being the number of entries that go',
    history: [
      ['6.2.0', 'Options MINID and LIMIT.'],
      ['8.2.0', 'Options KEEPREF, DELREF and ACKED.'],
    ],
    tips: ['nondeterministic_output'],
    arguments: [KEY_ARGUMENT, TRIM, POLICY],
    handler: xtrim,
  },
  {
    name: 'xsetid',
    arity: -3,
    flags: ['write', 'denyoom', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'update'),
    group: 'stream',
    categories: ['stream'],
    since: '5.0.0',
    summary: 'Sets the last ID of a stream, and what it counts; used where streams are copied.',
    complexity: 'O(1)',
    history: [['7.0.0', 'Options ENTRIESADDED and MAXDELETEDID.']],
    arguments: [
      KEY_ARGUMENT,
      { name: 'last-id', type: 'string' },
      { name: 'entries-added', type: 'integer', token: 'ENTRIESADDED', flags: ['optional'], since: '7.0.0' },
      { name: 'max-deleted-id', type: 'string', token: 'MAXDELETEDID', flags: ['optional'], since: '7.0.0' },
    ],
    handler: xsetid,
  },
]
