import { assert } from '../base/assert.js'
import { CHUNK_SHIFT, UNIT_MASK, type Arena, type Ref } from './arena.js'

/**
 * Ordered sequence of items with positions: a B+tree in the arena whose inner nodes know how much is below each child (counted B-tree, after Tatham).
 * Members of a sorted set by score and the chunks of a list or stream by position are kept in one. An item is any reference but 0; it has a
 * weight, which positions are counted in: 1, or in a weighted index anything from 0 up, such as the number of elements in a chunk.
 *
 * ```
 * descriptor   root, height (1: the root is a leaf), items, weight of all, first leaf, last leaf
 * leaf         count, parent, previous leaf, next leaf, items [LEAF_ITEMS], each followed by its weight when weighted, by its hint when hinted
 * inner node   count, parent, -, -, children [INNER_CHILDREN], least item of each child, weight of each child, and when hinted its hint
 * ```
 *
 * The descriptor is INDEX_WORDS words anywhere in a Uint32Array, such as the root block of a collection. Inserting in order, at either end,
 * fills nodes to the brim; otherwise a full node is halved. A node that runs low is merged with a neighbour if both fit well into one; an empty one
 * goes. That keeps neighbours more than a third full on average, without ever moving items from node to node for balance only. A root that
 * is a leaf has room for as many items as its block has.
 *
 * In a hinted index each item has a number of 32 bits that is never higher than that of an item behind it. A search looks at the items themselves, which are
 * elsewhere in memory, only among those with the same number: that makes it two or three times as fast.
 *
 * Nothing here allocates on the heap.
 */
export const INDEX_WORDS = 6
const ROOT = 0
const HEIGHT = 1
const COUNT = 2
const WEIGHT = 3
const FIRST = 4
const LAST = 5

const NODE_COUNT = 0
const PARENT = 1
const PREVIOUS = 2
const NEXT = 3
const HEAD_WORDS = 4

/** 256 bytes a leaf, 496 when weighted or hinted. */
const LEAF_ITEMS = 60
/** 496 bytes a node, 656 when hinted. */
const INNER_CHILDREN = 40
const MINS = HEAD_WORDS + INNER_CHILDREN
const WEIGHTS = MINS + INNER_CHILDREN
const HINTS = WEIGHTS + INNER_CHILDREN
/** When an index has no hints. */
const NO_HINT = -1
/** First block of a root: 12 items, or 6 with weights. */
const FIRST_LEAF_BYTES = 64

/** Fewer than that, and a merge is tried; it is done when the two fill at most so much of a node, so that the next insertion does not split it. */
const LOW_SHARE = 1 / 3
const MERGED_SHARE = 3 / 4

/** Where in the whole sequence a new node goes: at its end or beginning nodes are left full instead of being halved. */
const Lean = { start: -1, none: 0, end: 1 } as const
type Lean = (typeof Lean)[keyof typeof Lean]

/** The thing that is looked for. One reused object a store; its fields say what. */
export interface Ordering {
  /** Negative when the thing comes before the item, 0 when it is the item, positive when it comes after. */
  compare(item: Ref): number
  /** For a hinted index: the hint of the thing; absent or negative, and hints are not looked at. */
  readonly hint?: number
}

/** A place in an index: at an item, or at the end. Good until the index changes otherwise than by this cursor. */
export class IndexCursor {
  leaf: Ref = 0
  /** Of the item in its leaf; the leaf's count at the end of the index. */
  slot = 0
}

export class OrderIndex {
  /** Words from one item of a leaf to the next: its weight follows it, if weighted. */
  private readonly stride: number
  private readonly leafBytes: number
  private readonly innerWords: number

  constructor(
    private readonly arena: Arena,
    private readonly weighted = false,
    private readonly hinted = false,
  ) {
    assert(!(weighted && hinted), 'an index is weighted or hinted')
    this.stride = weighted || hinted ? 2 : 1
    this.innerWords = hinted ? HINTS + INNER_CHILDREN : HINTS
    this.leafBytes = (HEAD_WORDS + LEAF_ITEMS * this.stride) * 4
  }

  count(words: Uint32Array, d: number): number {
    return words[d + COUNT]
  }

  /** Weight of all items: positions are 0 .. weight-1. */
  weight(words: Uint32Array, d: number): number {
    return words[d + WEIGHT]
  }

