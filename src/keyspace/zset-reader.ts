import { CHUNK_SHIFT, UNIT_MASK, type Arena, type Ref } from '../memory/arena.js'
import { IndexCursor, type Ordering } from '../memory/order-index.js'
import { KEY_LENGTH_WORD } from '../memory/record.js'
import type { Database } from './database.js'
import { scoreHint, type LargeZset } from './large-zset.js'
import { compareRanges } from './packed-zset.js'
import { ScoreTable } from './score-table.js'
import { ZsetCursor } from './zset-cursor.js'
import { ZsetFormsOf } from './zset-forms.js'

/** Nothing is stored as NaN, so it says that a member is not there. */
export const NO_SCORE = NaN

/**
 * What commands read of sorted sets. Every range is one of ranks: the bounds of a range of scores or names are turned into ranks first, in
 * O(log n), and then counted, cut or walked.
 */
export class ZsetReader {
  readonly cursor = new ZsetCursor()
  protected readonly formsOf: ZsetFormsOf
  private readonly place = new IndexCursor()
  private readonly byScore = new ScoreBound()
  private readonly byName = new NameBound()

  constructor(private readonly hashSeed: number) {
    this.formsOf = new ZsetFormsOf(hashSeed)
  }

  /** For what commands gather; made when first needed. */
  get scratch(): ScoreTable {
    return (this.scratchTable ??= new ScoreTable(this.hashSeed))
  }

  private scratchTable: ScoreTable | null = null

  /** The same for what is gathered in slices: others may gather in between. */
  newScratch(): ScoreTable {
    return new ScoreTable(this.hashSeed)
  }

  /** Members; 0 for root 0. */
  size(db: Database, root: Ref): number {
    return this.formsOf.of(db.arena).size(root)
  }

  /** A member's score, NO_SCORE if it is not there. */
  score(db: Database, root: Ref, buf: Uint8Array, off: number, len: number): number {
    if (root === 0) return NO_SCORE
    const forms = this.formsOf.of(db.arena)
    if (forms.isPacked(root)) {
      const i = forms.packed.find(root, buf, off, len)
      return i < 0 ? NO_SCORE : forms.packed.score(root, i)
    }
    const ref = forms.large.find(root, buf, off, len)
    return ref === 0 ? NO_SCORE : forms.large.score(ref)
  }

  /** Members before this one, -1 if it is not there. Its score is in `foundScore` then. */
  rank(db: Database, root: Ref, buf: Uint8Array, off: number, len: number): number {
    if (root === 0) return -1
    const forms = this.formsOf.of(db.arena)
    if (forms.isPacked(root)) {
      const i = forms.packed.find(root, buf, off, len)
      if (i >= 0) this.foundScore = forms.packed.score(root, i)
      return i
    }
    const ref = forms.large.find(root, buf, off, len)
    if (ref === 0) return -1
    this.foundScore = forms.large.score(ref)
    return forms.large.rank(root, ref)
  }

  foundScore = 0

  /** How many members have a score below this one; with `orEqual` up to it. */
  countBelow(db: Database, root: Ref, score: number, orEqual: boolean): number {
    if (root === 0) return 0
    const forms = this.formsOf.of(db.arena)
    if (forms.isPacked(root)) {
      const { packed } = forms
      let low = 0
      let high = packed.count(root)
      while (low < high) {
        const middle = (low + high) >>> 1
        const other = packed.score(root, middle)
        if (other < score || (orEqual && other === score)) low = middle + 1
        else high = middle
      }
      return low
    }
    // Ranges are often open at one end.
    if (score === Infinity && orEqual) return forms.large.count(root)
    if (score === -Infinity && !orEqual) return 0
    const { byScore } = this
    byScore.large = forms.large
    byScore.score = score
    byScore.hint = scoreHint(score)
    byScore.orEqual = orEqual
    return this.rankOf(forms.large, root, byScore)
  }

  /** How many members of a large set come before these bytes, if its scores are all alike; with `orEqual` that member included. */
  countBefore(db: Database, root: Ref, buf: Uint8Array, off: number, len: number, orEqual: boolean): number {
    const forms = this.formsOf.of(db.arena)
    const { byName } = this
    byName.arena = db.arena
    byName.large = forms.large
    byName.buf = buf
    byName.off = off
    byName.len = len
    byName.orEqual = orEqual
    return this.rankOf(forms.large, root, byName)
  }

  /** Moves the cursor to the member at a rank, which there must be. */
  seek(db: Database, root: Ref, rank: number, cursor = this.cursor): ZsetCursor {
    cursor.seek(this.formsOf.of(db.arena), root, rank)
    return cursor
  }

  isPacked(db: Database, root: Ref): boolean {
    return this.formsOf.of(db.arena).isPacked(root)
  }

  /**
   * One step of a scan of a large set, as ElementTable.scan: gives the next cursor, 0 at the end. Tells whether a member was found, which is in
   * `cursor`'s fields then.
   */
  scan(db: Database, root: Ref, at: number): number {
    const { large } = this.formsOf.of(db.arena)
    const next = large.scan(root, at)
    const ref = large.scanned
    this.hasScanned = ref !== 0
    if (ref !== 0) {
      const { cursor } = this
      cursor.buf = db.arena.u8[ref >>> CHUNK_SHIFT]
      cursor.off = large.memberOff(ref)
      cursor.len = large.memberLen(ref)
      cursor.score = large.score(ref)
    }
    return next
  }

  hasScanned = false

  private rankOf(large: LargeZset, root: Ref, bound: Ordering): number {
    const words = large.words(root)
    const at = large.indexAt(root)
    large.index.find(words, at, bound, this.place)
    return large.index.rank(words, at, this.place)
  }
}

/** Behind all items that are below the bound, and before the others: never equal. */
class ScoreBound implements Ordering {
  large!: LargeZset
  score = 0
  hint = 0
  orEqual = false

  compare(item: Ref): number {
    const other = this.large.score(item)
    return other < this.score || (this.orEqual && other === this.score) ? 1 : -1
  }
}

class NameBound implements Ordering {
  arena!: Arena
  large!: LargeZset
  buf: Uint8Array = new Uint8Array(0)
  off = 0
  len = 0
  orEqual = false

  compare(item: Ref): number {
    const length = this.arena.u32[item >>> CHUNK_SHIFT][((item & UNIT_MASK) << 1) + KEY_LENGTH_WORD]
    const bytes = this.arena.u8[item >>> CHUNK_SHIFT]
    const order = compareRanges(bytes, this.large.memberOff(item), length, this.buf, this.off, this.len)
    return order < 0 || (this.orEqual && order === 0) ? 1 : -1
  }
}
