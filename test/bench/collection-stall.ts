import { setTimeout as delay } from 'node:timers/promises'
import type { BenchRun } from './bench-run.js'
import { BinaryClient } from './binary-client.js'
import { writeCommands, type Fill } from './command-writer.js'
import { digits } from './load-tests.js'
import { inBackground } from './own-threads.js'
import { pingWhile, type ProbeReport } from './prober.js'
import { Settlement, type Bench, type Pauses, type Server, type System } from './servers.js'
import { median, quantile } from './statistics.js'
import { figure, textTable } from './text-table.js'

export interface CollectionStallResult {
  readonly scenarios: readonly CollectionStall[]
}

export interface CollectionStall {
  readonly scenario: string
  readonly servers: readonly StallRounds[]
}

export interface StallRounds {
  readonly system: System
  /** Worst reply time of each round. */
  readonly worstMs: readonly number[]
  /** The longest of all rounds: in which the measuring thread did not run, the server did not (null: not known), and the server collected garbage. */
  readonly ownPauseMs: number
  readonly serverPauses: Pauses | null
}

interface StallScenario {
  readonly name: string
  readonly fills: readonly Fill[]
  /** What comes before, unmeasured; what DUMP gave is the last argument of `command`. */
  readonly before?: readonly string[]
  /** One command, or several that are sent at once; null: waiting for the key to be gone, which happens by itself. */
  readonly command: readonly string[] | Fill | null
  /** Another member runs the command; the one that applies it is measured. Or redis-server 7.0 does not have it. */
  readonly only?: 'remote' | 'meridian'
}

/** For work that goes on after the reply. */
const AFTERMATH_MS = 500
/** Elements a command, so that loading is quick. */
const BATCH = 50
/** HyperLogLogs of a PFMERGE, dense ones. */
const SKETCHES = 300

function batches(elements: number, command: (first: number) => readonly string[]): Fill {
  return { count: Math.ceil(elements / BATCH), command: (i) => command(i * BATCH) }
}

const range = (first: number): number[] => Array.from({ length: BATCH }, (_, i) => first + i)

