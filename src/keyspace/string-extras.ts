import { ByteReader, ByteWriter } from '../base/byte-stream.js'
import { decimalOf, decimalToText, parseDecimal, type Decimal } from '../base/decimal.js'
import { assert } from '../base/assert.js'
import { CHUNK_SHIFT, UNIT_MASK, type Arena, type Ref } from '../memory/arena.js'
import type { Contribution, Edit, EditEntry, ExpiryEntry, RegisterEntry, StringState } from '../crdt/string-state.js'

/**
 * The extras block: the part of a string key's state that its record has no room for.
 *
 * ```
 * word 0        contributions n
 *      1        bytes of the rest; 0 = contributions are all there is, and the register and visible expiry stand in the record
 *      2        1 = materialized: the record's value is the text that register and edits make, and every register entry stands in the rest
 *      3..5     dot of the last edit: member, stamp f64
 *      6        n * 12 words:
 *               member, kind (0 small, 1 large), epoch f64, stamp f64, baseStamp f64, total f64, base f64
 *      ...      rest: for each large contribution total and base as text; further registers; further expiries; edits, up to the end
 * ```
 *
 * Small means that total and base are safe integers: those are counted in place, without the heap. A string that is being edited is
 * materialized, so that reading it costs nothing and a further edit costs its own length: it is applied to the record's value and
 * appended to the rest. What the edits began from stays in the rest, because a concurrent write that sorts before them may still arrive.
 */
export const EXTRAS_HEAD_WORDS = 6
export const CONTRIBUTION_WORDS = 12
export const CONTRIBUTION_EPOCH = 1
export const CONTRIBUTION_STAMP = 2
export const CONTRIBUTION_BASE_STAMP = 3
export const CONTRIBUTION_TOTAL = 4
export const CONTRIBUTION_BASE = 5
const REST_WORD = 1
const MATERIALIZED_WORD = 2
const LAST_EDIT_WORD = 3

const EDIT_APPEND = 1
const EDIT_SET_RANGE = 2
const EDIT_SET_BITS = 3

const writer = new ByteWriter()

/** Bytes of the rest; 0 when there are only contributions. */
export function extrasRestBytes(arena: Arena, ref: Ref): number {
  return arena.u32[ref >>> CHUNK_SHIFT][((ref & UNIT_MASK) << 1) + REST_WORD]
}

export function extrasContributions(arena: Arena, ref: Ref): number {
  return arena.u32[ref >>> CHUNK_SHIFT][(ref & UNIT_MASK) << 1]
}

/** True when the record's value is the visible text of an edited string. */
export function isMaterialized(arena: Arena, ref: Ref): boolean {
  return arena.u32[ref >>> CHUNK_SHIFT][((ref & UNIT_MASK) << 1) + MATERIALIZED_WORD] !== 0
}

/** True when an edit with this dot comes after all edits in a materialized block. */
export function comesLast(arena: Arena, ref: Ref, member: number, stamp: number): boolean {
  const w = ((ref & UNIT_MASK) << 1) + LAST_EDIT_WORD
  const last = arena.f64[ref >>> CHUNK_SHIFT][(w + 1) >>> 1]
  return stamp > last || (stamp === last && member > arena.u32[ref >>> CHUNK_SHIFT][w])
}

