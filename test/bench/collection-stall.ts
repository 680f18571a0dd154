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
  const send =
    (...command: readonly string[]) =>
    async (client: RedisClient): Promise<void> => {
      await client.command(...command)
    }
  return [
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
export async function measureCollectionStall(elements: number, { bench, say }: BenchRun): Promise<CollectionStallResult> {
  const results: CollectionStall[] = []
  for (const { name, fills, act, onlyMeridian } of scenarios(elements)) {
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
