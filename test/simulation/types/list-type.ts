import type { ByteReader } from '../byte-reader.js'
import { Cleared, byDot } from '../cleared.js'
import type { Effect, EffectBody, Level, ListBody, Position } from '../effects.js'
import { SimulationFailure } from '../failure.js'
import type { ModelStore } from '../model-store.js'
import type { SeededRandom } from '../random.js'
import type { Reply } from '../reply.js'
import { ELEMENTS, someElements } from '../samples.js'
import type { ValueType } from './value-type.js'

const NIL = '_'
const ERR = '-ERR'

function itemsOf(store: ModelStore, db: number, key: string): readonly string[] {
  return store.typed(db, key, 'list')?.items ?? []
}

/** The positions are the member's affair; what they come to is checked. */
function put(store: ModelStore, db: number, key: string, items: readonly string[]): void {
  store.write(db, key, 'list', items.length === 0 ? null : { type: 'list', items })
}

const bulk = (item: string | undefined): Reply => (item === undefined ? NIL : `$${item}`)
const bulks = (items: readonly string[]): Reply => items.map((item) => `$${item}`)

function push(store: ModelStore, db: number, [name, key, ...values]: readonly string[]): Reply {
  const before = itemsOf(store, db, key)
  if (name.endsWith('X') && before.length === 0) return ':0'
  const after = name.startsWith('L') ? [...values.reverse(), ...before] : [...before, ...values]
  put(store, db, key, after)
  return `:${after.length}`
}

function pop(store: ModelStore, db: number, [name, key, count]: readonly string[]): Reply {
  const before = itemsOf(store, db, key)
  if (before.length === 0) return NIL
  const taken = Math.min(Number(count ?? 1), before.length)
  const left = name === 'LPOP'
  const gone = left ? before.slice(0, taken) : before.slice(before.length - taken).reverse()
  if (taken > 0) put(store, db, key, left ? before.slice(taken) : before.slice(0, before.length - taken))
  return count === undefined ? bulk(gone[0]) : bulks(gone)
}

/** LMOVE, RPOPLPUSH and LMOVEM: what is moved, in the order of the destination. */
function move(
  store: ModelStore,
  db: number,
  from: string,
  to: string,
  fromLeft: boolean,
  toLeft: boolean,
  count = 1,
  oneByOne = false,
): readonly string[] {
  const before = itemsOf(store, db, from)
  if (before.length === 0) return []
  itemsOf(store, db, to)
  const at = fromLeft ? Math.min(count, before.length) : Math.max(0, before.length - count)
  const [items, rest] = fromLeft ? [before.slice(0, at), before.slice(at)] : [before.slice(at), before.slice(0, at)]
  if (oneByOne && fromLeft === toLeft) items.reverse()
  // The same list is never empty in between: its expiry stays.
  if (from !== to) put(store, db, from, rest)
  const there = from === to ? rest : itemsOf(store, db, to)
  put(store, db, to, toLeft ? [...items, ...there] : [...there, ...items])
  return items
}

function moveMany(store: ModelStore, db: number, args: readonly string[]): Reply {
  const [, from, to, whence, where, how, count = '1', order] = args
  if (how === 'EXACTLY' && itemsOf(store, db, from).length < Number(count)) return NIL
  const items = move(store, db, from, to, whence === 'LEFT', where === 'LEFT', Number(count), order === 'OBO')
  return items.length === 0 ? NIL : bulks(items)
}

function range(items: readonly string[], start: number, end: number): readonly string[] {
  const from = start < 0 ? Math.max(0, items.length + start) : start
  const to = end < 0 ? items.length + end : end
  return items.slice(from, Math.max(from, to + 1))
}

function removeEqual(items: readonly string[], count: number, value: string): readonly string[] {
  let left = count === 0 ? Infinity : Math.abs(count)
  const order = count < 0 ? [...items].reverse() : items
  const kept = order.filter((item) => !(item === value && left-- > 0))
  return count < 0 ? kept.reverse() : kept
}

function compareLevels(a: Level, b: Level): number {
  return a.anchor - b.anchor || a.stamp - b.stamp || a.member - b.member || a.index - b.index
}

function compare(a: Position, b: Position): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const order = compareLevels(a[i], b[i])
    if (order !== 0) return order
  }
  return a.length - b.length
}

function moved(position: Position, by: number): Position {
  const last = position[position.length - 1]
  return [...position.slice(0, -1), { ...last, index: last.index + by }]
}

