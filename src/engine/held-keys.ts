import { latin1 } from '../base/bytes.js'
import { LIMITS } from '../base/limits.js'
import { findKeys } from '../commands/server/command-keys.js'
import type { Command } from '../commands/command-table.js'
import type { Session } from '../commands/session.js'
import type { Request } from '../resp/request.js'

/** Nobody may write the key, or nobody may look at it either. */
export type Hold = 'from-writes' | 'from-all'

/** Commands without keys among their arguments that look at whichever keys there are. */
const WIDE = new Set([
  'crdt.digest',
  'dbsize',
  'debug',
  'flushall',
  'flushdb',
  'keys',
  'randomkey',
  'save',
  'scan',
  'shutdown',
  'swapdb',
])
/** Commands with a key in a database that is one of their arguments. */
const ACROSS = new Set(['copy', 'move'])

/** Keys that belong to one long write, from its first step to its last. */
export class HeldKeys {
  /** By 'db:key' in latin1. */
  private readonly keys = new Map<string, Hold>()
  /** Databases that are held as a whole. */
  private readonly databases = new Map<number, Hold>()
  private hidesSome = false

  constructor(private readonly databaseCount: number) {}

  hold(database: number, key: Uint8Array, off: number, len: number, hold: Hold): void {
    const name = nameOf(database, key, off, len)
    if (this.keys.get(name) !== 'from-all') this.keys.set(name, hold)
    if (hold === 'from-all') this.hidesSome = true
    if (this.keys.size > LIMITS.heldKeys) this.holdDatabases()
  }

  holdDatabase(database: number, hold: Hold): void {
    if (this.databases.get(database) !== 'from-all') this.databases.set(database, hold)
    if (hold === 'from-all') this.hidesSome = true
  }

  of(database: number, key: Uint8Array, off: number, len: number): Hold | undefined {
    if (this.databases.size > 0) {
      const hold = this.databases.get(database)
      if (hold !== undefined) return hold
    }
    return this.keys.get(nameOf(database, key, off, len))
  }

  /** True when a command of a session must wait, or EXEC for one that is queued. */
  holds(command: Command, session: Session, request: Request, commandOf: (request: Request) => Command): boolean {
    if (command.spec.name !== 'exec') return this.concerns(command, session.database, request)
    return (
      session.queued?.some((each) => {
        const queued = commandOf(each)
        return queued.spec.name === 'select' || this.concerns(queued, session.database, each)
      }) === true
    )
  }

  /** True when a command must wait. */
  concerns(command: Command, database: number, request: Request): boolean {
    const { spec, isWrite } = command
    if (spec.keys === undefined || spec.keys.length === 0)
      return WIDE.has(spec.name) && (isWrite || this.hidesSome || spec.name === 'debug')
    // Patterns of SORT lead to any key.
    const leadsAnywhere = request.argc > 2 && spec.keys.some(({ beginSearch }) => beginSearch === 'unknown')
    if (leadsAnywhere && (isWrite || this.hidesSome)) return true
    const found = findKeys(spec, request, 0)
    // Whatever is wrong with its arguments it says later.
    if (found === null) return true
    const { buf, off, len } = request
    for (const { position } of found) {
      const first = ACROSS.has(spec.name) ? 0 : database
      const end = ACROSS.has(spec.name) ? this.databaseCount : database + 1
      for (let each = first; each < end; each++) {
        const hold = this.of(each, buf, off[position], len[position])
        if (hold === 'from-all' || (hold === 'from-writes' && isWrite)) return true
      }
    }
    return false
  }

  /** Too many keys: their databases are held instead. */
  private holdDatabases(): void {
    for (const [name, hold] of this.keys) this.holdDatabase(Number(name.slice(0, name.indexOf(':'))), hold)
    this.keys.clear()
  }
}

function nameOf(database: number, key: Uint8Array, off: number, len: number): string {
  return `${database}:${latin1(key, off, len)}`
}
