import type { BenchRun } from './bench-run.js'
import { DATASETS, VALUE_64 } from './load-tests.js'
import { writeKeys } from './pipelined-writer.js'
import { PING_EVERY_MS, pingWhile } from './prober.js'
import { runLoad } from './redis-benchmark.js'
import type { Server, System } from './servers.js'
import { quantile } from './statistics.js'
import { figure, textTable } from './text-table.js'

export interface StallResult {
  readonly keys: number
  readonly servers: readonly StallFigures[]
}

export interface StallFigures {
  readonly system: System
  readonly writesPerSecond: number
  readonly pings: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly worstMs: number
  /** The longest pause of the measuring process itself: what of `worst` may be its own. */
  readonly proberPauseMs: number
}

/** Few connections, so that the probe waits behind at most 8 * 16 commands and the rest is the server's doing. */
const CONNECTIONS = 8
const PIPELINE = 16

/** Overwrites random keys at full speed while another connection sends PING every millisecond. */
export async function measureStall(keys: number, seconds: number, { bench, say }: BenchRun): Promise<StallResult> {
  const servers: StallFigures[] = []
  for (const server of [await bench.redis(), await bench.meridian()]) {
    say(`${figure(keys)} keys into ${server.system}`)
    await writeKeys({ port: server.port, ...DATASETS.values, count: keys })
    const load = {
      port: server.port,
      connections: CONNECTIONS,
      pipeline: PIPELINE,
      keyspace: keys,
      command: ['SET', 'key:__rand_int__', VALUE_64],
    }
    const { requestsPerSecond } = await runLoad({ ...load, requests: 200_000 })
    const figures = await probe(server, () => runLoad({ ...load, requests: Math.round(requestsPerSecond * seconds) }))
    say(`${server.system}: worst ${figure(figures.worstMs)} ms`)
    servers.push(figures)
    await server.stop()
  }
  return { keys, servers }
}

async function probe(server: Server, overwrite: () => Promise<{ requestsPerSecond: number }>): Promise<StallFigures> {
  const { result, timesMs, ownPauseMs } = await pingWhile(server.port, overwrite)
  return {
    system: server.system,
    writesPerSecond: result.requestsPerSecond,
    pings: timesMs.length,
    p50Ms: quantile(timesMs, 0.5),
    p99Ms: quantile(timesMs, 0.99),
    p999Ms: quantile(timesMs, 0.999),
    worstMs: quantile(timesMs, 1),
    proberPauseMs: ownPauseMs,
  }
}

export function stallLines(result: StallResult): string[] {
  const rows = result.servers.map((one) => [
    one.system,
    figure(one.writesPerSecond),
    String(one.pings),
    figure(one.p50Ms),
    figure(one.p99Ms),
    figure(one.p999Ms),
    figure(one.worstMs),
    figure(one.proberPauseMs),
  ])
  const head = ['', 'overwrites/s', 'pings', 'p50 ms', 'p99', 'p99.9', 'worst', 'own pause']
  return [
    `Reply time of PING every ${PING_EVERY_MS} ms under random overwrites of ${figure(result.keys)} keys`,
    ...textTable(head, rows),
    '',
  ]
}
