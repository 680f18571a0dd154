import type { Command } from '../commands/command-table.js'
import type { BlockedState, Session } from '../commands/session.js'
import type { WriteSteps } from '../commands/services.js'
import { OpBuilder } from '../crdt/op-builder.js'
import type { QueuedReader } from '../resp/queued-requests.js'
import { ReplyParts } from '../resp/reply-parts.js'
import type { Request } from '../resp/request.js'
import type { HeldKeys } from './held-keys.js'

/** A client's command that takes its turn among the long writes, and then many turns of the event loop. */
export abstract class LongCommand implements BlockedState {
  readonly isRunning = true
  /** All of the work, once it is its turn. */
  steps: Generator<undefined, void> | null = null
  /** What was written of the reply so far. */
  readonly parts = new ReplyParts()
  /** It can no more be called off. */
  isApplying = false
  waitsForPause = false
  /** The client has gone. */
  hasLeft = false
  /** It waits for something else, and has no reply yet. */
  isHandedOver = false
  /** Time that the command took, that of others not included, and its longest slice. */
  microseconds = 0
  longestMs = 0

  constructor(
    readonly session: Session,
    /** A copy. */
    readonly request: Request,
    readonly spec: Command,
    readonly keys: HeldKeys,
    private readonly queue: { cancel(command: LongCommand): void },
  ) {}

  get command(): string {
    return this.spec.fullName
  }

  /** Its reply comes by itself. */
  timeOut(): void {}

  fail(): void {}

  cancel(): void {
    this.queue.cancel(this)
  }
}

/**
 * EXEC of very many commands, or one that has come to a command that is long by itself. Unlike a long write it changes the data as it goes, so everything is held from
 * everybody, from its first slice until its op is in the log, and the op stays open meanwhile: see Transactions.
 */
export class LongTransaction extends LongCommand {
  /** What is left to run of it, and how many commands that is; null before its turn. */
  queued: QueuedReader | null = null
  left = 0
  /** Unix ms: for its commands it is always then. */
  nowMs = 0
  /** Why those that may not read old data are refused. */
  staleRefusal: string | null = null
}

/** A command of a transaction that takes many turns by itself. */
export class LongPart {
  /** Effects of a write. */
  readonly op = new OpBuilder()
  /** What was written of its reply so far. */
  readonly parts = new ReplyParts()
  microseconds = 0
  /** Of its longest step. */
  longest = 0

  constructor(
    /** Good until the next one of the transaction. */
    readonly request: Request,
    readonly spec: Command,
    /** What its handler gave. */
    readonly steps: WriteSteps,
  ) {}

  took(microseconds: number): void {
    this.microseconds += microseconds
    this.longest = Math.max(this.longest, microseconds)
  }
}
