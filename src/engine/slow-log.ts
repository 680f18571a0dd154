import { LIMITS } from '../base/limits.js'
import type { Command } from '../commands/command-table.js'
import type { SlowLogEntry, SlowLogReader } from '../commands/services.js'
import type { Request } from '../resp/request.js'
import { isSecret, REDACTED } from './secret-arguments.js'

/**
 * SLOWLOG: the commands that took longest to run, waiting and sending not counted. Secrets in arguments are not kept.
 */
export class SlowLog implements SlowLogReader {
  /** Commands that took at least this long are kept; negative: none. Redis' slowlog-log-slower-than. */
  slowerThanMicroseconds = 10_000
  /** Redis' slowlog-max-len. */
  maxLength = 128
  /** Oldest first. */
  private entries: SlowLogEntry[] = []
  private nextId = 0

  get length(): number {
    return this.entries.length
  }

  newest(count: number): readonly SlowLogEntry[] {
    return count <= 0 ? [] : this.entries.slice(-count).reverse()
  }

  reset(): void {
    this.entries = []
  }

  /** To be called after each command, when it took at least slowerThanMicroseconds. */
  note(command: Command, request: Request, microseconds: number, unixMs: number, address: string, clientName: string): void {
    this.keep(command, () => keptArguments(command.fullName, request), request.argc, microseconds, unixMs, address, clientName)
  }

  /** The same for short commands of one kind in a row that were timed together: which of them it was is not known. */
  noteShared(command: Command, count: number, microseconds: number, unixMs: number): void {
    const args = () => [
      Buffer.from(command.fullName),
      Buffer.from(count === 1 ? '(the last of several)' : `(one of the last ${count} of several)`),
    ]
    this.keep(command, args, SHARED_ARGUMENTS, microseconds, unixMs, '', '')
  }

  private keep(
    command: Command,
    args: () => Uint8Array[],
    argc: number,
    microseconds: number,
    unixMs: number,
    address: string,
    clientName: string,
  ): void {
    if (this.maxLength === 0 || command.spec.flags.includes('skip_slowlog')) return
    this.entries.push({
      id: this.nextId++,
      unixSeconds: Math.floor(unixMs / 1000),
      microseconds: Math.floor(microseconds),
      args: args(),
      argc,
      address,
      clientName,
    })
    if (this.entries.length > this.maxLength) this.entries = this.entries.slice(-this.maxLength)
  }
}

/** Whose arguments are not known: the name, and what is said of them. */
const SHARED_ARGUMENTS = 2
const SECRET = Buffer.from(REDACTED)

function keptArguments(name: string, request: Request): Uint8Array[] {
  const { argc, buf, off, len } = request
  const kept: Uint8Array[] = []
  const shown = argc > LIMITS.slowLogArguments ? LIMITS.slowLogArguments - 1 : argc
  for (let i = 0; i < shown; i++) {
    if (isSecret(name, request, i)) {
      kept.push(SECRET)
    } else if (len[i] > LIMITS.slowLogArgumentBytes) {
      const head = buf.subarray(off[i], off[i] + LIMITS.slowLogArgumentBytes)
      kept.push(Buffer.concat([head, Buffer.from(`... (${len[i] - LIMITS.slowLogArgumentBytes} more bytes)`)]))
    } else {
      kept.push(new Uint8Array(buf.subarray(off[i], off[i] + len[i])))
    }
  }
  if (shown < argc) kept.push(Buffer.from(`... (${argc - shown} more arguments)`))
  return kept
}
