import { eventually } from '../e2e/support/eventually.js'
import type { BenchRun } from './bench-run.js'
import { writeCommands } from './command-writer.js'
import { DATASETS, VALUE_64 } from './load-tests.js'
import { writeKeys } from './pipelined-writer.js'
import { runLoad, type LoadResult } from './redis-benchmark.js'
import { Settlement, digest, infoField, snapshotWritten, type Server } from './servers.js'
import { median } from './statistics.js'
import { figure, ratio, textTable } from './text-table.js'

export interface TransferResult {
  readonly keys: number
  /** Of which so many were written again while the member was away. */
  readonly changed: number
  /** All data of the sender. */
  readonly snapshotBytes: number
  /** What it sent of them, and all bytes over the link in both directions: what the receiver says that it has is among them. */
  readonly sentBytes: number
  readonly linkBytes: number
  /** From the first PONG of the member that was away until it has everything, and of that the transfer. */
  readonly seconds: number
  readonly transferSeconds: number
  readonly senderCpuSeconds: number
  readonly receiverCpuSeconds: number
  /** SETs at the sender: while it has no peer, while it sends, and when the peer follows again. */
  readonly alone: ServedLoad
  readonly helping: ServedLoad
  readonly followed: ServedLoad
}

interface ServedLoad {
  readonly requestsPerSecond: number
  readonly p99Ms: number
  /** Runs of redis-benchmark, of which these are medians. */
  readonly runs: number
}

const CHANGED_SHARE = 0.01
const CONVERGE_MS = 600_000
/** Runs without a transfer. */
const RUNS = 5
/** Of one run: several are to fit into a transfer. */
const RUN_SECONDS = 0.3
const FILLER_KEY = 'bench:filler'
const FILLER_VALUE = 'f'.repeat(64 * 1024)
const FILLER_WRITES = 128
const OTHER_VALUE = 'y'.repeat(VALUE_64.length)

/** A member misses the writing of 1 % of the keys and finds the others' logs trimmed; once while its source is idle, once while that has clients. */
export async function measureTransfer(keys: number, { bench, say }: BenchRun): Promise<TransferResult> {
  // Three, because two keep everything for each other. The second only holds what may then go from the log of the first.
  const [sender, holder, receiver] = await bench.meridianCluster(['one', 'two', 'three'])
  say(`${figure(keys)} keys into three members`)
  await writeKeys({ port: sender.port, ...DATASETS.values, count: keys })
  for (const other of [holder, receiver]) await new Settlement(sender, other).settle(CONVERGE_MS)
  const changed = Math.ceil(keys * CHANGED_SHARE)

  await receiver.stop()
  await missed(sender, holder, changed, OTHER_VALUE)
  await holder.stop()
  const cpuBefore = sender.cpuSeconds()
  const startMs = performance.now()
  const bootSeconds = await receiver.restart()
  const receiverBefore = receiver.cpuSeconds()
  await transferred(receiver)
  await new Settlement(sender, receiver).settle(CONVERGE_MS)
  const seconds = (performance.now() - startMs) / 1000 - bootSeconds
  const cpu = { senderCpuSeconds: sender.cpuSeconds() - cpuBefore, receiverCpuSeconds: receiver.cpuSeconds() - receiverBefore }
  const received = async (field: string): Promise<number> => Number(await infoField(receiver, 'replication', field))
  const bytes = {
    snapshotBytes: await received('sync_last_snapshot_bytes'),
    sentBytes: await received('sync_last_bytes_received'),
    linkBytes: linkBytesOf(String(await receiver.command('INFO', 'peers')), 'one'),
    transferSeconds: await received('sync_last_seconds'),
  }
  await requireEqual(sender, receiver)
  say(`${figure(bytes.sentBytes / 1e6)} of ${figure(bytes.snapshotBytes / 1e6)} MB sent, ${figure(seconds)} s`)

  await holder.restart()
  await new Settlement(sender, holder).settle(CONVERGE_MS)
  await receiver.stop()
  await missed(sender, holder, changed, VALUE_64)
  await holder.stop()
  say('once more, with clients at the sender')
  const load = await loadOf(sender, keys)
  const alone = await loaded(load, RUNS)
  await receiver.restart()
  const helping = await whileHelping(sender, receiver, load)
  await transferred(receiver)
  await new Settlement(sender, receiver).settle(CONVERGE_MS)
  const followed = await loaded(load, RUNS)
  await new Settlement(sender, receiver).settle(CONVERGE_MS)
  await requireEqual(sender, receiver)
  say(`${figure(helping.requestsPerSecond)} writes/s while it sends, ${figure(alone.requestsPerSecond)} alone`)
  return { keys, changed, ...bytes, seconds, ...cpu, alone, helping, followed }
}

