import type { ArgumentSpec } from '../command-spec.js'

/** Arguments that several string and bitmap commands share, for COMMAND DOCS. */
export const KEY: ArgumentSpec = { name: 'key', type: 'key', keySpecIndex: 0 }
export const KEYS: ArgumentSpec = { ...KEY, flags: ['multiple'] }
export const VALUE: ArgumentSpec = { name: 'value', type: 'string' }
export const PAIRS: ArgumentSpec = { name: 'data', type: 'block', flags: ['multiple'], arguments: [KEY, VALUE] }
export const START: ArgumentSpec = { name: 'start', type: 'integer' }
export const END: ArgumentSpec = { name: 'end', type: 'integer' }

export function token(name: string, word = name.toUpperCase()): ArgumentSpec {
  return { name, type: 'pure-token', token: word }
}

export function optional(argument: ArgumentSpec): ArgumentSpec {
  return { ...argument, flags: ['optional', ...(argument.flags ?? [])] }
}

export function oneOf(name: string, ...choices: ArgumentSpec[]): ArgumentSpec {
  return { name, type: 'oneof', arguments: choices }
}

export const TIMES: readonly ArgumentSpec[] = [
  { name: 'seconds', type: 'integer', token: 'EX' },
  { name: 'milliseconds', type: 'integer', token: 'PX' },
  { name: 'unix-time-seconds', type: 'unix-time', token: 'EXAT' },
  { name: 'unix-time-milliseconds', type: 'unix-time', token: 'PXAT' },
]

/** Comparisons with the value, as in SET and DELEX. */
export const COMPARISONS: readonly ArgumentSpec[] = [
  { name: 'ifeq-value', type: 'string', token: 'IFEQ', since: '8.4.0' },
  { name: 'ifne-value', type: 'string', token: 'IFNE', since: '8.4.0' },
  { name: 'ifdeq-digest', type: 'string', token: 'IFDEQ', since: '8.4.0' },
  { name: 'ifdne-digest', type: 'string', token: 'IFDNE', since: '8.4.0' },
]
