import { readdirSync } from 'node:fs'
import { setPriority } from 'node:os'

const LOW_PRIORITY = 10

/** The threads in which V8 compiles and collects for the benchmark itself get what those under measurement leave, on Linux. What it spawns is not affected. */
export function lowerOwnThreads(): void {
  if (process.platform !== 'linux') return
  for (const thread of readdirSync('/proc/self/task').map(Number)) {
    if (thread === process.pid) continue
    try {
      setPriority(thread, LOW_PRIORITY)
    } catch {
      // It has ended meanwhile.
    }
  }
}
