import type { Socket } from 'node:net'
import { MOST_AHEAD } from '../base/arguments-ahead.js'
import { LIMITS } from '../base/limits.js'
import type { ClientStatistics, CommandExecutor, ConnectedClient } from '../engine/command-executor.js'
import { Session } from '../engine/session.js'
import type { Clock } from '../ports/clock.js'
import type { Logger } from '../ports/logger.js'
import type { ReplyWriter } from '../resp/reply-writer.js'
import { RequestDecoder } from '../resp/request-decoder.js'
import type { ClientMemory } from './client-memory.js'
import type { LingeringSockets } from './lingering-sockets.js'
import { OutputQueue } from './output-queue.js'
import type { OutputLimit, ServerSettings } from './server-settings.js'
import { socketWriter, type SocketWriter } from './socket-writing.js'
import type { Turn, TurnMember } from './turn.js'

/** What connections share. */
export interface ConnectionHost {
  readonly executor: CommandExecutor
  readonly turn: Turn
  readonly clock: Clock
  readonly logger: Logger
  readonly settings: ServerSettings
  readonly statistics: ClientStatistics
  readonly lingering: LingeringSockets
  readonly memory: ClientMemory
  /** The connection is no client any more. */
  left(connection: Connection): void
}

/**
 *   open ----> closing ----> gone      closing: no command runs any more, replies still leave
 *     |                       ^        gone: the engine has forgotten it; the socket may linger
 *     +-----------------------+
 */
type State = 'open' | 'closing' | 'gone'

const PUSH = 62
/** An idle connection gives its input buffer back. */
const SHRINK_AFTER_MS = 2000
/** JavaScript objects and kernel-side structures of one connection, roughly; for CLIENT LIST's tot-mem. */
const OBJECT_BYTES = 4096

/**
 * One client: decodes what its socket receives, runs it, and brings the replies back in order. Replies of its own commands stand in
 * the turn's writer as one range until the end of the turn; anything else, and whatever cannot leave, goes through the queue. The
 * range always comes after the queue.
 */
export class Connection extends Session implements ConnectedClient, TurnMember {
  readonly session: Session = this
  readonly address: string
  readonly localAddress: string
  readonly fd: number
  /** What ClientMemory has in its sum for it. */
  countedBytes = 0

  private state: State = 'open'
  private readonly decoder: RequestDecoder
  private readonly queue = new OutputQueue()
  private readonly socketWriter: SocketWriter
  /** Replies of this turn: turn.writer.buf[rangeStart .. rangeEnd). */
  private rangeStart = 0
  private rangeEnd = 0
  /** Pushes to itself that were made while its own command ran: they follow the command's reply. */
  private pushedMeanwhile: Buffer[] = []

  /** On the turn's lists. */
  private hasOutput = false
  private isWaiting = false
  private isHeld = false
  /** The operating system has not taken everything: nothing is sent until it has. */
  private inFlight = false
  private reading = true
  /** Clients have read enough in this turn; it is on the turn's list. */
  private readsLater = false
  /** The client has closed its sending side. */
  private inputEnded = false
  /** Too much output waits: no command runs until it has left. */
  private outputFull = false
  /** Over the output limit, or over all clients' bound: to be disconnected at the end of the turn, because the engine may be in the middle of something. */
  private overLimit = false
  /** Since when the soft output limit is exceeded, monotonic; -1 if it is not. */
  private overSoftSinceMs = -1
  /** The last batch had several commands, so the next one is likely to. */
  private sendsPipelines = false

  constructor(
    id: number,
    private readonly host: ConnectionHost,
    private readonly socket: Socket,
    /** TLS takes a copy of what it is given only later. */
    private readonly encrypted: boolean,
  ) {
    super(id)
    this.decoder = new RequestDecoder(host.settings)
    this.socketWriter = socketWriter(socket, encrypted, () => this.sent())
    this.createdMs = this.lastActiveMs = host.clock.wallMs()
    this.address = formatAddress(socket.remoteAddress, socket.remotePort)
    this.localAddress = formatAddress(socket.localAddress, socket.localPort)
    this.fd = (socket as { _handle?: { fd?: number } | null })._handle?.fd ?? -1
    socket.on('end', () => this.ended())
    socket.on('close', () => this.leave())
    // A client that resets its connection is no event for the operator; 'close' follows.
    socket.on('error', (error) =>
      host.logger.debug({ client: id, address: this.address, error: error.message }, 'client connection broke'),
    )
  }