  /** The item at a cursor; 0 at the end. */
  item(cursor: IndexCursor): Ref {
    if (cursor.leaf === 0) return 0
    const node = this.arena.u32[cursor.leaf >>> CHUNK_SHIFT]
    const n = (cursor.leaf & UNIT_MASK) << 1
    return cursor.slot < node[n + NODE_COUNT] ? node[n + HEAD_WORDS + cursor.slot * this.stride] : 0
  }

  weightOf(cursor: IndexCursor): number {
    return this.weighted ? this.get(cursor.leaf, HEAD_WORDS + cursor.slot * 2 + 1) : 1
  }

  /** Goes to the first item; gives it, 0 when there is none. */
  first(words: Uint32Array, d: number, cursor: IndexCursor): Ref {
    cursor.leaf = words[d + FIRST]
    cursor.slot = 0
    return this.item(cursor)
  }

  last(words: Uint32Array, d: number, cursor: IndexCursor): Ref {
    cursor.leaf = words[d + LAST]
    cursor.slot = cursor.leaf === 0 ? 0 : Math.max(0, this.get(cursor.leaf, NODE_COUNT) - 1)
    return this.item(cursor)
  }

  /** Goes behind the last item. */
  end(words: Uint32Array, d: number, cursor: IndexCursor): void {
    cursor.leaf = words[d + LAST]
    cursor.slot = cursor.leaf === 0 ? 0 : this.get(cursor.leaf, NODE_COUNT)
  }

  /** Goes to the next item; gives it, 0 at the end. */
  next(cursor: IndexCursor): Ref {
    if (cursor.leaf === 0) return 0
    const node = this.arena.u32[cursor.leaf >>> CHUNK_SHIFT]
    const n = (cursor.leaf & UNIT_MASK) << 1
    if (cursor.slot + 1 < node[n + NODE_COUNT]) return node[n + HEAD_WORDS + ++cursor.slot * this.stride]
    const next = node[n + NEXT]
    if (next === 0) {
      cursor.slot = node[n + NODE_COUNT]
      return 0
    }
    cursor.leaf = next
    cursor.slot = 0
    return this.get(next, HEAD_WORDS)
  }

  /** Goes to the item before; gives it. At the first item it stays there and gives 0. */
  previous(cursor: IndexCursor): Ref {
    if (cursor.leaf === 0) return 0
    if (cursor.slot === 0) {
      const previous = this.get(cursor.leaf, PREVIOUS)
      if (previous === 0) return 0
      cursor.leaf = previous
      cursor.slot = this.get(previous, NODE_COUNT)
    }
    cursor.slot--
    return this.get(cursor.leaf, HEAD_WORDS + cursor.slot * this.stride)
  }

  /** Goes to the first item that the thing does not come after; true when it is that item. */
  find(words: Uint32Array, d: number, ordering: Ordering, cursor: IndexCursor): boolean {
    const equal = this.descend(words, d, ordering, cursor)
    this.skipLeafEnd(cursor)
    return equal
  }

  /** Adds an item, with its weight or its hint, where the ordering says. False, and nothing is added, when it is there: then the cursor is at the item that is. */
  insert(words: Uint32Array, d: number, ordering: Ordering, item: Ref, weight: number, cursor: IndexCursor): boolean {
    // In order at either end: one comparison instead of a search.
    const last = this.last(words, d, cursor)
    if (last !== 0 && ordering.compare(last) > 0) {
      cursor.slot++
    } else if (this.descend(words, d, ordering, cursor)) {
      this.skipLeafEnd(cursor)
      return false
    }
    this.insertAt(words, d, cursor, item, weight)
    return true
  }

  /** Adds an item before the one at the cursor, or at the end if it is there. The cursor is at the new item then. */
  insertBefore(words: Uint32Array, d: number, cursor: IndexCursor, item: Ref, weight: number): void {
    // Behind the last item of the leaf before is the same place, and leaves every node's least item as it is.
    if (cursor.leaf !== 0 && cursor.slot === 0) {
      const previous = this.get(cursor.leaf, PREVIOUS)
      if (previous !== 0 && this.get(previous, NODE_COUNT) < LEAF_ITEMS) {
        cursor.leaf = previous
        cursor.slot = this.get(previous, NODE_COUNT)
      }
    }
    this.insertAt(words, d, cursor, item, weight)
  }

