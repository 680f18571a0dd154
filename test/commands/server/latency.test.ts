import { beforeEach, expect, it } from 'vitest'
import { LIMITS } from '../../../src/base/limits.js'
import { EngineHarness } from '../../support/engine-harness.js'

let h: EngineHarness

beforeEach(() => {
  h = new EngineHarness()
  h.engine.latency.thresholdMs = 100
  h.engine.latency.percentiles = [50, 99, 99.9]
})

function takes(ms: number, name = 'command'): void {
  h.engine.latency.note(name, ms, h.clock.now)
}

it('keeps the longest of each second that reaches the threshold', () => {
  expect(h.run('LATENCY', 'LATEST')).toEqual([])
  takes(99)
  takes(150.9)
  takes(120)
  h.clock.advance(1000)
  takes(110)
  const now = Math.floor(h.clock.now / 1000)
  expect(h.run('LATENCY', 'LATEST')).toEqual([['command', now, 110, 150]])
  expect(h.run('LATENCY', 'HISTORY', 'command')).toEqual([
    [now - 1, 150],
    [now, 110],
  ])
  expect(h.run('LATENCY', 'HISTORY', 'nothing')).toEqual([])
})

it('is told of commands by how fast they ought to be', () => {
  h.engine.latency.thresholdMs = 1
  const { monotonicMs } = h.clock
  h.clock.monotonicMs = () => (h.clock.now += 5)
  h.run('GET', 'k')
  h.run('KEYS', '*')
  h.clock.monotonicMs = monotonicMs
  expect((h.run('LATENCY', 'LATEST') as unknown[][]).map(([name]) => name)).toEqual(['fast-command', 'command'])
})

it('forgets what it is told to', () => {
  takes(100)
  takes(200, 'expire-cycle')
  expect(h.run('LATENCY', 'RESET', 'nothing', 'command')).toBe(1)
  expect(h.run('LATENCY', 'RESET')).toBe(1)
  expect(h.run('LATENCY', 'LATEST')).toEqual([])
})

it('keeps a bounded number of samples', () => {
  for (let i = 0; i < LIMITS.latencySamples + 5; i++) {
    takes(100)
    h.clock.now += 1000
  }
  expect(h.run('LATENCY', 'HISTORY', 'command')).toHaveLength(LIMITS.latencySamples)
})

it('draws a graph and says in words what it saw', () => {
  takes(100)
  h.clock.advance(61_000)
  takes(300)
  expect(h.run('LATENCY', 'GRAPH', 'command')).toBe(
    `command - high 300 ms, low 100 ms (all time high 300 ms)\n${'-'.repeat(80)}\n #\n #\n #\n##\n\n10\nms\n`,
  )
  expect(h.raw(['LATENCY', 'GRAPH', 'x'])).toBe("-ERR No samples available for event 'x'\r\n")
  expect(h.run('LATENCY', 'DOCTOR')).toContain('command: 2 times, 200 ms on average, 300 ms at most.')
  h.run('LATENCY', 'RESET')
  expect(h.run('LATENCY', 'DOCTOR')).toBe('Nothing has taken 100 ms.\n')
  h.engine.latency.thresholdMs = 0
  expect(h.run('LATENCY', 'DOCTOR')).toContain('CONFIG SET latency-monitor-threshold')
})

it('counts how long commands took, by powers of two', () => {
  const histogram = h.services.table.find('get')?.latency
  for (const microseconds of [0, 1, 2, 3, 4, 5, 1e12]) histogram?.add(microseconds)
  expect(histogram?.cumulative()).toEqual([
    [1, 2],
    [2, 3],
    [4, 5],
    [8, 6],
    [2 ** 32, 7],
  ])
  expect([50, 99].map((share) => histogram?.percentile(share))).toEqual([4, 2 ** 32])
  h.run('CONFIG', 'RESETSTAT')
  expect(histogram?.percentile(50)).toBe(0)
  h.run('SET', 'k', 'v')
  h.run('CLIENT', 'ID')
  h.run('CLIENT', 'INFO')
  expect(h.run('LATENCY', 'HISTOGRAM', 'set', 'nothing', 'get')).toEqual(['set', ['calls', 1, 'histogram_usec', [1, 1]]])
  expect(h.run('INFO', 'latencystats')).toContain('latency_percentiles_usec_set:p50=1.000,p99=1.000,p99.9=1.000\r\n')
  h.engine.latency.percentiles = [0, 100]
  expect(h.run('INFO', 'latencystats')).toContain('latency_percentiles_usec_set:p0=1.000,p100=1.000\r\n')
  expect(h.run('LATENCY', 'HISTOGRAM', 'client')).toHaveLength(4)
  expect(h.run('LATENCY', 'HISTOGRAM', 'client|id')).toHaveLength(2)
})

it('counts nothing while latency-tracking is off', () => {
  h.engine.latency.tracksCommands = false
  h.run('SET', 'k', 'v')
  expect(h.run('LATENCY', 'HISTOGRAM', 'set')).toEqual([])
  expect(h.run('INFO', 'latencystats')).toBe('# Latencystats\r\n')
  expect(h.run('INFO', 'commandstats')).toContain('cmdstat_set:calls=1')
  h.engine.latency.tracksCommands = true
  h.run('SET', 'k', 'v')
  expect(h.run('LATENCY', 'HISTOGRAM', 'set')).toEqual(['set', ['calls', 1, 'histogram_usec', [1, 1]]])
})

it('says how the event loop goes, since the statistics were reset', () => {
  let cycles = 100
  const loop = () => ({ cycles, activeMs: cycles * 2 })
  const h = new EngineHarness()
  Object.assign(h.services.server, { eventLoop: loop })
  h.run('CONFIG', 'RESETSTAT')
  cycles += 5
  const { monotonicMs } = h.clock
  h.clock.monotonicMs = () => (h.clock.now += 1)
  h.run('SET', 'k', 'v')
  h.clock.monotonicMs = monotonicMs
  const stats = () => h.run('INFO', 'stats')
  expect(stats()).toContain('eventloop_cycles:5\r\neventloop_duration_sum:10000\r\neventloop_duration_cmd_sum:1000\r\n')
  h.clock.advance(1000)
  cycles += 100
  h.clock.advance(1000)
  expect(stats()).toMatch(/instantaneous_eventloop_cycles_per_sec:[1-9]\d\r\ninstantaneous_eventloop_duration_usec:2000\r\n/)
})
