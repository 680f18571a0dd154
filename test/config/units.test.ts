import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatDuration, formatSize, parseDuration, parseSize } from '../../src/config/units.js'

describe('sizes', () => {
  it.each([
    ['0', 0],
    ['100', 100],
    ['1b', 1],
    ['1k', 1000],
    ['1KB', 1024],
    ['64mb', 64 * 1024 * 1024],
    ['2M', 2_000_000],
    ['1gb', 1024 ** 3],
    ['1g', 1e9],
  ])('%s is %d bytes as in Redis', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
  })

  it.each(['', 'mb', '-1', '1.5mb', '1tb', '1 0', '999999999999999gb'])('%j is none', (text) => {
    expect(parseSize(text)).toBeUndefined()
  })

  it('are written exactly', () => {
    fc.assert(fc.property(fc.nat(), (bytes) => parseSize(formatSize(bytes)) === bytes))
  })
})

describe('durations', () => {
  it.each([
    ['0', 0],
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  it.each(['', '30', 's', '-1s', '1.5s', '1y'])('%j is none: a number alone has no unit', (text) => {
    expect(parseDuration(text)).toBeUndefined()
  })

  it('are written exactly', () => {
    fc.assert(fc.property(fc.nat(), (ms) => parseDuration(formatDuration(ms)) === ms))
  })
})