function readPosition(reader: ByteReader, stamp: number): Position {
  return reader.list(() => ({
    anchor: reader.signed(),
    member: reader.u8(),
    stamp: stamp - reader.varint(),
    index: reader.signed(),
  }))
}

function readRanges(reader: ByteReader, ofEffect: number): (readonly [Position, Position])[] {
  const ranges: (readonly [Position, Position])[] = []
  let stamp = ofEffect
  for (;;) {
    const kind = reader.u8()
    const before = ranges.at(-1)?.[1]
    if (kind === 0) return ranges
    if (kind === 6 && before === undefined && stamp === ofEffect) {
      stamp = reader.f64()
      if (stamp > ofEffect) throw new Error(`ages that count from ${stamp}, behind their effect`)
      continue
    }
    if (kind > 5 || (kind > 3 && before === undefined)) throw new Error(`range of kind ${kind}`)
    const first = kind > 3 ? moved(before!, 1 + reader.varint()) : readPosition(reader, stamp)
    if (kind === 1 || kind === 4) ranges.push([first, first])
    else ranges.push([first, kind === 3 ? readPosition(reader, stamp) : moved(first, reader.varint())])
  }
}

interface Place {
  readonly position: Position
  readonly cleared: Cleared
  readonly writes: { readonly effect: Effect; readonly value: string }[]
}

const keyOf = (position: Position): string =>
  position.map(({ anchor, stamp, member, index }) => `${anchor},${stamp},${member},${index}`).join(';')

function element(random: SeededRandom): string {
  return random.pick(ELEMENTS)
}

const index = (random: SeededRandom): string => String(random.between(-3, 3))

const end = (random: SeededRandom): string => random.pick(['LEFT', 'RIGHT'])

function howMany(random: SeededRandom): string[] {
  if (random.below(5) === 0) return []
  return [random.pick(['COUNT', 'EXACTLY']), String(random.between(1, 5)), random.pick(['OBO', 'BULK'])]
}

