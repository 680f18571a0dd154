import { parseInteger64 } from '../../base/bytes.js'
import { KeyType } from '../../keyspace/database.js'
import { RAW } from '../../memory/record.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'

/** Longest string that Redis keeps in one piece with its header. */
const MAX_EMBSTR_BYTES = 44

const SWITCHED = 'Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.'
const NO_FREQUENCY = `ERR An LFU maxmemory policy is not selected, access frequency not tracked. ${SWITCHED}`
const NO_IDLE_TIME = `ERR An LFU maxmemory policy is selected, idle time not tracked. ${SWITCHED}`

const HELP = [
  'OBJECT <subcommand> <key>. The subcommands are:',
  'ENCODING <key>',
  '    How Redis would store the value of the key.',
  'FREQ <key>',
  '    How often the key was used lately; needs an LFU eviction policy.',
  'IDLETIME <key>',
  '    Seconds since the key was used.',
  'REFCOUNT <key>',
  '    How many references there are to the value: always 1.',
  'HELP',
  '    This text.',
]

/** OBJECT: how a value is kept. Encodings are the ones that Redis would use, which is what clients and tools look for. */
export const OBJECT_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'object',
    arity: -2,
    flags: [],
    group: 'generic',
    since: '2.2.3',
    summary: 'Holds the commands that look into how a value is kept.',
    complexity: 'Depends on the subcommand',
    subcommands: [
      inspecting('encoding', '2.2.3', 'Names the encoding that Redis would use for a value.', (call, ref) => {
        call.reply.bulkString(encoding(call, ref))
      }),
      inspecting('freq', '4.0.0', 'Tells how often a key was used, on a logarithmic scale.', (call, ref) => {
        const { frequency } = call.keyspace
        if (frequency === null) throw new CommandError(NO_FREQUENCY)
        call.reply.integer(frequency.count(call.db.accessBits(ref)))
      }),
      inspecting('idletime', '2.2.3', 'Tells for how many seconds a key was not used.', (call, ref) => {
        if (call.keyspace.frequency !== null) throw new CommandError(NO_IDLE_TIME)
        call.reply.integer(call.keyspace.idleSeconds(call.db, ref))
      }),
      inspecting('refcount', '2.2.3', 'Tells how many references there are to a value.', (call) => call.reply.integer(1)),
      {
        name: 'help',
        arity: 2,
        flags: ['loading', 'stale'],
        group: 'generic',
        categories: ['keyspace'],
        since: '6.2.0',
        summary: 'Explains the subcommands of OBJECT.',
        complexity: 'O(1)',
        handler: ({ reply }) => {
          reply.array(HELP.length)
          for (const line of HELP) reply.simpleString(line)
        },
      },
    ],
  },
]

function inspecting(name: string, since: string, summary: string, answer: (call: Call, ref: Ref) => void): CommandSpec {
  return {
    name,
    arity: 3,
    flags: ['readonly'],
    keys: keyRange(2, 2, 1, 'RO'),
    group: 'generic',
    categories: ['keyspace'],
    since,
    summary,
    complexity: 'O(1)',
    tips: ['nondeterministic_output'],
    arguments: [{ name: 'key', type: 'key', keySpecIndex: 0 }],
    handler: (call) => {
      const ref = call.findSilently(2)
      if (ref === 0) call.reply.null()
      else answer(call, ref)
    },
  }
}

/** The encoding that Redis would use for a value. */
export function encoding(call: Call, ref: Ref): string {
  const { db, strings } = call
  const type = db.type(ref)
  if (type !== KeyType.string) return call.keys.store(type).encoding(db, db.root(ref))
  if ((db.flags(ref) & RAW) !== 0) return 'raw'
  strings.read(db, ref)
  if (parseInteger64(strings.buf, strings.off, strings.len) !== null) return 'int'
  return strings.len <= MAX_EMBSTR_BYTES ? 'embstr' : 'raw'
}
