import { collectReleased } from '../../base/large-memory.js'
import { KeyType } from '../../keyspace/database.js'
import type { Call } from '../call.js'
import { syntaxError } from '../command-error.js'
import type { CommandSpec } from '../command-spec.js'
import { helpSubcommand } from '../help.js'
import { humanBytes, memoryReport } from './memory-report.js'

const REPORT = {
  arity: 2,
  flags: [],
  group: 'server',
  since: '4.0.0',
  complexity: 'O(1)',
  tips: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
} as const

/** MEMORY: all figures come from the arenas' own accounting. */
export const MEMORY_COMMAND: CommandSpec = {
  name: 'memory',
  arity: -2,
  flags: [],
  group: 'server',
  since: '4.0.0',
  summary: 'Commands about memory.',
  complexity: 'Depends on subcommand.',
  subcommands: [
    {
      name: 'usage',
      arity: -3,
      flags: ['readonly'],
      keys: [{ flags: ['RO'], beginSearch: { index: 2 }, findKeys: { lastKey: 0, step: 1, limit: 0 } }],
      group: 'server',
      since: '4.0.0',
      summary: 'The bytes that a key takes.',
      complexity: 'O(1)',
      arguments: [
        { name: 'key', type: 'key', keySpecIndex: 0 },
        { name: 'count', type: 'integer', token: 'SAMPLES', flags: ['optional'] },
      ],
      handler: usage,
    },
    { ...REPORT, name: 'doctor', summary: 'Says what looks wrong with the memory.', handler: doctor },
    { ...REPORT, name: 'stats', summary: 'Where the memory is.', handler: stats },
    { ...REPORT, name: 'malloc-stats', summary: 'The state of the arenas.', handler: arenaStats },
    {
      name: 'purge',
      arity: 2,
      flags: [],
      group: 'server',
      since: '4.0.0',
      summary: 'Gives memory back that is kept for later.',
      complexity: 'Depends on how much memory is kept.',
      tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
      handler: purge,
    },
    helpSubcommand('4.0.0', [
      'DOCTOR',
      '    Say what looks wrong with the memory.',
      'MALLOC-STATS',
      '    The state of the arenas.',
      'PURGE',
      '    Give memory back that is kept for later.',
      'STATS',
      '    Where the memory is.',
      'USAGE <key> [SAMPLES <count>]',
      '    The bytes that a key takes; of a large collection so many elements are looked at, 0 for all.',
    ]),
  ],
}

/** Elements looked at when SAMPLES is not given, as in Redis. */
const DEFAULT_SAMPLES = 5

/** Record, extras, share of the table, and what the collection takes. */
function usage(call: Call): void {
  let samples = DEFAULT_SAMPLES
  for (let i = 3; i < call.argc; i += 2) {
    if (!call.is(i, 'SAMPLES') || i + 1 === call.argc) throw syntaxError()
    samples = call.integer(i + 1)
    if (samples < 0) throw syntaxError()
  }
  const { db, reply } = call
  const ref = call.find(2)
  if (ref === 0) {
    reply.null()
    return
  }
  const extras = db.extras(ref)
  const type = db.type(ref)
  const collection = type === KeyType.string ? 0 : call.keys.store(type).bytes(db.arena, db.root(ref), samples)
  reply.integer(db.arena.sizeOf(ref) + (extras === 0 ? 0 : db.arena.sizeOf(extras)) + db.tableShare(ref) + collection)
}

/** Below this nothing that the doctor measures means anything. */
const SMALL_BYTES = 5 * 1024 * 1024

