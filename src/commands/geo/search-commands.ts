import { distanceWithin, intervalsOf, type GeoShape } from '../../base/geo-search.js'
import { decodePosition, type Position } from '../../base/geohash.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import { keyRange, type ArgumentSpec, type CommandSpec, type KeySpec } from '../command-spec.js'
import { rootForRead, scoreArgument } from '../sorted-set/arguments.js'
import { ScoredList, storeScored } from '../sorted-set/scored-list.js'
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

interface Found {
  readonly index: number
  readonly distance: number
  readonly position: Position
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
  const { list, found } = matches(call, root, shapeOf(s), s.any ? s.count : 0)
  if (s.sort !== 'none') found.sort((a, b) => (s.sort === 'asc' ? a.distance - b.distance : b.distance - a.distance))
  const chosen = s.count > 0 ? found.slice(0, s.count) : found
  if (s.storeAt === 0) {
    reply(call, s, list, chosen)
    return
  }
  const stored = new ScoredList()
  for (const { index, distance } of chosen) {
    const member = list.members.at(index)
    stored.push(member, 0, member.length, s.storesDistance ? distance / s.unit : list.score(index))
  }
  storeScored(call, s.storeAt, stored, variant === 'searchstore' ? 'geosearchstore' : 'georadiusstore')
}

function shapeOf({ center, kind, radius, width, height, unit }: Search): GeoShape {
  const from = center ?? { longitude: 0, latitude: 0 }
  return kind === 'box'
    ? { kind, center: from, width: width * unit, height: height * unit }
    : { kind: 'circle', center: from, radius: radius * unit }
}

/** All places within, or any `limit` of them. */
function matches(call: Call, root: Ref, shape: GeoShape, limit: number): { list: ScoredList; found: Found[] } {
  const { zsets, db } = call
  const list = new ScoredList()
  const found: Found[] = []
  for (const { min, max } of intervalsOf(shape)) {
    const from = zsets.countBelow(db, root, min, false)
    const to = zsets.countBelow(db, root, max, false)
    if (from >= to) continue
    const cursor = zsets.seek(db, root, from)
    for (let rank = from; rank < to; rank++) {
      const position = decodePosition(cursor.score)
      const distance = distanceWithin(shape, position)
      if (distance >= 0) {
        found.push({ index: list.count, distance, position })
        list.push(cursor.buf, cursor.off, cursor.len, cursor.score)
        if (found.length === limit) return { list, found }
      }
      cursor.step(true)
    }
  }
  return { list, found }
}

function reply(call: Call, s: Search, list: ScoredList, found: readonly Found[]): void {
  const { reply: out } = call
  const parts = 1 + Number(s.withDistance) + Number(s.withHash) + Number(s.withPosition)
  out.array(found.length)
  for (const { index, distance, position } of found) {
    if (parts > 1) out.array(parts)
    out.bulkBytes(list.members.at(index))
    if (s.withDistance) replyDistance(out, distance / s.unit)
    if (s.withHash) out.integer(Math.trunc(list.score(index)))
    if (s.withPosition) replyPosition(out, position)
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