  get queryBufferBytes(): number {
    const { decoder, host } = this
    return host.turn.running === this ? decoder.inputBytes : decoder.pendingBytes
  }

  get queryBufferFreeBytes(): number {
    return Math.max(0, this.decoder.bufferBytes - this.decoder.pendingBytes)
  }

  get outputBytes(): number {
    return this.queue.bytes + this.socketWriter.waitingBytes + this.rangeEnd - this.rangeStart
  }

  get totalMemoryBytes(): number {
    const { decoder, queue, socketWriter, queuedBytes, nameBytes, fieldsets } = this
    const buffers = decoder.bufferBytes + queue.bytes + socketWriter.waitingBytes
    return OBJECT_BYTES + buffers + queuedBytes + nameBytes + (fieldsets?.bytes ?? 0)
  }

  /** It is to be disconnected, or is no client any more. */
  get isLeaving(): boolean {
    return this.overLimit || this.state !== 'open'
  }

  /** All clients together take too much, and this one most of it: it is disconnected at the end of the turn. */
  evict(): void {
    this.overLimit = true
    this.requestFlush()
  }

  /** Bytes from the socket; valid only during the call. */
  received(bytes: Uint8Array, length: number): void {
    const { host } = this
    host.statistics.netInputBytes += length
    if (this.state !== 'open') return
    this.decoder.feed(bytes, 0, length)
    if (this.mayRun() && !this.isWaiting) {
      this.run()
      host.turn.inputHandled()
    } else {
      this.lastActiveMs = host.clock.wallMs()
      this.decoder.retain()
      if (this.holdsMuchInput) this.pauseReading()
    }
    this.checkInputLimit()
    if (length >= LIMITS.muchInputBytes) this.hasReadMuch(length)
    host.memory.changed(this)
  }

  private hasReadMuch(length: number): void {
    if (this.state !== 'open' || this.readsLater) return
    this.readsLater = this.host.turn.hasReadMuch(this, length)
    if (this.readsLater) this.pauseReading()
  }

  readOn(): void {
    this.readsLater = false
    // Else it reads on when it has run, or sent, what waits.
    if (this.state !== 'gone' && !this.isWaiting && !this.outputFull && !this.holdsMuchInput) this.resumeReading()
  }

  runInput(): void {
    this.isWaiting = false
    if (this.mayRun()) this.run()
  }

  /** Its command is blocked, and what has come behind it is enough. */
  private get holdsMuchInput(): boolean {
    return this.blocked !== null && this.decoder.pendingBytes > LIMITS.blockedInputBytes
  }

  private mayRun(): boolean {
    return this.state === 'open' && this.blocked === null && !this.outputFull && !this.overLimit
  }

