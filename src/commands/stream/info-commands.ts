import { LIMITS } from '../../base/limits.js'
import { StreamId } from '../../crdt/stream-id.js'
import { KeyType } from '../../keyspace/database.js'
import { StreamCursor } from '../../keyspace/stream-log.js'
import type { Ref } from '../../memory/arena.js'
import { IndexCursor } from '../../memory/order-index.js'
import type { Call } from '../call.js'
import { CommandError, Errors } from '../command-error.js'
import { keyRange, type ArgumentSpec, type CommandSpec } from '../command-spec.js'
import { helpSubcommand, wrongSubcommand } from '../help.js'
import { findGroup } from './group-commands.js'
import { entriesReadBy, lagOf } from './group-progress.js'
import { entrySteps } from './range-commands.js'
import { GROUP_ARGUMENT, KEY_ARGUMENT, StreamReading } from './stream-arguments.js'
import { replyDeliveries, replyEntry, replyId } from './stream-reply.js'

/** XINFO. Radix tree keys and nodes are the chunks of entries and the nodes of their index. */
const stream = new StreamReading()
const id = new StreamId()
/** What XINFO STREAM FULL shows of entries and pending ones when no COUNT is given. */
const DEFAULT_COUNT = 10

function open(call: Call): void {
  if (!stream.open(call, call.findTypedForRead(2, KeyType.stream))) throw new CommandError(Errors.noSuchKey)
}

function info(call: Call): void {
  const options = call.argc - 3
  let count = DEFAULT_COUNT
  open(call)
  if (options > 0) {
    if ((options !== 1 && options !== 3) || !call.is(3, 'FULL')) throw wrongSubcommand(call)
    if (options === 3) {
      if (!call.is(4, 'COUNT')) throw wrongSubcommand(call)
      count = call.integer(5)
      if (count < 0) count = DEFAULT_COUNT
    }
  }
  if (options > 0) {
    const most = count === 0 ? Infinity : count
    call.read(2, 1, shownInFull(most), fullSteps(call, stream.clone(), most))
    return
  }
  const { reply } = call
  const { space, words, at } = stream
  const { groups, log, cursor } = space
  reply.map(16)
  replyHead(call, stream)
  reply.bulkString('groups')
  reply.integer(groups.count(stream.root))
  reply.bulkString('first-entry')
  if (log.first(words, at, cursor)) replyEntry(reply, space, cursor.entry)
  else reply.null()
  reply.bulkString('last-entry')
  if (log.last(words, at, cursor)) replyEntry(reply, space, cursor.entry)
  else reply.null()
}

/** What every description of a stream begins with. */
function replyHead({ reply, nowMs }: Call, from: StreamReading): void {
  const { space, words, at } = from
  const { marks } = space
  const { roots, log, cursor } = space
  reply.bulkString('length')
  reply.integer(from.length)
  const chunks = log.index.count(words, at)
  reply.bulkString('radix-tree-keys')
  reply.integer(chunks)
  reply.bulkString('radix-tree-nodes')
  reply.integer(chunks + 1)
  reply.bulkString('last-generated-id')
  replyId(reply, roots.lastId(from.root, id))
  reply.bulkString('max-deleted-entry-id')
  replyId(reply, roots.maxDeletedId(from.root, id))
  reply.bulkString('entries-added')
  reply.integer(roots.entriesAdded(from.root))
  reply.bulkString('recorded-first-entry-id')
  replyId(reply, log.first(words, at, cursor) ? cursor.entry.id : id.set(0, 0, 0, 0))
  const tracked = marks.tracked(from.root, nowMs)
  reply.bulkString('idmp-duration')
  reply.integer(marks.durationS(from.root))
  reply.bulkString('idmp-maxsize')
  reply.integer(marks.maxSize(from.root))
  reply.bulkString('pids-tracked')
  reply.integer(tracked.producers)
  reply.bulkString('iids-tracked')
  reply.integer(tracked.marks)
  reply.bulkString('iids-added')
  reply.integer(marks.added(from.root))
  reply.bulkString('iids-duplicates')
  reply.integer(marks.duplicates(from.root))
}

