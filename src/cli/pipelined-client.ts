import type { Socket } from 'node:net'
import RedisParser from 'redis-parser'
import { writeInteger } from '../base/bytes.js'
import { ReplyError, credentials, openSocket, refused, unreachable, type RedisAddress } from './redis-client.js'

/** Texts and bulks are Buffers. An error inside an array is an element. */
export type RawReply = Buffer | number | null | Error | readonly RawReply[]

/** Gets the reply; a ReplyError when the server refused, another error when it will never answer. */
export type OnReply = (reply: RawReply) => void

interface Waiter {
  readonly bytes: number
  readonly onReply: OnReply
}

/** A server that is silent for longer, with work before it, counts as gone: one huge value may take seconds. */
export const SILENCE_MS = 60_000
/** Commands are gathered up to this much, or to the end of the turn, before they are written. */
const CHUNK_BYTES = 64 * 1024
/** Longest `*n` or `$n` line. */
const LINE_BYTES = 24
const CRLF = Buffer.from('\r\n')
/** A reply is counted as this much of what is in flight. */
const REPLY_BYTES = 64
/** Answered waiters are dropped from the queue's front in lots of this many. */
const QUEUE_LOT = 4096

/**
 * A connection for bulk work: many commands on their way at once, arguments and replies as bytes, replies in order to whoever sent. How much is on
 * its way is bounded by those who send: they wait for `room` before the next command.
 */
export class PipelinedClient {
  private waiting: Waiter[] = []
  private answered = 0
  private inFlight = 0
  private chunk = Buffer.allocUnsafe(CHUNK_BYTES)
  private used = 0
  /** Bytes of all commands. */
  private written = 0
  private isFlushPlanned = false
  private closedBy: Error | null = null
  private wake: (() => void) | null = null
  /** The database that what is sent next is for. */
  database = 0
  private readonly selected = new Set<number>([0])
  private lastHeardMs = performance.now()
  private readonly watchdog: NodeJS.Timeout

  private constructor(
    readonly address: RedisAddress,
    private readonly socket: Socket,
    private readonly silenceMs: number,
  ) {
    const parser = new RedisParser({
      returnBuffers: true,
      returnReply: (reply: RawReply) => this.answer(reply),
      returnError: (error: Error) => this.answer(new ReplyError(error.message)),
      returnFatalError: (error: Error) => this.fail(error),
    })
    socket.setNoDelay(true)
    socket.on('data', (bytes: Buffer) => {
      this.lastHeardMs = performance.now()
      parser.execute(bytes)
    })
    socket.on('error', (error) => this.fail(error))
    socket.on('close', () => this.fail(new Error('the server closed the connection')))
    this.watchdog = setInterval(() => this.checkSilence(), Math.min(1000, silenceMs))
    this.watchdog.unref()
  }

  /**
   * Connects, and authenticates if there is a password. A server that has something to answer and is silent for `silenceMs` counts as gone.
   * @throws MeridianError MRD_UNREACHABLE, MRD_REFUSED
   */
  static async connect(address: RedisAddress, timeoutMs: number, silenceMs: number): Promise<PipelinedClient> {
    const client = new PipelinedClient(address, await openSocket(address, timeoutMs), silenceMs)
    try {
      if (address.password) await client.command('AUTH', ...credentials(address))
      return client
    } catch (error) {
      client.close()
      throw error
    }
  }

  /** Bytes of commands that are not answered yet, and a little for each reply. */
  get bytesInFlight(): number {
    return this.inFlight
  }

  /** Sends a command; the arguments are copied. */
  send(args: readonly (string | Uint8Array)[], onReply: OnReply): void {
    const before = this.begin()
    this.line(0x2a, args.length)
    for (const arg of args) {
      const bytes = typeof arg === 'string' ? Buffer.from(arg) : arg
      this.line(0x24, bytes.length)
      this.append(bytes)
      this.append(CRLF)
    }
    this.commit(before, onReply)
  }

  /** Sends a command that is encoded already; the bytes are copied. */
  sendEncoded(bytes: Uint8Array, onReply: OnReply): void {
    const before = this.begin()
    this.append(bytes)
    this.commit(before, onReply)
  }

  /** Sends a command and gives its reply, or the ReplyError. @throws MeridianError MRD_UNREACHABLE when the server does not answer. */
  ask(...args: readonly (string | Uint8Array)[]): Promise<RawReply> {
    return new Promise((resolve, reject) => {
      const onReply = (reply: RawReply): void => {
        if (reply instanceof Error && !(reply instanceof ReplyError)) reject(reply)
        else resolve(reply)
      }
      this.send(args, onReply)
    })
  }

