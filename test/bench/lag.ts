import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { RedisClient } from '../../src/cli/redis-client.js'
import type { BenchRun } from './bench-run.js'
import { VALUE_64 } from './load-tests.js'
import { quantile } from './statistics.js'
import { figure } from './text-table.js'

export interface LagResult {
  readonly writesPerSecond: number
  readonly seconds: number
  readonly stamps: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly worstMs: number
  /** From one question to the next at the reading member: what the measurement itself may add. */
  readonly readMs: number
}

const STAMP_KEY = 'bench:stamp'
const KEYSPACE = 100_000
const READ_PAUSE_MS = 1

/**
 * Writes at a steady rate in one member; every burst ends with a numbered stamp. The other member is asked for the stamp every
 * millisecond: the lag of a stamp is the time from sending it until a reply shows it or a later one.
 */
export async function measureLag(writesPerSecond: number, seconds: number, { bench, say }: BenchRun): Promise<LagResult> {
  const [from, to] = await bench.meridianPair()
  const writer = await SteadyWriter.open(from.port, writesPerSecond)
  const reader = await RedisClient.connect({ host: '127.0.0.1', port: to.port }, 30_000)
  say(`${figure(writesPerSecond)} writes/s for ${seconds} s`)
  const lags: number[] = []
  const reads: number[] = []
  try {
    writer.start()
    const endMs = performance.now() + seconds * 1000
    let seen = -1
    let lastReadMs = performance.now()
    for (;;) {
      const reply = await reader.command('GET', STAMP_KEY)
      const nowMs = performance.now()
      reads.push(nowMs - lastReadMs)
      lastReadMs = nowMs
      if (typeof reply === 'string') {
        const stamp = Number(reply)
        for (; seen < stamp; seen++) lags.push(nowMs - writer.sentMs[seen + 1])
      }
      if (nowMs > endMs) writer.stop()
      if (nowMs > endMs && seen === writer.sentMs.length - 1) break
      if (nowMs > endMs + 60_000) throw new Error('the last stamp has not arrived after a minute')
      // Asking without a pause would take a core away from the members.
      await delay(READ_PAUSE_MS)
    }
    writer.requireNoError()
  } finally {
    writer.close()
    reader.close()
  }
  return {
    writesPerSecond: writer.written / seconds,
    seconds,
    stamps: lags.length,
    p50Ms: quantile(lags, 0.5),
    p99Ms: quantile(lags, 0.99),
    worstMs: quantile(lags, 1),
    readMs: quantile(reads, 0.5),
  }
}

class SteadyWriter {
  /** When each stamp was sent. */
  readonly sentMs: number[] = []
  written = 0
  private startMs = 0
  private timer: NodeJS.Timeout | undefined
  private failure: string | null = null

  private constructor(
    private readonly socket: Socket,
    private readonly perSecond: number,
  ) {
    socket.on('data', (chunk: Buffer) => {
      if (chunk.includes('-')) this.failure ??= chunk.toString('latin1').slice(0, 200)
    })
  }

  static async open(port: number, perSecond: number): Promise<SteadyWriter> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.once('connect', resolve)
    })
    return new SteadyWriter(socket, perSecond)
  }

  start(): void {
    this.startMs = performance.now()
    this.timer = setInterval(() => this.burst(), 1)
  }

  stop(): void {
    clearInterval(this.timer)
  }

  close(): void {
    this.stop()
    this.socket.destroy()
  }

  requireNoError(): void {
    if (this.failure !== null) throw new Error(`the writing member answered ${this.failure}`)
  }

  /** All that is due by now, the stamp last. */
  private burst(): void {
    const due = Math.floor(((performance.now() - this.startMs) * this.perSecond) / 1000) - this.written
    if (due <= 0) return
    let text = ''
    for (let i = 1; i < due; i++) text += set(`key:${(this.written + i) % KEYSPACE}`, VALUE_64)
    text += set(STAMP_KEY, String(this.sentMs.length))
    this.sentMs.push(performance.now())
    this.written += due
    this.socket.write(text)
  }
}

function set(key: string, value: string): string {
  return `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${value.length}\r\n${value}\r\n`
}

export function lagLines(result: LagResult): string[] {
  return [
    `Lag on loopback at ${figure(result.writesPerSecond)} writes/s for ${result.seconds} s (${result.stamps} stamps): ` +
      `p50 ${figure(result.p50Ms)} ms, p99 ${figure(result.p99Ms)} ms, worst ${figure(result.worstMs)} ms; read every ${figure(result.readMs)} ms`,
    '',
  ]
}
