import { assert } from '../base/assert.js'
import { MeridianError } from '../base/errors.js'
import { allocateMemory, releasedMemory } from '../base/large-memory.js'

/**
 * Memory outside the JavaScript heap: blocks in large buffers, addressed by 32-bit references. A slab allocator after jemalloc and
 * mimalloc: size classes with at most 12.5 % waste, each carved from page runs that go back to the pool once all their blocks are free.
 *
 * ```
 * ref (u32)   chunk index : 13 | offset in the chunk in units of 8 bytes : 19
 * chunk       4 MiB = 1,024 pages of 4 KiB;  or one large block with a buffer of its own
 * run         consecutive pages of one chunk that serve one size class, or one medium block (16 KiB .. 1 MiB)
 * ```
 *
 * Reference 0 is never given out and means "none". Blocks are 8-byte aligned and not cleared. Words of a block are read as
 * `arena.u32[ref >>> CHUNK_SHIFT][((ref & UNIT_MASK) << 1) + i]`, bytes and doubles alike with << 3 and no shift: spelled out on hot
 * paths, because a call per word costs more than the access.
 */
export type Ref = number

export const CHUNK_SHIFT = 19
export const UNIT_MASK = (1 << CHUNK_SHIFT) - 1
const UNIT_BYTES = 8
const CHUNK_BYTES = (UNIT_MASK + 1) * UNIT_BYTES
const MAX_CHUNKS = 1 << (32 - CHUNK_SHIFT)
const PAGE_BYTES = 4096
const PAGE_UNITS = PAGE_BYTES / UNIT_BYTES
const PAGES_PER_CHUNK = CHUNK_BYTES / PAGE_BYTES
/** The first chunk is short, so that a database with little in it costs little. */
const FIRST_CHUNK_PAGES = 64
const MAX_SMALL_BYTES = 16 * 1024
const MAX_MEDIUM_BYTES = 1024 * 1024

/** Bytes of each size class: steps of 8 to 128, then eight steps a doubling. */
const CLASS_BYTES: readonly number[] = (() => {
  const sizes: number[] = []
  for (let size = 16; size <= 128; size += 8) sizes.push(size)
  for (let base = 128; base < MAX_SMALL_BYTES; base *= 2) {
    for (let step = 1; step <= 8; step++) sizes.push(base + (base / 8) * step)
  }
  return sizes
})()
const CLASS_COUNT = CLASS_BYTES.length
const CLASS_MEDIUM = 255

/** Class for a size in units of 8 bytes, rounded up. */
const CLASS_OF_UNITS = (() => {
  const table = new Uint8Array(MAX_SMALL_BYTES / UNIT_BYTES + 1)
  for (let units = 0, cls = 0; units < table.length; units++) {
    while (CLASS_BYTES[cls] < units * UNIT_BYTES) cls++
    table[units] = cls
  }
  return table
})()

/** Pages of a run: enough for little waste at its end, few enough that a rarely used class costs little. */
function runPagesOf(classBytes: number): number {
  if (classBytes <= 256) return 4
  return classBytes <= 2048 ? 8 : 16
}
const CLASS_RUN_PAGES = CLASS_BYTES.map(runPagesOf)
const CLASS_CAPACITY = CLASS_BYTES.map((bytes, cls) => Math.floor((CLASS_RUN_PAGES[cls] * PAGE_BYTES) / bytes))

const NO_RUN = -1
const FREE_PAGE = -1
const EMPTY_U8 = new Uint8Array(0)
const EMPTY_U32 = new Uint32Array(0)
const EMPTY_F64 = new Float64Array(0)

export class Arena {
  /** Views of each chunk, by chunk index; public for hot paths. */
  readonly u8: Uint8Array[] = []
  readonly u32: Uint32Array[] = []
  readonly f64: Float64Array[] = []

  /** Bytes of all live blocks, rounded up to their classes. */
  usedBytes = 0
  /** Bytes of all chunks. */
  reservedBytes = 0

