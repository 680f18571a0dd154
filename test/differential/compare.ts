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
    because: 'a cursor means something to its own server only; what is found is compared when both walks were complete',
    applies: NAMES('SCAN', 'HSCAN', 'SSCAN', 'ZSCAN'),
    equal: (a, b, command) => {
      if (a.items.length !== 2 || b.items.length !== 2) return false
      const paired = NAMES('HSCAN', 'ZSCAN')(command)
      const complete =
        command[paired || NAMES('SSCAN')(command) ? 2 : 1] === '0' && a.items[0].text === '0' && b.items[0].text === '0'
      return !complete || (paired ? samePairs : sameMembers)(a.items[1], b.items[1])
    },
  },
  {
    name: 'order in sets and hashes',
    because: 'they have none; members are compared as a set, fields with their values',
    applies: NAMES('SMEMBERS', 'SINTER', 'SUNION', 'SDIFF', 'HKEYS', 'HVALS', 'SPOP'),
    equal: sameMembers,
  },
  {
    name: 'order of a whole hash',
    because: 'the same; fields are compared with their values',
    applies: NAMES('HGETALL'),
    equal: samePairs,
  },
  {
    name: 'random members',
    because: 'any are right; how many there are is compared, and which, when all were asked for',
    applies: NAMES('SRANDMEMBER', 'HRANDFIELD', 'ZRANDMEMBER', 'SPOP'),
    equal: (a, b, command) => {
      if (a.type !== b.type || (a.text === null) !== (b.text === null) || a.items.length !== b.items.length) return false
      const perItem = a.items[0]?.type === '*' || command.length < 4 ? 1 : 2
      const count = Number(command[2])
      const all = a.type === '*' && a.items.length / perItem < count
      return !all || (perItem === 2 ? samePairs : sameMembers)(a, b)
    },
  },
  {
    name: 'order of what is not sorted',
    because: 'SORT of a set BY nosort, and SORT ALPHA by weights that are equal, come in any order',
    applies: (command) => NAMES('SORT', 'SORT_RO')(command) && hasWord(command, 'BY') && !hasWord(command, 'LIMIT'),
    equal: sameMembers,
  },
  {
    name: 'order of places',
    because: 'a search without ASC or DESC finds them in any order',
    applies: (command) =>
      NAMES('GEOSEARCH', 'GEORADIUS', 'GEORADIUS_RO', 'GEORADIUSBYMEMBER', 'GEORADIUSBYMEMBER_RO')(command) &&
      !hasWord(command, 'ASC') &&
      !hasWord(command, 'DESC'),
    equal: sameMembers,
  },
  {
    name: 'spelling of scores',
    because:
      'redis-server forgets the sign of a score of -0 in sorted sets that are small, and before 7.2 it prints 17 digits where fewer say the same',
    applies: (command) => /^(B?Z|SORT|GEO)/i.test(command[0]),
    equal: (a, b) => textOf(a) === textOf(b),
  },
  {
    name: 'times in stream groups',
    because:
      'how long an entry has been pending, and when a consumer was seen, is each server’s own; the lag is reckoned better since 7.0',
    applies: (command) => NAMES('XPENDING', 'XINFO')(command),
    equal: (a, b, command) => withoutTimes(a, command) === withoutTimes(b, command),
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
    because:
      'redis-server 7.0 does not read the range when there is no key or none with bits, later ones do and refuse a bad one',
    applies: NAMES('BITCOUNT', 'BITPOS'),
    equal: (a, b) => (a.type === ':' || a.text?.startsWith('WRONGTYPE') === true) && b.type === '-',
  },
  {
    name: 'bad cursor or type',
    because:
      'SCAN with a negative cursor or of a type that is none finds something or nothing in redis-server 7.0 and is an error in later ones',
    applies: NAMES('SCAN', 'HSCAN', 'SSCAN', 'ZSCAN'),
    equal: (a, b) =>
      (a.type === '*' || a.text?.startsWith('WRONGTYPE') === true) &&
      (b.text === 'ERR invalid cursor' || b.text?.startsWith('ERR unknown type name') === true),
  },
  {
    name: 'encodings with a history',
    because:
      'INCRBYFLOAT leaves text, and RENAME and COPY an edited value, in the encoding that they made or found; here it is found anew',
    applies: SUBCOMMAND('OBJECT', 'ENCODING'),
    equal: (a, b) => `${a.text} ${b.text}` === 'embstr int' || (a.text === 'raw' && (b.text === 'embstr' || b.text === 'int')),
  },
  {
    name: 'encodings that came later',
    because: 'small lists, and since 7.2 small sets, are listpacks; and what became small again may be kept compactly again',
    applies: SUBCOMMAND('OBJECT', 'ENCODING'),
    equal: (a, b) => /^(quicklist|hashtable|skiplist) (listpack|intset)$/.test(`${a.text} ${b.text}`),
  },
  {
    name: 'two reasons against an ID',
    because: 'XSETID looks at the highest deleted ID and at the top item in the other order since 7.2',
    applies: NAMES('XSETID'),
    equal: (a, b) => [a, b].every(({ text }) => text?.startsWith('ERR The ID specified in XSETID is smaller than') === true),
  },
  {
    name: 'a moment later',
    because: 'whether a time from now on is later than one that was set a moment ago may depend on that moment',
    applies: (command) => NAMES('EXPIRE', 'PEXPIRE')(command) && (hasWord(command, 'GT') || hasWord(command, 'LT')),
    equal: (a, b) => a.type === ':' && b.type === ':',
  },
  {
    name: 'lowest rank',
    because: 'LPOS takes the lowest integer for a rank in redis-server 7.0, later ones refuse it',
    applies: NAMES('LPOS'),
    equal: (_a, b) => b.text?.startsWith('ERR value is out of range, value must between') === true,
  },
  {
    name: 'endless timeout',
    because: 'redis-server 7.0 calls an infinite timeout negative, later ones out of range',
    applies: (command) => /^B/i.test(command[0]),
    equal: (a, b) => a.text === 'ERR timeout is negative' && b.text === 'ERR timeout is out of range',
  },
  {
    name: 'bytes in error texts',
    because:
      'an error that repeats what the client sent stops at a zero byte in redis-server and shows bytes that are no UTF-8 as they are',
    applies: (command) => command.some((arg) => /[^ -~]/.test(arg)),
    equal: (a, b) => a.type === '-' && b.type === '-' && withoutQuotes(a) === withoutQuotes(b),
  },
  {
    name: 'unbalanced list of streams',
    because: 'the error has other words since 7.4',
    applies: NAMES('XREAD', 'XREADGROUP'),
    equal: (a, b) => textOf(a).includes('Unbalanced') && textOf(b).includes('Unbalanced'),
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

function hasWord(command: CommandLine, word: string): boolean {
  return command.some((arg) => arg.toUpperCase() === word)
}

/** Doubles in one spelling, for the sake of scores. */
function textOf(reply: Reply): string {
  return reply.items.length === 0
    ? `${reply.type}${spelledAlike(reply.text ?? 'null')}`
    : `[${reply.items.map(textOf).join(' ')}]`
}

function sameMembers(a: Reply, b: Reply): boolean {
  const members = (reply: Reply) => reply.items.map(textOf).sort()
  return a.type === b.type && JSON.stringify(members(a)) === JSON.stringify(members(b))
}

/** Two items belong together: field and value, member and score. */
function samePairs(a: Reply, b: Reply): boolean {
  const pairs = ({ items }: Reply) =>
    items.filter((_, i) => i % 2 === 0).map((item, i) => `${textOf(item)} ${textOf(items[i * 2 + 1])}`)
  return a.type === b.type && JSON.stringify(pairs(a).sort()) === JSON.stringify(pairs(b).sort())
}

/** Names in XINFO that came with 8.6 (messages that come again) and 8.8 (what was released). */
export const LATER_NAMES = [
  ...['idmp-duration', 'idmp-maxsize', 'pids-tracked', 'iids-tracked', 'iids-added', 'iids-duplicates'],
  'nacked-count',
]
/** Names in XINFO of what passes, of how a server keeps a stream, or of what later versions reckon better (lag); the value after each is left out. */
const NOT_COMPARED = new Set([
  ...['idle', 'inactive', 'radix-tree-keys', 'radix-tree-nodes', 'seen-time', 'active-time', 'lag'],
  ...LATER_NAMES,
])

/** In the long form of XPENDING the third of four items is the time since delivery; in lists of XINFO it is a Unix time. */
function withoutTimes(reply: Reply, command: CommandLine): string {
  const pending = NAMES('XPENDING')(command)
  const text = ({ type, items, text: line }: Reply): string => {
    if (type === ':' && Number(line) > 1e12) return 'time'
    if (items.length === 0) return `${type}${line}`
    const parts: string[] = []
    for (let i = 0; i < items.length; i++) {
      if (pending && i === 2 && items.length === 4 && items[3].type === ':') parts.push('time')
      else if (NOT_COMPARED.has(items[i].text ?? '')) i++
      else parts.push(text(items[i]))
    }
    return `[${parts.join(' ')}]`
  }
  return text(reply)
}

/** A text with every double in it in one spelling. Of fractions 14 digits count: the last ones of a distance depend on the mathematics library. */
export function spelledAlike(text: string): string {
  return text.replace(/(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.])/gi, (number) => {
    const value = Number(number)
    return Number.isInteger(value) ? String(value === 0 ? 0 : value) : value.toPrecision(14)
  })
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
