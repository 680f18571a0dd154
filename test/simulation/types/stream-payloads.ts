import { ByteList } from '../../../src/rdb/byte-list.js'
import { readPayload, writePayload } from '../../../src/rdb/payload.js'
import type { RdbPendingEntry, RdbStream, RdbStreamId } from '../../../src/rdb/value.js'
import type { StreamId } from '../effects.js'
import { latin1 } from '../reply.js'
import {
  NO_MARKS,
  positionText,
  type GroupView,
  type MarkLimits,
  type MarkView,
  type Owner,
  type StreamEntry,
  type ValueOf,
} from '../values.js'

/** A stream as a payload of DUMP holds it. */
interface Sample {
  readonly entries: readonly StreamId[]
  readonly last: StreamId
  readonly added: number
  readonly groups: readonly {
    readonly name: string
    readonly start: StreamId
    readonly pending: readonly (StreamId & Owner)[]
  }[]
  /** Of messages `0` to `5` of producer `p`, in the order in which they came; with their limits. */
  readonly marks?: { readonly limits: MarkLimits; readonly messages: readonly (StreamId & { readonly message: string })[] }
}

/** Ahead of every clock: what came then came just now. */
const AHEAD_MS = 2 ** 52

const FIELDS = ['f', 'restored']

/** With groups that have read all, some or nothing, with pending entries that are gone, and without any entry. */
const SAMPLES: readonly Sample[] = [
  {
    entries: [
      { ms: 5, seq: 1 },
      { ms: 7, seq: 1 },
      { ms: 9, seq: 1 },
      { ms: 31, seq: 257 },
    ],
    last: { ms: 31, seq: 300 },
    added: 9,
    groups: [
      {
        name: 'g1',
        start: { ms: 7, seq: 1 },
        pending: [
          { ms: 5, seq: 1, consumer: 'c', deliveries: 2 },
          { ms: 6, seq: 1, consumer: 'c', deliveries: 1 },
          { ms: 7, seq: 1, consumer: 'd', deliveries: 7 },
          // Released.
          { ms: 9, seq: 1, consumer: '', deliveries: 2 },
        ],
      },
      { name: 'g2', start: { ms: 0, seq: 0 }, pending: [] },
    ],
    marks: {
      limits: { durationS: 60, maxSize: 4 },
      messages: [
        // Too old, unless it is very early.
        { ms: 7, seq: 1, message: '0' },
        { ms: AHEAD_MS, seq: 1, message: '1' },
        { ms: AHEAD_MS, seq: 2, message: '2' },
        { ms: AHEAD_MS, seq: 3, message: '3' },
      ],
    },
  },
  {
    entries: [],
    last: { ms: 7, seq: 1 },
    added: 3,
    groups: [{ name: 'g2', start: { ms: 7, seq: 1 }, pending: [{ ms: 7, seq: 1, consumer: 'c', deliveries: 1 }] }],
  },
]

/** What RESTORE takes. */
export const STREAM_PAYLOADS: readonly string[] = SAMPLES.map((sample) => latin1(writePayload(rdbOf(sample))))

/** What a payload makes of a key of a member. */
export function restoredStream(payload: string, member: number, nowMs: number): ValueOf<'stream'> {
  const { entries, last, added, groups, marks } = SAMPLES[STREAM_PAYLOADS.indexOf(payload)]
  const views = groups.map(({ name, start, pending }): readonly [string, GroupView] => {
    const own = pending.map(
      ({ ms, seq, consumer, deliveries }) => [positionText({ ms, seq, region: member }), { consumer, deliveries }] as const,
    )
    const all = new Map(own.length === 0 ? [] : [[member, new Map(own)]])
    return [name, { start, place: null, done: new Set(), delivered: new Map(), reached: new Map(), pending: all }]
  })
  return {
    type: 'stream',
    entries: entries.map((id) => ({ ...id, region: member, fields: FIELDS })),
    last,
    added,
    groups: new Map(views),
    ...(marks === undefined ? NO_MARKS : { markLimits: marks.limits, marks: marksOf(marks, member, nowMs) }),
  }
}

function marksOf({ limits, messages }: NonNullable<Sample['marks']>, region: number, nowMs: number): MarkView[] {
  return messages
    .map(({ message, ...id }) => ({ producer: 'p', message, id, region, time: Math.min(id.ms, nowMs) }))
    .filter(({ time }) => time > nowMs - limits.durationS * 1000)
}

