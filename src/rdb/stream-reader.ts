import { parseInteger64 } from '../base/bytes.js'
import { LIMITS } from '../base/limits.js'
import { areDefaultSettings, areMarkSettings, MAX_DURATION_S, MAX_MAX_SIZE } from '../base/mark-settings.js'
import { ByteList } from './byte-list.js'
import { readListpack } from './packed.js'
import type { RdbReader } from './rdb-reader.js'
import { RdbType } from './rdb-types.js'
import type {
  RdbMark,
  RdbPendingEntry,
  RdbProducer,
  RdbStream,
  RdbStreamConsumer,
  RdbStreamEntry,
  RdbStreamGroup,
  RdbStreamId,
  RdbStreamMarks,
} from './value.js'

/**
 * Streams: nodes, each a key (the ID that the node's entries count from) and a listpack; then numbers, then groups, then what is known of messages.
 *
 * ```
 * node     := live deleted names:n name{n} 0  entry{live + deleted}
 * entry    := flags msDelta seqDelta ( value{n} | names:m (name value){m} ) elements
 *
 * stream   := nodes (key node){nodes} entries lastId [firstId maxDeletedId entriesAdded]  groups group{groups}  [marks]         [] from stream2, marks from stream4 on
 * group    := name lastId [entriesRead] pending (id:raw time deliveries){pending} consumers consumer{consumers} [released id:raw{released}]   released from stream5 on
 * consumer := name seen [active] pending id:raw{pending}                                       active from stream3 on
 * marks    := duration maxSize producers (name marks (name id){marks}){producers} added duplicates
 * ```
 * The flags say whether the entry is deleted (1) and has the node's own names (2); `elements` counts what precedes it, for reading backwards. IDs are two lengths, raw ones
 * 16 bytes. What a group has pending belongs to one consumer each, or has been released.
 */
const DELETED = 1
const SAME_NAMES = 2
const ID_BYTES = 16
/** What an entry has beside names and values. */
const ENTRY_FRAME = 3
const UNKNOWN_READS = 2n ** 64n - 1n
const ZERO: RdbStreamId = { ms: 0n, seq: 0n }

/** Takes the entries of a stream one after the other, while the rest of the payload is still to be read: it may turn out to be malformed. */
export type EntrySink = (entry: RdbStreamEntry) => void

/** Reads a stream, some entries a step. Where they are taken one by one the result has none. */
export function* readStreamSteps(
  reader: RdbReader,
  type: number,
  sink: EntrySink | null,
): Generator<undefined, RdbStream | null> {
  const kept: RdbStreamEntry[] = []
  const entries = new Entries(sink ?? ((entry) => kept.push(entry)))
  yield* readNodes(reader, entries)
  const declared = reader.length64()
  const lastId = readId(reader)
  let firstId = entries.first ?? ZERO
  let maxDeletedId = ZERO
  let entriesAdded = declared
  if (type !== RdbType.stream) {
    firstId = readId(reader)
    maxDeletedId = readId(reader)
    entriesAdded = reader.length64()
  }
  if (declared !== BigInt(entries.count)) reader.fail('malformed', `a stream of ${declared} entries has ${entries.count}`)
  if (entries.last !== null && compareIds(entries.last, lastId) > 0) {
    reader.fail('malformed', 'a stream entry lies behind the last ID')
  }
  const groups: RdbStreamGroup[] = []
  const names = new Set<string>()
  for (let left = reader.countObjects(1); left > 0 && !reader.failed; left--) {
    const group = yield* readGroup(reader, type, names)
    groups.push(type === RdbType.stream ? { ...group, entriesRead: readsUpTo(group.lastId, entries, lastId) } : group)
  }
  const marks = type >= RdbType.stream4 ? yield* readMarks(reader) : null
  return reader.failed ? null : { type: 'stream', entries: kept, lastId, firstId, maxDeletedId, entriesAdded, groups, marks }
}

export function compareIds(a: RdbStreamId, b: RdbStreamId): number {
  if (a.ms !== b.ms) return a.ms < b.ms ? -1 : 1
  return a.seq === b.seq ? 0 : a.seq < b.seq ? -1 : 1
}

/** The entries that have been read. */
class Entries {
  count = 0
  first: RdbStreamId | null = null
  last: RdbStreamId | null = null

  constructor(private readonly sink: EntrySink) {}

  /** IDs rise through the whole stream; so a few compressed bytes cannot stand for entries without end. False when this one does not. */
  add(entry: RdbStreamEntry): boolean {
    const { id } = entry
    if (this.last !== null && compareIds(this.last, id) >= 0) return false
    if (this.count === LIMITS.payloadStreamEntries) return false
    this.first ??= id
    this.last = id
    this.count++
    this.sink(entry)
    return true
  }
}