/** Writes that the receiver is not there for, and that no log has any more. */
async function missed(sender: Server, holder: Server, count: number, value: string): Promise<void> {
  await writeKeys({ port: sender.port, prefix: DATASETS.values.prefix, value, count })
  // A small log is not cut where a snapshot begins, and so nothing of it would go.
  await writeCommands(sender.port, { count: FILLER_WRITES, command: () => ['SET', FILLER_KEY, FILLER_VALUE] })
  await sender.command('DEL', FILLER_KEY)
  await new Settlement(sender, holder).settle(CONVERGE_MS)
  const end = Number(await infoField(sender, 'replication', 'master_repl_offset'))
  await sender.command('CONFIG', 'SET', 'repl-backlog-size', '0')
  await eventually(
    async () => {
      // Two snapshots are kept, and the log from the older one on.
      await new Settlement(sender, holder).settle(CONVERGE_MS)
      await snapshotWritten(sender)
      const first = Number(await infoField(sender, 'replication', 'repl_backlog_first_byte_offset'))
      if (first <= end) throw new Error(`the log begins at ${first}, at ${end} was the last write`)
    },
    CONVERGE_MS,
    100,
  )
}

async function transferred(receiver: Server): Promise<void> {
  await eventually(
    async () => {
      const completed = await infoField(receiver, 'replication', 'sync_completed')
      if (completed !== '1') throw new Error('the transfer has not come to its end')
    },
    CONVERGE_MS,
    5,
  )
}

async function loadOf(sender: Server, keys: number): Promise<Parameters<typeof runLoad>[0]> {
  const load = {
    port: sender.port,
    connections: 50,
    pipeline: 16,
    keyspace: keys,
    command: ['SET', 'key:__rand_int__', VALUE_64],
  }
  const { requestsPerSecond } = await runLoad({ ...load, requests: 100_000 })
  return { ...load, requests: Math.round(requestsPerSecond * RUN_SECONDS) }
}

async function loaded(load: Parameters<typeof runLoad>[0], runs: number): Promise<ServedLoad> {
  const results: LoadResult[] = []
  for (let i = 0; i < runs; i++) results.push(await runLoad(load))
  return servedLoad(results)
}

/** Runs of which the transfer was under way from beginning to end; the others do not count. */
async function whileHelping(sender: Server, receiver: Server, load: Parameters<typeof runLoad>[0]): Promise<ServedLoad> {
  const isSending = async (): Promise<boolean> =>
    String(await infoField(sender, 'replication', 'sync_receiver0')).includes('state=sending')
  const results: LoadResult[] = []
  while ((await infoField(receiver, 'replication', 'sync_completed')) !== '1') {
    const before = await isSending()
    const result = await runLoad(load)
    if (before && (await isSending())) results.push(result)
  }
  return servedLoad(results)
}

function servedLoad(results: readonly LoadResult[]): ServedLoad {
  return {
    requestsPerSecond: median(results.map((one) => one.requestsPerSecond)),
    p99Ms: median(results.map((one) => one.p99Ms)),
    runs: results.length,
  }
}

async function requireEqual(sender: Server, receiver: Server): Promise<void> {
  const [ours, theirs] = [await digest(sender), await digest(receiver)]
  if (ours !== theirs) throw new Error('the member that took the state of the other one differs')
}

/** Both directions of the link to a member, from INFO peers. */
function linkBytesOf(info: string, name: string): number {
  const line = info.split('\r\n').find((one) => one.includes(`name=${name},`)) ?? ''
  const of = (field: string): number => Number(new RegExp(`${field}=(\\d+)`).exec(line)?.[1])
  return of('bytes_in') + of('bytes_out')
}

export function transferLines(result: TransferResult): string[] {
  const { keys, changed, snapshotBytes, sentBytes, linkBytes, seconds, transferSeconds, alone, helping, followed } = result
  const megabytes = (bytes: number): string => `${figure(bytes / 1e6)} MB`
  const rows = [['no peer', alone] as const, ['sends its state', helping] as const, ['a peer follows', followed] as const].map(
    ([what, one]) => [what, figure(one.requestsPerSecond), figure(one.p99Ms), String(one.runs)],
  )
  return [
    `A member that missed ${figure(changed)} of ${figure(keys)} keys takes the state of another one`,
    `sent ${megabytes(sentBytes)} of ${megabytes(snapshotBytes)} (${((100 * sentBytes) / snapshotBytes).toFixed(2)} %); over the link in both directions ${megabytes(linkBytes)}`,
    `${figure(seconds)} s from its first PONG until it has everything, ${figure(transferSeconds)} s of them the transfer`,
    `CPU: sender ${figure(result.senderCpuSeconds)} s, receiver ${figure(result.receiverCpuSeconds)} s`,
    `SETs at the sender: while it sends ${ratio(helping.requestsPerSecond / alone.requestsPerSecond)} of the throughput`,
    ...textTable(['the sender', 'requests/s', 'p99 ms', 'runs'], rows),
    '',
  ]
}
