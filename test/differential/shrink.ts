import type { Sequence, Step } from './sequence.js'

/** Runs that shrinking may take: each is a few milliseconds, unless it pauses. */
const MAX_RUNS = 300

/** Drops steps as long as the sequence still fails: halves first, then smaller pieces down to single steps. */
export async function shrink(sequence: Sequence, fails: (candidate: Sequence) => Promise<boolean>): Promise<Sequence> {
  let steps: readonly Step[] = sequence.steps
  let runs = 0
  for (let piece = Math.ceil(steps.length / 2); piece >= 1; piece = piece === 1 ? 0 : Math.ceil(piece / 2)) {
    for (let at = 0; at < steps.length && runs < MAX_RUNS;) {
      const fewer = [...steps.slice(0, at), ...steps.slice(at + piece)]
      runs++
      if (fewer.length > 0 && (await fails({ ...sequence, steps: fewer }))) steps = fewer
      else at += piece
    }
  }
  return { ...sequence, steps }
}
