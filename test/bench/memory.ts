import { setTimeout as delay } from 'node:timers/promises'
import type { BenchRun } from './bench-run.js'
import { DATASETS } from './load-tests.js'
import { writeKeys } from './pipelined-writer.js'
import { infoField, type Server, type System } from './servers.js'
import { figure, ratio, textTable } from './text-table.js'

export interface MemoryResult {
  readonly keys: number
  readonly servers: readonly MemoryFigures[]
}

export interface MemoryFigures {
  readonly system: System
  readonly residentBytes: number
  readonly residentEmptyBytes: number
  /** What the server itself says; null when it does not. */
  readonly usedBytes: number | null
}

const MiB = 1024 * 1024
/** For the collector and the allocator to give back what loading took. */
const QUIET_MS = 3000

/** Resident memory of both with so many keys of 16 bytes and values of 64. */
export async function measureMemory(keys: number, { bench, say }: BenchRun): Promise<MemoryResult> {
  const servers: MemoryFigures[] = []
  for (const server of [await bench.redis(), await bench.meridian()]) {
    const residentEmptyBytes = server.residentBytes()
    await writeKeys({ port: server.port, ...DATASETS.values, count: keys })
    const size = await server.command('DBSIZE')
    if (size !== keys) throw new Error(`${server.system} has ${String(size)} keys after ${keys} were written`)
    await delay(QUIET_MS)
    const figures = {
      system: server.system,
      residentBytes: server.residentBytes(),
      residentEmptyBytes,
      usedBytes: await usedBytes(server),
    }
    say(`${server.system}: ${figure(figures.residentBytes / MiB)} MiB resident`)
    servers.push(figures)
    await server.stop()
  }
  return { keys, servers }
}

async function usedBytes(server: Server): Promise<number | null> {
  const used = await infoField(server, 'memory', 'used_memory')
  return used === null ? null : Number(used)
}

export function memoryRatio(result: MemoryResult): number {
  const of = (system: System): number => result.servers.find((one) => one.system === system)?.residentBytes ?? NaN
  return of('meridian') / of('redis')
}

export function memoryLines(result: MemoryResult): string[] {
  const rows = result.servers.map((one) => [
    one.system,
    figure(one.residentBytes / MiB),
    figure(one.residentEmptyBytes / MiB),
    one.usedBytes === null ? '-' : figure(one.usedBytes / MiB),
    figure(one.residentBytes / result.keys),
  ])
  const head = ['', 'resident MiB', 'when empty', 'used_memory MiB', 'resident bytes/key']
  return [
    `Memory, ${figure(result.keys)} keys of 16 bytes, values of 64`,
    ...textTable(head, rows),
    `resident ratio ${ratio(memoryRatio(result))}`,
    '',
  ]
}
