import type { MemberConfig } from '../config/member-config.js'
import type { RunningServer } from '../node/server.js'

/** The signal gives up while the data is being loaded. */
export type StartServer = (config: MemberConfig, signal: AbortSignal) => Promise<RunningServer>

/** What the verbs need of the world; tests give their own. */
export interface CliContext {
  readonly startServer: StartServer
  readonly stdout: TextOutput
  readonly stderr: TextOutput
  /** Node, and the script that takes `server --config FILE`: what `up` starts once a member. */
  readonly launcher: readonly [command: string, ...args: string[]]
  /** Folder of the sample configurations that `up` starts from. */
  readonly sampleFolder: string
  /** Calls back at each request to stop (SIGINT, SIGTERM, a parent that is gone), and at SIGHUP, unless that is for something else; returns how to stop listening. */
  onStopRequest(callback: () => void, onHangup?: () => void): () => void
  /** Ends the process at once. */
  forceExit(code: number): void
}

/** Standard output as far as it is used here. */
export type TextOutput = Pick<NodeJS.WriteStream, 'write' | 'isTTY'>

/** What verbs hand back, and what scripts can tell apart. */
export const EXIT = {
  ok: 0,
  failed: 1,
  /** `check --repair`: it was damaged, and something was given up. */
  repaired: 3,
  /** `status`: nobody answers. `ping`: no answer. */
  unreachable: 2,
  /** EX_USAGE of sysexits: the command line is wrong. */
  usage: 64,
  /** EX_SOFTWARE: a bug. */
  bug: 70,
  /** EX_CONFIG: the configuration file is wrong. */
  config: 78,
} as const

/** How a verb hands back its exit code. */
export type SetExitCode = (code: number) => void

export function printLine(output: TextOutput, text: string): void {
  output.write(`${text}\n`)
}