/** Entries of the stream, and of what its groups have pending, that FULL shows, when it shows so many of each at most. */
function shownInFull(most: number): number {
  const { groups } = stream.space
  let shown = Math.min(most, stream.length)
  for (let i = groups.recordCount(stream.root) - 1; i >= 0; i--) {
    const group = groups.recordAt(stream.root, i)
    const pending = groups.pendingCount(group)
    // Those of the group, and those of each consumer.
    shown += Math.min(most, pending) + Math.min(most * groups.consumerCount(group), pending)
  }
  return shown
}

function* fullSteps(call: Call, from: StreamReading, most: number): Generator<undefined, void> {
  const { space, words, at, root } = from
  call.reply.map(15)
  replyHead(call, from)
  call.reply.bulkString('entries')
  const cursor = new StreamCursor()
  space.log.first(words, at, cursor)
  yield* entrySteps(call, space, cursor, Math.min(most, from.length), false)
  call.reply.bulkString('groups')
  const all = space.groups.sorted(root)
  call.reply.array(all.length)
  for (const group of all) yield* fullGroupSteps(call, from, group, most)
}

/** name, last-delivered-id, entries-read and lag stand in every description of a group. */
function replyProgress(call: Call, from: StreamReading, group: Ref): void {
  const { reply } = call
  const { groups } = from.space
  reply.bulkString('last-delivered-id')
  replyId(reply, groups.lastDelivered(group, id))
  reply.bulkString('entries-read')
  replyOrNull(call, entriesReadBy(from, group, call.effects.solo))
  reply.bulkString('lag')
  replyOrNull(call, lagOf(from, group, call.effects.solo))
}

function replyOrNull(call: Call, value: number): void {
  if (value < 0) call.reply.null()
  else call.reply.integer(value)
}

function* fullGroupSteps(call: Call, from: StreamReading, group: Ref, most: number): Generator<undefined, void> {
  const { groups } = from.space
  const { pending } = groups
  const shownId = new StreamId()
  call.reply.map(8)
  call.reply.bulkString('name')
  call.reply.bulkBytes(groups.names.name(group))
  replyProgress(call, from, group)
  call.reply.bulkString('pel-count')
  call.reply.integer(groups.pendingCount(group))
  call.reply.bulkString('nacked-count')
  call.reply.integer(groups.releasedCount(group))
  call.reply.bulkString('pending')
  yield* pendingSteps(call, from, groups.pendingWords(group), groups.pendingAt(group), most, (ref) => {
    const { reply } = call
    reply.array(4)
    replyId(reply, pending.id(ref, shownId))
    reply.bulkBytes(groups.consumerName(pending.consumer(ref)))
    reply.integer(pending.time(ref))
    replyDeliveries(reply, pending.deliveries(ref))
  })
  call.reply.bulkString('consumers')
  const consumers = groups.consumers(group)
  call.reply.array(consumers.length)
  for (const consumer of consumers) {
    const { reply } = call
    reply.map(5)
    reply.bulkString('name')
    reply.bulkBytes(groups.consumerName(consumer))
    reply.bulkString('seen-time')
    reply.integer(groups.seen(consumer))
    reply.bulkString('active-time')
    reply.integer(groups.active(consumer))
    reply.bulkString('pel-count')
    reply.integer(groups.consumerPendingCount(consumer))
    reply.bulkString('pending')
    yield* pendingSteps(call, from, groups.consumerWords(consumer), groups.consumerAt(consumer), most, (ref) => {
      call.reply.array(3)
      replyId(call.reply, pending.id(ref, shownId))
      call.reply.integer(pending.time(ref))
      replyDeliveries(call.reply, pending.deliveries(ref))
    })
  }
}

