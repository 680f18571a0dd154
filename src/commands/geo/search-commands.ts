import { DoubleList } from '../../base/double-list.js'
import { distanceWithin, intervalsOf, type GeoShape } from '../../base/geo-search.js'
import { decodePosition, type Position } from '../../base/geohash.js'
import { LIMITS } from '../../base/limits.js'
import type { ScoresWriter } from '../../keyspace/zset-store.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import { keyRange, type ArgumentSpec, type CommandSpec, type KeySpec } from '../command-spec.js'
import { asTheyStand, orderByNumber } from '../generic/sort-order.js'
import type { ReadSteps } from '../services.js'
import { rootForRead, scoreArgument } from '../sorted-set/arguments.js'
import { ScoredList, storeScored, storeSteps } from '../sorted-set/scored-list.js'
import { KEY, oneOf, optional, token } from '../string/arguments.js'
import { positionOf } from './place-commands.js'
import { positionArgument, replyDistance, replyPosition, unitArgument, UNIT } from './places.js'

/** GEOSEARCH and the older GEORADIUS, with and without storing: places within a circle or a box. */
type Variant = 'search' | 'searchstore' | 'radius' | 'radiusbymember'

interface Search {
  center: Position | null
  /** Radius, or width and height, in units. */
  radius: number
  width: number
  height: number
  kind: GeoShape['kind'] | null
  /** Meters of the unit. */
  unit: number
  withDistance: boolean
  withHash: boolean
  withPosition: boolean
  sort: 'none' | 'asc' | 'desc'
  /** 0: all. */
  count: number
  any: boolean
  /** Argument with the key to store to, 0 for none. */
  storeAt: number
  storesDistance: boolean
}

/** Places that were found: members with their scores, and how far each is from the center. */
interface Matches {
  readonly list: ScoredList
  readonly distances: DoubleList
}

function search(call: Call, variant: Variant, mayStore: boolean): void {
  const source = variant === 'searchstore' ? 2 : 1
  const root = rootForRead(call, source)
  const s = parse(call, variant, mayStore, root)
  if (root === 0) {
    if (s.storeAt > 0) storeScored(call, s.storeAt, new ScoredList(), '')
    else call.reply.array(0)
    return
  }
  const looks = looksOf(call, root, s)
  const { database } = call
  if (s.storeAt === 0) {
    call.read(source, 1, looks, replySteps(call, root, s))
    return
  }
  const event = variant === 'searchstore' ? 'geosearchstore' : 'georadiusstore'
  if (call.isLongWrite(looks, s.storeAt)) {
    const keys = [source, s.storeAt].map((argument) => ({ database, argument, isWritten: argument === s.storeAt }))
    const write = (writer: ScoresWriter) =>
      storedSteps(call, root, s, (buf, off, len, score) => writer.push(buf, off, len, score))
    call.writeInSlices(keys, storeSteps(call, s.storeAt, event, write))
    return
  }
  const stored = new ScoredList()
  const steps = storedSteps(call, root, s, (buf, off, len, score) => stored.push(buf, off, len, score))
  while (steps.next().done !== true);
  storeScored(call, s.storeAt, stored, event)
}

/** Places that a search looks at. */
function looksOf({ zsets, db }: Call, root: Ref, s: Search): number {
  let looks = 0
  for (const { min, max } of intervalsOf(shapeOf(s))) {
    looks += Math.max(0, zsets.countBelow(db, root, max, false) - zsets.countBelow(db, root, min, false))
  }
  return looks
}

function* storedSteps(
  call: Call,
  root: Ref,
  s: Search,
  push: (buf: Uint8Array, off: number, len: number, score: number) => void,
): ReadSteps {
  const matches = yield* matchSteps(call, root, s)
  const { list, distances } = matches
  const order = yield* orderOf(matches, s)
  for (let n = 0; n < order.length; n++) {
    const i = order[n]
    const { members } = list
    push(
      members.bytesOf(i),
      members.start(i),
      members.end(i) - members.start(i),
      s.storesDistance ? distances.at(i) / s.unit : list.score(i),
    )
    if ((n + 1) % LIMITS.slicedReadStep === 0) yield
  }
}

