import { assert } from '../base/assert.js'
import { latin1 } from '../base/bytes.js'
import { LIMITS } from '../base/limits.js'
import type { Call } from '../commands/call.js'
import type { Command } from '../commands/command-table.js'
import type { Migrating, MigrationOrder } from '../commands/services.js'
import { Session, type BlockedState } from '../commands/session.js'
import type { Clock, Timer } from '../ports/clock.js'
import type { DialHandlers } from '../ports/dialer.js'
import type { Link } from '../ports/network.js'
import type { Request } from '../resp/request.js'
import { HeldCommands, stillWaits } from './held-commands.js'
import { HeldKeys } from './held-keys.js'
import type { WatchRegistry } from './watch.js'

/** What migrations need of the engine. */
export interface MigrationHost {
  dial(host: string, port: number, handlers: DialHandlers): Link
  commandOf(request: Request): Command
  /** Runs a part of the command; what it writes is an op of its own of its client. Gives the bytes of its reply. */
  run(migration: Migration, part: (call: Call) => void): Buffer
  /** Why nothing can be written now, as an error reply; null when it can. */
  readonly refusal: string | null
  /** Clients are paused: nothing may be written before `resume` is called. */
  readonly isPaused: boolean
  /** The command's reply is this error. */
  failed(migration: Migration, message: string): void
  /** The command has its reply. */
  ended(migration: Migration): void
  /** Runs a command that had to wait, and replies. */
  resume(session: Session, request: Request): void
  /** Keys are free again: blocked clients may be served. */
  released(): void
  /** Some of it has been done in this turn. */
  endTurn(): void
}

const CONNECTING = 'IOERR error or timeout connecting to the client'
/** Also when nobody listens there: Redis finds out when it writes. */
const WRITING = 'IOERR error or timeout writing to target instance'
const READING = 'IOERR error or timeout reading to target instance'
const CHANGED = `ERR The keys were changed ${LIMITS.migrateRounds} times by other regions while they were moved: they are here still, and as they were before on the target instance`
const MINUS = '-'

/**
 * MIGRATE: keys go to another server by RESTORE, and go here once it has said that they are there. Other clients read the keys meanwhile, but whoever would
 * write to them waits, as for a long write (0016). What other members write is applied all the same: it does not wait for a server somewhere. A key that
 * changes so is sent once more; so is one that a long write changes which had been waiting before. What is removed here in the end is what the target has.
 *
 * ```
 * begin -> connecting -> sending and reading replies, a round -> removal (one op), reply -> released
 *                              ^        | a key has changed
 *                              +--------+
 * ```
 */
export class Migrations implements Migrating {
  private readonly running = new Set<Migration>()
  private readonly held = new HeldCommands()
  private isStopped = false

  constructor(
    private readonly clock: Clock,
    private readonly host: MigrationHost,
    private readonly watches: WatchRegistry,
    private readonly databaseCount: number,
  ) {}

  get isBusy(): boolean {
    return this.running.size > 0
  }

  begin(call: Call, order: MigrationOrder): void {
    const { session, database } = call
    assert(session.blocked === null, 'a blocked session runs a command')
    const request = call.request.copy()
    const migration = new Migration(session, request, this.host.commandOf(request), order, new HeldKeys(this.databaseCount))
    session.blocked = migration
    this.running.add(migration)
    const { buf, off, len } = request
    for (const i of order.keys) migration.keys.hold(database, buf, off[i], len[i], 'from-writes')
    migration.round = order.keys
    this.watch(migration)
    this.arm(migration)
    migration.link = this.host.dial(order.host, order.port, {
      onOpen: () => {
        migration.isOpen = true
        migration.link?.send(order.opening)
        this.progress(migration)
        this.send(migration)
      },
      onData: (bytes) => {
        this.progress(migration)
        this.read(migration, bytes)
      },
      onDrain: () => {
        this.progress(migration)
        this.send(migration)
      },
      onClose: () => this.breakOff(migration, migration.isOpen ? READING : WRITING),
    })
  }

  /** True when a command must wait for keys. */
  holds(command: Command, session: Session, request: Request): boolean {
    for (const { keys } of this.running) {
      if (keys.holds(command, session, request, (each) => this.host.commandOf(each))) return true
    }
    return false
  }

  postpone(command: Command, session: Session, request: Request): void {
    this.held.add(command, session, request)
  }

  /** A pause is over. */
  resume(): void {
    for (const migration of this.running) if (migration.waitsForPause) this.finish(migration)
  }

  stop(): void {
    this.isStopped = true
    for (const { link, timer } of this.running) {
      timer?.cancel()
      link?.close()
    }
  }

  /** Sends what is next of the round, as much as may wait on the link. */
  private send(migration: Migration): void {
    const { link, order, round } = migration
    if (link === null || !migration.isOpen || this.isOver(migration)) return
    const startMs = this.clock.monotonicMs()
    while (migration.next < round.length && link.bufferedBytes < LIMITS.migrateBufferBytes) {
      if (this.clock.monotonicMs() - startMs > LIMITS.slicedWriteTurnMs) {
        this.clock.defer(() => this.send(migration))
        return
      }
      const key = round[migration.next++]
      let request: Uint8Array | null = null
      this.host.run(migration, (call) => (request = order.restore(call, key, migration.rounds > 0)))
      if (request === null) continue
      migration.sent.push(key)
      link.send(request)
    }
    if (migration.next === round.length && migration.answered === migration.sent.length && migration.openingLeft === 0) {
      this.endRound(migration)
    }
  }

