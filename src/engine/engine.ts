import type { MemberId, Stamp } from '../base/ids.js'
import { assert } from '../base/assert.js'
import { Call } from '../commands/call.js'
import { CommandError, Errors } from '../commands/command-error.js'
import { CommandTable, type Command } from '../commands/command-table.js'
import type { EngineService, Services, WriteSteps } from '../commands/services.js'
import type { Session } from '../commands/session.js'
import { stabilityNote } from '../crdt/stability-note.js'
import type { FrameWriter } from '../crdt/frame-writer.js'
import type { HybridClock } from '../crdt/hybrid-clock.js'
import type { OpBuilder } from '../crdt/op-builder.js'
import type { VersionVector } from '../crdt/version-vector.js'
import { AccessFrequency } from '../keyspace/access-frequency.js'
import type { Collections } from '../keyspace/collections.js'
import type { Effects } from '../keyspace/effects.js'
import type { Keys } from '../keyspace/keys.js'
import { KeyObservers } from '../keyspace/key-observers.js'
import type { Keyspace } from '../keyspace/keyspace.js'
import { LOOK_AHEAD_FROM } from '../keyspace/keys-ahead.js'
import type { StringStore } from '../keyspace/string-store.js'
import type { KeyStates } from '../keyspace/state/key-states.js'
import { LIMITS } from '../base/limits.js'
import { NotificationClass } from '../base/notification-classes.js'
import type { Clock } from '../ports/clock.js'
import type { OpLog } from '../oplog/op-log.js'
import type { Request } from '../resp/request.js'
import type { ReplyWriter } from '../resp/reply-writer.js'
import type { TopologyChange } from '../topology/topology-change.js'
import type { TopologyState } from '../topology/topology-state.js'
import { BlockedClient, BlockedClients } from './blocked-clients.js'
import { ClientPause } from './client-pause.js'
import { CommandAccounts } from './command-accounts.js'
import type { CommandExecutor, InputAhead } from './command-executor.js'
import { CommandTimer } from './command-timer.js'
import { Expirations } from './expirations.js'
import type { ExpiryCycle } from './expiry-cycle.js'
import type { FieldExpiryCycle } from './field-expiry-cycle.js'
import { Journal } from './journal.js'
import { KeyGuards } from './key-guards.js'
import { KeyspaceNotifications } from './keyspace-notifications.js'
import { LateCommands, type LateCommandHost } from './late-commands.js'
import { LoadMeters } from './load-meters.js'
import { LongTransaction, type LongPart } from './long-command.js'
import { LongWrite, LongWrites, type LongWriteHost } from './long-writes.js'
import { Migration, Migrations, type MigrationHost } from './migrations.js'
import { Monitors } from './monitors.js'
import { PubSub } from './pubsub.js'
import { MemoryBound, type MemoryBoundHost } from './eviction/memory-bound.js'
import { Evictor } from './eviction/evictor.js'
import { Settling } from './settling.js'
import { RemoteFrames, type RemoteFrameHost } from './remote-frames.js'
import { Replay } from './replay.js'
import { Replica } from './replica.js'
import { SlicedCommands } from './sliced-commands.js'
import { SlicedRead, SlicedReads } from './sliced-reads.js'
import { USUAL_SLICING, type Slicing } from './slicing.js'
import { unknownCommand, unknownSubcommand } from './unknown-commands.js'
import { Upkeep, type UpkeepHost } from './upkeep.js'
import { TransactionSlices, type TransactionState } from './transaction-slices.js'
import { Transactions, type TransactionHost } from './transactions.js'
import { WaitQueue } from './wait-queue.js'
import { WatchRegistry } from './watch.js'

export interface EngineOptions {
  readonly self: MemberId
  readonly databases: number
  readonly solo: boolean
  readonly hashSeed: number
  /** What goes in slices, where it is not as LIMITS says: for the simulator, whose collections are small and whose time stands still. */
  readonly slicing?: Slicing
}

/** Commands share readings of the clock unless the slow log wants to know of shorter ones than this. */
const SHARED_SLOW_MICROSECONDS = 1000

