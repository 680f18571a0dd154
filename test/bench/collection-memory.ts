import { setTimeout as delay } from 'node:timers/promises'
import type { BenchRun } from './bench-run.js'
import { writeCommands, type Fill } from './command-writer.js'
import { digits } from './load-tests.js'
import { Settlement, infoField, type Server } from './servers.js'
import { figure, ratio, textTable } from './text-table.js'

export interface CollectionMemoryResult {
  readonly elements: number
  readonly shapes: readonly ShapeMemory[]
}

/** Bytes an element, by what INFO says (without `buffers`) and by what the process has grown. */
interface Footprint {
  readonly used: number
  readonly resident: number
  /** Bytes, not by element: what is kept for other members, of the newest ops. It has a bound, and is the same for a million elements as for a hundred. */
  readonly buffers: number
}

export interface ShapeMemory {
  readonly shape: string
  readonly redis: Footprint
  readonly meridian: Footprint
  /** Of a Meridian whose data was written in two regions, every other element in each. */
  readonly twoRegions: Footprint
}

const VALUE = 'x'.repeat(16)

/** For the collector and the allocator to give back what loading took. */
const QUIET_MS = 3000

const SHAPES: Readonly<Record<string, (i: number) => readonly string[]>> = {
  'small hashes, 5 fields each': (i) => [
    'HSET',
    `hash:${digits(i)}`,
    ...[1, 2, 3, 4, 5].flatMap((field) => [`field${field}`, VALUE]),
  ],
  'members of one set': (i) => ['SADD', 'set', `element:${digits(i)}`],
  'members of one sorted set': (i) => ['ZADD', 'zset', String(i), `element:${digits(i)}`],
  'elements of one list': (i) => ['RPUSH', 'list', `element:${digits(i)}`],
  'entries of one stream': (i) => ['XADD', 'stream', '*', 'field', `element:${digits(i)}`],
}

/** So many of each shape into redis-server, into one Meridian, and into two that are linked. */
export async function measureCollectionMemory(elements: number, { bench, say }: BenchRun): Promise<CollectionMemoryResult> {
  const shapes: ShapeMemory[] = []
  for (const [shape, command] of Object.entries(SHAPES)) {
    const fill: Fill = { count: elements, command, replyLines: command(0)[0] === 'XADD' ? 2 : 1 }
    const alone = async (server: Server): Promise<Footprint> =>
      footprint(server, elements, () => writeCommands(server.port, fill))
    const redis = await alone(await bench.redis())
    const meridian = await alone(await bench.meridian())
    await bench.clear()
    const [one, two] = await bench.meridianPair()
    const twoRegions = await footprint(one, elements, async () => {
      const half = (server: Server, first: number): Promise<void> =>
        writeCommands(server.port, { ...fill, count: elements / 2, command: (i) => command(i * 2 + first) })
      await Promise.all([half(one, 0), half(two, 1)])
      await new Settlement(two, one).settle()
      await new Settlement(one, two).settle()
    })
    await bench.clear()
    shapes.push({ shape, redis, meridian, twoRegions })
    say(`${shape}: ${figure(meridian.used)} bytes against ${figure(redis.used)}, from two regions ${figure(twoRegions.used)}`)
  }
  return { elements, shapes }
}

async function footprint(server: Server, elements: number, load: () => Promise<void>): Promise<Footprint> {
  const before = await usedBytes(server)
  const residentBefore = server.residentBytes()
  await load()
  await delay(QUIET_MS)
  const after = await usedBytes(server)
  const buffers = after.buffers - before.buffers
  return {
    used: (after.used - before.used - buffers) / elements,
    resident: (server.residentBytes() - residentBefore) / elements,
    buffers,
  }
}

async function usedBytes(server: Server): Promise<{ used: number; buffers: number }> {
  return {
    used: Number(await infoField(server, 'memory', 'used_memory')),
    buffers: Number(await infoField(server, 'memory', 'mem_total_replication_buffers')),
  }
}

export function collectionMemoryLines({ elements, shapes }: CollectionMemoryResult): string[] {
  const rows = shapes.map(({ shape, redis, meridian, twoRegions }) => [
    shape,
    ...[redis.used, meridian.used, twoRegions.used].map(figure),
    ratio(meridian.used / redis.used),
    ratio(twoRegions.used / redis.used),
    ...[redis.resident, meridian.resident, twoRegions.resident].map(figure),
    ratio(meridian.resident / redis.resident),
  ])
  const head = [
    '',
    'used redis',
    'meridian',
    'two regions',
    'ratio',
    'ratio',
    'resident redis',
    'meridian',
    'two regions',
    'ratio',
  ]
  return [
    `Bytes an element, ${figure(elements)} ${elements === 1 ? 'element' : 'elements'} of each`,
    ...textTable(head, rows),
    `Besides, of two regions, for the other one: ${figure(Math.max(...shapes.map(({ twoRegions }) => twoRegions.buffers)) / 2 ** 20)} MiB of the newest ops, whatever the number of elements`,
    '',
  ]
}
