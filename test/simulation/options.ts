import type { ModelStore } from './model-store.js'

/** True when an option stands among the arguments from a position on. */
export function has(args: readonly string[], option: string, from: number): boolean {
  return args.indexOf(option, from) >= 0
}

/** The time that EX, PX, EXAT or PXAT among the options gives. */
export function timeOption(store: ModelStore, args: readonly string[], from: number): number | null {
  for (let i = from; i + 1 < args.length; i++) {
    const value = Number(args[i + 1])
    if (args[i] === 'EX') return store.nowMs + value * 1000
    if (args[i] === 'PX') return store.nowMs + value
    if (args[i] === 'EXAT') return value * 1000
    if (args[i] === 'PXAT') return value
  }
  return null
}

/** Whether NX, XX, GT and LT allow a new time. No time counts as never: nothing is greater, everything is less. */
export function allowsTime(args: readonly string[], from: number, old: number | null, at: number): boolean {
  const present = old ?? Infinity
  return !(
    (has(args, 'NX', from) && old !== null) ||
    (has(args, 'XX', from) && old === null) ||
    (has(args, 'GT', from) && !(at > present)) ||
    (has(args, 'LT', from) && !(at < present))
  )
}
