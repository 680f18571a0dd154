import type { BenchRun } from './bench-run.js'
import { writeCommands } from './command-writer.js'
import { COLLECTIONS, DATASETS, LOAD_TESTS, type LoadTest } from './load-tests.js'
import { writeKeys } from './pipelined-writer.js'
import { runLoad } from './redis-benchmark.js'
import { Settlement, digest, type Server } from './servers.js'
import { median } from './statistics.js'
import { figure, ratio, textTable } from './text-table.js'

export interface CompareOptions {
  readonly tests: readonly string[]
  readonly pipelines: readonly number[]
  readonly keys: readonly number[]
  readonly scenarios: readonly Scenario[]
  readonly rounds: number
  /** What one measured run shall take on the faster server. */
  readonly seconds: number
}

/** alone: one server. peer: a second Meridian is linked and follows; redis-server has a replica. */
export type Scenario = 'alone' | 'peer'

/** Medians over the rounds. */
export interface Sample {
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Server CPU a command, all threads, user and system. */
  readonly cpuMicros: number
}

export interface Comparison {
  readonly scenario: Scenario
  readonly keys: number
  readonly pipeline: number
  readonly test: string
  readonly redis: Sample
  readonly meridian: Sample
}

/** A server and, when there is one, the second that follows it. */
interface Side {
  readonly server: Server
  readonly follower: Server | null
}

const CONNECTIONS = 50
/** Requests of the first, unmeasured runs: they warm caches and the JIT compiler and say how fast the server is. */
const FIRST_REQUESTS = 20_000
const WARM_SHARE = 0.5

export async function compare(options: CompareOptions, run: BenchRun): Promise<Comparison[]> {
  const results: Comparison[] = []
  for (const scenario of options.scenarios) {
    for (const keys of options.keys) results.push(...(await compareAt(scenario, keys, options, run)))
  }
  return results
}

export function testNamed(name: string): LoadTest {
  const test = LOAD_TESTS.find((candidate) => candidate.name === name.toUpperCase())
  if (test !== undefined) return test
  throw new Error(`there is no test ${name}; there are ${LOAD_TESTS.map((candidate) => candidate.name).join(', ')}`)
}

async function compareAt(scenario: Scenario, keys: number, options: CompareOptions, run: BenchRun): Promise<Comparison[]> {
  const { bench, say } = run
  const tests = options.tests.map(testNamed)
  const redis = await redisSide(scenario, run)
  const meridian = await meridianSide(scenario, run)
  const results: Comparison[] = []
  for (const side of [redis, meridian]) {
    for (const dataset of new Set(tests.flatMap((test) => test.dataset ?? []))) {
      say(`${scenario}: ${figure(keys)} ${dataset} into ${side.server.system}`)
      const { port } = side.server
      if (dataset === 'values' || dataset === 'counters') await writeKeys({ port, ...DATASETS[dataset], count: keys })
      else await writeCommands(port, COLLECTIONS[dataset](keys))
    }
    await settle(side)
  }
  for (const pipeline of options.pipelines) {
    for (const test of tests) {
      const comparison = await compareOne(redis, meridian, { scenario, keys, pipeline, test, options })
      results.push(comparison)
      say(summary(comparison))
    }
  }
  if (scenario === 'peer') {
    for (const side of [redis, meridian]) await requireEqual(side, say)
  }
  for (const { server, follower } of [redis, meridian]) {
    await follower?.stop()
    await server.stop()
  }
  await bench.clear()
  return results
}

async function redisSide(scenario: Scenario, { bench }: BenchRun): Promise<Side> {
  // A replica that falls behind under full load must not be cut off.
  const server = await bench.redis('--client-output-buffer-limit', 'replica 0 0 0', '--repl-diskless-sync-delay', '0')
  return { server, follower: scenario === 'peer' ? await bench.redisReplica(server) : null }
}

async function meridianSide(scenario: Scenario, { bench }: BenchRun): Promise<Side> {
  if (scenario === 'alone') return { server: await bench.meridian(), follower: null }
  const [server, follower] = await bench.meridianPair()
  return { server, follower }
}

interface OneComparison {
  readonly scenario: Scenario
  readonly keys: number
  readonly pipeline: number
  readonly test: LoadTest
  readonly options: CompareOptions
}

