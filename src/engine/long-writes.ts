import { assert } from '../base/assert.js'
import { LIMITS } from '../base/limits.js'
import type { Call } from '../commands/call.js'
import { CommandError } from '../commands/command-error.js'
import type { Command } from '../commands/command-table.js'
import type { KeyRange, KeyToHold, LongWriting, WriteStep, WriteSteps } from '../commands/services.js'
import type { Session } from '../commands/session.js'
import type { FrameView } from '../crdt/frame.js'
import { OpBuilder } from '../crdt/op-builder.js'
import type { Clock } from '../ports/clock.js'
import { ReplyWriter } from '../resp/reply-writer.js'
import type { Request } from '../resp/request.js'
import { BlockedClient } from './blocked-clients.js'
import { HeldCommands, stillWaits, type HeldCommand } from './held-commands.js'
import { HeldKeys } from './held-keys.js'
import { LongCommand, LongTransaction } from './long-command.js'

/** What long writes need of the engine. */
export interface LongWriteHost {
  /** Sets the time. */
  beginBatch(): void
  commandOf(request: Request): Command
  /** Runs the command's handler with the write's request and this reply; it comes back by begin, or has replied. */
  start(write: LongWrite, reply: ReplyWriter): void
  /** Goes on with the write's steps. */
  step(write: LongWrite, reply: ReplyWriter): IteratorResult<WriteStep, void>
  /** Why nothing can be written now, as an error reply; null when it can. */
  readonly refusal: string | null
  /** Clients are paused: nothing may be written before `resume` is called. */
  readonly isPaused: boolean
  /** Members other than this one that something was applied of. */
  contextCount(): number
  /** Gives the op its stamps: it has happened. The steps write its frame to the log. */
  commit(write: LongWrite): Generator<undefined, FrameView>
  /** Applies a frame a step at a time; see FrameApplier. */
  applying(
    frame: FrameView,
    isOwn: boolean,
    seen: (database: number, key: Uint8Array, off: number, len: number) => void,
  ): Generator<undefined, void>
  /** A frame of another member has been applied: the steps write it to the log. */
  applied(frame: FrameView): Generator<undefined, void>
  /** All of a transaction, a step at a time; see LongTransaction. */
  transact(transaction: LongTransaction, reply: ReplyWriter): Generator<undefined, void>
  /** The command's reply is this error. */
  failed(write: LongWrite, message: string): void
  /** The command has its reply. */
  ended(command: LongWrite | LongTransaction): void
  /** Runs a command that had to wait, and replies. */
  resume(session: Session, request: Request): void
  /** The keys are free again: blocked clients may be served. */
  released(): void
  /** Frames of other members may come again. */
  idle(): void
  /** Some of it has been done in this turn. */
  endTurn(): void
}

/**
 * Writes of large collections, and large frames of other members, a slice a turn of the event loop, one after the other. Everybody else is served in between,
 * but commands on keys that the write is about wait until it is over, and so do frames of other members. So it is as atomic as any command.
 *
 * ```
 * command   begin -> waiting -> preparing: its steps read, and write an op    keys are held from writes
 *           (in order)          into an OpBuilder                             its client may go: then nothing has happened
 *                                   | commit: stamps, log                     it has happened, whatever becomes of the client or the process
 *                               applying the op's frame                       keys that it changes are held from all
 *                                   |
 *                               last steps: events, reply -> released: what had to wait runs
 *
 * frame     taken -> checking -> applying -> logged -> released
 *
 * EXEC      begin -> waiting -> its commands run as ever, into one op that stays open    everything is held from all
 *           (in order)          op closed, logged -> reply -> released                   its client may go only before its turn
 *           (begun elsewhere) ->                                                         where one of its commands turns out to be long: what is under way
 *                                                                                        then, on other keys, stands still until it is over
 *
 * blocked   served -> preparing …                                       a command that waited for keys is served at once, as if it were short
 *                 \-> reserved: the keys are held from writes until what is under way is over, then it is served
 * ```
 */
export class LongWrites implements LongWriting {
  private readonly waiting: (LongWrite | LongTransaction)[] = []
  private current: LongWrite | LongTransaction | RemoteWrite | null = null
  /** What a transaction has come upon, which goes on when that is over. */
  private beneath: LongWrite | RemoteWrite | null = null
  private readonly reply = new ReplyWriter()
  private readonly held = new HeldCommands()
  private readonly freed: HeldCommand[] = []
  /** The write whose handler runs. */
  private starting: LongWrite | null = null
  /** Keys of blocked clients that are to be served when what is under way is over; null when there are none. */
  private reserved: HeldKeys | null = null
  private isPlanned = false
  private isStopped = false
  private lastWasFrame = false
  /** A frame that was found to be malformed, for who brings it again. */
  private rejected: { readonly frame: FrameView; readonly error: unknown } | null = null

