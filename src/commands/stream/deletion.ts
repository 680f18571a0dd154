import { LIMITS } from '../../base/limits.js'
import { NotificationClass } from '../../base/notification-classes.js'
import { StreamId } from '../../crdt/stream-id.js'
import { AckWriter, RemovalWriter } from '../../keyspace/stream-op-writers.js'
import { StreamPositions } from '../../keyspace/stream-positions.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import type { WriteSteps } from '../services.js'
import { distinctIds } from './id-arguments.js'
import {
  acknowledgeEverywhere,
  acknowledgeEverywhereInSteps,
  isReferenced,
  parseReferencePolicy,
  ReferencePolicy,
} from './reference-policy.js'
import { ArgumentRange, KEY, strictId, type StreamReading } from './stream-arguments.js'

/** What XDELEX and XACKDEL have in common: an answer for each ID. */

/** IDs of `[KEEPREF | DELREF | ACKED] IDS numids id [id ...]`. */
export interface IdBlock {
  readonly policy: number
  readonly firstId: number
  readonly count: number
}

const checked = new StreamId()
const one = new StreamId()
const other = new StreamId()
const distinct = new StreamPositions()

/** Reads the block from argument `first` on; the IDs themselves are not looked at. */
export function parseIdBlock(call: Call, first: number): IdBlock {
  let policy = -1
  let block: { firstId: number; count: number } | null = null
  for (let i = first; i < call.argc;) {
    const named = parseReferencePolicy(call, i)
    if (named >= 0) {
      // They exclude each other.
      if (policy >= 0) throw syntaxError()
      policy = named
      i++
    } else if (call.is(i, 'IDS') && i + 1 < call.argc) {
      const count = call.integer(i + 1, 'ERR Number of IDs must be a positive integer')
      if (count <= 0) throw new CommandError('ERR Number of IDs must be a positive integer')
      if (count > call.argc - i - 2) throw new CommandError('ERR The `numids` parameter must match the number of arguments')
      block = { firstId: i + 2, count }
      i += 2 + count
    } else {
      throw syntaxError()
    }
  }
  if (block === null) throw syntaxError()
  return { policy: policy < 0 ? ReferencePolicy.keep : policy, ...block }
}

export function checkIds(call: Call, { firstId, count }: IdBlock): void {
  for (let i = 0; i < count; i++) strictId(call, firstId + i, checked)
}

/** What XDELEX and XACKDEL answer for an ID. */
export const Deletion = { noSuchId: -1, deleted: 1, referenced: 2 } as const

/** Puts the entries of an ID into the list if they are to be deleted. */
export function planDeletion(
  from: StreamReading,
  id: StreamId,
  policy: number,
  list: StreamPositions,
  taken: Set<string>,
): number {
  const text = id.toString()
  if (taken.has(text)) return Deletion.noSuchId
  const result = planFirst(from, id, policy, list, 0)
  if (result === Deletion.deleted) taken.add(text)
  return result
}

/**
 * The same for an ID that has not come before. Several members may have added it: its entries go together, and stand side by side in the list. done: a group that
 * counts as if it had acknowledged them; 0 for none.
 */
function planFirst(from: StreamReading, id: StreamId, policy: number, list: StreamPositions, done: Ref): number {
  const { log, cursor } = from.space
  const isAt = (on: boolean): boolean => on && cursor.entry.id.compare(id) === 0
  if (!isAt(log.find(from.words, from.at, id, 0, cursor))) return Deletion.noSuchId
  if (policy === ReferencePolicy.acked) {
    for (let on = true; isAt(on); on = log.next(cursor)) {
      if (isReferenced(from, cursor.entry, done)) return Deletion.referenced
    }
    log.find(from.words, from.at, id, 0, cursor)
  }
  for (let on = true; isAt(on); on = log.next(cursor)) list.push(id, cursor.entry.region)
  return Deletion.deleted
}

/** True when entry i of the list has the ID of the one before: a removal names an ID once. */
function isNamed(list: StreamPositions, i: number): boolean {
  return i > 0 && list.id(i, one).compare(list.id(i - 1, other)) === 0
}