export const LIST_TYPE: ValueType = {
  name: 'list',
  keyType: 5,
  prefix: 'l',
  kinds: { 'list-insert': 40, 'list-set': 41, 'list-remove': 42 },

  decode(type, reader, stamp): EffectBody | null {
    switch (type) {
      case 40:
        return { kind: 'list-insert', position: readPosition(reader, stamp), values: reader.list(() => reader.block()) }
      case 41:
        return { kind: 'list-set', position: readPosition(reader, stamp), value: reader.block() }
      case 42:
        return { kind: 'list-remove', ranges: readRanges(reader, stamp) }
      default:
        return null
    }
  },

  visible(effects, cleared) {
    const places = new Map<string, Place>()
    const write = (effect: Effect, position: Position, value: string): Place => {
      const key = keyOf(position)
      let place = places.get(key)
      if (place === undefined) places.set(key, (place = { position, cleared: new Cleared(cleared), writes: [] }))
      place.writes.push({ effect, value })
      return place
    }
    const given = new Set<string>()
    const removals: { effect: Effect; first: Position; last: Position }[] = []
    for (const effect of effects) {
      const body = effect.body as ListBody
      if (body.kind === 'list-set') write(effect, body.position, body.value).cleared.by(effect)
      if (body.kind === 'list-insert') {
        body.values.forEach((value, i) => {
          const position = moved(body.position, i)
          if (given.has(keyOf(position))) throw new SimulationFailure(`position ${keyOf(position)} is given to two elements`)
          given.add(keyOf(position))
          write(effect, position, value)
        })
      }
      if (body.kind === 'list-remove') for (const [first, last] of body.ranges) removals.push({ effect, first, last })
    }
    const order = [...places.values()].sort((a, b) => compare(a.position, b.position))
    for (const { effect, first, last } of removals) {
      for (let i = firstNotBefore(order, first); i < order.length && compare(order[i].position, last) <= 0; i++) {
        order[i].cleared.by(effect)
      }
    }
    const items: string[] = []
    const writes: Effect[] = []
    for (const place of order) {
      const here = place.writes.filter(({ effect }) => !place.cleared.has(effect))
      if (here.length === 0) continue
      items.push(here.reduce((a, b) => (byDot(a.effect, b.effect) > 0 ? a : b)).value)
      writes.push(...here.map(({ effect }) => effect))
    }
    return items.length === 0 ? null : { value: { type: 'list', items }, writes }
  },

  commands: {
    RPUSH: push,
    LPUSH: push,
    RPUSHX: push,
    LPUSHX: push,
    LPOP: pop,
    RPOP: pop,
    LLEN: (store, db, [, key]) => `:${itemsOf(store, db, key).length}`,
    LRANGE: (store, db, [, key, start, end]) => bulks(range(itemsOf(store, db, key), Number(start), Number(end))),
    LINDEX: (store, db, [, key, at]) => bulk(itemsOf(store, db, key).at(Number(at))),
    LPOS: (store, db, [, key, value]) => {
      const at = itemsOf(store, db, key).indexOf(value)
      return at < 0 ? NIL : `:${at}`
    },
    LSET: (store, db, [, key, at, value]) => {
      const items = [...itemsOf(store, db, key)]
      const i = Number(at) < 0 ? items.length + Number(at) : Number(at)
      if (i < 0 || i >= items.length) return ERR
      items[i] = value
      put(store, db, key, items)
      return '+OK'
    },
    LINSERT: (store, db, [, key, where, pivot, value]) => {
      const items = [...itemsOf(store, db, key)]
      if (items.length === 0) return ':0'
      const at = items.indexOf(pivot)
      if (at < 0) return ':-1'
      items.splice(where === 'BEFORE' ? at : at + 1, 0, value)
      put(store, db, key, items)
      return `:${items.length}`
    },
    LREM: (store, db, [, key, count, value]) => {
      const before = itemsOf(store, db, key)
      const after = removeEqual(before, Number(count), value)
      if (after.length < before.length) put(store, db, key, after)
      return `:${before.length - after.length}`
    },
    LTRIM: (store, db, [, key, start, end]) => {
      const before = itemsOf(store, db, key)
      const after = range(before, Number(start), Number(end))
      if (after.length < before.length) put(store, db, key, after)
      return '+OK'
    },
    LMOVE: (store, db, [, from, to, whence, where]) => bulk(move(store, db, from, to, whence === 'LEFT', where === 'LEFT')[0]),
    RPOPLPUSH: (store, db, [, from, to]) => bulk(move(store, db, from, to, false, true)[0]),
    LMOVEM: moveMany,
  },

  unordered: {},

  workload: {
    list: (random, keys) =>
      random.pick([
        () => ['RPUSH', keys.key(), ...someElements(random, 3)],
        () => ['RPUSH', keys.key(), ...someElements(random, 3)],
        () => ['LPUSH', keys.key(), ...someElements(random, 3)],
        () => [random.pick(['RPUSHX', 'LPUSHX']), keys.key(), element(random)],
        () => [random.pick(['LPOP', 'RPOP']), keys.key()],
        () => [random.pick(['LPOP', 'RPOP']), keys.key(), String(random.below(3))],
        () => ['LTRIM', keys.key(), String(random.between(-6, 2)), String(random.between(-3, 6))],
        () => ['LMOVE', keys.key(), keys.key(), end(random), end(random)],
        () => ['RPOPLPUSH', keys.key(), keys.key()],
        () => ['LMOVEM', keys.key(), keys.key(), end(random), end(random), ...howMany(random)],
      ])(),
    listEdit: (random, keys) =>
      random.pick([
        () => ['LSET', keys.key(), index(random), element(random)],
        () => ['LINSERT', keys.key(), random.pick(['BEFORE', 'AFTER']), element(random), element(random)],
        () => ['LINSERT', keys.key(), random.pick(['BEFORE', 'AFTER']), element(random), element(random)],
        () => ['LREM', keys.key(), String(random.between(-2, 2)), element(random)],
      ])(),
    listRead: (random, keys) =>
      random.pick([
        () => ['LRANGE', keys.key(), '0', '-1'],
        () => ['LRANGE', keys.key(), index(random), index(random)],
        () => ['LLEN', keys.key()],
        () => ['LINDEX', keys.key(), index(random)],
        () => ['LPOS', keys.key(), element(random)],
      ])(),
  },

  readBack: (key) => [
    ['LRANGE', key, '0', '-1'],
    ['LLEN', key],
  ],
}

/** Index of the first place that does not stand before a position. */
function firstNotBefore(order: readonly Place[], position: Position): number {
  let low = 0
  let high = order.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (compare(order[middle].position, position) < 0) low = middle + 1
    else high = middle
  }
  return low
}