async function compareOne(redis: Side, meridian: Side, one: OneComparison): Promise<Comparison> {
  const { scenario, keys, pipeline, test, options } = one
  const load = { connections: CONNECTIONS, pipeline, keyspace: keys, command: test.command }
  let fastest = 0
  for (const { server } of [redis, meridian]) {
    await prepare(server, test, FIRST_REQUESTS)
    const first = await runLoad({ ...load, port: server.port, requests: FIRST_REQUESTS })
    const requests = Math.max(FIRST_REQUESTS, Math.round(first.requestsPerSecond * options.seconds * WARM_SHARE))
    await prepare(server, test, requests)
    const warm = await runLoad({ ...load, port: server.port, requests })
    fastest = Math.max(fastest, warm.requestsPerSecond)
  }
  const requests = Math.max(FIRST_REQUESTS, Math.round(fastest * options.seconds))
  const samples = { redis: [] as Sample[], meridian: [] as Sample[] }
  for (let round = 0; round < options.rounds; round++) {
    for (const side of [redis, meridian]) {
      await prepare(side.server, test, requests)
      samples[side.server.system].push(await sample(side, { ...load, requests }))
    }
  }
  return { scenario, keys, pipeline, test: test.name, redis: medians(samples.redis), meridian: medians(samples.meridian) }
}

async function prepare(server: Server, { before }: LoadTest, requests: number): Promise<void> {
  if (before !== undefined) await writeCommands(server.port, before(requests))
}

/** One measured run. What the server still does for its follower afterwards belongs to it. */
async function sample(side: Side, load: Omit<Parameters<typeof runLoad>[0], 'port'>): Promise<Sample> {
  await settle(side)
  const { server } = side
  const before = server.cpuSeconds()
  const { requestsPerSecond, p50Ms, p99Ms } = await runLoad({ ...load, port: server.port })
  await settle(side)
  const cpuMicros = ((server.cpuSeconds() - before) * 1e6) / load.requests
  return { requestsPerSecond, p50Ms, p99Ms, cpuMicros }
}

async function settle({ server, follower }: Side): Promise<void> {
  if (follower !== null) await new Settlement(server, follower).settle()
}

function medians(samples: readonly Sample[]): Sample {
  const of = (key: keyof Sample): number => median(samples.map((one) => one[key]))
  return { requestsPerSecond: of('requestsPerSecond'), p50Ms: of('p50Ms'), p99Ms: of('p99Ms'), cpuMicros: of('cpuMicros') }
}

/** The follower ends with the same data; a benchmark of a server that loses writes says nothing. */
async function requireEqual({ server, follower }: Side, say: (text: string) => void): Promise<void> {
  if (follower === null) return
  const sizes = [await server.command('DBSIZE'), await follower.command('DBSIZE')]
  if (sizes[0] !== sizes[1])
    throw new Error(`${server.system}: ${String(sizes[0])} keys here, ${String(sizes[1])} in the follower`)
  const digests = [await digest(server), await digest(follower)]
  if (digests[0] !== digests[1])
    throw new Error(`${server.system}: the digests differ: ${String(digests[0])} and ${String(digests[1])}`)
  const same = digests[0] === null ? '' : ` and digest ${digests[0]}`
  say(`${server.system}: the follower converged, both have ${String(sizes[0])} keys${same}`)
}

function summary(one: Comparison): string {
  const { scenario, keys, pipeline, test, redis, meridian } = one
  const speed = `${figure(meridian.requestsPerSecond)}/s against ${figure(redis.requestsPerSecond)}/s`
  return `${scenario}, ${figure(keys)} keys, pipeline ${pipeline}: ${test} ${speed}, CPU ${ratio(meridian.cpuMicros / redis.cpuMicros)}`
}

export function compareLines(results: readonly Comparison[]): string[] {
  const lines: string[] = []
  const groups = new Map<string, Comparison[]>()
  for (const one of results) {
    const title = `${one.scenario === 'alone' ? 'Alone' : 'With one live peer (Meridian) or replica (redis-server)'}, ${figure(one.keys)} keys`
    groups.set(title, [...(groups.get(title) ?? []), one])
  }
  const head = [
    '',
    'P',
    'redis/s',
    'meridian/s',
    'ratio',
    'p50 ms redis',
    'meridian',
    'p99 ms redis',
    'meridian',
    'ratio',
    'CPU µs redis',
    'meridian',
    'ratio',
  ]
  for (const [title, group] of groups) {
    const rows = group.map(({ test, pipeline, redis, meridian }) => [
      test,
      String(pipeline),
      figure(redis.requestsPerSecond),
      figure(meridian.requestsPerSecond),
      ratio(meridian.requestsPerSecond / redis.requestsPerSecond),
      figure(redis.p50Ms),
      figure(meridian.p50Ms),
      figure(redis.p99Ms),
      figure(meridian.p99Ms),
      ratio(meridian.p99Ms / redis.p99Ms),
      figure(redis.cpuMicros),
      figure(meridian.cpuMicros),
      ratio(meridian.cpuMicros / redis.cpuMicros),
    ])
    lines.push(title, ...textTable(head, rows), '')
  }
  return lines
}
