import { decimalOf, decimalToText, parseDecimal, type Decimal } from '../../base/decimal.js'
import { LIMITS } from '../../base/limits.js'
import { TWO_32 } from '../../base/words.js'
import type { Contribution, Edit, EditEntry, ExpiryEntry, StringState } from '../../crdt/string-state.js'
import { packDotHigh, packDotLow } from '../../memory/record.js'
import type { StateBytes } from './state-bytes.js'
import type { StateReader } from './state-reader.js'

/**
 * The whole state of a string key, a hash field or a set's member that is more than one value: `content` of docs/formats/key-state.md. Parts that there are
 * none of take no room; everything is in the order that StringState keeps it in, so that equal states have equal bytes.
 */
const HAS_REGISTERS = 1
const HAS_EDITS = 2
export const HAS_CONTRIBUTIONS = 4
const HAS_EXPIRIES = 8
const ALL_PARTS = 15

const EDIT_APPEND = 1
const EDIT_SET_RANGE = 2
const EDIT_SET_BITS = 3
const MAX_EDIT_WIDTH = 64

export const TOTALS_SMALL = 0
const TOTALS_TEXT = 1

const DOT_BYTES = 8
const EXPIRY_BYTES = 16
const CONTRIBUTION_BYTES = 26

/** Writes a state less its orphanedAt; without the expiries where they stand elsewhere. */
export function writeContent(out: StateBytes, state: StringState, withExpiries: boolean): void {
  const { registers, edits, contributions } = state
  const expiries = withExpiries ? state.expiries : NO_EXPIRIES
  out.u8(
    (registers.length > 0 ? HAS_REGISTERS : 0) |
      (edits.length > 0 ? HAS_EDITS : 0) |
      (contributions.length > 0 ? HAS_CONTRIBUTIONS : 0) |
      (expiries.length > 0 ? HAS_EXPIRIES : 0),
  )
  if (contributions.length > 0) {
    out.varint(contributions.length)
    for (const contribution of contributions) writeContribution(out, contribution)
  }
  if (registers.length > 0) {
    out.varint(registers.length)
    for (const { member, stamp, value } of registers) {
      writeDot(out, member, stamp)
      out.block(value, 0, value.length)
    }
  }
  if (edits.length > 0) {
    out.varint(edits.length)
    for (const entry of edits) writeEdit(out, entry)
  }
  if (expiries.length > 0) writeExpiries(out, expiries)
}

/** Adds what writeContent wrote to an empty state. Values are copies. */
export function readContent(reader: StateReader, state: StringState): void {
  const parts = reader.u8()
  if (parts > ALL_PARTS) reader.damaged('a value of unknown parts')
  if ((parts & HAS_CONTRIBUTIONS) !== 0) {
    for (let left = reader.count(CONTRIBUTION_BYTES); left > 0; left--) state.contributions.push(readContribution(reader))
  }
  if ((parts & HAS_REGISTERS) !== 0) {
    for (let left = reader.count(DOT_BYTES + 1); left > 0; left--) {
      reader.dot()
      const { member, stamp } = reader
      reader.block()
      state.registers.push({ member, stamp, value: reader.copy() })
    }
  }
  if ((parts & HAS_EDITS) !== 0) {
    for (let left = reader.count(DOT_BYTES + 1); left > 0; left--) state.edits.push(readEdit(reader))
  }
  if ((parts & HAS_EXPIRIES) !== 0) readExpiries(reader, state.expiries)
}

/** count:varint, { dot at:f64 } */
export function writeExpiries(out: StateBytes, expiries: readonly ExpiryEntry[]): void {
  out.varint(expiries.length)
  for (const { member, stamp, at } of expiries) {
    writeDot(out, member, stamp)
    out.f64(at)
  }
}

export function readExpiries(reader: StateReader, to: ExpiryEntry[]): void {
  for (let left = reader.count(EXPIRY_BYTES); left > 0; left--) {
    reader.dot()
    const { member, stamp } = reader
    to.push({ member, stamp, at: reader.time() })
  }
}

export function writeDot(out: StateBytes, member: number, stamp: number): void {
  out.dot(packDotHigh(member, stamp), packDotLow(stamp))
}

