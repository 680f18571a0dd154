import { parseArgs } from 'node:util'
import { AssertionError } from '../../src/base/assert.js'
import { MeridianError } from '../../src/base/errors.js'
import { SimulationFailure } from './failure.js'
import { FAULT_KINDS } from './faults.js'
import { meridianMemberKind } from './meridian-member.js'
import { PLANTED_BUGS, plant } from './planted-bugs.js'
import { timesExercised, type PlantedBug } from './planting.js'
import { parseRanges, replayCommand, runSeed, seedOptions, shrink, type SeedOverrides } from './runner.js'
import { PROFILES } from './profiles.js'
import { TransferCounts } from './transfers.js'

const HELP = `Simulates a cluster of members on simulated clocks, network and disks, and checks what they do against the history.

  npm run simulate -- [options]

  --seeds N           run N seeds (default 200)
  --from S            beginning with this one (default 1)
  --seed X            run one seed
  --members M         2 to 5; otherwise the seed decides
  --profile P         ${Object.keys(PROFILES).join(', ')}; otherwise the seed decides
  --steps K           client turns a seed; otherwise the seed decides
  --without F,…       faults that do not happen: ${FAULT_KINDS.join(', ')}
  --keep-going        do not stop at the first failure
  --verbose           print everything that happens
  --skip-faults R     leave out faults by index (0-3,7), --skip-steps R likewise; a shrunk failure says so
  --planted           plant each known bug, or those named with --bug A,B,…, and show that it is caught
  --bug NAME          run with one planted bug
`

const PROGRESS_MS = 2000

function integer(name: string, text: string | undefined, low: number, high: number): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!Number.isInteger(value) || value < low || value > high)
    throw new Error(`--${name} must be a whole number from ${low} to ${high}, not '${text}'`)
  return value
}

function main(): number {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      from: { type: 'string' },
      seed: { type: 'string' },
      members: { type: 'string' },
      profile: { type: 'string' },
      steps: { type: 'string' },
      without: { type: 'string' },
      bug: { type: 'string' },
      'skip-faults': { type: 'string' },
      'skip-steps': { type: 'string' },
      'keep-going': { type: 'boolean' },
      planted: { type: 'boolean' },
      verbose: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  if (values.help) {
    process.stdout.write(HELP)
    return 0
  }
  if (values.profile !== undefined && !(values.profile in PROFILES))
    throw new Error(`--profile must be one of ${Object.keys(PROFILES).join(', ')}`)
  const kind = meridianMemberKind()
  const overrides: SeedOverrides = {
    members: integer('members', values.members, 2, 5),
    profile: values.profile,
    steps: integer('steps', values.steps, 1, 1_000_000),
    skipFaults: values['skip-faults'] === undefined ? undefined : parseRanges(values['skip-faults']),
    skipSteps: values['skip-steps'] === undefined ? undefined : parseRanges(values['skip-steps']),
    withoutFaults: values.without === undefined ? undefined : new Set(values.without.split(',')),
  }
  const single = integer('seed', values.seed, 0, 2 ** 32 - 1)
  const from = single ?? integer('from', values.from, 0, 2 ** 32 - 1) ?? 1
  const count = single !== undefined ? 1 : (integer('seeds', values.seeds, 1, 2 ** 32 - 1) ?? 200)
  if (values.planted) {
    const named = values.bug?.split(',')
    const bugs = PLANTED_BUGS.filter(({ name }) => named?.includes(name) !== false)
    return runPlanted(kind, bugs, overrides, from, integer('seeds', values.seeds, 1, 2 ** 32 - 1) ?? 400)
  }
  const unplant = values.bug === undefined ? null : plant(values.bug)
  try {
    return runSeeds(kind, overrides, from, count, values.verbose === true, values['keep-going'] === true, values.bug ?? null)
  } finally {
    unplant?.()
  }
}

