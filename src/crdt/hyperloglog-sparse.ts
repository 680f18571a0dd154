import {
  beginCounting,
  estimate,
  forgetCount,
  HEADER_BYTES,
  REGISTERS,
  setDenseRegister,
  SPARSE,
  writeHeader,
} from './hyperloglog.js'

/**
 * The sparse representation of a HyperLogLog: runs of equal registers. A count of up to about 1,000 takes less than 3 KB so, where a dense one takes 12.
 *
 * ```
 * 00nnnnnn            n + 1 registers of rank 0
 * 01nnnnnn nnnnnnnn   n + 1 registers of rank 0, n with its high bits first
 * 1vvvvvnn            n + 1 registers of rank v + 1
 * ```
 *
 * The same registers can be written in several ways. An add splits a run and joins runs again as Redis does it, so that the same adds in the same
 * order give the same bytes. Bytes that came from a client may be anything: what walks them stays within them and says when they are no such runs.
 */
export const SPARSE_MAX_RANK = 32
/** Bytes of an empty one: all registers are one run. */
export const EMPTY_BYTES = HEADER_BYTES + 2
/** Most by which one add lengthens it: a long run of zeros becomes two and one rank between them. */
export const ADD_BYTES = 3
/** What raiseSparse gives instead of a length. */
export const UNCHANGED = 0
export const NEEDS_DENSE = -1
export const BROKEN = -2

const LONG_ZEROS = 0x40
const VALUE = 0x80
const SHORT_ZEROS_MAX = 64
const VALUE_RUN_MAX = 4
/** Runs that are looked at for joining after an add. */
const JOIN_STEPS = 5

const pieces = new Uint8Array(5)

/** Writes one without registers above 0, whose count (0) is up to date. */
export function writeEmpty(buf: Uint8Array, off: number): void {
  writeHeader(buf, off, SPARSE)
  putRun(buf, off + HEADER_BYTES, 0, REGISTERS)
}

/** Registers of the run that begins with these bytes. */
function runLength(op: number, next: number): number {
  if (op < LONG_ZEROS) return op + 1
  return op < VALUE ? (((op & 0x3f) << 8) | next) + 1 : (op & 3) + 1
}

function rankOfRun(op: number): number {
  return op < VALUE ? 0 : ((op >>> 2) & 31) + 1
}

function runBytes(op: number): number {
  return op >= LONG_ZEROS && op < VALUE ? 2 : 1
}

/** Writes a run that fits one; gives where it ends. */
function putRun(buf: Uint8Array, at: number, rank: number, length: number): number {
  if (rank > 0) {
    buf[at] = VALUE | ((rank - 1) << 2) | (length - 1)
    return at + 1
  }
  if (length <= SHORT_ZEROS_MAX) {
    buf[at] = length - 1
    return at + 1
  }
  buf[at] = LONG_ZEROS | ((length - 1) >>> 8)
  buf[at + 1] = length - 1
  return at + 2
}

/** True when the runs make exactly all registers. */
export function isWhole(buf: Uint8Array, off: number, len: number): boolean {
  const end = off + len
  let at = off + HEADER_BYTES
  let index = 0
  while (at < end) {
    index += runLength(buf[at], buf[at + 1])
    at += runBytes(buf[at])
  }
  return at === end && index === REGISTERS
}

/** A register's rank; -1 when the runs end before it. */
export function sparseRegister(buf: Uint8Array, off: number, len: number, index: number): number {
  const end = off + len
  let behind = 0
  for (let at = off + HEADER_BYTES; at < end; at += runBytes(buf[at])) {
    behind += runLength(buf[at], buf[at + 1])
    if (index < behind) return rankOfRun(buf[at])
  }
  return -1
}

/**
 * Raises a register to a rank. ADD_BYTES of room must be behind the bytes. Gives the new length; or UNCHANGED; or NEEDS_DENSE when the rank or
 * the length is more than this representation may have; or BROKEN.
 */
export function raiseSparse(buf: Uint8Array, off: number, len: number, index: number, rank: number, maxBytes: number): number {
  const end = off + len
  let at = off + HEADER_BYTES
  let first = 0
  let previous = at
  let op = 0
  let run = 0
  for (;;) {
    if (at >= end) return BROKEN
    op = buf[at]
    // Spelled out, the most frequent first: this loop is what an add costs.
    if (op < LONG_ZEROS) run = op + 1
    else if (op >= VALUE) run = (op & 3) + 1
    else run = (((op & 0x3f) << 8) | buf[at + 1]) + 1
    if (index < first + run) break
    previous = at
    first += run
    at += op >= LONG_ZEROS && op < VALUE ? 2 : 1
  }
  const next = at + runBytes(op)
  if (next > end) return BROKEN
  const old = rankOfRun(op)
  if (rank <= old) return UNCHANGED
  if (rank > SPARSE_MAX_RANK) return NEEDS_DENSE

  const before = index - first
  const after = first + run - 1 - index
  let size = before === 0 ? 0 : putRun(pieces, 0, old, before)
  size = putRun(pieces, size, rank, 1)
  if (after > 0) size = putRun(pieces, size, old, after)
  const growth = at + size - next
  if (growth > 0 && len + growth > maxBytes) return NEEDS_DENSE
  if (growth !== 0) buf.copyWithin(next + growth, next, end)
  for (let i = 0; i < size; i++) buf[at + i] = pieces[i]
  forgetCount(buf, off)
  return len + growth - joinRuns(buf, previous, end + growth)
}

