import type { OutputBufferLimit } from './member-config.js'
import { formatSize, parseDuration, parseSize } from './units.js'

/** By class of client: those that listen to channels have a limit of their own, as in Redis. */
export interface OutputBufferLimits {
  readonly normal: OutputBufferLimit
  readonly pubsub: OutputBufferLimit
}

export const DEFAULT_OUTPUT_BUFFER_LIMITS: OutputBufferLimits = {
  normal: { hardBytes: 1024 ** 3, softBytes: 256 * 1024 ** 2, softMs: 60_000 },
  pubsub: { hardBytes: 32 * 1024 ** 2, softBytes: 8 * 1024 ** 2, softMs: 60_000 },
}

/**
 * Reads Redis' `<class> <hard> <soft> <seconds>`, once or more; the seconds may carry their `s`. Classes that exist here are `normal` and
 * `pubsub`.
 * @returns the limits of the classes that are named, or Redis' words for what is wrong.
 */
export function parseOutputBufferLimits(text: string): Partial<OutputBufferLimits> | string {
  const words = text.trim().split(/\s+/)
  if (words.length % 4 !== 0) return 'Wrong number of arguments in buffer limit configuration.'
  let limits: Partial<OutputBufferLimits> = {}
  for (let i = 0; i < words.length; i += 4) {
    const name = words[i].toLowerCase()
    if (name !== 'normal' && name !== 'pubsub') return 'Invalid client class specified in buffer limit configuration.'
    const hardBytes = parseSize(words[i + 1])
    const softBytes = parseSize(words[i + 2])
    const softMs = parseDuration(/^\d+$/.test(words[i + 3]) ? `${words[i + 3]}s` : words[i + 3])
    if (hardBytes === undefined || softBytes === undefined || softMs === undefined || softMs % 1000 !== 0) {
      return 'Error in hard, soft or soft_seconds setting in buffer limit configuration.'
    }
    limits = { ...limits, [name]: { hardBytes, softBytes, softMs } }
  }
  return limits
}

/** As CONFIG GET shows them: bytes and seconds as plain numbers. */
export function formatOutputBufferLimits(normal: OutputBufferLimit, pubsub: OutputBufferLimit): string {
  const one = (limit: OutputBufferLimit): string => `${limit.hardBytes} ${limit.softBytes} ${limit.softMs / 1000}`
  return `normal ${one(normal)} pubsub ${one(pubsub)}`
}

/** As they are written in the configuration file. */
export function formatOutputBufferLimitsForFile(normal: OutputBufferLimit, pubsub: OutputBufferLimit): string {
  const one = (limit: OutputBufferLimit): string =>
    `${formatSize(limit.hardBytes)} ${formatSize(limit.softBytes)} ${limit.softMs / 1000}s`
  return `normal ${one(normal)} pubsub ${one(pubsub)}`
}
