import { compareBytes } from '../base/bytes.js'
import { DEFAULT_DURATION_S, DEFAULT_MAX_SIZE } from '../base/mark-settings.js'
import type { ByteList } from './byte-list.js'
import type { RdbHash, RdbPendingEntry, RdbSortedSet, RdbStream, RdbStreamGroup, RdbStreamId, RdbValue } from './value.js'

/** A HyperLogLog begins so; bytes 8 to 15 are a count that is remembered, not data. */
const SKETCH_MAGIC = Buffer.from('HYLL')
const SKETCH_COUNT_AT = 8
const SKETCH_COUNT_END = 16

/**
 * In what two values differ for a client, in a few words; null when they are the same. Encodings, the order of what has none, and what a stream
 * remembers of its past (entries ever added, times when consumers were seen, messages of producers, which are forgotten by themselves) do not count.
 */
export function valueDifference(a: RdbValue, b: RdbValue): string | null {
  switch (a.type) {
    case 'string':
      return b.type !== 'string' ? types(a, b) : sameText(a.value, b.value) ? null : 'the string is another'
    case 'list':
      return b.type !== 'list' ? types(a, b) : listDifference(a.elements, b.elements)
    case 'set':
      return b.type !== 'set' ? types(a, b) : namesDifference(a.members, b.members, () => true)
    case 'zset':
      return b.type !== 'zset' ? types(a, b) : sortedSetDifference(a, b)
    case 'hash':
      return b.type !== 'hash' ? types(a, b) : hashDifference(a, b)
    case 'stream':
      return b.type !== 'stream' ? types(a, b) : streamDifference(a, b)
  }
}

function types(a: RdbValue, b: RdbValue): string {
  return `a ${a.type} there, a ${b.type} here`
}

function sameText(a: Uint8Array, b: Uint8Array): boolean {
  if (Buffer.compare(a, b) === 0) return true
  if (a.length !== b.length || a.length < SKETCH_COUNT_END) return false
  if (Buffer.compare(a.subarray(0, SKETCH_MAGIC.length), SKETCH_MAGIC) !== 0) return false
  return (
    Buffer.compare(a.subarray(0, SKETCH_COUNT_AT), b.subarray(0, SKETCH_COUNT_AT)) === 0 &&
    Buffer.compare(a.subarray(SKETCH_COUNT_END), b.subarray(SKETCH_COUNT_END)) === 0
  )
}

function listDifference(a: ByteList, b: ByteList): string | null {
  if (a.count !== b.count) return `${a.count} elements there, ${b.count} here`
  for (let i = 0; i < a.count; i++) if (!sameAt(a, i, b, i)) return `element ${i} is another`
  return null
}

function sortedSetDifference(a: RdbSortedSet, b: RdbSortedSet): string | null {
  return namesDifference(a.members, b.members, (i, j) => a.scores[i] === b.scores[j])
}

function hashDifference(a: RdbHash, b: RdbHash): string | null {
  return namesDifference(
    a.fields,
    b.fields,
    (i, j) => sameAt(a.values, i, b.values, j) && (a.expiries?.[i] ?? 0) === (b.expiries?.[j] ?? 0),
  )
}

/** Compares what has names and no order; `sameOf` compares what belongs to name i of a and name j of b. */
function namesDifference(a: ByteList, b: ByteList, sameOf: (i: number, j: number) => boolean): string | null {
  if (a.count !== b.count) return `${a.count} elements there, ${b.count} here`
  const [left, right] = [byName(a), byName(b)]
  for (let n = 0; n < left.length; n++) {
    if (!sameAt(a, left[n], b, right[n])) return 'an element is another'
    if (!sameOf(left[n], right[n])) return 'what belongs to an element is another'
  }
  return null
}

function byName(list: ByteList): Uint32Array {
  return Uint32Array.from({ length: list.count }, (_, i) => i).sort((i, j) => list.compare(i, j))
}

function sameAt(a: ByteList, i: number, b: ByteList, j: number): boolean {
  return compareBytes(a.bytesOf(i), a.start(i), a.end(i), b.bytesOf(j), b.start(j), b.end(j)) === 0
}

function streamDifference(a: RdbStream, b: RdbStream): string | null {
  if (a.entries.length !== b.entries.length) return `${a.entries.length} entries there, ${b.entries.length} here`
  if (!sameId(a.lastId, b.lastId)) return 'the last ID is another'
  if (settingsText(a) !== settingsText(b)) return 'for how long and how many messages are known is another'
  for (const [i, entry] of a.entries.entries()) {
    const other = b.entries[i]
    const same =
      sameId(entry.id, other.id) &&
      listDifference(entry.names, other.names) === null &&
      listDifference(entry.values, other.values) === null
    if (!same) return `entry ${entry.id.ms}-${entry.id.seq} is another`
  }
  if (a.groups.length !== b.groups.length) return `${a.groups.length} groups there, ${b.groups.length} here`
  const groups = new Map(b.groups.map((group) => [nameOf(group.name), group]))
  for (const group of a.groups) {
    const other = groups.get(nameOf(group.name))
    if (other === undefined || groupSignature(group) !== groupSignature(other)) return `group ${nameOf(group.name)} is another`
  }
  return null
}

function settingsText({ marks }: RdbStream): string {
  return `${marks?.durationS ?? DEFAULT_DURATION_S} ${marks?.maxSize ?? DEFAULT_MAX_SIZE}`
}

/** What is pending for whom, and for nobody, in one text. */
function groupSignature({ lastId, consumers, released }: RdbStreamGroup): string {
  const owners = consumers.map(({ name, pending }) => `${nameOf(name)}: ${pending.map(pendingText).sort().join(' ')}`)
  return [`${lastId.ms}-${lastId.seq}`, released.map(pendingText).join(' '), ...owners.sort()].join('\n')
}

function pendingText({ id, deliveries }: RdbPendingEntry): string {
  return `${id.ms}-${id.seq}x${deliveries}`
}

function nameOf(name: Uint8Array): string {
  return Buffer.from(name).toString('latin1')
}

function sameId(a: RdbStreamId, b: RdbStreamId): boolean {
  return a.ms === b.ms && a.seq === b.seq
}
