import { INT64_MAX, INT64_MIN, plainBytes } from '../base/bytes.js'
import {
  addDecimals,
  DECIMAL_ZERO,
  decimalToText,
  parseDecimal,
  printDecimal,
  subtractDecimals,
  type Decimal,
} from '../base/decimal.js'
import { LIMITS } from '../base/limits.js'
import type { ApplyContext, Stability } from './apply-context.js'

/**
 * A string key's whole replicated state: a multi-value register whose visible value has the highest dot, edits that are replayed on it in dot
 * order, one counter contribution a member, and a register of expiry times whose latest time is visible.
 *
 * Sources: multi-value register and observed-remove after Shapiro et al. (2011) and Almeida et al. (delta CRDTs, 2018); contributions after the
 * resettable counter of Baquero, Almeida and Lerche (2016), with a base per contribution so that a reset removes exactly what it had seen.
 *
 * Assumes causal delivery, each op once; applying a run of ops again over a state that contains them and later ones ends in the same state. A
 * register entry below the highest one may be dropped, and an edit folded into the register, once their dots are stable.
 *
 * This is the general form, on the JavaScript heap; string-store keeps plain values and plain counters out of it.
 */
export interface RegisterEntry {
  readonly member: number
  readonly stamp: number
  readonly value: Uint8Array
}

export type Edit =
  | { readonly kind: 'append'; readonly bytes: Uint8Array }
  | { readonly kind: 'set-range'; readonly offset: number; readonly bytes: Uint8Array }
  /** The low `width` bits of `value`, at a bit offset. */
  | { readonly kind: 'set-bits'; readonly offset: number; readonly width: number; readonly value: bigint }

export interface EditEntry {
  readonly member: number
  readonly stamp: number
  readonly edit: Edit
}

export interface Contribution {
  readonly member: number
  /** Stamp of the contribution's first increment: tells it from one that was reset and began anew. */
  epoch: number
  stamp: number
  total: Decimal
  /** The part of total that a reset has taken away. */
  base: Decimal
  baseStamp: number
}

export interface ExpiryEntry {
  readonly member: number
  readonly stamp: number
  /** Unix ms, or Infinity for PERSIST. */
  readonly at: number
}

/** The highest dot of what makes the value; null when there is no value. */
export function newestDot(state: StringState): Dotted | null {
  const entries: Dotted[] = [...state.registers, ...state.edits, ...state.contributions]
  return entries.length === 0 ? null : entries.reduce((newest, entry) => (compareDots(entry, newest) > 0 ? entry : newest))
}

/** A contribution as a write or delete saw it. */
export interface Reset {
  readonly member: number
  readonly epoch: number
  readonly stamp: number
  readonly total: Decimal
}

export interface StringState {
  /** Ascending by dot: the last one is visible. */
  registers: RegisterEntry[]
  /** Ascending by dot. */
  edits: EditEntry[]
  /** Ascending by member. */
  contributions: Contribution[]
  /** Ascending by dot. */
  expiries: ExpiryEntry[]
  /**
   * While there are expiries but no value: the highest stamp seen when that came about, else 0. A write that is still under way, concurrent
   * with the removal, must find the expiry, so the entries stay until everything up to this stamp is stable.
   */
  orphanedAt: number
}

interface Dotted {
  readonly member: number
  readonly stamp: number
}

export function emptyStringState(): StringState {
  return { registers: [], edits: [], contributions: [], expiries: [], orphanedAt: 0 }
}

export function hasValue(state: StringState): boolean {
  return state.registers.length > 0 || state.edits.length > 0 || state.contributions.length > 0
}

/** What an effect does to the expiry beside the value. */
export type ExpiryChange = { readonly kind: 'clear' } | { readonly kind: 'keep' } | { readonly kind: 'set'; readonly at: number }

/** To be called after every effect: keeps orphanedAt. */
function noteOrphan(state: StringState, context: ApplyContext): void {
  state.orphanedAt = hasValue(state) || state.expiries.length === 0 ? 0 : Math.max(state.orphanedAt, context.now)
}

export function applySet(
  state: StringState,
  context: ApplyContext,
  value: Uint8Array,
  expiry: ExpiryChange,
  resets: readonly Reset[],
): void {
  removeObserved(state, context, resets)
  state.registers = withEntry(state.registers, { member: context.origin, stamp: context.stamp, value })
  if (expiry.kind !== 'keep') state.expiries = unobservedOf(state.expiries, context)
  if (expiry.kind === 'set') {
    state.expiries = withEntry(state.expiries, { member: context.origin, stamp: context.stamp, at: expiry.at })
  }
  noteOrphan(state, context)
}

