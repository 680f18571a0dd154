import type { Request } from './request.js'

/**
 * Splits an inline command (a line typed by hand) into arguments. Quoting as in Redis: "..." understands \n \r \t \b \a, \xHH and
 * \ before any other byte; '...' understands only \'. A quote may open in the middle of a word, but after it closes a space must
 * follow. A zero byte ends the line, because Redis reads it as a C string.
 */
const DOUBLE_QUOTE = 34
const SINGLE_QUOTE = 39
const BACKSLASH = 92

function isSpace(byte: number): boolean {
  return byte === 32 || (byte >= 9 && byte <= 13)
}

/** Ends a word outside quotes. Vertical tab and form feed do not, although they are skipped between words. */
function endsWord(byte: number): boolean {
  return byte === 32 || byte === 10 || byte === 13 || byte === 9
}

function endOfText(buf: Uint8Array, start: number, lineEnd: number): number {
  for (let at = start; at < lineEnd; at++) if (buf[at] === 0) return at
  return lineEnd
}

/**
 * Appends the arguments of buf[start .. lineEnd) to a request that is empty and whose buf is buf. Without quotes the arguments are ranges
 * of buf; with quotes they are ranges of a scratch copy, which becomes the request's buf.
 * @returns false when quotes are unbalanced.
 */
export function splitInline(request: Request, buf: Uint8Array, start: number, lineEnd: number): boolean {
  const end = endOfText(buf, start, lineEnd)
  let at = start
  for (;;) {
    while (at < end && isSpace(buf[at])) at++
    if (at === end) return true
    const from = at
    while (at < end && !endsWord(buf[at])) {
      if (buf[at] === DOUBLE_QUOTE || buf[at] === SINGLE_QUOTE) return splitQuoted(request, buf, start, end)
      at++
    }
    request.push(from, at - from)
  }
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48
  const lower = byte | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}

/** The byte that a letter after a backslash stands for; any other byte stands for itself. */
function escaped(byte: number): number {
  switch (byte) {
    case 110: // n
      return 10
    case 114: // r
      return 13
    case 116: // t
      return 9
    case 98: // b
      return 8
    case 97: // a
      return 7
    default:
      return byte
  }
}

/** Unquoting never lengthens a line, so the scratch buffer has the line's length. Lines are bounded by maxInlineBytes. */
function splitQuoted(request: Request, buf: Uint8Array, start: number, end: number): boolean {
  const scratch = new Uint8Array(end - start)
  let to = 0
  let at = start
  request.argc = 0
  request.buf = scratch
  for (;;) {
    while (at < end && isSpace(buf[at])) at++
    if (at === end) return true
    const from = to
    while (at < end && !endsWord(buf[at])) {
      const quote = buf[at]
      if (quote !== DOUBLE_QUOTE && quote !== SINGLE_QUOTE) {
        scratch[to++] = buf[at++]
        continue
      }
      at++
      for (;;) {
        if (at === end) return false
        const byte = buf[at]
        if (byte === quote) break
        if (byte === BACKSLASH && at + 1 < end) {
          if (quote === SINGLE_QUOTE) {
            if (buf[at + 1] === SINGLE_QUOTE) at++
            scratch[to++] = buf[at++]
            continue
          }
          if (buf[at + 1] === 120 && at + 3 < end && hexDigit(buf[at + 2]) >= 0 && hexDigit(buf[at + 3]) >= 0) {
            scratch[to++] = hexDigit(buf[at + 2]) * 16 + hexDigit(buf[at + 3])
            at += 4
            continue
          }
          scratch[to++] = escaped(buf[at + 1])
          at += 2
          continue
        }
        scratch[to++] = byte
        at++
      }
      at++
      if (at < end && !isSpace(buf[at])) return false
      break
    }
    request.push(from, to - from)
  }
}
