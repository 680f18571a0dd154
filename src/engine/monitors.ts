import { LIMITS } from '../base/limits.js'
import type { Command } from '../commands/command-table.js'
import type { MonitorService } from '../commands/services.js'
import type { Session } from '../commands/session.js'
import type { Request } from '../resp/request.js'
import { isSecret, REDACTED } from './secret-arguments.js'

const QUOTE = 34
const BACKSLASH = 92
/** As Redis writes them between quotes. */
const ESCAPES = new Map([
  [QUOTE, '\\"'],
  [BACKSLASH, '\\\\'],
  [7, '\\a'],
  [8, '\\b'],
  [9, '\\t'],
  [10, '\\n'],
  [13, '\\r'],
])

/**
 * The clients that have said MONITOR: each is told of every command that clients run, as Redis does it: when it has run, those of a transaction before
 * its EXEC, and none that is for administrators. Secrets are not shown, and of what is long only the beginning.
 */
export class Monitors implements MonitorService {
  private readonly sessions = new Set<Session>()

  constructor(
    /** Unix time. */
    private readonly nowMicroseconds: () => number,
    /** For operators; empty for a session without a connection. */
    private readonly addressOf: (session: Session) => string,
  ) {}

  /** Somebody is to be told. */
  get isWatched(): boolean {
    return this.sessions.size > 0
  }

  add(session: Session): void {
    session.isMonitor = true
    this.sessions.add(session)
  }

  remove(session: Session): void {
    session.isMonitor = false
    this.sessions.delete(session)
  }

  /** A command has run. */
  tell(command: Command, session: Session, request: Request): void {
    const { flags } = command.spec
    if (flags.includes('admin') || flags.includes('skip_monitor')) return
    const unixMicroseconds = this.nowMicroseconds()
    const seconds = Math.floor(unixMicroseconds / 1e6)
    const fraction = String(Math.floor(unixMicroseconds % 1e6)).padStart(6, '0')
    const words = shownArguments(command.fullName, request).join(' ')
    const line = Buffer.from(`+${seconds}.${fraction} [${session.database} ${this.addressOf(session)}] ${words}\r\n`, 'latin1')
    for (const monitor of this.sessions) monitor.deliver((reply) => reply.raw(line))
  }
}

function shownArguments(name: string, request: Request): string[] {
  const { argc, buf, off, len } = request
  const words: string[] = []
  let room: number = LIMITS.monitorLineBytes
  for (let i = 0; i < argc; i++) {
    if (room <= 0) {
      words.push(`"... (${argc - i} more arguments)"`)
      break
    }
    const shown = Math.min(len[i], room)
    const more = len[i] > shown ? `... (${len[i] - shown} more bytes)` : ''
    words.push(isSecret(name, request, i) ? `"${REDACTED}"` : `"${escaped(buf, off[i], shown)}${more}"`)
    room -= shown
  }
  return words
}

function escaped(buf: Uint8Array, off: number, len: number): string {
  let text = ''
  for (let i = off; i < off + len; i++) {
    const byte = buf[i]
    const escape = ESCAPES.get(byte)
    if (escape !== undefined) text += escape
    else if (byte >= 32 && byte < 127) text += String.fromCharCode(byte)
    else text += `\\x${byte.toString(16).padStart(2, '0')}`
  }
  return text
}