/**
 * Runs commands of clients and frames of other members against one keyspace, one at a time, and hands the frames of both to the log in the order
 * in which they were applied.
 */
export class Engine implements CommandExecutor, EngineService, TransactionState, UpkeepHost {
  readonly replica: Replica
  /** Of the replica, as the fields that follow. */
  readonly keyspace: Keyspace
  readonly strings: StringStore
  readonly keys: Keys
  readonly collections: Collections
  readonly effects: Effects
  readonly states: KeyStates
  readonly applied: VersionVector
  readonly hlc: HybridClock
  readonly topology: TopologyState
  readonly journal = new Journal()
  readonly replay: Replay
  readonly transactions: Transactions
  readonly remote: RemoteFrames
  readonly watches: WatchRegistry
  readonly expiry: ExpiryCycle
  readonly fieldExpiry: FieldExpiryCycle
  private readonly accounts: CommandAccounts
  /** Of the accounts, as the fields that follow. */
  readonly statistics: CommandAccounts['counters']
  readonly errorCounts: CommandAccounts['errors']
  readonly slowLog: CommandAccounts['slowLog']
  readonly latency: CommandAccounts['latency']
  readonly load: LoadMeters
  readonly waits: WaitQueue
  readonly blocking: BlockedClients
  readonly slices: SlicedReads
  readonly longWrites: LongWrites
  readonly migrations: Migrations
  readonly slicing: Slicing
  readonly pause: ClientPause
  readonly pubsub = new PubSub()
  readonly monitors: Monitors
  readonly notifications: KeyspaceNotifications
  readonly memory: MemoryBound
  readonly upkeep: Upkeep
  /** False: due keys are hidden, but removed only when a command comes upon them. */
  activeExpiry = true
  /** Reads are answered while what is here is known to be old. Otherwise the server is asked whether it is. */
  servesStale = true
  private readonly sliced: SlicedCommands
  private readonly late: LateCommands
  private readonly guards: KeyGuards
  private readonly writer: FrameWriter
  private readonly call: Call
  /** Recovery is not over: few commands may run. */
  private isLoading = true
  /** Sessions that have written in this turn and whose replies may have to wait for the log. */
  private readonly writers: Session[] = []
  private readonly timer: CommandTimer
  /** Why writes are refused, or null: as it was when the batch began, because asking takes 1 % of a pipelined write. */
  writeRefusal: string | null = null
  /** Made once: a closure in planTurn would cost memory in every write, whether it plans or not. */
  private readonly turnCallback = (): void => this.endTurn()
  private turnPlanned = false
  isInExec = false
  transaction: LongTransaction | null = null
  longPart: LongPart | null = null
  private stopped = false
  /** Length of the log after the last stability note. */
  private notedBytes = 0

