import { LIMITS } from '../../base/limits.js'
import { readPayload } from '../../rdb/payload.js'
import { KeyReader } from '../key-reader.js'
import type { PipelinedClient, RawReply } from '../pipelined-client.js'
import { refused } from '../redis-client.js'
import { EXPIRY_SHIFT_MS } from './expiry-shift.js'

/** Puts right the times of expiry that are EXPIRY_SHIFT_MS late in these databases of the target; others stay. Gives how many there were. */
export async function settleExpiries(
  target: PipelinedClient,
  databases: readonly number[],
  withFields: boolean,
  onProgress: (keys: number) => void,
): Promise<number> {
  const reader = await KeyReader.open(target)
  let failure: Error | null = null
  let walked = 0
  let settled = 0
  const check = (reply: RawReply): void => {
    if (reply instanceof Error) failure ??= reply
  }
  for (const database of databases) {
    for await (const names of reader.names(database)) {
      for (const key of names) {
        target.send(['PEXPIRETIME', key], (expiry) => {
          check(expiry)
          if (typeof expiry !== 'number' || !isLate(expiry)) return
          settled++
          target.send(['PEXPIREAT', key, String(expiry - EXPIRY_SHIFT_MS)], check)
        })
      }
      await target.room(LIMITS.bulkInFlightBytes)
      if (withFields) await target.drained()
      if (withFields) settled += await settleFields(target, reader, database, names)
      walked += names.length
      onProgress(walked)
    }
    // Replies send commands for this database.
    await target.drained()
  }
  if (failure !== null) throw refused(target.address, 'PEXPIREAT', failure)
  return settled
}

async function settleFields(
  target: PipelinedClient,
  reader: KeyReader,
  database: number,
  names: readonly Buffer[],
): Promise<number> {
  let settled = 0
  for await (const keys of reader.values(database, names)) {
    for (const { key, payload } of keys) {
      const { value } = readPayload(payload)
      if (value?.type !== 'hash' || value.expiries === null) continue
      for (const [i, at] of value.expiries.entries()) {
        if (!isLate(at)) continue
        settled++
        await target.command('HPEXPIREAT', key, String(at - EXPIRY_SHIFT_MS), 'FIELDS', '1', value.fields.at(i))
      }
    }
  }
  return settled
}

function isLate(atMs: number): boolean {
  return atMs > Date.now() + EXPIRY_SHIFT_MS / 2
}
