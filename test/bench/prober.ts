import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'

export const PING_EVERY_MS = 1

export interface ProbeReport {
  /** Of each PING, from sending it to its answer. */
  readonly timesMs: readonly number[]
  /** The longest pause of the measuring process itself: what of the worst time may be its own. */
  readonly ownPauseMs: number
}

/**
 * Sends PING every millisecond while something else goes on, from a process of its own: as a thread of this one it would wait for the memory map while the load
 * generator reads a large reply, up to 17 ms.
 */
export async function pingWhile<T>(port: number, work: () => Promise<T>): Promise<ProbeReport & { readonly result: T }> {
  const child = fork(new URL('./prober-process.js', import.meta.url), [String(port)], { serialization: 'advanced' })
  const broken = ended(child)
  broken.catch(() => undefined)
  try {
    await Promise.race([once(child, 'message'), broken])
    const result = await Promise.race([work(), broken])
    const report = once(child, 'message')
    child.send('finish')
    const [message] = (await Promise.race([report, broken])) as [ProbeReport]
    return { result, ...message }
  } finally {
    child.kill('SIGKILL')
  }
}

async function ended(child: ChildProcess): Promise<never> {
  await once(child, 'exit')
  throw new Error('the process that sends PING has ended; what it says of it stands above')
}
