import { setTimeout as delay } from 'node:timers/promises'

/**
 * Repeats until it does not throw; after the deadline the last error is thrown. For what needs time to become true, so the
 * assertion's own message tells what was still wrong.
 */
export async function eventually<T>(attempt: () => Promise<T> | T, timeoutMs = 15_000, pauseMs = 20): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (performance.now() > deadlineMs) throw error
    }
    await delay(pauseMs)
  }
}