  /** Runs complete commands until there are none, or something says stop. */
  private run(): void {
    const { host, decoder } = this
    const { turn, executor } = host
    const writer = turn.writer
    if (this.rangeEnd !== writer.length) this.moveRangeToQueue()
    if (this.rangeStart === this.rangeEnd) this.rangeStart = writer.length
    const waitingBefore = this.queue.bytes + this.socketWriter.waitingBytes
    const most = this.mostOutput() - waitingBefore + this.rangeStart
    let commands = 0
    let deadlineMs = 0
    let outOfTime = false
    turn.running = this
    this.lastActiveMs = executor.beginBatch()
    decoder.unauthenticated = !this.authenticated
    if (this.sendsPipelines) executor.lookAhead(this, decoder)
    for (;;) {
      if (!decoder.next(turn.request)) {
        // More of a command of very many arguments is there.
        if (!decoder.isPaused) break
        if (deadlineMs === 0) deadlineMs = host.clock.workUntil(LIMITS.clientTurnMs)
        outOfTime = host.clock.monotonicMs() > deadlineMs
        if (outOfTime) break
        continue
      }
      const before = writer.length
      writer.protocol = this.protocol
      executor.execute(this, turn.request, writer)
      if (this.replyMode !== 'on' && this.blocked === null) this.applyReplyMode(writer, before)
      if (this.pushedMeanwhile.length > 0 && !this.holdsPushes) this.appendPushes(writer)
      if (this.close !== 'none' || this.blocked !== null || this.state !== 'open') break
      if (writer.length > most) {
        this.outputFull = true
        break
      }
      decoder.unauthenticated = !this.authenticated
      commands++
      if (commands % MOST_AHEAD === 0 && !decoder.drained) {
        executor.readTime()
        executor.lookAhead(this, decoder)
      }
      if (deadlineMs === 0) {
        if (!decoder.drained) deadlineMs = executor.lastReadingMs + LIMITS.clientTurnMs
      } else if (executor.lastReadingMs > deadlineMs) {
        outOfTime = true
        break
      }
    }
    executor.endBatch()
    this.sendsPipelines = commands > 1
    turn.running = null
    decoder.retain()
    if (this.state !== 'open') return
    if (decoder.error !== null && this.close === 'none') this.refuseProtocol(writer, decoder.error)
    this.rangeEnd = writer.length
    if (this.rangeEnd > this.rangeStart) this.requestFlush()
    this.afterRun(outOfTime)
  }

  private afterRun(outOfTime: boolean): void {
    if (this.close === 'now') {
      this.leave()
    } else if (this.close === 'after-reply') {
      this.beginClosing()
    } else if (this.outputFull) {
      this.pauseReading()
      this.checkOutputLimit()
    } else if (outOfTime) {
      this.pauseReading()
      this.waitForTurn()
    } else if (this.inputEnded) {
      // A client that has gone while it would block must not take anything.
      if (this.blocked === null) this.beginClosing()
      else if (this.blocked.isRunning !== true) this.leave()
    } else if (!this.holdsMuchInput) {
      // A blocked client is read too: only so is its leaving noticed.
      this.resumeReading()
    }
  }

  /** CLIENT REPLY: takes the reply back, and lets SKIP concern exactly the next command. */
  private applyReplyMode(writer: ReplyWriter, before: number): void {
    writer.truncate(before)
    this.skipReply()
  }

  private skipReply(): void {
    if (this.replyMode === 'skip-next') this.replyMode = 'skip-this'
    else if (this.replyMode === 'skip-this') this.replyMode = 'on'
  }

  private appendPushes(writer: ReplyWriter): void {
    for (const push of this.pushedMeanwhile) writer.raw(push)
    this.pushedMeanwhile = []
  }

  private refuseProtocol(writer: ReplyWriter, words: string): void {
    this.host.logger.debug({ client: this.id, address: this.address, error: words }, 'client broke the protocol')
    writer.raw(Buffer.from(`-ERR Protocol error: ${words.replace(/[\r\n]/g, ' ')}\r\n`, 'latin1'))
    this.close = 'after-reply'
  }

  private moveRangeToQueue(): void {
    if (this.rangeEnd > this.rangeStart) {
      this.queue.append(this.host.turn.writer.buf, this.rangeStart, this.rangeEnd)
    }
    this.rangeStart = this.rangeEnd = 0
  }

  private waitForTurn(): void {
    if (this.isWaiting) return
    this.isWaiting = true
    this.host.turn.addWaiting(this)
  }

  private requestFlush(): void {
    if (this.hasOutput) return
    this.hasOutput = true
    this.host.turn.addOutput(this)
  }

