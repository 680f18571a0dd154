import { spawnSync } from 'node:child_process'
import { connect } from 'node:net'
import { setPriority } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { PING_EVERY_MS, type ProbeReport } from './prober.js'

/**
 * The process of pingWhile: it does nothing but send PING to the port that is its argument, and note the answers, so what the load generator is busy with is not measured.
 * It says "open" when its own code is warm, and on the first message from the other side waits for the answers that are due and sends a ProbeReport.
 */

/** `+PONG\r\n` */
const PONG_BYTES = 7
/**
 * Of this process, where it may: the load keeps every core busy, and its own waiting would be measured. A high priority alone is not enough: a kernel that
 * does not preempt lets whoever runs go on until its next tick, 4 ms later; for a real-time thread it does not.
 */
const REAL_TIME_PRIORITY = '50'
const PRIORITY = -15

/** Until then what it measures is how its own code is compiled. */
const WARM_UP_MS = 500
/** Of an hour: arrays that grow would stop it now and then. */
const MOST_PROBES = 3_600_000

if (process.send === undefined) throw new Error('this is the process of the prober, not a program')

/** Sends PING every millisecond, whether or not earlier ones were answered, and keeps how long each took. */
class Prober {
  private readonly sentMs = new Float64Array(MOST_PROBES)
  private readonly times = new Float64Array(MOST_PROBES)
  private sent = 0
  private answered = 0
  /** Where what counts begins. */
  private first = 0
  private readonly timer: NodeJS.Timeout
  private bytes = 0
  private failure: string | null = null

  private constructor(private readonly socket: ReturnType<typeof connect>) {
    socket.on('data', (chunk: Buffer) => {
      if (chunk.includes('-')) this.failure ??= `the server answered ${chunk.toString('latin1').slice(0, 200)}`
      this.bytes += chunk.length
      const answered = Math.floor(this.bytes / PONG_BYTES)
      const nowMs = performance.now()
      for (; this.answered < answered; this.answered++) this.times[this.answered] = nowMs - this.sentMs[this.answered]
    })
    this.timer = setInterval(() => {
      this.sentMs[this.sent++] = performance.now()
      socket.write('PING\r\n')
    }, PING_EVERY_MS)
  }

  static async open(to: number): Promise<Prober> {
    const socket = connect({ port: to, host: '127.0.0.1', noDelay: true })
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.once('connect', resolve)
    })
    return new Prober(socket)
  }

  /** What was sent before does not count. */
  begin(): void {
    this.first = this.sent
  }

  /** Waits for the answers that are due and returns their times in milliseconds. */
  async finish(): Promise<readonly number[]> {
    clearInterval(this.timer)
    while (this.answered < this.sent) {
      if (this.failure !== null || this.socket.destroyed)
        throw new Error(this.failure ?? 'the server closed the probing connection')
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    this.socket.destroy()
    return Array.from(this.times.subarray(this.first, this.sent))
  }
}

function raisePriority(): void {
  if (process.platform === 'linux') {
    // Of its main thread only.
    if (spawnSync('chrt', ['--fifo', '--pid', REAL_TIME_PRIORITY, String(process.pid)]).status === 0) return
  }
  try {
    setPriority(PRIORITY)
  } catch {
    process.stderr.write('not allowed to raise the priority of the measuring process: stalls may be its own, see "own pause"\n')
  }
}

raisePriority()
const own = monitorEventLoopDelay({ resolution: 1 })
const prober = await Prober.open(Number(process.argv[2]))
await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS))
prober.begin()
own.enable()
process.once('message', () => {
  own.disable()
  prober.finish().then(
    (timesMs) => {
      const report: ProbeReport = { timesMs, ownPauseMs: own.max / 1e6 }
      process.send?.(report)
    },
    (error: unknown) => {
      throw error
    },
  )
})
process.once('disconnect', () => process.exit(1))
process.send?.('open')
