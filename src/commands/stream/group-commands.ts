import { LIMITS } from '../../base/limits.js'
import { NotificationClass } from '../../base/notification-classes.js'
import { StreamId } from '../../crdt/stream-id.js'
import { KeyType } from '../../keyspace/database.js'
import { AckWriter, buildWithoutConsumer, DropWriter } from '../../keyspace/stream-op-writers.js'
import { StreamPositions } from '../../keyspace/stream-positions.js'
import type { Ref } from '../../memory/arena.js'
import { IndexCursor } from '../../memory/order-index.js'
import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'
import { keyRange, type ArgumentSpec, type CommandFlag, type CommandSpec, type KeySpecFlag } from '../command-spec.js'
import type { WriteSteps } from '../services.js'
import { helpSubcommand, wrongSubcommand } from '../help.js'
import { checkIds, deletePlanned, Deletion, deletionSteps, parseIdBlock, planDeletion, type Acknowledging } from './deletion.js'
import { ID_BLOCK } from './entry-commands.js'
import { distinctIds } from './id-arguments.js'
import {
  anyId,
  ArgumentRange,
  CONSUMER,
  CONSUMER_ARGUMENT,
  GROUP,
  GROUP_ARGUMENT,
  ID_ARGUMENTS,
  isByte,
  isLongWrite,
  KEY,
  KEY_ARGUMENT,
  openForWrite,
  strictId,
  StreamReading,
} from './stream-arguments.js'

/** XGROUP, XACK and XACKDEL. Which groups there are and what is acknowledged all members share; consumers are this member's own. */
const DOLLAR = 36
/** Counts are safe integers; Redis' go up to 2^63. */
const MAX_ENTRIES_READ = Number.MAX_SAFE_INTEGER - 1
const stream = new StreamReading()
const id = new StreamId()
const positions = new StreamPositions()

/** The group named by argument i of the stream that is open; 0 when there is none. */
export function findGroup(call: Call, from: StreamReading, i: number): Ref {
  const { buf, off, len } = call.request
  return from.space.groups.find(from.root, buf, off[i], len[i])
}

export function findConsumer(call: Call, from: StreamReading, group: Ref, i: number): Ref {
  const { buf, off, len } = call.request
  return from.space.groups.findConsumer(group, buf, off[i], len[i])
}

/** Opens the stream in argument 1 and gives the group that argument 2 names, for what is about its pending entries. */
export function groupOf(call: Call, from: StreamReading): Ref {
  const group = from.open(call, call.mustBe(call.findForRead(1), KeyType.stream)) ? findGroup(call, from, 2) : 0
  if (group !== 0) return group
  throw new CommandError(`NOGROUP No such key '${call.text(1)}' or consumer group '${call.text(2)}'`)
}

/** Options of XGROUP CREATE and SETID. */
class GroupOptions {
  makesStream = false
  entriesRead = -1

  parse(call: Call, allowsMakeStream: boolean): void {
    this.makesStream = false
    this.entriesRead = -1
    for (let i = 5; i < call.argc;) {
      if (allowsMakeStream && call.is(i, 'MKSTREAM')) {
        this.makesStream = true
        i++
      } else if (call.is(i, 'ENTRIESREAD') && i + 1 < call.argc) {
        this.entriesRead = Math.min(call.integer(i + 1), MAX_ENTRIES_READ)
        if (this.entriesRead < -1) throw new CommandError('ERR value for ENTRIESREAD must be positive or -1')
        i += 2
      } else {
        throw wrongSubcommand(call)
      }
    }
  }
}
const options = new GroupOptions()

function mustExist(exists: boolean): void {
  if (exists) return
  throw new CommandError(
    'ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.',
  )
}

function mustHaveGroup(call: Call, i: number): Ref {
  const group = findGroup(call, stream, i)
  if (group !== 0) return group
  throw new CommandError(`NOGROUP No such consumer group '${call.text(i)}' for key name '${call.text(i - 1)}'`)
}

