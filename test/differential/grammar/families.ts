import type { SeededRandom } from '../seeded-random.js'
import type { CommandLine, Sequence, Step } from '../sequence.js'
import { BITMAP_PRODUCTIONS } from './bitmap-grammar.js'
import { GEO_PRODUCTIONS } from './geo-grammar.js'
import { HASH_PRODUCTIONS } from './hash-grammar.js'
import { HLL_PRODUCTIONS } from './hll-grammar.js'
import { EXPIRY_PRODUCTIONS, KEY_PRODUCTIONS } from './key-grammar.js'
import { LIST_COMPOUNDS, LIST_PRODUCTIONS } from './list-grammar.js'
import { SET_COMPOUNDS, SET_PRODUCTIONS } from './set-grammar.js'
import { SORT_COMPOUNDS, SORT_PRODUCTIONS } from './sort-grammar.js'
import { GROUP_PRODUCTIONS, STREAM_COMPOUNDS, STREAM_PRODUCTIONS } from './stream-grammar.js'
import { STRING_PRODUCTIONS } from './string-grammar.js'
import { Words, type Compound, type Production } from './words.js'
import { ZSET_COMPOUNDS, ZSET_PRODUCTIONS } from './zset-grammar.js'

type Supports = (command: string) => boolean

/** Makes one step of a sequence. */
type StepMaker = (words: Words, supports: Supports) => Step

interface Family {
  /** The commands without which there is nothing to compare. */
  readonly needs: readonly string[]
  readonly make: StepMaker
}

/** What fills keys with every type, so that commands meet what is theirs and what is not. */
const FILLERS: readonly Production[] = [
  ...STRING_PRODUCTIONS.slice(0, 5),
  ...HASH_PRODUCTIONS.slice(0, 3),
  ...SET_PRODUCTIONS.slice(0, 3),
  ...ZSET_PRODUCTIONS.slice(0, 3),
  ...LIST_PRODUCTIONS.slice(0, 3),
  ...STREAM_PRODUCTIONS.slice(0, 3),
  (w) => ['PFADD', w.random.pick(['h0', 'h1']), ...w.elements(0, 3)],
]

const EVERYTHING: readonly Production[] = [
  ...STRING_PRODUCTIONS,
  ...BITMAP_PRODUCTIONS,
  ...EXPIRY_PRODUCTIONS,
  ...KEY_PRODUCTIONS,
  ...HASH_PRODUCTIONS,
  ...SET_PRODUCTIONS,
  ...ZSET_PRODUCTIONS,
  // Searches find what is no place in other sorted sets, all of it at one distance: which of them come first is chance.
  ...GEO_PRODUCTIONS.slice(0, 6),
  ...LIST_PRODUCTIONS,
  ...STREAM_PRODUCTIONS,
  ...GROUP_PRODUCTIONS,
  ...SORT_PRODUCTIONS,
]

export const FAMILIES: Readonly<Record<string, Family>> = {
  string: {
    needs: ['set'],
    make: (w, supports) => single(w, supports, w.random.chance(0.9) ? STRING_PRODUCTIONS : EXPIRY_PRODUCTIONS),
  },
  bitmap: {
    needs: ['setbit'],
    make: (w, supports) => single(w, supports, w.random.chance(0.75) ? BITMAP_PRODUCTIONS : STRING_PRODUCTIONS),
  },
  hash: typeFamily(['hset'], HASH_PRODUCTIONS),
  set: typeFamily(['sadd'], SET_PRODUCTIONS, SET_COMPOUNDS),
  zset: typeFamily(['zadd'], ZSET_PRODUCTIONS, ZSET_COMPOUNDS),
  // Of the commands of sorted sets those that leave scores as they are: others make of them what is no place.
  geo: typeFamily(['geoadd'], [...GEO_PRODUCTIONS, ...GEO_PRODUCTIONS, ...ZSET_PRODUCTIONS.slice(7, 32)]),
  list: typeFamily(['rpush'], LIST_PRODUCTIONS, LIST_COMPOUNDS),
  stream: typeFamily(['xadd'], STREAM_PRODUCTIONS, STREAM_COMPOUNDS),
  groups: typeFamily(['xadd', 'xgroup'], [...GROUP_PRODUCTIONS, ...STREAM_PRODUCTIONS.slice(0, 12)], STREAM_COMPOUNDS),
  hll: typeFamily(['pfadd'], HLL_PRODUCTIONS),
  sort: typeFamily(['sort'], SORT_PRODUCTIONS, SORT_COMPOUNDS),
  generic: {
    needs: ['del'],
    make: (w, supports) =>
      single(w, supports, w.random.chance(0.65) ? KEY_PRODUCTIONS : w.random.chance(0.7) ? FILLERS : EXPIRY_PRODUCTIONS),
  },
  expire: {
    needs: ['expire'],
    make: (w, supports) => {
      if (w.random.chance(0.02)) return lapse(w, supports)
      return single(w, supports, w.random.chance(0.5) ? EXPIRY_PRODUCTIONS : w.random.chance(0.6) ? FILLERS : KEY_PRODUCTIONS)
    },
  },
  transactions: {
    needs: ['multi'],
    make: (w, supports) => (w.random.chance(0.5) ? transaction(w, supports) : single(w, supports, EVERYTHING)),
  },
  errors: {
    needs: ['set'],
    make: (w, supports) => ({ commands: [mutilate(w, single(w, supports, EVERYTHING).commands.at(-1) ?? ['PING'])] }),
  },
}

