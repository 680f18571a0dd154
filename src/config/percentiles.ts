import { LIMITS } from '../base/limits.js'

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i

/** Redis' latency-tracking-info-percentiles: numbers from 0 to 100 with spaces between. Gives Redis' words for what is wrong. */
export function parsePercentiles(text: string): readonly number[] | string {
  const words = text.split(/\s+/).filter((word) => word !== '')
  if (words.length > LIMITS.latencyPercentiles || words.some((word) => !NUMBER.test(word))) {
    return 'Invalid latency-tracking-info-percentiles parameters'
  }
  const percentiles = words.map(Number)
  if (percentiles.every((share) => share >= 0 && share <= 100)) return percentiles
  return 'latency-tracking-info-percentiles parameters should sit between [0.0,100.0]'
}

export function formatPercentiles(percentiles: readonly number[]): string {
  return percentiles.map((share) => String(Number(share.toFixed(DECIMALS)))).join(' ')
}

/** As Redis shows them. */
const DECIMALS = 6
