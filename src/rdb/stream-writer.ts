import { DEFAULT_DURATION_S, DEFAULT_MAX_SIZE } from '../base/mark-settings.js'
import type { ByteList } from './byte-list.js'
import { ListpackWriter } from './listpack-writer.js'
import { RdbType } from './rdb-types.js'
import { NEVER_MS } from './stream-reader.js'
import type { RdbWriter } from './rdb-writer.js'
import type {
  RdbMark,
  RdbPendingEntry,
  RdbStream,
  RdbStreamConsumer,
  RdbStreamEntry,
  RdbStreamGroup,
  RdbStreamId,
  RdbStreamMarks,
} from './value.js'

/** Redis' stream-node-max-entries and -bytes: larger nodes would be read, but slow the server that restores them. */
const NODE_ENTRIES = 100
const NODE_BYTES = 4096
const SAME_NAMES = 2
const UNKNOWN_READS = 2n ** 64n - 1n
const NO_MARKS: RdbStreamMarks = {
  durationS: DEFAULT_DURATION_S,
  maxSize: DEFAULT_MAX_SIZE,
  producers: [],
  added: 0n,
  duplicates: 0n,
}

/** See stream-reader.ts for the layout. */
export function writeStream(writer: RdbWriter, stream: RdbStream, type: number): void {
  const { entries } = stream
  const starts = nodeStarts(entries)
  writer.length(starts.length)
  const node = new StreamNodeWriter()
  for (const [i, start] of starts.entries()) writeNode(writer, node, entries.slice(start, starts[i + 1]))
  writeStreamHead(writer, stream, entries.length, stream.groups.length)
  for (const group of stream.groups) writeGroup(writer, group, type)
  if (type >= RdbType.stream4) writeMarks(writer, stream.marks)
}

function writeMarks(writer: RdbWriter, marks: RdbStreamMarks | null): void {
  const { producers, added, duplicates } = marks ?? NO_MARKS
  writeMarksHead(writer, marks ?? NO_MARKS, producers.length)
  for (const { name, marks: own } of producers) {
    writer.string(name)
    writer.length(own.length)
    for (const mark of own) writeMark(writer, mark)
  }
  writer.length64(added)
  writer.length64(duplicates)
}

/** Of so many producers; these follow: name, number of marks, marks. Then how many messages there were, and how many came again. */
export function writeMarksHead(
  writer: RdbWriter,
  { durationS, maxSize }: Pick<RdbStreamMarks, 'durationS' | 'maxSize'>,
  producers: number,
): void {
  writer.length(durationS)
  writer.length(maxSize)
  writer.length(producers)
}

export function writeMark(writer: RdbWriter, { name, id }: RdbMark): void {
  writer.string(name)
  writeId(writer, id)
}

/** What stands between the nodes and the groups. */
export function writeStreamHead(
  writer: RdbWriter,
  { lastId, firstId, maxDeletedId, entriesAdded }: Omit<RdbStream, 'type' | 'entries' | 'groups' | 'marks'>,
  entries: number,
  groups: number,
): void {
  writer.length(entries)
  writeId(writer, lastId)
  writeId(writer, firstId)
  writeId(writer, maxDeletedId)
  writer.length64(entriesAdded)
  writer.length(groups)
}

/** Index of the first entry of each node. */
function nodeStarts(entries: readonly RdbStreamEntry[]): number[] {
  const bounds = new NodeBounds()
  const starts: number[] = []
  for (const [i, { names, values }] of entries.entries()) if (bounds.begins(listBytes(names) + listBytes(values))) starts.push(i)
  return starts
}

/** Where nodes begin, as entry follows entry. */
export class NodeBounds {
  private entries = 0
  private bytes = 0

  /** True when the next entry, of so many bytes of names and values, is the first of a node. */
  begins(bytes: number): boolean {
    const isFirst = this.entries === 0 || this.entries === NODE_ENTRIES || this.bytes + bytes > NODE_BYTES
    this.entries = isFirst ? 1 : this.entries + 1
    this.bytes = isFirst ? bytes : this.bytes + bytes
    return isFirst
  }
}

function listBytes(list: ByteList): number {
  let bytes = 0
  for (const item of list) bytes += item.length
  return bytes
}

/** Writes nodes, one after the other, each entry by entry. It is used for many, and takes nothing from the heap for an entry. */
export class StreamNodeWriter {
  private readonly pack = new ListpackWriter()
  private readonly key = Buffer.alloc(16)
  private before = 0

  /** A node of so many entries whose first has this ID; so many names of fields follow, by `string`, then the entries. */
  begin({ ms, seq }: RdbStreamId, entries: number, names: number): void {
    this.key.writeBigUInt64BE(ms, 0)
    this.key.writeBigUInt64BE(seq, 8)
    this.pack.integer(entries)
    this.pack.integer(0)
    this.pack.integer(names)
  }

  namesEnd(): void {
    this.pack.integer(0)
  }

