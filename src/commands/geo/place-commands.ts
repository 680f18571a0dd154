import { decodePosition, distanceBetween, encodePosition, geohashText, type Position } from '../../base/geohash.js'
import { NotificationClass } from '../../base/notification-classes.js'
import type { Call } from '../call.js'
import { syntaxError } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import { rootForRead, rootForWrite } from '../sorted-set/arguments.js'
import { KEY, oneOf, optional, token } from '../string/arguments.js'
import { positionArgument, replyDistance, replyPosition, unitArgument, UNIT } from './places.js'

/** GEOADD, GEOPOS, GEOHASH, GEODIST: a place is a member of a sorted set whose score is its position. */
function geoadd(call: Call): void {
  let nx = false
  let xx = false
  let changes = false
  let first = 2
  for (; first < call.argc; first++) {
    if (call.is(first, 'NX')) nx = true
    else if (call.is(first, 'XX')) xx = true
    else if (call.is(first, 'CH')) changes = true
    else break
  }
  const count = (call.argc - first) / 3
  if (!Number.isInteger(count) || count === 0 || (nx && xx)) throw syntaxError()
  const scores = new Float64Array(count)
  for (let i = 0; i < count; i++) {
    const { longitude, latitude } = positionArgument(call, first + i * 3)
    scores[i] = encodePosition(longitude, latitude)
  }
  const root = rootForWrite(call, 1)
  const { writer } = call.zsets
  const { buf, off, len } = call.request
  let added = 0
  let updated = 0
  writer.begin(call.database, buf, off[1], len[1], root)
  for (let i = 0; i < count; i++) {
    const at = first + i * 3 + 2
    const before = writer.look(buf, off[at], len[at])
    const isThere = before === before
    if (isThere ? nx : xx) continue
    if (!isThere) added++
    else if (before !== scores[i]) updated++
    writer.write(buf, off[at], len[at], scores[i], before)
  }
  writer.end()
  if (added + updated > 0) call.notify(NotificationClass.sortedSet, 'zadd', 1)
  call.reply.integer(changes ? added + updated : added)
}

/** Position of the member in argument i, null if it is not there. */
export function positionOf(call: Call, root: number, i: number): Position | null {
  const { buf, off, len } = call.request
  const score = call.zsets.score(call.db, root, buf, off[i], len[i])
  return score === score ? decodePosition(score) : null
}

function geopos(call: Call): void {
  const root = rootForRead(call, 1)
  call.reply.array(call.argc - 2)
  for (let i = 2; i < call.argc; i++) {
    const position = positionOf(call, root, i)
    if (position === null) call.reply.nullArray()
    else replyPosition(call.reply, position)
  }
}

function geohash(call: Call): void {
  const root = rootForRead(call, 1)
  call.reply.array(call.argc - 2)
  for (let i = 2; i < call.argc; i++) {
    const position = positionOf(call, root, i)
    if (position === null) call.reply.null()
    else call.reply.bulkString(geohashText(position))
  }
}

function geodist(call: Call): void {
  if (call.argc > 5) throw syntaxError()
  const meters = call.argc === 5 ? unitArgument(call, 4) : 1
  const root = rootForRead(call, 1)
  const from = positionOf(call, root, 2)
  const to = positionOf(call, root, 3)
  if (from === null || to === null) call.reply.null()
  else replyDistance(call.reply, distanceBetween(from, to) / meters)
}

const MEMBERS = { name: 'member', type: 'string', flags: ['optional', 'multiple'] } as const

export const PLACE_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'geoadd',
    arity: -5,
    flags: ['write', 'denyoom'],
    keys: keyRange(1, 1, 1, 'RW', 'update'),
    group: 'geo',
    categories: ['geo'],
    since: '3.2.0',
    summary: 'Adds places to a sorted set, or moves them.',
    complexity: 'O(log(N)) for each place, N being the number of members in the sorted set',
    history: [['6.2.0', 'Options CH, NX and XX.']],
    arguments: [
      KEY,
      { ...optional(oneOf('condition', token('nx'), token('xx'))), since: '6.2.0' },
      { ...optional(token('change', 'CH')), since: '6.2.0' },
      {
        name: 'data',
        type: 'block',
        flags: ['multiple'],
        arguments: [
          { name: 'longitude', type: 'double' },
          { name: 'latitude', type: 'double' },
          { name: 'member', type: 'string' },
        ],
      },
    ],
    handler: geoadd,
  },
  {
    name: 'geopos',
    arity: -2,
    flags: ['readonly'],
    keys: keyRange(1, 1, 1, 'RO', 'access'),
    group: 'geo',
    categories: ['geo'],
    since: '3.2.0',
    summary: 'Says where places are.',
    complexity: 'O(1) for each member asked for',
    arguments: [KEY, MEMBERS],
    handler: geopos,
  },
  {
    name: 'geohash',
    arity: -2,
    flags: ['readonly'],
    keys: keyRange(1, 1, 1, 'RO', 'access'),
    group: 'geo',
    categories: ['geo'],
    since: '3.2.0',
    summary: 'Says where places are, as geohashes.',
    complexity: 'O(1) for each member asked for',
    arguments: [KEY, MEMBERS],
    handler: geohash,
  },
  {
    name: 'geodist',
    arity: -4,
    flags: ['readonly'],
    keys: keyRange(1, 1, 1, 'RO', 'access'),
    group: 'geo',
    categories: ['geo'],
    since: '3.2.0',
    summary: 'Says how far it is from one place to another.',
    complexity: 'O(1)',
    arguments: [KEY, { name: 'member1', type: 'string' }, { name: 'member2', type: 'string' }, optional(UNIT)],
    handler: geodist,
  },
]
