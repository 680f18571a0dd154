import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** What the kernel says of a process, of all its threads together (Linux). */

let ticks = 0

/** Asked for when first needed: the tests of this folder need no such tool. */
function ticksPerSecond(): number {
  if (ticks === 0) ticks = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  return ticks
}

/** User and system time since its start, in seconds, to the tick (10 ms). */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The second field is the command and may hold spaces: count from its closing parenthesis. utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond()
}

export function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  if (match === null) throw new Error(`/proc/${pid}/status has no VmRSS`)
  return Number(match[1]) * 1024
}
