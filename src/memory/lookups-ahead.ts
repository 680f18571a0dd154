import { MOST_AHEAD } from '../base/arguments-ahead.js'

/** Several lookups in tables that are made together; see ByteDictionary.lookAhead. */
export class LookupsAhead {
  count = 0
  readonly hash = new Uint32Array(MOST_AHEAD)
  /** Where each one's table is described. */
  readonly table = new Int32Array(MOST_AHEAD)
  /** The records that they most likely come to, 0 for none. */
  readonly refs = new Uint32Array(MOST_AHEAD)
  /** Made of all that was read, so that reading is not optimised away. */
  seen = 0
}
