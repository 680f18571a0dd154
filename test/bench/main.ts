import { writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { Command } from 'commander'
import { bounded } from './bench-run.js'
import { budgetLines, judge, type Measurements } from './budgets.js'
import { catchUpLines, measureCatchUp } from './catch-up.js'
import { collectionMemoryLines, measureCollectionMemory } from './collection-memory.js'
import { collectionStallLines, measureCollectionStall } from './collection-stall.js'
import { compare, compareLines, testNamed, type CompareOptions, type Scenario } from './compare.js'
import { lagLines, measureLag } from './lag.js'
import { COLLECTION_TESTS, DEFAULT_TESTS, LOAD_TESTS } from './load-tests.js'
import { describeMachine, machineLines } from './machine.js'
import { measureMemory, memoryLines } from './memory.js'
import { lowerOwnThreads } from './own-threads.js'
import { measureRemoteApply, remoteApplyLines } from './remote-apply.js'
import { measureRestart, restartLines } from './restart.js'
import { measureSnapshot, snapshotLines } from './snapshot.js'
import { measureStall, stallLines } from './stall.js'
import { measureTransfer, transferLines } from './transfer.js'

/** `npm run bench`: Meridian and redis-server side by side. docs/benchmarks.md says how each figure is taken. */

const EXAMPLES = `
Examples:
  $ npm run bench                                         the full comparison, about half an hour
  $ npm run bench -- --quick                              a few minutes
  $ npm run bench -- --tests GET,SET --pipelines 16 --keys 100000 --rounds 7
  $ npm run bench -- --tests collections --keys 100000 --scenarios alone --pipelines 1,16
  $ npm run bench -- memory
  $ npm run bench -- all --json bench.json                everything

Tests: ${LOAD_TESTS.map((test) => test.name).join(' ')}
Keep the machine otherwise idle. Exit code: 0 measured (whatever the budgets say), 1 failed.`

const MILLION = 1_000_000

interface CommonOptions {
  quick?: true
  json?: string
}

interface CompareFlags extends CommonOptions {
  tests?: string[]
  pipelines?: number[]
  keys?: number[]
  scenarios?: Scenario[]
  rounds?: number
  seconds?: number
}

interface VerbFlags extends CommonOptions {
  size?: number
  only?: string
  rounds?: number
}

/** One part of the report. */
type Verb = (options: CompareFlags & VerbFlags) => Promise<{ measured: Measurements; lines: string[] }>

function compareOptions(flags: CompareFlags): CompareOptions {
  const full = { pipelines: [1, 16, 64], keys: [100_000, 3 * MILLION], rounds: 5, seconds: 3 }
  const base = flags.quick ? { pipelines: [1, 16], keys: [100_000], rounds: 3, seconds: 1 } : full
  const tests = (flags.tests ?? DEFAULT_TESTS).flatMap((name) => (name === 'collections' ? COLLECTION_TESTS : name))
  for (const test of tests) testNamed(test)
  return {
    tests,
    scenarios: flags.scenarios ?? ['alone', 'peer'],
    pipelines: flags.pipelines ?? base.pipelines,
    keys: flags.keys ?? base.keys,
    rounds: flags.rounds ?? base.rounds,
    seconds: flags.seconds ?? base.seconds,
  }
}

/** Twice what the measured runs, the warm-up and loading should take, and a little. */
function compareBoundSeconds(options: CompareOptions): number {
  const combinations = options.tests.length * options.pipelines.length * options.keys.length * options.scenarios.length
  const loading = options.scenarios.length * options.keys.reduce((sum, keys) => sum + keys / 25_000, 0)
  return Math.ceil(2 * (combinations * (options.rounds + 2) * 2 * (options.seconds + 1) + loading) + 120)
}

async function runCompare(flags: CompareFlags): ReturnType<Verb> {
  const options = compareOptions(flags)
  const results = await bounded('compare', compareBoundSeconds(options), (run) => compare(options, run))
  return { measured: { compare: results }, lines: compareLines(results) }
}

interface VerbEntry {
  readonly summary: string
  /** What --size counts; null when there is nothing to size. */
  readonly sizes: string | null
  /** It has scenarios that --only chooses from. */
  readonly chooses?: true
  readonly run: Verb
}

const VERBS: Readonly<Record<string, VerbEntry>> = {
  memory: {
    summary: 'resident memory with 3 million keys',
    sizes: 'how many keys',
    run: async ({ size, quick }) => {
      const memory = await bounded('memory', 600, (run) => measureMemory(size ?? sized(3 * MILLION, quick), run))
      return { measured: { memory }, lines: memoryLines(memory) }
    },
  },
  stall: {
    summary: 'longest reply time under random overwrites of 3 million keys',
    sizes: 'how many keys',
    run: async ({ size, quick }) => {
      const stall = await bounded('stall', 600, (run) => measureStall(size ?? sized(3 * MILLION, quick), quick ? 3 : 20, run))
      return { measured: { stall }, lines: stallLines(stall) }
    },
  },
  bytes: {
    summary: 'bytes an element in hashes, a set, a sorted set, a list and a stream, also when written from two regions',
    sizes: 'how many elements',
    run: async ({ size, quick }) => {
      const collectionMemory = await bounded('bytes', 1800, (run) => measureCollectionMemory(size ?? sized(MILLION, quick), run))
      return { measured: { collectionMemory }, lines: collectionMemoryLines(collectionMemory) }
    },
  },
  'collection-stall': {
    summary: 'longest reply time while a command works on much at once',
    sizes: 'how many elements',
    chooses: true,
    run: async ({ size, quick, only, rounds }) => {
      const collectionStall = await bounded('collection-stall', 7200, (run) =>
        measureCollectionStall(size ?? sized(MILLION, quick), only ?? '', rounds ?? (quick ? 1 : 3), run),
      )
      return { measured: { collectionStall }, lines: collectionStallLines(collectionStall) }
    },
  },
  restart: {
    summary: 'time to serve again with 3 million keys in the log',
    sizes: 'how many keys',
    run: async ({ size, quick }) => {
      const restart = await bounded('restart', 900, (run) => measureRestart(size ?? sized(3 * MILLION, quick), run))
      return { measured: { restart }, lines: restartLines(restart) }
    },
  },
  catchup: {
    summary: 'a member that missed 1 million ops comes back',
    sizes: 'how many ops',
    run: async ({ size, quick }) => {
      const catchUp = await bounded('catchup', 600, (run) => measureCatchUp(size ?? sized(MILLION, quick), run))
      return { measured: { catchUp }, lines: catchUpLines(catchUp) }
    },
  },
  snapshot: {
    summary: 'start from a snapshot of 3 million keys, and what writing one costs those who are served meanwhile',
    sizes: 'how many keys',
    run: async ({ size, quick }) => {
      const length = quick ? { rounds: 1, seconds: 2 } : { rounds: 3, seconds: 10 }
      const snapshot = await bounded('snapshot', 1800, (run) => measureSnapshot(size ?? sized(3 * MILLION, quick), length, run))
      return { measured: { snapshot }, lines: snapshotLines(snapshot) }
    },
  },
  transfer: {
    summary: 'a member that missed 1 % of 3 million keys, which are in no log any more, comes back',
    sizes: 'how many keys',
    run: async ({ size, quick }) => {
      const transfer = await bounded('transfer', 1800, (run) => measureTransfer(size ?? sized(3 * MILLION, quick), run))
      return { measured: { transfer }, lines: transferLines(transfer) }
    },
  },
  lag: {
    summary: 'lag between two members at 20 thousand writes a second',
    sizes: null,
    run: async ({ quick }) => {
      const lag = await bounded('lag', 180, (run) => measureLag(20_000, quick ? 3 : 10, run))
      return { measured: { lag }, lines: lagLines(lag) }
    },
  },
  'remote-apply': {
    summary: 'CPU of applying a remote write against making it',
    sizes: 'how many writes a run',
    run: async ({ size, quick }) => {
      const remoteApply = await bounded('remote-apply', 600, (run) =>
        measureRemoteApply(100_000, size ?? sized(MILLION, quick), run),
      )
      return { measured: { remoteApply }, lines: remoteApplyLines(remoteApply) }
    },
  },
}

function sized(full: number, quick: true | undefined): number {
  return quick ? full / 10 : full
}

async function report(verbs: readonly Verb[], options: CompareFlags): Promise<void> {
  const machine = describeMachine(loadavg()[0], process.argv.slice(2))
  const measurements: Measurements = {}
  print([...machineLines(machine), ''])
  for (const verb of verbs) {
    const { measured, lines } = await verb(options)
    Object.assign(measurements, measured)
    print(lines)
  }
  const budgets = judge(measurements)
  print(budgetLines(budgets))
  if (options.json !== undefined)
    writeFileSync(options.json, `${JSON.stringify({ machine, ...measurements, budgets }, null, 2)}\n`)
}

function print(lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''))
}