function writeEdit(out: StateBytes, { member, stamp, edit }: EditEntry): void {
  writeDot(out, member, stamp)
  switch (edit.kind) {
    case 'append':
      out.u8(EDIT_APPEND)
      out.block(edit.bytes, 0, edit.bytes.length)
      break
    case 'set-range':
      out.u8(EDIT_SET_RANGE)
      out.varint(edit.offset)
      out.block(edit.bytes, 0, edit.bytes.length)
      break
    case 'set-bits':
      out.u8(EDIT_SET_BITS)
      out.varint(edit.offset)
      out.u8(edit.width)
      out.varint(Number(edit.value >> 32n))
      out.varint(Number(edit.value & 0xffffffffn))
      break
  }
}

function readEdit(reader: StateReader): EditEntry {
  reader.dot()
  const { member, stamp } = reader
  const kind = reader.u8()
  const edit: Edit | null =
    kind === EDIT_APPEND
      ? readAppend(reader)
      : kind === EDIT_SET_RANGE
        ? readSetRange(reader)
        : kind === EDIT_SET_BITS
          ? readSetBits(reader)
          : null
  return edit === null ? reader.damaged('an edit of unknown kind') : { member, stamp, edit }
}

function readAppend(reader: StateReader): Edit {
  reader.block()
  return { kind: 'append', bytes: reader.copy() }
}

function readSetRange(reader: StateReader): Edit {
  const offset = reader.varint()
  reader.block()
  if (offset + reader.len > LIMITS.maxBulkBytes) reader.damaged('an edit beyond the end of the longest string')
  return { kind: 'set-range', offset, bytes: reader.copy() }
}

function readSetBits(reader: StateReader): Edit {
  const offset = reader.varint()
  const width = reader.u8()
  const high = reader.varint()
  const low = reader.varint()
  if (width > MAX_EDIT_WIDTH || high >= TWO_32 || low >= TWO_32) reader.damaged('an edit of impossible bits')
  if (offset + width > LIMITS.maxBulkBytes * 8) reader.damaged('an edit beyond the end of the longest string')
  return { kind: 'set-bits', offset, width, value: (BigInt(high) << 32n) | BigInt(low) }
}

function writeContribution(out: StateBytes, { member, epoch, stamp, baseStamp, total, base }: Contribution): void {
  out.u8(member)
  out.f64(epoch)
  out.f64(stamp)
  out.f64(baseStamp)
  if (isSmall(total) && isSmall(base)) {
    out.u8(TOTALS_SMALL)
    out.f64(Number(total.digits))
    out.f64(Number(base.digits))
    return
  }
  out.u8(TOTALS_TEXT)
  writeText(out, decimalToText(total))
  writeText(out, decimalToText(base))
}

function readContribution(reader: StateReader): Contribution {
  const member = reader.memberId()
  const epoch = reader.stampOrZero()
  const stamp = reader.stampOrZero()
  const baseStamp = reader.stampOrZero()
  const form = reader.u8()
  if (form > TOTALS_TEXT) reader.damaged('increments of an unknown form')
  const total = form === TOTALS_SMALL ? readSmall(reader) : readText(reader)
  const base = form === TOTALS_SMALL ? readSmall(reader) : readText(reader)
  return { member, epoch, stamp, baseStamp, total, base }
}

function readSmall(reader: StateReader): Decimal {
  const value = reader.f64()
  return Number.isSafeInteger(value) ? decimalOf(value) : reader.damaged('increments that are no number')
}

function readText(reader: StateReader): Decimal {
  reader.block()
  return parseDecimal(Buffer.from(reader.copy()).toString('latin1')) ?? reader.damaged('increments that are no number')
}

function writeText(out: StateBytes, text: string): void {
  const bytes = Buffer.from(text, 'latin1')
  out.block(bytes, 0, bytes.length)
}

function isSmall({ digits, scale }: Decimal): boolean {
  return scale === 0 && digits <= BigInt(Number.MAX_SAFE_INTEGER) && digits >= BigInt(Number.MIN_SAFE_INTEGER)
}

const NO_EXPIRIES: readonly ExpiryEntry[] = []