  /** Adds an item after the one at the cursor, which then is at the new item. */
  insertAfter(words: Uint32Array, d: number, cursor: IndexCursor, item: Ref, weight: number): void {
    cursor.slot++
    this.insertAt(words, d, cursor, item, weight)
  }

  /** Takes the item at the cursor out. The cursor is at the one that followed it then. */
  remove(words: Uint32Array, d: number, cursor: IndexCursor): void {
    const { leaf, slot } = cursor
    const node = this.arena.u32[leaf >>> CHUNK_SHIFT]
    const n = (leaf & UNIT_MASK) << 1
    const count = node[n + NODE_COUNT] - 1
    assert(slot <= count, 'removal at the end of an index')
    this.addWeight(words, d, leaf, -this.weightOf(cursor))
    words[d + COUNT]--
    const { stride } = this
    removeWords(node, n + HEAD_WORDS + slot * stride, n + HEAD_WORDS + (count + 1) * stride, stride)
    node[n + NODE_COUNT] = count
    if (count === 0) {
      cursor.leaf = node[n + NEXT]
      cursor.slot = 0
      if (cursor.leaf === 0 && node[n + PREVIOUS] !== 0) {
        cursor.leaf = node[n + PREVIOUS]
        cursor.slot = this.get(cursor.leaf, NODE_COUNT)
      }
      this.dropLeaf(words, d, leaf)
      return
    }
    if (slot === 0) this.setLeast(leaf, node[n + HEAD_WORDS], node[n + HEAD_WORDS + 1])
    if (count < LEAF_ITEMS * LOW_SHARE) this.mergeLeaf(words, d, leaf, cursor)
    this.skipLeafEnd(cursor)
  }

  /** The item at the cursor has another weight. */
  setWeight(words: Uint32Array, d: number, cursor: IndexCursor, weight: number): void {
    assert(this.weighted, 'weight in an index that has none')
    const node = this.arena.u32[cursor.leaf >>> CHUNK_SHIFT]
    const w = ((cursor.leaf & UNIT_MASK) << 1) + HEAD_WORDS + cursor.slot * 2 + 1
    const change = weight - node[w]
    if (change === 0) return
    node[w] = weight
    this.addWeight(words, d, cursor.leaf, change)
  }

  /** The item at the cursor has another reference: its block moved. */
  replace(cursor: IndexCursor, item: Ref): void {
    this.put(cursor.leaf, HEAD_WORDS + cursor.slot * this.stride, item)
    if (cursor.slot === 0) this.setLeast(cursor.leaf, item, this.get(cursor.leaf, HEAD_WORDS + 1))
  }

  /** Hint of the item at the cursor. */
  hintOf(cursor: IndexCursor): number {
    return this.get(cursor.leaf, HEAD_WORDS + cursor.slot * 2 + 1)
  }

  /** The item at the cursor has another hint, and still stands where it must. */
  setHint(cursor: IndexCursor, hint: number): void {
    assert(this.hinted, 'hint in an index that has none')
    this.put(cursor.leaf, HEAD_WORDS + cursor.slot * 2 + 1, hint)
    if (cursor.slot === 0) this.setLeast(cursor.leaf, this.get(cursor.leaf, HEAD_WORDS), hint)
  }

  /** Weight of all items before the cursor. */
  rank(words: Uint32Array, d: number, cursor: IndexCursor): number {
    if (cursor.leaf === 0) return 0
    let rank = this.leafWeight(cursor.leaf, cursor.slot)
    let child = cursor.leaf
    for (let level = words[d + HEIGHT]; level > 1; level--) {
      const parent = this.get(child, PARENT)
      const node = this.arena.u32[parent >>> CHUNK_SHIFT]
      const p = (parent & UNIT_MASK) << 1
      for (let i = 0; node[p + HEAD_WORDS + i] !== child; i++) rank += node[p + WEIGHTS + i]
      child = parent
    }
    return rank
  }

