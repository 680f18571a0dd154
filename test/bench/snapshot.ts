import type { BenchRun } from './bench-run.js'
import { DATASETS, VALUE_64 } from './load-tests.js'
import { writeKeys } from './pipelined-writer.js'
import { PING_EVERY_MS, pingWhile } from './prober.js'
import { runLoad } from './redis-benchmark.js'
import { infoField, snapshotWritten, type Server } from './servers.js'
import { median, quantile } from './statistics.js'
import { figure, ratio, textTable } from './text-table.js'

export interface SnapshotResult {
  readonly keys: number
  /** From the log alone, and from a snapshot alone. */
  readonly fromLog: RestartFigures
  readonly fromSnapshot: RestartFigures
  /** One snapshot while nobody else has work. */
  readonly idle: { readonly bytes: number; readonly seconds: number; readonly pings: PingFigures }
  /** Overwrites at full speed, without snapshots and with one after the other; medians. */
  readonly without: LoadFigures
  readonly during: LoadFigures & { readonly snapshots: number }
}

export interface RestartFigures {
  /** From spawn to the first PONG. */
  readonly seconds: number
  readonly keysPerSecond: number
  /** CPU of the whole process until then. */
  readonly cpuSeconds: number
}

interface PingFigures {
  readonly p99Ms: number
  readonly worstMs: number
  /** The longest pause of the measuring process itself. */
  readonly ownPauseMs: number
}

interface LoadFigures extends PingFigures {
  readonly writesPerSecond: number
}

/** As for `stall`: few connections, so that PING waits behind few commands and the rest is the server's doing. */
const CONNECTIONS = 8
const PIPELINE = 16

/** What snapshots cost while one is written, and what a start from one takes. */
export async function measureSnapshot(
  keys: number,
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
  { bench, say }: BenchRun,
): Promise<SnapshotResult> {
  const server = await bench.meridian()
  say(`${figure(keys)} keys`)
  await writeKeys({ port: server.port, ...DATASETS.values, count: keys })
  const fromLog = await restarted(server, keys)
  say(`start from the log: ${figure(fromLog.seconds)} s`)

  const startMs = performance.now()
  const { timesMs, ownPauseMs } = await pingWhile(server.port, () => snapshotWritten(server))
  const idleSeconds = (performance.now() - startMs) / 1000
  const bytes = Number(await infoField(server, 'persistence', 'aof_base_size'))
  const idle = { bytes, seconds: idleSeconds, pings: pingFigures(timesMs, ownPauseMs) }
  say(`a snapshot: ${figure(idleSeconds)} s, worst PING ${figure(idle.pings.worstMs)} ms`)

  const load = {
    port: server.port,
    connections: CONNECTIONS,
    pipeline: PIPELINE,
    keyspace: keys,
    command: ['SET', 'key:__rand_int__', VALUE_64],
  }
  const { requestsPerSecond } = await runLoad({ ...load, requests: Math.min(200_000, 2 * keys) })
  const requests = Math.round(requestsPerSecond * seconds)
  const without: LoadFigures[] = []
  const during: LoadFigures[] = []
  let snapshots = 0
  for (let round = 0; round < rounds; round++) {
    without.push(await underLoad(server, { ...load, requests }))
    const loop = new SnapshotLoop(server)
    during.push(await underLoad(server, { ...load, requests }))
    snapshots += await loop.stop()
  }
  if (snapshots === 0) throw new Error('no snapshot was written under load')
  say(`${figure(median(during.map((one) => one.writesPerSecond)))} writes/s with snapshots`)

  await snapshotWritten(server)
  const fromSnapshot = await restarted(server, keys)
  say(`start from a snapshot: ${figure(fromSnapshot.seconds)} s`)
  await server.stop()
  return { keys, fromLog, fromSnapshot, idle, without: medians(without), during: { ...medians(during), snapshots } }
}

async function restarted(server: Server, keys: number): Promise<RestartFigures> {
  await server.stop()
  const seconds = await server.restart()
  const cpuSeconds = server.cpuSeconds()
  const size = await server.command('DBSIZE')
  if (size !== keys) throw new Error(`${String(size)} keys are there after the restart, ${keys} were written`)
  return { seconds, keysPerSecond: keys / seconds, cpuSeconds }
}

async function underLoad(server: Server, load: Parameters<typeof runLoad>[0]): Promise<LoadFigures> {
  const { result, timesMs, ownPauseMs } = await pingWhile(server.port, () => runLoad(load))
  return { writesPerSecond: result.requestsPerSecond, ...pingFigures(timesMs, ownPauseMs) }
}

function pingFigures(timesMs: readonly number[], ownPauseMs: number): PingFigures {
  return { p99Ms: quantile(timesMs, 0.99), worstMs: quantile(timesMs, 1), ownPauseMs }
}

function medians(figures: readonly LoadFigures[]): LoadFigures {
  const of = (key: keyof LoadFigures): number => median(figures.map((one) => one[key]))
  return {
    writesPerSecond: of('writesPerSecond'),
    p99Ms: of('p99Ms'),
    worstMs: Math.max(...figures.map((one) => one.worstMs)),
    ownPauseMs: Math.max(...figures.map((one) => one.ownPauseMs)),
  }
}

/** One snapshot after the other, until told to stop. */
class SnapshotLoop {
  private stopping = false
  private readonly work: Promise<number>

  constructor(server: Server) {
    this.work = this.run(server)
  }

  /** Waits for the one under way; how many were written. */
  async stop(): Promise<number> {
    this.stopping = true
    return this.work
  }

  private async run(server: Server): Promise<number> {
    let written = 0
    for (; !this.stopping; written++) await snapshotWritten(server)
    return written
  }
}

export function snapshotLines(result: SnapshotResult): string[] {
  const { keys, fromLog, fromSnapshot, idle, without, during } = result
  const starts = [['the log', fromLog] as const, ['a snapshot', fromSnapshot] as const].map(([what, one]) => [
    what,
    figure(one.seconds),
    figure(one.keysPerSecond),
    figure(one.cpuSeconds),
  ])
  const loads = [['no snapshot', without] as const, [`${during.snapshots} snapshots`, during] as const].map(([what, one]) => [
    what,
    figure(one.writesPerSecond),
    figure(one.p99Ms),
    figure(one.worstMs),
    figure(one.ownPauseMs),
  ])
  const { pings } = idle
  return [
    `Start with ${figure(keys)} keys, from spawn to PONG`,
    ...textTable(['from', 'seconds', 'keys/s', 'CPU s'], starts),
    `A snapshot of ${figure(keys)} keys, ${figure(idle.bytes / 1e6)} MB, nothing else to do: ${figure(idle.seconds)} s, ${figure(keys / idle.seconds)} keys/s`,
    `PING every ${PING_EVERY_MS} ms meanwhile: p99 ${figure(pings.p99Ms)} ms, worst ${figure(pings.worstMs)} (own pause ${figure(pings.ownPauseMs)})`,
    `Random overwrites: with snapshots ${ratio(during.writesPerSecond / without.writesPerSecond)} of the throughput`,
    ...textTable(['meanwhile', 'overwrites/s', 'PING p99 ms', 'worst', 'own pause'], loads),
    '',
  ]
}
