import { assert } from '../base/assert.js'
import { equalBytes } from '../base/bytes.js'
import { LIMITS } from '../base/limits.js'
import type { Call } from '../commands/call.js'
import type { Command } from '../commands/command-table.js'
import type { ReadSteps, SlicedReading } from '../commands/services.js'
import type { BlockedState, Session } from '../commands/session.js'
import type { KeyObserver } from '../keyspace/keyspace.js'
import type { Clock } from '../ports/clock.js'
import { ReplyParts } from '../resp/reply-parts.js'
import { ReplyWriter } from '../resp/reply-writer.js'
import type { Request } from '../resp/request.js'

/** What sliced reads need of the engine. */
export interface SlicedReadHost {
  /** Sets the time. */
  beginBatch(): void
  commandOf(request: Request): Command
  /** Runs the command's handler with the read's request and this reply; it comes back by begin, or has replied. False when it replied with an error. */
  start(read: SlicedRead, reply: ReplyWriter): boolean
  /** Goes on with the read's steps; true when they are done. */
  step(read: SlicedRead, reply: ReplyWriter): boolean
  /** A long write has one of its keys: it cannot go on. */
  isHeld(read: SlicedRead): boolean
  /** The command has its reply. */
  ended(read: SlicedRead): void
  /** Some reads have had their slices. */
  endTurn(): void
}

/**
 * Reads of large collections, a slice a turn of the event loop, so that others are served in between. What the client gets is nevertheless what
 * its keys held at one moment: when one of them changes meanwhile, by whomever, the read starts again.
 *
 *   begin -> waiting ----> running: start, step, step, ... ----> reply delivered at once
 *              (in order)     ^          |
 *                             +-- key changed: what was written is thrown away. The last start goes to its end in one go
 *
 * A start is the command's handler run anew, so it finds its keys anew. Slices grow from start to start. Nothing is kept of the collection between
 * slices but places in it, which are good until it changes.
 */
export class SlicedReads implements SlicedReading, KeyObserver {
  private readonly waiting: SlicedRead[] = []
  /** Those that have a place to be started, the next one first. */
  private readonly running: SlicedRead[] = []
  private readonly reply = new ReplyWriter()
  /** The read whose handler runs. */
  private starting: SlicedRead | null = null
  private isPlanned = false
  private isStopped = false
  /** Settlings put off one after the other. */
  private heldSettlings = 0

  constructor(
    private readonly clock: Clock,
    private readonly host: SlicedReadHost,
    /** Told when changes begin and cease to be of interest. */
    private readonly onInterest: (interested: boolean) => void,
  ) {}

  get mayBegin(): boolean {
    return this.starting === null || this.starting.starts <= LIMITS.slicedReadStarts
  }

  begin(call: Call, firstKey: number, keyCount: number, steps: ReadSteps, prefixes: readonly Uint8Array[]): void {
    if (this.starting !== null) {
      this.starting.steps = steps
      return
    }
    const { session, request } = call
    assert(session.blocked === null, 'a blocked session runs a command')
    assert(firstKey + keyCount <= request.argc, 'keys to read are no arguments')
    const copy = request.copy()
    const read = new SlicedRead(session, copy, this.host.commandOf(copy), firstKey, keyCount, prefixes, this)
    session.blocked = read
    this.waiting.push(read)
    this.plan()
  }

  keyChanged(database: number, buf: Uint8Array, off: number, len: number): void {
    for (const read of this.running) if (read.reads(database, buf, off, len)) read.hasChanged = true
  }

  databaseFlushing(database: number): void {
    for (const read of this.running) if (read.session.database === database) read.hasChanged = true
  }

  /** All data has been loaded anew. */
  restartAll(): void {
    for (const read of this.running) read.hasChanged = true
  }

  /** A collection is about to be tidied up, which moves things in it; true when that must wait for a read. It does not wait for ever. */
  holdsSettling(database: number, buf: Uint8Array, off: number, len: number): boolean {
    if (!this.running.some((read) => read.reads(database, buf, off, len))) return false
    if (this.heldSettlings < LIMITS.heldSettlings) {
      this.heldSettlings++
      return true
    }
    this.heldSettlings = 0
    this.keyChanged(database, buf, off, len)
    return false
  }