  /** Goes to the item that a position below the whole weight falls into; gives how far into it the position is. */
  seekRank(words: Uint32Array, d: number, position: number, cursor: IndexCursor): number {
    assert(position >= 0 && position < words[d + WEIGHT], 'no such position')
    let ref = words[d + ROOT]
    let rest = position
    for (let level = words[d + HEIGHT]; level > 1; level--) {
      const node = this.arena.u32[ref >>> CHUNK_SHIFT]
      const n = (ref & UNIT_MASK) << 1
      let i = 0
      while (rest >= node[n + WEIGHTS + i]) rest -= node[n + WEIGHTS + i++]
      ref = node[n + HEAD_WORDS + i]
    }
    cursor.leaf = ref
    cursor.slot = rest
    if (!this.weighted) return 0
    const node = this.arena.u32[ref >>> CHUNK_SHIFT]
    let w = ((ref & UNIT_MASK) << 1) + HEAD_WORDS + 1
    cursor.slot = 0
    for (; rest >= node[w]; w += 2) {
      rest -= node[w]
      cursor.slot++
    }
    return rest
  }

  /**
   * Frees the last leaf, and whatever nodes above it are empty then: how a large index is freed in slices. The items are the caller's. Gives
   * how many the leaf held, 0 when there was none left.
   */
  dropLastLeaf(words: Uint32Array, d: number): number {
    const leaf = words[d + LAST]
    if (leaf === 0) return 0
    const count = this.get(leaf, NODE_COUNT)
    this.addWeight(words, d, leaf, -this.leafWeight(leaf, count))
    words[d + COUNT] -= count
    this.dropLeaf(words, d, leaf)
    return count
  }

  /** Bytes of all nodes, reckoned from the number of items: right but for how full the nodes are. */
  nodeBytes(words: Uint32Array, d: number): number {
    const leaves = Math.ceil(words[d + COUNT] / (LEAF_ITEMS * AVERAGE_FILL))
    const inner = leaves <= 1 ? 0 : Math.ceil(leaves / (INNER_CHILDREN * AVERAGE_FILL - 1))
    return leaves * this.leafBytes + inner * this.innerWords * 4
  }

  private get(ref: Ref, word: number): number {
    return this.arena.u32[ref >>> CHUNK_SHIFT][((ref & UNIT_MASK) << 1) + word]
  }

  private put(ref: Ref, word: number, value: number): void {
    this.arena.u32[ref >>> CHUNK_SHIFT][((ref & UNIT_MASK) << 1) + word] = value
  }

  /** Weight of a leaf's first items. */
  private leafWeight(leaf: Ref, count: number): number {
    if (!this.weighted) return count
    const node = this.arena.u32[leaf >>> CHUNK_SHIFT]
    const first = ((leaf & UNIT_MASK) << 1) + HEAD_WORDS + 1
    let weight = 0
    for (let w = first; w < first + count * 2; w += 2) weight += node[w]
    return weight
  }

  /** As find, but stays behind the last item of a leaf where that is the place: there a new item needs no change above the leaf. */
  private descend(words: Uint32Array, d: number, ordering: Ordering, cursor: IndexCursor): boolean {
    let ref = words[d + ROOT]
    cursor.leaf = ref
    cursor.slot = 0
    if (ref === 0) return false
    const sought = this.hinted ? (ordering.hint ?? NO_HINT) : NO_HINT
    const { stride } = this
    for (let level = words[d + HEIGHT]; level > 1; level--) {
      const node = this.arena.u32[ref >>> CHUNK_SHIFT]
      const n = (ref & UNIT_MASK) << 1
      // The last child whose least item comes before the thing; the first one if there is none.
      let low = 0
      let high = node[n + NODE_COUNT] - 1
      while (low < high) {
        const middle = (low + high + 1) >>> 1
        const hint = sought < 0 ? sought : node[n + HINTS + middle]
        const order = hint === sought ? ordering.compare(node[n + MINS + middle]) : sought - hint
        if (order > 0) low = middle
        else high = middle - 1
      }
      ref = node[n + HEAD_WORDS + low]
    }
    const node = this.arena.u32[ref >>> CHUNK_SHIFT]
    const n = (ref & UNIT_MASK) << 1
    const count = node[n + NODE_COUNT]
    let low = 0
    let high = count
    while (low < high) {
      const middle = (low + high) >>> 1
      const at = n + HEAD_WORDS + middle * stride
      const hint = sought < 0 ? sought : node[at + 1]
      const order = hint === sought ? ordering.compare(node[at]) : sought - hint
      if (order > 0) {
        low = middle + 1
      } else if (order < 0) {
        high = middle
      } else {
        // No two items are equal.
        cursor.leaf = ref
        cursor.slot = middle
        return true
      }
    }
    cursor.leaf = ref
    cursor.slot = low
    if (low < count || node[n + NEXT] === 0) return false
    // The next leaf's least item may be the thing itself.
    return ordering.compare(this.get(node[n + NEXT], HEAD_WORDS)) === 0
  }

