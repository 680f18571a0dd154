import type { CommandExecutor, ClientRegistry } from '../../src/engine/command-executor.js'
import type { Session } from '../../src/engine/session.js'
import type { Clock } from '../../src/ports/clock.js'
import type { Logger } from '../../src/ports/logger.js'
import { latin1 } from '../../src/base/bytes.js'
import type { ReplyWriter } from '../../src/resp/reply-writer.js'
import type { Request } from '../../src/resp/request.js'

export const realClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  idleMs: () => performance.now(),
  workUntil: (ownMs) => performance.now() + ownMs,
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs)
    return { cancel: () => clearTimeout(timer) }
  },
  defer: (callback) => void setImmediate(callback),
}

/** As if everything took a fraction of its time. */
export function acceleratedClock(factor: number): Clock {
  return {
    ...realClock,
    wallMs: () => Date.now() * factor,
    monotonicMs: () => performance.now() * factor,
    setTimer: (delayMs, callback) => realClock.setTimer(delayMs / factor, callback),
  }
}

/** Turns last so long that all input of a test falls into one. */
export const slowTurnClock: Clock = { ...realClock, defer: (callback) => void setTimeout(callback, 50) }

export class RecordingLogger implements Logger {
  readonly warnings: string[] = []
  debug(): void {}
  info(): void {}
  warn(_fields: object, message: string): void {
    this.warnings.push(message)
  }
  error(_fields: object, message: string): void {
    this.warnings.push(message)
  }
  child(): Logger {
    return this
  }
}

/** Just enough of an engine to exercise the front end: a map of values, and a command for each thing a session can do. */
export class FakeEngine implements CommandExecutor {
  registry: ClientRegistry | null = null
  readonly values = new Map<string, Uint8Array>()
  readonly closedSessions: number[] = []
  readonly commandsPerTurn: number[] = []
  loggedBytes = 0
  durableBytes = 0
  logHasFailed = false
  turns = 0
  commands = 0
  /** Everything written is on the disk at once, unless a test says otherwise. */
  syncByHand = false
  /** False: no command reads the clock. */
  timesCommands = true
  lastReadingMs = 0
  private commandsThisTurn = 0
  private readonly writers: Session[] = []
  private listener: () => void = () => {}
  private readonly sleepers: Session[] = []

  constructor(private readonly clock: Clock = realClock) {}

  lookAhead(): void {}

  readTime(): void {
    this.lastReadingMs = this.clock.monotonicMs()
  }

  beginBatch(): number {
    this.readTime()
    return this.clock.wallMs()
  }

  endBatch(): void {}

  execute(session: Session, request: Request, reply: ReplyWriter): void {
    this.commands++
    this.commandsThisTurn++
    session.commandCount++
    this.run(session, request, reply)
    if (this.timesCommands) this.readTime()
  }

  private run(session: Session, request: Request, reply: ReplyWriter): void {
    const arg = (i: number): string => latin1(request.buf, request.off[i], request.len[i])
    const name = arg(0).toUpperCase()
    switch (name) {
      case 'PING':
        return reply.simpleString('PONG')
      case 'ECHO':
        return reply.bulk(request.buf, request.off[1], request.len[1])
      case 'ARGS':
        return reply.integer(request.argc)
      case 'SET':
        this.values.set(arg(1), request.buf.slice(request.off[2], request.off[2] + request.len[2]))
        return reply.ok()
      case 'GET': {
        const value = this.values.get(arg(1))
        return value === undefined ? reply.null() : reply.bulkBytes(value)
      }
      case 'AUTH':
        session.authenticated = true
        return reply.ok()
      case 'ID':
        return reply.integer(session.id)
      case 'HELLO':
        session.protocol = arg(1) === '3' ? 3 : 2
        reply.protocol = session.protocol
        reply.map(1)
        reply.bulkString('proto')
        return reply.integer(session.protocol)
      case 'QUIT':
        session.close = 'after-reply'
        return reply.ok()
      case 'VANISH':
        session.close = 'now'
        return
      case 'REPLY':
        session.replyMode = arg(1) === 'on' ? 'on' : arg(1) === 'off' ? 'off' : 'skip-next'
        return reply.ok()
      case 'SLEEP':
        session.blocked = { command: 'sleep', timeOut: () => {}, fail: () => {}, cancel: () => {} }
        this.sleepers.push(session)
        return
      case 'SLICED': {
        // A reply of so many pieces of 100 kB, made while others are served.
        session.blocked = { command: 'sliced', isRunning: true, timeOut: () => {}, fail: () => {}, cancel: () => {} }
        const parts = Array.from({ length: Number(arg(1)) }, () => Buffer.from(`$100000\r\n${'x'.repeat(100_000)}\r\n`))
        setTimeout(() => {
          session.deliverAll(parts)
          session.blocked = null
          session.unblocked()
        }, 20)
        return
      }
      case 'WAKE':
        this.wake(arg(1))
        return reply.ok()
      case 'TELL': {
        const text = arg(2)
        this.registry?.find(Number(arg(1)))?.session.deliver((late) => {
          late.push(2)
          late.bulkString('message')
          late.bulkString(text)
        })
        return reply.integer(1)
      }
      case 'KILL':
        this.registry?.find(Number(arg(1)))?.kill()
        return reply.ok()
      case 'WRITE':
        this.writers.push(session)
        return reply.ok()
      case 'BURN': {
        const until = performance.now() + Number(arg(1))
        while (performance.now() < until);
        return reply.ok()
      }
      default:
        return reply.error(`ERR unknown command '${name}'`)
    }
  }

  wake(text: string): void {
    const session = this.sleepers.shift()
    if (session === undefined) return
    session.deliver((late) => late.bulkString(text))
    session.blocked = null
    session.unblocked()
  }

  /** As the engine does it: only here the writes of the turn get their place in the log. */
  endTurn(): void {
    if (this.writers.length > 0) this.loggedBytes += 10
    if (!this.syncByHand) this.durableBytes = this.loggedBytes
    for (const session of this.writers.splice(0)) session.holdUntilBytes = this.loggedBytes
    this.turns++
    this.commandsPerTurn.push(this.commandsThisTurn)
    this.commandsThisTurn = 0
  }

  sync(upTo = this.loggedBytes): void {
    this.durableBytes = upTo
    this.listener()
  }

  failSync(): void {
    this.logHasFailed = true
    this.listener()
  }

  onLogProgress(listener: () => void): void {
    this.listener = listener
  }

  sessionClosed(session: Session): void {
    this.closedSessions.push(session.id)
    const at = this.sleepers.indexOf(session)
    if (at >= 0) this.sleepers.splice(at, 1)
  }
}
