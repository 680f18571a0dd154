import type { BenchRun } from './bench-run.js'
import { DATASETS, VALUE_64 } from './load-tests.js'
import { writeKeys } from './pipelined-writer.js'
import { runLoad } from './redis-benchmark.js'
import { Settlement } from './servers.js'
import { figure, ratio, textTable } from './text-table.js'

export interface RemoteApplyResult {
  readonly keys: number
  readonly runs: readonly RemoteApplyFigures[]
}

export interface RemoteApplyFigures {
  readonly pipeline: number
  readonly ops: number
  /** CPU a write where clients made it: commands, log, sending. */
  readonly localMicros: number
  /** CPU a write where it was received, applied and logged. */
  readonly remoteMicros: number
}

const CONNECTIONS = 50

/** CPU of a write in the member that made it against the member that received it, by how much the clients pipeline. */
export async function measureRemoteApply(keys: number, ops: number, { bench, say }: BenchRun): Promise<RemoteApplyResult> {
  const [sender, receiver] = await bench.meridianPair()
  const settlement = new Settlement(sender, receiver)
  await writeKeys({ port: sender.port, ...DATASETS.values, count: keys })
  const runs: RemoteApplyFigures[] = []
  for (const pipeline of [1, 16, 64]) {
    const load = {
      port: sender.port,
      connections: CONNECTIONS,
      pipeline,
      keyspace: keys,
      command: ['SET', 'key:__rand_int__', VALUE_64],
    }
    await runLoad({ ...load, requests: Math.ceil(ops / 4) })
    await settlement.settle()
    const before = [sender.cpuSeconds(), receiver.cpuSeconds()]
    await runLoad({ ...load, requests: ops })
    await settlement.settle()
    const [localMicros, remoteMicros] = [sender, receiver].map((server, i) => ((server.cpuSeconds() - before[i]) * 1e6) / ops)
    runs.push({ pipeline, ops, localMicros, remoteMicros })
    say(`pipeline ${pipeline}: ${figure(remoteMicros)} µs remote, ${figure(localMicros)} µs local`)
  }
  return { keys, runs }
}

export function remoteApplyLines(result: RemoteApplyResult): string[] {
  const rows = result.runs.map((one) => [
    String(one.pipeline),
    figure(one.localMicros),
    figure(one.remoteMicros),
    ratio(one.remoteMicros / one.localMicros),
  ])
  return [
    'CPU of a SET where it was made and where it was received',
    ...textTable(['pipeline', 'local µs', 'remote µs', 'ratio'], rows),
    '',
  ]
}
