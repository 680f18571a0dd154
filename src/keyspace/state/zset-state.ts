import { emptyScoreState, isPresent, type ScoreState } from '../../crdt/score-state.js'
import { CHUNK_SHIFT, type Ref } from '../../memory/arena.js'
import { packDotHigh, packDotLow } from '../../memory/record.js'
import { LIMITS } from '../../base/limits.js'
import type { CollectionStore } from '../collection-store.js'
import type { Database } from '../database.js'
import type { Keyspace } from '../keyspace.js'
import type { LargeZset } from '../large-zset.js'
import type { ZsetForms, ZsetFormsOf } from '../zset-forms.js'
import type { CollectionState, StateCursor } from './collection-state.js'
import { NO_DOT, SAME_DOT } from './key-state-format.js'
import type { StateBytes } from './state-bytes.js'
import type { StateReader } from './state-reader.js'
import { writeDot } from './string-codec.js'

const DOT_BYTES = 8
const SCORE_BYTES = 8
const REGISTER_BYTES = 16
const CONTRIBUTION_BYTES = 41

/** What the store decides. */
export interface ZsetLimits {
  readonly store: CollectionStore
  readonly keyspace: Keyspace
  readonly formsOf: ZsetFormsOf
  /** True when a packed set with so many members has room for another of this length. */
  fitsPacked(count: number, len: number): boolean
  /** True when Redis would keep so many members in a compact encoding when one of this length is added. */
  isCompact(count: number, len: number): boolean
}

/** Sorted sets: `zset` of docs/formats/key-state.md. Members do not depend on each other; a large set is walked by its table, because scores change. */
export class ZsetState implements CollectionState {
  private readonly starts = new Uint32Array(LIMITS.packedElements + 1)
  /** The member that was read last: its range in the reader's bytes. */
  private off = 0
  private len = 0

  constructor(private readonly limits: ZsetLimits) {}

  writeHeader(): void {
    // Everything is in the elements.
  }

  writeElements(db: Database, root: Ref, cursor: StateCursor, out: StateBytes, bytes: number): boolean {
    const forms = this.limits.formsOf.of(db.arena)
    if (forms.isPacked(root)) {
      this.writePacked(forms, root, cursor, out)
      return true
    }
    const { large, arena } = forms
    const end = out.length + bytes
    do {
      cursor.place = large.scan(root, cursor.place)
      const ref = large.scanned
      if (ref === 0) continue
      const buf = arena.u8[ref >>> CHUNK_SHIFT]
      const off = large.memberOff(ref)
      const len = large.memberLen(ref)
      if (large.isPlain(ref)) {
        const high = packDotHigh(large.dotMember(ref), large.dotStamp(ref))
        writePlain(cursor, out, high, packDotLow(large.dotStamp(ref)), large.score(ref), buf, off, len)
      } else {
        writeComplex(out, large.load(ref), buf, off, len)
      }
    } while (cursor.place !== 0 && out.length < end)
    return cursor.place === 0
  }

  private writePacked({ packed, arena }: ZsetForms, root: Ref, cursor: StateCursor, out: StateBytes): void {
    const { starts } = this
    const count = packed.index(root, starts)
    const buf = arena.u8[root >>> CHUNK_SHIFT]
    for (let i = 0; i < count; i++) {
      const start = starts[i]
      const high = packed.dotHighAt(root, start)
      const low = packed.dotLowAt(root, start)
      const off = packed.memberOff(root, start)
      writePlain(cursor, out, high, low, packed.score(root, i), buf, off, packed.memberLen(root, start))
    }
  }

  read(db: Database, root: Ref, reader: StateReader, isWhole: boolean): Ref {
    const forms = this.limits.formsOf.of(db.arena)
    reader.block()
    if (reader.len > 0) reader.damaged('a sorted set with a header')
    reader.beginElements()
    if (isWhole && root === 0 && this.fitsPacked(reader)) return this.readPacked(forms, reader)
    if (root !== 0 && forms.isPacked(root)) reader.damaged('more of a sorted set than there should be')
    return this.readLarge(forms, root, reader)
  }

  drop(db: Database, root: Ref): void {
    this.limits.keyspace.reclaimer.add(db.arena, this.limits.store, root)
  }

  /** Looks ahead at the elements: true when they make a packed set. The reader stays where it is. */
  private fitsPacked(reader: StateReader): boolean {
    const { at } = reader
    let fits = true
    for (let count = 0; fits && reader.beginElement(); count++) {
      const form = reader.u8()
      fits = (form & ~SAME_DOT) === 0
      if (fits) {
        reader.elementDot(form)
        this.readScore(reader)
        fits = this.limits.fitsPacked(count, reader.left)
      }
      reader.skipElement()
    }
    reader.at = at
    reader.beginElements()
    return fits
  }