  private skipLeafEnd(cursor: IndexCursor): void {
    if (cursor.leaf === 0 || cursor.slot < this.get(cursor.leaf, NODE_COUNT)) return
    const next = this.get(cursor.leaf, NEXT)
    if (next === 0) return
    cursor.leaf = next
    cursor.slot = 0
  }

  private insertAt(words: Uint32Array, d: number, cursor: IndexCursor, item: Ref, weight: number): void {
    assert(item !== 0, 'item 0 in an index')
    words[d + COUNT]++
    if (cursor.leaf === 0) {
      assert(words[d + ROOT] === 0, 'a place of no leaf in an index that has some')
      cursor.leaf = this.newNode(FIRST_LEAF_BYTES)
      cursor.slot = 0
      words[d + HEIGHT] = 1
      this.setOnlyLeaf(words, d, cursor.leaf)
    } else if (words[d + HEIGHT] === 1 && this.get(cursor.leaf, NODE_COUNT) === this.capacityOf(cursor.leaf)) {
      if (this.get(cursor.leaf, NODE_COUNT) < LEAF_ITEMS) this.growOnlyLeaf(words, d, cursor)
      else this.makeRoom(words, d, cursor, item, weight)
    } else if (this.get(cursor.leaf, NODE_COUNT) === LEAF_ITEMS) {
      this.makeRoom(words, d, cursor, item, weight)
    }
    const { leaf, slot } = cursor
    const node = this.arena.u32[leaf >>> CHUNK_SHIFT]
    const n = (leaf & UNIT_MASK) << 1
    const count = node[n + NODE_COUNT]
    const { stride } = this
    const at = n + HEAD_WORDS + slot * stride
    insertWords(node, at, n + HEAD_WORDS + count * stride, stride)
    node[at] = item
    if (stride === 2) node[at + 1] = weight
    node[n + NODE_COUNT] = count + 1
    this.addWeight(words, d, leaf, this.weighted ? weight : 1)
    if (slot === 0) this.setLeast(leaf, item, weight)
  }

  private setOnlyLeaf(words: Uint32Array, d: number, leaf: Ref): void {
    words[d + ROOT] = leaf
    words[d + FIRST] = leaf
    words[d + LAST] = leaf
  }

  private capacityOf(leaf: Ref): number {
    return Math.min(LEAF_ITEMS, Math.floor(((this.arena.sizeOf(leaf) >>> 2) - HEAD_WORDS) / this.stride))
  }

  private growOnlyLeaf(words: Uint32Array, d: number, cursor: IndexCursor): void {
    const { leaf } = cursor
    const grown = this.newNode(Math.min(this.leafBytes, this.arena.sizeOf(leaf) * 2))
    const count = this.get(leaf, NODE_COUNT)
    this.put(grown, NODE_COUNT, count)
    this.copyWords(leaf, HEAD_WORDS, grown, HEAD_WORDS, count * this.stride)
    this.arena.free(leaf)
    this.setOnlyLeaf(words, d, grown)
    cursor.leaf = grown
  }

  /** The cursor's leaf is full: moves the cursor to the same place in one that has room. */
  private makeRoom(words: Uint32Array, d: number, cursor: IndexCursor, item: Ref, hint: number): void {
    const { leaf, slot } = cursor
    if (slot === LEAF_ITEMS && words[d + LAST] === leaf) {
      cursor.leaf = this.addLeaf(words, d, leaf, false, item, hint, Lean.end)
      cursor.slot = 0
      return
    }
    if (slot === 0 && words[d + FIRST] === leaf) {
      cursor.leaf = this.addLeaf(words, d, leaf, true, item, hint, Lean.start)
      return
    }
    const kept = LEAF_ITEMS >>> 1
    const moved = LEAF_ITEMS - kept
    const from = HEAD_WORDS + kept * this.stride
    const right = this.addLeaf(words, d, leaf, false, this.get(leaf, from), this.get(leaf, from + 1), Lean.none)
    this.copyWords(leaf, from, right, HEAD_WORDS, moved * this.stride)
    const weight = this.leafWeight(right, moved)
    this.put(leaf, NODE_COUNT, kept)
    this.put(right, NODE_COUNT, moved)
    this.addWeight(words, d, leaf, -weight)
    this.addWeight(words, d, right, weight)
    if (slot > kept) {
      cursor.leaf = right
      cursor.slot = slot - kept
    }
  }

