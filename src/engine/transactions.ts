import { assert } from '../base/assert.js'
import { LIMITS } from '../base/limits.js'
import type { Call } from '../commands/call.js'
import { Errors } from '../commands/command-error.js'
import type { Command } from '../commands/command-table.js'
import type { Services, TransactionService, WriteSteps } from '../commands/services.js'
import type { Session } from '../commands/session.js'
import { QueuedRequests, type QueuedReader } from '../resp/queued-requests.js'
import type { ReplyWriter } from '../resp/reply-writer.js'
import type { Request } from '../resp/request.js'
import type { CommandAccounts } from './command-accounts.js'
import { LongPart, type LongTransaction } from './long-command.js'
import type { LongWrites } from './long-writes.js'
import type { TransactionSlices, TransactionState } from './transaction-slices.js'
import type { WatchRegistry } from './watch.js'

/** What transactions need of the engine. */
export interface TransactionHost {
  /** Runs a command at the time that the keyspace has. */
  run(session: Session, request: Request, reply: ReplyWriter): void
  commandOf(request: Request): Command
  /** Replies with an error. */
  refuse(session: Session, reply: ReplyWriter, message: string): void
  reject(session: Session, command: Command, reply: ReplyWriter, message: string): void
  /** Makes room if there is none; false when that cannot be. */
  hasMemoryFor(session: Session, command: Command): boolean
  /** Nothing that is under way elsewhere needs the data between the slices of a transaction. */
  readonly mayTakeTurns: boolean
  /** Clients are paused, and EXEC must wait. */
  isPaused(command: Command, session: Session): boolean
  /** Runs a command as if it came now, and replies. */
  resume(session: Session, request: Request): void
  closeFrame(): void
  /** One goes in slices from here on: it holds all keys. */
  begun(): void
}

/**
 * MULTI and EXEC. What is queued runs as one op: in one go, or a slice a turn of the event loop where it is very much (isLong), or where one of the commands turns
 * out to be long: docs/decisions/0039.
 */
export class Transactions implements TransactionService {
  /** What has to write when the transaction that is under way is over. */
  private readonly after: (() => void)[] = []

  constructor(
    private readonly state: TransactionState,
    private readonly slices: TransactionSlices,
    private readonly watches: WatchRegistry,
    private readonly longWrites: LongWrites,
    private readonly call: Call,
    private readonly accounts: CommandAccounts,
    private readonly services: Services,
    /** More commands go in slices; Infinity: nothing does. */
    private readonly mostCommands: number,
    private readonly host: TransactionHost,
  ) {}

  multi(session: Session): void {
    session.queued = new QueuedRequests()
    session.queueFailed = false
  }

  discard(session: Session): void {
    session.queued = null
    session.queuedBytes = 0
    session.queueFailed = false
    session.queuedWrite = false
    session.queuedNeedsMemory = false
    this.watches.unwatch(session)
  }

  watch(session: Session, database: number, key: Uint8Array): void {
    this.watches.watch(session, database, key)
  }

  unwatch(session: Session): void {
    this.watches.unwatch(session)
  }

  reset(session: Session): void {
    this.discard(session)
  }

  /** A client has gone, perhaps by one of its own commands. */
  leave(session: Session): void {
    const { transaction } = this.state
    this.discard(session)
    if (transaction?.session === session) transaction.hasLeft = true
  }

  /** Runs what writes ops of this member itself: at once, or when the transaction that is under way is over. */
  runBetween(run: () => void): void {
    if (this.state.transaction === null) run()
    else this.after.push(run)
  }

  /** Runs what has waited for that. */
  runWaiting(): void {
    for (const run of this.after.splice(0)) run()
  }

  queue(session: Session, command: Command, request: Request, reply: ReplyWriter): void {
    if (command.noMulti) {
      this.host.refuse(session, reply, `ERR Command not allowed inside a transaction`)
      return
    }
    assert(session.queued !== null, 'queueing outside MULTI')
    for (let i = 0; i < request.argc; i++) session.queuedBytes += request.len[i] + 16
    session.queued.push(request)
    if (command.isWrite || command.mayReplicate) session.queuedWrite = true
    if (command.needsMemory) session.queuedNeedsMemory = true
    reply.simpleString('QUEUED')
  }