  constructor(
    readonly options: EngineOptions,
    readonly clock: Clock,
    private readonly services: Services,
  ) {
    const replica = new Replica(options.self, options.databases, options.hashSeed, options.solo)
    const { keyspace, strings, longEffects } = replica
    this.replica = replica
    this.keyspace = keyspace
    this.strings = strings
    this.keys = replica.keys
    this.collections = replica.collections
    this.effects = replica.effects
    this.states = replica.states
    this.applied = replica.applied
    this.hlc = replica.hlc
    this.topology = replica.topology
    this.writer = replica.writer
    this.call = new Call(keyspace, strings, this.keys, this.collections, this.effects, longEffects, services, this)
    this.slicing = options.slicing ?? USUAL_SLICING
    const addressOf = (session: Session) => services.clients.find(session.id)?.address ?? ''
    const accounts = new CommandAccounts(keyspace, addressOf)
    this.accounts = accounts
    this.statistics = accounts.counters
    this.errorCounts = accounts.errors
    this.slowLog = accounts.slowLog
    this.latency = accounts.latency
    this.load = new LoadMeters(keyspace, services, accounts.counters, clock)
    this.monitors = new Monitors(() => services.server.nowMicroseconds(), addressOf)
    const settling = new Settling(keyspace, this.keys, clock)
    this.replay = new Replay(replica, this.journal, settling)
    this.timer = new CommandTimer(clock, (command, count, microseconds) => accounts.countShared(command, count, microseconds))
    this.waits = new WaitQueue(
      clock,
      (check) => services.replication.onProgress(check),
      (message) => accounts.countError(message),
    )
    this.pause = new ClientPause(
      clock,
      (session, request) => this.late.resume(session, request),
      () => {
        this.blocking.release()
        this.serveReady()
        this.longWrites.resume()
        this.migrations.resume()
      },
    )
    const observers = new KeyObservers(this.keyspace)
    this.watches = new WatchRegistry(this.keyspace, (interested) => observers.set(this.watches, interested))
    this.blocking = new BlockedClients(
      this.keyspace,
      clock,
      {
        tryAgain: (client) => this.late.tryAgain(client),
        isHeld: ({ spec, session, request }) => this.guards.holds(spec, session, request),
        serveSoon: () => clock.defer(() => this.serveReady()),
        ended: (client, error) => this.late.blockedEnded(client, error),
        commandOf: (request) => services.table.of(request),
      },
      (interested) => observers.set(this.blocking, interested),
    )
    this.slices = new SlicedReads(
      clock,
      {
        beginBatch: () => this.beginBatch(),
        commandOf: (request) => services.table.of(request),
        start: (read, reply) => this.sliced.start(read, reply),
        step: (read, reply) => this.sliced.stepRead(read, reply),
        isHeld: ({ spec, session, request }) => this.longWrites.holds(spec, session, request),
        ended: (read) => this.sliced.ended(read),
        endTurn: () => this.slicesEndTurn(),
      },
      (interested) => {
        observers.set(this.slices, interested)
        this.guards.readsInSlices = interested
        this.guards.update()
      },
    )
    this.longWrites = new LongWrites(clock, this.longWriteHost(), options.databases, options.hashSeed, this.slicing.turnSteps)
    const { journal, call, timer } = this
    this.sliced = new SlicedCommands(replica, journal, call, accounts, services, this)
    this.late = new LateCommands(keyspace, call, timer, accounts, this.blocking, this.lateCommandHost())
    this.remote = new RemoteFrames(replica, journal, this.longWrites, clock, this.slicing.frameBytes, this.remoteFrameHost())
    const transactionSlices = new TransactionSlices(this, replica, journal, call, timer, accounts, this.slicing.stepBytes)
    this.transactions = new Transactions(
      this,
      transactionSlices,
      this.watches,
      this.longWrites,
      call,
      accounts,
      services,
      this.slicing.transactionCommands,
      this.transactionHost(),
    )
    this.migrations = new Migrations(clock, this.migrationHost(), this.watches, options.databases)
    this.guards = new KeyGuards(keyspace, this.slices, this.longWrites, this.migrations, this.pause)
    this.notifications = new KeyspaceNotifications(this.pubsub, keyspace, this.effects, replica.applier, this.keys)
    const { hashes } = this.collections
    const onRemoved = () => this.endOp()
    const expirations = new Expirations(
      options.self,
      keyspace,
      this.effects,
      hashes,
      this.notifications,
      accounts,
      clock,
      onRemoved,
    )
    this.expiry = expirations.keys
    this.fieldExpiry = expirations.fields
    const random = () => services.server.random()
    const evictor = new Evictor(keyspace, this.effects, this.expiry, random, (database, key) => this.evicted(database, key))
    this.memory = new MemoryBound(keyspace, evictor, new AccessFrequency(random), clock, services, this.evictionHost())
    this.upkeep = new Upkeep(keyspace, expirations, settling, this.load, this.memory, clock, this)
    this.keyspace.setTime(clock.wallMs())
  }

  /** Appends what is stable now to the log, for recovery; nothing if nothing has been appended since the last time. */
  noteStability(stable: VersionVector): void {
    const { journal } = this
    if (journal.isRefusing || journal.loggedBytes === this.notedBytes) return
    assert(this.transaction === null, 'a note in the middle of a transaction')
    this.closeFrame()
    journal.append(stabilityNote(stable, this.hlc.next(this.clock.wallMs())))
    this.notedBytes = journal.loggedBytes
  }

