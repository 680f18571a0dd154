import { LIMITS } from '../base/limits.js'
import { CHUNK_SHIFT, UNIT_MASK, type Arena, type Ref } from '../memory/arena.js'
import { LargeZset } from './large-zset.js'
import { FORM_MASK, PACKED, PackedZset } from './packed-zset.js'

/** The code for both forms of sorted sets, for one arena. */
export class ZsetForms {
  readonly packed: PackedZset
  readonly large: LargeZset

  constructor(
    readonly arena: Arena,
    seed: number,
  ) {
    this.packed = new PackedZset(arena)
    this.large = new LargeZset(arena, seed)
  }

  isPacked(root: Ref): boolean {
    return (this.arena.u32[root >>> CHUNK_SHIFT][(root & UNIT_MASK) << 1] & FORM_MASK) === PACKED
  }

  size(root: Ref): number {
    if (root === 0) return 0
    return this.isPacked(root) ? this.packed.count(root) : this.large.count(root)
  }

  /** The same members in a large sorted set; also of nothing. */
  asLarge(root: Ref): Ref {
    if (root === 0) return this.large.create()
    return this.isPacked(root) ? this.unpack(root) : root
  }

  /** A large sorted set of the same members, in place of a packed one. */
  unpack(root: Ref): Ref {
    const { packed, large, arena } = this
    const to = large.create()
    const count = packed.index(root, STARTS)
    for (let i = 0; i < count; i++) {
      // The record is in another block: the packed one stays where it is meanwhile.
      const bytes = arena.u8[root >>> CHUNK_SHIFT]
      const off = packed.memberOff(root, STARTS[i])
      const len = packed.memberLen(root, STARTS[i])
      large.insert(to, bytes, off, len, packed.score(root, i), packed.dotMember(root, i), packed.dotStamp(root, i))
    }
    arena.free(root)
    return to
  }
}

const STARTS = new Uint32Array(LIMITS.packedElements + 1)

/** The forms of the arenas in use. */
export class ZsetFormsOf {
  private readonly all = new WeakMap<Arena, ZsetForms>()
  private last: ZsetForms | null = null

  constructor(private readonly seed: number) {}

  of(arena: Arena): ZsetForms {
    if (this.last !== null && this.last.arena === arena) return this.last
    let forms = this.all.get(arena)
    if (forms === undefined) {
      forms = new ZsetForms(arena, this.seed)
      this.all.set(arena, forms)
    }
    this.last = forms
    return forms
  }
}