  stop(): void {
    this.isStopped = true
  }

  /** The client has gone. */
  cancel(read: SlicedRead): void {
    for (const list of [this.waiting, this.running]) {
      const at = list.indexOf(read)
      if (at >= 0) list.splice(at, 1)
    }
    this.onInterest(this.running.length > 0)
  }

  private plan(): void {
    if (this.isPlanned) return
    this.isPlanned = true
    this.clock.defer(() => this.turn())
  }

  private turn(): void {
    this.isPlanned = false
    if (this.isStopped) return
    const { clock, running, waiting } = this
    this.host.beginBatch()
    this.onInterest(true)
    const untilMs = clock.workUntil(LIMITS.slicedReadTurnMs)
    /** Reads in a row that could not go on. */
    let held = 0
    do {
      while (running.length < LIMITS.slicedReadsAtOnce && waiting.length > 0) running.push(...waiting.splice(0, 1))
      const read = running.shift()
      if (read === undefined) break
      if (this.host.isHeld(read)) {
        running.push(read)
        if (++held === running.length) break
        continue
      }
      held = 0
      // It hears of changes only while it is listed; its own slice makes none.
      if (this.advance(read, untilMs)) this.finish(read)
      else running.push(read)
    } while (clock.monotonicMs() < untilMs)
    this.host.endTurn()
    this.onInterest(running.length > 0)
    if (running.length + waiting.length > 0) this.plan()
  }

  /** Gives a read its slice, in a turn whose first slices go until then; true when its reply is complete. */
  private advance(read: SlicedRead, untilMs: number): boolean {
    const { clock, host, reply } = this
    const startMs = clock.monotonicMs()
    reply.reset()
    reply.protocol = read.session.protocol
    if (read.hasChanged) {
      read.hasChanged = false
      read.starts++
      read.steps = null
      read.parts.clear()
      this.starting = read
      read.hasFailed = !host.start(read, reply)
      this.starting = null
    }
    let isDone = read.steps === null
    const deadlineMs = untilMs + LIMITS.slicedReadTurnMs * (read.starts - 1)
    while (!isDone) {
      isDone = host.step(read, reply)
      read.parts.takeMuch(reply)
      if (clock.monotonicMs() >= deadlineMs) break
    }
    const endMs = clock.monotonicMs()
    read.microseconds += (endMs - startMs) * 1000
    read.longestMs = Math.max(read.longestMs, endMs - startMs)
    read.parts.take(reply)
    return isDone
  }

  private finish(read: SlicedRead): void {
    const { session } = read
    this.host.ended(read)
    // The session counts as blocked while the reply is delivered, so that CLIENT REPLY OFF applies to it.
    session.deliverAll(read.parts.takeAll())
    session.blocked = null
    session.unblocked()
  }
}

/** A command whose reply is being made. */
export class SlicedRead implements BlockedState {
  readonly isRunning = true
  steps: ReadSteps | null = null
  /** What was written so far. */
  readonly parts = new ReplyParts()
  starts = 0
  /** What it has read may not be so any more; at first it has not begun. */
  hasChanged = true
  hasFailed = false
  /** Time that the command took, that of others not included, and its longest slice. */
  microseconds = 0
  longestMs = 0

  constructor(
    readonly session: Session,
    /** A copy. */
    readonly request: Request,
    readonly spec: Command,
    private readonly firstKey: number,
    private readonly keyCount: number,
    /** What other keys begin with that it reads. */
    private readonly prefixes: readonly Uint8Array[],
    private readonly queue: SlicedReads,
  ) {}

  get command(): string {
    return this.spec.fullName
  }

  /** True when it reads this key. */
  reads(database: number, buf: Uint8Array, off: number, len: number): boolean {
    if (database !== this.session.database) return false
    const { request, firstKey, keyCount } = this
    for (let i = firstKey; i < firstKey + keyCount; i++) {
      if (request.len[i] === len && equalBytes(request.buf, request.off[i], buf, off, len)) return true
    }
    return this.prefixes.some(({ length }, i) => length <= len && equalBytes(this.prefixes[i], 0, buf, off, length))
  }

  /** Its reply comes by itself. */
  timeOut(): void {}

  fail(): void {}

  cancel(): void {
    this.queue.cancel(this)
  }
}