function create(call: Call): void {
  options.parse(call, true)
  const exists = openForWrite(call, 2, stream)
  if (!options.makesStream) mustExist(exists)
  if (isByte(call, 4, DOLLAR)) {
    if (exists) stream.space.roots.lastId(stream.root, id)
    else id.set(0, 0, 0, 0)
  } else {
    strictId(call, 4, id)
  }
  if (exists && findGroup(call, stream, 3) !== 0) {
    throw new CommandError('BUSYGROUP Consumer Group name already exists')
  }
  call.collections.streams.writes.createGroup(KEY.of(call, 2), GROUP.of(call, 3), id, options.entriesRead)
  call.reply.ok()
  call.notify(NotificationClass.stream, 'xgroup-create', 2)
}

function setId(call: Call): void {
  options.parse(call, false)
  mustExist(openForWrite(call, 2, stream))
  mustHaveGroup(call, 3)
  if (isByte(call, 4, DOLLAR)) stream.space.roots.lastId(stream.root, id)
  else anyId(call, 4, id, false)
  call.collections.streams.writes.placeGroup(KEY.of(call, 2), GROUP.of(call, 3), id, options.entriesRead)
  call.reply.ok()
  call.notify(NotificationClass.stream, 'xgroup-setid', 2)
}

function destroy(call: Call): void {
  mustExist(openForWrite(call, 2, stream))
  const exists = findGroup(call, stream, 3) !== 0
  if (exists) {
    call.collections.streams.writes.destroyGroup(KEY.of(call, 2), GROUP.of(call, 3), stream.root)
    call.notify(NotificationClass.stream, 'xgroup-destroy', 2)
  }
  call.reply.integer(exists ? 1 : 0)
}

function createConsumer(call: Call): void {
  mustExist(openForWrite(call, 2, stream))
  const group = mustHaveGroup(call, 3)
  const isNew = findConsumer(call, stream, group, 4) === 0
  if (isNew) {
    call.collections.streams.writes.createConsumer(KEY.of(call, 2), GROUP.of(call, 3), CONSUMER.of(call, 4))
    call.notify(NotificationClass.stream, 'xgroup-createconsumer', 2)
  }
  call.reply.integer(isNew ? 1 : 0)
}

function deleteConsumer(call: Call): void {
  mustExist(openForWrite(call, 2, stream))
  const group = mustHaveGroup(call, 3)
  const consumer = findConsumer(call, stream, group, 4)
  if (consumer === 0) {
    call.reply.integer(0)
    return
  }
  const pending = stream.space.groups.consumerPendingCount(consumer)
  if (isLongWrite(call, pending, 2)) {
    call.writeKeyInSlices(2, deleteConsumerSteps(call, stream.clone(), consumer, pending))
    return
  }
  call.collections.streams.writes.deleteConsumer(KEY.of(call, 2), GROUP.of(call, 3), CONSUMER.of(call, 4))
  call.notify(NotificationClass.stream, 'xgroup-delconsumer', 2)
  call.reply.integer(pending)
}

/** First what it has pending goes, then it does. */
function* deleteConsumerSteps(call: Call, from: StreamReading, consumer: Ref, count: number): WriteSteps {
  const { groups } = from.space
  const { pending } = groups
  const at = call.place(2)
  const groupName = new ArgumentRange().of(call, 3)
  const drops = new DropWriter(call.op, at, groupName)
  const place = new IndexCursor()
  const each = new StreamId()
  let ref = pending.index.first(groups.consumerWords(consumer), groups.consumerAt(consumer), place)
  for (let steps = 1; ref !== 0; ref = pending.index.next(place), steps++) {
    drops.push(pending.id(ref, each), pending.region(ref))
    if (steps % LIMITS.slicedReadStep === 0) yield
  }
  drops.end()
  buildWithoutConsumer(call.op, at, groupName, new ArgumentRange().of(call, 4))
  yield 'commit'
  call.notify(NotificationClass.stream, 'xgroup-delconsumer', 2)
  call.reply.integer(count)
}

/**
 * Puts the positions of an ID into the list that an acknowledgement is for: what is pending here and, with several members, what is not done here yet, for it may
 * have been delivered elsewhere. True when there was one.
 */
