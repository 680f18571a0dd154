import { assert } from '../base/assert.js'
import type { Call } from '../commands/call.js'
import { CommandError } from '../commands/command-error.js'
import type { Services, WriteStep } from '../commands/services.js'
import type { Session } from '../commands/session.js'
import type { FrameView } from '../crdt/frame.js'
import type { ReplyWriter } from '../resp/reply-writer.js'
import type { CommandAccounts } from './command-accounts.js'
import type { Journal } from './journal.js'
import type { LongWrite } from './long-writes.js'
import type { Replica } from './replica.js'
import type { SlicedRead } from './sliced-reads.js'

/** What commands that go in slices need of the engine. */
export interface SlicedCommandHost {
  /** Ends the op that was written, if there is one: it is this client's. */
  endOpOf(session: Session): void
  closeFrame(): void
}

/** The commands that SlicedReads and LongWrites go through: runs their handlers and their steps. */
export class SlicedCommands {
  constructor(
    private readonly replica: Replica,
    private readonly journal: Journal,
    private readonly call: Call,
    private readonly accounts: CommandAccounts,
    private readonly services: Services,
    private readonly host: SlicedCommandHost,
  ) {}

  /** Runs the handler, for its steps. It counts as found what it found the first time. False when it has replied with an error. */
  start(read: SlicedRead | LongWrite, reply: ReplyWriter): boolean {
    const { keyspace } = this.replica
    const { hits, misses, missListener } = keyspace
    const { handler } = read.spec.spec
    assert(handler !== undefined, 'command without handler')
    keyspace.missListener = null
    this.enter(read, reply)
    let failed = false
    try {
      handler(this.call)
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      failed = true
      this.accounts.countFailure(read.spec, error.message)
      reply.reset()
      reply.error(error.message)
    }
    keyspace.hits = hits
    keyspace.misses = misses
    keyspace.missListener = missListener
    return !failed
  }

  /** Goes on with a read; true when it is done. */
  stepRead(read: SlicedRead, reply: ReplyWriter): boolean {
    assert(read.steps !== null, 'a read without steps')
    this.enter(read, reply)
    try {
      return read.steps.next().done === true
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      this.accounts.countFailure(read.spec, error.message)
      read.parts.clear()
      reply.reset()
      reply.error(error.message)
      return true
    }
  }

  /** As start; the command may turn out to be short, and be done. */
  startWrite(write: LongWrite, reply: ReplyWriter): void {
    const { writeRefusal } = this.services.server
    if (writeRefusal !== null && write.spec.isWrite) {
      this.accounts.countRejection(write.spec, writeRefusal)
      reply.error(writeRefusal)
      return
    }
    this.start(write, reply)
    this.host.endOpOf(write.session)
  }

  stepWrite(write: LongWrite, reply: ReplyWriter): IteratorResult<WriteStep, void> {
    assert(write.work !== null, 'a write without steps')
    this.enter(write, reply)
    const result = write.work.next()
    // Of steps that write at once.
    this.host.endOpOf(write.session)
    return result
  }

  /** The op that a long write has built happens now. */
  *commit(write: LongWrite): Generator<undefined, FrameView> {
    const { op, session, keys, written, request } = write
    const { journal, replica } = this
    const { self, hlc, writer, keyspace, effects, applied } = replica
    this.host.closeFrame()
    const first = hlc.next(keyspace.nowMs)
    const frame = op.seal(self, applied, writer.previousLast, first)
    hlc.observe(frame.last)
    replica.noteApplied(frame)
    session.lastWriteStamp = frame.last
    effects.count += op.effects
    const { buf, off, len } = request
    // Who reads or watches one of very many hears of it when it is applied: until then nothing can have come of what was there before.
    keys.hideRange()
    for (const { database, argument } of written) {
      keys.hold(database, buf, off[argument], len[argument], 'from-all')
      keyspace.observer?.keyChanged(database, buf, off[argument], len[argument])
    }
    const position = yield* journal.appendInPieces(frame)
    if (journal.holdsReplies(position)) session.holdUntilBytes = position
    journal.onAppended()
    return frame
  }

  /** The command has its reply. */
  ended({ spec, session, request, microseconds, longestMs }: SlicedRead | LongWrite): void {
    this.accounts.countCall(spec, session, request, microseconds, longestMs * 1000)
  }

  private enter({ session, request, spec }: SlicedRead | LongWrite, reply: ReplyWriter): void {
    this.replica.keyspace.beginCommand()
    this.call.begin(session, request, reply, spec.spec)
  }
}
