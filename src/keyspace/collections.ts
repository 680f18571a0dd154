import type { MemberId } from '../base/ids.js'
import type { ApplyContext } from '../crdt/apply-context.js'
import type { CompactLimits } from './compact-limits.js'
import type { Effects } from './effects.js'
import { HashStore } from './hash-store.js'
import { HllStore } from './hll-store.js'
import type { Keys } from './keys.js'
import type { Keyspace } from './keyspace.js'
import { ListStore } from './list-store.js'
import { SetStore } from './set-store.js'
import { StreamStore } from './stream-store.js'
import type { StringStore } from './string-store.js'
import { ZsetStore } from './zset-store.js'

/** What a store is made with. */
export interface StoreEnvironment {
  readonly self: MemberId
  readonly keyspace: Keyspace
  readonly strings: StringStore
  readonly context: ApplyContext
  readonly effects: Effects
}

/** The stores of all collection types. Keys has them by type as well. */
export class Collections {
  readonly hashes: HashStore
  readonly sets: SetStore
  readonly zsets: ZsetStore
  readonly lists: ListStore
  readonly streams: StreamStore
  readonly hlls: HllStore

  constructor(
    readonly environment: StoreEnvironment,
    keys: Keys,
  ) {
    this.hashes = new HashStore(environment)
    this.sets = new SetStore(environment)
    this.zsets = new ZsetStore(environment)
    this.lists = new ListStore(environment)
    this.streams = new StreamStore(environment)
    this.hlls = new HllStore(environment)
    for (const store of [this.hashes, this.sets, this.zsets, this.lists, this.streams, this.hlls]) keys.addStore(store)
  }

  /** How far collections are kept in their small forms. */
  limit(limits: CompactLimits): void {
    this.hashes.configure(limits)
    this.sets.configure(limits)
    this.zsets.configure(limits)
    this.lists.configure(limits)
  }
}
