import { setTimeout as delay } from 'node:timers/promises'
import { RedisClient, ReplyError, type RedisAddress } from './redis-client.js'

const GREETING_KEY = 'demo:greeting'
const COUNTER_KEY = 'demo:counter'
const CONVERGE_MS = 10_000
const POLL_MS = 2

export interface NamedAddress extends RedisAddress {
  readonly name: string
}

/**
 * Shows in a few lines what the cluster is for: a key written in one region and read in the others, and a counter that every
 * region increments at once and that ends equal everywhere.
 */
export async function showConvergence(
  members: readonly NamedAddress[],
  timeoutMs: number,
  say: (text: string) => void,
): Promise<void> {
  if (members.length < 2) return
  const clients = await Promise.all(members.map((member) => RedisClient.connect(member, timeoutMs)))
  try {
    const [writer, ...readers] = clients
    const [writerName, ...readerNames] = members.map((member) => member.name)
    const greeting = `hello from ${writerName}, ${new Date().toISOString()}`
    await writer.command('SET', GREETING_KEY, greeting)
    say(`  ${writerName}> SET ${GREETING_KEY} "${greeting}"`)
    const delays = await Promise.all(readers.map((reader) => waitForValue(reader, GREETING_KEY, greeting)))
    delays.forEach((ms, i) => say(`  ${readerNames[i]}> GET ${GREETING_KEY}    ${describeDelay(ms)}`))

    const before = Number((await writer.command('GET', COUNTER_KEY)) ?? 0)
    await Promise.all(clients.map((client) => client.command('INCR', COUNTER_KEY)))
    const expected = String(before + clients.length)
    const counted = await Promise.all(clients.map((client) => waitForValue(client, COUNTER_KEY, expected)))
    const slowest = counted.includes(null) ? null : Math.max(...counted.map(Number))
    const outcome = slowest === null ? describeDelay(null) : `${expected} in every region after ${slowest} ms`
    say(`  all> INCR ${COUNTER_KEY}, at the same time    ${outcome}`)
  } catch (error) {
    if (!(error instanceof ReplyError)) throw error
    say(`  skipped: ${error.message}`)
  } finally {
    for (const client of clients) client.close()
  }
}

/** Milliseconds until the key has the value; null when it takes too long. */
async function waitForValue(client: RedisClient, key: string, value: string): Promise<number | null> {
  const startMs = performance.now()
  while (performance.now() - startMs < CONVERGE_MS) {
    if ((await client.command('GET', key)) === value) return Math.round(performance.now() - startMs)
    await delay(POLL_MS)
  }
  return null
}

function describeDelay(ms: number | null): string {
  return ms === null ? `not seen within ${CONVERGE_MS / 1000} s` : `seen after ${ms} ms`
}
