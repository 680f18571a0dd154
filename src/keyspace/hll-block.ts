import { CHUNK_SHIFT, UNIT_MASK, type Arena, type Ref } from '../memory/arena.js'
import { byteOf, packDotHigh, packDotLow, unpackMember, unpackStamp, wordOf } from '../memory/record.js'

/**
 * The root block of a HyperLogLog key.
 *
 * ```
 * word 0   bytes of the HyperLogLog; 0 = there is none, only removals are remembered
 *      1   ref of the remembered removals; 0 = none
 *      2   dot of the newest add, or of the removal that is about to take it away
 *      3
 *      4   the HyperLogLog as Redis has it, see crdt/hyperloglog
 * ```
 *
 * The removals: a count in word 0, then from word 2 their dots, at most one a member.
 */
const MEMORY_WORD = 1
const DOT_WORD = 2
export const BLOCK_HEAD_BYTES = 16
const MEMORY_HEAD_WORDS = 2

export function sketchLength(arena: Arena, root: Ref): number {
  return arena.u32[root >>> CHUNK_SHIFT][(root & UNIT_MASK) << 1]
}

export function setSketchLength(arena: Arena, root: Ref, length: number): void {
  arena.u32[root >>> CHUNK_SHIFT][wordOf(root)] = length
}

/** Where the HyperLogLog begins in its chunk's bytes. */
export function sketchOffset(root: Ref): number {
  return byteOf(root) + BLOCK_HEAD_BYTES
}

export function newestMember(arena: Arena, root: Ref): number {
  return unpackMember(arena.u32[root >>> CHUNK_SHIFT][wordOf(root) + DOT_WORD])
}

export function newestStamp(arena: Arena, root: Ref): number {
  const words = arena.u32[root >>> CHUNK_SHIFT]
  const w = wordOf(root) + DOT_WORD
  return unpackStamp(words[w], words[w + 1])
}

export function setNewest(arena: Arena, root: Ref, member: number, stamp: number): void {
  const words = arena.u32[root >>> CHUNK_SHIFT]
  const w = wordOf(root) + DOT_WORD
  words[w] = packDotHigh(member, stamp)
  words[w + 1] = packDotLow(stamp)
}

/** A block with room for so many bytes of HyperLogLog, without one. */
export function newBlock(arena: Arena, bytes: number, memory: Ref): Ref {
  const root = arena.alloc(BLOCK_HEAD_BYTES + bytes)
  const words = arena.u32[root >>> CHUNK_SHIFT]
  const w = wordOf(root)
  words[w] = 0
  words[w + MEMORY_WORD] = memory
  words[w + DOT_WORD] = 0
  words[w + DOT_WORD + 1] = 0
  return root
}

/** A removal that adds may have not seen. */
export interface RememberedRemoval {
  readonly member: number
  readonly stamp: number
}

/** The block of remembered removals, 0 for none. */
export function memoryOf(arena: Arena, root: Ref): Ref {
  return arena.u32[root >>> CHUNK_SHIFT][wordOf(root) + MEMORY_WORD]
}

export function rememberedRemovals(arena: Arena, root: Ref): RememberedRemoval[] {
  const memory = memoryOf(arena, root)
  if (memory === 0) return []
  const words = arena.u32[memory >>> CHUNK_SHIFT]
  const w = wordOf(memory)
  return Array.from({ length: words[w] }, (_, i) => {
    const at = w + MEMORY_HEAD_WORDS + i * 2
    return { member: unpackMember(words[at]), stamp: unpackStamp(words[at], words[at + 1]) }
  })
}

export function setRemembered(arena: Arena, root: Ref, removals: readonly RememberedRemoval[]): void {
  const before = memoryOf(arena, root)
  let memory: Ref = 0
  if (removals.length > 0) {
    memory = arena.alloc((MEMORY_HEAD_WORDS + removals.length * 2) * 4)
    const words = arena.u32[memory >>> CHUNK_SHIFT]
    const w = wordOf(memory)
    words[w] = removals.length
    removals.forEach(({ member, stamp }, i) => {
      words[w + MEMORY_HEAD_WORDS + i * 2] = packDotHigh(member, stamp)
      words[w + MEMORY_HEAD_WORDS + i * 2 + 1] = packDotLow(stamp)
    })
  }
  if (before !== 0) arena.free(before)
  arena.u32[root >>> CHUNK_SHIFT][wordOf(root) + MEMORY_WORD] = memory
}

export function freeBlock(arena: Arena, root: Ref): void {
  const memory = memoryOf(arena, root)
  if (memory !== 0) arena.free(memory)
  arena.free(root)
}