/** Which of the matches are the result, in its order. */
function* orderOf({ list, distances }: Matches, { sort, count }: Search): Generator<undefined, Uint32Array> {
  const order =
    sort === 'none' ? yield* asTheyStand(distances.length) : yield* orderByNumber(distances, list.members, sort === 'desc')
  return count > 0 ? order.subarray(0, count) : order
}

function shapeOf({ center, kind, radius, width, height, unit }: Search): GeoShape {
  const from = center ?? { longitude: 0, latitude: 0 }
  return kind === 'box'
    ? { kind, center: from, width: width * unit, height: height * unit }
    : { kind: 'circle', center: from, radius: radius * unit }
}

/** All places within, or any `count` of them. */
function* matchSteps(call: Call, root: Ref, s: Search): Generator<undefined, Matches> {
  const { zsets, db } = call
  const shape = shapeOf(s)
  const limit = s.any ? s.count : 0
  const list = new ScoredList()
  const distances = new DoubleList()
  for (const { min, max } of intervalsOf(shape)) {
    const from = zsets.countBelow(db, root, min, false)
    const to = zsets.countBelow(db, root, max, false)
    for (let rank = from; rank < to; rank += LIMITS.slicedReadStep) {
      const cursor = zsets.seek(db, root, rank)
      const end = Math.min(to, rank + LIMITS.slicedReadStep)
      for (let i = rank; i < end; i++) {
        const distance = distanceWithin(shape, decodePosition(cursor.score))
        if (distance >= 0) {
          distances.push(distance)
          list.push(cursor.buf, cursor.off, cursor.len, cursor.score)
          if (distances.length === limit) return { list, distances }
        }
        cursor.step(true)
      }
      yield
    }
  }
  return { list, distances }
}

function* replySteps(call: Call, root: Ref, s: Search): ReadSteps {
  const matches = yield* matchSteps(call, root, s)
  const { list, distances } = matches
  const order = yield* orderOf(matches, s)
  const parts = 1 + Number(s.withDistance) + Number(s.withHash) + Number(s.withPosition)
  call.reply.array(order.length)
  for (let n = 0; n < order.length; n++) {
    const i = order[n]
    // The reply is another one in every slice.
    const to = call.reply
    if (parts > 1) to.array(parts)
    to.bulkBytes(list.members.at(i))
    if (s.withDistance) replyDistance(to, distances.at(i) / s.unit)
    if (s.withHash) to.integer(Math.trunc(list.score(i)))
    if (s.withPosition) replyPosition(to, decodePosition(list.score(i)))
    if ((n + 1) % LIMITS.slicedReadStep === 0) yield
  }
}