function scenarios(elements: number): StallScenario[] {
  const tenth = elements / 10
  const members = (key: string, count: number, from = 0): Fill =>
    batches(count, (first) => ['SADD', key, ...range(first).map((i) => `element:${digits(from + i)}`)])
  const list = batches(elements, (first) => ['RPUSH', 'list', ...range(first).map((i) => `element:${digits(i)}`)])
  const scored = (count: number): Fill =>
    batches(count, (first) => ['ZADD', 'zset', ...range(first).flatMap((i) => [String(i), `element:${digits(i)}`])])
  const fields = batches(elements, (first) => ['HSET', 'hash', ...range(first).flatMap((i) => [`field:${digits(i)}`, 'x'])])
  const twoSets = [members('set', elements), members('set2', elements, elements / 2)]
  const scoredFrom = (key: string, from: number): Fill =>
    batches(elements, (first) => ['ZADD', key, ...range(first).flatMap((i) => [String(i % 1000), `element:${digits(from + i)}`])])
  const twoSorted = [scoredFrom('zset', 0), scoredFrom('zset2', elements / 2)]
  const coins = batches(elements, (first) => ['RPUSH', 'list', ...range(first).map((i) => (i % 2 === 0 ? 'heads' : 'tails'))])
  const entries: Fill = { count: elements, command: () => ['XADD', 'stream', '*', 'field', 'value'] }
  const claimable: Fill = { count: elements, command: (i) => ['XADD', 'stream', `${i + 1}-1`, 'field', 'value'] }
  const readers: Fill = { count: 1, command: () => ['XGROUP', 'CREATE', 'stream', 'group', '0'] }
  const readAll = ['XREADGROUP', 'GROUP', 'group', 'me', 'STREAMS', 'stream', '>']
  const places = batches(elements, (first) => [
    'GEOADD',
    'geo',
    ...range(first).flatMap((i) => [
      String(((i * 7919) % 36_000) / 100 - 180),
      String((i % 16_000) / 100 - 80),
      `place:${digits(i)}`,
    ]),
  ])
  const sketches: Fill = {
    count: SKETCHES,
    command: (i) => ['PFADD', `sketch:${i}`, ...Array.from({ length: 3000 }, (_, j) => `${i}:${j}`)],
  }
  const sketchKeys = Array.from({ length: SKETCHES }, (_, i) => `sketch:${i}`)
  const half = String(elements / 2)
  const names = Array.from({ length: tenth }, (_, i) => `key:${digits(i)}`)
  const values = names.flatMap((name) => [name, 'value'])
  const strings = batches(tenth, (first) => ['MSET', ...range(first).flatMap((i) => [names[i], 'value'])])
  const transaction = (commands: readonly (readonly string[])[], lines: number): Fill => ({
    count: commands.length + 2,
    command: (i) => (i === 0 ? ['MULTI'] : i > commands.length ? ['EXEC'] : commands[i - 1]),
    lastReplyLines: 1 + commands.length * lines,
  })
  const sets = transaction(
    names.map((name) => ['SET', name, 'value']),
    1,
  )
  const gets = transaction(
    names.map((name) => ['GET', name]),
    2,
  )
  return [
    { name: `SUNIONSTORE of two sets of ${figure(elements)}`, fills: twoSets, command: ['SUNIONSTORE', 'to', 'set', 'set2'] },
    { name: `ZUNIONSTORE of two of ${figure(elements)}`, fills: twoSorted, command: ['ZUNIONSTORE', 'to', '2', 'zset', 'zset2'] },
    { name: `COPY of a set of ${figure(elements)}`, fills: [members('set', elements)], command: ['COPY', 'set', 'to'] },
    { name: `COPY of a hash of ${figure(elements)}`, fills: [fields], command: ['COPY', 'hash', 'to'] },
    { name: `COPY of a sorted set of ${figure(elements)}`, fills: [scored(elements)], command: ['COPY', 'zset', 'to'] },
    { name: `COPY of a list of ${figure(elements)}`, fills: [list], command: ['COPY', 'list', 'to'] },
    { name: `RENAME of a sorted set of ${figure(elements)}`, fills: [scored(elements)], command: ['RENAME', 'zset', 'to'] },
    { name: `SORT STORE of ${figure(elements)}`, fills: [list], command: ['SORT', 'list', 'ALPHA', 'STORE', 'to'] },
    {
      name: `SORT BY STORE of ${figure(tenth)}`,
      fills: [batches(tenth, (first) => ['RPUSH', 'list', ...range(first).map((i) => digits(i))]), strings],
      command: ['SORT', 'list', 'BY', 'key:*', 'GET', 'key:*', 'ALPHA', 'STORE', 'to'],
    },
    {
      name: `SPOP of ${figure(elements / 2)} of ${figure(elements)}`,
      fills: [members('set', elements)],
      command: ['SPOP', 'set', String(elements / 2)],
    },
    {
      name: `ZREMRANGEBYRANK of ${figure(elements / 2)} of ${figure(elements)}`,
      fills: [scored(elements)],
      command: ['ZREMRANGEBYRANK', 'zset', '0', String(elements / 2)],
    },
    { name: `ZPOPMIN of half of ${figure(elements)}`, fills: [scored(elements)], command: ['ZPOPMIN', 'zset', half] },
    {
      name: `BLMPOP of half of ${figure(elements)}`,
      fills: [list],
      command: ['BLMPOP', '0', '1', 'list', 'LEFT', 'COUNT', half],
    },
    { name: `LREM of half of ${figure(elements)}`, fills: [coins], command: ['LREM', 'list', '0', 'heads'] },
    { name: `SORT of ${figure(elements)}`, fills: [list], command: ['SORT', 'list', 'ALPHA', 'LIMIT', '0', '10'] },
    {
      name: `SRANDMEMBER of ${figure(elements / 2)}`,
      fills: [members('set', elements)],
      command: ['SRANDMEMBER', 'set', String(elements / 2)],
    },
    { name: `XREAD of ${figure(elements)}`, fills: [entries], command: ['XREAD', 'STREAMS', 'stream', '0'] },
    {
      name: `GEOSEARCH of ${figure(elements)}`,
      fills: [places],
      command: ['GEOSEARCH', 'geo', 'FROMLONLAT', '0', '0', 'BYRADIUS', '20000', 'km', 'COUNT', '10'],
    },
    {
      name: `CRDT.DIGEST of a set of ${figure(elements)}`,
      fills: [members('set', elements)],
      command: ['CRDT.DIGEST'],
      only: 'meridian',
    },
    { name: `ZUNION of two of ${figure(elements)}`, fills: twoSorted, command: ['ZUNION', '2', 'zset', 'zset2'] },
    { name: `DEL of a set of ${figure(elements)}`, fills: [members('set', elements)], command: ['DEL', 'set'] },
    { name: `DEL of a sorted set of ${figure(elements)}`, fills: [scored(elements)], command: ['DEL', 'zset'] },
    { name: `ZRANGE of ${figure(tenth)}`, fills: [scored(tenth)], command: ['ZRANGE', 'zset', '0', '-1', 'WITHSCORES'] },
    {
      name: `SINTER of two sets of ${figure(tenth)}`,
      fills: [members('a', tenth), members('b', tenth, tenth / 2)],
      command: ['SINTER', 'a', 'b'],
    },
    { name: `LTRIM of ${figure(elements)}`, fills: [list], command: ['LTRIM', 'list', '-1', '-1'] },
    {
      name: `LTRIM of ${figure(elements)} to a half`,
      fills: [list],
      command: ['LTRIM', 'list', String(elements / 4), `-${elements / 4}`],
    },
    {
      name: `XADD MAXLEN of ${figure(elements)}`,
      fills: [entries],
      command: ['XADD', 'stream', 'MAXLEN', '10', '*', 'field', 'value'],
    },
    { name: `XRANGE of ${figure(elements)}`, fills: [entries], command: ['XRANGE', 'stream', '-', '+'] },
    {
      name: `XREADGROUP of ${figure(elements)}`,
      fills: [entries],
      before: ['XGROUP', 'CREATE', 'stream', 'group', '0'],
      command: ['XREADGROUP', 'GROUP', 'group', 'me', 'STREAMS', 'stream', '>'],
    },
    {
      name: `XREADGROUP CLAIM of ${figure(tenth)}`,
      fills: [{ ...entries, count: tenth }, readers],
      before: readAll,
      command: ['XREADGROUP', 'GROUP', 'group', 'you', 'CLAIM', '0', 'STREAMS', 'stream', '>'],
      only: 'meridian',
    },
    {
      name: `XAUTOCLAIM of ${figure(elements)}`,
      fills: [entries, readers],
      before: readAll,
      command: ['XAUTOCLAIM', 'stream', 'group', 'you', '0', '-', 'COUNT', String(elements)],
    },
    {
      name: `XCLAIM of ${figure(tenth)}`,
      fills: [claimable, readers],
      before: readAll,
      command: ['XCLAIM', 'stream', 'group', 'you', '0', ...Array.from({ length: tenth }, (_, i) => `${i + 1}-1`)],
    },
    {
      name: `COPY of a stream of ${figure(elements)}, all pending`,
      fills: [entries, readers],
      before: readAll,
      command: ['COPY', 'stream', 'to'],
    },
    { name: `DUMP of a set of ${figure(elements)}`, fills: [members('set', elements)], command: ['DUMP', 'set'] },
    { name: `DUMP of a sorted set of ${figure(elements)}`, fills: [scored(elements)], command: ['DUMP', 'zset'] },
    { name: `DUMP of a list of ${figure(elements)}`, fills: [list], command: ['DUMP', 'list'] },
    { name: `DUMP of a hash of ${figure(elements)}`, fills: [fields], command: ['DUMP', 'hash'] },
    { name: `DUMP of a stream of ${figure(elements)}`, fills: [entries], command: ['DUMP', 'stream'] },
    {
      name: `RESTORE of a set of ${figure(elements)}`,
      fills: [members('set', elements)],
      before: ['DUMP', 'set'],
      command: ['RESTORE', 'to', '0'],
    },
    {
      name: `RESTORE of a sorted set of ${figure(elements)}`,
      fills: [scored(elements)],
      before: ['DUMP', 'zset'],
      command: ['RESTORE', 'to', '0'],
    },
    {
      name: `RESTORE of a stream of ${figure(elements)}`,
      fills: [entries],
      before: ['DUMP', 'stream'],
      command: ['RESTORE', 'to', '0'],
    },
    { name: `MOVE of a hash of ${figure(elements)}`, fills: [fields], command: ['MOVE', 'hash', '1'] },
    { name: `MSET of ${figure(tenth)}`, fills: [], command: ['MSET', ...values] },
    { name: `MGET of ${figure(tenth)}`, fills: [strings], command: ['MGET', ...names] },
    { name: `EXISTS of ${figure(tenth)}`, fills: [strings], command: ['EXISTS', ...names] },
    { name: `DEL of ${figure(tenth)}`, fills: [strings], command: ['DEL', ...names] },
    { name: `EXEC of ${figure(tenth)} SET`, fills: [], command: sets },
    { name: `EXEC of ${figure(tenth)} GET`, fills: [strings], command: gets },
    { name: `EXEC of ${figure(tenth)} SET elsewhere`, fills: [], command: sets, only: 'remote' },
    { name: `MSET of ${figure(tenth)} elsewhere`, fills: [], command: ['MSET', ...values], only: 'remote' },
    { name: `PFMERGE of ${SKETCHES}`, fills: [sketches], command: ['PFMERGE', 'to', ...sketchKeys] },
    { name: `PFCOUNT of ${SKETCHES}`, fills: [sketches], command: ['PFCOUNT', ...sketchKeys] },
    { name: `FLUSHALL of a set of ${figure(elements)}`, fills: [members('set', elements)], command: ['FLUSHALL'] },
    {
      name: `SUNIONSTORE of two sets of ${figure(elements)} elsewhere`,
      fills: twoSets,
      command: ['SUNIONSTORE', 'to', 'set', 'set2'],
      only: 'remote',
    },
    { name: `COPY of a list of ${figure(elements)} elsewhere`, fills: [list], command: ['COPY', 'list', 'to'], only: 'remote' },
    {
      name: `ZREMRANGEBYRANK of ${figure(elements / 2)} of ${figure(elements)} elsewhere`,
      fills: [scored(elements)],
      command: ['ZREMRANGEBYRANK', 'zset', '0', half],
      only: 'remote',
    },
    {
      name: `LREM of half of ${figure(elements)} elsewhere`,
      fills: [coins],
      command: ['LREM', 'list', '0', 'heads'],
      only: 'remote',
    },
    { name: `DEL of a hash of ${figure(elements)} elsewhere`, fills: [fields], command: ['DEL', 'hash'], only: 'remote' },
    {
      name: `${figure(elements)} hash fields fall due`,
      fills: [
        fields,
        {
          // An array of a number for each field.
          replyLines: 1 + BATCH,
          ...batches(elements, (first) => [
            'HPEXPIRE',
            'hash',
            '10000',
            'FIELDS',
            String(BATCH),
            ...range(first).map((i) => `field:${digits(i)}`),
          ]),
        },
      ],
      command: null,
      only: 'meridian',
    },
  ]
}

