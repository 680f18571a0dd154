import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

export const PING_EVERY_MS = 1

export interface ProbeReport {
  /** Of each PING, from sending it to its answer. */
  readonly timesMs: readonly number[]
  /** The longest pause of the measuring thread itself: what of the worst time may be its own. */
  readonly ownPauseMs: number
}

/** Sends PING every millisecond while something else goes on, from a thread of its own. */
export async function pingWhile<T>(port: number, work: () => Promise<T>): Promise<ProbeReport & { readonly result: T }> {
  const thread = new Worker(new URL('./prober-thread.js', import.meta.url), { workerData: port })
  try {
    await once(thread, 'message')
    const broken = once(thread, 'error').then(([error]: unknown[]) => Promise.reject(error as Error))
    broken.catch(() => undefined)
    const result = await Promise.race([work(), broken])
    const report = once(thread, 'message')
    thread.postMessage('finish')
    const [message] = (await Promise.race([report, broken])) as [ProbeReport]
    return { result, ...message }
  } finally {
    await thread.terminate()
  }
}