function parse(call: Call, variant: Variant, mayStore: boolean, root: Ref): Search {
  const s: Search = {
    center: null,
    radius: 0,
    width: 0,
    height: 0,
    kind: null,
    unit: 1,
    withDistance: false,
    withHash: false,
    withPosition: false,
    sort: 'none',
    count: 0,
    any: false,
    storeAt: variant === 'searchstore' ? 1 : 0,
    storesDistance: false,
  }
  const searches = variant === 'search' || variant === 'searchstore'
  let first = variant === 'searchstore' ? 3 : 2
  if (variant === 'radius') {
    s.center = positionArgument(call, 2)
    parseRadius(call, 4, s)
    first = 6
  } else if (variant === 'radiusbymember') {
    // Without a source only the options count: they say how to answer.
    if (root !== 0) {
      s.center = centerOf(call, root, 2)
      parseRadius(call, 3, s)
    }
    first = 5
  }
  let from: 'none' | 'member' | 'position' = 'none'
  for (let i = first; i < call.argc; i++) {
    const left = call.argc - i - 1
    if (call.is(i, 'WITHDIST')) s.withDistance = true
    else if (call.is(i, 'WITHHASH')) s.withHash = true
    else if (call.is(i, 'WITHCOORD')) s.withPosition = true
    else if (call.is(i, 'ANY')) s.any = true
    else if (call.is(i, 'ASC')) s.sort = 'asc'
    else if (call.is(i, 'DESC')) s.sort = 'desc'
    else if (call.is(i, 'COUNT') && left >= 1) {
      s.count = call.integer(++i)
      if (s.count <= 0) throw new CommandError('ERR COUNT must be > 0')
    } else if (!searches && mayStore && left >= 1 && (call.is(i, 'STORE') || call.is(i, 'STOREDIST'))) {
      s.storesDistance = call.is(i, 'STOREDIST')
      s.storeAt = ++i
    } else if (variant === 'searchstore' && call.is(i, 'STOREDIST')) {
      s.storesDistance = true
    } else if (searches && left >= 1 && from !== 'position' && call.is(i, 'FROMMEMBER')) {
      i++
      if (root !== 0) s.center = centerOf(call, root, i)
      from = 'member'
    } else if (searches && left >= 2 && from !== 'member' && call.is(i, 'FROMLONLAT')) {
      s.center = positionArgument(call, i + 1)
      from = 'position'
      i += 2
    } else if (searches && left >= 2 && s.kind !== 'box' && call.is(i, 'BYRADIUS')) {
      parseRadius(call, i + 1, s)
      i += 2
    } else if (searches && left >= 3 && s.kind !== 'circle' && call.is(i, 'BYBOX')) {
      parseBox(call, i + 1, s)
      i += 3
    } else {
      throw syntaxError()
    }
  }
  if (s.storeAt > 0 && (s.withDistance || s.withHash || s.withPosition)) {
    const what = variant === 'searchstore' ? 'GEOSEARCHSTORE' : 'STORE option in GEORADIUS'
    throw new CommandError(`ERR ${what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options`)
  }
  if (searches && from === 'none') {
    throw new CommandError(`ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ${call.text(0)}`)
  }
  if (searches && s.kind === null) {
    throw new CommandError(`ERR exactly one of BYRADIUS and BYBOX can be specified for ${call.text(0)}`)
  }
  if (s.any && s.count === 0) throw new CommandError('ERR the ANY argument requires COUNT argument')
  // The nearest ones, unless any will do.
  if (s.count > 0 && s.sort === 'none' && !s.any) s.sort = 'asc'
  return s
}

function centerOf(call: Call, root: Ref, i: number): Position {
  const position = positionOf(call, root, i)
  if (position === null) throw new CommandError('ERR could not decode requested zset member')
  return position
}

function parseRadius(call: Call, i: number, s: Search): void {
  s.radius = scoreArgument(call, i, 'ERR need numeric radius')
  if (s.radius < 0) throw new CommandError('ERR radius cannot be negative')
  s.unit = unitArgument(call, i + 1)
  s.kind = 'circle'
}

function parseBox(call: Call, i: number, s: Search): void {
  s.width = scoreArgument(call, i, 'ERR need numeric width')
  s.height = scoreArgument(call, i + 1, 'ERR need numeric height')
  if (s.width < 0 || s.height < 0) throw new CommandError('ERR height or width cannot be negative')
  s.unit = unitArgument(call, i + 2)
  s.kind = 'box'
}

const MEMBER: ArgumentSpec = { name: 'member', type: 'string' }
const POSITION: readonly ArgumentSpec[] = [
  { name: 'longitude', type: 'double' },
  { name: 'latitude', type: 'double' },
]
const ORDER = optional(oneOf('order', token('asc'), token('desc')))
const COUNT: ArgumentSpec = {
  ...optional({ name: 'count-block', type: 'block' }),
  arguments: [{ name: 'count', type: 'integer', token: 'COUNT' }, optional(token('any'))],
}
const SHOWN = [optional(token('withcoord')), optional(token('withdist')), optional(token('withhash'))]
const RADIUS: ArgumentSpec = { name: 'radius', type: 'double' }
const FROM = oneOf(
  'from',
  { ...MEMBER, token: 'FROMMEMBER' },
  { name: 'fromlonlat', type: 'block', token: 'FROMLONLAT', arguments: POSITION },
)
const BY = oneOf(
  'by',
  { name: 'circle', type: 'block', arguments: [{ ...RADIUS, token: 'BYRADIUS' }, UNIT] },
  {
    name: 'box',
    type: 'block',
    arguments: [{ name: 'width', type: 'double', token: 'BYBOX' }, { name: 'height', type: 'double' }, UNIT],
  },
)
const COMPLEXITY =
  'O(N+log(M)), N being the number of places in the cells around the area and M that of members in the sorted set'

