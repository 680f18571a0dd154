import Table from 'cli-table3'
import { receiverText, type LinkReport, type MemberReport } from './member-report.js'

/** The table over all members, for `status` and the live view of `up`. Every link has a line of its own. */
export function clusterTable(reports: readonly MemberReport[]): string {
  const table = new Table({
    head: ['member', 'region', 'address', 'state', 'clients', 'ops/s', 'keys', 'memory', 'from', 'link', 'lag'],
    style: { head: [], border: [] },
    colAligns: ['left', 'left', 'left', 'left', 'right', 'right', 'right', 'right', 'left', 'left', 'right'],
  })
  for (const report of reports) {
    const { details } = report
    if (!details) {
      table.push(['?', '?', report.address, report.state, '', '', '', '', '', '', ''])
      continue
    }
    table.push([
      details.name,
      details.region,
      report.address,
      stateOf(report),
      details.clients,
      details.opsPerSecond,
      details.keys,
      formatMemory(details.memoryBytes),
      details.links.map((link) => link.name).join('\n'),
      details.links.map(linkState).join('\n'),
      details.links.map((link) => formatLag(link)).join('\n'),
    ])
  }
  return table.toString()
}

/** One line for a terminal that is none. */
export function memberLine(report: MemberReport): string {
  const { details } = report
  if (!details) return `${report.address} ${report.state}`
  const links = details.links.map((link) => `${link.name} ${linkState(link)} lag=${formatLag(link)}`)
  const numbers = `clients=${details.clients} ops/s=${details.opsPerSecond} keys=${details.keys} memory=${formatMemory(details.memoryBytes)}`
  return `${details.name} ${report.state} ${numbers.replaceAll(' MiB', 'MiB')}${links.length > 0 ? ` from: ${links.join(', ')}` : ''}`
}

/** What is wrong, a line each; empty when all is fine. */
export function problemLines(reports: readonly MemberReport[]): string[] {
  return reports.flatMap((report) => report.problems.map((problem) => `${report.details?.name ?? report.address}: ${problem}`))
}

/** What goes on that is no problem where it does, a line each. */
export function activityLines(reports: readonly MemberReport[]): string[] {
  return reports.flatMap(
    ({ details }) => details?.receivers.map((receiver) => `${details.name}: ${receiverText(receiver)}`) ?? [],
  )
}

/** Changes of this text are worth a line at once. */
export function stateSignature(report: MemberReport): string {
  const links = report.details?.links.map((link) => `${link.name}=${linkState(link)}`) ?? []
  return `${report.state} ${links.join(' ')}`
}

function stateOf({ state, details }: MemberReport): string {
  const transfer = details?.transfer ?? null
  if (transfer === null) return state
  return transfer.phase === 'fetching' ? `taking ${Math.floor(transfer.percent)} %` : transfer.phase
}

function linkState(link: LinkReport): string {
  if (link.relay !== 'none') return `${link.link} via ${link.relay}`
  if (link.link === 'up' && link.inbound !== 'up') return 'one-way'
  return link.link
}

function formatLag(link: LinkReport): string {
  const lagMs = Math.max(link.lagMs, link.behindMs)
  return lagMs < 10_000 ? `${Math.round(lagMs)} ms` : `${Math.round(lagMs / 1000)} s`
}

function formatMemory(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(1)} MiB`
}
