import type { Reply } from './reply-tree.js'
import type { CommandLine } from './sequence.js'
import type { Answer } from './target.js'

/**
 * Where two right servers may answer differently. Everything else is compared byte by byte. Each exception says for which commands, why,
 * and what is still compared.
 */
interface Exception {
  readonly name: string
  readonly because: string
  applies(command: CommandLine): boolean
  equal(a: Reply, b: Reply, command: CommandLine): boolean
}

const NAMES = (...names: string[]) => {
  const set = new Set(names)
  return (command: CommandLine) => set.has(command[0].toUpperCase())
}
const SUBCOMMAND = (name: string, sub: string) => (command: CommandLine) =>
  command[0].toUpperCase() === name && command[1]?.toUpperCase() === sub

export const EXCEPTIONS: readonly Exception[] = [
  {
    name: 'random choice',
    because: 'any key is right; whether there is one is compared',
    applies: NAMES('RANDOMKEY'),
    equal: (a, b) => a.type === b.type && (a.text === null) === (b.text === null),
  },
  {
    name: 'order of keys',
    because: 'hash tables have no order; the keys are compared as a set',
    applies: NAMES('KEYS'),
    equal: sameMembers,
  },
  {
    name: 'cursor',
    because: 'a cursor means something to its own server only; keys are compared when both walks were complete',
    applies: NAMES('SCAN'),
    equal: (a, b, command) => {
      if (a.items.length !== 2 || b.items.length !== 2) return false
      const complete = command[1] === '0' && a.items[0].text === '0' && b.items[0].text === '0'
      return !complete || sameMembers(a.items[1], b.items[1])
    },
  },
  {
    name: 'time left in seconds',
    because: 'the two servers run the command a moment apart',
    applies: NAMES('TTL', 'EXPIRETIME'),
    equal: near(1),
  },
  {
    name: 'time left in milliseconds',
    because: 'the two servers run the command a moment apart',
    applies: NAMES('PTTL', 'PEXPIRETIME'),
    equal: near(2000),
  },
  {
    name: 'times beyond the year 285,000',
    because: 'times are kept as safe integers, so that very late ones become the last of them',
    applies: NAMES('TTL', 'EXPIRETIME', 'PTTL', 'PEXPIRETIME'),
    equal: (a, b) => Number(a.text) > 2 ** 43 && Number(b.text) > 2 ** 43 - 2 ** 31 && a.type === ':' && b.type === ':',
  },
  {
    name: 'shared integers',
    because:
      'redis-server shares objects of small integers, and their reference count and idle time are those of the shared object',
    applies: (command) => SUBCOMMAND('OBJECT', 'REFCOUNT')(command) || SUBCOMMAND('OBJECT', 'IDLETIME')(command),
    equal: (a, b) => a.type === b.type,
  },
  {
    name: 'range before the value',
    because: 'redis-server 7.0 gives the first byte for a range that ends before the value begins, later ones give nothing',
    applies: (command) => NAMES('GETRANGE', 'SUBSTR')(command) && command.at(-1)?.startsWith('-') === true,
    equal: (a, b) => a.text?.length === 1 && b.text === '',
  },
  {
    name: 'range of no key',
    because: 'redis-server 7.0 does not read the range when there is no key, later ones do and refuse a bad one',
    applies: NAMES('BITCOUNT', 'BITPOS'),
    equal: (a, b) => a.type === ':' && b.type === '-',
  },
  {
    name: 'bad cursor or type',
    because:
      'SCAN with a negative cursor or of a type that is none finds something or nothing in redis-server 7.0 and is an error in later ones',
    applies: NAMES('SCAN'),
    equal: (a, b) => a.type === '*' && (b.text === 'ERR invalid cursor' || b.text?.startsWith('ERR unknown type name') === true),
  },
  {
    name: 'encodings with a history',
    because:
      'INCRBYFLOAT leaves text, and RENAME and COPY an edited value, in the encoding that they made or found; here it is found anew',
    applies: SUBCOMMAND('OBJECT', 'ENCODING'),
    equal: (a, b) => `${a.text} ${b.text}` === 'embstr int' || (a.text === 'raw' && (b.text === 'embstr' || b.text === 'int')),
  },
  {
    name: 'bytes in error texts',
    because:
      'an error that repeats what the client sent stops at a zero byte in redis-server and shows bytes that are no UTF-8 as they are',
    applies: (command) => command.some((arg) => /[^ -~]/.test(arg)),
    equal: (a, b) => a.type === '-' && b.type === '-' && withoutQuotes(a) === withoutQuotes(b),
  },
  {
    name: 'help text',
    because: 'the words are our own',
    applies: (command) => command[1]?.toUpperCase() === 'HELP',
    equal: (a, b) => a.type === b.type && (a.type !== '-' || a.text === b.text),
  },
  {
    name: 'version',
    because: 'the reply of HELLO names the server and its version',
    applies: NAMES('HELLO'),
    equal: (a, b) => a.type === b.type && (a.type !== '-' || a.text === b.text),
  },
]

function withoutQuotes(error: Reply): string | undefined {
  return error.text?.replace(/'.*'/, "''").replace(/(?<=Unsupported option ).*/, '')
}

function sameMembers(a: Reply, b: Reply): boolean {
  const members = (reply: Reply) => reply.items.map((item) => item.text).sort()
  return a.type === b.type && JSON.stringify(members(a)) === JSON.stringify(members(b))
}

/** Integers that differ by so much; what is negative has a meaning of its own. */
function near(tolerance: number): (a: Reply, b: Reply) => boolean {
  return (a, b) => {
    const x = Number(a.text)
    const y = Number(b.text)
    return a.type === ':' && b.type === ':' && x >= 0 && y >= 0 && Math.abs(x - y) <= tolerance
  }
}

/** Index of the first command that was answered differently, or -1. */
export function firstDifference(commands: readonly CommandLine[], a: readonly Answer[], b: readonly Answer[]): number {
  let queued: CommandLine[] | null = null
  for (let i = 0; i < commands.length; i++) {
    if (i >= a.length || i >= b.length) return a.length === b.length ? -1 : i
    const name = commands[i][0].toUpperCase()
    const ran: readonly CommandLine[] | null = name === 'EXEC' ? queued : null
    if (!sameAnswer(commands[i], ran, a[i], b[i])) return i
    const text = a[i].reply.text
    if (name === 'MULTI' && text === 'OK') queued = []
    else if (name === 'EXEC' || name === 'DISCARD' || name === 'RESET') queued = null
    else if (text === 'QUEUED') queued?.push(commands[i])
  }
  return -1
}

/** queued are the commands that EXEC ran, whose replies are its reply's items. */
function sameAnswer(command: CommandLine, queued: readonly CommandLine[] | null, a: Answer, b: Answer): boolean {
  if (sameBytes(a, b)) return true
  if (queued !== null) {
    const x = a.reply.items
    const y = b.reply.items
    if (a.reply.type !== '*' || b.reply.type !== '*' || x.length !== queued.length || y.length !== queued.length) return false
    return queued.every((line, i) => sameAnswer(line, null, { ...a, reply: x[i] }, { ...b, reply: y[i] }))
  }
  return EXCEPTIONS.some((exception) => exception.applies(command) && exception.equal(a.reply, b.reply, command))
}

function sameBytes(a: Answer, b: Answer): boolean {
  const x = a.bytes.subarray(a.reply.start, a.reply.end)
  const y = b.bytes.subarray(b.reply.start, b.reply.end)
  return Buffer.compare(x, y) === 0
}
