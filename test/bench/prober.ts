import { connect } from 'node:net'
import { getPriority, setPriority } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'

export const PING_EVERY_MS = 1
/** `+PONG\r\n` */
const PONG_BYTES = 7
/** Of the measuring process while it measures, where it may: the load keeps every core busy, and its own waiting would be measured. */
const PROBER_PRIORITY = -15

export interface Probed<T> {
  readonly result: T
  /** Of each PING, from sending it to its answer. */
  readonly timesMs: readonly number[]
  /** The longest pause of the measuring process itself: what of the worst time may be its own. */
  readonly ownPauseMs: number
}

/** Sends PING every millisecond while something else goes on. */
export async function pingWhile<T>(port: number, work: () => Promise<T>): Promise<Probed<T>> {
  const own = monitorEventLoopDelay({ resolution: 1 })
  const prober = await Prober.open(port)
  const usual = getPriority()
  own.enable()
  try {
    const running = work()
    // Only now: what is started inherits the priority, and the load shall not come before the server.
    raisePriority()
    const result = await running
    own.disable()
    return { result, timesMs: await prober.finish(), ownPauseMs: own.max / 1e6 }
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
