import { KEY_WORKLOAD } from './key-commands.js'
import type { Profile } from './profiles.js'
import type { SeededRandom } from './random.js'
import { VALUE_TYPES } from './types/all-types.js'
import type { CommandMaker, KeyDraw } from './types/value-type.js'

/** A time in a command that depends on the member's clock when it runs: `@+250` becomes wallMs + 250, `@s+2` whole seconds. */
export function resolveTimes(args: readonly string[], wallMs: number): string[] {
  return args.map((arg) => {
    if (arg.startsWith('@s')) return String(Math.floor(wallMs / 1000) + Number(arg.slice(2)))
    return arg.startsWith('@') ? String(wallMs + Number(arg.slice(1))) : arg
  })
}

/** One turn of one client: its commands arrive together. */
export interface Step {
  readonly delayMs: number
  /** Chooses the member: modulo the number of members. */
  readonly memberDraw: number
  readonly db: number
  readonly transaction: boolean
  readonly commands: readonly (readonly string[])[]
}

/** To find a command that the member has. */
const MAX_ATTEMPTS = 20

interface Family {
  readonly make: CommandMaker
  readonly weight: number
  /** Key names begin with one of these. */
  readonly prefixes: readonly string[]
}

/** Draws the commands of a seed. Nothing here depends on replies or faults. */
export class Workload {
  private readonly families: readonly Family[]
  private readonly weights: readonly number[]
  private readonly prefixes: readonly string[]

  constructor(
    private readonly random: SeededRandom,
    private readonly profile: Profile,
    private readonly supports: (command: string) => boolean,
  ) {
    const makers = new Map<string, { make: CommandMaker; prefix: string | null }>()
    for (const { workload, prefix } of VALUE_TYPES) {
      for (const [name, make] of Object.entries(workload)) makers.set(name, { make, prefix })
    }
    for (const [name, make] of Object.entries(KEY_WORKLOAD)) makers.set(name, { make, prefix: null })
    const drawn = Object.entries(profile.weights).map(([name, weight]) => {
      const maker = makers.get(name)
      if (maker === undefined) throw new Error(`no family '${name}'; there are ${[...makers.keys()].join(', ')}`)
      return { ...maker, weight }
    })
    // Commands on keys of any type go to those of the types that the profile writes.
    const prefixes = [...new Set(drawn.flatMap(({ prefix }) => (prefix === null ? [] : [prefix])))]
    this.families = drawn.map(({ make, weight, prefix }) => ({ make, weight, prefixes: prefix === null ? prefixes : [prefix] }))
    this.weights = this.families.map(({ weight }) => weight)
    this.prefixes = prefixes
  }

  next(): Step {
    const { random, profile } = this
    const together = random.chance(profile.togetherRate ?? 0.15) ? random.between(2, 5) : 1
    const transaction = together > 1 && random.chance(0.6)
    const commands: string[][] = []
    for (let i = 0; i < together; i++) commands.push(this.command())
    return {
      // Some at the same instant, so that members race.
      delayMs: random.chance(0.3) ? 0 : random.exponential(profile.meanDelayMs),
      memberDraw: random.uint32(),
      db: random.below(profile.databases),
      transaction,
      commands,
    }
  }

  private command(): string[] {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const command = this.draw()
      if (this.supports(command[0])) return command
    }
    return ['EXISTS', `${this.prefixes[0]}0`]
  }

  private draw(): string[] {
    const { random, profile } = this
    const family = this.families[random.weighted(this.weights)]
    const keys: KeyDraw = {
      key: () => {
        const among = profile.mixing > 0 && random.chance(profile.mixing) ? this.prefixes : family.prefixes
        return `${random.pick(among)}${random.below(profile.keys)}`
      },
    }
    return family.make(random, keys)
  }
}
