import { InvalidArgumentError } from 'commander'
import { parseDuration, parseSize } from '../config/units.js'

/** Argument parsers for commander: what they throw becomes `option '…' is invalid. <message>`. */

export function integerArgument(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,10}$/.test(text) ? Number(text) : NaN
    if (number >= min && number <= max) return number
    throw new InvalidArgumentError(`Allowed: a whole number from ${min} to ${max}.`)
  }
}

/** Milliseconds. */
export function durationArgument(text: string): number {
  const ms = parseDuration(text)
  if (ms !== undefined && ms > 0) return ms
  throw new InvalidArgumentError('Allowed: a duration with its unit, such as 500ms or 2s.')
}

/** Bytes. */
export function sizeArgument(text: string): number {
  const bytes = parseSize(text)
  if (bytes !== undefined && bytes > 0) return bytes
  throw new InvalidArgumentError('Allowed: a size with its unit, such as 512mb or 4gb.')
}

/** For options that may be given several times. */
export function collect(text: string, earlier: readonly string[] | undefined): readonly string[] {
  return [...(earlier ?? []), text]
}
