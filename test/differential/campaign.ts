import { EXCEPTIONS, firstDifference } from './compare.js'
import { generate } from './grammar/families.js'
import { SeededRandom } from './seeded-random.js'
import { commandsOf, printCommand, type Sequence } from './sequence.js'
import { shrink } from './shrink.js'
import type { Answer, Target } from './target.js'

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
  readonly at: number
  readonly expected: readonly Answer[]
  readonly actual: readonly Answer[]
}

async function differenceOf(model: Target, subject: Target, sequence: Sequence): Promise<Difference | null> {
  const [expected, actual] = await Promise.all([model.run(sequence), subject.run(sequence)])
  const at = firstDifference(commandsOf(sequence), expected, actual)
  return at < 0 ? null : { at, expected, actual }
}

function report(model: Target, subject: Target, sequence: Sequence, difference: Difference, note: string): string {
  const { family, seed, protocol } = sequence
  const lines = [
    `${subject.name} answered differently from ${model.name}${note} (family ${family}, seed ${seed}, RESP${protocol}):`,
  ]
  const commands = commandsOf(sequence)
  const { at, expected, actual } = difference
  for (let i = 0; i < at; i++) lines.push(`  > ${printCommand(commands[i])}`, `      ${show(expected[i])}`)
  lines.push(`  > ${printCommand(commands[at])}`)
  lines.push(`      ${model.name}: ${show(expected[at])}`, `      ${subject.name}: ${show(actual[at])}`)
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