/** Commands on much at once, and what happens by itself, while PING is sent every millisecond. */
export async function measureCollectionStall(
  elements: number,
  /** Part of the names of the scenarios that are wanted. */
  wanted: string,
  rounds: number,
  { bench, say }: BenchRun,
): Promise<CollectionStallResult> {
  const results: CollectionStall[] = []
  for (const scenario of scenarios(elements)) {
    const { name, only } = scenario
    if (!name.toLowerCase().includes(wanted.toLowerCase())) continue
    const servers: StallRounds[] = []
    if (only === undefined) {
      const redis = await bench.redis()
      const { timesMs, ownPauseMs } = await measureRound(scenario, redis, redis)
      servers.push({ system: redis.system, worstMs: [quantile(timesMs, 1)], ownPauseMs, serverPauses: null })
      await bench.clear()
    }
    const worstMs: number[] = []
    const pauses: Pauses[] = []
    let ownPauseMs = 0
    for (let round = 0; round < rounds; round++) {
      const [from, to] = only === 'remote' ? await bench.meridianPair(true) : await alone(bench)
      const report = await measureRound(scenario, from, to)
      pauses.push(await to.pauses())
      worstMs.push(quantile(report.timesMs, 1))
      ownPauseMs = Math.max(ownPauseMs, report.ownPauseMs)
      await bench.clear()
    }
    const serverPauses = {
      longestMs: Math.max(...pauses.map(({ longestMs }) => longestMs)),
      longestOwnMs: Math.max(...pauses.map(({ longestOwnMs }) => longestOwnMs)),
      longestCollectionMs: Math.max(...pauses.map(({ longestCollectionMs }) => longestCollectionMs)),
    }
    servers.push({ system: 'meridian', worstMs, ownPauseMs, serverPauses })
    results.push({ scenario: name, servers })
    say(`${name}: ${servers.map((one) => `${one.system} ${one.worstMs.map(figure).join(' ')} ms`).join(', ')}`)
  }
  return { scenarios: results }
}

