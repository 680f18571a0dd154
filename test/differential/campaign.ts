import { EXCEPTIONS, firstDifference } from './compare.js'
import { generate } from './grammar/families.js'
import { SeededRandom } from './seeded-random.js'
import { commandsOf, printCommand, type Sequence } from './sequence.js'
import { compareState } from './key-state.js'
import { shrink } from './shrink.js'
import { run, type Answer, type Target } from './target.js'

export interface CampaignOptions {
  readonly family: string
  readonly firstSeed: number
  readonly sequences: number
}

/** Sends the same random sequences to both; a report of the first that were answered differently, shrunk, or null. */
export async function runCampaign(model: Target, subject: Target, options: CampaignOptions): Promise<string | null> {
  const supports = (command: string) => model.supports(command) && subject.supports(command)
  for (let seed = options.firstSeed; seed < options.firstSeed + options.sequences; seed++) {
    const sequence = generate(options.family, seed, new SeededRandom(seed), supports)
    const first = await differenceOf(model, subject, sequence)
    if (first === null) continue
    const smallest = await shrink(sequence, async (candidate) => (await differenceOf(model, subject, candidate)) !== null)
    const difference = await differenceOf(model, subject, smallest)
    if (difference !== null) return report(model, subject, smallest, difference, '')
    return report(model, subject, sequence, first, ' once, and not when run again')
  }
  return null
}

interface Difference {
  /** Index of the command that was answered differently; -1: all were answered alike. */
  readonly at: number
  readonly expected: readonly Answer[]
  readonly actual: readonly Answer[]
  /** What differs in the data at the end of the sequence. */
  readonly state: string | null
}

async function differenceOf(model: Target, subject: Target, sequence: Sequence): Promise<Difference | null> {
  const { protocol } = sequence
  const [a, b] = await Promise.all([model.open(protocol), subject.open(protocol)])
  try {
    const [expected, actual] = await Promise.all([run(a, sequence), run(b, sequence)])
    const at = firstDifference(commandsOf(sequence), expected, actual)
    if (at >= 0) return { at, expected, actual, state: null }
    const state = await compareState({ target: model, conversation: a }, { target: subject, conversation: b })
    return state === null ? null : { at, expected, actual, state }
  } finally {
    a.close()
    b.close()
  }
}

function report(model: Target, subject: Target, sequence: Sequence, difference: Difference, note: string): string {
  const { family, seed, protocol } = sequence
  const commands = commandsOf(sequence)
  const { at, expected, actual, state } = difference
  const where = `(family ${family}, seed ${seed}, RESP${protocol})`
  const what = state === null ? 'answered differently from' : 'holds something else than'
  const lines = [`${subject.name} ${what} ${model.name}${note} ${where}:`]
  const alike = at < 0 ? commands.length : at
  for (let i = 0; i < alike; i++) lines.push(`  > ${printCommand(commands[i])}`, `      ${show(expected[i])}`)
  if (at >= 0) {
    lines.push(`  > ${printCommand(commands[at])}`)
    lines.push(`      ${model.name}: ${show(expected[at])}`, `      ${subject.name}: ${show(actual[at])}`)
  }
  if (state !== null) lines.push(`  ${state}`)
  lines.push(`  again: DIFFERENTIAL_FAMILY=${family} DIFFERENTIAL_SEED=${seed} npx vitest run test/differential`)
  lines.push(`  (not compared: ${EXCEPTIONS.map(({ name }) => name).join(', ')})`)
  return lines.join('\n')
}

const SHOWN_BYTES = 300

function show(answer: Answer | undefined): string {
  if (answer === undefined) return 'nothing: the connection was closed'
  const text = answer.bytes.toString('latin1', answer.reply.start, answer.reply.end)
  return JSON.stringify(text.length > SHOWN_BYTES ? `${text.slice(0, SHOWN_BYTES)}…` : text)
}
