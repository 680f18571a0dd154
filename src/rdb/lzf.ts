/**
 * LZF, the compression of strings in Redis' files. The format (Marc Lehmann's liblzf):
 *
 * ```
 * 000LLLLL  byte{L+1}                 the bytes themselves, 1 to 32
 * LLLooooo  oooooooo                  L+2 bytes (L 1..6) from o+1 bytes back
 * 111ooooo  LLLLLLLL  oooooooo        L+9 bytes from o+1 bytes back
 * ```
 */
const MAX_LITERAL = 32
const MAX_DISTANCE = 8192
const MAX_MATCH = 264
const MIN_MATCH = 3
const HASH_BITS = 14

/** Three bytes stand for 264 at most. */
const MAX_RATIO = MAX_MATCH / 3

/**
 * The table of places. They count on from string to string, and what is not above `passed` is of one before: to clear 64 KiB for each takes 2 us, several times as
 * long as a short string.
 */
const places = new Int32Array(1 << HASH_BITS)
const MAX_PLACE = 2 ** 31 - 1
let passed = 0
/** What comes of strings that are not longer: most get no shorter, or little. */
const scratch = new Uint8Array(4096)

/** Whether so many compressed bytes can become so many: what is declared longer is refused before room is made for it. */
export function canDecompressTo(compressed: number, length: number): boolean {
  return length <= compressed * MAX_RATIO
}

/** Decompresses a byte range to exactly `length` bytes; null when it is not LZF of that length. */
export function decompressLzf(buf: Uint8Array, off: number, len: number, length: number): Uint8Array | null {
  if (!canDecompressTo(len, length)) return null
  const out = new Uint8Array(length)
  const end = off + len
  let at = off
  let to = 0
  while (at < end) {
    const control = buf[at++]
    if (control < MAX_LITERAL) {
      const count = control + 1
      if (at + count > end || to + count > length) return null
      for (let i = 0; i < count; i++) out[to++] = buf[at++]
      continue
    }
    let count = control >>> 5
    if (count === 7) {
      if (at >= end) return null
      count += buf[at++]
    }
    count += 2
    if (at >= end) return null
    let from = to - (((control & 0x1f) << 8) | buf[at++]) - 1
    if (from < 0 || to + count > length) return null
    // Byte by byte, for the ranges may overlap: that is how runs are stored.
    for (let i = 0; i < count; i++) out[to++] = out[from++]
  }
  return to === length ? out : null
}

/** Compresses a string of more than 4 bytes, or gives null when that saves fewer than 4 bytes (as Redis decides). */
export function compressLzf(input: Uint8Array): Uint8Array | null {
  const room = input.length - 4
  if (room <= 0) return null
  const out = room <= scratch.length ? scratch : new Uint8Array(room)
  if (passed > MAX_PLACE - input.length) {
    places.fill(0)
    passed = 0
  }
  const before = passed + 1
  passed += input.length
  const last = input.length - MIN_MATCH
  let literals = 0
  let to = 0
  let at = 0
  while (at <= last) {
    const slot = hash(input, at)
    const from = places[slot] - before
    places[slot] = at + before
    if (from < 0 || at - from > MAX_DISTANCE || !sameThree(input, from, at)) {
      at++
      continue
    }
    const most = Math.min(MAX_MATCH, input.length - at)
    let count = MIN_MATCH
    while (count < most && input[from + count] === input[at + count]) count++
    to = putLiterals(input, literals, at, out, to, room)
    if (to < 0 || to + 3 > room) return null
    const distance = at - from - 1
    const length = count - 2
    if (length < 7) {
      out[to++] = (length << 5) | (distance >>> 8)
    } else {
      out[to++] = (7 << 5) | (distance >>> 8)
      out[to++] = length - 7
    }
    out[to++] = distance & 0xff
    const next = at + count
    // Long runs repeat themselves: a few places in them are enough to find them again.
    for (let i = at + 1; i <= last && i < next && i < at + 16; i++) places[hash(input, i)] = i + before
    at = next
    literals = next
  }
  to = putLiterals(input, literals, input.length, out, to, room)
  return to < 0 ? null : out.slice(0, to)
}

function hash(input: Uint8Array, at: number): number {
  return Math.imul((input[at] << 16) | (input[at + 1] << 8) | input[at + 2], 0x9e3779b1) >>> (32 - HASH_BITS)
}

function sameThree(input: Uint8Array, a: number, b: number): boolean {
  return input[a] === input[b] && input[a + 1] === input[b + 1] && input[a + 2] === input[b + 2]
}

/** Puts input[from .. end) in runs; the new end of the output, or -1 when there is no room. */
function putLiterals(input: Uint8Array, from: number, end: number, out: Uint8Array, to: number, room: number): number {
  while (from < end) {
    const count = Math.min(MAX_LITERAL, end - from)
    if (to + 1 + count > room) return -1
    out[to++] = count - 1
    for (let i = 0; i < count; i++) out[to++] = input[from++]
  }
  return to
}
