import { execFileSync } from 'node:child_process'
import { cpus, totalmem } from 'node:os'

/** What the figures were measured on and how to measure them again. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly kernel: string
  readonly node: string
  readonly redis: string
  /** Load average when the run began: above 0.5 somebody else is using the machine. */
  readonly loadBefore: number
  readonly startedAt: string
  readonly command: string
}

export function describeMachine(loadBefore: number, args: readonly string[]): Machine {
  const [first, ...rest] = cpus()
  return {
    cpu: first.model.trim(),
    cores: rest.length + 1,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    kernel: execFileSync('uname', ['-r'], { encoding: 'utf8' }).trim(),
    node: process.version,
    redis: redisVersion(),
    loadBefore,
    startedAt: new Date().toISOString(),
    command: ['npm run bench --', ...args].join(' '),
  }
}

/** @throws when redis-server or redis-benchmark is not installed, because there is nothing to compare with. */
export function redisVersion(): string {
  try {
    execFileSync('redis-benchmark', ['--version'])
    const text = execFileSync('redis-server', ['--version'], { encoding: 'utf8' })
    return /v=(\S+)/.exec(text)?.[1] ?? text.trim()
  } catch (cause) {
    throw new Error('The benchmarks need redis-server and redis-benchmark on the PATH (apt install redis)', { cause })
  }
}

export function machineLines(machine: Machine): string[] {
  return [
    `machine   ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, Linux ${machine.kernel}, load ${machine.loadBefore.toFixed(2)} before`,
    `versions  node ${machine.node}, redis-server ${machine.redis}`,
    `command   ${machine.command}`,
    `started   ${machine.startedAt}`,
  ]
}
