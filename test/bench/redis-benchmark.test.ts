import { describe, expect, it } from 'vitest'
import { parseCsv } from './redis-benchmark.js'

const HEAD = '"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"'

describe('parseCsv', () => {
  it('reads rate and latencies', () => {
    const output = `${HEAD}\n"SET key:__rand_int__ abc","714285.69","0.975","0.128","0.455","4.239","4.967","5.071"\n`
    expect(parseCsv(output)).toEqual({ requestsPerSecond: 714285.69, p50Ms: 0.455, p99Ms: 4.967, maxMs: 5.071 })
  })

  it('is not misled by quotes and commas in the command', () => {
    const output = `${HEAD}\n"SET a "1","2"","10.00","1.0","1.0","2.0","1.0","3.0","4.0"\n`
    expect(parseCsv(output)).toEqual({ requestsPerSecond: 10, p50Ms: 2, p99Ms: 3, maxMs: 4 })
  })

  it('throws what the server complained of', () => {
    expect(() => parseCsv(`${HEAD}\nError from server: ERR value is not an integer or out of range`)).toThrow(
      'ERR value is not an integer',
    )
  })

  it('throws when there are no figures', () => {
    expect(() => parseCsv('')).toThrow('printed no figures')
  })
})