  /** Lets all data go, as far as the log has it, and what was known of the log: everything is to be replayed. */
  forgetEverything(): void {
    assert(!this.isInExec && this.transaction === null, 'data forgotten in the middle of a transaction')
    this.closeFrame()
    this.replay.forget()
    this.slices.restartAll()
  }

  /** Parts of the data are being replaced by others, past everything that is told of changes. */
  dataMoves(): void {
    this.keyspace.settlings++
    this.slices.restartAll()
  }

  /** All data have been replaced by others. */
  dataReplaced(): void {
    this.watches.dataReplaced()
    this.blocking.dataReplaced()
    this.waits.check()
  }

  /** Recovery is done: from now on frames go to this log, and time moves. */
  start(log: OpLog): void {
    this.journal.open(log)
    this.isLoading = false
    this.upkeep.start()
  }

  stop(): void {
    this.stopped = true
    this.upkeep.stop()
    this.memory.stop()
    this.slices.stop()
    this.longWrites.stop()
    this.migrations.stop()
    // EXEC that has begun comes to its end.
    this.longWrites.endTransaction()
    this.closeFrame()
  }

  beginBatch(): number {
    const { timer, slowLog } = this
    const nowMs = this.clock.wallMs()
    this.keyspace.setTime(nowMs)
    this.keyspace.ahead.forget()
    const wanted = slowLog.slowerThanMicroseconds
    timer.mayShare = this.latency.thresholdMs === 0 && (wanted < 0 || wanted >= SHARED_SLOW_MICROSECONDS)
    timer.begin()
    this.writeRefusal = this.services.server.writeRefusal
    return nowMs
  }

  lookAhead(session: Session, input: InputAhead): void {
    // What is queued looks nothing up yet.
    if (session.queued !== null) return
    const { keyspace, keys } = this
    const { ahead } = keyspace
    const db = keyspace.database(session.database)
    const { again } = db
    const store = again === 0 ? undefined : keys.stores[db.type(again)]
    // Mostly the next commands are about the same list, too.
    if (store !== undefined && store.lookAhead === undefined) return
    ahead.forget()
    input.peek(ahead.args)
    if (again !== 0 && db.areAllOf(again)) store?.lookAhead?.(db, db.root(again), ahead)
    else if (db.keyCount >= LOOK_AHEAD_FROM) db.lookAhead()
  }

  readTime(): void {
    this.timer.readIfUnread()
  }

  endBatch(): void {
    this.timer.settle()
  }

  get lastReadingMs(): number {
    return this.timer.lastMs
  }

  execute(session: Session, request: Request, reply: ReplyWriter): void {
    if (request.argc === 0) return
    this.keyspace.beginCommand()
    this.run(session, request, reply)
  }

