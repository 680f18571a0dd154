import { assert } from '../base/assert.js'
import type { SessionWait, SessionWaits } from '../commands/services.js'
import type { BlockedState, Session } from '../commands/session.js'
import type { Clock, Timer } from '../ports/clock.js'
import type { ReplyWriter } from '../resp/reply-writer.js'

/**
 * Sessions whose command waits for something other than a key: that other members have their writes, that this one has what a token
 * says. Whoever moves what they wait for calls check; that costs nothing while nobody waits.
 */
export class WaitQueue implements SessionWaits {
  private readonly waiting = new Set<Waiter>()
  private listening = false

  constructor(
    private readonly clock: Clock,
    /** Has a function called whenever what is known of other members has moved; asked once somebody waits. */
    private readonly onProgress: (check: () => void) => void,
    /** An error reply was given outside of a command. */
    private readonly onError: (message: string) => void,
  ) {}

  begin(session: Session, wait: SessionWait, timeoutMs: number): void {
    assert(session.blocked === null, 'a blocked session runs a command')
    const waiter = new Waiter(session, wait, (ended, write) => this.end(ended, write), this.onError)
    session.blocked = waiter
    this.waiting.add(waiter)
    if (!this.listening) {
      this.listening = true
      this.onProgress(() => this.check())
    }
    if (timeoutMs > 0) waiter.timer = this.clock.setTimer(timeoutMs, () => waiter.timeOut())
  }

  check(): void {
    if (this.waiting.size === 0) return
    // A copy: a reply may end others.
    for (const waiter of [...this.waiting]) if (this.waiting.has(waiter) && waiter.wait.isDone()) waiter.timeOut()
  }

  private end(waiter: Waiter, write: ((reply: ReplyWriter) => void) | null): void {
    if (!this.waiting.delete(waiter)) return
    const { session } = waiter
    waiter.timer?.cancel()
    // The session counts as blocked while the reply is delivered, so that CLIENT REPLY OFF applies to it.
    if (write !== null) session.deliver(write)
    session.blocked = null
    waiter.wait.ended?.()
    if (write !== null) session.unblocked()
  }
}

class Waiter implements BlockedState {
  timer: Timer | null = null

  constructor(
    readonly session: Session,
    readonly wait: SessionWait,
    private readonly end: (waiter: Waiter, write: ((reply: ReplyWriter) => void) | null) => void,
    private readonly onError: (message: string) => void,
  ) {}

  get command(): string {
    return this.wait.command
  }

  timeOut(): void {
    this.end(this, (reply) => this.wait.reply(reply))
  }

  fail(message: string): void {
    this.onError(message)
    this.end(this, (reply) => reply.error(message))
  }

  cancel(): void {
    this.end(this, null)
  }
}
