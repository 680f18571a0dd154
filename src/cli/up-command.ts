import { resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Command } from 'commander'
import { MeridianError } from '../base/errors.js'
import { loadConfig } from '../config/load.js'
import { integerArgument } from './argument.js'
import { ownAddress } from './client-address.js'
import { EXIT, printLine, type CliContext, type SetExitCode } from './context.js'
import { showConvergence } from './demo.js'
import { openLiveView, type LiveView } from './live-view.js'
import {
  DEFAULT_BASE_PORT,
  DEFAULT_CLUSTER_FOLDER,
  MAX_LOCAL_MEMBERS,
  planLocalCluster,
  prepareLocalCluster,
  type LocalMember,
} from './local-cluster.js'
import { DEFAULT_MAX_LAG_MS, MemberProbe } from './member-report.js'
import { RedisClient, type RedisAddress } from './redis-client.js'
import { Supervisor } from './supervisor.js'

const EXAMPLES = `
Makes certificates and configuration files on the first start, runs one process a region, shows them live, and starts again one
that dies (try kill -9). Ctrl-C stops all; the data is there at the next start. Everything is under one folder: remove it to begin
anew. <folder>/config/<region>.yaml may be edited; only folders, addresses and ports in it are kept in line.

Examples:
  $ meridian up
  $ meridian up --regions 5 --base-port 8001 --dir /tmp/five
  $ meridian up | cat                           plain lines, as in a log`

const REFRESH_MS = 1000
const PROBE_TIMEOUT_MS = 2000
const START_MS = 60_000
const START_POLL_MS = 100
const LAST_PORT = 65_000

interface UpOptions {
  dir: string
  basePort: number
  regions: number
  demo: boolean
}

export function addUpCommand(program: Command, context: CliContext, setExitCode: SetExitCode): void {
  program
    .command('up')
    .description('run a local cluster of three regions and watch it')
    .option('-d, --dir <folder>', 'where certificates, configuration, logs and data are kept', DEFAULT_CLUSTER_FOLDER)
    .option(
      '--base-port <port>',
      "the first region's port; the others follow, peer ports 100 above",
      integerArgument(1, LAST_PORT),
      DEFAULT_BASE_PORT,
    )
    .option('--regions <count>', 'how many regions', integerArgument(1, MAX_LOCAL_MEMBERS), 3)
    .option('--no-demo', 'do not write the two demo keys at start')
    .addHelpText('after', EXAMPLES)
    .action(async (options: UpOptions) => {
      const members = planLocalCluster({ folder: options.dir, basePort: options.basePort, regions: options.regions })
      await prepareLocalCluster(members, options.dir, context.sampleFolder)
      setExitCode(await runCluster(members, options, context))
    })
}

async function runCluster(members: readonly LocalMember[], options: UpOptions, context: CliContext): Promise<number> {
  const view = openLiveView(context.stdout, 'Ctrl-C stops the cluster; the data stays.')
  const supervisor = new Supervisor(members, context.launcher, { onMessage: (text) => view.say(text) })
  const stop = new AbortController()
  const unsubscribe = context.onStopRequest(() => {
    if (stop.signal.aborted) {
      supervisor.kill()
      context.forceExit(EXIT.failed)
    }
    stop.abort()
  })
  const addresses = members.map((member) => ownAddress(loadConfig(member.configFile)))
  try {
    printLine(context.stdout, `Starting ${members.length} regions; everything is kept in ${resolve(options.dir)}`)
    supervisor.start()
    if (await waitUntilServing(members, addresses, stop.signal)) {
      introduce(members, context)
      if (options.demo) await demonstrate(members, addresses, view)
      await watch(addresses, view, stop.signal)
    }
  } finally {
    view.end()
    await supervisor.stop()
    unsubscribe()
  }
  printLine(context.stdout, `Stopped. The data is kept in ${resolve(options.dir)}`)
  return EXIT.ok
}

/** False when asked to stop meanwhile. @throws MeridianError MRD_UNREACHABLE when a member does not come up. */
async function waitUntilServing(
  members: readonly LocalMember[],
  addresses: readonly RedisAddress[],
  stop: AbortSignal,
): Promise<boolean> {
  const deadlineMs = performance.now() + START_MS
  for (const [index, address] of addresses.entries()) {
    for (;;) {
      const answer = await probe(address)
      if (answer === null) break
      if (stop.aborted) return false
      // Reading a large log takes as long as it takes, and so does fetching what others have.
      if (performance.now() > deadlineMs && !answer.startsWith('LOADING')) {
        const what = `${members[index].name} does not serve after ${START_MS / 1000} s: ${answer}`
        throw new MeridianError('MRD_UNREACHABLE', what, `Its log says why: ${members[index].logFile}`)
      }
      await delay(START_POLL_MS)
    }
  }
  return !stop.aborted
}

/** Null when the member serves reads and writes; else what it answers, or why it does not. */
async function probe(address: RedisAddress): Promise<string | null> {
  let client: RedisClient | null = null
  try {
    client = await RedisClient.connect(address, PROBE_TIMEOUT_MS)
    const answer = await client.text('PING')
    return answer === 'PONG' ? await client.loadingError() : answer
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    client?.close()
  }
}

function introduce(members: readonly LocalMember[], context: CliContext): void {
  printLine(context.stdout, '\nReady. Each line is a shell command:\n')
  for (const member of members) printLine(context.stdout, `  redis-cli -p ${member.port}    # ${member.name}, ${member.region}`)
  printLine(context.stdout, '')
}

async function demonstrate(members: readonly LocalMember[], addresses: readonly RedisAddress[], view: LiveView): Promise<void> {
  view.say('A key written in one region, a counter incremented in all:')
  try {
    const named = members.map((member, index) => ({ ...addresses[index], name: member.name }))
    await showConvergence(named, PROBE_TIMEOUT_MS, (text) => view.say(text))
  } catch (error) {
    if (!(error instanceof MeridianError)) throw error
    view.say(`  interrupted: ${error.message}`)
  }
}

/** Shows reports until asked to stop. */
async function watch(addresses: readonly RedisAddress[], view: LiveView, stop: AbortSignal): Promise<void> {
  const probes = addresses.map((address) => new MemberProbe(address, PROBE_TIMEOUT_MS, DEFAULT_MAX_LAG_MS))
  while (!stop.aborted) {
    const reports = await Promise.all(probes.map((probe) => probe.report()))
    if (stop.aborted) break
    view.show(reports)
    await delay(REFRESH_MS, undefined, { signal: stop }).catch(() => undefined)
  }
  for (const probe of probes) probe.close()
}
