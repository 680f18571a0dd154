import type { ByteList } from './byte-list.js'
import { ListpackWriter } from './listpack-writer.js'
import { RdbType } from './rdb-types.js'
import type { RdbWriter } from './rdb-writer.js'
import type { RdbStream, RdbStreamEntry, RdbStreamGroup, RdbStreamId } from './value.js'

/** Redis' stream-node-max-entries and -bytes: larger nodes would be read, but slow the server that restores them. */
const NODE_ENTRIES = 100
const NODE_BYTES = 4096
const SAME_NAMES = 2
const UNKNOWN_READS = 2n ** 64n - 1n

/** See stream-reader.ts for the layout. */
export function writeStream(writer: RdbWriter, stream: RdbStream, type: number): void {
  const { entries } = stream
  const starts = nodeStarts(entries)
  writer.length(starts.length)
  for (const [i, start] of starts.entries()) writeNode(writer, entries.slice(start, starts[i + 1]))
  writer.length(entries.length)
  writeId(writer, stream.lastId)
  writeId(writer, stream.firstId)
  writeId(writer, stream.maxDeletedId)
  writer.length64(stream.entriesAdded)
  writer.length(stream.groups.length)
  for (const group of stream.groups) writeGroup(writer, group, type)
}

/** Index of the first entry of each node. */
function nodeStarts(entries: readonly RdbStreamEntry[]): number[] {
  const starts: number[] = []
  let bytes = 0
  for (const [i, entry] of entries.entries()) {
    const size = listBytes(entry.names) + listBytes(entry.values)
    const start = starts.at(-1)
    if (start === undefined || i - start === NODE_ENTRIES || bytes + size > NODE_BYTES) {
      starts.push(i)
      bytes = 0
    }
    bytes += size
  }
  return starts
}

function listBytes(list: ByteList): number {
  let bytes = 0
  for (const item of list) bytes += item.length
  return bytes
}

function writeNode(writer: RdbWriter, entries: readonly RdbStreamEntry[]): void {
  const { id: base, names } = entries[0]
  const key = Buffer.alloc(16)
  key.writeBigUInt64BE(base.ms, 0)
  key.writeBigUInt64BE(base.seq, 8)
  writer.string(key)
  const pack = new ListpackWriter()
  pack.integer(BigInt(entries.length))
  pack.integer(0n)
  pack.integer(BigInt(names.count))
  for (const name of names) pack.string(name)
  pack.integer(0n)
  for (const entry of entries) {
    const before = pack.count
    const same = sameLists(entry.names, names)
    pack.integer(same ? BigInt(SAME_NAMES) : 0n)
    // IDs are signed differences to the node's first, and wrap where that does not reach.
    pack.integer(BigInt.asIntN(64, entry.id.ms - base.ms))
    pack.integer(BigInt.asIntN(64, entry.id.seq - base.seq))
    if (!same) pack.integer(BigInt(entry.names.count))
    for (let i = 0; i < entry.values.count; i++) {
      if (!same) pack.string(entry.names.at(i))
      pack.string(entry.values.at(i))
    }
    pack.integer(BigInt(pack.count - before))
  }
  writer.string(pack.finish())
}

function sameLists(a: ByteList, b: ByteList): boolean {
  if (a === b) return true
  if (a.count !== b.count) return false
  for (let i = 0; i < a.count; i++) if (Buffer.compare(a.at(i), b.at(i)) !== 0) return false
  return true
}

function writeGroup(writer: RdbWriter, group: RdbStreamGroup, type: number): void {
  writer.string(group.name)
  writeId(writer, group.lastId)
  writer.length64(group.entriesRead ?? UNKNOWN_READS)
  writer.length(group.consumers.reduce((sum, { pending }) => sum + pending.length, 0))
  for (const { pending } of group.consumers) {
    for (const entry of pending) {
      writeRawId(writer, entry.id)
      writer.milliseconds(entry.deliveredMs)
      writer.length64(entry.deliveries)
    }
  }
  writer.length(group.consumers.length)
  for (const { name, seenMs, activeMs, pending } of group.consumers) {
    writer.string(name)
    writer.milliseconds(seenMs)
    if (type === RdbType.stream3) writer.milliseconds(activeMs)
    writer.length(pending.length)
    for (const { id } of pending) writeRawId(writer, id)
  }
}

function writeId(writer: RdbWriter, id: RdbStreamId): void {
  writer.length64(id.ms)
  writer.length64(id.seq)
}

function writeRawId(writer: RdbWriter, id: RdbStreamId): void {
  writer.u64BigEndian(id.ms)
  writer.u64BigEndian(id.seq)
}
