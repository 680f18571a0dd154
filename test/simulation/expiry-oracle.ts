import { observes } from './cleared.js'
import type { Effect } from './effects.js'

/**
 * What becomes of a time for which the key has been removed as due. `spent`: it goes on only for values that had not observed that
 * removal. `stays`: it stays until a later write clears it, also for values that came afterwards. The rules say only that a value
 * that survives must not live for ever, so the simulator lets members do either, as long as all do the same.
 */
export type FiredExpiry = 'spent' | 'stays'

export interface SetTime {
  readonly effect: Effect
  /** Unix ms, Infinity for PERSIST. */
  readonly at: number
}

/**
 * The latest surviving time, null for none. An expiry for which the key (or field) was removed as due stays only for values that had not observed
 * that removal: what is written anew afterwards starts without it.
 */
export function visibleExpiry(
  expiries: readonly SetTime[],
  dueRemovals: readonly Effect[],
  values: readonly Effect[],
  fired: FiredExpiry,
): number | null {
  let latest: number | null = null
  for (const { effect, at } of expiries) {
    if (latest !== null && at <= latest) continue
    const executed = fired === 'stays' ? [] : dueRemovals.filter((removal) => observes(removal, effect))
    if (executed.length > 0 && values.every((value) => executed.some((removal) => observes(value, removal)))) continue
    latest = at
  }
  return latest === Infinity ? null : latest
}