  /**
   * The differences of its ID to the node's first, signed, which wrap where that does not reach. If its fields have the node's names its values follow, else
   * so many pairs of both.
   */
  beginEntry(ms: bigint | number, seq: bigint | number, hasSameNames: boolean, fields: number): void {
    const { pack } = this
    this.before = pack.count
    pack.integer(hasSameNames ? SAME_NAMES : 0)
    pack.integer(ms)
    pack.integer(seq)
    if (!hasSameNames) pack.integer(fields)
  }

  string(buf: Uint8Array, off = 0, len = buf.length): void {
    this.pack.string(buf, off, len)
  }

  endEntry(): void {
    this.pack.integer(this.pack.count - this.before)
  }

  end(writer: RdbWriter): void {
    writer.string(this.key)
    writer.string(this.pack.finish())
  }
}

/** Entries of one node, at least one. */
function writeNode(writer: RdbWriter, node: StreamNodeWriter, entries: readonly RdbStreamEntry[]): void {
  const { id: base, names } = entries[0]
  node.begin(base, entries.length, names.count)
  for (const name of names) node.string(name)
  node.namesEnd()
  for (const entry of entries) {
    const same = sameLists(entry.names, names)
    node.beginEntry(BigInt.asIntN(64, entry.id.ms - base.ms), BigInt.asIntN(64, entry.id.seq - base.seq), same, entry.names.count)
    for (let i = 0; i < entry.values.count; i++) {
      if (!same) node.string(entry.names.at(i))
      node.string(entry.values.at(i))
    }
    node.endEntry()
  }
  node.end(writer)
}

function sameLists(a: ByteList, b: ByteList): boolean {
  if (a === b) return true
  if (a.count !== b.count) return false
  for (let i = 0; i < a.count; i++) if (Buffer.compare(a.at(i), b.at(i)) !== 0) return false
  return true
}

function writeGroup(writer: RdbWriter, group: RdbStreamGroup, type: number): void {
  const { consumers, released } = type < RdbType.stream5 ? withNobody(group) : group
  writeGroupHead(
    writer,
    group,
    consumers.reduce((sum, { pending }) => sum + pending.length, released.length),
  )
  for (const entry of released) writePending(writer, entry)
  for (const { pending } of consumers) for (const entry of pending) writePending(writer, entry)
  writer.length(consumers.length)
  for (const consumer of consumers) {
    writeConsumerHead(writer, consumer, consumer.pending.length, type)
    for (const { id } of consumer.pending) writeRawId(writer, id)
  }
  if (type < RdbType.stream5) return
  writer.length(released.length)
  for (const { id } of released) writeRawId(writer, id)
}

/**
 * The same group where what was released belongs to a consumer: nobody, whom releasedBefore5 takes out again. In other servers whoever claims finds it there at once. Where a
 * consumer has no name it has these, too.
 */
function withNobody({ consumers, released, ...rest }: RdbStreamGroup): RdbStreamGroup {
  if (released.length === 0) return { ...rest, consumers, released }
  const nameless = consumers.find(({ name }) => name.length === 0) ?? NOBODY
  const holder = { ...nameless, pending: [...nameless.pending, ...released] }
  return { ...rest, consumers: [holder, ...consumers.filter((consumer) => consumer !== nameless)], released: [] }
}

const NOBODY: RdbStreamConsumer = { name: new Uint8Array(0), seenMs: NEVER_MS, activeMs: NEVER_MS, pending: [] }

/** Of a group that has so many entries pending; these follow, then the number of its consumers, and these, then the IDs of what was released, from stream5 on. */
export function writeGroupHead(
  writer: RdbWriter,
  { name, lastId, entriesRead }: Omit<RdbStreamGroup, 'consumers' | 'released'>,
  pending: number,
): void {
  writer.string(name)
  writeId(writer, lastId)
  writer.length64(entriesRead ?? UNKNOWN_READS)
  writer.length(pending)
}

export function writePending(writer: RdbWriter, { id, deliveredMs, deliveries }: RdbPendingEntry): void {
  writeRawId(writer, id)
  writer.milliseconds(deliveredMs)
  writer.length64(deliveries)
}

/** Of a consumer that has so many entries pending; their IDs follow. */
export function writeConsumerHead(
  writer: RdbWriter,
  { name, seenMs, activeMs }: Omit<RdbStreamConsumer, 'pending'>,
  pending: number,
  type: number,
): void {
  writer.string(name)
  writer.milliseconds(seenMs)
  if (type >= RdbType.stream3) writer.milliseconds(activeMs)
  writer.length(pending)
}

function writeId(writer: RdbWriter, id: RdbStreamId): void {
  writer.length64(id.ms)
  writer.length64(id.seq)
}

/** As pending entries have it. */
export function writeRawId(writer: RdbWriter, id: RdbStreamId): void {
  writer.u64BigEndian(id.ms)
  writer.u64BigEndian(id.seq)
}
