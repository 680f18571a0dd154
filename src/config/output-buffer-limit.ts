import type { OutputBufferLimit } from './member-config.js'
import { formatSize, parseDuration, parseSize } from './units.js'

/**
 * Reads Redis' `normal <hard> <soft> <seconds>`; the seconds may carry their `s`. Only the class `normal` exists here.
 * @returns the limit, or Redis' words for what is wrong.
 */
export function parseOutputBufferLimit(text: string): OutputBufferLimit | string {
  const words = text.trim().split(/\s+/)
  if (words.length !== 4) return 'Wrong number of arguments in buffer limit configuration.'
  if (words[0].toLowerCase() !== 'normal') return 'Invalid client class specified in buffer limit configuration.'
  const hardBytes = parseSize(words[1])
  const softBytes = parseSize(words[2])
  const softMs = parseDuration(/^\d+$/.test(words[3]) ? `${words[3]}s` : words[3])
  if (hardBytes === undefined || softBytes === undefined || softMs === undefined || softMs % 1000 !== 0) {
    return 'Error in hard, soft or soft_seconds setting in buffer limit configuration.'
  }
  return { hardBytes, softBytes, softMs }
}

/** As CONFIG GET shows it: bytes and seconds as plain numbers. */
export function formatOutputBufferLimit(limit: OutputBufferLimit): string {
  return `normal ${limit.hardBytes} ${limit.softBytes} ${limit.softMs / 1000}`
}

/** As it is written in the configuration file. */
export function formatOutputBufferLimitForFile(limit: OutputBufferLimit): string {
  return `normal ${formatSize(limit.hardBytes)} ${formatSize(limit.softBytes)} ${limit.softMs / 1000}s`
}
