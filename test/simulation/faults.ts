import type { DiskFaultKind } from './disks.js'
import type { SeededRandom } from './random.js'
import type { TRANSFER_KINDS } from './transfers.js'

/** Something that goes wrong just before a step. Members are draws, taken modulo the number of members (b: of the others). */
export interface Fault {
  readonly index: number
  readonly atStep: number
  readonly kind: FaultKind
  readonly a: number
  readonly b: number
  readonly durationMs: number
  /** For jumps, how far; for slow things, how slow; for memory, how many bytes too much are in use. */
  readonly amount: number
}

export const FAULT_KINDS = [
  'isolate',
  'cut',
  'break-links',
  'dials-fail',
  'slow-link',
  'kill',
  'power-cut',
  'clock-jump',
  'clock-drift',
  'disk-full',
  'slow-disk',
  'memory-short',
  'failed-writes',
  'failed-sync',
] as const
/** The list of members changes, or a machine is started from an old copy of its disk. */
export const MEMBERSHIP_KINDS = [
  'add-member',
  'remove-member',
  'remove-dead',
  'remove-alive',
  'copy-disk',
  'restore-disk',
] as const
/** A snapshot is begun; it is begun and the power fails, or the process dies, while it is written or soon after. */
export const SNAPSHOT_KINDS = ['snapshot', 'snapshot-power-cut', 'snapshot-kill'] as const
export type FaultKind =
  | (typeof FAULT_KINDS)[number]
  | (typeof SNAPSHOT_KINDS)[number]
  | (typeof MEMBERSHIP_KINDS)[number]
  | (typeof TRANSFER_KINDS)[number]
  | DiskFaultKind
  /** A client takes a backup: nothing goes wrong, but it must go right whatever happens meanwhile. */
  | 'backup'

const WEIGHTS: Record<(typeof FAULT_KINDS)[number], number> = {
  isolate: 2,
  cut: 4,
  'break-links': 3,
  'dials-fail': 1,
  'slow-link': 1,
  kill: 2,
  'power-cut': 4,
  'clock-jump': 2,
  'clock-drift': 1,
  'disk-full': 1,
  'slow-disk': 1,
  'memory-short': 2,
  // Only where a profile says so.
  'failed-writes': 0,
  'failed-sync': 0,
}

/** The faults of a seed, fixed before it runs, so that a shrinker can leave out any of them. */
export function planFaults(
  random: SeededRandom,
  steps: number,
  rate: number,
  weights: Partial<Record<FaultKind, number>> = {},
): Fault[] {
  const faults: Fault[] = []
  for (let step = 0; step < steps; step++) {
    if (!random.chance(rate)) continue
    const kind = FAULT_KINDS[random.weighted(FAULT_KINDS.map((name) => weights[name] ?? WEIGHTS[name]))]
    const amount =
      kind === 'clock-jump'
        ? random.pick([-100_000, -5000, -500, -50, 50, 500, 5000, 60_000])
        : kind === 'memory-short'
          ? random.pick([-2000, -200, 0, 200, 1000, 1_000_000])
          : random.pick([0.5, 0.95, 1.001, 1.05, 2])
    faults.push({
      index: faults.length,
      atStep: step,
      kind,
      a: random.uint32(),
      b: random.uint32(),
      durationMs: random.pick([5, 30, 100, 400, 1500]),
      amount,
    })
  }
  return faults
}

/** Changes of membership, as faults whose indexes come after those. */
export function planMembership(random: SeededRandom, steps: number, firstIndex: number, rate: number): Fault[] {
  const faults: Fault[] = []
  for (let step = 0; step < steps; step++) {
    if (!random.chance(rate)) continue
    faults.push({
      index: firstIndex + faults.length,
      atStep: step,
      kind: MEMBERSHIP_KINDS[random.weighted([5, 2, 2, 1, 2, 2])],
      a: random.uint32(),
      b: random.uint32(),
      durationMs: random.pick([5, 30, 100, 400]),
      amount: random.unit(),
    })
  }
  return faults
}

const SNAPSHOT_RATE = 0.05

/** Snapshots, as faults whose indexes come after those. Without crashes where nothing goes wrong. */
export function planSnapshots(
  random: SeededRandom,
  steps: number,
  firstIndex: number,
  calm: boolean,
  finishedRate?: number,
): Fault[] {
  const faults: Fault[] = []
  for (let step = 0; step < steps; step++) {
    if (!random.chance(finishedRate ?? SNAPSHOT_RATE)) continue
    faults.push({
      index: firstIndex + faults.length,
      atStep: step,
      kind: calm ? 'snapshot' : SNAPSHOT_KINDS[random.weighted(finishedRate === undefined ? [4, 2, 1] : [0, 0, 1])],
      a: random.uint32(),
      // Odd: when the snapshot has got its name.
      b: finishedRate === undefined ? random.uint32() : 1,
      durationMs: random.pick([5, 30, 100, 400]),
      // How soon the crash comes.
      amount: random.exponential(25),
    })
  }
  return faults
}

export function describeFault(fault: Fault): string {
  return `#${fault.index} ${fault.kind} a=${fault.a} b=${fault.b} for ${fault.durationMs} ms, amount ${fault.amount}`
}