/** Mostly the type's own commands; a few that give keys other types, that rename, copy and remove them, and give them times. */
function typeFamily(needs: readonly string[], own: readonly Production[], compounds: readonly Compound[] = []): Family {
  return {
    needs,
    make: (w, supports) => {
      const kind = w.random.below(100)
      if (kind < 6) return single(w, supports, FILLERS)
      if (kind < 12) return single(w, supports, KEY_PRODUCTIONS)
      if (kind < 15) return single(w, supports, EXPIRY_PRODUCTIONS)
      return kind < 23 && compounds.length > 0 ? several(w, supports, compounds) : single(w, supports, own)
    },
  }
}

function single(w: Words, supports: Supports, productions: readonly Production[]): Step {
  for (let attempt = 0; attempt < 200; attempt++) {
    const command = w.random.pick(productions)(w)
    if (supports(command[0].toLowerCase())) return { commands: [...consumersOf(command), changeCase(w, command)] }
  }
  return NOTHING
}

/**
 * What makes the consumer that a command names. redis-server 7.0 makes it only when there is something to give to it; from 7.2 on, and here, it is made in
 * any case.
 */
function consumersOf(command: CommandLine): CommandLine[] {
  if (command[0] === 'XCLAIM' || command[0] === 'XAUTOCLAIM') return [['XGROUP', 'CREATECONSUMER', ...command.slice(1, 4)]]
  if (command[0] !== 'XREADGROUP') return []
  const streams = command.findIndex((word) => word.toUpperCase() === 'STREAMS')
  const keys = command.slice(streams + 1, streams + 1 + Math.floor((command.length - streams - 1) / 2))
  return keys.map((key) => ['XGROUP', 'CREATECONSUMER', key, command[2], command[3]])
}

function several(w: Words, supports: Supports, compounds: readonly Compound[]): Step {
  for (let attempt = 0; attempt < 50; attempt++) {
    const commands = w.random.pick(compounds)(w)
    if (commands.every(([name]) => supports(name.toLowerCase()))) return { commands }
  }
  return NOTHING
}

const NOTHING: Step = { commands: [['MULTI'], ['DISCARD']] }

/**
 * A key that is due when it is asked for. Only by then: between the two pipelines nothing else looks, because the moment at which a server removes
 * keys by itself is its own affair.
 */
