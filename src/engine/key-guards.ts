import type { Command } from '../commands/command-table.js'
import type { Session } from '../commands/session.js'
import type { Database } from '../keyspace/database.js'
import type { Keyspace } from '../keyspace/keyspace.js'
import { CHUNK_SHIFT, type Ref } from '../memory/arena.js'
import type { Request } from '../resp/request.js'
import type { ClientPause } from './client-pause.js'
import type { LongWrites } from './long-writes.js'
import type { Migrations } from './migrations.js'
import type { SlicedReads } from './sliced-reads.js'

/** Keeps what goes in slices from others: keys of a long write are nobody else's, and things must not move in collections that are read or written. */
export class KeyGuards {
  /** Some reads are under way. */
  readsInSlices = false

  constructor(
    private readonly keyspace: Keyspace,
    private readonly slices: SlicedReads,
    private readonly longWrites: LongWrites,
    private readonly migrations: Migrations,
    private readonly pause: ClientPause,
  ) {}

  /** To be called when what is under way may have changed. */
  update(): void {
    const { keyspace } = this
    const writes = this.longWrites.heldKeys !== null
    keyspace.holdGuard = writes ? (db, ref) => this.isKeyHeld(db, ref) : null
    keyspace.settleGuard = writes || this.readsInSlices ? (db, ref) => this.holdsSettling(db, ref) : null
  }

  /** True when a command that waits must go on waiting: clients are paused, or a long write has its keys. */
  holds(command: Command, session: Session, request: Request): boolean {
    const { pause } = this
    if (pause.mode !== 'none' && pause.holds(command, session)) return true
    return this.longWrites.holds(command, session, request) || this.migrations.holds(command, session, request)
  }

  private isKeyHeld(db: Database, ref: Ref): boolean {
    const bytes = db.arena.u8[ref >>> CHUNK_SHIFT]
    const { heldKeys } = this.longWrites
    return heldKeys !== null && heldKeys.of(this.keyspace.indexOf(db), bytes, db.keyOffset(ref), db.keyLength(ref)) !== undefined
  }

  private holdsSettling(db: Database, ref: Ref): boolean {
    if (this.isKeyHeld(db, ref)) return true
    const bytes = db.arena.u8[ref >>> CHUNK_SHIFT]
    return this.slices.holdsSettling(this.keyspace.indexOf(db), bytes, db.keyOffset(ref), db.keyLength(ref))
  }
}
