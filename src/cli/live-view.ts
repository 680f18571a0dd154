import { createLogUpdate } from 'log-update'
import { clusterTable, memberLine, problemLines, stateSignature } from './cluster-table.js'
import type { TextOutput } from './context.js'
import type { MemberReport } from './member-report.js'

/** Plain output repeats the numbers this often, and says changes of state at once. */
const PLAIN_INTERVAL_MS = 5000

/** Shows reports as they come, above which messages scroll away. */
export interface LiveView {
  show(reports: readonly MemberReport[]): void
  say(text: string): void
  /** Leaves what is shown standing. */
  end(): void
}

/** A table that redraws itself in a terminal; lines everywhere else. */
export function openLiveView(output: TextOutput, footer: string): LiveView {
  return output.isTTY ? new TerminalView(output as NodeJS.WriteStream, footer) : new PlainView(output)
}

class TerminalView implements LiveView {
  private readonly update

  constructor(
    output: NodeJS.WriteStream,
    private readonly footer: string,
  ) {
    this.update = createLogUpdate(output)
  }

  show(reports: readonly MemberReport[]): void {
    this.update([clusterTable(reports), ...problemLines(reports), this.footer].join('\n'))
  }

  say(text: string): void {
    this.update.persist(text)
  }

  end(): void {
    this.update.done()
  }
}

class PlainView implements LiveView {
  private readonly shown = new Map<string, string>()
  private shownAtMs = -Infinity

  constructor(private readonly output: TextOutput) {}

  show(reports: readonly MemberReport[]): void {
    const due = performance.now() - this.shownAtMs >= PLAIN_INTERVAL_MS
    if (due) this.shownAtMs = performance.now()
    for (const report of reports) {
      const signature = stateSignature(report)
      const changed = this.shown.get(report.address) !== signature
      if (changed || due) this.say(memberLine(report))
      if (changed) for (const line of problemLines([report])) this.say(line)
      this.shown.set(report.address, signature)
    }
  }

  say(text: string): void {
    const time = new Date().toISOString().slice(11, 19)
    for (const line of text.split('\n')) this.output.write(`${time} ${line}\n`)
  }

  end(): void {
    this.shown.clear()
  }
}
