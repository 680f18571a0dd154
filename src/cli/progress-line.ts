import { createLogUpdate } from 'log-update'
import { printLine, type TextOutput } from './context.js'

/** A terminal is redrawn this often; elsewhere a line is written every few seconds. */
const TERMINAL_INTERVAL_MS = 200
const PLAIN_INTERVAL_MS = 5000

/** One line that says how far something long is. */
export class ProgressLine {
  private readonly startMs = performance.now()
  private readonly intervalMs: number
  private readonly redraw: ((text: string) => void) | null
  private shownMs: number

  constructor(private readonly output: TextOutput) {
    this.redraw = output.isTTY ? createLogUpdate(output as NodeJS.WriteStream) : null
    this.intervalMs = output.isTTY ? TERMINAL_INTERVAL_MS : PLAIN_INTERVAL_MS
    this.shownMs = this.startMs
  }

  get elapsedMs(): number {
    return performance.now() - this.startMs
  }

  /** Shows what `text` gives, unless something was shown only just now. */
  update(text: () => string): void {
    const nowMs = performance.now()
    if (nowMs - this.shownMs < this.intervalMs) return
    this.shownMs = nowMs
    if (this.redraw === null) printLine(this.output, text())
    else this.redraw(text())
  }

  /** Takes the line away. */
  clear(): void {
    if (this.redraw !== null) this.redraw('')
  }
}

/** 1234567 as 1,234,567. */
export function counted(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

/** `1 key`, `2 keys`. */
export function plural(value: number, singular: string, many = `${singular}s`): string {
  return `${counted(value)} ${value === 1 ? singular : many}`
}

/** `850 ms`, `12.3 s`, `4 min 10 s`, `2 h 5 min`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`
}

/** How much of a whole is done, at what rate, and how long the rest takes at that. */
export function progressText(what: string, doneShare: number, keys: number, elapsedMs: number): string {
  const share = Math.min(1, doneShare)
  const left = share > 0 && share < 1 ? `, ${duration((elapsedMs * (1 - share)) / share)} left` : ''
  return `${what}: ${Math.floor(share * 100)} %, ${plural(keys, 'key')}, ${perSecond(keys, elapsedMs)} keys/s${left}`
}

export function perSecond(count: number, elapsedMs: number): string {
  return counted(elapsedMs > 0 ? (count * 1000) / elapsedMs : 0)
}