  /** Per page: head page of its run, or FREE_PAGE. A page's number is chunk * PAGES_PER_CHUNK + page. */
  private runOfPage = new Int32Array(0)
  /** Per head page: size class, or CLASS_MEDIUM. */
  private runClass = new Uint8Array(0)
  /** Per head page: live blocks (small), or pages (medium). */
  private runUsed = new Uint16Array(0)
  /** Per head page: first free block, linked through the blocks' first words; 0 at the end. */
  private runFree = new Uint32Array(0)
  /** Per head page: blocks never handed out yet start here. */
  private runFresh = new Uint32Array(0)
  private runNext = new Int32Array(0)
  private runPrevious = new Int32Array(0)
  /** Per class: a run with room, or NO_RUN. Full runs are on no list. */
  private readonly partialRun = new Int32Array(CLASS_COUNT).fill(NO_RUN)

  /** Per chunk: free pages; -1 for a large block's chunk and for an unused index. */
  private readonly freePages: number[] = []
  /** Per chunk: no free page below this one. */
  private readonly firstFree: number[] = []
  private readonly unusedChunks: number[] = []
  /** Chunk that gave the last run. */
  private lastChunk = 0

  constructor(private readonly maxBytes = MAX_CHUNKS * CHUNK_BYTES) {
    this.addChunk(FIRST_CHUNK_PAGES)
    // Page 0 of chunk 0 is never given out, so that reference 0 means none.
    this.runOfPage[0] = 0
    this.runClass[0] = CLASS_MEDIUM
    this.runUsed[0] = 1
    this.freePages[0]--
    this.firstFree[0] = 1
  }

  /** A block of at least this many bytes; its content is undefined. */
  alloc(bytes: number): Ref {
    if (bytes > MAX_SMALL_BYTES) return bytes > MAX_MEDIUM_BYTES ? this.allocLarge(bytes) : this.allocMedium(bytes)
    const cls = CLASS_OF_UNITS[(bytes + 7) >>> 3]
    let run = this.partialRun[cls]
    if (run === NO_RUN) run = this.addRun(cls)
    let ref = this.runFree[run]
    if (ref !== 0) {
      this.runFree[run] = this.u32[ref >>> CHUNK_SHIFT][(ref & UNIT_MASK) << 1]
    } else {
      ref = this.runFresh[run]
      this.runFresh[run] = ref + (CLASS_BYTES[cls] >>> 3)
    }
    if (++this.runUsed[run] === CLASS_CAPACITY[cls]) this.unlinkRun(run, cls)
    this.usedBytes += CLASS_BYTES[cls]
    return ref
  }

  free(ref: Ref): void {
    assert(ref !== 0, 'free of no block')
    const chunk = ref >>> CHUNK_SHIFT
    if (this.freePages[chunk] < 0) {
      this.freeLarge(chunk)
      return
    }
    const run = this.runOfPage[chunk * PAGES_PER_CHUNK + (((ref & UNIT_MASK) / PAGE_UNITS) | 0)]
    assert(run !== FREE_PAGE, 'free of a block in a free page')
    const cls = this.runClass[run]
    if (cls === CLASS_MEDIUM) {
      const pages = this.runUsed[run]
      this.usedBytes -= pages * PAGE_BYTES
      this.freeRun(run, pages)
      return
    }
    this.u32[chunk][(ref & UNIT_MASK) << 1] = this.runFree[run]
    this.runFree[run] = ref
    this.usedBytes -= CLASS_BYTES[cls]
    const used = --this.runUsed[run]
    assert(used >= 0 && used < CLASS_CAPACITY[cls], 'run use count out of range')
    if (used === CLASS_CAPACITY[cls] - 1) this.linkRun(run, cls)
    if (used === 0) {
      this.unlinkRun(run, cls)
      this.freeRun(run, CLASS_RUN_PAGES[cls])
    }
  }