function collectAcknowledged(call: Call, from: StreamReading, group: Ref, list: StreamPositions, id: StreamId): boolean {
  const { groups, log, cursor } = from.space
  const { pending } = groups
  const before = list.count
  const words = groups.pendingWords(group)
  for (
    let ref = pending.seek(words, groups.pendingAt(group), id);
    ref !== 0 && pending.compareId(ref, id) === 0;
    ref = pending.nextSought()
  ) {
    list.push(id, pending.region(ref))
  }
  if (!call.effects.solo) {
    let on = log.find(from.words, from.at, id, 0, cursor)
    for (; on && cursor.entry.id.compare(id) === 0; on = log.next(cursor)) {
      if (!groups.isDone(group, cursor.entry)) list.push(id, cursor.entry.region)
    }
  }
  return list.count > before
}

function xack(call: Call): void {
  const group = stream.open(call, call.findTypedForRead(1, KeyType.stream)) ? findGroup(call, stream, 2) : 0
  if (group === 0) {
    call.reply.integer(0)
    return
  }
  if (isLongWrite(call, call.argc - 3, 1)) {
    call.writeKeyInSlices(1, ackSteps(call, stream.clone(), group))
    return
  }
  for (let i = 3; i < call.argc; i++) strictId(call, i, id)
  positions.clear()
  let count = 0
  const taken = call.argc > 4 ? new Set<string>() : null
  for (let i = 3; i < call.argc; i++) {
    strictId(call, i, id)
    if (taken !== null) {
      const text = id.toString()
      if (taken.has(text)) continue
      taken.add(text)
    }
    if (collectAcknowledged(call, stream, group, positions, id)) count++
  }
  if (positions.count > 0) call.collections.streams.writes.ack(KEY.of(call, 1), GROUP.of(call, 2), positions)
  call.reply.integer(count)
}

/** XACK of many. */
function* ackSteps(call: Call, from: StreamReading, group: Ref): WriteSteps {
  const writer = new AckWriter(call.op, call.place(1), new ArgumentRange().of(call, 2))
  const each = new StreamId()
  const found = new StreamPositions()
  let count = 0
  yield* distinctIds(call, 3, call.argc, each, () => {
    if (!collectAcknowledged(call, from, group, found.clear(), each)) return
    count++
    for (let i = 0; i < found.count; i++) writer.push(each, found.region(i))
  })
  writer.end()
  if (call.op.effects > 0) yield 'commit'
  call.reply.integer(count)
}

const deletions = new StreamPositions()

function xackdel(call: Call): void {
  const block = parseIdBlock(call, 3)
  const { policy, firstId, count } = block
  const isLong = isLongWrite(call, count, 1)
  if (!isLong) checkIds(call, block)
  const group = openForWrite(call, 1, stream) ? findGroup(call, stream, 2) : 0
  if (isLong) {
    const from = group === 0 ? null : stream.clone()
    call.writeKeyInSlices(1, deletionSteps(call, from, block, from === null ? null : acknowledging(call, from, group)))
    return
  }
  const results: number[] = []
  positions.clear()
  const acknowledged: number[] = []
  const taken = new Set<string>()
  for (let i = 0; i < count; i++) {
    strictId(call, firstId + i, id)
    const isFirst = group !== 0 && !taken.has(id.toString())
    if (isFirst) taken.add(id.toString())
    acknowledged.push(isFirst && collectAcknowledged(call, stream, group, positions, id) ? 1 : 0)
  }
  if (positions.count > 0) call.collections.streams.writes.ack(KEY.of(call, 1), GROUP.of(call, 2), positions)
  deletions.clear()
  const planned = new Set<string>()
  for (let i = 0; i < count; i++) {
    strictId(call, firstId + i, id)
    if (acknowledged[i] === 0) {
      results.push(Deletion.noSuchId)
      continue
    }
    const result = planDeletion(stream, id, policy, deletions, planned)
    // What was pending and is no longer in the stream is acknowledged, and there is nothing to delete.
    results.push(result === Deletion.noSuchId ? Deletion.deleted : result)
  }
  deletePlanned(call, stream, policy, deletions)
  call.reply.array(count)
  for (const result of results) call.reply.integer(result)
}

function acknowledging(call: Call, from: StreamReading, group: Ref): Acknowledging {
  return { group, argument: 2, collect: (list, each) => collectAcknowledged(call, from, group, list, each) }
}

