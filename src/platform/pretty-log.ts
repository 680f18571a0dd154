import type { DestinationStream } from 'pino'

/** Turns pino's JSON lines into lines for people: `06:35:52.104 info  listening  port=6379`. */
export function prettyStream(destination: DestinationStream): DestinationStream {
  return { write: (line) => destination.write(prettyLine(line)) }
}

function prettyLine(line: string): string {
  const entry = JSON.parse(line) as Record<string, unknown>
  const { time, level, msg, ...fields } = entry
  const rest = Object.entries(fields).map(([key, value]) => `  ${key}=${showField(value)}`)
  return `${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${String(msg)}${rest.join('')}\n`
}

/** Errors are shown with their message (and stack, for bugs), everything else as JSON when it is not plain. */
function showField(value: unknown): string {
  if (typeof value === 'string') return /[\s"]/.test(value) ? JSON.stringify(value) : value
  if (typeof value === 'object' && value !== null && 'message' in value) {
    const { message, stack, code } = value as { message: unknown; stack?: unknown; code?: unknown }
    return code === undefined && typeof stack === 'string' ? stack : String(message)
  }
  return JSON.stringify(value)
}