  private readPacked({ packed }: ZsetForms, reader: StateReader): Ref {
    let root: Ref = 0
    while (reader.beginElement()) {
      reader.elementDot(reader.u8())
      const { member, stamp } = reader
      const score = this.readScore(reader)
      reader.raw(reader.left)
      if (root === 0) root = packed.create(member, stamp)
      else if (packed.find(root, reader.bytes, reader.off, reader.len) >= 0) reader.damaged('a member twice')
      root = packed.insert(root, reader.bytes, reader.off, reader.len, score, member, stamp)
      reader.endElement()
    }
    return root
  }

  private readLarge({ large }: ZsetForms, from: Ref, reader: StateReader): Ref {
    const { bytes } = reader
    let root = from
    while (reader.beginElement()) {
      if (root === 0) root = large.create()
      const form = reader.u8()
      if ((form & ~SAME_DOT) === 0) {
        reader.elementDot(form)
        const { member, stamp } = reader
        const score = this.readScore(reader)
        reader.raw(reader.left)
        const { off, len } = reader
        const found = large.find(root, bytes, off, len)
        if (found === 0) {
          large.insert(root, bytes, off, len, score, member, stamp)
          this.noteAdded(large, root, len)
        } else {
          large.store(root, found, { registers: [{ member, stamp, score }], contributions: [] })
        }
      } else if (form === NO_DOT) {
        const state = this.readComplex(reader)
        const { off, len } = this
        const found = large.find(root, bytes, off, len)
        if (found === 0) {
          large.insertState(root, bytes, off, len, state)
          this.noteAdded(large, root, len)
        } else {
          large.store(root, found, state)
        }
      } else {
        reader.damaged('a member of unknown form')
      }
      reader.endElement()
    }
    return root
  }

  private noteAdded(large: LargeZset, root: Ref, len: number): void {
    if (!large.isSkiplist(root) && !this.limits.isCompact(large.count(root), len)) large.setSkiplist(root)
  }

  private readComplex(reader: StateReader): ScoreState {
    reader.block()
    this.off = reader.off
    this.len = reader.len
    const state = emptyScoreState()
    for (let left = reader.count(CONTRIBUTION_BYTES); left > 0; left--) {
      const member = reader.memberId()
      const epoch = reader.stampOrZero()
      const stamp = reader.stampOrZero()
      const baseStamp = reader.stampOrZero()
      const total = reader.f64()
      const base = reader.f64()
      if (!Number.isFinite(total) || !Number.isFinite(base)) reader.damaged('increments that are not finite')
      state.contributions.push({ member, epoch, stamp, baseStamp, total, base })
    }
    for (let left = reader.count(REGISTER_BYTES); left > 0; left--) {
      reader.dot()
      const { member, stamp } = reader
      state.registers.push({ member, stamp, score: this.readScore(reader) })
    }
    if (!isPresent(state)) reader.damaged('a member without a score')
    return state
  }

  private readScore(reader: StateReader): number {
    const score = reader.f64()
    if (score !== score) reader.damaged('a score that is no number')
    return score
  }
}

function writePlain(
  cursor: StateCursor,
  out: StateBytes,
  high: number,
  low: number,
  score: number,
  buf: Uint8Array,
  off: number,
  len: number,
): void {
  const isSame = cursor.isSameDot(high, low)
  out.varint(1 + (isSame ? 0 : DOT_BYTES) + SCORE_BYTES + len)
  out.u8(isSame ? SAME_DOT : 0)
  if (!isSame) out.dot(high, low)
  out.f64(score)
  out.raw(buf, off, len)
}

function writeComplex(
  out: StateBytes,
  { registers, contributions }: ScoreState,
  buf: Uint8Array,
  off: number,
  len: number,
): void {
  const element = out.open()
  out.u8(NO_DOT)
  out.block(buf, off, len)
  out.varint(contributions.length)
  for (const { member, epoch, stamp, baseStamp, total, base } of contributions) {
    out.u8(member)
    out.f64(epoch)
    out.f64(stamp)
    out.f64(baseStamp)
    out.f64(total)
    out.f64(base)
  }
  out.varint(registers.length)
  for (const { member, stamp, score } of registers) {
    writeDot(out, member, stamp)
    out.f64(score)
  }
  out.close(element)
}