  /** Runs a request at the time that the keyspace has. */
  private run(session: Session, request: Request, reply: ReplyWriter): void {
    const { call } = this
    session.lastActiveMs = this.keyspace.nowMs
    let command = this.services.table.lookup(request)
    if (command === undefined) {
      this.statistics.unknownCommands++
      this.refuse(session, reply, unknownCommand(request))
      return
    }
    if (command.hasSubcommands && request.argc > 1) {
      const sub = CommandTable.subcommand(command, request)
      if (sub === undefined) {
        if (command.handler === undefined) {
          this.refuse(session, reply, unknownSubcommand(command, request))
          return
        }
      } else {
        command = sub
      }
    }
    if (!command.accepts(request.argc) || command.handler === undefined) {
      this.reject(session, command, reply, `ERR wrong number of arguments for '${command.fullName}' command`)
      return
    }
    session.lastCommand = command.fullName
    // The password may change while EXEC is under way: what has been queued may run.
    if (!session.authenticated && !command.noAuth && !this.isInExec && this.services.settings.requirePassword !== null) {
      this.statistics.failedAuthentications++
      this.reject(session, command, reply, 'NOAUTH Authentication required.')
      return
    }
    if (this.isLoading && !command.allowedWhileLoading) {
      this.reject(session, command, reply, 'LOADING Meridian is loading the dataset in memory')
      return
    }
    if (this.memory.isBounded && !this.isInExec && !this.hasMemoryFor(session, command)) {
      this.reject(session, command, reply, Errors.outOfMemory)
      return
    }
    if (command.isWrite) {
      const refusal = this.writeRefusal
      if (refusal !== null || !this.hasRoomFor(request)) {
        this.reject(session, command, reply, refusal ?? Errors.opTooLong)
        return
      }
    }
    if (!this.servesStale && !command.allowedWhileStale) {
      const { staleRefusal } = this.isInExec && this.transaction !== null ? this.transaction : this.services.server
      if (staleRefusal !== null) {
        this.reject(session, command, reply, staleRefusal)
        return
      }
    }
    if (session.subscriptions !== null && session.protocol === 2 && !command.allowedWhileSubscribed && !this.isInExec) {
      this.reject(
        session,
        command,
        reply,
        `ERR Can't execute '${command.fullName}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
      )
      return
    }
    if (this.pause.mode !== 'none' && !this.isInExec && this.pause.holds(command, session)) {
      this.pause.postpone(command, session, request)
      return
    }
    if (session.queued !== null && !command.allowedWhileQueueing) {
      this.transactions.queue(session, command, request, reply)
      return
    }
    if (command.isExec && this.transactions.isLong(session)) {
      this.longWrites.beginTransaction(command, session, request)
      return
    }
    if (this.longWrites.heldKeys !== null && !this.isInExec && this.longWrites.holds(command, session, request)) {
      this.longWrites.postpone(command, session, request)
      return
    }
    if (this.migrations.isBusy && !this.isInExec && this.migrations.holds(command, session, request)) {
      this.migrations.postpone(command, session, request)
      return
    }
    session.commandCount++
    this.statistics.commandsProcessed++
    call.begin(session, request, reply, command.spec)
    if (command.isExec) {
      this.timer.settle()
      const startMs = this.timer.lastMs
      if (!this.transactions.exec(command, session, request, reply)) command.failedCalls++
      this.timer.settle()
      const microseconds = (this.timer.lastMs - startMs) * 1000
      // One that goes on in slices counts when it ends.
      if (session.blocked instanceof LongTransaction) session.blocked.microseconds = microseconds
      else {
        if (this.monitors.isWatched) this.monitors.tell(command, session, request)
        this.accounts.addCall(command, microseconds)
      }
    } else {
      this.invoke(command, call, reply)
    }
    if (this.isInExec) return
    if (this.endOp()) this.wrote(session)
    if (this.expiry.hasSeen || this.fieldExpiry.hasSeen) this.upkeep.removeSeenDue()
    if (this.blocking.hasReady) this.serveReady()
    if (this.pause.hasReleased) this.pause.release()
  }

  /** Makes room if a command may need some, as Redis does; false when there is none. What a transaction queues needs memory too, whatever it is. */
  private hasMemoryFor(session: Session, command: Command): boolean {
    const isQueueing = session.queued !== null
    if (!command.isWrite && !command.needsMemory && !isQueueing) return true
    if (!this.memory.isOver) return true
    this.timer.settle()
    const hasRoom = this.memory.makeRoom()
    if (this.blocking.hasReady) {
      this.serveReady()
      this.keyspace.beginCommand()
    }
    // Not the command's time.
    this.timer.begin()
    if (hasRoom || command.needsMemory) return hasRoom
    return !isQueueing || (command.endsQueueing && !(command.spec.name === 'exec' && session.queuedNeedsMemory))
  }

  private evicted(database: number, key: Uint8Array): void {
    this.statistics.evictedKeys++
    this.notifications.notify(NotificationClass.evicted, 'evicted', database, key, 0, key.length)
    this.endOp()
  }

  private evictionHost(): MemoryBoundHost {
    const mayEvict = () => this.mayRemoveKeys && this.journal.isOpen
    return {
      get mayEvict() {
        return mayEvict()
      },
      begin: () => this.beginBatch(),
      end: () => this.serveReady(),
      took: (ms) => this.latency.note('eviction-cycle', ms, this.keyspace.nowMs),
    }
  }

  /** False when a write could make its op larger than a frame may be. */
  private hasRoomFor(request: Request): boolean {
    const last = request.argc - 1
    const bytes = request.off[last] + request.len[last] - request.off[0]
    if (bytes + this.writer.openBytes <= LIMITS.maxOpBytes) return true
    if (this.isInExec || bytes > LIMITS.maxOpBytes) return false
    this.closeFrame()
    return true
  }

  /** The member may remove keys by itself. While clients are paused the data stands still. */
  get mayRemoveKeys(): boolean {
    return this.transaction === null && this.pause.mode === 'none' && this.services.server.writeRefusal === null
  }

  /** Runs a handler and turns what it throws into the reply. */
  private invoke(command: Command, call: Call, reply: ReplyWriter): void {
    const { timer } = this
    const replyStart = reply.length
    timer.next(command)
    try {
      const { handler } = command
      assert(handler !== undefined, 'command without handler')
      handler(call)
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      this.accounts.countFailure(command, error.message)
      reply.truncate(replyStart)
      reply.error(error.message)
    }
    if (this.monitors.isWatched) this.monitors.tell(command, call.session, call.request)
    const { blocked } = call.session
    if (this.longPart !== null) {
      this.longPart.took(timer.lap())
      return
    }
    if (blocked === null && timer.takes(command, call.request.argc, reply.length - replyStart)) return
    const microseconds = timer.lap()
    // A command that waits for keys, or takes many turns, counts when it ends.
    const isMigration = blocked instanceof Migration
    if (isMigration || blocked instanceof BlockedClient || blocked instanceof SlicedRead || blocked instanceof LongWrite) {
      blocked.microseconds = microseconds
    } else this.accounts.countCall(command, call.session, call.request, microseconds)
  }

  private slicesEndTurn(): void {
    if (this.expiry.hasSeen || this.fieldExpiry.hasSeen) this.upkeep.removeSeenDue()
    this.serveReady()
  }

  private migrationHost(): MigrationHost {
    const refusal = () => this.services.server.writeRefusal
    const isPaused = () => this.pause.mode !== 'none'
    return {
      dial: (host, port, handlers) => this.services.dialer.dial(host, port, handlers),
      commandOf: (request) => this.services.table.of(request),
      run: (migration, part) => this.late.runMigration(migration, part),
      get refusal() {
        return refusal()
      },
      get isPaused() {
        return isPaused()
      },
      failed: ({ spec }, message) => this.accounts.countFailure(spec, message),
      ended: ({ spec, session, request, microseconds }) => this.accounts.countCall(spec, session, request, microseconds),
      resume: (session, request) => this.late.resume(session, request),
      released: () => {
        this.blocking.release()
        this.serveReady()
      },
      endTurn: () => this.slicesEndTurn(),
    }
  }

  private longWriteHost(): LongWriteHost {
    const refusal = () => this.services.server.writeRefusal
    const isPaused = () => this.pause.mode !== 'none'
    return {
      beginBatch: () => this.beginBatch(),
      commandOf: (request) => this.services.table.of(request),
      start: (write, reply) => this.sliced.startWrite(write, reply),
      step: (write, reply) => this.sliced.stepWrite(write, reply),
      get refusal() {
        return refusal()
      },
      get isPaused() {
        return isPaused()
      },
      contextCount: () => this.replica.contextCount(),
      commit: (write) => this.sliced.commit(write),
      applying: (frame, isOwn, seen) => this.replica.applier.applyInSteps(frame, this.hlc, isOwn, seen, this.slicing.stepBytes),
      applied: (frame) => this.remote.log(frame),
      failed: ({ spec }, message) => this.accounts.countFailure(spec, message),
      transact: (transaction, reply) => this.transactions.inSlices(transaction, reply),
      ended: (command) => {
        if (command instanceof LongWrite) this.sliced.ended(command)
        else this.transactionEnded(command)
      },
      resume: (session, request) => this.late.resume(session, request),
      released: () => {
        this.guards.update()
        this.blocking.release()
        this.serveReady()
        this.transactions.runWaiting()
      },
      idle: () => this.onLongWritesIdle(),
      endTurn: () => {
        this.guards.update()
        this.slicesEndTurn()
        // By one of a transaction's commands.
        if (this.pause.hasReleased) this.pause.release()
      },
    }
  }

  private lateCommandHost(): LateCommandHost {
    return {
      beginBatch: () => this.beginBatch(),
      execute: (session, request, reply) => this.execute(session, request, reply),
      refusalOf: (command) => {
        const { writeRefusal, staleRefusal } = this.services.server
        if (command.isWrite && writeRefusal !== null) return writeRefusal
        return this.servesStale || command.allowedWhileStale ? null : staleRefusal
      },
      endOpOf: (session) => this.endOpOf(session),
      handedOn: () => this.guards.update(),
      ran: () => {
        if (this.expiry.hasSeen || this.fieldExpiry.hasSeen) this.upkeep.removeSeenDue()
      },
    }
  }

  /** Serves blocked clients, between commands, at the time that it is now: a transaction may have taken long. */
  serveReady(): void {
    if (this.stopped || !this.blocking.hasReady || this.transaction !== null) return
    this.beginBatch()
    this.blocking.serve()
  }

  /** Refuses a command before it runs. EXEC takes its transaction with it: the client need not discard it. */
  private reject(session: Session, command: Command, reply: ReplyWriter, message: string): void {
    command.rejectedCalls++
    if (!command.isExec) {
      this.refuse(session, reply, message)
      return
    }
    this.transactions.discard(session)
    this.refuse(session, reply, `EXECABORT Transaction discarded because of: ${message.replace(/^ERR /, '')}`)
  }

  private refuse(session: Session, reply: ReplyWriter, message: string): void {
    this.accounts.countError(message)
    if (session.queued !== null) session.queueFailed = true
    reply.error(message)
  }

  private transactionHost(): TransactionHost {
    const mayTakeTurns = () => this.mayTakeTurns
    return {
      run: (session, request, reply) => this.run(session, request, reply),
      commandOf: (request) => this.services.table.of(request),
      refuse: (session, reply, message) => this.refuse(session, reply, message),
      reject: (session, command, reply, message) => this.reject(session, command, reply, message),
      hasMemoryFor: (session, command) => !this.memory.isBounded || this.hasMemoryFor(session, command),
      get mayTakeTurns() {
        return mayTakeTurns()
      },
      isPaused: (command, session) => this.pause.mode !== 'none' && this.pause.holds(command, session),
      resume: (session, request) => this.late.resume(session, request),
      closeFrame: () => this.closeFrame(),
      begun: () => this.guards.update(),
    }
  }

  /** MIGRATE looks at its keys and removes them between the slices; and while writes are refused, another member's data may be taken in the place of these. */
  private get mayTakeTurns(): boolean {
    return this.journal.isOpen && !this.migrations.isBusy && this.services.server.writeRefusal === null
  }

  get goesInOneGo(): boolean {
    return this.transactions.goesInOneGo
  }

  goInSteps(call: Call, steps: WriteSteps): void {
    this.transactions.goInSteps(call, steps)
  }

  get op(): OpBuilder {
    return this.longPart === null ? this.longWrites.op : this.longPart.op
  }

  private transactionEnded({ spec, session, request, microseconds, hasLeft }: LongTransaction): void {
    session.queuedBytes = 0
    session.holdsPushes = false
    if (this.monitors.isWatched) this.monitors.tell(spec, session, request)
    this.accounts.addCall(spec, microseconds)
    // It may have begun to listen when it had gone.
    if (hasLeft) this.pubsub.unsubscribeAll(session)
  }

  /** An EXEC in slices is under way. */
  get isInTransaction(): boolean {
    return this.transaction !== null
  }

  private wrote(session: Session): void {
    session.lastWriteStamp = this.hlc.last
    if (this.writers.at(-1) !== session) this.writers.push(session)
  }

  /** Ends the op that was written, if there is one: it is this client's. */
  endOpOf(session: Session): void {
    if (this.endOp()) this.wrote(session)
  }

  /** Ends the open op, if there is one; closes a frame that has grown large. */
  private endOp(): boolean {
    if (this.transaction !== null || !this.effects.endOp()) return false
    if (this.writer.openBytes >= LIMITS.frameTargetBytes) this.closeFrame()
    else this.planTurn()
    return true
  }

  /** Sees to it that the open frame is closed this turn, also when no front end calls endTurn. */
  private planTurn(): void {
    if (this.turnPlanned) return
    this.turnPlanned = true
    this.clock.defer(this.turnCallback)
  }

  endTurn(): void {
    this.turnPlanned = false
    this.memory.turnEnded()
    this.closeFrame()
  }

  closeFrame(): void {
    const { writer, journal } = this
    if (!writer.isOpen || this.transaction !== null) return
    const frame = writer.close()
    this.applied.raise(frame.origin, frame.last)
    const position = journal.append(frame)
    if (journal.isWritten(position)) writer.recycle()
    if (journal.holdsReplies(position)) for (const session of this.writers) session.holdUntilBytes = position
    this.writers.length = 0
    journal.onAppended()
  }

  private remoteFrameHost(): RemoteFrameHost {
    const isInTransaction = () => this.isInTransaction
    return {
      get isInTransaction() {
        return isInTransaction()
      },
      closeFrame: () => this.closeFrame(),
      taken: () => this.guards.update(),
      logged: (ops) => {
        this.statistics.remoteFrames++
        this.statistics.remoteOps += ops
        this.journal.onAppended()
        this.memory.remoteApplied()
        this.waits.check()
        this.serveReady()
      },
    }
  }

  /** A long write is under way: frames of other members must wait. */
  get takesNoFrames(): boolean {
    return this.longWrites.isBusy
  }

  /** Told when frames of other members may come again. */
  onLongWritesIdle: () => void = () => undefined

  /** Writes changes of the list of members, as one op of their own. Not from within a command. */
  changeTopology(changes: readonly TopologyChange[]): void {
    this.keyspace.setTime(this.clock.wallMs())
    for (const change of changes) this.effects.changeTopology(change)
    this.endOp()
  }

  /** Something is under way that `applied` does not include yet. */
  get isMidway(): boolean {
    return this.replica.isApplying || this.writer.isOpen || this.effects.isInOp || this.longWrites.isApplying
  }

  position(): VersionVector {
    const vector = this.applied.clone()
    // Of a transaction that is under way nobody has seen anything, but its own commands.
    if (this.writer.isOpen && (this.transaction === null || this.isInExec))
      vector.raise(this.options.self, this.writer.openLast as Stamp)
    return vector
  }

  requestSync(): void {
    this.closeFrame()
    this.journal.requestSync()
  }

  get watchedKeys(): number {
    return this.watches.size
  }

  resetStatistics(): void {
    this.accounts.reset()
    this.load.reset()
    this.services.table.resetStatistics()
    this.keyspace.hits = 0
    this.keyspace.misses = 0
    const { statistics } = this.services.clients
    for (const key of Object.keys(statistics) as (keyof typeof statistics)[]) statistics[key] = 0
    this.pubsub.resetStatistics()
    this.memory.resetStatistics()
  }

  get loggedBytes(): number {
    return this.journal.loggedBytes
  }

  get durableBytes(): number {
    return this.journal.durableBytes
  }

  get logHasFailed(): boolean {
    return this.journal.hasFailed
  }

  onLogProgress(listener: () => void): void {
    this.journal.onProgress(listener)
  }

  sessionClosed(session: Session): void {
    this.transactions.leave(session)
    this.pubsub.unsubscribeAll(session)
    this.monitors.remove(session)
    session.blocked?.cancel()
    session.blocked = null
  }
}