  constructor(
    private readonly clock: Clock,
    private readonly host: LongWriteHost,
    private readonly databaseCount: number,
    /** Secret. */
    private readonly hashSeed: number,
    /** Steps of a turn, at most: for a clock that stands still while they run. */
    private readonly turnSteps: number,
  ) {}

  /** One is under way, or it is a command's turn: frames of other members wait. */
  get isBusy(): boolean {
    return this.current !== null || this.freed.length > 0 || (this.lastWasFrame && this.waiting.length > 0)
  }

  /** Some keys are half changed. */
  get isApplying(): boolean {
    return this.current?.isApplying === true || this.beneath?.isApplying === true
  }

  /** The keys of the one that is under way; null when there is none, or it holds nothing yet. */
  get heldKeys(): HeldKeys | null {
    const { current } = this
    return current === null || (current instanceof LongTransaction && !current.isApplying) ? null : current.keys
  }

  begin(call: Call, keys: readonly KeyToHold[] | KeyRange, steps: WriteSteps, prefixes: readonly Uint8Array[] = []): void {
    if (this.starting !== null) {
      this.starting.accept(keys, steps, prefixes)
      return
    }
    const { session, request } = call
    if (session.blocked instanceof BlockedClient) {
      this.serve(session.blocked, keys, steps, prefixes)
      return
    }
    assert(session.blocked === null, 'a blocked session runs a command')
    const copy = request.copy()
    const write = new LongWrite(session, copy, this.host.commandOf(copy), new HeldKeys(this.databaseCount), this)
    session.blocked = write
    this.waiting.push(write)
    this.plan()
  }

  /** The client has waited for its keys, so nobody may come between: its keys are held from this moment on. */
  private serve(
    client: BlockedClient,
    keys: readonly KeyToHold[] | KeyRange,
    steps: WriteSteps,
    prefixes: readonly Uint8Array[],
  ): void {
    const { session, request } = client
    const write = new LongWrite(session, request, client.spec, new HeldKeys(this.databaseCount), this)
    if (this.current !== null) {
      client.isPutOff = true
      this.reserved ??= write.keys
      write.accept(keys, steps, prefixes, this.reserved)
      return
    }
    write.accept(keys, steps, prefixes)
    write.microseconds = client.microseconds
    client.cancel()
    session.blocked = write
    write.steps = this.run(write)
    this.current = write
    this.plan()
  }

  /** EXEC of very many commands: the handler of none has been run, nor has WATCH been judged. */
  beginTransaction(command: Command, session: Session, request: Request): void {
    assert(session.blocked === null, 'a blocked session runs a command')
    const transaction = new LongTransaction(session, request.copy(), command, new HeldKeys(this.databaseCount), this)
    transaction.keys.holdEverything()
    session.blocked = transaction
    this.waiting.push(transaction)
    this.plan()
  }

  /** EXEC that has run some of its commands goes on in slices, from the next turn on, before what is under way. Only if mayInterrupt. */
  goOn(command: Command, session: Session, request: Request): LongTransaction {
    const { current } = this
    assert(!(current instanceof LongTransaction) && session.blocked === null, 'a transaction goes on within another')
    this.beneath = current
    const transaction = new LongTransaction(session, request.copy(), command, new HeldKeys(this.databaseCount), this)
    transaction.keys.holdEverything()
    transaction.isApplying = true
    transaction.steps = this.host.transact(transaction, this.reply)
    session.blocked = transaction
    this.current = transaction
    this.plan()
    return transaction
  }

  /** A transaction may go on in slices now. */
  get mayInterrupt(): boolean {
    return !(this.current instanceof LongTransaction)
  }

  /** Goes to the end of a transaction that has begun: the member stops. */
  endTransaction(): void {
    const { current } = this
    if (!(current instanceof LongTransaction) || !current.isApplying) return
    while (this.current === current) this.advance()
  }

  get op(): OpBuilder {
    const { current } = this
    assert(current instanceof LongWrite, 'no long write is under way')
    return current.op
  }

  /**
   * Begins to apply a frame of another member; host.applied tells when it is done. Not while isBusy.
   * @throws MeridianError MRD_FRAME when the frame has been found malformed before.
   */
  take(frame: FrameView): void {
    assert(!this.isBusy, 'a frame within a long write')
    const { rejected } = this
    this.rejected = null
    if (rejected !== null && rejected.frame.last === frame.last && rejected.frame.origin === frame.origin) throw rejected.error
    this.current = new RemoteWrite(frame, new HeldKeys(this.databaseCount))
    this.plan()
  }