function lapse(w: Words, supports: Supports): Step {
  const key = w.key()
  const [fill, look, ...change] = w.random.pick([
    [
      ['SET', key, w.value()],
      ['GET', key],
      ['SETNX', key, 'new'],
      ['APPEND', key, 'x'],
      ['INCR', key],
      ['GETSET', key, 'v'],
    ],
    [
      ['HSET', key, 'a', '1'],
      ['HGETALL', key],
      ['HSET', key, 'b', '2'],
      ['HINCRBY', key, 'a', '5'],
      ['HDEL', key, 'a'],
    ],
    [
      ['SADD', key, 'a'],
      ['SMEMBERS', key],
      ['SADD', key, 'b'],
      ['SREM', key, 'a'],
      ['SCARD', key],
    ],
    [
      ['ZADD', key, '1', 'a'],
      ['ZRANGE', key, '0', '-1'],
      ['ZADD', key, 'XX', '2', 'a'],
      ['ZINCRBY', key, '5', 'a'],
    ],
    [
      ['RPUSH', key, 'a'],
      ['LRANGE', key, '0', '-1'],
      ['RPUSHX', key, 'b'],
      ['LPUSH', key, 'b'],
      ['LPOP', key],
    ],
    [
      ['XADD', key, '5-1', 'a', '1'],
      ['XRANGE', key, '-', '+'],
      ['XADD', key, '3-1', 'a', '1'],
      ['XLEN', key],
    ],
  ])
  if (![fill, look, ...change].every(([name]) => supports(name.toLowerCase()))) return NOTHING
  const after = w.random.pick([
    ...change,
    look,
    ['EXISTS', key],
    ['TTL', key],
    ['TYPE', key],
    ['DEL', key],
    ['PERSIST', key],
    ['EXPIRE', key, '100'],
    ['SET', key, 'v', 'KEEPTTL'],
  ])
  return {
    commands: [...(supports('select') ? [['SELECT', '0']] : []), ['DEL', key], fill, ['PEXPIRE', key, '5']],
    later: [after, look, ['TTL', key]],
  }
}

function transaction(w: Words, supports: Supports): Step {
  const commands: CommandLine[] = []
  if (w.random.chance(0.3)) commands.push(['WATCH', ...w.keys(1, 2)])
  if (w.random.chance(0.2)) commands.push(...single(w, supports, STRING_PRODUCTIONS).commands)
  if (w.random.chance(0.95)) commands.push(['MULTI'])
  for (let n = w.random.below(6); n > 0; n--) {
    const kind = w.random.below(20)
    if (kind === 0) commands.push([w.random.pick(['MULTI', 'WATCH', 'UNWATCH', 'NOPE']), ...w.maybe(0.5, () => [w.key()])])
    else if (kind === 1) commands.push(mutilate(w, single(w, supports, EVERYTHING).commands.at(-1) ?? ['PING']))
    else commands.push(...single(w, supports, EVERYTHING).commands)
  }
  commands.push([w.random.chance(0.85) ? 'EXEC' : 'DISCARD'])
  if (w.random.chance(0.2)) commands.push(['UNWATCH'])
  return { commands }
}

/** Takes an argument away, adds one, or puts something else in its place. */
function mutilate(w: Words, command: CommandLine): CommandLine {
  const { random } = w
  // Since 7.2 these take one argument more.
  if (/^z(rev)?rank$/i.test(command[0])) return command.slice(0, 2)
  const at = random.below(command.length)
  switch (random.below(6)) {
    case 0:
      return command.slice(0, Math.max(1, command.length - 1))
    case 1:
      return [...command, w.value()]
    case 2:
      return at === 0 ? command : [...command.slice(0, at), ...command.slice(at + 1)]
    case 3:
      return at === 0
        ? [random.pick(['NOPE', 'GETT', '\xc3\xa9']), ...command.slice(1)]
        : [...command.slice(0, at), /RAND/i.test(command[0]) ? 'x' : w.value(), ...command.slice(at + 1)]
    case 4:
      return [...command, w.word(random.pick(['NX', 'XX', 'GET', 'EX', 'DB', 'COUNT', 'BIT', 'LIMIT', 'WITHSCORES', 'STORE']))]
    default:
      return command.slice(0, 1 + random.below(command.length))
  }
}

function changeCase(w: Words, command: CommandLine): CommandLine {
  return [w.word(command[0]), ...command.slice(1)]
}

const MIN_STEPS = 5
const MAX_STEPS = 40

export function generate(family: string, seed: number, random: SeededRandom, supports: Supports): Sequence {
  const words = new Words(random, Date.now())
  const { make } = FAMILIES[family]
  return {
    family,
    seed,
    protocol: seed % 2 === 0 ? 3 : 2,
    steps: random.times(MIN_STEPS, MAX_STEPS, () => make(words, supports)),
  }
}
