import { Simulation, type SimulationOptions, type SimulationResult } from './simulation.js'
import type { MemberKind } from './simulated-member.js'
import { SeededRandom } from './random.js'
import { PROFILES } from './profiles.js'

/** What of a seed is fixed by the command line; the rest follows from the seed. */
export interface SeedOverrides {
  readonly members?: number | undefined
  readonly profile?: string | undefined
  readonly steps?: number | undefined
  readonly skipFaults?: ReadonlySet<number> | undefined
  readonly skipSteps?: ReadonlySet<number> | undefined
  readonly withoutFaults?: ReadonlySet<string> | undefined
}

const PROFILE_NAMES = Object.keys(PROFILES).filter((name) => PROFILES[name].isChosenByName !== true)

/** The whole configuration of a seed. */
export function seedOptions(seed: number, overrides: SeedOverrides = {}): SimulationOptions {
  const random = new SeededRandom(seed).stream('shape')
  const members = 2 + random.weighted([3, 6, 2, 1])
  const profile = random.pick(PROFILE_NAMES)
  const steps = random.between(80, 200)
  return {
    seed,
    members: overrides.members ?? members,
    profile: overrides.profile ?? profile,
    steps: overrides.steps ?? steps,
    skipFaults: overrides.skipFaults ?? new Set(),
    skipSteps: overrides.skipSteps ?? new Set(),
    withoutFaults: overrides.withoutFaults ?? new Set(),
    trace: null,
  }
}

export function runSeed(kind: MemberKind, options: SimulationOptions): SimulationResult {
  return new Simulation(kind, options).run()
}

/** The one command that runs this again. */
export function replayCommand(options: SimulationOptions, planted: string | null = null): string {
  const parts = [
    `npm run simulate -- --seed ${options.seed} --members ${options.members} --profile ${options.profile} --steps ${options.steps}`,
  ]
  if (options.skipFaults.size > 0) parts.push(`--skip-faults ${formatRanges(options.skipFaults)}`)
  if (options.skipSteps.size > 0) parts.push(`--skip-steps ${formatRanges(options.skipSteps)}`)
  if (options.withoutFaults.size > 0) parts.push(`--without ${[...options.withoutFaults].join(',')}`)
  if (planted !== null) parts.push(`--bug ${planted}`)
  return `${parts.join(' ')} --verbose`
}

/** `0-4,7`: a set of indexes, short. */
export function formatRanges(indexes: ReadonlySet<number>): string {
  const sorted = [...indexes].sort((a, b) => a - b)
  const ranges: string[] = []
  for (let i = 0; i < sorted.length;) {
    let end = i
    while (end + 1 < sorted.length && sorted[end + 1] === sorted[end] + 1) end++
    ranges.push(end === i ? String(sorted[i]) : `${sorted[i]}-${sorted[end]}`)
    i = end + 1
  }
  return ranges.join(',')
}

export function parseRanges(text: string): Set<number> {
  const indexes = new Set<number>()
  for (const range of text.split(',')) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(range)
    if (match === null) throw new Error(`'${range}' is not an index or a range such as 3-7`)
    for (let i = Number(match[1]); i <= Number(match[2] ?? match[1]); i++) indexes.add(i)
  }
  return indexes
}

/**
 * Makes a failing seed smaller while it still fails: fewer steps, fewer members, fewer faults, then steps left out in the middle. What fails
 * may then be another failure of the same cause, which is as good.
 */
export function shrink(kind: MemberKind, failing: SimulationOptions, maxRuns = 150): SimulationOptions {
  let best = failing
  let runs = 0
  const attempt = (options: SimulationOptions): boolean => {
    if (runs >= maxRuns) return false
    runs++
    if (runSeed(kind, options).failure === null) return false
    best = options
    return true
  }
  const result = runSeed(kind, failing)
  if (result.atStep + 1 < failing.steps) attempt({ ...best, steps: result.atStep + 1 })
  for (let members = 2; members < best.members; members++) if (attempt({ ...best, members })) break
  for (let steps = best.steps >> 1; steps > 0; steps >>= 1)
    while (best.steps > steps && attempt({ ...best, steps: best.steps - steps }));
  leaveOut(best.steps, (indexes) => attempt({ ...best, skipFaults: new Set([...best.skipFaults, ...indexes]) }))
  leaveOut(best.steps, (indexes) => attempt({ ...best, skipSteps: new Set([...best.skipSteps, ...indexes]) }))
  return best
}

/** Tries blocks of indexes, large ones first. */
function leaveOut(count: number, attempt: (indexes: number[]) => boolean): void {
  const gone = new Set<number>()
  for (let size = count; size >= 1; size >>= 1) {
    for (let from = 0; from < count; from += size) {
      const indexes: number[] = []
      for (let i = from; i < Math.min(count, from + size); i++) if (!gone.has(i)) indexes.push(i)
      if (indexes.length > 0 && attempt(indexes)) for (const index of indexes) gone.add(index)
    }
  }
}
