import type { BenchRun } from './bench-run.js'
import { DATASETS } from './load-tests.js'
import { writeKeys } from './pipelined-writer.js'
import type { System } from './servers.js'
import { figure, textTable } from './text-table.js'

export interface RestartResult {
  readonly keys: number
  readonly servers: readonly { readonly system: System; readonly seconds: number; readonly keysPerSecond: number }[]
}

/** From spawn to the first PONG with so many keys in the log. */
export async function measureRestart(keys: number, { bench, say }: BenchRun): Promise<RestartResult> {
  const servers = []
  for (const server of [await bench.redis(), await bench.meridian()]) {
    say(`${figure(keys)} keys into ${server.system}`)
    await writeKeys({ port: server.port, ...DATASETS.values, count: keys })
    await server.stop()
    const seconds = await server.restart()
    const size = await server.command('DBSIZE')
    if (size !== keys) throw new Error(`${server.system} has ${String(size)} keys after the restart, ${keys} were written`)
    say(`${server.system}: ${figure(seconds)} s`)
    servers.push({ system: server.system, seconds, keysPerSecond: keys / seconds })
    await server.stop()
  }
  return { keys, servers }
}

export function restartLines(result: RestartResult): string[] {
  const rows = result.servers.map((one) => [one.system, figure(one.seconds), figure(one.keysPerSecond)])
  return [
    `Restart with ${figure(result.keys)} keys in the log, from spawn to PONG`,
    ...textTable(['', 'seconds', 'keys/s'], rows),
    '',
  ]
}
