import { Session } from '../../src/commands/session.js'
import { ReplyWriter } from '../../src/resp/reply-writer.js'
import { ManualClock } from './engine-harness.js'

/** Each look at the time takes a quarter of a millisecond, so that slices end; what is deferred comes in the next turn. */
export class TickingClock extends ManualClock {
  private ticks = 0
  private deferred: (() => void)[] = []

  override defer(callback: () => void): void {
    this.deferred.push(callback)
  }

  turn(): void {
    const { deferred } = this
    this.deferred = []
    for (const callback of deferred) callback()
  }

  override monotonicMs(): number {
    return this.now + ++this.ticks / 4
  }
}

/** Keeps what is delivered to it. */
export class ReceivingSession extends Session {
  received = ''

  override deliver(write: (reply: ReplyWriter) => void): void {
    const reply = new ReplyWriter()
    reply.protocol = this.protocol
    write(reply)
    this.received += reply.take().toString('latin1')
  }
}