function numbers(text: string): number[] {
  const values = text.split(',').map(Number)
  if (values.every((value) => Number.isSafeInteger(value) && value > 0)) return values
  throw new Error(`${text} is not a list of whole numbers such as 1,16,64`)
}

function number(text: string): number {
  const [value, ...more] = numbers(text)
  if (more.length === 0) return value
  throw new Error(`${text} is not one whole number`)
}

function scenarios(text: string): Scenario[] {
  return text.split(',').map((name) => {
    if (name === 'alone' || name === 'peer') return name
    throw new Error(`${name} is not a scenario; there are alone, peer`)
  })
}

function withCommonOptions(command: Command): Command {
  return command
    .option('--quick', 'fewer keys, rounds and seconds: to see that it works, not to quote')
    .option('--json <file>', 'also write everything as JSON')
}

function withCompareOptions(command: Command): Command {
  return withCommonOptions(command)
    .option('--tests <list>', `which of the tests; ${DEFAULT_TESTS.join(',')} when not given`, (text: string) => text.split(','))
    .option('--pipelines <list>', 'commands sent together', numbers)
    .option('--scenarios <list>', 'alone, peer', scenarios)
    .option('--rounds <count>', 'measured runs of each server; the median counts', number)
    .option('--seconds <count>', 'length of one measured run', number)
}

const program = new Command('npm run bench --')
  .description('Meridian and redis-server side by side')
  .addHelpText('after', EXAMPLES)
withCompareOptions(program.command('compare', { isDefault: true }).description('throughput, latency and CPU per command'))
  .option('--keys <list>', 'sizes of the data set, such as 100000,3000000', numbers)
  .action((options: CompareFlags) => report([runCompare], options))
for (const [name, { summary, sizes, chooses, run }] of Object.entries(VERBS)) {
  const verb = withCommonOptions(program.command(name).description(summary))
  if (chooses === true) {
    verb.option('--only <text>', 'of its scenarios those whose name has this in it')
    verb.option('--rounds <count>', 'measured runs of each scenario in Meridian', number)
  }
  if (sizes !== null) verb.option('--size <count>', sizes, number)
  verb.action((options: VerbFlags) => report([run], options))
}
withCompareOptions(program.command('all').description('everything, and the table of budgets')).action((options: CompareFlags) =>
  report([runCompare, ...Object.values(VERBS).map((verb) => verb.run)], options),
)

lowerOwnThreads()
try {
  await program.parseAsync()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
