import { StreamId } from '../../crdt/stream-id.js'
import { KeyType } from '../../keyspace/database.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError, Errors } from '../command-error.js'
import { keyRange, type ArgumentSpec, type CommandSpec } from '../command-spec.js'
import { helpSubcommand, wrongSubcommand } from '../help.js'
import { findGroup } from './group-commands.js'
import { entriesReadBy, lagOf } from './group-progress.js'
import { replyRange } from './range-commands.js'
import { GROUP_ARGUMENT, KEY_ARGUMENT, StreamReading } from './stream-arguments.js'
import { replyEntry, replyId } from './stream-reply.js'

/** XINFO. Radix tree keys and nodes are the chunks of entries and the nodes of their index. */
const stream = new StreamReading()
const id = new StreamId()
const first = new StreamId()
const last = new StreamId()
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
  const { reply } = call
  const { space, words, at } = stream
  const { roots, groups, log, cursor } = space
  reply.map(options > 0 ? 9 : 10)
  reply.bulkString('length')
  reply.integer(stream.length)
  const chunks = log.index.count(words, at)
  reply.bulkString('radix-tree-keys')
  reply.integer(chunks)
  reply.bulkString('radix-tree-nodes')
  reply.integer(chunks + 1)
  reply.bulkString('last-generated-id')
  replyId(reply, roots.lastId(stream.root, id))
  reply.bulkString('max-deleted-entry-id')
  replyId(reply, roots.maxDeletedId(stream.root, id))
  reply.bulkString('entries-added')
  reply.integer(roots.entriesAdded(stream.root))
  reply.bulkString('recorded-first-entry-id')
  replyId(reply, log.first(words, at, cursor) ? cursor.entry.id : id.set(0, 0, 0, 0))
  if (options > 0) {
    reply.bulkString('entries')
    replyRange(call, stream, first.set(0, 0, 0, 0), last.setMax(), count === 0 ? Infinity : count)
    reply.bulkString('groups')
    const all = groups.sorted(stream.root)
    reply.array(all.length)
    for (const group of all) fullGroup(call, group, count === 0 ? Infinity : count)
    return
  }
  reply.bulkString('groups')
  reply.integer(groups.count(stream.root))
  reply.bulkString('first-entry')
  if (log.first(words, at, cursor)) replyEntry(reply, space, cursor.entry)
  else reply.null()
  reply.bulkString('last-entry')
  if (log.last(words, at, cursor)) replyEntry(reply, space, cursor.entry)
  else reply.null()
}

/** name, last-delivered-id, entries-read and lag stand in every description of a group. */
function replyProgress(call: Call, group: Ref): void {
  const { reply } = call
  const { groups } = stream.space
  reply.bulkString('last-delivered-id')
  replyId(reply, groups.lastDelivered(group, id))
  reply.bulkString('entries-read')
  replyOrNull(call, entriesReadBy(stream, group, call.effects.solo))
  reply.bulkString('lag')
  replyOrNull(call, lagOf(stream, group, call.effects.solo))
}

function replyOrNull(call: Call, value: number): void {
  if (value < 0) call.reply.null()
  else call.reply.integer(value)
}

function fullGroup(call: Call, group: Ref, count: number): void {
  const { reply } = call
  const { groups } = stream.space
  const { pending } = groups
  reply.map(7)
  reply.bulkString('name')
  reply.bulkBytes(groups.names.name(group))
  replyProgress(call, group)
  reply.bulkString('pel-count')
  reply.integer(groups.pendingCount(group))
  reply.bulkString('pending')
  const shown = firstPending(groups.pendingWords(group), groups.pendingAt(group), count)
  reply.array(shown.length)
  for (const ref of shown) {
    reply.array(4)
    replyId(reply, pending.id(ref, id))
    reply.bulkBytes(groups.consumerName(pending.consumer(ref)))
    reply.integer(pending.time(ref))
    reply.integer(pending.deliveries(ref))
  }
  reply.bulkString('consumers')
  const consumers = groups.consumers(group)
  reply.array(consumers.length)
  for (const consumer of consumers) {
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
    const own = firstPending(groups.consumerWords(consumer), groups.consumerAt(consumer), count)
    reply.array(own.length)
    for (const ref of own) {
      reply.array(3)
      replyId(reply, pending.id(ref, id))
      reply.integer(pending.time(ref))
      reply.integer(pending.deliveries(ref))
    }
  }
}

function firstPending(words: Uint32Array, at: number, count: number): Ref[] {
  const { pending } = stream.space.groups
  const refs: Ref[] = []
  let ref = pending.seek(words, at, first.set(0, 0, 0, 0))
  for (; ref !== 0 && refs.length < count; ref = pending.nextSought()) refs.push(ref)
  return refs
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
    replyProgress(call, group)
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
