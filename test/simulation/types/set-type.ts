import { Cleared } from '../cleared.js'
import type { Effect, EffectBody, SetBody } from '../effects.js'
import type { ModelStore } from '../model-store.js'
import { shown, type Reply } from '../reply.js'
import { ELEMENTS, someElements } from '../samples.js'
import type { Value } from '../values.js'
import type { ValueType } from './value-type.js'

function membersOf(store: ModelStore, db: number, key: string): ReadonlySet<string> {
  return store.typed(db, key, 'set')?.members ?? new Set()
}

function put(store: ModelStore, db: number, key: string, members: ReadonlySet<string>, ...bodies: SetBody[]): void {
  store.write(db, key, 'set', members.size === 0 ? null : { type: 'set', members }, ...bodies)
}

function add(store: ModelStore, db: number, key: string, members: readonly string[]): number {
  const before = membersOf(store, db, key)
  const after = new Set([...before, ...members])
  put(store, db, key, after, { kind: 'set-add', members: [...new Set(members)] })
  return after.size - before.size
}

function remove(store: ModelStore, db: number, key: string, members: readonly string[]): number {
  const before = membersOf(store, db, key)
  const gone = [...new Set(members)].filter((member) => before.has(member))
  if (gone.length > 0) {
    const after = new Set([...before].filter((member) => !gone.includes(member)))
    put(store, db, key, after, { kind: 'set-remove', members: gone })
  }
  return gone.length
}

const bulks = (members: Iterable<string>): Reply => [...members].map((member) => `$${member}`)

/** The members that the reply names, when those are there and as many as must be; else any. */
function popped(store: ModelStore, before: ReadonlySet<string>, count: number): string[] {
  const wanted = Math.min(count, before.size)
  const { hint } = store
  const named = (hint === null ? [] : typeof hint === 'string' ? [hint] : hint).map((each) => shown(each).slice(1))
  const right = new Set(named).size === wanted && named.length === wanted && named.every((member) => before.has(member))
  return right ? named : [...before].slice(0, wanted)
}

function combined(store: ModelStore, db: number, name: string, keys: readonly string[]): Set<string> {
  const sets = keys.map((key) => membersOf(store, db, key))
  const [first, ...rest] = sets
  if (name.startsWith('SUNION')) return new Set(sets.flatMap((set) => [...set]))
  const inter = name.startsWith('SINTER')
  return new Set(
    [...first].filter((member) => (inter ? rest.every((set) => set.has(member)) : !rest.some((set) => set.has(member)))),
  )
}

function combineAndStore(store: ModelStore, db: number, [name, to, ...keys]: readonly string[]): Reply {
  const members = combined(store, db, name, keys)
  if (store.read(db, to) !== null) store.remove(db, to)
  if (members.size > 0) put(store, db, to, members, { kind: 'set-add', members: [...members] })
  return `:${members.size}`
}

