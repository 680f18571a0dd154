import type { SeededRandom } from '../seeded-random.js'
import type { CommandLine, Sequence, Step } from '../sequence.js'
import { BITMAP_PRODUCTIONS } from './bitmap-grammar.js'
import { EXPIRY_PRODUCTIONS, KEY_PRODUCTIONS } from './key-grammar.js'
import { STRING_PRODUCTIONS } from './string-grammar.js'
import { Words, type Production } from './words.js'

/** Makes one step of a sequence. */
type StepMaker = (words: Words, supports: (command: string) => boolean) => Step

/** A little of everything that fills the keys, so that the family's own commands find something. */
const FILLERS = STRING_PRODUCTIONS.slice(0, 5)

export const FAMILIES: Readonly<Record<string, StepMaker>> = {
  string: (w, supports) => single(w, supports, w.random.chance(0.9) ? STRING_PRODUCTIONS : EXPIRY_PRODUCTIONS),
  bitmap: (w, supports) => single(w, supports, w.random.chance(0.75) ? BITMAP_PRODUCTIONS : STRING_PRODUCTIONS),
  generic: (w, supports) =>
    single(w, supports, w.random.chance(0.65) ? KEY_PRODUCTIONS : w.random.chance(0.7) ? FILLERS : EXPIRY_PRODUCTIONS),
  expire: (w, supports) => {
    if (w.random.chance(0.02)) return lapse(w, supports)
    return single(
      w,
      supports,
      w.random.chance(0.5) ? EXPIRY_PRODUCTIONS : w.random.chance(0.6) ? STRING_PRODUCTIONS : KEY_PRODUCTIONS,
    )
  },
  transactions: (w, supports) => (w.random.chance(0.5) ? transaction(w, supports) : single(w, supports, EVERYTHING)),
  errors: (w, supports) => ({ commands: [mutilate(w, single(w, supports, EVERYTHING).commands[0])] }),
}

const EVERYTHING: readonly Production[] = [
  ...STRING_PRODUCTIONS,
  ...BITMAP_PRODUCTIONS,
  ...EXPIRY_PRODUCTIONS,
  ...KEY_PRODUCTIONS,
]

function single(w: Words, supports: (command: string) => boolean, productions: readonly Production[]): Step {
  for (let attempt = 0; attempt < 200; attempt++) {
    const command = w.random.pick(productions)(w)
    if (supports(command[0].toLowerCase())) return { commands: [changeCase(w, command)] }
  }
  return { commands: [['MULTI'], ['DISCARD']] }
}

/**
 * A key that is due when it is asked for. Only by then: between the two pipelines nothing else looks, because the moment at which a server removes
 * keys by itself is its own affair.
 */
function lapse(w: Words, supports: (command: string) => boolean): Step {
  const key = w.key()
  const after = w.random.pick([
    ['GET', key],
    ['EXISTS', key],
    ['TTL', key],
    ['DEL', key],
    ['SETNX', key, 'new'],
    ['PERSIST', key],
    ['APPEND', key, 'x'],
    ['INCR', key],
    ['EXPIRE', key, '100'],
    ['SET', key, 'v', 'KEEPTTL'],
    ['GETSET', key, 'v'],
  ])
  return {
    commands: [...(supports('select') ? [['SELECT', '0']] : []), ['SET', key, w.value(), 'PX', '5']],
    later: [after, ['GET', key], ['TTL', key]],
  }
}

function transaction(w: Words, supports: (command: string) => boolean): Step {
  const commands: CommandLine[] = []
  if (w.random.chance(0.3)) commands.push(['WATCH', ...w.keys(1, 2)])
  if (w.random.chance(0.2)) commands.push(...single(w, supports, STRING_PRODUCTIONS).commands)
  if (w.random.chance(0.95)) commands.push(['MULTI'])
  for (let n = w.random.below(6); n > 0; n--) {
    const kind = w.random.below(20)
    if (kind === 0) commands.push([w.random.pick(['MULTI', 'WATCH', 'UNWATCH', 'NOPE']), ...w.maybe(0.5, () => [w.key()])])
    else if (kind === 1) commands.push(mutilate(w, single(w, supports, EVERYTHING).commands[0]))
    else commands.push(...single(w, supports, EVERYTHING).commands)
  }
  commands.push([w.random.chance(0.85) ? 'EXEC' : 'DISCARD'])
  if (w.random.chance(0.2)) commands.push(['UNWATCH'])
  return { commands }
}

/** Takes an argument away, adds one, or puts something else in its place. */
function mutilate(w: Words, command: CommandLine): CommandLine {
  const { random } = w
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
        : [...command.slice(0, at), w.value(), ...command.slice(at + 1)]
    case 4:
      return [...command, w.word(random.pick(['NX', 'XX', 'GET', 'EX', 'DB', 'COUNT', 'BIT']))]
    default:
      return command.slice(0, 1 + random.below(command.length))
  }
}

function changeCase(w: Words, command: CommandLine): CommandLine {
  return [w.word(command[0]), ...command.slice(1)]
}

const MIN_STEPS = 5
const MAX_STEPS = 40

export function generate(family: string, seed: number, random: SeededRandom, supports: (command: string) => boolean): Sequence {
  const words = new Words(random, Date.now())
  const make = FAMILIES[family]
  return {
    family,
    seed,
    protocol: seed % 2 === 0 ? 3 : 2,
    steps: random.times(MIN_STEPS, MAX_STEPS, () => make(words, supports)),
  }
}