  /** Lets everything go, whoever still has the arena at hand: it is of no use afterwards. */
  abandon(): void {
    releasedMemory(this.reservedBytes)
    for (const views of [this.u8, this.u32, this.f64]) views.length = 0
    this.reservedBytes = this.usedBytes = 0
  }

  /** Bytes that the block really has: its class' size. */
  sizeOf(ref: Ref): number {
    const chunk = ref >>> CHUNK_SHIFT
    if (this.freePages[chunk] < 0) return this.u8[chunk].length
    const run = this.runOfPage[chunk * PAGES_PER_CHUNK + (((ref & UNIT_MASK) / PAGE_UNITS) | 0)]
    const cls = this.runClass[run]
    return cls === CLASS_MEDIUM ? this.runUsed[run] * PAGE_BYTES : CLASS_BYTES[cls]
  }

  /** What alloc(bytes) would really take. */
  static sizeFor(bytes: number): number {
    if (bytes <= MAX_SMALL_BYTES) return CLASS_BYTES[CLASS_OF_UNITS[(bytes + 7) >>> 3]]
    return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES
  }

  private allocMedium(bytes: number): Ref {
    const pages = Math.ceil(bytes / PAGE_BYTES)
    const run = this.takePages(pages)
    this.runClass[run] = CLASS_MEDIUM
    this.runUsed[run] = pages
    this.usedBytes += pages * PAGE_BYTES
    return this.refOfPage(run)
  }

  private allocLarge(bytes: number): Ref {
    const size = Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES
    const chunk = this.newChunkIndex(size)
    this.setChunk(chunk, allocateMemory(size))
    this.freePages[chunk] = -1
    this.usedBytes += size
    return (chunk << CHUNK_SHIFT) >>> 0
  }

  private freeLarge(chunk: number): void {
    const size = this.u8[chunk].length
    assert(size > 0, 'free of an unused chunk')
    this.usedBytes -= size
    this.dropChunk(chunk)
  }

  private refOfPage(page: number): Ref {
    return page * PAGE_UNITS
  }

  private addRun(cls: number): number {
    const run = this.takePages(CLASS_RUN_PAGES[cls])
    this.runClass[run] = cls
    this.runUsed[run] = 0
    this.runFree[run] = 0
    this.runFresh[run] = this.refOfPage(run)
    this.linkRun(run, cls)
    return run
  }

  private linkRun(run: number, cls: number): void {
    const head = this.partialRun[cls]
    this.runNext[run] = head
    this.runPrevious[run] = NO_RUN
    if (head !== NO_RUN) this.runPrevious[head] = run
    this.partialRun[cls] = run
  }

  private unlinkRun(run: number, cls: number): void {
    const next = this.runNext[run]
    const previous = this.runPrevious[run]
    if (previous === NO_RUN) this.partialRun[cls] = next
    else this.runNext[previous] = next
    if (next !== NO_RUN) this.runPrevious[next] = previous
  }

  /** Marks count consecutive free pages as one run and returns its head page. */
  private takePages(count: number): number {
    const start = this.findPages(this.lastChunk, count)
    if (start >= 0) return this.markRun(this.lastChunk, start, count)
    for (let chunk = 0; chunk < this.freePages.length; chunk++) {
      if (this.freePages[chunk] < count) continue
      const at = this.findPages(chunk, count)
      if (at >= 0) return this.markRun(chunk, at, count)
    }
    const chunk = this.addChunk()
    return this.markRun(chunk, 0, count)
  }

  private markRun(chunk: number, start: number, count: number): number {
    const head = chunk * PAGES_PER_CHUNK + start
    this.runOfPage.fill(head, head, head + count)
    this.freePages[chunk] -= count
    if (start === this.firstFree[chunk]) this.firstFree[chunk] = start + count
    this.lastChunk = chunk
    return head
  }

