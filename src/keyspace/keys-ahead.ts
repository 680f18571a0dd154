import { ARGUMENTS_AHEAD, ArgumentsAhead, MOST_AHEAD } from '../base/arguments-ahead.js'
import { hashElement } from '../memory/element-hash.js'
import { LookupsAhead } from '../memory/lookups-ahead.js'

/** Databases and collections with fewer keys or elements are in the processor's cache as they are. */
export const LOOK_AHEAD_FROM = 4096

/** The commands that come next in a pipeline, and the hashes of their keys once they have been looked at: the lookups need not compute them again. */
export class KeysAhead {
  readonly args = new ArgumentsAhead()
  readonly lookups = new LookupsAhead()
  readonly slot = new Int32Array(MOST_AHEAD)
  /** Keys whose hashes are known, and the first of them that may still come. */
  private count = 0
  private next = 0

  /** What lies there may change. */
  forget(): void {
    this.args.forget()
    this.count = this.next = 0
  }

  /** Keys of effects that come next, of no command. True when there is room for more. */
  pushKey(buf: Uint8Array, off: number, len: number): boolean {
    const { args } = this
    const at = args.count++ * ARGUMENTS_AHEAD + 1
    args.buf = buf
    args.offs[at] = off
    args.lens[at] = len
    return args.count < MOST_AHEAD
  }

  /** The hashes of all keys are there. */
  hashed(): void {
    this.count = this.args.count
  }

  /** Hashes elements of one collection instead: those that an argument names, or, of commands of four arguments, another one. */
  hashElements(seed: number, argument: number, ofFour: number): void {
    const { args, lookups } = this
    const { hash } = lookups
    lookups.count = args.count
    for (let i = 0; i < args.count; i++) {
      const named = args.argc[i] === 4 ? ofFour : argument
      hash[i] = hashElement(seed, args.buf, args.off(i, named), args.len(i, named))
    }
  }

  /** The place of a range among the keys whose hashes are known, or -1. They are asked for in the order in which they lie there. */
  find(buf: Uint8Array, off: number, len: number): number {
    const { count, args } = this
    if (this.next === count || buf !== args.buf) return -1
    let i = this.next
    while (i < count && args.off(i, 1) < off) i++
    this.next = i
    return i < count && args.off(i, 1) === off && args.len(i, 1) === len ? i : -1
  }
}