/** The first entries of an index of pending ones, as an array. */
function* pendingSteps(
  call: Call,
  from: StreamReading,
  words: Uint32Array,
  at: number,
  most: number,
  show: (ref: Ref) => void,
): Generator<undefined, void> {
  const { index } = from.space.groups.pending
  const place = new IndexCursor()
  const count = Math.min(most, index.count(words, at))
  call.reply.array(count)
  let ref = index.first(words, at, place)
  for (let left = count; left > 0; ref = index.next(place)) {
    show(ref)
    if (--left % LIMITS.slicedReadStep === 0) yield
  }
}

function infoGroups(call: Call): void {
  open(call)
  const { reply } = call
  const { groups } = stream.space
  const all = groups.sorted(stream.root)
  reply.array(all.length)
  for (const group of all) {
    reply.map(6)
    reply.bulkString('name')
    reply.bulkBytes(groups.names.name(group))
    reply.bulkString('consumers')
    reply.integer(groups.consumerCount(group))
    reply.bulkString('pending')
    reply.integer(groups.pendingCount(group))
    replyProgress(call, stream, group)
  }
}

function infoConsumers(call: Call): void {
  open(call)
  const group = findGroup(call, stream, 3)
  if (group === 0) {
    throw new CommandError(`NOGROUP No such consumer group '${call.text(3)}' for key name '${call.text(2)}'`)
  }
  const { reply } = call
  const { groups } = stream.space
  const all = groups.consumers(group)
  reply.array(all.length)
  for (const consumer of all) {
    const active = groups.active(consumer)
    reply.map(4)
    reply.bulkString('name')
    reply.bulkBytes(groups.consumerName(consumer))
    reply.bulkString('pending')
    reply.integer(groups.consumerPendingCount(consumer))
    reply.bulkString('idle')
    reply.integer(Math.max(0, call.nowMs - groups.seen(consumer)))
    reply.bulkString('inactive')
    reply.integer(active < 0 ? active : call.nowMs - active)
  }
}

function subcommand(
  name: string,
  arity: number,
  summary: string,
  args: readonly ArgumentSpec[],
  handler: (call: Call) => void,
): CommandSpec {
  return {
    name,
    arity,
    flags: ['readonly'],
    keys: keyRange(2, 2, 1, 'RO', 'access'),
    group: 'stream',
    categories: ['stream'],
    since: '5.0.0',
    summary,
    complexity: name === 'stream' ? 'O(1); FULL: O(N), N being what is shown' : 'O(N), N being what is shown',
    tips: name === 'consumers' ? ['nondeterministic_output'] : [],
    arguments: [KEY_ARGUMENT, ...args],
    handler,
  }
}

export const STREAM_INFO_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'xinfo',
    arity: -2,
    flags: [],
    group: 'stream',
    since: '5.0.0',
    summary: 'Holds the commands that look into streams and groups.',
    complexity: 'Depends on the subcommand',
    subcommands: [
      subcommand(
        'stream',
        -3,
        'Describes a stream; FULL with its entries, groups and consumers.',
        [
          {
            name: 'full-block',
            type: 'block',
            flags: ['optional'],
            arguments: [
              { name: 'full', type: 'pure-token', token: 'FULL' },
              { name: 'count', type: 'integer', token: 'COUNT', flags: ['optional'] },
            ],
          },
        ],
        info,
      ),
      subcommand('groups', 3, 'Describes the groups of a stream.', [], infoGroups),
      subcommand(
        'consumers',
        4,
        'Describes the consumers of a group, as they are in this region.',
        [GROUP_ARGUMENT],
        infoConsumers,
      ),
      helpSubcommand(
        '5.0.0',
        [
          'CONSUMERS <key> <groupname>',
          '    Describe the consumers of a group.',
          'GROUPS <key>',
          '    Describe the groups of a stream.',
          'STREAM <key> [FULL [COUNT <count>]]',
          '    Describe a stream.',
        ],
        ['stream'],
      ),
    ],
  },
]