  private findPages(chunk: number, count: number): number {
    if (this.freePages[chunk] < count) return -1
    const base = chunk * PAGES_PER_CHUNK
    let found = 0
    const pages = this.u8[chunk].length / PAGE_BYTES
    for (let page = this.firstFree[chunk]; page < pages; page++) {
      found = this.runOfPage[base + page] === FREE_PAGE ? found + 1 : 0
      if (found === count) return page - count + 1
    }
    return -1
  }

  private freeRun(run: number, pages: number): void {
    const chunk = (run / PAGES_PER_CHUNK) | 0
    const start = run - chunk * PAGES_PER_CHUNK
    this.runOfPage.fill(FREE_PAGE, run, run + pages)
    this.freePages[chunk] += pages
    if (start < this.firstFree[chunk]) this.firstFree[chunk] = start
    // Chunk 0 holds the reserved page and so never empties; one other chunk may wait empty for the next run.
    if (this.freePages[chunk] === PAGES_PER_CHUNK && chunk !== this.lastChunk) this.dropChunk(chunk)
  }

  /** Lets go of the chunk that waits empty for the next run, if there is one. */
  dropSpare(): void {
    const chunk = this.lastChunk
    if (this.freePages[chunk] !== PAGES_PER_CHUNK) return
    this.lastChunk = 0
    this.dropChunk(chunk)
  }

  private newChunkIndex(bytes: number): number {
    if (this.reservedBytes + bytes > this.maxBytes) throw this.exhausted()
    const reused = this.unusedChunks.pop()
    if (reused !== undefined) return reused
    if (this.u8.length === MAX_CHUNKS) throw this.exhausted()
    return this.u8.length
  }

  private exhausted(): MeridianError {
    return new MeridianError(
      'MRD_MEMORY',
      `The data does not fit: ${this.reservedBytes} bytes are in use`,
      'Remove data, or spread it over more databases: the limit is for each of them.',
    )
  }

  private addChunk(pages = PAGES_PER_CHUNK): number {
    const bytes = pages * PAGE_BYTES
    const chunk = this.newChunkIndex(bytes)
    this.setChunk(chunk, allocateMemory(bytes))
    this.freePages[chunk] = pages
    this.firstFree[chunk] = 0
    const base = chunk * PAGES_PER_CHUNK
    this.growPageTables(base + pages)
    this.runOfPage.fill(FREE_PAGE, base, base + pages)
    return chunk
  }

  private setChunk(chunk: number, buffer: SharedArrayBuffer): void {
    this.u8[chunk] = new Uint8Array(buffer)
    this.u32[chunk] = new Uint32Array(buffer)
    this.f64[chunk] = new Float64Array(buffer)
    this.reservedBytes += buffer.byteLength
  }

  private dropChunk(chunk: number): void {
    const { length } = this.u8[chunk]
    this.reservedBytes -= length
    releasedMemory(length)
    this.u8[chunk] = EMPTY_U8
    this.u32[chunk] = EMPTY_U32
    this.f64[chunk] = EMPTY_F64
    this.freePages[chunk] = -1
    this.unusedChunks.push(chunk)
  }

  private growPageTables(pages: number): void {
    const old = this.runOfPage.length
    if (pages <= old) return
    const size = Math.max(pages, old * 2)
    this.runOfPage = copyInto(new Int32Array(size), this.runOfPage)
    this.runClass = copyInto(new Uint8Array(size), this.runClass)
    this.runUsed = copyInto(new Uint16Array(size), this.runUsed)
    this.runFree = copyInto(new Uint32Array(size), this.runFree)
    this.runFresh = copyInto(new Uint32Array(size), this.runFresh)
    this.runNext = copyInto(new Int32Array(size), this.runNext)
    this.runPrevious = copyInto(new Int32Array(size), this.runPrevious)
  }
}

function copyInto<T extends Int32Array | Uint8Array | Uint16Array | Uint32Array>(target: T, source: T): T {
  target.set(source)
  return target
}
