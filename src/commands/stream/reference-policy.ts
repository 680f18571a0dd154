import { LIMITS } from '../../base/limits.js'
import { StreamId } from '../../crdt/stream-id.js'
import type { EntryView } from '../../keyspace/stream-chunk.js'
import { AckWriter } from '../../keyspace/stream-op-writers.js'
import { StreamPositions } from '../../keyspace/stream-positions.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { KEY, type StreamReading } from './stream-arguments.js'

/**
 * What becomes of groups' references to entries that are deleted: they stay (KEEPREF), go too (DELREF), or the entry stays as long as some group has not read
 * and acknowledged it (ACKED).
 */
export const ReferencePolicy = { keep: 0, remove: 1, acked: 2 } as const

/** The policy that argument i names, -1 when it names none. */
export function parseReferencePolicy(call: Call, i: number): number {
  if (call.is(i, 'KEEPREF')) return ReferencePolicy.keep
  if (call.is(i, 'DELREF')) return ReferencePolicy.remove
  return call.is(i, 'ACKED') ? ReferencePolicy.acked : -1
}

/** True when some group has not read the entry, or has it pending. except: a group that is not asked; 0 for none. */
export function isReferenced(stream: StreamReading, entry: EntryView, except: Ref = 0): boolean {
  const { groups } = stream.space
  for (let i = groups.recordCount(stream.root) - 1; i >= 0; i--) {
    const group = groups.recordAt(stream.root, i)
    if (group === except || !groups.isAlive(group)) continue
    if (!groups.isDone(group, entry) || groups.findPending(group, entry.id, entry.region) !== 0) return true
  }
  return false
}

const id = new StreamId()
const pending = new StreamPositions()

/** Takes entries out of what groups have pending, in every member. */
export function acknowledgeEverywhere(call: Call, stream: StreamReading, positions: StreamPositions): void {
  const { groups } = stream.space
  for (const group of groups.sorted(stream.root)) {
    pending.clear()
    for (let i = 0; i < positions.count; i++) {
      positions.id(i, id)
      const isPending = groups.findPending(group, id, positions.region(i)) !== 0
      if (isPending || !call.effects.solo) pending.push(id, positions.region(i))
    }
    if (pending.count === 0) continue
    const name = groups.names.name(group)
    call.collections.streams.writes.ack(KEY, { buf: name, off: 0, len: name.length }, pending)
  }
}

/** The same, into the op of a write in slices. */
export function* acknowledgeEverywhereInSteps(
  call: Call,
  stream: StreamReading,
  positions: StreamPositions,
): Generator<undefined, void> {
  const { groups } = stream.space
  const each = new StreamId()
  let steps = 0
  for (const group of groups.sorted(stream.root)) {
    const name = groups.names.name(group).slice()
    const writer = new AckWriter(call.op, call.place(1), { buf: name, off: 0, len: name.length })
    for (let i = 0; i < positions.count; i++) {
      positions.id(i, each)
      const isPending = groups.findPending(group, each, positions.region(i)) !== 0
      if (isPending || !call.effects.solo) writer.push(each, positions.region(i))
      if (++steps % LIMITS.slicedReadStep === 0) yield
    }
    writer.end()
  }
}
