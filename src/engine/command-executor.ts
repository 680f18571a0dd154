import type { ReplyWriter } from '../resp/reply-writer.js'
import type { ArgumentsAhead } from '../base/arguments-ahead.js'
import type { Request } from '../resp/request.js'
import type { Session } from '../commands/session.js'

/** Commands that have arrived and have not run. */
export interface InputAhead {
  /** Adds them, until there is no room or no whole command. Changes nothing else. */
  peek(ahead: ArgumentsAhead): void
}

/** The engine as the front end sees it. */
export interface CommandExecutor {
  /**
   * Runs one request of a session and writes its reply (or nothing, if session.blocked is set afterwards: then the reply comes later
   * through session.deliver, followed by session.unblocked). reply.protocol must be the session's. Never throws for what a
   * client did.
   */
  execute(session: Session, request: Request, reply: ReplyWriter): void
  /** Takes the time for the commands that follow: called before each client's batch, which is short. Gives it, in Unix ms. */
  beginBatch(): number
  /** Several commands of a session's batch have arrived: a hint, so that what they need is at hand when they run. */
  lookAhead(session: Session, input: InputAhead): void
  /** Takes care that lastReadingMs moves: for commands of a batch that nobody times, such as those that are queued or refused. Called every few commands. */
  readTime(): void
  /** The batch is over: what comes until the next one is no command's time. */
  endBatch(): void
  /** Monotonic ms: when a command of the batch ended, at most a few before the last one. */
  readonly lastReadingMs: number
  /**
   * Ends a turn: closes the open frame and hands it to the log. The front end calls it once after it has run all input that was ready
   * and before any reply of that turn leaves, so that a killed process never loses an acknowledged write.
   */
  endTurn(): void
  /** Bytes of the log that are in the operating system (killed process safe) and on the disk (power cut safe). */
  readonly loggedBytes: number
  readonly durableBytes: number
  /** durableBytes will not move any more: nobody knows what became of the writes behind it. */
  readonly logHasFailed: boolean
  /** Called when loggedBytes or durableBytes moved outside of endTurn: held replies may leave now. */
  onLogProgress(listener: () => void): void
  /** A session's connection is gone: unwatch, unblock, unsubscribe. */
  sessionClosed(session: Session): void
}

export type { ClientRegistry, ClientStatistics, ConnectedClient } from '../commands/client-registry.js'
