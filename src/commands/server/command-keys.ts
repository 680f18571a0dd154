import { parseInteger } from '../../base/bytes.js'
import type { CommandFlag, CommandSpec, KeySpec } from '../command-spec.js'
import type { Request } from '../../resp/request.js'

/** First key, last key and step as older clients read them; all 0 when there are none, or when they cannot be said so. */
export interface LegacyRange {
  readonly first: number
  readonly last: number
  readonly step: number
  /** The range does not tell all: clients must ask COMMAND GETKEYS. */
  readonly movable: boolean
}

const NO_KEYS: LegacyRange = { first: 0, last: 0, step: 0, movable: false }

export function legacyRange(spec: CommandSpec): LegacyRange {
  const specs = spec.keys ?? []
  if (specs.length === 0) return NO_KEYS
  let first = 0
  let last = 0
  let step = 0
  let movable = false
  for (const key of specs) {
    const range = plainRange(key)
    const follows = last === 0 || (range !== null && last === range.first - 1)
    if (range === null || (specs.length > 1 && (range.step !== 1 || !follows))) {
      movable = true
      continue
    }
    if (key.flags.includes('incomplete')) movable = true
    if (first === 0) first = range.first
    // A negative last one counts from the end, so nothing comes behind it.
    if (last >= 0) last = range.last < 0 ? range.last : Math.max(last, range.last)
    step = range.step
  }
  return first === 0 ? { ...NO_KEYS, movable: true } : { first, last, step, movable }
}

function plainRange({ beginSearch, findKeys }: KeySpec): { first: number; last: number; step: number } | null {
  if (beginSearch === 'unknown' || !('index' in beginSearch)) return null
  if (findKeys === 'unknown' || !('lastKey' in findKeys)) return null
  const { lastKey, step } = findKeys
  return { first: beginSearch.index, last: lastKey < 0 ? lastKey : beginSearch.index + lastKey, step }
}

/** Flags as COMMAND INFO shows them, in Redis' order; some are for the server's own use and not shown. */
const SHOWN_FLAGS: readonly CommandFlag[] = [
  'write',
  'readonly',
  'denyoom',
  'admin',
  'pubsub',
  'noscript',
  'blocking',
  'loading',
  'stale',
  'skip_monitor',
  'skip_slowlog',
  'asking',
  'fast',
  'no_auth',
  'no_mandatory_keys',
  'no_async_loading',
  'no_multi',
  'movablekeys',
  'allow_busy',
]

export function shownFlags(spec: CommandSpec): readonly CommandFlag[] {
  const { movable } = legacyRange(spec)
  return SHOWN_FLAGS.filter((flag) => spec.flags.includes(flag) || (flag === 'movablekeys' && movable))
}

export interface FoundKey {
  /** Among the arguments from `at` on; the command's name is 0. */
  readonly position: number
  readonly spec: KeySpec
}

/**
 * Where the keys stand in the command whose name is argument `at` of a request. Null when the arguments do not fit the
 * specifications.
 */
export function findKeys(spec: CommandSpec, request: Request, at: number): readonly FoundKey[] | null {
  const found: FoundKey[] = []
  if (spec.keyRange !== undefined && spec.keys !== undefined) {
    const { first, count } = spec.keyRange(request, at)
    for (let i = 0; i < count; i++) found.push({ position: first + i, spec: spec.keys[0] })
    return found
  }
  const argc = request.argc - at
  for (const key of spec.keys ?? []) {
    const begin = beginOf(key, request, at, argc)
    if (begin === null) continue
    const range = rangeOf(key, request, at, argc, begin)
    if (range === null) return null
    for (let position = range.first; position <= range.last; position += range.step) {
      if (!key.flags.includes('not_key')) found.push({ position, spec: key })
    }
  }
  return found
}

/** How many keys a request has, about: none when the arguments do not fit the specifications. Makes nothing for each of them. */
export function countKeys(spec: CommandSpec, request: Request): number {
  if (spec.keyRange !== undefined) return spec.keyRange(request, 0).count
  let count = 0
  for (const key of spec.keys ?? []) {
    const begin = beginOf(key, request, 0, request.argc)
    const range = begin === null ? null : rangeOf(key, request, 0, request.argc, begin)
    if (range !== null) count += Math.floor((range.last - range.first) / range.step) + 1
  }
  return count
}

/** Where the search for a specification's keys begins; null when its keyword is not there. */
function beginOf({ beginSearch }: KeySpec, { buf, off, len }: Request, at: number, argc: number): number | null {
  if (beginSearch === 'unknown') return null
  if ('index' in beginSearch) return beginSearch.index < argc ? beginSearch.index : null
  const { keyword, startFrom } = beginSearch
  const backwards = startFrom < 0
  const start = backwards ? argc + startFrom : startFrom
  for (let i = start; backwards ? i > 0 : i < argc; i += backwards ? -1 : 1) {
    const word = Buffer.from(buf.buffer, buf.byteOffset + off[at + i], len[at + i]).toString('latin1')
    if (word.toUpperCase() === keyword.toUpperCase()) return i + 1 < argc ? i + 1 : null
  }
  return null
}

function rangeOf(
  { findKeys: find }: KeySpec,
  { buf, off, len }: Request,
  at: number,
  argc: number,
  begin: number,
): { first: number; last: number; step: number } | null {
  if (find === 'unknown') return { first: 1, last: 0, step: 1 }
  if ('lastKey' in find) {
    let last = find.lastKey >= 0 ? begin + find.lastKey : argc + find.lastKey
    // A limit of n takes only the n-th part of what is left: XREAD's keys are the first half.
    if (find.lastKey < 0 && find.limit > 1) last = begin + Math.floor((last - begin + 1) / find.limit) - 1
    return last < argc ? { first: begin, last, step: find.step } : null
  }
  const countAt = begin + find.keyNumIndex
  if (countAt >= argc) return null
  const count = parseInteger(buf, off[at + countAt], len[at + countAt])
  if (!(count >= 0)) return null
  const first = begin + find.firstKey
  const last = first + (count - 1) * find.step
  return last < argc ? { first, last, step: find.step } : null
}
