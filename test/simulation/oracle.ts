import { Cleared, byDot } from './cleared.js'
import type { Effect } from './effects.js'
import { visibleExpiry, type FiredExpiry, type SetTime } from './expiry-oracle.js'
import { VALUE_TYPES, typeOfBody } from './types/all-types.js'
import type { Hearing, Surviving } from './types/value-type.js'
import type { KeyView } from './values.js'

/**
 * The specification of what concurrent writes mean: F(set of effects, who had seen what), after Burckhardt. There is no state
 * that is updated; each question is answered from the history alone, so the order of arrival cannot matter here.
 *
 * A key holds something of each type that was written to it; what it is of one type says that type's own oracle. Visible is the type with the newest
 * surviving write. The expiry belongs to the key.
 */
export function visibleState(
  effects: readonly Effect[],
  vector: ArrayLike<number>,
  fired: FiredExpiry = 'spent',
  heard?: Hearing,
): KeyView | null {
  const counted = effects.filter((effect) => effect.stamp <= vector[effect.origin])
  const cleared = new Cleared()
  const expiryCleared = new Cleared()
  for (const effect of counted) {
    const { body } = effect
    const removesAll = body.kind === 'flush-db' || (body.kind === 'remove' && body.only === undefined)
    if (removesAll) cleared.by(effect)
    const removesExpiry =
      body.kind === 'expire' ||
      (body.kind === 'set-string' && body.expiry !== 'keep') ||
      (removesAll && !(body.kind === 'remove' && body.due))
    if (removesExpiry) expiryCleared.by(effect)
  }
  const seen: Surviving[] = []
  for (const type of VALUE_TYPES) {
    const own = counted.filter(({ body }) => typeOfBody(body) === type)
    if (own.length === 0) continue
    const removals = counted.filter(({ body }) => body.kind === 'remove' && body.only === type.keyType)
    const gone = removals.length === 0 ? cleared : new Cleared(cleared)
    for (const removal of removals) gone.by(removal)
    const surviving = type.visible(own, gone, fired, heard)
    if (surviving !== null) seen.push(surviving)
  }
  if (seen.length === 0) return null
  const newestOf = ({ writes }: Surviving): Effect => writes.reduce((a, b) => (byDot(a, b) > 0 ? a : b))
  const { value } = seen.reduce((a, b) => (byDot(newestOf(a), newestOf(b)) > 0 ? a : b))
  const times: SetTime[] = []
  const dueRemovals: Effect[] = []
  for (const effect of counted) {
    const { body } = effect
    if (body.kind === 'remove' && body.due) dueRemovals.push(effect)
    if (expiryCleared.has(effect)) continue
    if (body.kind === 'expire') times.push({ effect, at: body.at })
    if (body.kind === 'set-string' && typeof body.expiry === 'number') times.push({ effect, at: body.expiry })
  }
  const writes = seen.flatMap((surviving) => surviving.writes)
  return { value, expireAt: visibleExpiry(times, dueRemovals, writes, fired) }
}