  /** Runs the queued commands as one op, or begins to: `longPart` is set then, and the rest goes in slices. False when it refused to. */
  exec(command: Command, session: Session, request: Request, reply: ReplyWriter): boolean {
    const { host, state, slices } = this
    const { queued, queuedBytes, queueFailed } = session
    if (queued === null) {
      host.refuse(session, reply, 'ERR EXEC without MULTI')
      return false
    }
    const watchBroken = session.watchBroken || this.watches.hasLapsed(session)
    this.discard(session)
    if (queueFailed) {
      host.refuse(session, reply, 'EXECABORT Transaction discarded because of previous errors.')
      return false
    }
    if (watchBroken) {
      reply.nullArray()
      return true
    }
    state.isInExec = true
    const replyStart = reply.length
    const reader = queued.reader()
    reply.array(queued.length)
    const ran = this.runNext(session, reader, queued.length, reply)
    state.isInExec = false
    session.lastCommand = 'exec'
    if (state.longPart === null) return true
    slices.setApart(() => host.closeFrame())
    const transaction = this.longWrites.goOn(command, session, request)
    transaction.queued = reader
    transaction.left = queued.length - ran
    transaction.parts.take(reply, replyStart)
    slices.begin(transaction, queuedBytes, this.services.server.staleRefusal)
    slices.leave(transaction)
    host.begun()
    return true
  }

  /** EXEC runs and cannot go in slices. */
  get goesInOneGo(): boolean {
    return this.state.isInExec && this.state.transaction === null && !this.mayGoOnInSlices
  }

  /** EXEC that has begun in one go may go on in slices, unless one of its commands has said that its client must go. */
  private get mayGoOnInSlices(): boolean {
    if (this.mostCommands === Infinity || !this.longWrites.mayInterrupt || this.call.session.close !== 'none') return false
    return this.state.writeRefusal === null && this.host.mayTakeTurns
  }

  /** The command of EXEC that runs is long: its steps are gone through before the next one. */
  goInSteps({ request }: Call, steps: WriteSteps): void {
    const { state } = this
    assert(state.isInExec && state.longPart === null, 'a long command of EXEC within another')
    state.longPart = new LongPart(request, this.host.commandOf(request), steps)
  }

  /** True when EXEC goes in slices. What would be refused, or may have to wait in the middle, goes as ever. */
  isLong({ queued, queueFailed, watchBroken }: Session): boolean {
    if (queued === null || queued.length <= this.mostCommands) return false
    return !queueFailed && !watchBroken && this.host.mayTakeTurns
  }

  /**
   * A transaction whose turn has come, or one that has begun in one go. Its commands run as in exec, some a step; the op stays open between the steps: see
   * TransactionSlices.
   */
  *inSlices(transaction: LongTransaction, reply: ReplyWriter): Generator<undefined, void> {
    const { state, slices } = this
    const reader = transaction.queued ?? this.start(transaction, reply)
    if (reader === null) return
    const stepCommands = Math.min(LIMITS.slicedTransactionStep, this.mostCommands)
    while (transaction.left > 0 || state.longPart !== null) {
      if (state.longPart !== null) yield* slices.runPart(transaction, state.longPart, reply)
      else this.runSome(transaction, reader, stepCommands, reply)
      yield
    }
    transaction.session.lastCommand = 'exec'
    yield* slices.end(transaction)
  }

  /** The first step of one whose turn has come: what is queued, or null when it does not run. */
  private start(transaction: LongTransaction, reply: ReplyWriter): QueuedReader | null {
    const { host } = this
    const { session, request, spec } = transaction
    if (!host.mayTakeTurns || host.isPaused(spec, session)) {
      // As if it came now: it goes in one go, or waits for something else.
      transaction.isHandedOver = true
      host.resume(session, request)
      return null
    }
    session.commandCount++
    this.accounts.counters.commandsProcessed++
    if (!host.hasMemoryFor(session, spec)) {
      host.reject(session, spec, reply, Errors.outOfMemory)
      return null
    }
    const { queued, queuedBytes } = session
    assert(queued !== null, 'EXEC without MULTI')
    const watchBroken = session.watchBroken || this.watches.hasLapsed(session)
    this.discard(session)
    if (watchBroken) {
      reply.nullArray()
      return null
    }
    host.closeFrame()
    transaction.isApplying = true
    this.slices.begin(transaction, queuedBytes, this.services.server.staleRefusal)
    reply.array(queued.length)
    const reader = queued.reader()
    transaction.queued = reader
    transaction.left = queued.length
    return reader
  }

  /** Runs some of a transaction's commands. */
  private runSome(transaction: LongTransaction, queued: QueuedReader, count: number, reply: ReplyWriter): void {
    this.slices.run(transaction, () => {
      transaction.left -= this.runNext(transaction.session, queued, Math.min(count, transaction.left), reply)
    })
  }

  /** Runs so many of the queued commands, or fewer when one takes many steps. How many have begun. */
  private runNext(session: Session, queued: QueuedReader, count: number, reply: ReplyWriter): number {
    const { host, state } = this
    for (let ran = 0; ran < count; ran++) {
      if (state.longPart !== null) return ran
      const request = queued.next()
      assert(request !== null, 'fewer commands than were queued')
      host.run(session, request, reply)
      reply.protocol = session.protocol
    }
    return count
  }
}
