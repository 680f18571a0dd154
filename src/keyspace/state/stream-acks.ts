import { StreamId } from '../../crdt/stream-id.js'
import type { Hash64 } from '../hash64.js'
import { DoneRanges } from '../stream-done-ranges.js'
import { OWN_ELEMENT, SAME_DOT } from './key-state-format.js'
import type { StateReader } from './state-reader.js'
import {
  ENTRY,
  GROUP,
  GROUP_DONE,
  MARK,
  MARK_COUNTERS,
  MARK_SETTINGS,
  PENDING,
  readId,
  readOwn,
  readPendingEnd,
  readRegion,
  readShared,
} from './stream-state.js'

interface Entry {
  readonly id: StreamId
  readonly region: number
  readonly member: number
}

/**
 * What members share of a stream with groups, as a hash of one whole record of it: all but the consumers, what they have pending, and what was delivered here
 * only. What has been *acknowledged* is in it: of what is done, which each member keeps in its own way, that which is not pending.
 */
export class StreamAcks {
  private readonly entries: Entry[] = []
  private start = new StreamId()
  private done: DoneRanges | null = null
  private readonly pending: { readonly id: StreamId; readonly region: number }[] = []

  /** Adds a part of a record, whose bytes begin here, to a hash. False, and nothing is added, when nothing in it is a member's own. */
  add(reader: StateReader, hash: Hash64): boolean {
    const { at } = reader
    if (!this.hasOwn(reader)) return false
    reader.at = at
    this.entries.length = 0
    this.forgetGroup()
    reader.block()
    hash.bytes(reader.bytes, at, reader.at - at)
    reader.beginElements()
    while (reader.beginElement()) {
      const { at: from, left } = reader
      const form = reader.u8()
      if ((form & OWN_ELEMENT) !== 0) this.readOwn(form, reader)
      else {
        if ((form & GROUP) === GROUP) this.beginGroup(reader, hash)
        else if (!isOfMarks(form)) this.readEntry(form, reader)
        hash.bytes(reader.bytes, from, left)
      }
      reader.skipElement()
    }
    this.endGroup(hash)
    return true
  }

  private hasOwn(reader: StateReader): boolean {
    let hasOwn = false
    reader.block()
    while (reader.beginElement()) {
      if ((reader.u8() & OWN_ELEMENT) !== 0) hasOwn = true
      reader.skipElement()
    }
    return hasOwn
  }

  private readEntry(form: number, reader: StateReader): void {
    if ((form & ~SAME_DOT) !== ENTRY) reader.damaged('an element of unknown kind')
    reader.elementDot(form)
    const { member } = reader
    const id = readId(reader, new StreamId())
    this.entries.push({ id, region: readRegion(reader), member })
  }

  private beginGroup(reader: StateReader, hash: Hash64): void {
    this.endGroup(hash)
    reader.block()
    this.start = readShared(reader).start
  }

  /** Its group is the last one: a record that is whole was written at one go. */
  private readOwn(form: number, reader: StateReader): void {
    if (form === MARK_COUNTERS) return
    reader.block()
    if (form === GROUP_DONE) this.done = new DoneRanges(readOwn(reader))
    if (form !== PENDING) return
    reader.block()
    const id = readId(reader, new StreamId())
    const region = readRegion(reader)
    // What was acknowledged and is pending again is done for everybody else.
    if (!readPendingEnd(reader)) this.pending.push({ id, region })
  }

  /** Entries and what is pending come in the same order. */
  private endGroup(hash: Hash64): void {
    const { done, entries, pending, start } = this
    if (done === null) return
    let next = 0
    entries.forEach(({ id, region, member }, i) => {
      while (next < pending.length && comparePositions(pending[next], id, region) < 0) next++
      const isPending = next < pending.length && comparePositions(pending[next], id, region) === 0
      if (!isPending && id.compare(start) > 0 && done.covers(member, id)) hash.number(i)
    })
    hash.number(-1)
    this.forgetGroup()
  }

  private forgetGroup(): void {
    this.done = null
    this.pending.length = 0
  }
}

function comparePositions(a: { readonly id: StreamId; readonly region: number }, id: StreamId, region: number): number {
  return a.id.compare(id) || a.region - region
}

/** What has nothing to do with groups. */
function isOfMarks(form: number): boolean {
  const kind = form & ~SAME_DOT
  return kind === MARK || kind === MARK_SETTINGS
}
