import { MOST_AHEAD } from '../base/arguments-ahead.js'

/** Of a cache line of 64 bytes, as nearly all processors have. */
const CACHE_LINE_WORDS = 16

/** Several lookups in tables that are made together; see ByteDictionary.lookAhead. */
export class LookupsAhead {
  count = 0
  readonly hash = new Uint32Array(MOST_AHEAD)
  /** Where each one's table is described. */
  readonly table = new Int32Array(MOST_AHEAD)
  /** The records that they most likely come to, 0 for none. */
  readonly refs = new Uint32Array(MOST_AHEAD)
  /** For the way there: a place in the table's list, and the word that the next step reads, as chunk of the arena and place in it. */
  readonly index = new Int32Array(MOST_AHEAD)
  readonly chunk = new Int32Array(MOST_AHEAD)
  readonly at = new Int32Array(MOST_AHEAD)
  /** Made of all that was read, so that reading is not optimised away. */
  private seen = 0

  /** Reads the words. The less is done for each, the more of them the processor has under way at a time: it goes some 200 instructions ahead. */
  touch(u32: readonly Uint32Array[]): void {
    const { count, chunk, at } = this
    for (let i = count; (i & 3) !== 0; i++) chunk[i] = at[i] = 0
    let seen = 0
    for (let i = 0; i < count; i += 4) {
      seen ^= u32[chunk[i]][at[i]] ^ u32[chunk[i + 1]][at[i + 1]] ^ u32[chunk[i + 2]][at[i + 2]] ^ u32[chunk[i + 3]][at[i + 3]]
    }
    this.seen ^= seen
  }

  /** Reads what is in the cache line behind them. At the end of a chunk there may be none. */
  touchBehind(u32: readonly Uint32Array[]): void {
    const { count, chunk, at } = this
    for (let i = 0; i < count; i++) at[i] = Math.min(at[i] + CACHE_LINE_WORDS, u32[chunk[i]].length - 1)
    this.touch(u32)
  }
}