  /** True when a command must wait for keys. */
  holds(command: Command, session: Session, request: Request): boolean {
    const { heldKeys, reserved } = this
    const commandOf = (each: Request): Command => this.host.commandOf(each)
    if (heldKeys?.holds(command, session, request, commandOf) === true) return true
    return reserved !== null && reserved.holds(command, session, request, commandOf)
  }

  postpone(command: Command, session: Session, request: Request): void {
    this.held.add(command, session, request)
  }

  /** A pause is over. */
  resume(): void {
    if (this.current !== null) this.plan()
  }

  stop(): void {
    this.isStopped = true
  }

  /**
   * Does all that is under way and waits, in one go: for who drives the engine by hand, and is asked between the slices of a transaction. Frames of other
   * members come in a later turn.
   */
  finish(between: () => void = NOTHING_TO_NOTE): void {
    while (this.freed.length > 0 || this.current !== null || this.waiting.length > 0) {
      this.slice()
      if (this.current instanceof LongTransaction) between()
      if (this.current instanceof LongWrite && this.current.waitsForPause) break
    }
    this.host.endTurn()
    this.plan()
  }

  /** The client has gone. What has been committed goes on. */
  cancel(command: LongCommand): void {
    command.hasLeft = true
    const at = this.waiting.findIndex((each) => each === command)
    if (at >= 0) this.waiting.splice(at, 1)
    if (command.isApplying) return
    if (this.beneath === command) this.beneath = null
    if (this.current !== command) return
    this.current = null
    this.release()
    this.plan()
  }

  private plan(): void {
    if (this.isPlanned) return
    this.isPlanned = true
    this.clock.defer(() => this.turn())
  }

  private turn(): void {
    this.isPlanned = false
    if (this.isStopped) return
    this.slice()
    this.host.endTurn()
    const waitsForPause = this.current instanceof LongWrite && this.current.waitsForPause
    if (!this.isBusy) this.host.idle()
    const hasMore = this.current !== null || this.waiting.length > 0 || this.freed.length > 0
    if (hasMore && !waitsForPause) this.plan()
  }

  /** What is done of it in one turn. */
  slice(): void {
    this.host.beginBatch()
    if (this.freed.length > 0) this.runFreed()
    else this.advance()
  }

  /** Goes on with the write that is under way, or begins the next one. */
  private advance(): void {
    const { clock, reply, waiting } = this
    if (this.current === null && waiting.length > 0) {
      const [command] = waiting.splice(0, 1)
      this.current = command
      command.steps = command instanceof LongTransaction ? this.host.transact(command, reply) : this.run(command)
    }
    const { current } = this
    if (current === null) return
    if (current instanceof RemoteWrite && current.steps === null) current.steps = this.apply(current)
    const untilMs = clock.workUntil(LIMITS.slicedWriteTurnMs)
    const startMs = clock.monotonicMs()
    let nowMs = startMs
    if (current instanceof LongCommand) {
      reply.reset()
      reply.protocol = current.session.protocol
      current.waitsForPause = false
    }
    let isDone = false
    for (let step = 0; step < this.turnSteps && nowMs < untilMs; step++) {
      isDone = current.steps?.next().done === true
      if (current instanceof LongCommand) current.parts.takeMuch(reply)
      nowMs = clock.monotonicMs()
      if (isDone || (current instanceof LongCommand && current.waitsForPause)) break
    }
    if (current instanceof LongCommand) {
      current.microseconds += (nowMs - startMs) * 1000
      current.longestMs = Math.max(current.longestMs, nowMs - startMs)
      current.parts.take(reply)
    }
    if (isDone) this.end(current)
  }

  /** All of a command, a step at a time. */
  private *run(write: LongWrite): Generator<undefined, void> {
    const { host, reply } = this
    // It may have become so short meanwhile that its handler does all of it.
    if (write.spec.isWrite) {
      try {
        yield* this.mayWrite(write)
      } catch (error) {
        return this.fail(write, error)
      }
    }
    if (write.work === null) {
      if (!this.startHandler(write)) return
      yield
    }
    if (write.range !== null) yield* write.keys.holdRange(write.session.database, write.request, write.range, this.hashSeed)
    try {
      for (;;) {
        const { done, value } = host.step(write, reply)
        if (done === true) return
        if (value === 'commit') break
        if (value !== undefined) yield* this.mayWrite(write)
        if (value === 'again' && !this.startHandler(write)) return
        yield
      }
      if (write.op.bytes > LIMITS.maxOpBytes) throw new CommandError(TOO_LONG)
      yield* write.op.assemble(host.contextCount())
      yield* this.mayWrite(write)
    } catch (error) {
      return this.fail(write, error)
    }
    write.isApplying = true
    const frame = yield* host.commit(write)
    yield* host.applying(frame, true, NOTHING_TO_NOTE)
    // Also while it says what it did, which may take as many steps: that can no more be called off.
    while (host.step(write, reply).done !== true) yield
    write.isApplying = false
  }