/** DEL and its kin; with keepExpiry the removal of a key that is due. */
export function applyRemove(state: StringState, context: ApplyContext, keepExpiry: boolean, resets: readonly Reset[]): void {
  removeObserved(state, context, resets)
  if (!keepExpiry) state.expiries = unobservedOf(state.expiries, context)
  noteOrphan(state, context)
}

export function applyExpire(state: StringState, context: ApplyContext, at: number): void {
  state.expiries = withExpiry(state.expiries, context, at)
  noteOrphan(state, context)
}

export function applyEdit(state: StringState, context: ApplyContext, edit: Edit): void {
  const dot = { member: context.origin, stamp: context.stamp }
  // Folded already: the register carries the dot of the last edit in it.
  if (state.registers.some((entry) => compareDots(entry, dot) === 0)) return
  state.edits = withEntry(state.edits, { ...dot, edit })
  noteOrphan(state, context)
}

/** The origin's contribution after an increment by n. */
export function applyIncrement(state: StringState, context: ApplyContext, epoch: number, total: Decimal, n: Decimal): void {
  const { origin: member, stamp } = context
  const here = state.contributions.find((contribution) => contribution.member === member)
  if (here === undefined || here.epoch < epoch) {
    const fresh = { member, epoch, stamp, total, base: subtractDecimals(total, n), baseStamp: stamp - 1 }
    state.contributions = [...state.contributions.filter((contribution) => contribution !== here), fresh]
    state.contributions.sort((a, b) => a.member - b.member)
  } else if (here.epoch === epoch && here.stamp < stamp) {
    here.stamp = stamp
    here.total = total
  }
  noteOrphan(state, context)
}

function removeObserved(state: StringState, context: ApplyContext, resets: readonly Reset[]): void {
  const unobserved = (entry: Dotted) => !context.covers(entry.member, entry.stamp)
  state.registers = state.registers.filter(unobserved)
  state.edits = state.edits.filter(unobserved)
  for (const reset of resets) {
    const index = state.contributions.findIndex((contribution) => contribution.member === reset.member)
    if (index < 0) continue
    const here = state.contributions[index]
    if (here.epoch !== reset.epoch) continue
    if (context.covers(here.member, here.stamp)) {
      state.contributions.splice(index, 1)
    } else if (reset.stamp > here.baseStamp) {
      here.base = reset.total
      here.baseStamp = reset.stamp
    }
  }
}

/** The resets that a write made here, now, must carry. */
export function resetsOf(state: StringState): Reset[] {
  return state.contributions.map(({ member, epoch, stamp, total }) => ({ member, epoch, stamp, total }))
}

/** The latest time, with its dot: the highest dot among equals, so that every member names the same owner. Null when there is none. */
export function visibleExpiry(state: { readonly expiries: readonly ExpiryEntry[] }): ExpiryEntry | null {
  let visible: ExpiryEntry | null = null
  for (const entry of state.expiries) if (visible === null || entry.at >= visible.at) visible = entry
  return visible
}

/** Register and edits, replayed in dot order. */
export function baseText(state: StringState): Uint8Array {
  const register = state.registers.at(-1)
  let text = register?.value ?? new Uint8Array(0)
  for (const entry of state.edits) {
    if (register === undefined || compareDots(entry, register) > 0) text = editText(text, entry.edit)
  }
  return text
}

/** The visible value; null when the key has none. */
export function visibleText(state: StringState): Uint8Array | null {
  if (!hasValue(state)) return null
  const text = baseText(state)
  if (state.contributions.length === 0) return text
  const hasText = state.registers.length > 0 || state.edits.length > 0
  const base = hasText ? parseDecimal(Buffer.from(text).toString('latin1')) : DECIMAL_ZERO
  if (base === null) return text
  return plainBytes(
    Buffer.from(
      counterText(state.contributions.reduce((sum, c) => addDecimals(sum, subtractDecimals(c.total, c.base)), base)),
      'latin1',
    ),
  )
}

/** A merged sum as text: integers beyond 64 bits read as the nearest bound. */
function counterText(sum: Decimal): string {
  if (sum.scale > 0) return printDecimal(sum)
  if (sum.digits > INT64_MAX) return INT64_MAX.toString()
  if (sum.digits < INT64_MIN) return INT64_MIN.toString()
  return decimalToText(sum)
}

/**
 * Drops what no later op can tell apart: stable register entries below the highest one, and folds the stable edits that come before every
 * unstable entry into the register. Also expiry entries that are stable and not visible, and, when there is no value, stable ones altogether.
 */
