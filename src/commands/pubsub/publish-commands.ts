import { matchesGlob } from '../../base/glob.js'
import type { Call } from '../call.js'
import { keyRange, type CommandFlag, type CommandSpec } from '../command-spec.js'
import { helpSubcommand, wrongSubcommand } from '../help.js'

/** PUBLISH, SPUBLISH and PUBSUB: sending messages, and looking at who would get them in this member. */
function publish(call: Call, sharded: boolean): void {
  call.reply.integer(call.engine.pubsub.publish(call.bytes(1), call.bytes(2), sharded))
}

function listChannels(call: Call, sharded: boolean): void {
  if (call.argc > 3) throw wrongSubcommand(call)
  const names: Buffer[] = []
  for (const name of call.engine.pubsub.activeChannels(sharded)) {
    const bytes = Buffer.from(name, 'latin1')
    const { buf, off, len } = call.request
    if (call.argc === 2 || matchesGlob(buf, off[2], len[2], bytes, 0, bytes.length)) names.push(bytes)
  }
  call.reply.array(names.length)
  for (const name of names) call.reply.bulkBytes(name)
}

function countSubscribers(call: Call, sharded: boolean): void {
  call.reply.array((call.argc - 2) * 2)
  for (let i = 2; i < call.argc; i++) {
    const name = call.bytes(i)
    call.reply.bulkBytes(name)
    call.reply.integer(call.engine.pubsub.subscriberCount(Buffer.from(name).toString('latin1'), sharded))
  }
}

const PUBLISH_FLAGS: readonly CommandFlag[] = ['pubsub', 'loading', 'stale', 'fast', 'may_replicate']

function looking(
  name: string,
  arity: number,
  since: string,
  summary: string,
  argument: 'pattern' | 'channel' | 'shardchannel' | null,
  handler: (call: Call) => void,
): CommandSpec {
  return {
    name,
    arity,
    flags: ['pubsub', 'loading', 'stale'],
    group: 'pubsub',
    since,
    summary,
    complexity: argument === null ? 'O(1)' : 'O(N), N being the number of channels',
    arguments:
      argument === null
        ? []
        : [
            argument === 'pattern'
              ? { name: 'pattern', type: 'pattern', flags: ['optional'] }
              : { name: argument, type: 'string', flags: ['optional', 'multiple'] },
          ],
    handler,
  }
}

export const PUBLISH_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'publish',
    arity: 3,
    flags: PUBLISH_FLAGS,
    group: 'pubsub',
    since: '2.0.0',
    summary: 'Sends a message to who listens to a channel, in every region; answers how many got it in this one.',
    complexity: 'O(N+M), N being the number of clients of the channel and M that of all patterns',
    arguments: [
      { name: 'channel', type: 'string' },
      { name: 'message', type: 'string' },
    ],
    handler: (call) => publish(call, false),
  },
  {
    name: 'spublish',
    arity: 3,
    flags: PUBLISH_FLAGS,
    keys: keyRange(1, 1, 1, 'not_key'),
    group: 'pubsub',
    since: '7.0.0',
    summary: 'Sends a message to who listens to a shard channel, in every region; answers how many got it in this one.',
    complexity: 'O(N), N being the number of clients of the channel',
    arguments: [
      { name: 'shardchannel', type: 'string' },
      { name: 'message', type: 'string' },
    ],
    handler: (call) => publish(call, true),
  },
  {
    name: 'pubsub',
    arity: -2,
    flags: [],
    group: 'pubsub',
    since: '2.8.0',
    summary: 'Commands about channels and their listeners in this member.',
    complexity: 'Depends on subcommand.',
    subcommands: [
      looking('channels', -2, '2.8.0', 'Channels that someone listens to.', 'pattern', (call) => listChannels(call, false)),
      looking('numpat', 2, '2.8.0', 'How many different patterns are listened to.', null, (call) =>
        call.reply.integer(call.engine.pubsub.patternCount),
      ),
      looking('numsub', -2, '2.8.0', 'How many clients listen to channels, patterns not counted.', 'channel', (call) =>
        countSubscribers(call, false),
      ),
      looking('shardchannels', -2, '7.0.0', 'Shard channels that someone listens to.', 'pattern', (call) =>
        listChannels(call, true),
      ),
      looking('shardnumsub', -2, '7.0.0', 'How many clients listen to shard channels.', 'shardchannel', (call) =>
        countSubscribers(call, true),
      ),
      helpSubcommand('6.2.0', [
        'CHANNELS [<pattern>]',
        "    Channels that someone listens to and that match a pattern (default: '*').",
        'NUMPAT',
        '    How many different patterns are listened to.',
        'NUMSUB [<channel> ...]',
        '    How many clients listen to each channel; patterns are not counted.',
        'SHARDCHANNELS [<pattern>]',
        "    Shard channels that someone listens to and that match a pattern (default: '*').",
        'SHARDNUMSUB [<shardchannel> ...]',
        '    How many clients listen to each shard channel.',
      ]),
    ],
  },
]