async function alone(bench: Bench): Promise<readonly [Server, Server]> {
  const server = await bench.meridian(true)
  return [server, server]
}

async function measureRound({ fills, before, command }: StallScenario, from: Server, to: Server): Promise<ProbeReport> {
  for (const fill of fills) await writeCommands(from.port, fill)
  if (from !== to) await new Settlement(from, to).settle()
  const client = await BinaryClient.connect(from.port)
  const prepared = before === undefined ? null : await client.command(...before)
  const payload = before?.[0] === 'DUMP' && Buffer.isBuffer(prepared) ? [prepared] : []
  // Everything before is over, also what came with it from behind.
  await delay(AFTERMATH_MS)
  if (to.system === 'meridian') await to.pauses()
  try {
    const work = async () => {
      if (command === null) while ((await client.command('EXISTS', 'hash')) !== 0) await delay(50)
      else if ('count' in command) await writeCommands(from.port, command)
      else await client.send([...command, ...payload])
      if (from !== to) await new Settlement(from, to).settle()
      await delay(AFTERMATH_MS)
    }
    return await pingWhile(to.port, () => inBackground(work))
  } finally {
    client.close()
  }
}

export function collectionStallLines({ scenarios }: CollectionStallResult): string[] {
  const rows = scenarios.map(({ scenario, servers }) => {
    const of = (system: System) => servers.find((one) => one.system === system)
    const redis = of('redis')
    const meridian = of('meridian')
    return [
      scenario,
      figure(Math.max(...(redis?.worstMs ?? [NaN]))),
      figure(median(meridian?.worstMs ?? [])),
      figure(Math.max(...(meridian?.worstMs ?? [NaN]))),
      figure(meridian?.serverPauses?.longestMs ?? NaN),
      figure(meridian?.serverPauses?.longestOwnMs ?? NaN),
      figure(meridian?.serverPauses?.longestCollectionMs ?? NaN),
      figure(Math.max(...servers.map(({ ownPauseMs }) => ownPauseMs))),
    ]
  })
  const head = ['', 'redis', 'meridian median', 'worst', 'its longest turn', 'but for waiting', 'its longest GC', 'own pause']
  return ['Worst reply time of PING in each round, ms', ...textTable(head, rows), '']
}
