import { LIMITS } from '../base/limits.js'
import type { Call } from '../commands/call.js'
import { CommandError, Errors } from '../commands/command-error.js'
import type { Session } from '../commands/session.js'
import type { OpBuilder } from '../crdt/op-builder.js'
import { ReplyWriter } from '../resp/reply-writer.js'
import type { CommandAccounts } from './command-accounts.js'
import type { CommandTimer } from './command-timer.js'
import type { Journal } from './journal.js'
import type { LongPart, LongTransaction } from './long-command.js'
import type { Replica } from './replica.js'

/** Where the engine stands with EXEC. These are fields of its own, because it looks at them with every command; only transactions set them. */
export interface TransactionState {
  /** One of its commands runs. */
  isInExec: boolean
  /**
   * An EXEC in slices is under way, its op open: until it is over nobody else writes, and nobody takes what is here for a state. It does not run now unless
   * isInExec.
   */
  transaction: LongTransaction | null
  /** The command of EXEC that is under way, where that takes many steps by itself. */
  longPart: LongPart | null
  /** Why writes are refused, or null: as it was when the batch began. What has begun of a transaction comes to its end. */
  writeRefusal: string | null
}

/**
 * The op of an EXEC that goes in slices, which stays open between them, and its frame with it. It is seen by nobody, and not in the log, before it is whole: if
 * the process dies, nothing has happened.
 */
export class TransactionSlices {
  /** Of the long part. */
  private readonly partReply = new ReplyWriter()

  constructor(
    private readonly state: TransactionState,
    private readonly replica: Replica,
    private readonly journal: Journal,
    private readonly call: Call,
    private readonly timer: CommandTimer,
    private readonly accounts: CommandAccounts,
    /** Bytes of effects applied in a step. */
    private readonly stepBytes: number,
  ) {}

  /** From here on nobody else writes, and none of its commands is refused for old data unless it would be now. */
  begin(transaction: LongTransaction, queuedBytes: number, staleRefusal: string | null): void {
    const { session } = transaction
    this.state.transaction = transaction
    transaction.nowMs = this.replica.keyspace.nowMs
    transaction.staleRefusal = staleRefusal
    session.queuedBytes = queuedBytes
    session.holdsPushes = true
  }

  /** What others have written in this turn is in the frame of its op, which goes apart. */
  setApart(closeFrame: () => void): void {
    const { effects, writer } = this.replica
    if (effects.isInOp) writer.setOpApart(closeFrame)
    else closeFrame()
  }

  /** A slice: some of its commands. */
  run(transaction: LongTransaction, commands: () => void): void {
    this.enter(transaction)
    commands()
    this.timer.settle()
    this.leave(transaction)
  }

  /** A slice begins, as if no time had passed since the first one. */
  private enter({ session, nowMs }: LongTransaction): void {
    const { state, replica } = this
    replica.keyspace.setTime(nowMs)
    replica.keyspace.beginCommand()
    state.writeRefusal = null
    replica.hlc.resume()
    replica.effects.isSuspended = false
    state.isInExec = true
    session.blocked = null
  }

  leave(transaction: LongTransaction): void {
    const { state, replica } = this
    transaction.session.blocked = transaction
    state.isInExec = false
    replica.effects.isSuspended = true
    replica.hlc.hold()
  }

  /** Its commands have run: the op happens now. */
  *end({ session }: LongTransaction): Generator<undefined, void> {
    const { effects, hlc } = this.replica
    if (effects.endOp()) yield* this.log(session)
    hlc.release()
    effects.isSuspended = false
    this.state.transaction = null
  }

  /** A command of the transaction that takes many steps. */
  *runPart(transaction: LongTransaction, part: LongPart, reply: ReplyWriter): Generator<undefined, void> {
    const { partReply } = this
    const { session } = transaction
    const steps = this.partSteps(part)
    partReply.reset()
    partReply.protocol = session.protocol
    for (let isDone = false; !isDone;) {
      this.enter(transaction)
      this.call.begin(session, part.request, partReply, part.spec.spec)
      isDone = steps.next().done === true
      part.parts.takeMuch(partReply)
      part.took(this.timer.lap())
      this.leave(transaction)
      if (!isDone) yield
    }
    this.state.longPart = null
    transaction.parts.take(reply)
    transaction.parts.append(part.parts)
    transaction.parts.take(partReply)
    this.accounts.countCall(part.spec, session, part.request, part.microseconds, part.longest)
  }

  /** Its steps, and between them those that put what a write has written into the open op. */
  private *partSteps({ steps, op, spec, parts }: LongPart): Generator<undefined, void> {
    try {
      for (let step = steps.next(); step.done !== true; step = steps.next()) {
        if (step.value === 'commit') yield* this.commitPart(op)
        else yield
      }
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      this.accounts.countFailure(spec, error.message)
      parts.clear()
      this.partReply.reset()
      this.partReply.error(error.message)
    }
  }

  /** What a long write has written follows in the open op, and is applied from a frame that is never logged. */
  private *commitPart(op: OpBuilder): Generator<undefined, void> {
    const { replica } = this
    const { writer, hlc } = replica
    if (op.bytes + writer.openBytes > LIMITS.maxOpBytes) throw new CommandError(Errors.opTooLong)
    yield* op.assemble(replica.contextCount())
    const first = replica.effects.admit(op.effects)
    yield* writer.putEffects(op.assembled, op.effects, op.lastEffectBytes)
    const frame = op.seal(replica.self, replica.applied, writer.previousLast, first)
    yield* replica.partApplier.applyInSteps(frame, hlc, true, () => undefined, this.stepBytes)
  }

  private *log(session: Session): Generator<undefined, void> {
    const { journal } = this
    const { writer, applied } = this.replica
    const frame = yield* writer.closeInSteps()
    applied.raise(frame.origin, frame.last)
    session.lastWriteStamp = frame.last
    const position = yield* journal.appendInPieces(frame)
    if (journal.isWritten(position)) writer.recycle()
    if (journal.holdsReplies(position)) session.holdUntilBytes = position
    journal.onAppended()
  }
}
