import { ByteList } from '../../src/rdb/byte-list.js'
import type { RdbPendingEntry, RdbStreamId, RdbStreamMarks, RdbValue } from '../../src/rdb/value.js'

/** A value with every byte string as text of the same bytes, and what has no order in order, so that tests can compare and write it down. */
export function plain(value: RdbValue): unknown {
  switch (value.type) {
    case 'string':
      return text(value.value)
    case 'list':
      return { list: texts(value.elements) }
    case 'set':
      return { set: texts(value.members).sort() }
    case 'zset':
      return { zset: byName(texts(value.members).map((member, i) => [member, value.scores[i]])) }
    case 'hash': {
      const values = texts(value.values)
      const { expiries } = value
      return {
        hash: byName(texts(value.fields).map((field, i) => [field, values[i], ...(expiries === null ? [] : [expiries[i]])])),
      }
    }
    case 'stream':
      return {
        stream: value.entries.map(({ id, names, values }) => [idText(id), texts(names), texts(values)]),
        last: idText(value.lastId),
        first: idText(value.firstId),
        deleted: idText(value.maxDeletedId),
        added: Number(value.entriesAdded),
        groups: value.groups.map((group) => ({
          name: text(group.name),
          last: idText(group.lastId),
          read: group.entriesRead === null ? null : Number(group.entriesRead),
          consumers: group.consumers.map((consumer) => ({
            name: text(consumer.name),
            seen: consumer.seenMs,
            active: consumer.activeMs,
            pending: consumer.pending.map(pendingOf),
          })),
          ...(group.released.length === 0 ? {} : { released: group.released.map(pendingOf) }),
        })),
        ...(value.marks === null ? {} : { marks: plainMarks(value.marks) }),
      }
  }
}

function pendingOf({ id, deliveredMs, deliveries }: RdbPendingEntry): unknown[] {
  return [idText(id), deliveredMs, Number(deliveries)]
}

function plainMarks({ durationS, maxSize, producers, added, duplicates }: RdbStreamMarks): unknown {
  return {
    settings: [durationS, maxSize],
    producers: producers.map(({ name, marks }) => [text(name), marks.map((mark) => [text(mark.name), idText(mark.id)])]),
    counts: [Number(added), Number(duplicates)],
  }
}

export function list(...items: string[]): ByteList {
  return ByteList.of(items.map((item) => Buffer.from(item, 'latin1')))
}

export function id(ms: number | bigint, seq: number | bigint = 0): RdbStreamId {
  return { ms: BigInt(ms), seq: BigInt(seq) }
}

function byName<T extends unknown[]>(rows: T[]): T[] {
  return rows.sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1))
}

function texts(items: ByteList): string[] {
  return [...items].map(text)
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

function idText({ ms, seq }: RdbStreamId): string {
  return `${ms}-${seq}`
}