export const SET_TYPE: ValueType = {
  name: 'set',
  keyType: 3,
  prefix: 's',
  kinds: { 'set-add': 24, 'set-remove': 25 },

  decode(type, reader): EffectBody | null {
    if (type === 24) return { kind: 'set-add', members: reader.list(() => reader.block()) }
    return type === 25 ? { kind: 'set-remove', members: reader.list(() => reader.block()) } : null
  },

  plain: {
    encode(body, writer) {
      if (body.kind === 'set-add' || body.kind === 'set-remove') writer.list(body.members, (member) => writer.block(member))
    },
    copy: (value: Value) => (value.type === 'set' ? [{ kind: 'set-add', members: [...value.members] }] : []),
  },

  visible(effects, cleared) {
    const goneOf = new Map<string, Cleared>()
    const adds: { effect: Effect; member: string }[] = []
    for (const effect of effects) {
      const body = effect.body as SetBody
      for (const member of body.members) {
        let gone = goneOf.get(member)
        if (gone === undefined) goneOf.set(member, (gone = new Cleared(cleared)))
        gone.by(effect)
        if (body.kind === 'set-add') adds.push({ effect, member })
      }
    }
    const here = adds.filter(({ effect, member }) => !goneOf.get(member)!.has(effect))
    if (here.length === 0) return null
    return {
      value: { type: 'set', members: new Set(here.map(({ member }) => member)) },
      writes: here.map(({ effect }) => effect),
    }
  },

  commands: {
    SADD: (store, db, [, key, ...members]) => `:${add(store, db, key, members)}`,
    SREM: (store, db, [, key, ...members]) => `:${remove(store, db, key, members)}`,
    SCARD: (store, db, [, key]) => `:${membersOf(store, db, key).size}`,
    SISMEMBER: (store, db, [, key, member]) => (membersOf(store, db, key).has(member) ? ':1' : ':0'),
    SMISMEMBER: (store, db, [, key, ...members]) => {
      const set = membersOf(store, db, key)
      return members.map((member) => (set.has(member) ? ':1' : ':0'))
    },
    SMEMBERS: (store, db, [, key]) => bulks(membersOf(store, db, key)),
    SPOP: (store, db, [, key, count]) => {
      const before = membersOf(store, db, key)
      const members = popped(store, before, count === undefined ? 1 : Number(count))
      remove(store, db, key, members)
      if (count !== undefined) return bulks(members)
      return members.length === 0 ? '_' : `$${members[0]}`
    },
    SRANDMEMBER: (store, db, [, key]) => {
      const [member] = popped(store, membersOf(store, db, key), 1)
      return member === undefined ? '_' : `$${member}`
    },
    SMOVE: (store, db, [, from, to, member]) => {
      const before = store.typed(db, from, 'set')
      if (before === null) return ':0'
      membersOf(store, db, to)
      if (!before.members.has(member)) return ':0'
      if (from === to) return ':1'
      remove(store, db, from, [member])
      add(store, db, to, [member])
      return ':1'
    },
    SUNION: (store, db, [name, ...keys]) => bulks(combined(store, db, name, keys)),
    SINTER: (store, db, [name, ...keys]) => bulks(combined(store, db, name, keys)),
    SDIFF: (store, db, [name, ...keys]) => bulks(combined(store, db, name, keys)),
    SUNIONSTORE: combineAndStore,
    SINTERSTORE: combineAndStore,
    SDIFFSTORE: combineAndStore,
  },

  unordered: { SMEMBERS: 'items', SPOP: 'items', SUNION: 'items', SINTER: 'items', SDIFF: 'items' },

  workload: {
    set: (random, keys) =>
      random.pick([
        () => ['SADD', keys.key(), ...someElements(random, 4)],
        () => ['SADD', keys.key(), random.pick(ELEMENTS)],
        () => ['SADD', keys.key(), random.pick(ELEMENTS)],
        () => ['SREM', keys.key(), random.pick(ELEMENTS)],
        () => ['SREM', keys.key(), ...someElements(random, 4)],
        () => ['SPOP', keys.key()],
        () => ['SPOP', keys.key(), String(random.below(4))],
        () => ['SMOVE', keys.key(), keys.key(), random.pick(ELEMENTS)],
        () => [random.pick(['SUNIONSTORE', 'SINTERSTORE', 'SDIFFSTORE']), keys.key(), keys.key(), keys.key()],
      ])(),
    setRead: (random, keys) =>
      random.pick([
        () => ['SMEMBERS', keys.key()],
        () => ['SCARD', keys.key()],
        () => ['SISMEMBER', keys.key(), random.pick(ELEMENTS)],
        () => ['SMISMEMBER', keys.key(), random.pick(ELEMENTS), random.pick(ELEMENTS)],
        () => ['SRANDMEMBER', keys.key()],
        () => [random.pick(['SUNION', 'SINTER', 'SDIFF']), keys.key(), keys.key()],
      ])(),
  },

  readBack: (key) => [
    ['SMEMBERS', key],
    ['SCARD', key],
  ],
}
