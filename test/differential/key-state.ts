import { LATER_NAMES, spelledAlike } from './compare.js'
import type { Reply } from './reply-tree.js'
import type { CommandLine } from './sequence.js'
import type { Answer, Conversation, Target } from './target.js'

/** Those that sequences use, and one that they do not, for payloads of the other server. */
const DATABASES = ['0', '1', '2']
const SPARE = '15'
/** How much later the second server may have been asked or told. */
const TIME_TOLERANCE_MS = 2000
/** A key that falls due so soon may be gone from one server and not yet from the other. */
const DUE_SOON_MS = 30

interface KeyState {
  readonly database: string
  readonly key: string
  readonly type: string
  /** What the key holds, in one order. */
  readonly content: string
  readonly expiresAt: number
  readonly payload: string
}

interface Talk {
  readonly target: Target
  readonly conversation: Conversation
}

/**
 * What differs between the data that two servers ended up with: keys, their types, times and content; and the content that either makes of the
 * other's DUMP payload. Null when it is all the same.
 */
export async function compareState(model: Talk, subject: Talk): Promise<string | null> {
  const [a, b] = thoseThatStay(await readState(model), await readState(subject), Date.now() + DUE_SOON_MS)
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = differenceOf(a[i], b[i])
    if (difference !== null) return difference
  }
  return (await restored(model, a, subject)) ?? (await restored(subject, b, model))
}

/** Both without the keys that fall due in one of them up to a time. */
function thoseThatStay(a: readonly KeyState[], b: readonly KeyState[], time: number): [KeyState[], KeyState[]] {
  const due = new Set([...a, ...b].filter(({ expiresAt }) => expiresAt >= 0 && expiresAt <= time).map(placeOf))
  const stay = (states: readonly KeyState[]) => states.filter((state) => !due.has(placeOf(state)))
  return [stay(a), stay(b)]
}

function differenceOf(a: KeyState | undefined, b: KeyState | undefined): string | null {
  if (a === undefined || b === undefined || placeOf(a) !== placeOf(b)) {
    return `keys: ${a === undefined ? 'none' : placeOf(a)} is ${b === undefined ? 'none' : placeOf(b)}`
  }
  if (a.type !== b.type) return `type of ${placeOf(a)}: ${a.type} is ${b.type}`
  if (a.content !== b.content) return `content of ${placeOf(a)}: ${a.content} is ${b.content}`
  const never = a.expiresAt < 0 || b.expiresAt < 0
  // Very late times are kept as the latest that a safe integer holds.
  const farAhead = a.expiresAt > 2 ** 52 && b.expiresAt > 2 ** 52
  if (never ? a.expiresAt !== b.expiresAt : !farAhead && Math.abs(a.expiresAt - b.expiresAt) > TIME_TOLERANCE_MS)
    return `time of ${placeOf(a)}: ${a.expiresAt} is ${b.expiresAt}`
  return null
}

function placeOf({ database, key }: KeyState): string {
  return `${database}:${JSON.stringify(key)}`
}

async function readState({ target, conversation }: Talk): Promise<KeyState[]> {
  const ask = async (commands: readonly CommandLine[]): Promise<Answer[]> => {
    const answers = await conversation.ask(commands)
    if (answers.length < commands.length) throw new Error(`${target.name} closed the connection when its state was read`)
    return answers
  }
  // A sequence may have left a transaction open.
  await ask([['DISCARD']])
  const states: KeyState[] = []
  for (const database of DATABASES) {
    const [, found] = await ask([
      ['SELECT', database],
      ['KEYS', '*'],
    ])
    const keys = found.reply.items.map(({ text }) => text ?? '').sort()
    const hasDump = target.supports('dump')
    const told = await ask(keys.flatMap((key) => [['TYPE', key], ['PEXPIRETIME', key], hasDump ? ['DUMP', key] : ['PING']]))
    const types = keys.map((_, i) => told[i * 3].reply.text ?? '')
    const contents = await contentsOf(conversation, target, keys, types)
    keys.forEach((key, i) => {
      const expiresAt = Number(told[i * 3 + 1].reply.text)
      const payload = told[i * 3 + 2].reply.text ?? ''
      states.push({ database, key, type: types[i], content: contents[i], expiresAt, payload })
    })
  }
  return states
}