export function settle(state: StringState, stability: Stability): void {
  const unstable = (entry: Dotted) => !stability.covers(entry.member, entry.stamp)
  const entries: (RegisterEntry | EditEntry)[] = [...state.registers, ...state.edits].sort(compareDots)
  const firstUnstable = entries.findIndex(unstable)
  const prefix = firstUnstable < 0 ? entries : entries.slice(0, firstUnstable)
  if (prefix.length > 1 || (prefix.length === 1 && 'edit' in prefix[0])) {
    let text: Uint8Array = new Uint8Array(0)
    for (const entry of prefix) text = 'edit' in entry ? editText(text, entry.edit) : entry.value
    const { member, stamp } = prefix[prefix.length - 1]
    const rest = entries.slice(prefix.length)
    state.registers = [{ member, stamp, value: text }, ...rest.filter((entry) => 'value' in entry)]
    state.edits = rest.filter((entry) => 'edit' in entry)
  }
  const keepVisible = hasValue(state) || !stability.coversAllUpTo(state.orphanedAt)
  state.expiries = settleExpiries(state.expiries, stability, hasValue(state), keepVisible)
}

/** What remains of expiry entries: the unstable ones, and the visible one when keepVisible. */
export function settleExpiries(
  entries: ExpiryEntry[],
  stability: Stability,
  besideValue: boolean,
  keepVisible: boolean,
): ExpiryEntry[] {
  if (entries.length === 0) return entries
  const visible = visibleExpiry({ expiries: entries })
  const kept = entries.filter((entry) => !stability.covers(entry.member, entry.stamp) || (keepVisible && entry === visible))
  // A PERSIST that everyone has, with nothing beside it, says what no entry says.
  const saysNothing = kept.length === 1 && kept[0].at === Infinity && stability.covers(kept[0].member, kept[0].stamp)
  return saysNothing && besideValue ? [] : kept
}

/** The entries after a write of the expiry. */
export function withExpiry(entries: readonly ExpiryEntry[], context: ApplyContext, at: number): ExpiryEntry[] {
  return withEntry(unobservedOf(entries, context), { member: context.origin, stamp: context.stamp, at })
}

/** The entries that the context's origin had not observed. */
export function unobservedOf<T extends Dotted>(entries: readonly T[], context: ApplyContext): T[] {
  return entries.filter((entry) => !context.covers(entry.member, entry.stamp))
}

/** True when settle might still change the state once more is stable. */
export function isUnsettled(state: StringState): boolean {
  return (
    state.registers.length > 1 ||
    state.edits.length > 0 ||
    state.expiries.length > 1 ||
    state.expiries[0]?.at === Infinity ||
    !hasValue(state)
  )
}

/** The text after an edit; a new array. */
export function editText(text: Uint8Array, edit: Edit): Uint8Array {
  switch (edit.kind) {
    case 'append': {
      const room = Math.max(0, Math.min(edit.bytes.length, LIMITS.maxBulkBytes - text.length))
      const longer = new Uint8Array(text.length + room)
      longer.set(text)
      longer.set(edit.bytes.subarray(0, room), text.length)
      return longer
    }
    case 'set-range': {
      const result = extended(text, edit.bytes.length === 0 ? 0 : edit.offset + edit.bytes.length)
      // Empty bytes are no edit at all, wherever they would go.
      if (edit.bytes.length > 0) result.set(edit.bytes, edit.offset)
      return result
    }
    case 'set-bits': {
      const result = extended(text, Math.ceil((edit.offset + edit.width) / 8))
      writeBits(result, 0, edit.offset, edit.width, edit.value)
      return result
    }
  }
}

function extended(text: Uint8Array, length: number): Uint8Array {
  const result = new Uint8Array(Math.max(text.length, length))
  result.set(text)
  return result
}

/** Writes the low width bits of value, most significant first, at a bit offset of the bytes that begin at start. */
export function writeBits(bytes: Uint8Array, start: number, bitOffset: number, width: number, value: bigint): void {
  for (let i = 0; i < width; i++) {
    const at = bitOffset + i
    const bit = Number((value >> BigInt(width - 1 - i)) & 1n)
    const index = start + Math.floor(at / 8)
    const mask = 0x80 >> (at % 8)
    bytes[index] = bit === 1 ? bytes[index] | mask : bytes[index] & ~mask
  }
}

export function compareDots(a: Dotted, b: Dotted): number {
  return a.stamp !== b.stamp ? a.stamp - b.stamp : a.member - b.member
}

/** The list with an entry in its place by dot; the same dot twice is one. */
function withEntry<T extends Dotted>(list: readonly T[], entry: T): T[] {
  const at = list.findIndex((other) => compareDots(other, entry) >= 0)
  if (at < 0) return [...list, entry]
  if (compareDots(list[at], entry) === 0) return [...list]
  return [...list.slice(0, at), entry, ...list.slice(at)]
}
