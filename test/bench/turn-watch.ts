import { writeSync } from 'node:fs'
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'

/**
 * Loaded into a server under measurement before its own program (`node --import`). On SIGUSR2 it prints a line about the time since the last one (or the start):
 *
 *   turn-watch {"longestMs":3.1,"longestCollectionMs":1.2}
 *
 * longestMs: the longest time in which a timer of a millisecond did not fire, so the longest turn of the event loop and that millisecond.
 * longestCollectionMs: the longest that a garbage collection stopped everything.
 */

const turns = monitorEventLoopDelay({ resolution: 1 })
turns.enable()
let longestCollectionMs = 0
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) longestCollectionMs = Math.max(longestCollectionMs, duration)
}).observe({ entryTypes: ['gc'] })
process.on('SIGUSR2', () => {
  writeSync(2, `turn-watch ${JSON.stringify({ longestMs: turns.max / 1e6, longestCollectionMs })}\n`)
  turns.reset()
  longestCollectionMs = 0
})