/** A stream as a payload must have it: each ID stands once, in the stream and in a group, and each message of a producer. */
export interface DumpedStream {
  readonly entries: readonly Pick<StreamEntry, 'ms' | 'seq' | 'fields'>[]
  readonly last: StreamId
  readonly added: number
  /** By name: by ID, as text. Nobody has what was released. */
  readonly groups: ReadonlyMap<string, ReadonlyMap<string, { readonly consumer: string; readonly deliveries: string }>>
  readonly limits: MarkLimits
  readonly messages: readonly Pick<MarkView, 'producer' | 'message' | 'id'>[]
}

/** The same text for the same stream, in whatever order its parts come. */
export function showDumped({ entries, last, added, groups, limits, messages }: DumpedStream): string {
  const shownGroups = [...groups].map(([name, pending]) => {
    const owned = [...pending].map(([id, { consumer, deliveries }]) => `${id} ${JSON.stringify(consumer)} ${deliveries}`)
    return `${name} [${owned.sort().join(', ')}]`
  })
  const shownMessages = messages.map(({ producer, message, id }) => `${producer} ${message} ${idText(id)}`)
  return [
    `entries ${JSON.stringify(entries.map((entry) => [idText(entry), ...entry.fields]))} last ${idText(last)} of ${added}`,
    `groups ${shownGroups.sort().join(' ')}`,
    `messages for ${limits.durationS} s, ${limits.maxSize} a producer: ${shownMessages.sort().join(', ')}`,
  ].join(' ')
}

/** What a payload of DUMP says of a stream; null when it holds none. Where groups are is left out, and so are times, and consumers that have nothing. */
export function dumpedIn(payload: string): DumpedStream | null {
  const { value } = readPayload(Buffer.from(payload, 'latin1'))
  if (value?.type !== 'stream') return null
  const { entries, lastId, entriesAdded, groups, marks } = value
  return {
    entries: entries.map(({ id, names, values }) => ({
      ...modelId(id),
      fields: Array.from({ length: values.count }, (_, i) => [latin1(names.at(i)), latin1(values.at(i))]).flat(),
    })),
    last: modelId(lastId),
    added: Number(entriesAdded),
    groups: new Map(
      groups.map(({ name, consumers, released }) => {
        const owned = (consumer: string, pending: readonly RdbPendingEntry[]) =>
          pending.map(({ id, deliveries }) => [idText(modelId(id)), { consumer, deliveries: String(deliveries) }] as const)
        const all = [...owned('', released), ...consumers.flatMap((consumer) => owned(latin1(consumer.name), consumer.pending))]
        return [latin1(name), new Map(all)]
      }),
    ),
    limits: marks ?? NO_MARKS.markLimits,
    messages: (marks?.producers ?? []).flatMap(({ name, marks: own }) =>
      own.map((mark) => ({ producer: latin1(name), message: latin1(mark.name), id: modelId(mark.id) })),
    ),
  }
}

const idText = ({ ms, seq }: StreamId): string => `${ms}-${seq}`

function modelId({ ms, seq }: RdbStreamId): StreamId {
  return { ms: Number(ms), seq: Number(seq) }
}

function rdbOf({ entries, last, added, groups, marks }: Sample): RdbStream {
  const names = ByteList.of([Buffer.from(FIELDS[0])])
  const values = ByteList.of([Buffer.from(FIELDS[1])])
  return {
    type: 'stream',
    entries: entries.map((id) => ({ id: rdbId(id), names, values })),
    lastId: rdbId(last),
    firstId: rdbId(entries.at(0) ?? { ms: 0, seq: 0 }),
    maxDeletedId: { ms: 0n, seq: 0n },
    entriesAdded: BigInt(added),
    groups: groups.map(({ name, start, pending }) => ({
      name: Buffer.from(name),
      lastId: rdbId(start),
      entriesRead: null,
      consumers: [...new Set(pending.map(({ consumer }) => consumer))]
        .filter((consumer) => consumer !== '')
        .map((consumer) => ({
          name: Buffer.from(consumer),
          seenMs: 1,
          activeMs: 1,
          pending: pending.filter((each) => each.consumer === consumer).map((each) => rdbPending(each, 1)),
        })),
      released: pending.filter(({ consumer }) => consumer === '').map((each) => rdbPending(each, 0)),
    })),
    marks:
      marks === undefined
        ? null
        : {
            ...marks.limits,
            producers: [
              {
                name: Buffer.from('p'),
                marks: marks.messages.map((mark) => ({ name: Buffer.from(mark.message), id: rdbId(mark) })),
              },
            ],
            added: 9n,
            duplicates: 4n,
          },
  }
}

function rdbPending(entry: StreamId & Owner, deliveredMs: number): RdbPendingEntry {
  return { id: rdbId(entry), deliveredMs, deliveries: BigInt(entry.deliveries) }
}

function rdbId({ ms, seq }: StreamId): RdbStreamId {
  return { ms: BigInt(ms), seq: BigInt(seq) }
}
