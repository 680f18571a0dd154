import { fileURLToPath } from 'node:url'
import type { CliContext } from '../../src/cli/context.js'
import { runCli } from '../../src/cli/program.js'

/** One run of the command line in this process, with what it printed. */
export class CliRun {
  stdout = ''
  stderr = ''
  readonly forcedExits: number[] = []
  readonly finished: Promise<number>
  private readonly stopCallbacks = new Set<() => void>()

  constructor(args: readonly string[], overrides: Partial<CliContext> = {}) {
    const context: CliContext = {
      startServer: () => Promise.reject(new Error('this test starts no server')),
      stdout: { isTTY: false, write: (text: string | Uint8Array) => ((this.stdout += String(text)), true) },
      stderr: { isTTY: false, write: (text: string | Uint8Array) => ((this.stderr += String(text)), true) },
      launcher: [process.execPath, fileURLToPath(new URL('fixtures/fake-launcher.mjs', import.meta.url))],
      sampleFolder: fileURLToPath(new URL('../../config', import.meta.url)),
      onStopRequest: (callback) => {
        this.stopCallbacks.add(callback)
        return () => this.stopCallbacks.delete(callback)
      },
      forceExit: (code) => this.forcedExits.push(code),
      ...overrides,
    }
    this.finished = runCli(args, '0.0.0-test', context)
  }

  /** As a signal does. */
  requestStop(): void {
    for (const callback of this.stopCallbacks) callback()
  }

  /** Waits until the text has been printed to standard output. */
  async printed(text: string | RegExp, timeoutMs = 20_000): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs
    while (!(typeof text === 'string' ? this.stdout.includes(text) : text.test(this.stdout))) {
      if (performance.now() > deadlineMs)
        throw new Error(`never printed ${String(text)}; printed:\n${this.stdout}\n${this.stderr}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}

export async function cli(...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const run = new CliRun(args)
  const code = await run.finished
  return { code, stdout: run.stdout, stderr: run.stderr }
}
