import { ManagedProcess } from '../e2e/support/managed-process.js'

export interface Load {
  readonly port: number
  readonly connections: number
  readonly pipeline: number
  readonly requests: number
  /** Random keys are drawn from 0 to here. */
  readonly keyspace: number
  /** One command; `__rand_int__` in it becomes a random number of twelve digits. */
  readonly command: readonly string[]
}

export interface LoadResult {
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** A run beyond this is stuck. */
const RUN_MS = 300_000

/** Runs redis-benchmark to its end. @throws when it fails or the server answers errors. */
export async function runLoad(load: Load): Promise<LoadResult> {
  const { port, connections, pipeline, requests, keyspace, command } = load
  const options = { '-p': port, '-c': connections, '-P': pipeline, '-n': requests, '-r': keyspace }
  const flags = Object.entries(options).flatMap(([flag, value]) => [flag, String(value)])
  const process = ManagedProcess.start('redis-benchmark', ['--csv', ...flags, ...command])
  try {
    const { code } = await process.ends(RUN_MS)
    if (code !== 0) throw new Error(`${process.title} ended with exit code ${String(code)}: ${process.output.slice(-1000)}`)
    return parseCsv(process.output)
  } finally {
    await process.kill()
  }
}

/**
 * The last line of `redis-benchmark --csv`: "name","rps","avg","min","p50","p95","p99","max", latencies in milliseconds.
 * Errors of the server come before it in plain words.
 */
export function parseCsv(output: string): LoadResult {
  const lines = output.split('\n').filter((line) => line.trim() !== '')
  const error = lines.find((line) => /error/i.test(line) && !line.startsWith('"'))
  if (error !== undefined) throw new Error(`redis-benchmark: ${error}`)
  const last = lines.at(-1) ?? ''
  // The name is the command, which may hold quotes and commas: count from the end.
  const figures = /((?:,"[\d.]+"){7})$/.exec(last)?.[1]
  if (figures === undefined) throw new Error(`redis-benchmark printed no figures: ${output.slice(-500)}`)
  const [requestsPerSecond, , , p50Ms, , p99Ms, maxMs] = figures
    .slice(1)
    .split(',')
    .map((cell) => Number(cell.slice(1, -1)))
  return { requestsPerSecond, p50Ms, p99Ms, maxMs }
}
