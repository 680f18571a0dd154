import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { LocalMember } from './local-cluster.js'

/** First and longest wait before a member that died is started again; doubled in between. */
const FIRST_RESTART_MS = 500
const LAST_RESTART_MS = 30_000
/** A member that ran so long had started well: its next restart is quick again. */
const SETTLED_MS = 60_000
/** What a member may take to stop cleanly before it is killed. */
const STOP_MS = 15_000
/** A log file that is larger at start is set aside as `.old`, so two such are the most. */
const MAX_LOG_BYTES = 16 * 1024 * 1024

export interface SupervisorEvents {
  /** Something an onlooker wants to read. */
  onMessage(text: string): void
}

/** Runs one process a member, starts again those that die, and stops all of them. */
export class Supervisor {
  private readonly processes: MemberProcess[]

  constructor(
    members: readonly LocalMember[],
    launcher: readonly [command: string, ...args: string[]],
    events: SupervisorEvents,
  ) {
    this.processes = members.map((member) => new MemberProcess(member, launcher, events))
  }

  start(): void {
    for (const process of this.processes) process.start()
  }

  /** Resolves when every process has ended. */
  async stop(): Promise<void> {
    await Promise.all(this.processes.map((process) => process.stop()))
  }

  /** Ends every process at once. */
  kill(): void {
    for (const process of this.processes) process.kill()
  }
}

class MemberProcess {
  private child: ChildProcess | null = null
  private restartTimer: NodeJS.Timeout | null = null
  private restartMs = FIRST_RESTART_MS
  private stopping = false

  constructor(
    private readonly member: LocalMember,
    private readonly launcher: readonly [command: string, ...args: string[]],
    private readonly events: SupervisorEvents,
  ) {}

  start(): void {
    this.restartTimer = null
    const startedMs = performance.now()
    const log = this.openLog()
    const logStart = statSync(this.member.logFile).size
    const [command, ...args] = this.launcher
    // Own process group: Ctrl-C in the terminal reaches only this process, which then stops the members in order. The channel
    // tells the member when this process is gone without having stopped it.
    const child = spawn(command, [...args, 'server', '--config', this.member.configFile], {
      stdio: ['ignore', log, log, 'ipc'],
      detached: true,
    })
    closeSync(log)
    this.child = child
    child.once('error', (error) => this.ended(error.message, startedMs))
    child.once('exit', (code, signal) => {
      const how = signal ? `was ended by ${signal}` : `ended with exit code ${code}`
      const last = this.lastWords(logStart)
      this.ended(last ? `${how}: ${last}` : how, startedMs)
    })
  }

  async stop(): Promise<void> {
    this.stopping = true
    if (this.restartTimer) clearTimeout(this.restartTimer)
    const { child } = this
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    child.kill('SIGTERM')
    const patience = new AbortController()
    const outcome = await Promise.race([exited.then(() => 'exited'), delay(STOP_MS, 'late', { signal: patience.signal })])
    patience.abort()
    if (outcome === 'exited') return
    this.events.onMessage(`${this.member.name} did not stop within ${STOP_MS / 1000} s and is killed`)
    child.kill('SIGKILL')
    await exited
  }

  kill(): void {
    this.stopping = true
    this.child?.kill('SIGKILL')
  }

  private ended(how: string, startedMs: number): void {
    if (!this.child) return // a spawn error may be followed by exit
    this.child = null
    if (this.stopping) return
    if (performance.now() - startedMs > SETTLED_MS) this.restartMs = FIRST_RESTART_MS
    this.events.onMessage(
      `${this.member.name} ${how}; starting again in ${this.restartMs / 1000} s (log: ${this.member.logFile})`,
    )
    this.restartTimer = setTimeout(() => this.start(), this.restartMs)
    this.restartMs = Math.min(this.restartMs * 2, LAST_RESTART_MS)
  }

  private openLog(): number {
    const { logFile } = this.member
    if (existsSync(logFile) && statSync(logFile).size > MAX_LOG_BYTES) renameSync(logFile, `${logFile}.old`)
    return openSync(logFile, 'a')
  }

  /** The error with which the process left, if it said one. */
  private lastWords(logStart: number): string | undefined {
    const text = readFileSync(this.member.logFile).subarray(logStart).subarray(-4096).toString('utf8')
    return text
      .split('\n')
      .findLast((line) => line.startsWith('meridian: '))
      ?.replace(/^meridian: /, '')
  }
}
