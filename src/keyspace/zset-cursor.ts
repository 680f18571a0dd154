import { LIMITS } from '../base/limits.js'
import { CHUNK_SHIFT, type Ref } from '../memory/arena.js'
import { IndexCursor } from '../memory/order-index.js'
import type { ZsetForms } from './zset-forms.js'

/**
 * Walks a sorted set in its order, either way. The member that it is at is buf[off .. off+len), valid until the set changes. Reused: nothing is allocated.
 */
export class ZsetCursor {
  buf: Uint8Array = new Uint8Array(0)
  off = 0
  len = 0
  score = 0
  private forms: ZsetForms | null = null
  private root: Ref = 0
  /** Members of a packed set; -1 for a large one. */
  private packedCount = -1
  private position = 0
  private readonly starts = new Uint32Array(LIMITS.packedElements + 1)
  private readonly cursor = new IndexCursor()

  /** Goes to the member at a rank, which there must be. */
  seek(forms: ZsetForms, root: Ref, rank: number): void {
    this.forms = forms
    this.root = root
    if (forms.isPacked(root)) {
      this.packedCount = forms.packed.index(root, this.starts)
      this.position = rank
      this.readPacked(forms)
      return
    }
    this.packedCount = -1
    const { large } = forms
    large.index.seekRank(large.words(root), large.indexAt(root), rank, this.cursor)
    this.readLarge(forms, large.index.item(this.cursor))
  }

  /** Goes one on, or one back; false when there is none: then the cursor is of no use any more. */
  step(forward: boolean): boolean {
    const { forms } = this
    if (forms === null) return false
    if (this.packedCount >= 0) {
      this.position += forward ? 1 : -1
      if (this.position < 0 || this.position >= this.packedCount) return false
      this.readPacked(forms)
      return true
    }
    const { index } = forms.large
    const ref = forward ? index.next(this.cursor) : index.previous(this.cursor)
    if (ref === 0) return false
    this.readLarge(forms, ref)
    return true
  }

  private readPacked({ packed, arena }: ZsetForms): void {
    const { root, position } = this
    const start = this.starts[position]
    this.buf = arena.u8[root >>> CHUNK_SHIFT]
    this.off = packed.memberOff(root, start)
    this.len = packed.memberLen(root, start)
    this.score = packed.score(root, position)
  }

  private readLarge({ large, arena }: ZsetForms, ref: Ref): void {
    this.buf = arena.u8[ref >>> CHUNK_SHIFT]
    this.off = large.memberOff(ref)
    this.len = large.memberLen(ref)
    this.score = large.score(ref)
  }
}
