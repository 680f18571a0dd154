import { latin1 } from '../base/bytes.js'
import { matchesGlob } from '../base/glob.js'
import type { PubSubService, RemotePublisher, SubscriptionKind } from '../commands/services.js'
import type { Session } from '../commands/session.js'
import type { ReplyWriter } from '../resp/reply-writer.js'

interface Pattern {
  readonly bytes: Uint8Array
  readonly sessions: Set<Session>
}

const MESSAGE = Buffer.from('message')
const SHARD_MESSAGE = Buffer.from('smessage')
const PATTERN_MESSAGE = Buffer.from('pmessage')

/**
 * Who listens to what in this member, and the delivery of messages: of clients here, of clients of other members, and of keyspace events.
 * Nothing is stored; who is not subscribed when a message comes by does not get it. Names are kept as latin1 strings of their bytes.
 */
export class PubSub implements PubSubService {
  /** Takes messages of clients here to the other members; null when there are none. */
  remote: RemotePublisher | null = null
  /** False: messages stay in this member. */
  reachesCluster = true
  messagesReceived = 0
  private readonly channels = new Map<string, Set<Session>>()
  private readonly shardChannels = new Map<string, Set<Session>>()
  private readonly patterns = new Map<string, Pattern>()
  private readonly subscribers = new Set<Session>()

  get channelCount(): number {
    return this.channels.size
  }

  get shardChannelCount(): number {
    return this.shardChannels.size
  }

  get patternCount(): number {
    return this.patterns.size
  }

  get clientCount(): number {
    return this.subscribers.size
  }

  get messagesSent(): number {
    return this.remote?.counts.sent ?? 0
  }

  get messagesDropped(): number {
    return this.remote?.counts.dropped ?? 0
  }

  subscribe(session: Session, kind: SubscriptionKind, name: Uint8Array): void {
    const text = latin1(name, 0, name.length)
    session.subscriptions ??= { channel: new Set(), pattern: new Set(), shard: new Set() }
    const own = session.subscriptions[kind]
    if (own.has(text)) return
    own.add(text)
    session.noteName(text, 1)
    this.subscribers.add(session)
    if (kind === 'pattern') {
      const pattern = this.patterns.get(text)
      if (pattern === undefined) this.patterns.set(text, { bytes: Buffer.from(text, 'latin1'), sessions: new Set([session]) })
      else pattern.sessions.add(session)
      return
    }
    const all = kind === 'shard' ? this.shardChannels : this.channels
    const sessions = all.get(text)
    if (sessions === undefined) all.set(text, new Set([session]))
    else sessions.add(session)
  }

  unsubscribe(session: Session, kind: SubscriptionKind, name: string): void {
    const { subscriptions } = session
    if (subscriptions === null || !subscriptions[kind].delete(name)) return
    session.noteName(name, -1)
    const all: Map<string, Pattern | Set<Session>> =
      kind === 'pattern' ? this.patterns : kind === 'shard' ? this.shardChannels : this.channels
    const entry = all.get(name)
    const sessions = entry instanceof Set ? entry : entry?.sessions
    sessions?.delete(session)
    if (sessions?.size === 0) all.delete(name)
    if (subscriptions.channel.size + subscriptions.pattern.size + subscriptions.shard.size > 0) return
    session.subscriptions = null
    this.subscribers.delete(session)
  }

  unsubscribeAll(session: Session): void {
    for (const kind of ['channel', 'shard', 'pattern'] as const) {
      for (const name of [...(session.subscriptions?.[kind] ?? [])]) this.unsubscribe(session, kind, name)
    }
  }

  publish(channel: Uint8Array, message: Uint8Array, sharded: boolean): number {
    if (this.remote !== null && this.reachesCluster) this.remote.publish(channel, message, sharded)
    return this.deliver(channel, message, sharded)
  }

  /** A message that a client of another member has published. */
  receive(channel: Uint8Array, message: Uint8Array, sharded: boolean): void {
    this.messagesReceived++
    this.deliver(channel, message, sharded)
  }

  /** To those who listen here; returns how many got it, those who got it for several reasons several times. */
  deliver(channel: Uint8Array, message: Uint8Array, sharded: boolean): number {
    if (this.subscribers.size === 0) return 0
    let receivers = 0
    const sessions = (sharded ? this.shardChannels : this.channels).get(latin1(channel, 0, channel.length))
    if (sessions !== undefined) {
      const word = sharded ? SHARD_MESSAGE : MESSAGE
      const write = (reply: ReplyWriter): void => {
        reply.push(3)
        reply.bulkBytes(word)
        reply.bulkBytes(channel)
        reply.bulkBytes(message)
      }
      for (const session of sessions) session.deliver(write)
      receivers += sessions.size
    }
    if (sharded || this.patterns.size === 0) return receivers
    for (const { bytes, sessions: matching } of this.patterns.values()) {
      if (!matchesGlob(bytes, 0, bytes.length, channel, 0, channel.length)) continue
      const write = (reply: ReplyWriter): void => {
        reply.push(4)
        reply.bulkBytes(PATTERN_MESSAGE)
        reply.bulkBytes(bytes)
        reply.bulkBytes(channel)
        reply.bulkBytes(message)
      }
      for (const session of matching) session.deliver(write)
      receivers += matching.size
    }
    return receivers
  }

  activeChannels(sharded: boolean): Iterable<string> {
    return (sharded ? this.shardChannels : this.channels).keys()
  }

  subscriberCount(name: string, sharded: boolean): number {
    return (sharded ? this.shardChannels : this.channels).get(name)?.size ?? 0
  }

  resetStatistics(): void {
    this.messagesReceived = 0
    if (this.remote === null) return
    this.remote.counts.sent = 0
    this.remote.counts.dropped = 0
  }
}