  /** Runs the command's handler, for its part of the work. False when there is none: it has replied, or waits for something else. */
  private startHandler(write: LongWrite): boolean {
    const { session } = write
    this.starting = write
    write.work = null
    session.blocked = null
    this.host.start(write, this.reply)
    this.starting = null
    // What was there when the command came is gone: now it waits for more.
    write.isHandedOver = session.blocked !== null
    if (write.isHandedOver) return false
    session.blocked = write
    return write.work !== null
  }

  /** Nothing has happened, and that is the reply. */
  private fail(write: LongWrite, error: unknown): void {
    if (!(error instanceof CommandError)) throw error
    const { host, reply } = this
    write.parts.clear()
    reply.reset()
    reply.error(error.message)
    host.failed(write, error.message)
  }

  /** Waits until clients are not paused. Throws a CommandError when nothing can be written then. */
  private *mayWrite(write: LongWrite): Generator<undefined, void> {
    const { host } = this
    while (host.isPaused) {
      write.waitsForPause = true
      yield
    }
    if (host.refusal !== null) throw new CommandError(host.refusal)
  }

  /** All of a frame, a step at a time. */
  private *apply(write: RemoteWrite): Generator<undefined, void> {
    const { frame, keys } = write
    try {
      let isChecked = false
      const steps = this.host.applying(frame, false, (database, key, off, len) => {
        if (len === 0) keys.holdDatabase(database, 'from-all')
        keys.hold(database, key, off, len, 'from-all')
      })
      for (const step of steps) {
        isChecked = true
        yield step
      }
      assert(isChecked, 'a long frame without effects')
    } catch (error) {
      this.rejected = { frame, error }
      return
    }
    yield* this.host.applied(frame)
  }

  private end(current: LongWrite | LongTransaction | RemoteWrite): void {
    this.current = this.beneath
    this.beneath = null
    // What it waited for may be over.
    if (this.current instanceof LongWrite) this.current.waitsForPause = false
    this.lastWasFrame = current instanceof RemoteWrite
    if (!(current instanceof RemoteWrite) && !current.isHandedOver) {
      const { session } = current
      this.host.ended(current)
      if (!current.hasLeft) {
        const { close } = session
        // One of a transaction's commands may have said that the client must go: after the reply.
        if (close === 'after-reply') session.close = 'none'
        // The session counts as blocked while the reply is delivered, so that CLIENT REPLY OFF applies to it.
        session.deliverAll(current.parts.takeAll())
        session.close = close
        session.blocked = null
        session.unblocked()
      }
    }
    this.release()
  }

  private release(): void {
    this.reserved = null
    this.freed.push(...this.held.take())
    this.host.released()
  }

  /** Runs commands that had to wait, before another long write begins. */
  private runFreed(): void {
    const { clock } = this
    const untilMs = clock.workUntil(LIMITS.slicedWriteTurnMs)
    for (let run = 0; run < LIMITS.releasedCommands; run++) {
      const next = this.freed.shift()
      if (next === undefined) return
      if (stillWaits(next)) this.host.resume(next.session, next.request)
      if (clock.monotonicMs() >= untilMs) return
    }
  }
}

const TOO_LONG = `ERR the command would write more than ${LIMITS.maxOpBytes} bytes: write less at once`
const NOTHING_TO_NOTE = (): void => undefined

/** A frame of another member. */
class RemoteWrite {
  readonly isApplying = true
  steps: Generator<undefined, void> | null = null

  constructor(
    readonly frame: FrameView,
    readonly keys: HeldKeys,
  ) {}
}

/** A command that takes many turns to write. */
export class LongWrite extends LongCommand {
  readonly op = new OpBuilder()
  /** What the handler gave: its part of the work. */
  work: WriteSteps | null = null
  /** Keys that the op changes. */
  written: readonly KeyToHold[] = []
  /** The keys of a command that has very many. */
  range: KeyRange | null = null

  /** The handler has found its keys. */
  accept(keys: readonly KeyToHold[] | KeyRange, steps: WriteSteps, prefixes: readonly Uint8Array[], held = this.keys): void {
    for (const prefix of prefixes) held.holdPrefix(this.session.database, prefix)
    this.work = steps
    if ('first' in keys) {
      this.range = keys
      return
    }
    const { buf, off, len } = this.request
    for (const { database, argument } of keys) held.hold(database, buf, off[argument], len[argument], 'from-writes')
    this.written = keys.filter(({ isWritten }) => isWritten)
  }
}
