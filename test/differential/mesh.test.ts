import { describe, expect, it } from 'vitest'
import { CommandTable } from '../../src/commands/command-table.js'
import { ALL_COMMANDS } from '../../src/commands/registry.js'
import { digestOf } from '../../src/keyspace/digest.js'
import { Mesh } from '../support/mesh.js'
import { FAMILIES, generate } from './grammar/families.js'
import { SeededRandom } from './seeded-random.js'
import { printCommand, type CommandLine } from './sequence.js'

/**
 * The random commands of the comparison with redis-server, given to three members at the same time: whatever the commands are, the others take what each writes, all
 * end with the same data, and so does one that reads its log anew. Settings by environment:
 *
 *   MESH_SEQUENCES=1000   sequences a family (6)
 *   MESH_FIRST_SEED=1     seed of the first (1)
 */
const sequences = Number(process.env.MESH_SEQUENCES ?? 6)
const firstSeed = Number(process.env.MESH_FIRST_SEED ?? 1)
const MS_PER_SEQUENCE = 500
const MEMBERS = 3
/** A pause, during which something falls due. */
const PAUSE_MS = 12

const table = new CommandTable(ALL_COMMANDS)

/** Runs a sequence; what went wrong, or null. */
function differenceIn(family: string, seed: number): string | null {
  const random = new SeededRandom(seed)
  const { steps } = generate(family, seed, random, (command) => table.find(command) !== undefined)
  const mesh = new Mesh()
  for (const { clock } of mesh.members) clock.now = Date.now()
  const done: string[] = []
  const give = (member: number, commands: readonly CommandLine[]) => {
    for (const command of commands) {
      done.push(`${member + 1} > ${printCommand(command)}`)
      mesh.members[member].raw(command.map((arg) => Buffer.from(arg, 'latin1')))
    }
  }
  let problem: string | null = null
  try {
    for (const { commands, later } of steps) {
      const member = random.below(MEMBERS)
      give(member, commands)
      if (later !== undefined) {
        mesh.wait(PAUSE_MS)
        give(member, later)
      }
      if (random.chance(0.5)) mesh.deliver(member, random.below(MEMBERS - 1) + (member === MEMBERS - 1 ? 0 : 1))
    }
    mesh.settle()
    const digests = mesh.members.map((member) => digestOf(member.engine.keyspace, member.engine))
    const { engine } = mesh.recovered(0)
    const again = digestOf(engine.keyspace, engine)
    if (new Set([...digests, again]).size > 1) problem = `digests ${digests.join(', ')}, read anew ${again}`
  } catch (error) {
    problem = String(error)
  }
  const rerun = `MESH_SEQUENCES=1 MESH_FIRST_SEED=${seed} npx vitest run test/differential/mesh.test.ts -t ${family}`
  return problem && [`${problem} (family ${family}, seed ${seed}):`, ...done, `again: ${rerun}`].join('\n  ')
}

describe('three members end with the same data', () => {
  it.for(Object.keys(FAMILIES))(
    'after random commands in all of them: %s',
    { timeout: 10_000 + sequences * MS_PER_SEQUENCE },
    (family) => {
      for (let seed = firstSeed; seed < firstSeed + sequences; seed++) {
        const difference = differenceIn(family, seed)
        if (difference !== null) expect.fail(difference)
      }
    },
  )
})