/** What a group of an old payload, which does not say it, has read: as far as that can be told. */
function readsUpTo(id: RdbStreamId, entries: Entries, lastId: RdbStreamId): bigint | null {
  const count = BigInt(entries.count)
  const toLast = compareIds(id, lastId)
  if (toLast === 0 || entries.first === null) return toLast <= 0 ? count : null
  if (toLast > 0) return null
  const toFirst = compareIds(id, entries.first)
  return toFirst < 0 ? 0n : toFirst === 0 ? 1n : null
}

function readId(reader: RdbReader): RdbStreamId {
  const ms = reader.length64()
  return { ms, seq: reader.length64() }
}

function readRawId(reader: RdbReader): RdbStreamId {
  const ms = reader.u64BigEndian()
  return { ms, seq: reader.u64BigEndian() }
}

function* readNodes(reader: RdbReader, entries: Entries): Generator<undefined, void> {
  for (let left = reader.count(2); left > 0 && !reader.failed; left--) {
    const key = reader.string()
    const packed = reader.string()
    if (reader.failed) break
    const elements = key.length === ID_BYTES ? readListpack(packed) : null
    if (elements === null || !new NodeReader(key, elements, entries).read()) reader.fail('malformed', 'a node of a stream')
    yield
  }
}

class NodeReader {
  private next = 0
  private broken = false

  constructor(
    private readonly key: Uint8Array,
    private readonly elements: ByteList,
    private readonly entries: Entries,
  ) {}

  /** Adds the live entries; false when the node is not one, or does not continue what was there. */
  read(): boolean {
    const bytes = Buffer.from(this.key)
    const base = { ms: bytes.readBigUInt64BE(0), seq: bytes.readBigUInt64BE(8) }
    const live = this.count()
    const deleted = this.count()
    const names = new ByteList()
    for (let left = this.count(); left > 0 && !this.broken; left--) this.copy(names)
    if (this.count() !== 0) return false
    let seen = 0
    let seenDeleted = 0
    for (; seen < live + deleted && !this.broken; seen++) {
      const start = this.next
      const flags = this.count()
      // Differences are signed, and wrap where that does not reach.
      const ms = BigInt.asUintN(64, base.ms + this.integer())
      const seq = BigInt.asUintN(64, base.seq + this.integer())
      const same = (flags & SAME_NAMES) !== 0
      const ownNames = same ? names : new ByteList()
      const values = new ByteList()
      for (let left = same ? names.count : this.count(); left > 0 && !this.broken; left--) {
        if (!same) this.copy(ownNames)
        this.copy(values)
      }
      const elements = this.next - start
      if (this.count() !== elements || elements < ENTRY_FRAME || this.broken) return false
      if ((flags & DELETED) !== 0) seenDeleted++
      else if (!this.entries.add({ id: { ms, seq }, names: ownNames, values })) return false
    }
    return !this.broken && seenDeleted === deleted && this.next === this.elements.count
  }

  private copy(to: ByteList): void {
    const element = this.element()
    if (element !== null) to.push(element, 0, element.length)
  }

  /** A count: what is more than there are elements is broken. */
  private count(): number {
    const value = this.integer()
    if (value >= 0n && value <= BigInt(this.elements.count)) return Number(value)
    this.broken = true
    return 0
  }

  private integer(): bigint {
    const element = this.element()
    const value = element === null ? null : parseInteger64(element, 0, element.length)
    if (value !== null) return value
    this.broken = true
    return 0n
  }

  private element(): Uint8Array | null {
    if (!this.broken && this.next < this.elements.count) return this.elements.at(this.next++)
    this.broken = true
    return null
  }
}

function* readGroup(reader: RdbReader, type: number, groupNames: Set<string>): Generator<undefined, RdbStreamGroup> {
  const name = readName(reader, groupNames)
  const lastId = readId(reader)
  let entriesRead: bigint | null = null
  if (type !== RdbType.stream) {
    // -1 stands for "not known"; older ones that lack the number count as that too.
    const read = reader.length64()
    entriesRead = read === UNKNOWN_READS ? null : read
  }
  const pending = new Map<string, RdbPendingEntry>()
  for (let left = reader.countObjects(ID_BYTES + 9); left > 0 && !reader.failed; left--) {
    const entry = { id: readRawId(reader), deliveredMs: reader.milliseconds(), deliveries: reader.length64() }
    const key = idKey(entry.id)
    if (pending.has(key)) reader.fail('malformed', 'an entry is pending twice in a group')
    pending.set(key, entry)
    if (left % LIMITS.slicedReadStep === 0) yield
  }
  const consumers: RdbStreamConsumer[] = []
  const names = new Set<string>()
  for (let left = reader.countObjects(1); left > 0 && !reader.failed; left--) {
    consumers.push(yield* readConsumer(reader, type, names, pending))
  }
  const released = type >= RdbType.stream5 ? yield* readOwn(reader, pending) : releasedBefore5(consumers)
  if (pending.size > 0) reader.fail('malformed', 'a pending entry belongs to no consumer')
  return { name, lastId, entriesRead, consumers, released }
}