/** Appends an edit that comes last to a materialized block; gives the block it is in now. */
export function appendEdit(arena: Arena, from: Ref, entry: EditEntry): Ref {
  writer.reset()
  writeEdit(entry)
  const used = (EXTRAS_HEAD_WORDS + extrasContributions(arena, from) * CONTRIBUTION_WORDS) * 4 + extrasRestBytes(arena, from)
  let ref = from
  if (used + writer.length > arena.sizeOf(from)) {
    ref = arena.alloc(Math.ceil((used + writer.length) * 1.5))
    const start = (from & UNIT_MASK) << 3
    arena.u8[ref >>> CHUNK_SHIFT].set(arena.u8[from >>> CHUNK_SHIFT].subarray(start, start + used), (ref & UNIT_MASK) << 3)
    arena.free(from)
  }
  const chunk = ref >>> CHUNK_SHIFT
  const w = (ref & UNIT_MASK) << 1
  arena.u8[chunk].set(writer.bytes.subarray(0, writer.length), (w << 2) + used)
  arena.u32[chunk][w + REST_WORD] += writer.length
  arena.u32[chunk][w + LAST_EDIT_WORD] = entry.member
  arena.f64[chunk][(w + LAST_EDIT_WORD + 1) >>> 1] = entry.stamp
  return ref
}

/**
 * Writes the state less what stands in the record itself into a new block; 0 if nothing is left. inlineRegister is null for a state with
 * edits: the record then holds the text that they make.
 */
export function writeExtras(
  arena: Arena,
  state: StringState,
  inlineRegister: RegisterEntry | null,
  inlineExpiry: ExpiryEntry | null,
): Ref {
  const registers = state.registers.filter((entry) => entry !== inlineRegister)
  const expiries = state.expiries.filter((entry) => entry !== inlineExpiry)
  const { contributions, edits } = state
  if (registers.length + expiries.length + contributions.length + edits.length === 0) return 0
  writer.reset()
  for (const { total, base } of contributions) {
    if (isSmall(total) && isSmall(base)) continue
    writer.block(Buffer.from(decimalToText(total), 'latin1'))
    writer.block(Buffer.from(decimalToText(base), 'latin1'))
  }
  const hasMore = registers.length + edits.length + expiries.length > 0
  if (hasMore) {
    writer.varint(registers.length)
    for (const { member, stamp, value } of registers) {
      writer.u8(member)
      writer.f64(stamp)
      writer.block(value)
    }
    writer.varint(expiries.length)
    for (const { member, stamp, at } of expiries) {
      writer.u8(member)
      writer.f64(stamp)
      writer.f64(at)
    }
    for (const entry of edits) writeEdit(entry)
  }
  const fixedBytes = (EXTRAS_HEAD_WORDS + contributions.length * CONTRIBUTION_WORDS) * 4
  const ref = arena.alloc(fixedBytes + writer.length)
  const words = arena.u32[ref >>> CHUNK_SHIFT]
  const doubles = arena.f64[ref >>> CHUNK_SHIFT]
  const w = (ref & UNIT_MASK) << 1
  const lastEdit = edits.at(-1)
  words[w] = contributions.length
  words[w + REST_WORD] = writer.length
  words[w + MATERIALIZED_WORD] = lastEdit === undefined ? 0 : 1
  words[w + LAST_EDIT_WORD] = lastEdit?.member ?? 0
  doubles[(w + LAST_EDIT_WORD + 1) >>> 1] = lastEdit?.stamp ?? 0
  contributions.forEach((contribution, i) => {
    const at = w + EXTRAS_HEAD_WORDS + i * CONTRIBUTION_WORDS
    const d = at >>> 1
    const small = isSmall(contribution.total) && isSmall(contribution.base)
    words[at] = contribution.member
    words[at + 1] = small ? 0 : 1
    doubles[d + CONTRIBUTION_EPOCH] = contribution.epoch
    doubles[d + CONTRIBUTION_STAMP] = contribution.stamp
    doubles[d + CONTRIBUTION_BASE_STAMP] = contribution.baseStamp
    doubles[d + CONTRIBUTION_TOTAL] = small ? Number(contribution.total.digits) : 0
    doubles[d + CONTRIBUTION_BASE] = small ? Number(contribution.base.digits) : 0
  })
  arena.u8[ref >>> CHUNK_SHIFT].set(writer.bytes.subarray(0, writer.length), ((ref & UNIT_MASK) << 3) + fixedBytes)
  return ref
}