  /** A new empty leaf beside another, in the chain and in the tree. least is the first item that it will get. */
  private addLeaf(words: Uint32Array, d: number, beside: Ref, before: boolean, least: Ref, hint: number, lean: Lean): Ref {
    const leaf = this.newNode(this.leafBytes)
    const previous = before ? this.get(beside, PREVIOUS) : beside
    const next = before ? beside : this.get(beside, NEXT)
    this.put(leaf, PREVIOUS, previous)
    this.put(leaf, NEXT, next)
    if (previous === 0) words[d + FIRST] = leaf
    else this.put(previous, NEXT, leaf)
    if (next === 0) words[d + LAST] = leaf
    else this.put(next, PREVIOUS, leaf)
    this.adopt(words, d, beside, before, leaf, least, hint, lean)
    return leaf
  }

  /** Puts a node, without weight as yet, beside another one into that one's parent. */
  private adopt(
    words: Uint32Array,
    d: number,
    beside: Ref,
    before: boolean,
    child: Ref,
    least: Ref,
    hint: number,
    lean: Lean,
  ): void {
    let parent = this.get(beside, PARENT)
    if (parent === 0) {
      parent = this.newNode(this.innerWords * 4)
      this.put(parent, NODE_COUNT, 1)
      this.put(parent, HEAD_WORDS, beside)
      this.put(parent, MINS, this.leastOf(beside, words[d + HEIGHT]))
      this.put(parent, WEIGHTS, words[d + WEIGHT])
      if (this.hinted) this.put(parent, HINTS, this.get(beside, words[d + HEIGHT] === 1 ? HEAD_WORDS + 1 : HINTS))
      this.put(beside, PARENT, parent)
      words[d + ROOT] = parent
      words[d + HEIGHT]++
    } else if (this.get(parent, NODE_COUNT) === INNER_CHILDREN) {
      if (lean !== Lean.none) {
        const lone = this.newNode(this.innerWords * 4)
        this.put(lone, NODE_COUNT, 1)
        this.put(lone, HEAD_WORDS, child)
        this.put(lone, MINS, least)
        this.put(lone, WEIGHTS, 0)
        if (this.hinted) this.put(lone, HINTS, hint)
        this.put(child, PARENT, lone)
        this.adopt(words, d, parent, before, lone, least, hint, lean)
        return
      }
      this.splitInner(words, d, parent)
      parent = this.get(beside, PARENT)
    }
    const node = this.arena.u32[parent >>> CHUNK_SHIFT]
    const p = (parent & UNIT_MASK) << 1
    const count = node[p + NODE_COUNT]
    const slot = this.slotOf(parent, beside) + (before ? 0 : 1)
    for (let array = p + HEAD_WORDS; array < p + this.innerWords; array += INNER_CHILDREN) {
      insertWords(node, array + slot, array + count, 1)
    }
    node[p + HEAD_WORDS + slot] = child
    node[p + MINS + slot] = least
    node[p + WEIGHTS + slot] = 0
    if (this.hinted) node[p + HINTS + slot] = hint
    node[p + NODE_COUNT] = count + 1
    this.put(child, PARENT, parent)
    if (slot === 0) this.setLeast(parent, least, hint)
  }

  private splitInner(words: Uint32Array, d: number, left: Ref): void {
    const kept = INNER_CHILDREN >>> 1
    const moved = INNER_CHILDREN - kept
    const right = this.newNode(this.innerWords * 4)
    let weight = 0
    for (let i = 0; i < moved; i++) {
      const child = this.get(left, HEAD_WORDS + kept + i)
      weight += this.get(left, WEIGHTS + kept + i)
      this.put(right, HEAD_WORDS + i, child)
      this.put(child, PARENT, right)
    }
    this.copyWords(left, MINS + kept, right, MINS, moved)
    this.copyWords(left, WEIGHTS + kept, right, WEIGHTS, moved)
    if (this.hinted) this.copyWords(left, HINTS + kept, right, HINTS, moved)
    this.put(left, NODE_COUNT, kept)
    this.put(right, NODE_COUNT, moved)
    this.adopt(words, d, left, false, right, this.get(right, MINS), this.hinted ? this.get(right, HINTS) : NO_HINT, Lean.none)
    this.addWeight(words, d, left, -weight)
    this.addWeight(words, d, right, weight)
  }

