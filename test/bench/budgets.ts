import type { CatchUpResult } from './catch-up.js'
import type { Comparison } from './compare.js'
import type { CollectionMemoryResult } from './collection-memory.js'
import type { CollectionStallResult } from './collection-stall.js'
import type { LagResult } from './lag.js'
import { memoryRatio, type MemoryResult } from './memory.js'
import type { RemoteApplyResult } from './remote-apply.js'
import type { RestartResult } from './restart.js'
import type { SnapshotResult } from './snapshot.js'
import { median } from './statistics.js'
import type { StallResult } from './stall.js'
import type { TransferResult } from './transfer.js'
import { figure, ratio, textTable } from './text-table.js'

/** Whatever one invocation measured. */
export interface Measurements {
  compare?: readonly Comparison[]
  memory?: MemoryResult
  stall?: StallResult
  restart?: RestartResult
  catchUp?: CatchUpResult
  lag?: LagResult
  remoteApply?: RemoteApplyResult
  collectionMemory?: CollectionMemoryResult
  collectionStall?: CollectionStallResult
  snapshot?: SnapshotResult
  transfer?: TransferResult
}

/** What Meridian shall reach; redis-server on the same machine in the same run is the yardstick of the ratios. */
export const BUDGETS = {
  cpuRatio: 1.0,
  cpuPipeline: 16,
  cpuKeys: 100_000,
  throughputRatio: 0.9,
  p99Ratio: 1.5,
  memoryRatio: 1.0,
  collectionMemoryRatio: 1.3,
  stallMs: 10,
  restartKeysPerSecond: 500_000,
  catchUpOpsPerSecond: 300_000,
  lagP99Ms: 10,
  remoteApplyRatio: 1.0,
  /** Of the throughput without, while a snapshot is written, which takes a quarter of the time. */
  snapshotThroughputRatio: 0.7,
  /** Of the sender's data, when 1 % of the keys were missed. */
  transferBytesShare: 0.02,
} as const

export interface Verdict {
  readonly budget: string
  readonly limit: string
  readonly measured: string
  readonly met: boolean
  /** How far from the limit, as a share of it; positive is better than asked. */
  readonly margin: number
}

/** Judges what was measured and leaves out what was not. */
export function judge(measurements: Measurements): Verdict[] {
  const { compare = [], memory, stall, restart, catchUp, lag, remoteApply } = measurements
  const verdicts = compare.filter((one) => one.scenario === 'alone').flatMap(judgeComparison)
  if (memory)
    verdicts.push(atMost(`resident memory, ${figure(memory.keys)} keys`, memoryRatio(memory), BUDGETS.memoryRatio, ratio))
  const stalled = stall?.servers.find((one) => one.system === 'meridian')
  if (stall && stalled)
    verdicts.push(atMost(`longest stall, ${figure(stall.keys)} keys overwritten`, stalled.worstMs, BUDGETS.stallMs, ms))
  const restarted = restart?.servers.find((one) => one.system === 'meridian')
  if (restarted) verdicts.push(atLeast('restart, keys a second', restarted.keysPerSecond, BUDGETS.restartKeysPerSecond, figure))
  if (catchUp) verdicts.push(atLeast('catch-up, ops a second', catchUp.opsPerSecond, BUDGETS.catchUpOpsPerSecond, figure))
  if (lag) verdicts.push(atMost(`lag p99 at ${figure(lag.writesPerSecond)} writes/s`, lag.p99Ms, BUDGETS.lagP99Ms, ms))
  for (const { pipeline, localMicros, remoteMicros } of remoteApply?.runs ?? []) {
    verdicts.push(
      atMost(
        `CPU of a remote op against a local one, pipeline ${pipeline}`,
        remoteMicros / localMicros,
        BUDGETS.remoteApplyRatio,
        ratio,
      ),
    )
  }
  for (const { shape, redis, meridian, twoRegions } of measurements.collectionMemory?.shapes ?? []) {
    const limit = BUDGETS.collectionMemoryRatio
    verdicts.push(atMost(`memory: ${shape}`, meridian.used / redis.used, limit, ratio))
    verdicts.push(atMost(`memory: ${shape}, from two regions`, twoRegions.used / redis.used, limit, ratio))
  }
  for (const { scenario, servers } of measurements.collectionStall?.scenarios ?? []) {
    const ours = servers.find(({ system }) => system === 'meridian')
    if (ours) verdicts.push(atMost(`longest stall, ${scenario}`, median(ours.worstMs), BUDGETS.stallMs, ms))
  }
  if (measurements.snapshot) verdicts.push(...judgeSnapshot(measurements.snapshot))
  if (measurements.transfer) {
    const { changed, keys, sentBytes, snapshotBytes } = measurements.transfer
    const budget = `sent of the data when ${figure(changed)} of ${figure(keys)} keys were missed`
    verdicts.push(atMost(budget, sentBytes / snapshotBytes, BUDGETS.transferBytesShare, percentage))
  }
  return verdicts
}

