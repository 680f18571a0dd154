import type { Command } from '../commands/command-table.js'
import type { BlockedState, Session } from '../commands/session.js'
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
 * EXEC of very many commands. Unlike a long write it changes the data as it goes, so everything is held from everybody, from its first command until its op is in the
 * log, and the op stays open meanwhile: see Engine.transact.
 */
export class LongTransaction extends LongCommand {
  /** Unix ms: for its commands it is always then. */
  nowMs = 0
  /** Why those that may not read old data are refused. */
  staleRefusal: string | null = null
}
