import { StreamId, u64ToBigInt } from '../crdt/stream-id.js'
import type { Ref } from '../memory/arena.js'
import { ByteList } from '../rdb/byte-list.js'
import type { RdbPendingEntry, RdbStream, RdbStreamEntry, RdbStreamGroup, RdbStreamId } from '../rdb/value.js'
import { StreamFields } from './stream-fields.js'
import { CHUNKS_WORD } from './stream-root.js'
import type { StreamSpace } from './stream-space.js'

/**
 * A stream as Redis' payloads have it. There an ID stands once: of two entries with one ID, from two members, the second takes the next ID if that is
 * free, and is left out otherwise.
 */
export function streamToRdb(space: StreamSpace, root: Ref): RdbStream {
  const { roots, groups } = space
  const entries = readEntries(space, root)
  const id = new StreamId()
  const lastId = roots.lastId(root, new StreamId())
  const last = entries.at(-1)
  if (last !== undefined && lastId.compare(StreamId.of(last.id.ms, last.id.seq)) < 0) {
    lastId.copyFrom(StreamId.of(last.id.ms, last.id.seq))
  }
  return {
    type: 'stream',
    entries,
    lastId: rdbId(lastId),
    firstId: entries.length === 0 ? { ms: 0n, seq: 0n } : entries[0].id,
    maxDeletedId: rdbId(roots.maxDeletedId(root, id)),
    entriesAdded: BigInt(roots.entriesAdded(root)),
    groups: groups.sorted(root).map((group) => readGroup(space, group)),
  }
}

function readEntries(space: StreamSpace, root: Ref): RdbStreamEntry[] {
  const { roots, log, cursor } = space
  const entries: RdbStreamEntry[] = []
  const fields = new StreamFields()
  const words = roots.words(root)
  let names = new ByteList()
  let previous: RdbStreamId | null = null
  for (let on = log.first(words, roots.at(root) + CHUNKS_WORD, cursor); on; on = log.next(cursor)) {
    let id = rdbId(cursor.entry.id)
    if (previous !== null && compare(id, previous) <= 0) {
      if (previous.seq === MAX_U64) continue
      id = { ms: previous.ms, seq: previous.seq + 1n }
    }
    previous = id
    log.chunks.fields(cursor.entry, fields)
    if (!hasNames(names, fields)) {
      names = new ByteList()
      for (let i = 0; i < fields.count; i++) names.push(fields.buf, fields.nameOff[i], fields.nameLen[i])
    }
    const values = new ByteList()
    for (let i = 0; i < fields.count; i++) values.push(fields.buf, fields.valueOff[i], fields.valueLen[i])
    entries.push({ id, names, values })
  }
  return entries
}

const MAX_U64 = 2n ** 64n - 1n

function compare(a: RdbStreamId, b: RdbStreamId): number {
  if (a.ms !== b.ms) return a.ms < b.ms ? -1 : 1
  return a.seq === b.seq ? 0 : a.seq < b.seq ? -1 : 1
}

function hasNames(names: ByteList, fields: StreamFields): boolean {
  if (names.count !== fields.count) return false
  for (let i = 0; i < fields.count; i++) {
    const name = fields.buf.subarray(fields.nameOff[i], fields.nameOff[i] + fields.nameLen[i])
    if (Buffer.compare(names.at(i), name) !== 0) return false
  }
  return true
}

function readGroup(space: StreamSpace, group: Ref): RdbStreamGroup {
  const { groups } = space
  const { pending } = groups
  const id = new StreamId()
  const entriesRead = groups.entriesRead(group)
  const taken = new Set<string>()
  return {
    name: groups.names.name(group).slice(),
    lastId: rdbId(groups.lastDelivered(group, id)),
    entriesRead: entriesRead < 0 ? null : BigInt(entriesRead),
    consumers: groups.consumers(group).map((consumer) => ({
      name: groups.consumerName(consumer).slice(),
      seenMs: groups.seen(consumer),
      activeMs: groups.active(consumer),
      pending: groups.consumerPending(consumer).flatMap((ref): RdbPendingEntry[] => {
        const key = pending.id(ref, id).toString()
        if (taken.has(key)) return []
        taken.add(key)
        return [{ id: rdbId(id), deliveredMs: pending.time(ref), deliveries: BigInt(pending.deliveries(ref)) }]
      }),
    })),
  }
}

function rdbId(id: StreamId): RdbStreamId {
  return { ms: u64ToBigInt(id.msHigh, id.msLow), seq: u64ToBigInt(id.seqHigh, id.seqLow) }
}
