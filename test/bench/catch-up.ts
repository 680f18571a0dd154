import type { BenchRun } from './bench-run.js'
import { DATASETS } from './load-tests.js'
import { writeKeys } from './pipelined-writer.js'
import { Settlement, digest } from './servers.js'
import { figure } from './text-table.js'

export interface CatchUpResult {
  readonly ops: number
  /** From the first PONG of the member that was away until it has everything. */
  readonly seconds: number
  readonly opsPerSecond: number
  /** Server CPU of both over that time, in seconds. */
  readonly senderCpuSeconds: number
  readonly receiverCpuSeconds: number
}

/** One member is down while the other takes writes; then it comes back. */
export async function measureCatchUp(ops: number, { bench, say }: BenchRun): Promise<CatchUpResult> {
  const [sender, receiver] = await bench.meridianPair()
  await receiver.stop()
  say(`${figure(ops)} writes while the peer is down`)
  await writeKeys({ port: sender.port, ...DATASETS.values, count: ops })
  const senderBefore = sender.cpuSeconds()
  const startMs = performance.now()
  const bootSeconds = await receiver.restart()
  const receiverBefore = receiver.cpuSeconds()
  await new Settlement(sender, receiver).settle()
  const seconds = (performance.now() - startMs) / 1000 - bootSeconds
  const figures = {
    ops,
    seconds,
    opsPerSecond: ops / seconds,
    senderCpuSeconds: sender.cpuSeconds() - senderBefore,
    receiverCpuSeconds: receiver.cpuSeconds() - receiverBefore,
  }
  const [ours, theirs] = [await digest(sender), await digest(receiver)]
  const sizes = [await sender.command('DBSIZE'), await receiver.command('DBSIZE')]
  if (ours !== theirs || sizes[0] !== sizes[1]) throw new Error(`the member that came back differs: ${sizes.join(' and ')} keys`)
  say(`${figure(figures.opsPerSecond)} ops/s`)
  return figures
}

export function catchUpLines(result: CatchUpResult): string[] {
  const micros = (seconds: number): string => figure((seconds * 1e6) / result.ops)
  return [
    `Catch-up of ${figure(result.ops)} ops: ${figure(result.seconds)} s after start, ${figure(result.opsPerSecond)} ops/s`,
    `CPU an op: receiver ${micros(result.receiverCpuSeconds)} µs, sender ${micros(result.senderCpuSeconds)} µs`,
    '',
  ]
}
