import { RedisClient } from '../../src/cli/redis-client.js'
import type { BenchRun } from './bench-run.js'
import { writeCommands, type Fill } from './command-writer.js'
import { digits } from './load-tests.js'
import { pingWhile } from './prober.js'
import type { Server, System } from './servers.js'
import { quantile } from './statistics.js'
import { figure, textTable } from './text-table.js'

export interface CollectionStallResult {
  readonly scenarios: readonly CollectionStall[]
}

export interface CollectionStall {
  readonly scenario: string
  readonly servers: readonly { readonly system: System; readonly worstMs: number; readonly ownPauseMs: number }[]
}

interface StallScenario {
  readonly name: string
  readonly fills: readonly Fill[]
  /** One command, or waiting for something that happens by itself. */
  readonly act: (client: RedisClient, server: Server) => Promise<void>
  /** redis-server 7.0 does not have it. */
  readonly onlyMeridian?: true
}

const COMMAND_MS = 60_000
/** For work that goes on after the reply. */
const AFTERMATH_MS = 500
/** Elements a command, so that loading is quick. */
const BATCH = 50

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
  const places = batches(elements, (first) => [
    'GEOADD',
    'geo',
    ...range(first).flatMap((i) => [
      String(((i * 7919) % 36_000) / 100 - 180),
      String((i % 16_000) / 100 - 80),
      `place:${digits(i)}`,
    ]),
  ])
  const send =
    (...command: readonly string[]) =>
    async (client: RedisClient): Promise<void> => {
      await client.command(...command)
    }
  return [
    { name: `SUNIONSTORE of two sets of ${figure(elements)}`, fills: twoSets, act: send('SUNIONSTORE', 'to', 'set', 'set2') },
    { name: `ZUNIONSTORE of two of ${figure(elements)}`, fills: twoSorted, act: send('ZUNIONSTORE', 'to', '2', 'zset', 'zset2') },
    { name: `COPY of a set of ${figure(elements)}`, fills: [members('set', elements)], act: send('COPY', 'set', 'to') },
    { name: `COPY of a hash of ${figure(elements)}`, fills: [fields], act: send('COPY', 'hash', 'to') },
    { name: `COPY of a sorted set of ${figure(elements)}`, fills: [scored(elements)], act: send('COPY', 'zset', 'to') },
    { name: `COPY of a list of ${figure(elements)}`, fills: [list], act: send('COPY', 'list', 'to') },
    { name: `RENAME of a sorted set of ${figure(elements)}`, fills: [scored(elements)], act: send('RENAME', 'zset', 'to') },
    { name: `SORT STORE of ${figure(elements)}`, fills: [list], act: send('SORT', 'list', 'ALPHA', 'STORE', 'to') },
    {
      name: `SPOP of ${figure(elements / 2)} of ${figure(elements)}`,
      fills: [members('set', elements)],
      act: send('SPOP', 'set', String(elements / 2)),
    },
    {
      name: `ZREMRANGEBYRANK of ${figure(elements / 2)} of ${figure(elements)}`,
      fills: [scored(elements)],
      act: send('ZREMRANGEBYRANK', 'zset', '0', String(elements / 2)),
    },
    { name: `LREM of half of ${figure(elements)}`, fills: [coins], act: send('LREM', 'list', '0', 'heads') },
    { name: `SORT of ${figure(elements)}`, fills: [list], act: send('SORT', 'list', 'ALPHA', 'LIMIT', '0', '10') },
    {
      name: `SRANDMEMBER of ${figure(elements / 2)}`,
      fills: [members('set', elements)],
      act: send('SRANDMEMBER', 'set', String(elements / 2)),
    },
    { name: `XREAD of ${figure(elements)}`, fills: [entries], act: send('XREAD', 'STREAMS', 'stream', '0') },
    {
      name: `GEOSEARCH of ${figure(elements)}`,
      fills: [places],
      act: send('GEOSEARCH', 'geo', 'FROMLONLAT', '0', '0', 'BYRADIUS', '20000', 'km', 'COUNT', '10'),
    },
    {
      name: `CRDT.DIGEST of a set of ${figure(elements)}`,
      fills: [members('set', elements)],
      act: send('CRDT.DIGEST'),
      onlyMeridian: true,
    },
    { name: `ZUNION of two of ${figure(elements)}`, fills: twoSorted, act: send('ZUNION', '2', 'zset', 'zset2') },
    { name: `DEL of a set of ${figure(elements)}`, fills: [members('set', elements)], act: send('DEL', 'set') },
    { name: `DEL of a sorted set of ${figure(elements)}`, fills: [scored(elements)], act: send('DEL', 'zset') },
    { name: `ZRANGE of ${figure(tenth)}`, fills: [scored(tenth)], act: send('ZRANGE', 'zset', '0', '-1', 'WITHSCORES') },
    {
      name: `SINTER of two sets of ${figure(tenth)}`,
      fills: [members('a', tenth), members('b', tenth, tenth / 2)],
      act: send('SINTER', 'a', 'b'),
    },
    { name: `LTRIM of ${figure(elements)}`, fills: [list], act: send('LTRIM', 'list', '-1', '-1') },
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
      act: untilGone('hash'),
      onlyMeridian: true,
    },
  ]
}

/** Commands on much at once, and what happens by itself, while PING is sent every millisecond. */
export async function measureCollectionStall(
  elements: number,
  /** Part of the names of the scenarios that are wanted. */
  only: string,
  { bench, say }: BenchRun,
): Promise<CollectionStallResult> {
  const results: CollectionStall[] = []
  for (const { name, fills, act, onlyMeridian } of scenarios(elements)) {
    if (!name.toLowerCase().includes(only.toLowerCase())) continue
    const servers = []
    for (const server of [...(onlyMeridian ? [] : [await bench.redis()]), await bench.meridian()]) {
      for (const fill of fills) await writeCommands(server.port, fill)
      const client = await RedisClient.connect({ host: '127.0.0.1', port: server.port }, COMMAND_MS)
      const { timesMs, ownPauseMs } = await pingWhile(server.port, async () => {
        await act(client, server)
        await new Promise((resolve) => setTimeout(resolve, AFTERMATH_MS))
      })
      client.close()
      servers.push({ system: server.system, worstMs: quantile(timesMs, 1), ownPauseMs })
      await server.stop()
    }
    await bench.clear()
    results.push({ scenario: name, servers })
    say(`${name}: ${servers.map(({ system, worstMs }) => `${system} ${figure(worstMs)} ms`).join(', ')}`)
  }
  return { scenarios: results }
}

function untilGone(key: string) {
  return async (client: RedisClient): Promise<void> => {
    while ((await client.command('EXISTS', key)) !== 0) await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

export function collectionStallLines({ scenarios }: CollectionStallResult): string[] {
  const rows = scenarios.map(({ scenario, servers }) => {
    const of = (system: System) => servers.find((one) => one.system === system)
    return [
      scenario,
      figure(of('redis')?.worstMs ?? NaN),
      figure(of('meridian')?.worstMs ?? NaN),
      figure(Math.max(...servers.map(({ ownPauseMs }) => ownPauseMs))),
    ]
  })
  return ['Worst reply time of PING, ms', ...textTable(['', 'redis', 'meridian', 'own pause'], rows), '']
}
