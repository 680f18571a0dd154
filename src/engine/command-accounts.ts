import { LIMITS } from '../base/limits.js'
import type { Command } from '../commands/command-table.js'
import type { EngineStatistics } from '../commands/services.js'
import type { Session } from '../commands/session.js'
import type { Keyspace } from '../keyspace/keyspace.js'
import type { Request } from '../resp/request.js'
import { LatencyMonitor } from './latency-monitor.js'
import { SlowLog } from './slow-log.js'

type Counters = { -readonly [K in keyof EngineStatistics]: number }

/** What INFO, LATENCY and SLOWLOG say of the commands that have run: how often, for how long, and what came of them. */
export class CommandAccounts {
  readonly counters: Counters = {
    commandsProcessed: 0,
    commandMicroseconds: 0,
    remoteFrames: 0,
    remoteOps: 0,
    unknownCommands: 0,
    errorReplies: 0,
    expiredKeys: 0,
    expiredFields: 0,
    evictedKeys: 0,
    failedAuthentications: 0,
  }
  /** Error replies by their code. */
  readonly errors = new Map<string, number>()
  readonly slowLog = new SlowLog()
  readonly latency = new LatencyMonitor()

  constructor(
    private readonly keyspace: Keyspace,
    /** For operators; empty for a session without a connection. */
    private readonly addressOf: (session: Session) => string,
  ) {}

  /** An error was replied. */
  countError(message: string): void {
    const { counters, errors } = this
    counters.errorReplies++
    const space = message.indexOf(' ')
    const code = space < 0 ? message : message.slice(0, space)
    const count = errors.get(code)
    if (count !== undefined || errors.size < LIMITS.errorKinds) errors.set(code, (count ?? 0) + 1)
  }

  /** A command that ran has replied with an error. */
  countFailure(command: Command, message: string): void {
    command.failedCalls++
    this.countError(message)
  }

  /** One that did not run has. */
  countRejection(command: Command, message: string): void {
    command.rejectedCalls++
    this.countError(message)
  }

  /** A command has ended. `stopped` is how long others had to wait at a stretch. */
  countCall(command: Command, session: Session, request: Request, microseconds: number, stopped = microseconds): void {
    this.addCall(command, microseconds)
    this.counters.commandMicroseconds += microseconds
    const { slowLog, latency, keyspace } = this
    if (latency.thresholdMs > 0) latency.note(command.isFast ? 'fast-command' : 'command', stopped / 1000, keyspace.nowMs)
    if (slowLog.slowerThanMicroseconds < 0 || microseconds < slowLog.slowerThanMicroseconds) return
    slowLog.note(command, request, microseconds, keyspace.nowMs, this.addressOf(session), session.name)
  }

  /** Commands of one kind, one after the other, that shared a reading of the clock. */
  countShared(command: Command, count: number, microseconds: number): void {
    const { slowLog } = this
    command.calls += count
    command.microseconds += microseconds
    if (this.latency.tracksCommands) command.latency.add(microseconds / count, count)
    if (slowLog.slowerThanMicroseconds < 0 || microseconds < slowLog.slowerThanMicroseconds) return
    slowLog.noteShared(command, count, microseconds, this.keyspace.nowMs)
  }

  /** What INFO and LATENCY say of a command. EXEC is no more than that: its time is that of its commands. */
  addCall(command: Command, microseconds: number): void {
    command.calls++
    command.microseconds += microseconds
    if (this.latency.tracksCommands) command.latency.add(microseconds)
  }

  /** CONFIG RESETSTAT. */
  reset(): void {
    const { counters } = this
    for (const key of Object.keys(counters) as (keyof Counters)[]) counters[key] = 0
    this.errors.clear()
  }
}