  /** As ask, for what should be answered. @throws MeridianError MRD_REFUSED, MRD_UNREACHABLE */
  async command(...args: readonly (string | Uint8Array)[]): Promise<RawReply> {
    const reply = await this.ask(...args)
    if (reply instanceof Error) throw refused(this.address, String(args[0]), reply)
    return reply
  }

  /** As command, for commands that answer with text. */
  async text(...args: readonly (string | Uint8Array)[]): Promise<string> {
    return String(await this.command(...args))
  }

  /** What is sent from now on is for this database. @throws MeridianError MRD_REFUSED when there is no such database. */
  async select(database: number): Promise<void> {
    if (database === this.database) return
    // The first time it is waited for: what followed a refused SELECT would get into another database.
    if (this.selected.has(database)) this.send(['SELECT', String(database)], () => undefined)
    else await this.command('SELECT', String(database))
    this.selected.add(database)
    this.database = database
  }

  /** These databases are there, so that select never waits. */
  trustDatabases(count: number): void {
    for (let database = 0; database < count; database++) this.selected.add(database)
  }

  /** Waits until at most so many bytes are in flight. @throws MeridianError MRD_UNREACHABLE when the connection is gone. */
  async room(bytes: number): Promise<void> {
    while (this.inFlight > bytes && this.closedBy === null) {
      this.flush()
      await new Promise<void>((resolve) => (this.wake = resolve))
    }
    if (this.closedBy !== null) throw unreachable(this.address, this.closedBy)
  }

  /** Waits until everything has been answered. @throws MeridianError MRD_UNREACHABLE */
  drained(): Promise<void> {
    return this.room(0)
  }

  close(): void {
    this.fail(new Error('the client was closed'))
  }

  private answer(reply: RawReply): void {
    const waiter = this.waiting[this.answered]
    if (waiter === undefined) return this.fail(new Error('a reply came that nobody waits for'))
    this.inFlight -= waiter.bytes
    if (++this.answered === QUEUE_LOT) {
      this.waiting = this.waiting.slice(this.answered)
      this.answered = 0
    }
    waiter.onReply(reply)
    this.wakeUp()
  }

  private wakeUp(): void {
    const { wake } = this
    this.wake = null
    wake?.()
  }

  private checkSilence(): void {
    if (this.inFlight === 0) this.lastHeardMs = performance.now()
    else if (performance.now() - this.lastHeardMs > this.silenceMs) this.fail(new Error(`no reply within ${this.silenceMs} ms`))
  }

  private fail(error: Error): void {
    if (this.closedBy !== null) return
    this.closedBy = error
    clearInterval(this.watchdog)
    this.socket.destroy()
    const cause = unreachable(this.address, error)
    const waiters = this.waiting.slice(this.answered)
    this.waiting = []
    this.answered = 0
    for (const { onReply } of waiters) onReply(cause)
    this.wakeUp()
  }

  private begin(): number {
    if (this.inFlight === 0) this.lastHeardMs = performance.now()
    return this.written
  }

  private commit(before: number, onReply: OnReply): void {
    if (this.closedBy !== null) {
      onReply(unreachable(this.address, this.closedBy))
      return
    }
    const bytes = this.written - before + REPLY_BYTES
    this.inFlight += bytes
    this.waiting.push({ bytes, onReply })
    if (this.isFlushPlanned) return
    this.isFlushPlanned = true
    setImmediate(() => {
      this.isFlushPlanned = false
      this.flush()
    })
  }

  private line(marker: number, value: number): void {
    if (this.used + LINE_BYTES > this.chunk.length) this.flush()
    const { chunk } = this
    const from = this.used
    chunk[this.used++] = marker
    this.used += writeInteger(value, chunk, this.used)
    chunk[this.used++] = 13
    chunk[this.used++] = 10
    this.written += this.used - from
  }

  private append(bytes: Uint8Array): void {
    this.written += bytes.length
    if (this.used + bytes.length > this.chunk.length) this.flush()
    if (bytes.length > this.chunk.length) {
      if (this.closedBy === null) this.socket.write(Buffer.from(bytes))
      return
    }
    this.chunk.set(bytes, this.used)
    this.used += bytes.length
  }

  private flush(): void {
    if (this.used === 0) return
    if (this.closedBy === null) this.socket.write(this.chunk.subarray(0, this.used))
    // The socket may hold the bytes for a while.
    this.chunk =
      this.chunk.length - this.used < CHUNK_BYTES / 4 ? Buffer.allocUnsafe(CHUNK_BYTES) : this.chunk.subarray(this.used)
    this.used = 0
  }
}
