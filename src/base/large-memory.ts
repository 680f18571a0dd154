/**
 * Memory outside of V8's heap, for the data and for large buffers. It lies in SharedArrayBuffers, although nothing is shared: V8 keeps account of the
 * bytes of ArrayBuffers, collects garbage for every 64 MB that they grow by, and marks for 5 to 10 ms at every further ArrayBuffer until it is done, all of
 * which stops everything. Of SharedArrayBuffers it keeps no account, so data may grow without a collection (docs/decisions/0032).
 *
 * Then V8 does not know either how much a collection would free: whoever drops such memory says so here, and when it is much, a collection is asked for.
 */

/** Dropped memory that may wait for a collection. */
const GARBAGE_BYTES = 64 * 1024 * 1024
/** What makes V8 begin a collection when it is allocated: more than the 64 MB by which ArrayBuffers may grow. */
const PRESSURE_BYTES = 96 * 1024 * 1024

/** Memory of at least so many bytes is never cleared in one go, if it is asked for by `allocateLazily`. */
const LAZY_BYTES = 4 * 1024 * 1024
/** What glibc always takes from the system, which clears a page when it is touched; smaller ones it clears itself, at once, when it has them left over. */
const MAPPED_BYTES = 32 * 1024 * 1024 + 4096

/** The bytes in use of memory that is larger, or SHARED. */
const askedFor = new WeakMap<ArrayBufferLike, number>()

const SHARED = -1

let garbageBytes = 0

/** Cleared memory that stays until its user has dropped it and said so by releasedMemory. */
export function allocateMemory(bytes: number): SharedArrayBuffer {
  return new SharedArrayBuffer(bytes)
}

/**
 * As allocateMemory, but without the 5 to 10 ms in one go that clearing tens of megabytes can take: it is cleared as it is touched, which takes address space of at
 * most 32 MiB more, and no memory.
 */
export function allocateLazily(bytes: number): Uint8Array {
  if (bytes < LAZY_BYTES || bytes >= MAPPED_BYTES) return new Uint8Array(allocateMemory(bytes))
  const memory = allocateMemory(MAPPED_BYTES)
  askedFor.set(memory, bytes)
  return new Uint8Array(memory, 0, bytes)
}

/** Whether these bytes are all that is in use of their memory. */
export function isAlone(bytes: Uint8Array): boolean {
  return bytes.length === (askedFor.get(bytes.buffer) ?? bytes.buffer.byteLength)
}

/** The memory of these bytes is written again and again, so that what lies in it is never alone there, whatever its length. */
export function markShared(bytes: Uint8Array): void {
  askedFor.set(bytes.buffer, SHARED)
}

/** These bytes, which begin with their memory, are all that it will ever hold. */
export function markWhole(bytes: Uint8Array): void {
  askedFor.set(bytes.buffer, bytes.length)
}

/** So many bytes of allocateMemory are not referred to any more, or will not be soon. */
export function releasedMemory(bytes: number): void {
  garbageBytes += bytes
  if (garbageBytes >= GARBAGE_BYTES) collectReleased()
}

/** Has what was dropped given back soon, however little it is. */
export function collectReleased(): void {
  garbageBytes = 0
  beginCollection()
}

/**
 * Makes V8 begin to mark garbage beside the program, as it does of itself when ArrayBuffers have grown: it is shown a large one, whose pages are never touched. A
 * small collection takes that one away again, so that V8 does not count it while it marks. To detach it, by giving it away, would be quicker by a millisecond; but from the
 * first ArrayBuffer that is detached on, all optimised code asks of every array that it reads whether it still has its memory: some 5 % of a command (docs/decisions/0041).
 */
export function beginCollection(): void {
  allocatePressure()
  collectYoung()
}

/** Does nothing until useYoungCollection: then that ArrayBuffer stays until V8 collects young garbage by itself. */
let collectYoung = (): void => undefined

/** How to collect young garbage at once, which JavaScript alone cannot say. */
export function useYoungCollection(collect: () => void): void {
  collectYoung = collect
}

/** By itself, so that no register refers to it when the small collection runs. */
function allocatePressure(): number {
  return new ArrayBuffer(PRESSURE_BYTES).byteLength
}
