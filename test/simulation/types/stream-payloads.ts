import { ByteList } from '../../../src/rdb/byte-list.js'
import { writePayload } from '../../../src/rdb/payload.js'
import type { RdbStream, RdbStreamId } from '../../../src/rdb/value.js'
import type { StreamId } from '../effects.js'
import { latin1 } from '../reply.js'
import { NO_MARKS, positionText, type GroupView, type Owner, type ValueOf } from '../values.js'

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
}

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
export function restoredStream(payload: string, member: number): ValueOf<'stream'> {
  const { entries, last, added, groups } = SAMPLES[STREAM_PAYLOADS.indexOf(payload)]
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
    ...NO_MARKS,
  }
}

function rdbOf({ entries, last, added, groups }: Sample): RdbStream {
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
      consumers: [...new Set(pending.map(({ consumer }) => consumer))].map((consumer) => ({
        name: Buffer.from(consumer),
        seenMs: consumer === '' ? 0 : 1,
        activeMs: consumer === '' ? 0 : 1,
        pending: pending
          .filter((each) => each.consumer === consumer)
          .map((each) => ({ id: rdbId(each), deliveredMs: consumer === '' ? 0 : 1, deliveries: BigInt(each.deliveries) })),
      })),
    })),
  }
}

function rdbId({ ms, seq }: StreamId): RdbStreamId {
  return { ms: BigInt(ms), seq: BigInt(seq) }
}
