import type { ReplyWriter } from '../../resp/reply-writer.js'
import type { Stamp } from '../../base/ids.js'
import { parseInteger } from '../../base/bytes.js'
import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'
import type { CommandSpec } from '../command-spec.js'

const COMMON = {
  flags: ['blocking'],
  group: 'generic',
  categories: ['connection'],
  complexity: 'O(N), N being the number of members',
  tips: ['request_policy:all_shards', 'response_policy:agg_min'],
} as const

/**
 * WAIT and WAITAOF: the connection's writes have got somewhere. A replica is another member: WAIT counts those that have applied
 * everything this connection wrote, WAITAOF those that also have it on their disks.
 */
export const WAIT_COMMANDS: readonly CommandSpec[] = [
  {
    ...COMMON,
    name: 'wait',
    arity: 3,
    since: '3.0.0',
    summary: "Waits until other members have this connection's writes.",
    arguments: [
      { name: 'numreplicas', type: 'integer' },
      { name: 'timeout', type: 'integer' },
    ],
    handler: wait,
  },
  {
    ...COMMON,
    name: 'waitaof',
    arity: 4,
    since: '7.2.0',
    summary: "Waits until this connection's writes are on disks, here and in other members.",
    arguments: [
      { name: 'numlocal', type: 'integer' },
      { name: 'numreplicas', type: 'integer' },
      { name: 'timeout', type: 'integer' },
    ],
    handler: waitAof,
  },
]

function wait(call: Call): void {
  const wanted = call.integer(1)
  const timeoutMs = timeout(call, 2)
  const count = membersThatHave(call, 'applied')
  begin(
    call,
    timeoutMs,
    () => count() >= wanted,
    (reply) => reply.integer(count()),
  )
}

function waitAof(call: Call): void {
  const wantedHere = call.integer(1)
  if (wantedHere !== 0 && wantedHere !== 1) throw new CommandError('ERR value is out of range, value must between 0 and 1')
  const wanted = call.integer(2)
  if (wanted < 0) throw new CommandError('ERR value is out of range, must be positive')
  const timeoutMs = timeout(call, 3)
  const { replication } = call.services
  const stamp = call.session.lastWriteStamp as Stamp
  const here = (): number => (replication.durable.covers(replication.memberId, stamp) ? 1 : 0)
  const elsewhere = membersThatHave(call, 'durable')
  begin(
    call,
    timeoutMs,
    () => here() >= wantedHere && elsewhere() >= wanted,
    (reply) => {
      reply.array(2)
      reply.integer(here())
      reply.integer(elsewhere())
    },
  )
}

/** Counts other members whose vector covers what this connection wrote; all of them when it wrote nothing. */
function membersThatHave(call: Call, what: 'applied' | 'durable'): () => number {
  const { peers, memberId } = call.services.replication
  const stamp = call.session.lastWriteStamp as Stamp
  // The vectors are live, so that a look at them costs no report.
  const vectors = peers.map((peer) => peer[what])
  return () => {
    let count = 0
    for (const vector of vectors) if (vector.covers(memberId, stamp)) count++
    return count
  }
}

function begin(call: Call, timeoutMs: number, isDone: () => boolean, reply: (writer: ReplyWriter) => void): void {
  const { engine } = call
  // What others get is on this member's disk first.
  if (!engine.isInExec && !isDone()) engine.requestSync()
  if (engine.isInExec || isDone()) {
    reply(call.reply)
    return
  }
  engine.waits.begin(call.session, { command: call.command.name, isDone, reply }, timeoutMs)
}

function timeout({ request }: Call, i: number): number {
  const ms = parseInteger(request.buf, request.off[i], request.len[i])
  if (Number.isNaN(ms)) throw new CommandError('ERR timeout is not an integer or out of range')
  if (ms < 0) throw new CommandError('ERR timeout is negative')
  return ms
}
