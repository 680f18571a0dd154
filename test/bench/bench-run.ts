import { Bench } from './servers.js'

/** What a benchmark is given: servers to start, and somewhere to say what it is at. */
export interface BenchRun {
  readonly bench: Bench
  say(text: string): void
}

/**
 * Runs one benchmark with a bound on its time. Whatever happens (an error, the bound, Ctrl-C) every process that it started is
 * ended and its files are removed.
 */
export async function bounded<T>(name: string, maxSeconds: number, body: (run: BenchRun) => Promise<T>): Promise<T> {
  const bench = new Bench()
  const startMs = performance.now()
  const say = (text: string): void => {
    const seconds = Math.round((performance.now() - startMs) / 1000)
    process.stderr.write(`[${name} ${String(seconds).padStart(4)} s] ${text}\n`)
  }
  let timer: NodeJS.Timeout | undefined
  let interrupt: () => void = () => undefined
  const stopped = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${name} took more than ${maxSeconds} s and was stopped`)), maxSeconds * 1000)
    interrupt = () => reject(new Error('interrupted'))
    process.once('SIGINT', interrupt)
    process.once('SIGTERM', interrupt)
  })
  try {
    return await Promise.race([body({ bench, say }), stopped])
  } finally {
    clearTimeout(timer)
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
    await bench.dispose()
  }
}
