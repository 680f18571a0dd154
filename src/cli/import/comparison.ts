import { LIMITS } from '../../base/limits.js'
import { readPayload, writePayload } from '../../rdb/payload.js'
import type { RdbValue } from '../../rdb/value.js'
import { valueDifference } from '../../rdb/value-difference.js'
import { isLargeCollection, readLarge } from '../large-value.js'
import { counted, plural } from '../progress-line.js'
import type { PipelinedClient, RawReply } from '../pipelined-client.js'
import { refused } from '../redis-client.js'
import { printable } from '../printable.js'
import { numberOf } from './rdb-loader.js'

/** A time to live that is read on both sides at about the same time may differ by this. */
const TTL_TOLERANCE_MS = 2000

/** What a key is expected to be. */
export interface ExpectedKey {
  /** In the target. */
  readonly database: number
  readonly key: Uint8Array
  /** As in DUMP; null: there should be no such key. */
  readonly payload: Uint8Array | null
  /** Unix ms; null: never. */
  readonly expiresAtMs: number | null
  /** The time of expiry was told as time to live, so it is known only about. */
  readonly isAbout?: boolean
}

/** Compares keys of the target with what they should be: values as clients see them, and times of expiry. */
export class Comparison {
  compared = 0
  differing = 0
  private readonly listed: string[] = []
  private failure: Error | null = null

  constructor(private readonly target: PipelinedClient) {}

  /** @throws MeridianError when the target does not answer. */
  async expect(expected: ExpectedKey): Promise<void> {
    await this.target.select(expected.database)
    const { key } = expected
    if (expected.payload !== null && isLargeCollection(expected.payload[0], expected.payload.length)) {
      const value = await readLarge(this.target, key)
      if (value !== null) return this.compareLarge(expected, value)
    }
    let value: RawReply = null
    this.target.send(['DUMP', key], (reply) => (value = reply))
    this.target.send(['PEXPIRETIME', key], (expiry) => this.compare(expected, value, expiry))
    // What is expected is held until the reply is there: it counts as being in flight.
    await this.target.room(Math.max(0, LIMITS.bulkInFlightBytes - (expected.payload?.length ?? 0)))
  }

  /** Waits for the last replies. */
  async finish(): Promise<void> {
    await this.target.drained()
    if (this.failure !== null) throw this.failure
  }

  /** Something else than a key that should be the same and is not. */
  note(difference: string): void {
    this.differing++
    if (this.listed.length < LIMITS.listedDifferences) this.listed.push(difference)
  }

  lines(total: number): string[] {
    const of = this.compared === total ? `all ${counted(total)} keys` : `${counted(this.compared)} of ${plural(total, 'key')}`
    if (this.differing === 0) return [`compared ${of}: no difference`]
    const more = this.differing - this.listed.length
    return [
      `compared ${of}: ${plural(this.differing, 'difference')}`,
      ...this.listed.map((line) => `  ${line}`),
      ...(more > 0 ? [`  and ${counted(more)} more`] : []),
    ]
  }

  private async compareLarge(expected: ExpectedKey, value: RdbValue): Promise<void> {
    const expiry = numberOf(await this.target.command('PEXPIRETIME', expected.key))
    this.compare(expected, Buffer.from(writePayload(value)), expiry)
  }

  private compare(expected: ExpectedKey, value: RawReply, expiry: RawReply): void {
    for (const reply of [value, expiry]) {
      if (reply instanceof Error) this.failure ??= refused(this.target.address, 'DUMP', reply)
    }
    if (this.failure !== null) return
    this.compared++
    const difference = this.difference(expected, value, numberOf(expiry))
    if (difference !== null) this.note(`db${expected.database} ${printable(expected.key)}: ${difference}`)
  }

  private difference(expected: ExpectedKey, value: RawReply, expiry: number): string | null {
    const { payload, expiresAtMs, isAbout } = expected
    if (expiresAtMs !== null && expiresAtMs <= Date.now()) return null
    if (!Buffer.isBuffer(value)) {
      // What has no elements is left out.
      return payload === null || readPayload(payload).failure?.code === 'empty' ? null : 'it is not in the target'
    }
    if (payload === null) return 'it is in the target only'
    const off = Math.abs((expiresAtMs ?? -1) - expiry)
    if (off > 0 && !(isAbout === true && expiresAtMs !== null && expiry >= 0 && off <= TTL_TOLERANCE_MS)) {
      return `it expires ${timeText(expiresAtMs)} there, ${timeText(expiry < 0 ? null : expiry)} here`
    }
    if (Buffer.compare(value, payload) === 0) return null
    const [there, here] = [readPayload(payload), readPayload(value)]
    if (there.value === null) return `the value there cannot be read: ${there.failure.detail}`
    if (here.value === null) return `the value here cannot be read: ${here.failure.detail}`
    return valueDifference(there.value, here.value)
  }
}

function timeText(ms: number | null): string {
  return ms === null ? 'never' : `at ${ms}`
}
