import { readdirSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'

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

/**
 * Does something with the priority of this thread lowered, if it may be raised again: a client on a machine of its own would not make the server wait for a
 * core while it reads a large reply. Nothing must be spawned meanwhile, for that would have the same priority.
 */
export async function inBackground<T>(work: () => Promise<T>): Promise<T> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return work()
  const usual = getPriority(process.pid)
  setPriority(process.pid, LOW_PRIORITY)
  try {
    return await work()
  } finally {
    setPriority(process.pid, usual)
  }
}
