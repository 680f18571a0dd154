import type { Command } from '../commands/command-table.js'
import type { PauseControl } from '../commands/services.js'
import type { Session } from '../commands/session.js'
import type { Clock, Timer } from '../ports/clock.js'
import type { Request } from '../resp/request.js'
import { HeldCommands, stillWaits, type HeldCommand } from './held-commands.js'

/**
 * CLIENT PAUSE: commands of a kind are held back, one a client, and run in the order of their arrival when the pause is over. Meanwhile no
 * due key is removed either, so that the data stands still.
 */
export class ClientPause implements PauseControl {
  mode: 'none' | 'write' | 'all' = 'none'
  /** A pause has ended and what it held back has not run yet. */
  hasReleased = false
  private endMs = 0
  private timer: Timer | null = null
  private readonly held = new HeldCommands()
  private readonly released: HeldCommand[] = []
  private releasing = false

  constructor(
    private readonly clock: Clock,
    /** Runs a command that was held back, replies, and lets the session go on. */
    private readonly resume: (session: Session, request: Request) => void,
    /** Told when a pause is over, before the commands run that it held back: blocked clients have waited longer. */
    private readonly onRelease: () => void,
  ) {}

  begin(untilUnixMs: number, mode: 'write' | 'all'): void {
    if (this.mode !== 'all') this.mode = mode
    if (untilUnixMs > this.endMs) this.endMs = untilUnixMs
    this.timer?.cancel()
    this.timer = this.clock.setTimer(Math.max(0, this.endMs - this.clock.wallMs()), () => {
      this.end()
      this.release()
    })
  }

  /** The pause is over. What it held back runs at release, because a command may be under way. */
  end(): void {
    if (this.mode === 'none') return
    this.timer?.cancel()
    this.timer = null
    this.mode = 'none'
    this.endMs = 0
    this.hasReleased = true
    this.released.push(...this.held.take())
  }

  /** Runs what was held back. Between commands; nothing unless a pause has ended. */
  release(): void {
    // One of the commands that run now may itself end a pause: then the loop below takes what that one released.
    if (this.releasing || !this.hasReleased) return
    this.hasReleased = false
    this.releasing = true
    this.onRelease()
    for (let next = this.released.shift(); next !== undefined; next = this.released.shift()) {
      if (stillWaits(next)) this.resume(next.session, next.request)
    }
    this.releasing = false
  }

  /** True when the command must wait. QUIT never does: it changes nothing and says goodbye. */
  holds(command: Command, session: Session): boolean {
    if (this.mode === 'all') return command.spec.name !== 'quit'
    if (command.spec.name === 'exec') return session.queuedWrite
    return command.isWrite || command.mayReplicate
  }

  /** Keeps a copy of the request and blocks the session. */
  postpone(command: Command, session: Session, request: Request): void {
    this.held.add(command, session, request)
  }
}
