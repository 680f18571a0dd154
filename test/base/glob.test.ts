import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matchesGlob } from '../../src/base/glob.js'

function matches(pattern: string, text: string, ignoreCase = false): boolean {
  const p = Buffer.from(pattern, 'latin1')
  const t = Buffer.from(text, 'latin1')
  return matchesGlob(p, 0, p.length, t, 0, t.length, ignoreCase)
}

describe('matchesGlob', () => {
  it.each([
    ['h?llo', 'hello', true],
    ['h?llo', 'hllo', false],
    ['h*llo', 'heeeello', true],
    ['h*llo', 'hllo', true],
    ['h[ae]llo', 'hallo', true],
    ['h[ae]llo', 'hillo', false],
    ['h[^e]llo', 'hallo', true],
    ['h[^e]llo', 'hello', false],
    ['h[a-c]llo', 'hbllo', true],
    ['h[c-a]llo', 'hbllo', true],
    ['h[a-c]llo', 'hdllo', false],
    ['[^a-z]x', 'Ax', true],
    ['[^a-z]x', 'ax', false],
    ['a*', 'a', true],
    ['*a*', 'a', true],
    ['**a**', 'bab', true],
    ['a', 'ab', false],
    ['ab', 'a', false],
    ['*a', 'aab', false],
    ['*ab*cd', 'ababxcdcd', true],
  ])('%s against %s is %s', (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected)
  })

  it('takes escaped bytes literally, in and outside of classes', () => {
    expect(matches('a\\*b', 'a*b')).toBe(true)
    expect(matches('a\\*b', 'axb')).toBe(false)
    expect(matches('[\\]x]', ']')).toBe(true)
    expect(matches('[\\^x]', '^')).toBe(true)
    expect(matches('a\\', 'a\\')).toBe(true)
  })

  it('ends an unclosed class with the pattern', () => {
    expect(matches('a[bc', 'ab')).toBe(true)
    expect(matches('a[', 'ab')).toBe(false)
    expect(matches('a[^', 'ab')).toBe(true)
    expect(matches('[a-]', ']')).toBe(true)
    expect(matches('[a-', '-')).toBe(true)
    expect(matches('[]', ']')).toBe(false)
  })

  it('works on bytes that are no UTF-8 and compares ranges as signed bytes', () => {
    expect(matches('\xff\x00?', '\xff\x00\xfe')).toBe(true)
    expect(matches('[\x80-\xff]', '\xc0')).toBe(true)
    expect(matches('[\x80-\xff]', 'a')).toBe(false)
    expect(matches('[a-\xff]', '\x05')).toBe(true)
    expect(matches('[a-\xff]', 'b')).toBe(false)
  })

  it('gives an empty text only to an empty pattern, as Redis does', () => {
    expect(matches('', '')).toBe(true)
    expect(matches('*', '')).toBe(false)
    expect(matches('', 'a')).toBe(false)
  })

  it('ignores case when asked', () => {
    expect(matches('MAX[A-M]*', 'maxmemory', true)).toBe(true)
    expect(matches('MAXM*', 'maxmemory')).toBe(false)
  })

  it('does not blow up on nested stars', () => {
    expect(matches(`${'a*'.repeat(30)}b`, 'a'.repeat(40))).toBe(false)
    expect(matches(`${'*a'.repeat(500)}b`, 'a'.repeat(5000))).toBe(false)
  })

  it('gives up after a thousand stars, as Redis does', () => {
    expect(matches('*?'.repeat(1000), 'a'.repeat(5000))).toBe(true)
    expect(matches('*?'.repeat(1001), 'a'.repeat(5000))).toBe(false)
  })

  it('agrees with a plain recursive definition on random patterns', () => {
    const alphabet = fc.constantFrom('a', 'b', '*', '?', '[', ']', '^', '-', '\\')
    const word = (max: number) => fc.array(alphabet, { maxLength: max }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(
        word(10),
        fc.array(fc.constantFrom('a', 'b', ']', '-', '^', '\\', '*'), { minLength: 1, maxLength: 6 }),
        (pattern, text) => {
          expect(matches(pattern, text.join(''))).toBe(recursive(pattern, text.join('')))
        },
      ),
      { numRuns: 5000 },
    )
  })
})

/** The definition: a star takes nothing or one byte more; everything else takes one byte. */
function recursive(pattern: string, text: string): boolean {
  if (pattern === '') return text === ''
  if (pattern[0] === '*') return recursive(pattern.slice(1), text) || (text !== '' && recursive(pattern, text.slice(1)))
  if (text === '') return false
  if (pattern[0] === '?') return recursive(pattern.slice(1), text.slice(1))
  if (pattern[0] === '[') {
    const [length, hit] = classOf(pattern, text[0])
    return hit && recursive(pattern.slice(length), text.slice(1))
  }
  const escaped = pattern[0] === '\\' && pattern.length > 1
  const literal = escaped ? pattern[1] : pattern[0]
  return literal === text[0] && recursive(pattern.slice(escaped ? 2 : 1), text.slice(1))
}

function classOf(pattern: string, byte: string): [number, boolean] {
  const match = /^\[(\^?)((?:\\[^]|[^\\\]]-[^]|\\$|[^\\\]])*)\]?/.exec(pattern)
  if (match === null) throw new Error('no class')
  const members = match[2].match(/\\[^]|[^]-[^]|[^]/g) ?? []
  const hit = members.some((member) => {
    if (member.length === 2) return member[1] === byte
    if (member.length === 1) return member === byte
    const [low, , high] = member
    return (low <= byte && byte <= high) || (high <= byte && byte <= low)
  })
  return [match[0].length, hit !== (match[1] === '^')]
}
