import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { hasEnded, killWithUs } from './reaper.js'

export interface ExitStatus {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** Output kept of one process; the older half goes when it is more. */
const MAX_OUTPUT_CHARACTERS = 4 * 1024 * 1024

/** A child process with what it printed, that does not outlive this one. */
export class ManagedProcess {
  readonly exited: Promise<ExitStatus>
  private text = ''
  private status: ExitStatus | null = null
  private readonly listeners = new Set<() => void>()

  private constructor(
    private readonly child: ChildProcess,
    readonly title: string,
  ) {
    const { pid } = child
    if (pid !== undefined) killWithUs(pid)
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8')
      stream?.on('data', (chunk: string) => this.keep(chunk))
    }
    this.exited = new Promise((resolve) => {
      const ended = (status: ExitStatus): void => {
        if (pid !== undefined) hasEnded(pid)
        this.status ??= status
        resolve(this.status)
        for (const listener of this.listeners) listener()
      }
      child.once('error', (error) => {
        this.keep(`${error.message}\n`)
        ended({ code: null, signal: null })
      })
      // "close", not "exit": all that it printed has been read then.
      child.once('close', (code, signal) => ended({ code, signal }))
    })
  }

  static start(command: string, args: readonly string[], options: SpawnOptions = {}): ManagedProcess {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
    return new ManagedProcess(child, [command, ...args].join(' '))
  }

  get pid(): number {
    const { pid } = this.child
    if (pid === undefined) throw new Error(`${this.title} could not be started: ${this.text}`)
    return pid
  }

  /** Standard output and standard error, in order of arrival. */
  get output(): string {
    return this.text
  }

  get hasExited(): boolean {
    return this.status !== null
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** Asks it to stop, and kills it when it does not. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', patienceMs = 15_000): Promise<ExitStatus> {
    if (this.status !== null) return this.status
    this.signal(signal)
    const patience = new AbortController()
    const late = delay(patienceMs, 'late' as const, { signal: patience.signal }).catch(() => 'late' as const)
    const outcome = await Promise.race([this.exited, late])
    patience.abort()
    if (outcome !== 'late') return outcome
    this.signal('SIGKILL')
    await this.exited
    throw new Error(`${this.title} did not stop within ${patienceMs} ms of ${signal}; it printed:\n${this.tail()}`)
  }

  async kill(): Promise<void> {
    if (this.status === null) this.signal('SIGKILL')
    await this.exited
  }

  /** Waits until it has ended by itself. */
  async ends(timeoutMs = 20_000): Promise<ExitStatus> {
    await this.until(() => this.status !== null, `did not end within ${timeoutMs} ms`, timeoutMs)
    return this.exited
  }

  /** Waits until the pattern is in what it printed (after the first `from` characters); returns the match. */
  async printed(pattern: RegExp | string, timeoutMs = 20_000, from = 0): Promise<string> {
    let found: string | null = null
    const look = (): boolean => {
      const text = this.text.slice(from)
      found = typeof pattern === 'string' ? (text.includes(pattern) ? pattern : null) : (pattern.exec(text)?.[0] ?? null)
      return found !== null
    }
    await this.until(() => look() || this.status !== null, `never printed ${String(pattern)}`, timeoutMs)
    if (found === null) throw new Error(`${this.title} ended and never printed ${String(pattern)}; it printed:\n${this.tail()}`)
    return found
  }

  private async until(condition: () => boolean, complaint: string, timeoutMs: number): Promise<void> {
    if (condition()) return
    let check: () => void = () => undefined
    let timer: NodeJS.Timeout | undefined
    try {
      await new Promise<void>((resolve, reject) => {
        check = () => {
          if (condition()) resolve()
        }
        this.listeners.add(check)
        timer = setTimeout(() => reject(new Error(`${this.title} ${complaint}; it printed:\n${this.tail()}`)), timeoutMs)
      })
    } finally {
      clearTimeout(timer)
      this.listeners.delete(check)
    }
  }

  private keep(chunk: string): void {
    this.text += chunk
    if (this.text.length > MAX_OUTPUT_CHARACTERS) this.text = this.text.slice(-MAX_OUTPUT_CHARACTERS / 2)
    for (const listener of this.listeners) listener()
  }

  private tail(): string {
    return this.text.slice(-4000)
  }
}
