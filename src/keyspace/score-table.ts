import { Arena, type Ref } from '../memory/arena.js'
import { ZsetForms } from './zset-forms.js'

/** A scratch arena that took this much is let go after use, and with it what is in it. */
const KEEP_BYTES = 4 * 1024 * 1024
/** No dot: what stands here is nobody's write. */
const NOBODY = 0

/**
 * Members with scores that a command gathers, in the order of score and bytes: unions and intersections before they are answered or stored. It is a
 * large sorted set in an arena of its own, so a result of any size is no burden to the garbage collector.
 */
export class ScoreTable {
  forms: ZsetForms
  root: Ref = 0

  constructor(private readonly seed: number) {
    this.forms = new ZsetForms(new Arena(), seed)
  }

  /** Empties the table. To be followed by end. */
  begin(): void {
    this.root = this.forms.large.create()
  }

  end(): void {
    const { forms } = this
    if (forms.arena.usedBytes > KEEP_BYTES) {
      forms.arena.abandon()
      this.forms = new ZsetForms(new Arena(), this.seed)
    } else while (!forms.large.free(this.root, Infinity));
    this.root = 0
  }

  get count(): number {
    return this.forms.large.count(this.root)
  }

  /** A member's score, NaN if it is not there; put goes on from here. */
  look(buf: Uint8Array, off: number, len: number): number {
    const { large } = this.forms
    this.found = large.find(this.root, buf, off, len)
    return this.found === 0 ? NaN : large.score(this.found)
  }

  private found: Ref = 0

  /** Right after look: the member gets this score. */
  put(buf: Uint8Array, off: number, len: number, score: number): void {
    const { large } = this.forms
    if (this.found === 0) large.insert(this.root, buf, off, len, score, NOBODY, NOBODY)
    else large.setPlain(this.root, this.found, score, NOBODY, NOBODY)
  }

  remove(buf: Uint8Array, off: number, len: number): void {
    const { large } = this.forms
    const ref = large.find(this.root, buf, off, len)
    if (ref !== 0) large.remove(this.root, ref)
  }
}
