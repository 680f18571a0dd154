import type { ApplyContext } from '../../crdt/apply-context.js'
import type { Keys } from '../keys.js'
import type { Keyspace } from '../keyspace.js'
import type { StringStore } from '../string-store.js'
import { ShardClearer } from './shard-clearer.js'
import { StateHashes } from './state-hashes.js'
import { StateLoader } from './state-loader.js'
import { StateWalk } from './state-walk.js'

/**
 * Whole states of keys, values with all that concurrent writes need, as bytes: for snapshots. The format is docs/formats/key-state.md; what may happen while
 * a walk is under way is docs/decisions/0018.
 */
export class KeyStates {
  constructor(
    private readonly keyspace: Keyspace,
    private readonly strings: StringStore,
    private readonly keys: Keys,
    private readonly context: ApplyContext,
  ) {}

  walk(): StateWalk {
    return new StateWalk(this.keyspace, this.strings, this.keys)
  }

  hashes(): StateHashes {
    return new StateHashes()
  }

  clearer(): ShardClearer {
    return new ShardClearer(this.keyspace, this.keys)
  }

  /** Of states that this member has written, or for which it stands in; foreign: of another one's. */
  loader(whose: 'own' | 'foreign' = 'own'): StateLoader {
    return new StateLoader(this.keyspace, this.strings, this.keys, this.context, whose === 'foreign')
  }
}
