import type { Command } from 'commander'
import { durationArgument } from './argument.js'
import { activityLines, clusterTable, problemLines } from './cluster-table.js'
import { addConnectionOptions, clusterTargetsOf, type ConnectionOptions } from './connection-options.js'
import { EXIT, printLine, type CliContext, type SetExitCode } from './context.js'
import { DEFAULT_MAX_LAG_MS, MemberProbe, type MemberReport } from './member-report.js'

const EXAMPLES = `
Exit code: 0 all members and links are fine, 1 something is degraded, 2 nobody answers.
A password for addresses on the command line is read from the environment: REDISCLI_AUTH.

Examples:
  $ meridian status                                    the cluster of \`meridian up\` in this folder
  $ meridian status --config us.yaml                   every member of the file's cluster, also those added later
  $ meridian status us.example.net:6379 eu.example.net:6379
  $ meridian status --json | jq '.members[].state'`

type StatusOptions = ConnectionOptions & { json?: boolean; maxLag: number }

export function addStatusCommand(program: Command, context: CliContext, setExitCode: SetExitCode): void {
  const command = program
    .command('status')
    .description('show all members: state, links, lag, memory, keys')
    .argument('[address...]', 'host:port of members')
    .option('--json', 'print JSON')
    .option('--max-lag <duration>', 'call a link degraded when it is further behind', durationArgument, DEFAULT_MAX_LAG_MS)
  addConnectionOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (addresses: string[], options: StatusOptions) => {
      const { targets, withoutAddress } = await clusterTargetsOf(addresses, options)
      const probes = targets.map((target) => new MemberProbe(target, options.timeout, options.maxLag))
      const reports = withClusterProblems(await Promise.all(probes.map((probe) => probe.report())))
      for (const probe of probes) probe.close()
      if (options.json) printLine(context.stdout, JSON.stringify({ members: reports, withoutAddress }, null, 2))
      else {
        printLine(context.stdout, clusterTable(reports))
        for (const line of [...problemLines(reports), ...activityLines(reports), ...withoutAddress.map(noAddress)])
          printLine(context.stdout, line)
      }
      setExitCode(exitCodeOf(reports))
    })
}

function noAddress(name: string): string {
  return `${name} was not asked: its address for clients is not known (meridian region set ${name} --client-address HOST:PORT, or client-port in peers.members)`
}

/** What only shows when the members are seen together. */
function withClusterProblems(reports: readonly MemberReport[]): MemberReport[] {
  const clusterId = reports.find((report) => report.details)?.details?.clusterId
  const owners = new Map<number, string>()
  return reports.map((report) => {
    const { details } = report
    if (!details) return report
    const problems: string[] = []
    if (details.clusterId !== clusterId)
      problems.push(`belongs to cluster ${details.clusterId}, the first one to ${clusterId ?? '?'}`)
    const owner = owners.get(details.id)
    if (owner !== undefined) problems.push(`has the member id ${details.id} of ${owner}`)
    owners.set(details.id, report.address)
    if (problems.length === 0) return report
    return { ...report, state: 'degraded', problems: [...report.problems, ...problems] }
  })
}

function exitCodeOf(reports: readonly MemberReport[]): number {
  if (reports.every((report) => report.state === 'unreachable')) return EXIT.unreachable
  return reports.every((report) => report.state === 'ok') ? EXIT.ok : EXIT.failed
}