  /** Adds to what every node above knows of this one's weight. */
  private addWeight(words: Uint32Array, d: number, from: Ref, change: number): void {
    words[d + WEIGHT] += change
    let child = from
    for (;;) {
      const parent = this.get(child, PARENT)
      if (parent === 0) return
      const node = this.arena.u32[parent >>> CHUNK_SHIFT]
      node[((parent & UNIT_MASK) << 1) + WEIGHTS + this.slotOf(parent, child)] += change
      child = parent
    }
  }

  /** Tells the nodes above a node's new least item, and its hint. */
  private setLeast(from: Ref, least: Ref, hint: number): void {
    let child = from
    for (;;) {
      const parent = this.get(child, PARENT)
      if (parent === 0) return
      const slot = this.slotOf(parent, child)
      this.put(parent, MINS + slot, least)
      if (this.hinted) this.put(parent, HINTS + slot, hint)
      if (slot > 0) return
      child = parent
    }
  }

  private leastOf(ref: Ref, height: number): Ref {
    return this.get(ref, height === 1 ? HEAD_WORDS : MINS)
  }

  private slotOf(parent: Ref, child: Ref): number {
    const node = this.arena.u32[parent >>> CHUNK_SHIFT]
    const n = (parent & UNIT_MASK) << 1
    const first = n + HEAD_WORDS
    // What is appended to comes by here for each element, at every level: it is the last of its parent.
    const last = node[n + NODE_COUNT] - 1
    if (node[first + last] === child) return last
    let slot = 0
    while (node[first + slot] !== child) {
      slot++
      assert(slot < INNER_CHILDREN, 'node is not in its parent')
    }
    return slot
  }

  /** A leaf runs low: it and a neighbour under the same parent become one, if that is not too full. Keeps the cursor at its place. */
  private mergeLeaf(words: Uint32Array, d: number, leaf: Ref, cursor: IndexCursor): void {
    const parent = this.get(leaf, PARENT)
    if (parent === 0) return
    const left = this.mergeable(parent, leaf, LEAF_ITEMS * MERGED_SHARE)
    if (left === 0) return
    const right = this.get(left, NEXT)
    const kept = this.get(left, NODE_COUNT)
    const moved = this.get(right, NODE_COUNT)
    this.copyWords(right, HEAD_WORDS, left, HEAD_WORDS + kept * this.stride, moved * this.stride)
    this.put(left, NODE_COUNT, kept + moved)
    if (cursor.leaf === right) {
      cursor.leaf = left
      cursor.slot += kept
    }
    this.unchain(words, d, right)
    this.takeOver(words, d, parent, left, right)
    this.arena.free(right)
  }

  /** Inner nodes likewise, and the root goes while it has but one child. */
  private shrinkInner(words: Uint32Array, d: number, node: Ref): void {
    const parent = this.get(node, PARENT)
    const count = this.get(node, NODE_COUNT)
    if (parent === 0) {
      if (count > 1) return
      const child = this.get(node, HEAD_WORDS)
      this.put(child, PARENT, 0)
      words[d + ROOT] = child
      words[d + HEIGHT]--
      this.arena.free(node)
      if (words[d + HEIGHT] > 1) this.shrinkInner(words, d, child)
      return
    }
    if (count >= INNER_CHILDREN * LOW_SHARE) return
    const left = this.mergeable(parent, node, INNER_CHILDREN * MERGED_SHARE)
    if (left === 0) return
    const right = this.get(parent, HEAD_WORDS + this.slotOf(parent, left) + 1)
    const kept = this.get(left, NODE_COUNT)
    const moved = this.get(right, NODE_COUNT)
    for (let i = 0; i < moved; i++) {
      const child = this.get(right, HEAD_WORDS + i)
      this.put(left, HEAD_WORDS + kept + i, child)
      this.put(child, PARENT, left)
    }
    this.copyWords(right, MINS, left, MINS + kept, moved)
    this.copyWords(right, WEIGHTS, left, WEIGHTS + kept, moved)
    if (this.hinted) this.copyWords(right, HINTS, left, HINTS + kept, moved)
    this.put(left, NODE_COUNT, kept + moved)
    this.takeOver(words, d, parent, left, right)
    this.arena.free(right)
  }