/** Puts the payloads of one server into the other and says what that makes of them, if it is not the same. */
async function restored(from: Talk, states: readonly KeyState[], into: Talk): Promise<string | null> {
  const { target, conversation } = into
  if (!from.target.supports('dump') || !target.supports('restore')) return null
  // A time may be up by now; the rest of the key does not depend on it.
  const keys = states.map((_, i) => `r${i}`)
  const told = await conversation.ask([
    ['SELECT', SPARE],
    ['FLUSHDB'],
    ...states.map(({ payload }, i): CommandLine => ['RESTORE', keys[i], '0', payload]),
  ])
  const contents = await contentsOf(
    conversation,
    target,
    keys,
    states.map(({ type }) => type),
  )
  for (const [i, state] of states.entries()) {
    const { text } = told[i + 2].reply
    // redis-server 7.0 knows no payloads that say when consumers were last active.
    if (state.payload.charCodeAt(0) === RDB_TYPE_STREAM_3 && text?.startsWith('ERR DUMP payload version')) continue
    if (text !== 'OK') return `${target.name} restores ${from.target.name}'s payload of ${placeOf(state)}: ${text}`
    if (contents[i] !== state.content)
      return `${target.name} makes of ${from.target.name}'s payload of ${placeOf(state)}: ${contents[i]} instead of ${state.content}`
  }
  return null
}

async function contentsOf(
  conversation: Conversation,
  target: Target,
  keys: readonly string[],
  types: readonly string[],
): Promise<string[]> {
  const reads = keys.map((key, i) => readsOf(key, types[i]).filter(([name]) => target.supports(name.toLowerCase())))
  const answers = await conversation.ask(reads.flat())
  const contents: string[] = []
  let at = 0
  for (const [i, commands] of reads.entries()) {
    const replies = answers.slice(at, at + commands.length).map(({ reply }) => reply)
    at += commands.length
    contents.push(contentOf(types[i], commands, replies))
  }
  return contents
}

function readsOf(key: string, type: string): readonly CommandLine[] {
  switch (type) {
    case 'hash':
      return [['HGETALL', key]]
    case 'set':
      return [['SMEMBERS', key]]
    case 'zset':
      return [['ZRANGE', key, '0', '-1', 'WITHSCORES']]
    case 'list':
      return [['LRANGE', key, '0', '-1']]
    case 'stream':
      return [
        ['XRANGE', key, '-', '+'],
        ['XINFO', 'STREAM', key, 'FULL', 'COUNT', '0'],
      ]
    default:
      return [
        ['PFCOUNT', key],
        ['GET', key],
      ]
  }
}

function contentOf(type: string, commands: readonly CommandLine[], replies: readonly Reply[]): string {
  if (type === 'hash') return sorted(pairs(replies[0].items.map(plain)))
  if (type === 'set') return sorted(replies[0].items.map(plain))
  // A HyperLogLog is a string, whose bytes may differ for the same registers; of others PFCOUNT is an error.
  const count = commands[0]?.[0] === 'PFCOUNT' ? replies[0] : null
  const told = count?.type === ':' ? [count] : count === null ? replies : replies.slice(1)
  const content = told.map(plain).join('\n')
  return type === 'zset' ? spelledAlike(content) : content
}

function sorted(items: readonly string[]): string {
  return `[${[...items].sort().join(', ')}]`
}

function pairs(items: readonly string[]): string[] {
  return Array.from({ length: items.length / 2 }, (_, i) => `${items[i * 2]}: ${items[i * 2 + 1]}`)
}

const RDB_TYPE_STREAM_3 = 21

/** What XINFO says of how a server keeps a stream, of when something happened, or what later versions reckon better. */
const NOT_COMPARED = new Set(['radix-tree-keys', 'radix-tree-nodes', 'seen-time', 'active-time', 'lag', ...LATER_NAMES])

/** A reply as text, without what is a server's own affair. In the list of pending entries the third item is a time. */
function plain(reply: Reply): string {
  if (reply.items.length === 0) {
    if (reply.text === null) return 'null'
    // A small sorted set forgets the sign of a score of -0.
    return reply.type === '*' ? '[]' : JSON.stringify(reply.text === '-0' ? '0' : reply.text)
  }
  const parts: string[] = []
  for (let i = 0; i < reply.items.length; i++) {
    const item = reply.items[i]
    if (item.type === '$' && NOT_COMPARED.has(item.text ?? '') && i + 1 < reply.items.length) i++
    else if (item.type === ':' && Number(item.text) > 1e12) parts.push('time')
    else parts.push(plain(item))
  }
  return `[${parts.join(', ')}]`
}
