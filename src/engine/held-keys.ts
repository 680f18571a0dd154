import { equalBytes, latin1 } from '../base/bytes.js'
import { LIMITS } from '../base/limits.js'
import { countKeys, findKeys } from '../commands/server/command-keys.js'
import type { Command } from '../commands/command-table.js'
import type { KeyRange } from '../commands/services.js'
import type { Session } from '../commands/session.js'
import { DistinctRanges } from '../keyspace/byte-ranges.js'
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
/** Commands without keys that write an op, though their flags do not say so. */
const CHANGES_MEMBERS = new Set(['crdt.topology|add', 'crdt.topology|remove', 'crdt.topology|set'])
/** Commands with a key in a database that is one of their arguments. */
const ACROSS = new Set(['copy', 'move'])

interface HeldRange {
  readonly database: number
  readonly request: Request
  readonly names: DistinctRanges
  hold: Hold
}

/** Keys that belong to one long write, from its first step to its last. */
export class HeldKeys {
  /** By 'db:key' in latin1. */
  private readonly keys = new Map<string, Hold>()
  /** Databases that are held as a whole. */
  private readonly databases = new Map<number, Hold>()
  private hidesSome = false
  /** Nobody may look at anything, nor write what has no key. */
  private isEverything = false
  /** What keys begin with that nobody may write. */
  private readonly prefixes: { readonly database: number; readonly bytes: Uint8Array }[] = []
  /** Very many keys of one command, which stand in its request. */
  private range: HeldRange | null = null

  constructor(private readonly databaseCount: number) {}

  /**
   * The keys among the arguments of a request, all of one database, from writes: some hundred a step. seed: secret, see DistinctRanges. Nothing is made for each
   * of them. None may be looked at before the last step.
   */
  *holdRange(database: number, request: Request, { first, end, step }: KeyRange, seed: number): Generator<undefined, void> {
    const names = new DistinctRanges(seed)
    names.begin(Math.ceil((end - first) / step))
    this.range = { database, request, names, hold: 'from-writes' }
    let steps = 0
    for (let i = first; i < end; i += step) {
      names.pick(request, i)
      if (++steps % LIMITS.slicedReadSeek === 0) yield
    }
  }

  /** From now on nobody may look at the keys of the range. */
  hideRange(): void {
    if (this.range === null) return
    this.range.hold = 'from-all'
    this.hidesSome = true
  }

  hold(database: number, key: Uint8Array, off: number, len: number, hold: Hold): void {
    if (this.databases.size > 0) {
      const whole = this.databases.get(database)
      if (whole === 'from-all' || whole === hold) return
    }
    const name = nameOf(database, key, off, len)
    if (this.keys.get(name) !== 'from-all') this.keys.set(name, hold)
    if (hold === 'from-all') this.hidesSome = true
    if (this.keys.size > LIMITS.heldKeys) this.holdDatabases()
  }

  /** All keys that begin so, from writes. Kept. */
  holdPrefix(database: number, bytes: Uint8Array): void {
    this.prefixes.push({ database, bytes })
  }

  holdDatabase(database: number, hold: Hold): void {
    if (this.databases.get(database) !== 'from-all') this.databases.set(database, hold)
    if (hold === 'from-all') this.hidesSome = true
  }

  /** Everything from all, and also what is written without a key. */
  holdEverything(): void {
    this.isEverything = true
    this.hidesSome = true
  }

  of(database: number, key: Uint8Array, off: number, len: number): Hold | undefined {
    if (this.isEverything) return 'from-all'
    if (this.databases.size > 0) {
      const hold = this.databases.get(database)
      if (hold !== undefined) return hold
    }
    const { range } = this
    if (range !== null && range.database === database && range.names.includes(range.request, key, off, len)) return range.hold
    const hold = this.keys.size === 0 ? undefined : this.keys.get(nameOf(database, key, off, len))
    return hold ?? (this.hasPrefixOf(database, key, off, len) ? 'from-writes' : undefined)
  }

  private hasPrefixOf(database: number, key: Uint8Array, off: number, len: number): boolean {
    return this.prefixes.some(
      (prefix) =>
        prefix.database === database && prefix.bytes.length <= len && equalBytes(prefix.bytes, 0, key, off, prefix.bytes.length),
    )
  }

  /** True when a command of a session must wait, or EXEC for one that is queued. */
  holds(command: Command, session: Session, request: Request, commandOf: (request: Request) => Command): boolean {
    if (command.spec.name !== 'exec') return this.concerns(command, session.database, request)
    const { queued } = session
    if (queued === null) return false
    let keys = queued.length
    const reader = queued.reader()
    for (let each = reader.next(); each !== null; each = reader.next()) {
      const command = commandOf(each)
      keys += countKeys(command.spec, each)
      if (keys > LIMITS.heldKeyLooks || command.spec.name === 'select' || this.concerns(command, session.database, each))
        return true
    }
    return false
  }

  /** True when a command must wait. */
  concerns(command: Command, database: number, request: Request): boolean {
    const { spec, isWrite } = command
    if (spec.keys === undefined || spec.keys.length === 0) {
      if (this.isEverything && (isWrite || CHANGES_MEMBERS.has(command.fullName))) return true
      return WIDE.has(spec.name) && (isWrite || this.hidesSome || spec.name === 'debug')
    }
    if (this.isEverything) return true
    // Patterns of SORT lead to any key.
    const leadsAnywhere = request.argc > 2 && spec.keys.some(({ beginSearch }) => beginSearch === 'unknown')
    const mayCollide = isWrite || this.hidesSome
    if (leadsAnywhere && mayCollide) return true
    // Looking at very many keys, for every command that comes meanwhile, takes longer than waiting.
    if (request.argc > LIMITS.heldKeyLooks && countKeys(spec, request) > LIMITS.heldKeyLooks) return mayCollide
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