  /** The left one of a child and its neighbour if together they hold no more than so many; the child's next neighbour first. 0: neither. */
  private mergeable(parent: Ref, child: Ref, most: number): Ref {
    const slot = this.slotOf(parent, child)
    const count = this.get(child, NODE_COUNT)
    if (slot + 1 < this.get(parent, NODE_COUNT)) {
      if (count + this.get(this.get(parent, HEAD_WORDS + slot + 1), NODE_COUNT) <= most) return child
    }
    if (slot > 0) {
      const left = this.get(parent, HEAD_WORDS + slot - 1)
      if (count + this.get(left, NODE_COUNT) <= most) return left
    }
    return 0
  }

  /** The left child has all that the right one had: the parent has one child less. */
  private takeOver(words: Uint32Array, d: number, parent: Ref, left: Ref, right: Ref): void {
    const slot = this.slotOf(parent, right)
    assert(slot > 0 && this.get(parent, HEAD_WORDS + slot - 1) === left, 'merge of nodes that are no neighbours')
    this.put(parent, WEIGHTS + slot - 1, this.get(parent, WEIGHTS + slot - 1) + this.get(parent, WEIGHTS + slot))
    this.dropChild(parent, slot)
    this.shrinkInner(words, d, parent)
  }

  private dropChild(parent: Ref, slot: number): void {
    const node = this.arena.u32[parent >>> CHUNK_SHIFT]
    const p = (parent & UNIT_MASK) << 1
    const count = node[p + NODE_COUNT]
    for (let array = p + HEAD_WORDS; array < p + this.innerWords; array += INNER_CHILDREN) {
      removeWords(node, array + slot, array + count, 1)
    }
    node[p + NODE_COUNT] = count - 1
  }

  /** Frees a leaf without weight, and the nodes above that have nothing else. */
  private dropLeaf(words: Uint32Array, d: number, leaf: Ref): void {
    this.unchain(words, d, leaf)
    let child = leaf
    for (;;) {
      const parent = this.get(child, PARENT)
      if (parent === 0) {
        this.arena.free(child)
        words[d + ROOT] = 0
        words[d + HEIGHT] = 0
        return
      }
      const slot = this.slotOf(parent, child)
      this.arena.free(child)
      this.dropChild(parent, slot)
      if (this.get(parent, NODE_COUNT) > 0) {
        if (slot === 0) this.setLeast(parent, this.get(parent, MINS), this.hinted ? this.get(parent, HINTS) : NO_HINT)
        this.shrinkInner(words, d, parent)
        return
      }
      child = parent
    }
  }

  private unchain(words: Uint32Array, d: number, leaf: Ref): void {
    const previous = this.get(leaf, PREVIOUS)
    const next = this.get(leaf, NEXT)
    if (previous === 0) words[d + FIRST] = next
    else this.put(previous, NEXT, next)
    if (next === 0) words[d + LAST] = previous
    else this.put(next, PREVIOUS, previous)
  }

  private copyWords(from: Ref, fromWord: number, to: Ref, toWord: number, count: number): void {
    const source = this.arena.u32[from >>> CHUNK_SHIFT]
    const target = this.arena.u32[to >>> CHUNK_SHIFT]
    const f = ((from & UNIT_MASK) << 1) + fromWord
    const t = ((to & UNIT_MASK) << 1) + toWord
    for (let i = 0; i < count; i++) target[t + i] = source[f + i]
  }

  private newNode(bytes: number): Ref {
    const ref = this.arena.alloc(bytes)
    const n = (ref & UNIT_MASK) << 1
    this.arena.u32[ref >>> CHUNK_SHIFT].fill(0, n, n + HEAD_WORDS)
    return ref
  }
}

/** How full nodes are after insertions in random order. */
const AVERAGE_FILL = 0.69

/** Makes room for so many words; those up to end move on. Loops: a call into the runtime costs as much as 60 words. */
function insertWords(words: Uint32Array, at: number, end: number, count: number): void {
  for (let i = end - 1; i >= at; i--) words[i + count] = words[i]
}

/** Closes the gap of so many words; those behind it, up to end, move down. */
function removeWords(words: Uint32Array, at: number, end: number, count: number): void {
  for (let i = at + count; i < end; i++) words[i - count] = words[i]
}