function judgeSnapshot({ keys, fromLog, fromSnapshot, idle, without, during }: SnapshotResult): Verdict[] {
  const limit = BUDGETS.restartKeysPerSecond
  const share = during.writesPerSecond / without.writesPerSecond
  return [
    atLeast('start from the log, keys a second', fromLog.keysPerSecond, limit, figure),
    atLeast('start from a snapshot, keys a second', fromSnapshot.keysPerSecond, limit, figure),
    atMost(`longest stall, snapshot of ${figure(keys)} keys`, idle.pings.worstMs, BUDGETS.stallMs, ms),
    atLeast('throughput of writes while a snapshot is written', share, BUDGETS.snapshotThroughputRatio, ratio),
  ]
}

function judgeComparison({ keys, pipeline, test, redis, meridian }: Comparison): Verdict[] {
  const where = `${test}, ${figure(keys)} keys, pipeline ${pipeline}`
  const verdicts: Verdict[] = []
  if (pipeline === BUDGETS.cpuPipeline && keys === BUDGETS.cpuKeys) {
    verdicts.push(atMost(`CPU a command: ${where}`, meridian.cpuMicros / redis.cpuMicros, BUDGETS.cpuRatio, ratio))
  }
  if (pipeline === 1) {
    const speed = meridian.requestsPerSecond / redis.requestsPerSecond
    verdicts.push(atLeast(`throughput: ${where}`, speed, BUDGETS.throughputRatio, ratio))
  }
  verdicts.push(atMost(`p99: ${where}`, meridian.p99Ms / redis.p99Ms, BUDGETS.p99Ratio, ratio))
  return verdicts
}

function atMost(budget: string, measured: number, limit: number, show: (value: number) => string): Verdict {
  return { budget, limit: `<= ${show(limit)}`, measured: show(measured), met: measured <= limit, margin: 1 - measured / limit }
}

function atLeast(budget: string, measured: number, limit: number, show: (value: number) => string): Verdict {
  return { budget, limit: `>= ${show(limit)}`, measured: show(measured), met: measured >= limit, margin: measured / limit - 1 }
}

function ms(value: number): string {
  return `${figure(value)} ms`
}

function percentage(share: number): string {
  return `${(100 * share).toFixed(2)} %`
}

export function budgetLines(verdicts: readonly Verdict[]): string[] {
  if (verdicts.length === 0) return []
  const rows = verdicts.map(({ budget, limit, measured, met, margin }) => {
    const percent = `${Math.abs(margin * 100).toFixed(0)} %`
    return [budget, met ? 'met' : 'MISSED', limit, measured, met ? `${percent} to spare` : `by ${percent}`]
  })
  const missed = verdicts.filter((one) => !one.met).length
  return [
    'Budgets',
    ...textTable(['', '', 'limit', 'measured', 'margin'], rows, 2),
    `${verdicts.length - missed} met, ${missed} missed`,
  ]
}