function runSeeds(
  kind: ReturnType<typeof meridianMemberKind>,
  overrides: SeedOverrides,
  from: number,
  count: number,
  verbose: boolean,
  keepGoing: boolean,
  bug: string | null,
): number {
  const startedMs = performance.now()
  let shownMs = startedMs
  let ops = 0
  let faults = 0
  let failures = 0
  const transfers = new TransferCounts()
  let done = 0
  const rate = (): string => `${((done * 1000) / Math.max(1, performance.now() - startedMs)).toFixed(1)} seeds a second`
  for (let seed = from; seed < from + count; seed++) {
    const options = seedOptions(seed, overrides)
    const result = runSeed(kind, verbose ? { ...options, trace: (line) => console.log(line) } : options)
    done++
    ops += result.ops
    faults += result.faults
    transfers.add(result.transfers)
    if (result.failure !== null) {
      failures++
      console.log(
        `\nseed ${seed} fails: ${result.failure.stack ?? result.failure.message}\n\nreplay:  ${replayCommand(options, bug)}`,
      )
      if (count > 1 && !keepGoing) {
        console.log('shrinking …')
        const small = shrink(kind, options)
        console.log(`shrunk:  ${replayCommand(small, bug)}\n         ${runSeed(kind, small).failure?.message ?? ''}`)
      }
      if (!keepGoing) break
    }
    if (performance.now() - shownMs > PROGRESS_MS) {
      shownMs = performance.now()
      console.log(`${done} of ${count} seeds, ${rate()}, ${ops} ops, ${faults} faults, ${failures} failures`)
    }
  }
  console.log(`${done} seeds, ${rate()}, ${ops} ops, ${faults} faults, ${failures} failures`)
  console.log(transfers.toString())
  return failures === 0 ? 0 : 1
}

/** Every planted bug must be caught within so many seeds. */
function runPlanted(
  kind: ReturnType<typeof meridianMemberKind>,
  bugs: readonly PlantedBug[],
  overrides: SeedOverrides,
  from: number,
  bound: number,
): number {
  let missed = 0
  /** Seeds that fail without any plant show nothing. By seed and profile. */
  const clean = new Map<string, boolean>()
  for (const { name, profile } of bugs) {
    const chosen: SeedOverrides = profile === undefined ? overrides : { ...overrides, profile }
    const isClean = (seed: number): boolean => {
      const key = `${seed} ${chosen.profile ?? ''}`
      let known = clean.get(key)
      if (known === undefined) clean.set(key, (known = runSeed(kind, seedOptions(seed, chosen)).failure === null))
      return known
    }
    for (let seed = from; seed < from + 5; seed++) {
      if (!isClean(seed))
        throw new Error(`seed ${seed} fails without a planted bug: mend that first (npm run simulate -- --seed ${seed})`)
    }
    let unplant = plant(name)
    let line = `NOT CAUGHT in ${bound} seeds`
    let caught = false
    try {
      for (let seed = from; seed < from + bound && !caught; seed++) {
        const { failure } = runSeed(kind, seedOptions(seed, chosen))
        if (failure === null) continue
        unplant()
        const cleanWithout = isClean(seed)
        unplant = plant(name, false)
        if (!cleanWithout) continue
        // Anything else is the plant itself falling over: then nothing has been shown.
        if (!(failure instanceof SimulationFailure || failure instanceof AssertionError || failure instanceof MeridianError)) {
          line = `BROKEN PLANT, seed ${seed}: ${failure.name}: ${failure.message.split('\n', 1)[0].slice(0, 120)}`
          break
        }
        caught = true
        line = `caught after ${seed - from + 1} seeds: ${failure.message.split('\n', 1)[0].slice(0, 150)}`
      }
    } finally {
      unplant()
    }
    if (timesExercised() === 0) {
      caught = false
      line = `NEVER RAN in ${bound} seeds`
    }
    if (!caught) missed++
    console.log(`${name.padEnd(32)} ${line}`)
  }
  console.log(
    missed === 0 ? `all ${bugs.length} planted bugs are caught` : `${missed} of ${bugs.length} planted bugs are NOT caught`,
  )
  return missed === 0 ? 0 : 1
}

try {
  process.exitCode = main()
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 2
}
