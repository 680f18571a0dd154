/** A command as its arguments; strings stand for latin1 bytes. */
export type CommandLine = readonly string[]

/** Commands that belong together: shrinking drops all of them or none. */
export interface Step {
  readonly commands: readonly CommandLine[]
  /** Run after the first ones and a pause, during which something falls due. */
  readonly later?: readonly CommandLine[]
}

export interface Sequence {
  readonly family: string
  readonly seed: number
  readonly protocol: 2 | 3
  readonly steps: readonly Step[]
}

export function commandsOf(sequence: Sequence): CommandLine[] {
  return sequence.steps.flatMap((step) => [...step.commands, ...(step.later ?? [])])
}

export function encodeCommand(command: CommandLine): Buffer {
  const parts = [`*${command.length}\r\n`]
  for (const arg of command) parts.push(`$${arg.length}\r\n${arg}\r\n`)
  return Buffer.from(parts.join(''), 'latin1')
}

/** As a person would write it down. */
export function printCommand(command: CommandLine): string {
  return command.map(printArgument).join(' ')
}

function printArgument(arg: string): string {
  if (/^[!-~]{1,60}$/.test(arg) && !/["'\\]/.test(arg)) return arg
  const shown = arg.length > 80 ? arg.slice(0, 60) : arg
  const escaped = shown.replace(/[^ -~]|["\\]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
  return `"${escaped}"${arg.length > 80 ? `…(${arg.length} bytes)` : ''}`
}
