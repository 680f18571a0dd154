import { FrameView } from '../../src/crdt/frame.js'
import { HybridClock } from '../../src/crdt/hybrid-clock.js'

/**
 * Mistakes that the simulator must find: each changes a class of the product from outside, so that the product itself has no switches.
 */
export interface PlantedBug {
  readonly name: string
  readonly what: string
  /** Makes the mistake; the result takes it back. */
  apply(): () => void
}

/** Replaces a method of a prototype; the result restores it. */
function patch<T extends object, K extends keyof T>(target: T, name: K, make: (original: T[K]) => T[K]): () => void {
  const original = Object.getOwnPropertyDescriptor(target, name)
  if (original === undefined) throw new Error(`there is no ${String(name)} to plant a bug in`)
  Object.defineProperty(target, name, { ...original, value: make(target[name]) })
  return () => {
    Object.defineProperty(target, name, original)
  }
}

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'no-causal-gate',
    what: 'a frame is applied before what its origin had seen',
    apply: () => patch(FrameView.prototype, 'contextCoveredBy', () => () => true),
  },
  {
    name: 'clock-ignores-remote-stamps',
    what: 'the hybrid clock does not move past stamps it sees',
    apply: () => patch(HybridClock.prototype, 'observe', () => () => undefined),
  },
]

/** Plants a bug by name. */
export function plant(name: string): () => void {
  const bug = PLANTED_BUGS.find((candidate) => candidate.name === name)
  if (bug === undefined) throw new Error(`no planted bug '${name}'; there are ${PLANTED_BUGS.map((each) => each.name).join(', ')}`)
  return bug.apply()
}
