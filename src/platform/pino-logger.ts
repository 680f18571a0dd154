import { pino, type DestinationStream } from 'pino'
import type { Logger } from '../ports/logger.js'
import { prettyStream } from './pretty-log.js'

const SEVERITY = { debug: 20, info: 30, warn: 40, error: 50 } as const

export type LoggerLevel = keyof typeof SEVERITY

export interface LoggerOptions {
  readonly level: LoggerLevel
  readonly format: 'json' | 'pretty'
  /** Standard output when not given. */
  readonly destination?: DestinationStream
}

/** A logger whose level can change for it and for all its children at once (CONFIG SET loglevel). */
export interface LevelledLogger extends Logger {
  setLevel(level: LoggerLevel): void
}

/**
 * Logs through pino. Writes are synchronous: the line before a crash is the one that is needed.
 */
export function createLogger(options: LoggerOptions): LevelledLogger {
  const raw = options.destination ?? pino.destination({ fd: 1, sync: true })
  const destination = options.format === 'pretty' ? prettyStream(raw) : raw
  const target = pino(
    { level: 'debug', base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: levelName } },
    destination,
  )
  return new PinoLogger(target, { severity: SEVERITY[options.level] })
}

function levelName(label: string): object {
  return { level: label }
}

type PinoTarget = Pick<ReturnType<typeof pino>, 'debug' | 'info' | 'warn' | 'error'> & { child(fields: object): PinoTarget }

class PinoLogger implements LevelledLogger {
  constructor(
    private readonly target: PinoTarget,
    /** Shared with every child; pino's own children would keep the level they were made with. */
    private readonly threshold: { severity: number },
  ) {}

  setLevel(level: LoggerLevel): void {
    this.threshold.severity = SEVERITY[level]
  }

  debug(fields: object, message: string): void {
    if (this.threshold.severity <= SEVERITY.debug) this.target.debug(fields, message)
  }

  info(fields: object, message: string): void {
    if (this.threshold.severity <= SEVERITY.info) this.target.info(fields, message)
  }

  warn(fields: object, message: string): void {
    if (this.threshold.severity <= SEVERITY.warn) this.target.warn(fields, message)
  }

  error(fields: object, message: string): void {
    this.target.error(fields, message)
  }

  child(fields: object): Logger {
    return new PinoLogger(this.target.child(fields), this.threshold)
  }
}
