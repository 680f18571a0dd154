import { describe, expect, it } from 'vitest'
import { budgetLines, judge } from './budgets.js'
import type { Comparison, Sample } from './compare.js'

const redis: Sample = { requestsPerSecond: 100_000, p50Ms: 0.2, p99Ms: 1, cpuMicros: 2 }

function comparison(overrides: Partial<Comparison>, meridian: Partial<Sample>): Comparison {
  const base = { scenario: 'alone', keys: 100_000, pipeline: 16, test: 'GET' } as const
  return { ...base, redis, meridian: { ...redis, ...meridian }, ...overrides }
}

describe('judge', () => {
  it('holds CPU a command against the budget at pipeline 16 and 100 thousand keys only', () => {
    const at = (overrides: Partial<Comparison>): string[] =>
      judge({ compare: [comparison(overrides, {})] }).map((verdict) => verdict.budget)
    expect(at({})).toEqual(['CPU a command: GET, 100,000 keys, pipeline 16', 'p99: GET, 100,000 keys, pipeline 16'])
    expect(at({ keys: 3_000_000 })).toEqual(['p99: GET, 3,000,000 keys, pipeline 16'])
    expect(at({ pipeline: 1 })).toEqual(['throughput: GET, 100,000 keys, pipeline 1', 'p99: GET, 100,000 keys, pipeline 1'])
    expect(at({ scenario: 'peer' })).toEqual([])
  })

  it('says by how much a budget is met or missed', () => {
    const [cpu, p99] = judge({ compare: [comparison({}, { cpuMicros: 2.5, p99Ms: 0.75 })] })
    expect(cpu).toMatchObject({ met: false, measured: '1.25x', limit: '<= 1.00x' })
    expect(cpu.margin).toBeCloseTo(-0.25)
    expect(p99.met).toBe(true)
    expect(p99.margin).toBeCloseTo(0.5)
    expect(budgetLines([cpu, p99]).join('\n')).toMatch(/MISSED .* by 25 %\n.* met .* 50 % to spare\n1 met, 1 missed/)
  })

  it('asks for at least, where more is better', () => {
    const catchUp = { ops: 1, seconds: 1, opsPerSecond: 150_000, senderCpuSeconds: 0, receiverCpuSeconds: 0 }
    expect(judge({ catchUp })).toMatchObject([{ met: false, margin: -0.5, limit: '>= 300,000' }])
  })

  it('holds memory of collections against redis-server, also when two regions wrote them', () => {
    const bytes = (used: number) => ({ used, resident: used, buffers: 0 })
    const shape = { shape: 'members', redis: bytes(100), meridian: bytes(90), twoRegions: bytes(140) }
    expect(judge({ collectionMemory: { elements: 1, shapes: [shape] } })).toMatchObject([
      { budget: 'memory: members', met: true, measured: '0.90x' },
      { budget: 'memory: members, from two regions', met: false, measured: '1.40x', limit: '<= 1.30x' },
    ])
  })

  it('holds starts, pauses and throughput of snapshots, and what a transfer sends, against their budgets', () => {
    const pings = { p99Ms: 1, worstMs: 8, ownPauseMs: 1 }
    const start = (keysPerSecond: number) => ({ seconds: 1, keysPerSecond, cpuSeconds: 1 })
    const snapshot = {
      keys: 3_000_000,
      fromLog: start(400_000),
      fromSnapshot: start(1_000_000),
      idle: { bytes: 1, seconds: 1, pings },
      without: { ...pings, writesPerSecond: 100_000 },
      during: { ...pings, writesPerSecond: 80_000, snapshots: 1 },
    }
    expect(judge({ snapshot }).map(({ met, measured }) => [met, measured])).toEqual([
      [false, '400,000'],
      [true, '1,000,000'],
      [true, '8.00 ms'],
      [true, '0.80x'],
    ])
    const load = { requestsPerSecond: 1, p99Ms: 1, runs: 1 }
    const times = { seconds: 1, transferSeconds: 1, senderCpuSeconds: 1, receiverCpuSeconds: 1 }
    const bytes = { snapshotBytes: 1_000_000, sentBytes: 25_000, linkBytes: 60_000 }
    const loads = { alone: load, helping: load, followed: load }
    expect(judge({ transfer: { keys: 100, changed: 1, ...bytes, ...times, ...loads } })).toMatchObject([
      { met: false, measured: '2.50 %', limit: '<= 2.00 %' },
    ])
  })

  it('says nothing of what was not measured', () => {
    expect(judge({})).toEqual([])
    expect(budgetLines([])).toEqual([])
  })
})
