import type { EffectBody } from '../effects.js'
import type { TypeName } from '../values.js'
import { HASH_TYPE } from './hash-type.js'
import { HLL_TYPE } from './hll-type.js'
import { LIST_TYPE } from './list-type.js'
import { SET_TYPE } from './set-type.js'
import { STREAM_TYPE } from './stream-type.js'
import { STRING_TYPE } from './string-type.js'
import type { ValueType } from './value-type.js'
import { ZSET_TYPE } from './zset-type.js'

/** What the simulator knows of types. */
export const VALUE_TYPES: readonly ValueType[] = [STRING_TYPE, HASH_TYPE, SET_TYPE, ZSET_TYPE, LIST_TYPE, STREAM_TYPE, HLL_TYPE]

const BY_KIND = new Map(VALUE_TYPES.flatMap((type) => Object.keys(type.kinds).map((kind) => [kind, type] as const)))

/** The type that an effect is on; undefined for those on keys as a whole. */
export function typeOfBody(body: EffectBody): ValueType | undefined {
  return BY_KIND.get(body.kind)
}

export function typeNamed(name: TypeName): ValueType {
  return VALUE_TYPES.find((type) => type.name === name)!
}

/** How a command's reply is compared when its items come in any order. */
export function orderOf(command: string): 'items' | 'pairs' | undefined {
  for (const { unordered } of VALUE_TYPES) if (command in unordered) return unordered[command]
  return undefined
}
