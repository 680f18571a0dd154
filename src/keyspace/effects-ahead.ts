import type { EffectReader } from '../crdt/effect-reader.js'
import { LOOK_AHEAD_FROM } from './keys-ahead.js'
import type { Keyspace } from './keyspace.js'

/** Of a frame with more effects, the others are applied without. */
const MOST_EFFECTS = 4096

/** Where the keys of a frame's effects are, noted when it is checked: so they can be looked up together when it is applied, as those of a pipeline are. */
export class EffectsAhead {
  private count = 0
  private readonly database = new Int32Array(MOST_EFFECTS)
  private readonly off = new Int32Array(MOST_EFFECTS)
  private readonly len = new Int32Array(MOST_EFFECTS)

  clear(): void {
    this.count = 0
  }

  /** The effect that the reader stands at. */
  add({ database, keyOff, keyLen }: EffectReader): void {
    const i = this.count
    if (i === MOST_EFFECTS) return
    this.database[i] = database
    this.off[i] = keyOff
    this.len[i] = keyLen
    this.count = i + 1
  }

  /** Looks up what a number of effects from this one on are about. Gives the first that it did not look at, -1 for all others. */
  lookAhead(keyspace: Keyspace, bytes: Uint8Array, from: number): number {
    const { ahead } = keyspace
    ahead.forget()
    if (from >= this.count) return -1
    const db = keyspace.peek(this.database[from])
    let i = from
    for (let room = true; room && i < this.count && this.database[i] === this.database[from]; i++) {
      room = ahead.pushKey(bytes, this.off[i], this.len[i])
    }
    if (i - from > 1 && db !== undefined && db.keyCount >= LOOK_AHEAD_FROM) db.lookAhead()
    return i
  }
}