export function deletePlanned(call: Call, from: StreamReading, policy: number, list: StreamPositions): void {
  if (list.count === 0) return
  KEY.of(call, 1)
  if (policy === ReferencePolicy.remove) acknowledgeEverywhere(call, from, list)
  distinct.clear()
  for (let i = 0; i < list.count; i++) if (!isNamed(list, i)) distinct.push(list.id(i, one), list.region(i))
  call.collections.streams.writes.remove(KEY, distinct)
  call.notify(NotificationClass.stream, 'xdel', 1)
}

/** The group that XACKDEL acknowledges the entries for. */
export interface Acknowledging {
  readonly group: Ref
  /** Argument of its name. */
  readonly argument: number
  /** Puts the positions of an ID that an acknowledgement is for into the list; true when there was one. */
  collect(list: StreamPositions, id: StreamId): boolean
}

/** XDELEX and XACKDEL of many IDs. from: null where there is nothing to delete from. */
export function* deletionSteps(
  call: Call,
  from: StreamReading | null,
  { policy, firstId, count }: IdBlock,
  acknowledging: Acknowledging | null,
): WriteSteps {
  const id = new StreamId()
  for (let i = 0; i < count; i++) {
    strictId(call, firstId + i, id)
    if (i % LIMITS.slicedReadSeek === 0) yield
  }
  const results = new Int8Array(count).fill(Deletion.noSuchId)
  const acknowledged = new StreamPositions()
  const deleted = new StreamPositions()
  if (from !== null) {
    /** IDs that come again are not there any more, but those that are referenced are so once more. */
    const referenced = new Set<string>()
    let at = 0
    const plan = (text: string): void => {
      const i = at++
      if (acknowledging !== null && !acknowledging.collect(acknowledged, id)) return
      const result = planFirst(from, id, policy, deleted, acknowledging?.group ?? 0)
      // What was pending and is no longer in the stream is acknowledged, and there is nothing to delete.
      results[i] = acknowledging !== null && result === Deletion.noSuchId ? Deletion.deleted : result
      if (acknowledging === null && result === Deletion.referenced && text !== '') referenced.add(text)
    }
    yield* distinctIds(call, firstId, firstId + count, id, plan, (text) => {
      results[at++] = referenced.has(text) ? Deletion.referenced : Deletion.noSuchId
    })
    yield* writeDeletions(call, from, policy, acknowledging, acknowledged, deleted)
  }
  call.reply.array(count)
  for (let i = 0; i < count; i++) {
    call.reply.integer(results[i])
    if (i % LIMITS.slicedReadSeek === 0) yield
  }
  if (call.op.effects > 0) yield 'commit'
  if (deleted.count > 0) call.notify(NotificationClass.stream, 'xdel', 1)
}

function* writeDeletions(
  call: Call,
  from: StreamReading,
  policy: number,
  acknowledging: Acknowledging | null,
  acknowledged: StreamPositions,
  deleted: StreamPositions,
): Generator<undefined, void> {
  const { op } = call
  const at = call.place(1)
  const id = new StreamId()
  if (acknowledging !== null) {
    const writer = new AckWriter(op, at, new ArgumentRange().of(call, acknowledging.argument))
    for (let i = 0; i < acknowledged.count; i++) {
      writer.push(acknowledged.id(i, id), acknowledged.region(i))
      if (i % LIMITS.slicedReadStep === 0) yield
    }
    writer.end()
  }
  if (deleted.count === 0) return
  if (policy === ReferencePolicy.remove) yield* acknowledgeEverywhereInSteps(call, from, deleted)
  const maxDeleted = from.space.roots.deletedBy(from.root, call.collections.streams.self, new StreamId())
  const writer = new RemovalWriter(op, at, maxDeleted)
  for (let i = 0; i < deleted.count; i++) {
    if (!isNamed(deleted, i)) writer.push(deleted.id(i, id))
    if (i % LIMITS.slicedReadStep === 0) yield
  }
  writer.end()
}
