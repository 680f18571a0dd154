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

let garbageBytes = 0

/** Cleared memory that stays until its user has dropped it and said so by releasedMemory. */
export function allocateMemory(bytes: number): SharedArrayBuffer {
  return new SharedArrayBuffer(bytes)
}

/** So many bytes of allocateMemory are not referred to any more, or will not be soon. */
export function releasedMemory(bytes: number): void {
  garbageBytes += bytes
  if (garbageBytes < GARBAGE_BYTES) return
  garbageBytes = 0
  beginCollection()
}

/**
 * Makes V8 begin to mark garbage beside the program, as it does of itself when ArrayBuffers have grown: it is shown a large one, whose pages are never
 * touched. That one is given away to a channel that nobody reads, so that V8 does not count it while it marks.
 */
export function beginCollection(): void {
  const { port1, port2 } = new MessageChannel()
  const pressure = new ArrayBuffer(PRESSURE_BYTES)
  port1.postMessage(null, [pressure])
  // Of the receiver: it drops what it was sent.
  port2.close()
}