  override deliver(write: (reply: ReplyWriter) => void): void {
    // Who is about to be disconnected for what waits already gets no more.
    if (this.state !== 'open' || this.close !== 'none' || this.overLimit) return
    const { turn } = this.host
    const late = turn.lateWriter
    late.reset()
    late.protocol = this.protocol
    write(late)
    // Without replies (CLIENT REPLY OFF) pushes still come; what answers a blocked command does not.
    if (late.length === 0 || (this.replyMode !== 'on' && this.blocked !== null && late.buf[0] !== PUSH)) return
    if (turn.running === this || this.holdsPushes) {
      this.pushedMeanwhile.push(late.take())
      return
    }
    this.moveRangeToQueue()
    this.queue.append(late.buf, 0, late.length)
    this.requestFlush()
    this.checkOutputLimit()
    this.host.memory.changed(this)
  }

  override deliverAll(parts: readonly Buffer[]): void {
    if (this.state !== 'open' || this.close !== 'none' || this.overLimit) return
    this.moveRangeToQueue()
    if (this.replyMode === 'on') for (const part of parts) this.queue.adopt(part)
    for (const push of this.pushedMeanwhile) this.queue.append(push, 0, push.length)
    this.pushedMeanwhile = []
    if (this.outputBytes > this.mostOutput()) this.outputFull = true
    this.requestFlush()
    this.checkOutputLimit()
    this.host.memory.changed(this)
  }

  override unblocked(): void {
    this.skipReply()
    // A command that had been held back may have said that the client must go.
    if (this.state === 'open' && this.close !== 'none') this.afterRun(false)
    else if (this.state === 'open' && this.host.turn.running !== this) this.waitForTurn()
  }

  /** Called after endTurn(), which has set holdUntilBytes if the replies must wait for the log. */
  flush(): void {
    this.hasOutput = false
    if (this.state === 'gone') return
    if (this.overLimit) {
      this.leave()
      return
    }
    const { turn, executor } = this.host
    const start = this.rangeStart
    const end = this.rangeEnd
    if (end > start) {
      if (!this.inFlight && this.queue.bytes === 0 && this.holdUntilBytes <= executor.durableBytes) {
        this.rangeStart = this.rangeEnd = 0
        if (this.encrypted) this.send(Buffer.from(turn.writer.range(start, end)))
        else if (!this.send(turn.writer.range(start, end))) turn.lendWriter()
      } else {
        this.moveRangeToQueue()
      }
    }
    if (this.queue.bytes > 0) this.queue.settle(this.holdUntilBytes)
    let sent = 0
    while (!this.inFlight && sent < LIMITS.clientTurnOutputBytes) {
      const bytes = this.queue.shift(executor.durableBytes)
      if (bytes === null) break
      sent += bytes.length
      this.send(bytes)
    }
    // Others come first; a client that reads fast would be sent all of a huge reply at once.
    if (sent >= LIMITS.clientTurnOutputBytes && !this.inFlight) this.requestFlush()
    else if (this.queue.bytes > 0 && !this.inFlight && !this.isHeld) {
      if (executor.logHasFailed) {
        // A failed sync is never repeated, so the reply would never come. A client that is cut off knows that it does not know.
        this.host.logger.warn(
          { client: this.id, address: this.address },
          'client waits for a write whose sync has failed: disconnected',
        )
        this.leave()
        return
      }
      this.isHeld = true
      turn.addHeld(this)
    }
    this.afterFlush()
  }

  logProgressed(): void {
    this.isHeld = false
    this.requestFlush()
  }

  private afterFlush(): void {
    if (this.state === 'closing') {
      if (this.queue.bytes === 0 && !this.inFlight) this.part()
      return
    }
    const waiting = this.outputBytes
    if (this.outputFull && waiting <= this.mostOutput()) {
      this.outputFull = false
      this.waitForTurn()
    }
    if (waiting > 0 || this.overSoftSinceMs >= 0) this.checkOutputLimit()
    this.host.memory.changed(this)
  }

  /** Gives bytes to the socket. False when the operating system did not take all of them yet, so that they must not change. */
  private send(bytes: Uint8Array): boolean {
    this.host.statistics.netOutputBytes += bytes.length
    if (this.socketWriter.write(bytes)) return true
    this.inFlight = true
    return false
  }

  private sent(): void {
    this.inFlight = false
    if (this.state !== 'gone') this.requestFlush()
  }