/**
 * Payloads before stream5 cannot say that nobody has an entry. Meridian has written a consumer without a name that was never seen for nobody, and
 * does where no newer payload is wanted: takes it out.
 */
function releasedBefore5(consumers: RdbStreamConsumer[]): readonly RdbPendingEntry[] {
  const nobody = consumers.findIndex(isNobody)
  return nobody < 0 ? [] : consumers.splice(nobody, 1)[0].pending
}

/** When nobody was seen, in such a payload. */
export const NEVER_MS = 0

/** Whether a consumer is nobody in payloads before stream5. */
export function isNobody({ name, seenMs }: Omit<RdbStreamConsumer, 'pending'>): boolean {
  return name.length === 0 && seenMs === NEVER_MS
}

/** Takes its entries out of `pending`: each belongs to one consumer. */
function* readConsumer(
  reader: RdbReader,
  type: number,
  names: Set<string>,
  pending: Map<string, RdbPendingEntry>,
): Generator<undefined, RdbStreamConsumer> {
  const name = readName(reader, names)
  const seenMs = reader.milliseconds()
  const activeMs = type >= RdbType.stream3 ? reader.milliseconds() : seenMs
  return { name, seenMs, activeMs, pending: yield* readOwn(reader, pending) }
}

/** Entries of a consumer, or of nobody, which are taken out of `pending`. */
function* readOwn(reader: RdbReader, pending: Map<string, RdbPendingEntry>): Generator<undefined, RdbPendingEntry[]> {
  const own: RdbPendingEntry[] = []
  for (let left = reader.countObjects(ID_BYTES); left > 0 && !reader.failed; left--) {
    const key = idKey(readRawId(reader))
    const entry = pending.get(key)
    if (entry === undefined) {
      reader.fail('malformed', 'an entry of a consumer, or of nobody, is not pending in its group, or belongs to another too')
      break
    }
    pending.delete(key)
    own.push(entry)
    if (left % LIMITS.slicedReadStep === 0) yield
  }
  return own
}

/** Null when they say nothing. */
function* readMarks(reader: RdbReader): Generator<undefined, RdbStreamMarks | null> {
  const durationS = reader.length()
  const maxSize = reader.length()
  if (!areMarkSettings(durationS, maxSize)) {
    reader.fail('malformed', `messages are known for 1 to ${MAX_DURATION_S} seconds, 1 to ${MAX_MAX_SIZE} of a producer`)
  }
  const producers: RdbProducer[] = []
  const names = new Set<string>()
  for (let left = reader.countObjects(1); left > 0 && !reader.failed; left--) producers.push(yield* readProducer(reader, names))
  const added = reader.length64()
  const duplicates = reader.length64()
  const isNothing = areDefaultSettings(durationS, maxSize) && producers.length === 0 && added === 0n && duplicates === 0n
  return isNothing ? null : { durationS, maxSize, producers, added, duplicates }
}

function* readProducer(reader: RdbReader, taken: Set<string>): Generator<undefined, RdbProducer> {
  const name = readName(reader, taken)
  if (name.length === 0) reader.fail('malformed', 'a producer without a name')
  const marks: RdbMark[] = []
  const names = new Set<string>()
  for (let left = reader.countObjects(3); left > 0 && !reader.failed; left--) {
    const message = reader.string()
    const mark = { name: message, id: readId(reader) }
    if (message.length === 0) reader.fail('malformed', 'a message without a name')
    const key = Buffer.from(message).toString('latin1')
    // As Redis: what comes first counts.
    if (!names.has(key)) marks.push(mark)
    names.add(key)
    if (left % LIMITS.slicedReadStep === 0) yield
  }
  return { name, marks }
}

function readName(reader: RdbReader, taken: Set<string>): Uint8Array {
  const name = reader.string()
  const key = Buffer.from(name).toString('latin1')
  if (taken.has(key)) reader.fail('malformed', 'two groups, consumers or producers have one name')
  taken.add(key)
  return name
}

function idKey(id: RdbStreamId): string {
  return `${id.ms}-${id.seq}`
}
