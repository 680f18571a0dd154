import type { ReplyWriter } from '../resp/reply-writer.js'
import type { QueuedRequests } from '../resp/queued-requests.js'
import type { Fieldsets } from './fieldsets.js'

/** Why and how a connection is to be closed after the reply that is being written. */
export type CloseIntent = 'none' | 'after-reply' | 'now'

export type ReplyMode = 'on' | 'off' | 'skip-next' | 'skip-this'

/** Names that a session listens to, as latin1. */
export interface Subscriptions {
  readonly channel: Set<string>
  readonly pattern: Set<string>
  readonly shard: Set<string>
}

/** A string and its entries in the session's set and in the table of who watches or listens; roughly. */
const NAME_OVERHEAD_BYTES = 200

/**
 * What the engine keeps for one client, with or without a socket. The server's connection extends it with the transport.
 */
export class Session {
  name = ''
  libraryName = ''
  libraryVersion = ''
  /** Selected database. */
  database = 0
  protocol: 2 | 3 = 2
  authenticated = false
  user = 'default'
  close: CloseIntent = 'none'
  replyMode: ReplyMode = 'on'
  noEvict = false
  noTouch = false
  /** It has said MONITOR. */
  isMonitor = false

  /** Commands queued since MULTI, or null outside a transaction. */
  queued: QueuedRequests | null = null
  /** Bytes held by queued commands, for client memory accounting. */
  queuedBytes = 0
  /** A command was refused while queueing: EXEC answers EXECABORT. */
  queueFailed = false
  /** One of the queued commands may write. */
  queuedWrite = false
  /** One of them needs memory. */
  queuedNeedsMemory = false
  /** Watched keys have changed: EXEC answers nil. */
  watchBroken = false
  /** Keys watched, as 'db:key' in latin1; empty when none. */
  readonly watched = new Set<string>()

  /** Bytes of the names that it watches or listens to, for client memory accounting: each is in two tables. */
  nameBytes = 0
  /** What it listens to; null when nothing. */
  subscriptions: Subscriptions | null = null
  /** What HIMPORT PREPARE has made; null when nothing. */
  fieldsets: Fieldsets | null = null

  /** Name of the last command, lower case, for CLIENT LIST. */
  lastCommand = 'NULL'
  /** Unix ms of connecting and of the last command. */
  createdMs = 0
  lastActiveMs = 0
  /** Commands run. */
  commandCount = 0

  /** Log position (appendedBytes) that must be durable before replies may leave, with `appendfsync always`; 0 for none. */
  holdUntilBytes = 0
  /** Stamp of this session's last write, for WAIT; 0 for none. */
  lastWriteStamp = 0
  /** Set while a command of this session waits (WAIT, blocking pops): no further command of it runs. */
  blocked: BlockedState | null = null

  /** What it is told meanwhile by what it listens to waits for the reply that is being made. */
  holdsPushes = false

  constructor(readonly id: number) {}

  /** A name was added to (1), or taken from (-1), what the session watches or listens to. */
  noteName(name: string, by: 1 | -1): void {
    this.nameBytes += by * (name.length + NAME_OVERHEAD_BYTES)
  }

  /** Sends something outside of execute: the reply of a blocked command, a push message. The connection overrides it. */
  deliver(_write: (reply: ReplyWriter) => void): void {}

  /** As deliver, for a long reply of a blocked command, in pieces that the session may keep. The connection overrides it. */
  deliverAll(parts: readonly Buffer[]): void {
    this.deliver((reply) => {
      for (const part of parts) reply.raw(part)
    })
  }

  /** The blocked command has replied: input that has waited may run. The connection overrides it. */
  unblocked(): void {}
}

/** A command that has not replied yet. */
export interface BlockedState {
  /** Name of the command, lower case. */
  readonly command: string
  /** It has not begun, because clients are paused: CLIENT UNBLOCK leaves it alone. */
  readonly isPostponed?: boolean
  /** It waits for nothing, its reply is being made: CLIENT UNBLOCK leaves it alone, and who has said all it has to say still gets the reply. */
  readonly isRunning?: boolean
  /** Replies as if the time were up. */
  timeOut(): void
  /** CLIENT UNBLOCK id ERROR. */
  fail(message: string): void
  /** The client went away: forget it. */
  cancel(): void
}
