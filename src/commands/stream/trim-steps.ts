import { LIMITS } from '../../base/limits.js'
import { NotificationClass } from '../../base/notification-classes.js'
import type { StreamId } from '../../crdt/stream-id.js'
import type { EntryView } from '../../keyspace/stream-chunk.js'
import { comparePosition, StreamCursor } from '../../keyspace/stream-log.js'
import { writeFields } from '../../keyspace/stream-codec.js'
import type { StreamFields } from '../../keyspace/stream-fields.js'
import { buildMark } from '../../keyspace/stream-mark-writes.js'
import type { Mark } from '../../keyspace/stream-marks.js'
import { AckWriter, buildTrim, EntriesWriter, TrimmedWriter } from '../../keyspace/stream-op-writers.js'
import type { Call } from '../call.js'
import type { WriteSteps } from '../services.js'
import { isReferenced } from './reference-policy.js'
import { openForWrite, type StreamReading } from './stream-arguments.js'
import { replyId } from './stream-reply.js'

/** Entries that one effect of a long trim takes: whole chunks, next to all of them, some 0.5 ms. */
const STRIDE = 8192

/** What a trim writes, and gives: how many entries go. */
export type TrimSteps = Generator<undefined, number>

/** XTRIM of very many. */
export function* xtrimSteps(call: Call, steps: TrimSteps): WriteSteps {
  const count = yield* steps
  if (count > 0) {
    yield 'commit'
    call.notify(NotificationClass.stream, 'xtrim', 1)
  }
  call.reply.integer(count)
}

/** XADD that trims very many. fields: of the entry, which stand there when the first step comes. mark: of its message, with its ID and its time. */
export function* xaddSteps(
  call: Call,
  stream: StreamReading,
  id: StreamId,
  fields: () => StreamFields,
  mark: Mark | null,
  steps: TrimSteps,
): WriteSteps {
  const { root, space } = stream
  const writer = new EntriesWriter(call.op, call.place(1), space.roots.addedBy(root, call.collections.streams.self))
  writeFields(writer.add(id), fields())
  writer.end()
  if (mark !== null) buildMark(call.op, call.place(1), mark)
  const count = yield* steps
  yield 'commit'
  if (mark !== null && openForWrite(call, 1, stream)) space.marks.noteAdded(stream.root)
  call.notify(NotificationClass.stream, 'xadd', 1)
  if (count > 0) call.notify(NotificationClass.stream, 'xtrim', 1)
  replyId(call.reply, id)
}

/** Trims the first `count` entries, very many, which are those up to a position, a part of them an effect. */
export function* trimSteps(
  call: Call,
  stream: StreamReading,
  count: number,
  upTo: StreamId,
  upToRegion: number,
  acknowledges: boolean,
): TrimSteps {
  const { op } = call
  const at = call.place(1)
  const { log } = stream.space
  if (acknowledges) yield* acknowledgeSteps(call, stream, upTo, upToRegion)
  const cursor = new StreamCursor()
  for (let done = STRIDE; done < count; done += STRIDE) {
    log.seekRank(stream.words, stream.at, done - 1, cursor)
    buildTrim(op, at, cursor.entry.id, cursor.entry.region)
    yield
  }
  buildTrim(op, at, upTo, upToRegion)
  return count
}

/** See acknowledgeEverywhere. */
function* acknowledgeSteps(call: Call, stream: StreamReading, upTo: StreamId, upToRegion: number): Generator<undefined, void> {
  const { groups, log } = stream.space
  const cursor = new StreamCursor()
  let steps = 0
  for (const group of groups.sorted(stream.root)) {
    const name = groups.names.name(group).slice()
    const writer = new AckWriter(call.op, call.place(1), { buf: name, off: 0, len: name.length })
    for (let on = log.first(stream.words, stream.at, cursor); on; on = log.next(cursor)) {
      const { entry } = cursor
      if (comparePosition(upTo, upToRegion, entry) < 0) break
      const isPending = groups.findPending(group, entry.id, entry.region) !== 0
      if (isPending || !call.effects.solo) writer.push(entry.id, entry.region)
      if (++steps % LIMITS.slicedReadStep === 0) yield
    }
    writer.end()
  }
}

/** The same with ACKED: leaves entries out that some group has not read and acknowledged. goes: of an entry, when so many before it go. */
export function* trimAckedSteps(
  call: Call,
  stream: StreamReading,
  goes: (entry: EntryView, before: number) => boolean,
): TrimSteps {
  const { log } = stream.space
  const writer = new TrimmedWriter(call.op, call.place(1))
  const cursor = new StreamCursor()
  let count = 0
  let steps = 0
  for (let on = log.first(stream.words, stream.at, cursor); on && goes(cursor.entry, count); on = log.next(cursor)) {
    if (!isReferenced(stream, cursor.entry)) {
      writer.push(cursor.entry.id)
      count++
    }
    if (++steps % LIMITS.slicedReadStep === 0) yield
  }
  return count
}
