import { ZERO, add, formatSum, parseDecimal } from './decimal.js'
import { applyEdit, type Effect } from './effects.js'

/**
 * The specification of what concurrent writes mean: F(set of effects, who had seen what), after Burckhardt. There is no state
 * that is updated; each question is answered from the history alone, so the order of arrival cannot matter here.
 *
 * An effect that clears removes every entry its origin had observed. So an entry has been removed by *some* visible clearing
 * effect exactly when the pointwise maximum of the contexts of those effects covers its dot: that keeps this linear.
 */
export interface KeyView {
  readonly value: string
  /** Unix ms, or null for a key that does not expire. */
  readonly expireAt: number | null
}

/** A key is gone at its time. (Redis keeps it for that last millisecond, which no client can rely on.) */
export function isDue(expireAt: number | null, nowMs: number): boolean {
  return expireAt !== null && nowMs >= expireAt
}

/**
 * What becomes of a time for which the key has been removed as due. `spent`: it goes on only for values that had not observed that
 * removal. `stays`: it stays until a later write clears it, also for values that came afterwards. The rules say only that a value
 * that survives must not live for ever, so the simulator lets members do either, as long as all do the same.
 */
export type FiredExpiry = 'spent' | 'stays'

const MEMBERS = 16

function observes(later: Effect, earlier: Effect): boolean {
  if (later.origin === earlier.origin) return earlier.stamp < later.stamp
  return later.context[earlier.origin] >= earlier.stamp
}

function raise(cleared: Float64Array, by: Effect): void {
  for (let member = 1; member < MEMBERS; member++) {
    const stamp = member === by.origin ? by.stamp - 1 : by.context[member]
    if (stamp > cleared[member]) cleared[member] = stamp
  }
}

const byDot = (a: Effect, b: Effect): number => a.stamp - b.stamp || a.origin - b.origin

const valueCleared = new Float64Array(MEMBERS)
const expiryCleared = new Float64Array(MEMBERS)

/**
 * The visible state of one key. `effects` are those on the key and the flushes of its database; of them those count whose stamp the
 * vector covers.
 */
export function visibleState(
  effects: readonly Effect[],
  vector: ArrayLike<number>,
  fired: FiredExpiry = 'spent',
): KeyView | null {
  valueCleared.fill(0)
  expiryCleared.fill(0)
  for (const effect of effects) {
    if (effect.stamp > vector[effect.origin]) continue
    const { body } = effect
    switch (body.kind) {
      case 'set-string':
        raise(valueCleared, effect)
        if (body.expiry !== 'keep') raise(expiryCleared, effect)
        break
      case 'remove':
        raise(valueCleared, effect)
        if (!body.due) raise(expiryCleared, effect)
        break
      case 'flush-db':
        raise(valueCleared, effect)
        raise(expiryCleared, effect)
        break
      case 'expire':
        raise(expiryCleared, effect)
        break
      default:
    }
  }
  const values: Effect[] = []
  const expiries: Effect[] = []
  const dueRemovals: Effect[] = []
  for (const effect of effects) {
    if (effect.stamp > vector[effect.origin]) continue
    const { body } = effect
    switch (body.kind) {
      case 'set-string':
        if (effect.stamp > valueCleared[effect.origin]) values.push(effect)
        if (typeof body.expiry === 'number' && effect.stamp > expiryCleared[effect.origin]) expiries.push(effect)
        break
      case 'increment':
      case 'append':
      case 'set-range':
      case 'set-bits':
        if (effect.stamp > valueCleared[effect.origin]) values.push(effect)
        break
      case 'expire':
        if (effect.stamp > expiryCleared[effect.origin]) expiries.push(effect)
        break
      case 'remove':
        if (body.due) dueRemovals.push(effect)
        break
      default:
    }
  }
  if (values.length === 0) return null
  return { value: visibleValue(values), expireAt: visibleExpiry(expiries, fired === 'spent' ? dueRemovals : [], values) }
}

/** Registers and edits in dot order; then, if that is a number or nothing, the increments on top. */
function visibleValue(values: Effect[]): string {
  values.sort(byDot)
  let text: string | null = null
  let sum = ZERO
  let incremented = false
  for (const { body } of values) {
    if (body.kind === 'set-string') text = body.value
    else if (body.kind === 'increment') {
      const n = parseDecimal(body.n)
      if (n === null) throw new Error(`increment by '${body.n}'`)
      sum = add(sum, n)
      incremented = true
    } else text = applyEdit(text ?? '', body)
  }
  if (!incremented) return text!
  const base = text === null ? ZERO : parseDecimal(text)
  return base === null ? text! : formatSum(add(base, sum))
}

/**
 * The latest surviving time. An expiry for which the key was removed as due stays only for values that had not observed that
 * removal: a key written anew afterwards starts without it.
 */
function visibleExpiry(expiries: readonly Effect[], dueRemovals: readonly Effect[], values: readonly Effect[]): number | null {
  let latest: number | null = null
  for (const expiry of expiries) {
    const { body } = expiry
    const at = body.kind === 'expire' ? body.at : body.kind === 'set-string' ? (body.expiry as number) : 0
    if (latest !== null && at <= latest) continue
    const executed = dueRemovals.filter((removal) => observes(removal, expiry))
    if (executed.length > 0 && values.every((value) => executed.some((removal) => observes(value, removal)))) continue
    latest = at
  }
  return latest === Infinity ? null : latest
}