/** Joins neighbours of equal rank among a few runs from `start` on; gives by how many bytes there are fewer. */
function joinRuns(buf: Uint8Array, start: number, from: number): number {
  let end = from
  let at = start
  for (let step = 0; step < JOIN_STEPS && at < end; step++) {
    const op = buf[at]
    if (op < VALUE) {
      at += runBytes(op)
      continue
    }
    const length = at + 1 < end && rankOfRun(op) === rankOfRun(buf[at + 1]) ? (op & 3) + (buf[at + 1] & 3) + 2 : Infinity
    if (length > VALUE_RUN_MAX) {
      at++
      continue
    }
    putRun(buf, at, rankOfRun(op), length)
    buf.copyWithin(at + 1, at + 2, end)
    end--
  }
  return from - end
}

/** Raises registers, one a byte, to those here; false, perhaps after some, when the runs are broken. */
export function mergeSparse(registers: Uint8Array, buf: Uint8Array, off: number, len: number): boolean {
  const end = off + len
  let at = off + HEADER_BYTES
  let index = 0
  while (at < end) {
    const op = buf[at]
    const behind = index + runLength(op, buf[at + 1])
    const rank = rankOfRun(op)
    if (rank === 0) {
      index = behind
    } else {
      if (behind > REGISTERS) return false
      for (; index < behind; index++) if (rank > registers[index]) registers[index] = rank
    }
    at += runBytes(op)
  }
  return at === end && index === REGISTERS
}

/** Writes a dense one with the same registers into DENSE_BYTES of zeros; false when the runs are broken. The header comes along. */
export function sparseToDense(buf: Uint8Array, off: number, len: number, to: Uint8Array, toOff: number): boolean {
  const end = off + len
  let at = off + HEADER_BYTES
  let index = 0
  while (at < end) {
    const op = buf[at]
    const behind = index + runLength(op, buf[at + 1])
    if (behind > REGISTERS) return false
    const rank = rankOfRun(op)
    if (rank === 0) index = behind
    else for (; index < behind; index++) setDenseRegister(to, toOff, index, rank)
    at += runBytes(op)
  }
  for (let i = 0; i < HEADER_BYTES; i++) to[toOff + i] = buf[off + i]
  to[toOff + 4] = 0
  return at === end && index === REGISTERS
}

/**
 * Writes 16,384 registers, one a byte, in as few runs as they allow. Gives the length; NEEDS_DENSE when it would be more than maxBytes, which must be
 * in `to`, or a rank is too high. The count is out of date.
 */
export function writeSparse(registers: Uint8Array, to: Uint8Array, off: number, maxBytes: number): number {
  writeHeader(to, off, SPARSE)
  forgetCount(to, off)
  let at = off + HEADER_BYTES
  const end = off + maxBytes
  for (let index = 0; index < REGISTERS;) {
    const rank = registers[index]
    const most = rank === 0 ? REGISTERS : index + VALUE_RUN_MAX
    let behind = index + 1
    while (behind < most && registers[behind] === rank) behind++
    const bytes = rank === 0 && behind - index > SHORT_ZEROS_MAX ? 2 : 1
    if (rank > SPARSE_MAX_RANK || at + bytes > end) return NEEDS_DENSE
    at = putRun(to, at, rank, behind - index)
    index = behind
  }
  return at - off
}

/** The estimate, NaN when the runs are broken. */
export function countSparse(buf: Uint8Array, off: number, len: number): number {
  const counts = beginCounting()
  const end = off + len
  let at = off + HEADER_BYTES
  let index = 0
  while (at < end) {
    const op = buf[at]
    const length = runLength(op, buf[at + 1])
    counts[rankOfRun(op)] += length
    index += length
    at += runBytes(op)
  }
  return at === end && index === REGISTERS ? estimate() : Number.NaN
}

/** The runs as PFDEBUG DECODE shows them: z:n and Z:n zeros in one and in two bytes, v:rank,n. */
export function describeRuns(buf: Uint8Array, off: number, len: number): string {
  const runs: string[] = []
  for (let at = off + HEADER_BYTES; at < off + len; at += runBytes(buf[at])) {
    const op = buf[at]
    const length = runLength(op, buf[at + 1])
    if (op >= VALUE) runs.push(`v:${rankOfRun(op)},${length}`)
    else runs.push(`${op < LONG_ZEROS ? 'z' : 'Z'}:${length}`)
  }
  return runs.join(' ')
}
