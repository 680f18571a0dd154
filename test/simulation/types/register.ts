import { Cleared, byDot } from '../cleared.js'
import { ZERO, add, formatSum, parseDecimal } from '../decimal.js'
import type { Effect, Expiry } from '../effects.js'
import { visibleExpiry, type FiredExpiry, type SetTime } from '../expiry-oracle.js'

/** What an effect does to one register with a counter on top: the value of a string, the field of a hash. */
export type RegisterStep =
  | { readonly effect: Effect; readonly does: 'write'; readonly text: string; readonly expiry: Expiry }
  /** Changes the text that stands before it in dot order. */
  | { readonly effect: Effect; readonly does: 'edit'; readonly edit: (text: string) => string }
  | { readonly effect: Effect; readonly does: 'increment'; readonly n: string }
  | { readonly effect: Effect; readonly does: 'remove'; readonly due: boolean }
  | { readonly effect: Effect; readonly does: 'expire'; readonly at: number }

export interface RegisterView {
  readonly text: string
  readonly expireAt: number | null
  readonly writes: readonly Effect[]
}

/** F for one register. Of what `cleared` has removed nothing counts, neither values nor times. */
export function visibleRegister(steps: readonly RegisterStep[], cleared: Cleared, fired: FiredExpiry): RegisterView | null {
  const valueCleared = new Cleared(cleared)
  const expiryCleared = new Cleared(cleared)
  for (const step of steps) {
    if (step.does === 'write' || step.does === 'remove') valueCleared.by(step.effect)
    if (step.does === 'expire' || (step.does === 'write' && step.expiry !== 'keep') || (step.does === 'remove' && !step.due))
      expiryCleared.by(step.effect)
  }
  const values: (RegisterStep & { readonly does: 'write' | 'edit' | 'increment' })[] = []
  const times: SetTime[] = []
  const dueRemovals: Effect[] = []
  for (const step of steps) {
    const { effect } = step
    if (step.does === 'remove') {
      if (step.due) dueRemovals.push(effect)
      continue
    }
    if (step.does !== 'expire' && !valueCleared.has(effect)) values.push(step)
    if (expiryCleared.has(effect)) continue
    if (step.does === 'expire') times.push({ effect, at: step.at })
    if (step.does === 'write' && typeof step.expiry === 'number') times.push({ effect, at: step.expiry })
  }
  if (values.length === 0) return null
  values.sort((a, b) => byDot(a.effect, b.effect))
  const writes = values.map(({ effect }) => effect)
  let text: string | null = null
  let sum = ZERO
  let incremented = false
  for (const step of values) {
    if (step.does === 'write') ({ text } = step)
    else if (step.does === 'edit') text = step.edit(text ?? '')
    else {
      const n = parseDecimal(step.n)
      if (n === null) throw new Error(`increment by '${step.n}'`)
      sum = add(sum, n)
      incremented = true
    }
  }
  return { text: counted(text, sum, incremented), expireAt: visibleExpiry(times, dueRemovals, writes, fired), writes }
}

/** A text that is a number, or none, with the increments on top; other text hides them. */
function counted(text: string | null, sum: typeof ZERO, incremented: boolean): string {
  if (!incremented) return text!
  const base = text === null ? ZERO : parseDecimal(text)
  return base === null ? text! : formatSum(add(base, sum))
}