function storeKeys(startFrom: number): readonly KeySpec[] {
  return ['STORE', 'STOREDIST'].map((keyword) => ({
    flags: ['OW', 'update'],
    beginSearch: { keyword, startFrom },
    findKeys: { lastKey: 0, step: 1, limit: 0 },
  }))
}

function radiusSpecs(byMember: boolean): CommandSpec[] {
  const name = byMember ? 'georadiusbymember' : 'georadius'
  const variant = byMember ? 'radiusbymember' : 'radius'
  const center = byMember ? [MEMBER] : POSITION
  const replacedBy = `\`GEOSEARCH\` and \`GEOSEARCHSTORE\` with the \`BYRADIUS\` ${byMember ? 'and `FROMMEMBER` arguments' : 'argument'}`
  const shared = {
    arity: byMember ? -5 : -6,
    group: 'geo',
    categories: ['geo'],
    complexity: COMPLEXITY,
    history: [['6.2.0', 'The option ANY.']],
  } as const
  return [
    {
      ...shared,
      name,
      flags: ['write', 'denyoom', 'movablekeys'],
      keys: [...keyRange(1, 1, 1, 'RO', 'access'), ...storeKeys(byMember ? 5 : 6)],
      since: '3.2.0',
      summary: `Lists places within a distance of ${byMember ? 'a member' : 'a position'}, or stores them.`,
      deprecated: { since: '6.2.0', replacedBy },
      arguments: [
        KEY,
        ...center,
        RADIUS,
        UNIT,
        ...SHOWN,
        COUNT,
        ORDER,
        optional(
          oneOf(
            'store',
            { name: 'storekey', type: 'key', token: 'STORE', keySpecIndex: 1 },
            { name: 'storedistkey', type: 'key', token: 'STOREDIST', keySpecIndex: 2 },
          ),
        ),
      ],
      handler: (call) => search(call, variant, true),
    },
    {
      ...shared,
      name: `${name}_ro`,
      flags: ['readonly'],
      keys: keyRange(1, 1, 1, 'RO', 'access'),
      since: byMember ? '3.2.10' : '3.2.10',
      summary: `Lists places within a distance of ${byMember ? 'a member' : 'a position'}.`,
      deprecated: { since: '6.2.0', replacedBy: replacedBy.replace(' and `GEOSEARCHSTORE`', '') },
      arguments: [KEY, ...center, RADIUS, UNIT, ...SHOWN, COUNT, ORDER],
      handler: (call) => search(call, variant, false),
    },
  ]
}

export const SEARCH_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'geosearch',
    arity: -7,
    flags: ['readonly'],
    keys: keyRange(1, 1, 1, 'RO', 'access'),
    group: 'geo',
    categories: ['geo'],
    since: '6.2.0',
    summary: 'Lists places within a circle or a box.',
    complexity: COMPLEXITY,
    arguments: [KEY, FROM, BY, ORDER, COUNT, ...SHOWN],
    handler: (call) => search(call, 'search', false),
  },
  {
    name: 'geosearchstore',
    arity: -8,
    flags: ['write', 'denyoom'],
    keys: [...keyRange(1, 1, 1, 'OW', 'update'), ...keyRange(2, 2, 1, 'RO', 'access')],
    group: 'geo',
    categories: ['geo'],
    since: '6.2.0',
    summary: 'Stores places within a circle or a box in a key.',
    complexity: COMPLEXITY,
    arguments: [
      { name: 'destination', type: 'key', keySpecIndex: 0 },
      { name: 'source', type: 'key', keySpecIndex: 1 },
      FROM,
      BY,
      ORDER,
      COUNT,
      optional(token('storedist')),
    ],
    handler: (call) => search(call, 'searchstore', true),
  },
  ...radiusSpecs(false),
  ...radiusSpecs(true),
]
