/**
 * Sizes and durations as an operator writes them. Sizes follow Redis: `64mb` is 64 * 1024 * 1024, `64m` is 64 * 1000 * 1000,
 * a bare number is bytes. Durations always name their unit (`500ms`, `30s`, `5m`, `2h`, `7d`); only 0 needs none.
 */
const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1000,
  kb: 1024,
  m: 1000 ** 2,
  mb: 1024 ** 2,
  g: 1000 ** 3,
  gb: 1024 ** 3,
}

const DURATION_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Bytes, or undefined when the text is not a size. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,15})([a-z]{0,2})$/i.exec(text.trim())
  if (!match) return undefined
  const unit = SIZE_UNITS[match[2].toLowerCase()]
  if (unit === undefined) return undefined
  const bytes = Number(match[1]) * unit
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

/** Bytes, or negative a percentage up to 100; else Redis' words for what is wrong. */
export function parseSizeOrPercentage(text: string): number | string {
  const percentage = /^(\d{1,15})%$/.exec(text.trim())
  if (percentage === null) return parseSize(text) ?? 'argument must be a memory or percent value'
  const percent = Number(percentage[1])
  return percent > 100 ? 'percentage argument must be less or equal to 100' : -percent
}

/** Milliseconds, or undefined when the text is not a duration. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,12})(ms|s|m|h|d)?$/i.exec(text.trim())
  if (!match) return undefined
  if (match[2] === undefined) return Number(match[1]) === 0 ? 0 : undefined
  const ms = Number(match[1]) * DURATION_UNITS[match[2].toLowerCase()]
  return Number.isSafeInteger(ms) ? ms : undefined
}

/** The shortest exact way to write a size: `512mb`, `1500000`. */
export function formatSize(bytes: number): string {
  for (const unit of ['gb', 'mb', 'kb']) {
    if (bytes > 0 && bytes % SIZE_UNITS[unit] === 0) return `${bytes / SIZE_UNITS[unit]}${unit}`
  }
  return String(bytes)
}

/** As parseSizeOrPercentage reads it. */
export function formatSizeOrPercentage(value: number): string {
  return value < 0 ? `${-value}%` : formatSize(value)
}

/** The shortest exact way to write a duration: `5m`, `90s`, `0`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0'
  for (const unit of ['d', 'h', 'm', 's']) {
    if (ms % DURATION_UNITS[unit] === 0) return `${ms / DURATION_UNITS[unit]}${unit}`
  }
  return `${ms}ms`
}