  private read(migration: Migration, bytes: Uint8Array): void {
    if (this.isOver(migration)) return
    const lines = (migration.unread + latin1(bytes, 0, bytes.length)).split('\r\n')
    migration.unread = lines.pop() ?? ''
    for (const line of lines) this.readLine(migration, line)
    if (migration.unread.length > LIMITS.migrateReplyBytes) {
      this.breakOff(migration, READING)
      return
    }
    if (lines.length > 0) this.send(migration)
  }

  private readLine(migration: Migration, line: string): void {
    const error = line.startsWith(MINUS) ? line.slice(1) : null
    if (migration.openingLeft > 0) {
      migration.openingLeft--
      migration.openingError ??= error
      return
    }
    if (migration.answered === migration.sent.length) return
    const key = migration.sent[migration.answered++]
    const refused = migration.openingError ?? error
    if (refused === null) migration.there.push(key)
    else migration.error ??= `ERR Target instance replied with error: ${refused}`
  }

  /** Everything that was sent has been answered. */
  private endRound(migration: Migration): void {
    const { order, there, watcher } = migration
    if (order.copies || !watcher.watchBroken || there.length === 0) {
      this.finish(migration)
      return
    }
    migration.rounds++
    migration.there = []
    if (migration.rounds === LIMITS.migrateRounds) {
      migration.error ??= CHANGED
      this.finish(migration)
      return
    }
    migration.round = there
    migration.next = 0
    migration.answered = 0
    migration.sent = []
    this.watches.unwatch(watcher)
    this.watch(migration)
    this.send(migration)
  }

  /** The link has gone, or nothing comes from it. */
  private breakOff(migration: Migration, error: string): void {
    if (this.isOver(migration)) return
    migration.error ??= error
    if (migration.watcher.watchBroken) migration.there = []
    this.finish(migration)
  }

  /** Removes what is there, if it is not to be a copy, and replies. */
  private finish(migration: Migration): void {
    const { host } = this
    const { order, session } = migration
    migration.timer?.cancel()
    migration.link?.close()
    migration.isDone = true
    migration.waitsForPause = false
    const removed = order.copies ? [] : migration.there
    if (removed.length > 0) {
      if (host.isPaused) {
        migration.waitsForPause = true
        return
      }
      migration.error ??= host.refusal
    }
    const { error } = migration
    const reply = host.run(migration, (call) => {
      if (removed.length > 0 && host.refusal === null) order.remove(call, removed)
      if (error === null) call.reply.ok()
      else call.reply.error(error)
    })
    if (error !== null) host.failed(migration, error)
    host.ended(migration)
    this.watches.unwatch(migration.watcher)
    this.running.delete(migration)
    if (!migration.hasLeft) {
      // The session counts as blocked while the reply is delivered, so that CLIENT REPLY OFF applies to it.
      session.deliver((writer) => writer.raw(reply))
      session.blocked = null
      session.unblocked()
    }
    host.released()
    host.endTurn()
    this.clock.defer(() => this.runHeld())
  }

  private runHeld(): void {
    if (this.isStopped) return
    for (const waiting of this.held.take()) if (stillWaits(waiting)) this.host.resume(waiting.session, waiting.request)
    this.host.endTurn()
  }

  private isOver({ isDone }: Migration): boolean {
    return isDone || this.isStopped
  }

  private watch({ watcher, session, request, round }: Migration): void {
    const { buf, off, len } = request
    for (const i of round) this.watches.watch(watcher, session.database, buf.subarray(off[i], off[i] + len[i]))
  }

  /** Redis' timeout: so long at most without anything moving. */
  private arm(migration: Migration): void {
    const { link } = migration
    const buffered = link?.bufferedBytes ?? 0
    migration.timer = this.clock.setTimer(migration.order.timeoutMs, () => {
      if (this.isOver(migration)) return
      if ((migration.link?.bufferedBytes ?? 0) < buffered) this.arm(migration)
      else if (!migration.isOpen) this.breakOff(migration, CONNECTING)
      else this.breakOff(migration, buffered > 0 ? WRITING : READING)
    })
  }

  private progress(migration: Migration): void {
    if (this.isOver(migration)) return
    migration.timer?.cancel()
    this.arm(migration)
  }
}

/** A MIGRATE that is under way. */
export class Migration implements BlockedState {
  readonly isRunning = true
  /** Notices changes of the keys. */
  readonly watcher = new Session(0)
  link: Link | null = null
  timer: Timer | null = null
  isOpen = false
  isDone = false
  waitsForPause = false
  /** The client has gone: what was begun is brought to its end. */
  hasLeft = false
  /** Keys, as arguments, that this round sends; of them, those that are looked at next, were sent, and have been answered. */
  round: readonly number[] = []
  next = 0
  sent: number[] = []
  answered = 0
  rounds = 0
  /** Keys that the target has. */
  there: number[] = []
  openingLeft: number
  openingError: string | null = null
  error: string | null = null
  /** What has come and is not a line yet. */
  unread = ''
  /** Time that the command took, waiting not included. */
  microseconds = 0

  constructor(
    readonly session: Session,
    /** A copy. */
    readonly request: Request,
    readonly spec: Command,
    readonly order: MigrationOrder,
    readonly keys: HeldKeys,
  ) {
    this.openingLeft = order.openingReplies
  }

  get command(): string {
    return this.spec.fullName
  }

  /** Its reply comes by itself. */
  timeOut(): void {}

  fail(): void {}

  cancel(): void {
    this.hasLeft = true
  }
}
