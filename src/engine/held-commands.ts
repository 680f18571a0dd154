import type { Command } from '../commands/command-table.js'
import type { BlockedState, Session } from '../commands/session.js'
import type { Request } from '../resp/request.js'

export interface HeldCommand {
  readonly session: Session
  readonly request: Request
  readonly state: BlockedState
}

/** Commands that have not begun, because something must be over first; one a client, in the order of their arrival. */
export class HeldCommands {
  private commands: HeldCommand[] = []

  /** Keeps a copy of the request and blocks the session. */
  add(command: Command, session: Session, request: Request): void {
    const state: BlockedState = {
      command: command.fullName,
      isPostponed: true,
      timeOut: () => undefined,
      fail: () => undefined,
      cancel: () => {
        this.commands = this.commands.filter((other) => other.state !== state)
      },
    }
    session.blocked = state
    this.commands.push({ session, request: request.copy(), state })
  }

  /** All of them; here there are none any more. */
  take(): HeldCommand[] {
    const { commands } = this
    this.commands = []
    return commands
  }
}

/** False when the client has gone since. */
export function stillWaits({ session, state }: HeldCommand): boolean {
  return session.blocked === state
}
