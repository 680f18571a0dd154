import { observes } from '../cleared.js'
import type { EffectBody, HllBody } from '../effects.js'
import { estimate, patternOf, registersIn } from '../hyperloglog.js'
import type { ModelStore } from '../model-store.js'
import type { Reply } from '../reply.js'
import { ELEMENTS, someElements } from '../samples.js'
import type { ValueType } from './value-type.js'

type Registers = ReadonlyMap<number, number>

function registersOf(store: ModelStore, db: number, key: string): Registers | null {
  return store.typed(db, key, 'hll')?.registers ?? null
}

function raised(before: Registers, patterns: Iterable<readonly [number, number]>): Map<number, number> {
  const after = new Map(before)
  for (const [index, rank] of patterns) if (rank > (after.get(index) ?? 0)) after.set(index, rank)
  return after
}

function add(store: ModelStore, db: number, [, key, ...elements]: readonly string[]): Reply {
  const before = registersOf(store, db, key)
  const after = raised(before ?? new Map(), elements.map(patternOf))
  const changed = before === null || [...after].some(([index, rank]) => before.get(index) !== rank)
  if (changed) store.write(db, key, 'hll', { type: 'hll', registers: after })
  return changed ? ':1' : ':0'
}

function merged(store: ModelStore, db: number, keys: readonly string[]): Registers {
  return keys.reduce<Registers>((all, key) => raised(all, registersOf(store, db, key) ?? []), new Map())
}

export const HLL_TYPE: ValueType = {
  name: 'hll',
  keyType: 7,
  prefix: 'p',
  kinds: { 'hll-add': 56, 'hll-remove': 57 },

  decode(type, reader): EffectBody | null {
    if (type === 57) return { kind: 'hll-remove' }
    if (type !== 56) return null
    const form = reader.u8()
    const content = reader.block()
    if (form === 1) return { kind: 'hll-add', registers: registersIn(content) }
    if (form !== 0 || content.length % 3 !== 0) throw new Error(`hll-add of form ${form} with ${content.length} bytes`)
    const registers = Array.from({ length: content.length / 3 }, (_, i) => {
      const bits = content.charCodeAt(i * 3) | (content.charCodeAt(i * 3 + 1) << 8) | (content.charCodeAt(i * 3 + 2) << 16)
      return [bits & 0x3fff, bits >> 14] as const
    })
    return { kind: 'hll-add', registers }
  },

  /** Removal wins: an add counts when its origin had seen every removal there is. */
  visible(effects, cleared) {
    const removals = effects.filter(({ body }) => body.kind === 'hll-remove')
    const adds = effects.filter(
      (effect) =>
        effect.body.kind === 'hll-add' && !cleared.has(effect) && removals.every((removal) => observes(effect, removal)),
    )
    if (adds.length === 0) return null
    const registers = adds.reduce<Registers>(
      (all, { body }) => raised(all, (body as HllBody & { kind: 'hll-add' }).registers),
      new Map(),
    )
    return { value: { type: 'hll', registers }, writes: adds }
  },

  commands: {
    PFADD: add,
    PFCOUNT: (store, db, [, ...keys]) => `:${estimate(merged(store, db, keys))}`,
    PFMERGE: (store, db, [, to, ...keys]) => {
      const registers = merged(store, db, [to, ...keys])
      store.write(db, to, 'hll', { type: 'hll', registers })
      return '+OK'
    },
  },

  unordered: {},

  workload: {
    hll: (random, keys) =>
      random.pick([
        () => ['PFADD', keys.key(), ...someElements(random, 3)],
        () => ['PFADD', keys.key(), random.pick(ELEMENTS)],
        () => ['PFADD', keys.key(), `e${random.below(40)}`, `e${random.below(40)}`],
        () => ['PFADD', keys.key()],
        () => ['PFMERGE', keys.key(), keys.key()],
        () => ['PFMERGE', keys.key(), keys.key(), keys.key()],
      ])(),
    hllRead: (random, keys) => (random.chance(0.7) ? ['PFCOUNT', keys.key()] : ['PFCOUNT', keys.key(), keys.key()]),
  },

  readBack: (key) => [['PFCOUNT', key]],
}