  private get outputLimit(): OutputLimit {
    const { outputLimit, pubsubOutputLimit } = this.host.settings
    // Both get what others send, as fast as those send it.
    return this.subscriptions === null && !this.isMonitor ? outputLimit : pubsubOutputLimit
  }

  /** Output that may wait before no further command runs; with an output limit commands run until it is exceeded, as in Redis. */
  private mostOutput(): number {
    const { hardBytes, softBytes } = this.outputLimit
    if (hardBytes > 0) return hardBytes
    return Math.max(LIMITS.pausedOutputBytes, softBytes)
  }

  private checkOutputLimit(): void {
    const { hardBytes, softBytes, softSeconds } = this.outputLimit
    if (this.overLimit || (hardBytes === 0 && softBytes === 0)) return
    const waiting = this.outputBytes
    let over = hardBytes > 0 && waiting > hardBytes
    if (softBytes > 0 && waiting > softBytes) {
      const now = this.host.clock.monotonicMs()
      if (this.overSoftSinceMs < 0) this.overSoftSinceMs = now
      else if (now - this.overSoftSinceMs > softSeconds * 1000) over = true
    } else {
      this.overSoftSinceMs = -1
    }
    if (!over) return
    this.overLimit = true
    this.host.statistics.outputBufferLimitDisconnections++
    this.host.logger.warn(
      { client: this.id, address: this.address, name: this.name, outputBytes: waiting },
      'client does not read its replies: disconnected',
    )
    this.requestFlush()
  }

  private checkInputLimit(): void {
    const waiting = this.decoder.pendingBytes
    if (waiting <= this.host.settings.queryBufferBytes || this.state !== 'open') return
    this.host.statistics.queryBufferLimitDisconnections++
    this.host.logger.warn(
      { client: this.id, address: this.address, name: this.name, inputBytes: waiting },
      'client exceeds the query buffer limit: disconnected',
    )
    this.leave()
  }

  private pauseReading(): void {
    if (!this.reading) return
    this.reading = false
    this.socket.pause()
  }

  private resumeReading(): void {
    if (this.reading || this.readsLater) return
    this.reading = true
    this.socket.resume()
  }

  private ended(): void {
    this.inputEnded = true
    if (this.state !== 'open') return
    if (this.blocked !== null) {
      if (this.blocked.isRunning !== true) this.leave()
    } else if (!this.isWaiting && !this.outputFull) {
      this.beginClosing()
    }
  }

  /** Once a second: what need not be exact. */
  upkeep(nowMs: number): void {
    if (this.state !== 'open') return
    const idleMs = nowMs - this.lastActiveMs
    if (idleMs > SHRINK_AFTER_MS) this.decoder.shrink()
    if (this.overSoftSinceMs >= 0) this.checkOutputLimit()
    this.host.memory.changed(this)
    const { idleTimeoutSeconds } = this.host.settings
    if (idleTimeoutSeconds > 0 && idleMs > idleTimeoutSeconds * 1000 && this.blocked === null && this.subscriptions === null) {
      this.host.logger.debug({ client: this.id, address: this.address }, 'idle client disconnected')
      this.part()
    }
  }

  /** No further command runs; what is written leaves, then the connection is closed. */
  beginClosing(): void {
    if (this.state !== 'open') return
    this.state = 'closing'
    this.requestFlush()
  }

  kill(): void {
    if (this.host.turn.running === this) this.close = 'after-reply'
    else this.leave()
  }

  /** Leaves with everything sent. */
  private part(): void {
    if (!this.forget()) return
    if (this.inputEnded) this.socket.end()
    else this.host.lingering.close(this.socket)
  }

  /** Leaves at once. */
  private leave(): void {
    this.forget()
    this.socket.destroy()
  }

  private forget(): boolean {
    if (this.state === 'gone') return false
    this.state = 'gone'
    this.queue.clear()
    this.host.left(this)
    this.host.executor.sessionClosed(this)
    return true
  }
}

function formatAddress(host: string | undefined, port: number | undefined): string {
  if (host === undefined) return '?:0'
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
