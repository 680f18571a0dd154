import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'
import { keyRange, type ArgumentSpec, type CommandSpec } from '../command-spec.js'
import type { SubscriptionKind } from '../services.js'

/**
 * SUBSCRIBE and its kin. Each name that is given is answered on its own, by a push in RESP3: that is a confirmation, not a reply, and comes even
 * to a client that wants no replies.
 */
const NOT_KEYS = keyRange(1, -1, 1, 'not_key')

interface Words {
  readonly kind: SubscriptionKind
  readonly subscribed: string
  readonly unsubscribed: string
}

const CHANNELS: Words = { kind: 'channel', subscribed: 'subscribe', unsubscribed: 'unsubscribe' }
const PATTERNS: Words = { kind: 'pattern', subscribed: 'psubscribe', unsubscribed: 'punsubscribe' }
const SHARD_CHANNELS: Words = { kind: 'shard', subscribed: 'ssubscribe', unsubscribed: 'sunsubscribe' }

function subscribe(call: Call, { kind, subscribed }: Words): void {
  // In a transaction the confirmations stand where one reply should; Redis allows it for the older two commands.
  if (kind === 'shard' && call.engine.isInExec) throw new CommandError("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client")
  for (let i = 1; i < call.argc; i++) {
    call.engine.pubsub.subscribe(call.session, kind, call.bytes(i))
    confirm(call, kind, subscribed, call.bytes(i))
  }
}

function unsubscribe(call: Call, { kind, unsubscribed }: Words): void {
  const { pubsub } = call.engine
  const names =
    call.argc > 1
      ? Array.from({ length: call.argc - 1 }, (_, i) => Buffer.from(call.bytes(i + 1)).toString('latin1'))
      : [...(call.session.subscriptions?.[kind] ?? [])]
  for (const name of names) {
    pubsub.unsubscribe(call.session, kind, name)
    confirm(call, kind, unsubscribed, Buffer.from(name, 'latin1'))
  }
  if (names.length === 0) confirm(call, kind, unsubscribed, null)
}

function confirm(call: Call, kind: SubscriptionKind, word: string, name: Uint8Array | null): void {
  const { session, reply } = call
  const count = subscriptionCount(call, kind)
  const write = (to: Call['reply']): void => {
    to.push(3)
    to.bulkString(word)
    if (name === null) to.null()
    else to.bulkBytes(name)
    to.integer(count)
  }
  // What is written as reply is taken back from a client that wants none.
  if (session.replyMode === 'on') write(reply)
  else session.deliver(write)
}

/** Channels and patterns count together, shard channels apart. */
function subscriptionCount({ session }: Call, kind: SubscriptionKind): number {
  const { subscriptions } = session
  if (subscriptions === null) return 0
  return kind === 'shard' ? subscriptions.shard.size : subscriptions.channel.size + subscriptions.pattern.size
}

function spec(
  name: string,
  since: string,
  argument: ArgumentSpec,
  summary: string,
  complexity: string,
  handler: (call: Call) => void,
): CommandSpec {
  const optional = name.includes('unsubscribe')
  return {
    name,
    arity: optional ? -1 : -2,
    flags: ['pubsub', 'noscript', 'loading', 'stale'],
    ...(argument.name === 'shardchannel' && { keys: NOT_KEYS }),
    group: 'pubsub',
    since,
    summary,
    complexity,
    arguments: [{ ...argument, flags: optional ? ['optional', 'multiple'] : ['multiple'] }],
    handler,
  }
}

const CHANNEL: ArgumentSpec = { name: 'channel', type: 'string' }
const PATTERN: ArgumentSpec = { name: 'pattern', type: 'pattern' }
const SHARD_CHANNEL: ArgumentSpec = { name: 'shardchannel', type: 'string' }

export const SUBSCRIBE_COMMANDS: readonly CommandSpec[] = [
  spec('subscribe', '2.0.0', CHANNEL, 'Listens to channels.', 'O(N), N being the number of channels', (call) =>
    subscribe(call, CHANNELS),
  ),
  spec('unsubscribe', '2.0.0', CHANNEL, 'Stops listening to channels; to all when none is named.', 'O(N)', (call) =>
    unsubscribe(call, CHANNELS),
  ),
  spec(
    'psubscribe',
    '2.0.0',
    PATTERN,
    'Listens to channels whose names match patterns.',
    'O(N), N being the number of patterns',
    (call) => subscribe(call, PATTERNS),
  ),
  spec('punsubscribe', '2.0.0', PATTERN, 'Stops listening to patterns; to all when none is named.', 'O(N)', (call) =>
    unsubscribe(call, PATTERNS),
  ),
  spec('ssubscribe', '7.0.0', SHARD_CHANNEL, 'Listens to shard channels.', 'O(N), N being the number of channels', (call) =>
    subscribe(call, SHARD_CHANNELS),
  ),
  spec('sunsubscribe', '7.0.0', SHARD_CHANNEL, 'Stops listening to shard channels; to all when none is named.', 'O(N)', (call) =>
    unsubscribe(call, SHARD_CHANNELS),
  ),
]
