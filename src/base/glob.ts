/**
 * Redis' glob over bytes: `*` any run, `?` any byte, `[abc]` `[a-z]` `[^x]` one of a class, `\` the next byte as it is.
 *
 * Source of the corner cases: Redis' documentation of KEYS and the behaviour of redis-server. An unclosed class ends with the pattern; the
 * bounds of a range may stand in either order and compare as signed bytes; a range may end in `]`; an empty text matches only an empty
 * pattern. Redis gives up after 1,000 stars that something follows, and so do we: it is part of what clients see.
 *
 * Every element but the star takes exactly one byte, so going back to the last star alone finds every match: at most pattern length times
 * text length, never exponential. Allocates nothing.
 */
const STAR = 42
const QUESTION = 63
const OPEN = 91
const CLOSE = 93
const BACKSLASH = 92
const CARET = 94
const DASH = 45
const MAX_STARS = 1000

export function matchesGlob(
  pattern: Uint8Array,
  patternOff: number,
  patternLen: number,
  text: Uint8Array,
  textOff: number,
  textLen: number,
  ignoreCase = false,
): boolean {
  const patternEnd = patternOff + patternLen
  const textEnd = textOff + textLen
  if (textLen === 0) return patternLen === 0
  let p = patternOff
  let t = textOff
  /** First pattern byte behind the last star, -1 before there was one; and where in the text that star ends for now. */
  let resumeP = -1
  let resumeT = 0
  let stars = 0
  for (;;) {
    if (t === textEnd) {
      while (p < patternEnd && pattern[p] === STAR) p++
      // A longer run for the last star would only leave less text for the same pattern.
      return p === patternEnd
    }
    if (p < patternEnd && pattern[p] === STAR) {
      while (p < patternEnd && pattern[p] === STAR) p++
      if (p === patternEnd) return true
      if (++stars > MAX_STARS) return false
      resumeP = p
      resumeT = t
      continue
    }
    const length = p < patternEnd ? matchOne(pattern, p, patternEnd, text[t], ignoreCase) : 0
    if (length > 0) {
      p += length
      t++
    } else if (resumeP >= 0) {
      p = resumeP
      t = ++resumeT
    } else {
      return false
    }
  }
}

/** Bytes of the pattern element at p if it matches the byte, else 0. The element is no star. */
function matchOne(pattern: Uint8Array, p: number, end: number, byte: number, ignoreCase: boolean): number {
  switch (pattern[p]) {
    case QUESTION:
      return 1
    case OPEN:
      return matchClass(pattern, p, end, byte, ignoreCase)
    case BACKSLASH:
      if (p + 1 < end) return same(pattern[p + 1], byte, ignoreCase) ? 2 : 0
  }
  return same(pattern[p], byte, ignoreCase) ? 1 : 0
}

function matchClass(pattern: Uint8Array, open: number, end: number, byte: number, ignoreCase: boolean): number {
  let p = open + 1
  const negated = p < end && pattern[p] === CARET
  if (negated) p++
  let found = false
  for (; p < end && pattern[p] !== CLOSE; p++) {
    if (pattern[p] === BACKSLASH && p + 1 < end) {
      p++
      // An escaped byte in a class keeps its case, as in Redis.
      if (pattern[p] === byte) found = true
    } else if (p + 2 < end && pattern[p + 1] === DASH) {
      if (inRange(pattern[p], pattern[p + 2], byte, ignoreCase)) found = true
      p += 2
    } else if (same(pattern[p], byte, ignoreCase)) {
      found = true
    }
  }
  if (found === negated) return 0
  return Math.min(p + 1, end) - open
}

function inRange(a: number, b: number, byte: number, ignoreCase: boolean): boolean {
  let low = signed(a)
  let high = signed(b)
  let value = signed(byte)
  if (low > high) {
    low = signed(b)
    high = signed(a)
  }
  if (ignoreCase) {
    low = lower(low)
    high = lower(high)
    value = lower(value)
  }
  return value >= low && value <= high
}

function same(a: number, b: number, ignoreCase: boolean): boolean {
  return a === b || (ignoreCase && lower(a) === lower(b))
}

function lower(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte + 32 : byte
}

function signed(byte: number): number {
  return (byte << 24) >> 24
}
