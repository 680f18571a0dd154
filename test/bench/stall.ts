import { connect } from 'node:net'
import { getPriority, setPriority } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { BenchRun } from './bench-run.js'
import { DATASETS, VALUE_64 } from './load-tests.js'
import { writeKeys } from './pipelined-writer.js'
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
const PING_EVERY_MS = 1
/** `+PONG\r\n` */
const PONG_BYTES = 7
/** Of the measuring process while it measures, where it may: the load keeps every core busy, and its own waiting would be measured. */
const PROBER_PRIORITY = -15

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
  const own = monitorEventLoopDelay({ resolution: 1 })
  const prober = await Prober.open(server.port)
  const usual = getPriority()
  own.enable()
  try {
    const running = overwrite()
    // Only now: what is started inherits the priority, and the load shall not come before the server.
    raisePriority()
    const { requestsPerSecond } = await running
    own.disable()
    const times = await prober.finish()
    return {
      system: server.system,
      writesPerSecond: requestsPerSecond,
      pings: times.length,
      p50Ms: quantile(times, 0.5),
      p99Ms: quantile(times, 0.99),
      p999Ms: quantile(times, 0.999),
      worstMs: quantile(times, 1),
      proberPauseMs: own.max / 1e6,
    }
  } finally {
    prober.close()
    setPriority(usual)
  }
}

function raisePriority(): void {
  try {
    setPriority(PROBER_PRIORITY)
  } catch {
    process.stderr.write('not allowed to raise the priority of the measuring process: stalls may be its own, see "own pause"\n')
  }
}

/** Sends PING every millisecond, whether or not earlier ones were answered, and keeps how long each took. */
class Prober {
  private readonly sentMs: number[] = []
  private readonly times: number[] = []
  private readonly timer: NodeJS.Timeout
  private bytes = 0
  private failure: string | null = null

  private constructor(private readonly socket: ReturnType<typeof connect>) {
    socket.on('data', (chunk: Buffer) => {
      if (chunk.includes('-')) this.failure ??= `the server answered ${chunk.toString('latin1').slice(0, 200)}`
      this.bytes += chunk.length
      const answered = Math.floor(this.bytes / PONG_BYTES)
      const nowMs = performance.now()
      while (this.times.length < answered) this.times.push(nowMs - this.sentMs[this.times.length])
    })
    this.timer = setInterval(() => {
      this.sentMs.push(performance.now())
      socket.write('PING\r\n')
    }, PING_EVERY_MS)
  }

  static async open(port: number): Promise<Prober> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.once('connect', resolve)
    })
    return new Prober(socket)
  }

  /** Waits for the answers that are due and returns all times in milliseconds. */
  async finish(): Promise<readonly number[]> {
    clearInterval(this.timer)
    while (this.times.length < this.sentMs.length) {
      if (this.failure !== null || this.socket.destroyed)
        throw new Error(this.failure ?? 'the server closed the probing connection')
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    return this.times
  }

  close(): void {
    clearInterval(this.timer)
    this.socket.destroy()
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