/** Adds what an extras block holds to an empty state. Values are copied out of the arena. */
export function readExtras(arena: Arena, ref: Ref, state: StringState): void {
  const words = arena.u32[ref >>> CHUNK_SHIFT]
  const doubles = arena.f64[ref >>> CHUNK_SHIFT]
  const w = (ref & UNIT_MASK) << 1
  const count = words[w]
  const restBytes = words[w + REST_WORD]
  const fixedBytes = (EXTRAS_HEAD_WORDS + count * CONTRIBUTION_WORDS) * 4
  const start = ((ref & UNIT_MASK) << 3) + fixedBytes
  const reader = new ByteReader(arena.u8[ref >>> CHUNK_SHIFT].slice(start, start + restBytes))
  for (let i = 0; i < count; i++) {
    const at = w + EXTRAS_HEAD_WORDS + i * CONTRIBUTION_WORDS
    const d = at >>> 1
    const small = words[at + 1] === 0
    const contribution: Contribution = {
      member: words[at],
      epoch: doubles[d + CONTRIBUTION_EPOCH],
      stamp: doubles[d + CONTRIBUTION_STAMP],
      baseStamp: doubles[d + CONTRIBUTION_BASE_STAMP],
      total: small ? decimalOf(doubles[d + CONTRIBUTION_TOTAL]) : readDecimal(reader),
      base: small ? decimalOf(doubles[d + CONTRIBUTION_BASE]) : readDecimal(reader),
    }
    state.contributions.push(contribution)
  }
  if (reader.atEnd) return
  for (let n = reader.varint(); n > 0; n--) {
    state.registers.push({ member: reader.u8(), stamp: reader.f64(), value: reader.block() })
  }
  for (let n = reader.varint(); n > 0; n--) {
    state.expiries.push({ member: reader.u8(), stamp: reader.f64(), at: reader.f64() })
  }
  while (!reader.atEnd) state.edits.push(readEdit(reader))
  assert(!reader.failed, 'extras block is not what was written')
}

function isSmall(value: Decimal): boolean {
  return value.scale === 0 && value.digits <= BigInt(Number.MAX_SAFE_INTEGER) && value.digits >= BigInt(Number.MIN_SAFE_INTEGER)
}

function readDecimal(reader: ByteReader): Decimal {
  const value = parseDecimal(Buffer.from(reader.block()).toString('latin1'))
  assert(value !== null, 'extras block holds a number that is none')
  return value
}

function writeEdit({ member, stamp, edit }: EditEntry): void {
  writer.u8(member)
  writer.f64(stamp)
  switch (edit.kind) {
    case 'append':
      writer.u8(EDIT_APPEND)
      writer.block(edit.bytes)
      break
    case 'set-range':
      writer.u8(EDIT_SET_RANGE)
      writer.varint(edit.offset)
      writer.block(edit.bytes)
      break
    case 'set-bits':
      writer.u8(EDIT_SET_BITS)
      writer.varint(edit.offset)
      writer.u8(edit.width)
      writer.varint(Number(edit.value >> 32n))
      writer.varint(Number(edit.value & 0xffffffffn))
      break
  }
}

function readEdit(reader: ByteReader): EditEntry {
  const member = reader.u8()
  const stamp = reader.f64()
  const kind = reader.u8()
  let edit: Edit
  if (kind === EDIT_APPEND) {
    edit = { kind: 'append', bytes: reader.block() }
  } else if (kind === EDIT_SET_RANGE) {
    edit = { kind: 'set-range', offset: reader.varint(), bytes: reader.block() }
  } else {
    assert(kind === EDIT_SET_BITS, 'extras block holds an edit of unknown kind')
    edit = {
      kind: 'set-bits',
      offset: reader.varint(),
      width: reader.u8(),
      value: (BigInt(reader.varint()) << 32n) | BigInt(reader.varint()),
    }
  }
  return { member, stamp, edit }
}
