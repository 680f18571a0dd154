import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'

/**
 * Loaded into a server under measurement before its own program (`node --import`). On SIGUSR2 it prints a line about the time since the last one (or the start):
 *
 *   turn-watch {"longestMs":3.1,"longestOwnMs":2.8,"longestCollectionMs":1.2}
 *
 * longestMs: the longest time in which a timer of a millisecond did not fire, so the longest turn of the event loop and that millisecond.
 * longestOwnMs: the same without the time in which the thread could have run and had no core, because others had it; as longestMs where the system does not tell.
 * longestCollectionMs: the longest that a garbage collection stopped everything.
 */

const turns = monitorEventLoopDelay({ resolution: 1 })
turns.enable()
let longestCollectionMs = 0
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) longestCollectionMs = Math.max(longestCollectionMs, duration)
}).observe({ entryTypes: ['gc'] })

/** Linux: how long this thread ran and how long it waited for a core, in ns, and how often it got one. It is brought up to date when the thread gets a core. */
const statistics = openIfThere('/proc/thread-self/schedstat')
const line = Buffer.alloc(80)
let lastMs = performance.now()
let lastWaitedMs = waitedMs()
let longestOwnMs = 0
setInterval(() => {
  const nowMs = performance.now()
  const waited = waitedMs()
  longestOwnMs = Math.max(longestOwnMs, nowMs - lastMs - (waited - lastWaitedMs))
  lastMs = nowMs
  lastWaitedMs = waited
}, 1).unref()

process.on('SIGUSR2', () => {
  writeSync(2, `turn-watch ${JSON.stringify({ longestMs: turns.max / 1e6, longestOwnMs, longestCollectionMs })}\n`)
  turns.reset()
  longestOwnMs = 0
  longestCollectionMs = 0
})

function openIfThere(path: string): number | null {
  try {
    const file = openSync(path, 'r')
    process.once('exit', () => closeSync(file))
    return file
  } catch {
    return null
  }
}

/** Since the thread began, for a core. */
function waitedMs(): number {
  if (statistics === null) return 0
  const length = readSync(statistics, line, 0, line.length, 0)
  return Number(line.toString('latin1', 0, length).split(' ')[1]) / 1e6
}
