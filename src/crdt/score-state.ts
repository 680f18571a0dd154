import type { ApplyContext, Stability } from './apply-context.js'

/**
 * A sorted-set member's whole replicated state: a multi-value register of scores and one counter contribution a replica. The visible score is the
 * register with the highest dot (0 if there is none) plus what the contributions add, summed in the order of member ids, so that it is the same double
 * everywhere; the member is there while there is any entry.
 *
 * Sources: as string-state. Scores are doubles and the sum is rounded as doubles are, unlike the exact decimals of strings. What differs for that: an
 * increment carries the total before it instead of what it added, because a difference of rounded totals is not what was there before.
 *
 * A sum that is no number (inf and -inf met) reads as 0. Increments are finite: one that would not be is written as a score instead.
 *
 * Assumes causal delivery, each op once; applying a run of ops again over a state that contains them and later ones ends in the same state. A register
 * entry below the highest one may be dropped once its dot is stable.
 *
 * This is the general form, on the JavaScript heap; zset-store keeps plain scores and further increments of a known contribution out of it.
 */
export interface ScoreRegister {
  readonly member: number
  readonly stamp: number
  readonly score: number
}

export interface ScoreContribution {
  readonly member: number
  /** Stamp of the contribution's first increment: tells it from one that was reset and began anew. */
  epoch: number
  stamp: number
  total: number
  /** The part of total that a reset has taken away. */
  base: number
  baseStamp: number
}

/** A contribution as a write or removal saw it. */
export interface ScoreReset {
  readonly member: number
  readonly epoch: number
  readonly stamp: number
  readonly total: number
}

export interface ScoreState {
  /** Ascending by dot: the last one counts. */
  registers: ScoreRegister[]
  /** Ascending by member. */
  contributions: ScoreContribution[]
}

export const NO_SCORE_RESETS: readonly ScoreReset[] = []

export function emptyScoreState(): ScoreState {
  return { registers: [], contributions: [] }
}

export function isPresent(state: ScoreState): boolean {
  return state.registers.length > 0 || state.contributions.length > 0
}

/** A score is written: ZADD. */
export function applyScore(state: ScoreState, context: ApplyContext, score: number, resets: readonly ScoreReset[]): void {
  removeObserved(state, context, resets)
  const { origin: member, stamp } = context
  const at = state.registers.findIndex((entry) => entry.stamp > stamp || (entry.stamp === stamp && entry.member >= member))
  if (at < 0) state.registers.push({ member, stamp, score })
  else if (state.registers[at].stamp !== stamp || state.registers[at].member !== member) {
    state.registers.splice(at, 0, { member, stamp, score })
  }
}

/** ZREM, and all that removes a member. */
export function applyScoreRemoval(state: ScoreState, context: ApplyContext, resets: readonly ScoreReset[]): void {
  removeObserved(state, context, resets)
}

/** The origin's contribution after an increment: its total, and what the total was before. */
export function applyScoreIncrement(
  state: ScoreState,
  context: ApplyContext,
  epoch: number,
  total: number,
  before: number,
): void {
  const { origin: member, stamp } = context
  const { contributions } = state
  const at = contributions.findIndex((contribution) => contribution.member >= member)
  const here = at >= 0 && contributions[at].member === member ? contributions[at] : undefined
  if (here === undefined || here.epoch < epoch) {
    const fresh = { member, epoch, stamp, total, base: before, baseStamp: stamp - 1 }
    if (at < 0) contributions.push(fresh)
    else contributions.splice(at, here === undefined ? 0 : 1, fresh)
  } else if (here.epoch === epoch && here.stamp < stamp) {
    here.stamp = stamp
    here.total = total
  }
}

function removeObserved(state: ScoreState, context: ApplyContext, resets: readonly ScoreReset[]): void {
  state.registers = state.registers.filter((entry) => !context.covers(entry.member, entry.stamp))
  for (const reset of resets) {
    const index = state.contributions.findIndex((contribution) => contribution.member === reset.member)
    if (index < 0) continue
    const here = state.contributions[index]
    if (here.epoch !== reset.epoch) continue
    if (context.covers(here.member, here.stamp)) {
      state.contributions.splice(index, 1)
    } else if (reset.stamp > here.baseStamp) {
      here.base = reset.total
      here.baseStamp = reset.stamp
    }
  }
}

/** The score that clients see. The state must hold something. */
export function visibleScore(state: ScoreState): number {
  let score = state.registers.length === 0 ? 0 : state.registers[state.registers.length - 1].score
  for (const { total, base } of state.contributions) score += total - base
  return score === score ? score : 0
}

/** The resets that a write or removal made here, now, must carry. */
export function scoreResetsOf(state: ScoreState): readonly ScoreReset[] {
  if (state.contributions.length === 0) return NO_SCORE_RESETS
  return state.contributions.map(({ member, epoch, stamp, total }) => ({ member, epoch, stamp, total }))
}

/** Drops register entries that are stable and below the highest one. */
export function settleScore(state: ScoreState, stability: Stability): void {
  const { registers } = state
  if (registers.length > 1) {
    state.registers = registers.filter((entry, i) => i === registers.length - 1 || !stability.covers(entry.member, entry.stamp))
  }
}