function doctor(call: Call): void {
  const memory = memoryReport(call)
  const findings: string[] = []
  if (memory.used < SMALL_BYTES) {
    call.reply.verbatim('txt', 'There is too little data yet to say anything about its memory.\n')
    return
  }
  if (memory.peak > memory.used * 1.5) {
    findings.push(
      `At its peak the data took ${humanBytes(memory.peak)}, now ${humanBytes(memory.used)}: chunks are given back as they empty.`,
    )
  }
  if (memory.reserved > memory.data * 1.4) {
    findings.push(
      `The arenas hold ${humanBytes(memory.reserved)} for ${humanBytes(memory.data)} of data: the difference is reused by new keys.`,
    )
  }
  const { maxBytes, policy, reserveBytes } = call.engine.memory
  const over = memory.used - memory.notCounted - maxBytes
  if (maxBytes > 0 && over > 0) {
    const what = policy === 'noeviction' ? 'writes that need memory are refused' : `keys are evicted (${policy})`
    findings.push(
      `${humanBytes(over)} more than maxmemory is in use: ${what}; writes of other members may take ${humanBytes(reserveBytes)}.`,
    )
  }
  if (memory.clients > memory.data && memory.clients > SMALL_BYTES) {
    findings.push(`Clients take ${humanBytes(memory.clients)}, more than the data: CLIENT LIST shows which (tot-mem).`)
  }
  call.reply.verbatim(
    'txt',
    findings.length === 0 ? 'Nothing looks wrong with the memory.\n' : findings.map((line) => `* ${line}\n`).join(''),
  )
}

/** Chunks go back to the system as they empty, but for one a database; what was dropped waits for a collection until it is some 64 MB. */
function purge(call: Call): void {
  const { keyspace } = call
  for (let i = 0; i < keyspace.databaseCount; i++) keyspace.peek(i)?.arena.dropSpare()
  collectReleased()
  call.reply.ok()
}

function stats(call: Call): void {
  const memory = memoryReport(call)
  const { reply } = call
  const integers: [string, number][] = [
    ['peak.allocated', memory.peak],
    ['total.allocated', memory.used],
    ['startup.allocated', 0],
    ['replication.backlog', memory.recentFrames],
    ['clients.slaves', 0],
    ['clients.normal', memory.clients],
    ['peer.links', memory.links],
    ['aof.buffer', memory.pendingFrames],
  ]
  const more: [string, number][] = [
    ['overhead.total', memory.overhead],
    ['keys.count', memory.keys],
    ['keys.bytes-per-key', memory.keys === 0 ? 0 : Math.floor(memory.data / memory.keys)],
    ['dataset.bytes', memory.dataset],
    ['allocator.allocated', memory.data],
    ['allocator.active', memory.reserved],
    ['allocator-fragmentation.bytes', memory.reserved - memory.data],
    ['fragmentation.bytes', memory.resident - memory.used],
  ]
  const doubles: [string, number][] = [
    ['dataset.percentage', memory.used === 0 ? 0 : (memory.dataset / memory.used) * 100],
    ['peak.percentage', memory.peak === 0 ? 0 : (memory.used / memory.peak) * 100],
    ['allocator-fragmentation.ratio', memory.data === 0 ? 0 : memory.reserved / memory.data],
    ['fragmentation', memory.used === 0 ? 0 : memory.resident / memory.used],
  ]
  reply.map(integers.length + memory.databases.length + more.length + doubles.length)
  const write = ([name, value]: [string, number]): void => {
    reply.bulkString(name)
    reply.integer(value)
  }
  integers.forEach(write)
  for (const { index, tables } of memory.databases) {
    reply.bulkString(`db.${index}`)
    reply.map(1)
    write(['overhead.hashtable.main', tables])
  }
  more.forEach(write)
  for (const [name, value] of doubles) {
    reply.bulkString(name)
    reply.double(String(value))
  }
}

function arenaStats(call: Call): void {
  const { keyspace } = call
  let text = ''
  for (let index = 0; index < keyspace.databaseCount; index++) {
    const db = keyspace.peek(index)
    if (db === undefined) continue
    const { arena } = db
    text += `db${index}: used=${arena.usedBytes} reserved=${arena.reservedBytes} chunks=${arena.u8.length} keys=${db.keyCount} tables=${db.tableBytes()}\n`
  }
  call.reply.verbatim('txt', text)
}