const ID_OR_LAST: ArgumentSpec = {
  name: 'id-selector',
  type: 'oneof',
  arguments: [
    { name: 'id', type: 'string' },
    { name: 'new-id', type: 'pure-token', token: '$' },
  ],
}
const ENTRIES_READ: ArgumentSpec = {
  name: 'entriesread',
  type: 'integer',
  token: 'ENTRIESREAD',
  flags: ['optional'],
  since: '7.0.0',
}

function subcommand(
  name: string,
  arity: number,
  flags: readonly CommandFlag[],
  keyFlag: KeySpecFlag,
  since: string,
  summary: string,
  args: readonly ArgumentSpec[],
  handler: (call: Call) => void,
): CommandSpec {
  return {
    name,
    arity,
    flags,
    keys: keyRange(2, 2, 1, 'RW', keyFlag),
    group: 'stream',
    categories: ['stream'],
    since,
    summary,
    complexity: name === 'destroy' || name === 'delconsumer' ? 'O(N), N being the number of pending entries' : 'O(1)',
    arguments: [KEY_ARGUMENT, GROUP_ARGUMENT, ...args],
    handler,
  }
}

export const STREAM_GROUP_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'xgroup',
    arity: -2,
    flags: [],
    group: 'stream',
    since: '5.0.0',
    summary: 'Holds the commands that manage groups and their consumers.',
    complexity: 'Depends on the subcommand',
    subcommands: [
      subcommand(
        'create',
        -5,
        ['write', 'denyoom'],
        'insert',
        '5.0.0',
        'Makes a group.',
        [ID_OR_LAST, { name: 'mkstream', type: 'pure-token', token: 'MKSTREAM', flags: ['optional'] }, ENTRIES_READ],
        create,
      ),
      subcommand('setid', -5, ['write'], 'update', '5.0.0', 'Sets where a group goes on.', [ID_OR_LAST, ENTRIES_READ], setId),
      subcommand('destroy', 4, ['write'], 'delete', '5.0.0', 'Removes a group.', [], destroy),
      subcommand(
        'createconsumer',
        5,
        ['write', 'denyoom'],
        'insert',
        '6.2.0',
        'Makes a consumer in a group.',
        [CONSUMER_ARGUMENT],
        createConsumer,
      ),
      subcommand(
        'delconsumer',
        5,
        ['write'],
        'delete',
        '5.0.0',
        'Removes a consumer and what it has pending.',
        [CONSUMER_ARGUMENT],
        deleteConsumer,
      ),
      helpSubcommand(
        '5.0.0',
        [
          'CREATE <key> <groupname> <id|$> [option]',
          '    Make a group. Options are:',
          '    * MKSTREAM',
          '      Make an empty stream if there is none.',
          '    * ENTRIESREAD entries_read',
          '      Say how many entries the group has read.',
          'CREATECONSUMER <key> <groupname> <consumer>',
          '    Make a consumer in a group.',
          'DELCONSUMER <key> <groupname> <consumer>',
          '    Remove a consumer.',
          'DESTROY <key> <groupname>',
          '    Remove a group.',
          'SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]',
          '    Set where a group goes on, and how many entries it has read.',
        ],
        ['stream'],
      ),
    ],
  },
  {
    name: 'xack',
    arity: -4,
    flags: ['write', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'update'),
    group: 'stream',
    categories: ['stream'],
    since: '5.0.0',
    summary: 'Acknowledges entries that a group has read: they are not pending any more, and no region reads them again.',
    complexity: 'O(log(N)) for each ID, N being the number of pending entries',
    arguments: [KEY_ARGUMENT, GROUP_ARGUMENT, ID_ARGUMENTS],
    handler: xack,
  },
  {
    name: 'xackdel',
    arity: -6,
    flags: ['write', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'delete'),
    group: 'stream',
    categories: ['stream'],
    since: '8.2.0',
    summary: 'Acknowledges entries that a group has read, and removes them from the stream.',
    complexity: 'O(log(N)) for each ID, N being the number of entries of the stream',
    arguments: [KEY_ARGUMENT, GROUP_ARGUMENT, ...ID_BLOCK],
    handler: xackdel,
  },
]
