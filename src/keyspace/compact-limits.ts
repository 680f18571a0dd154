import { LIMITS } from '../base/limits.js'

/**
 * How far Redis would keep a collection in its compact encodings (listpack, intset): its settings of these names. They decide what OBJECT ENCODING says,
 * and up to which size a collection is packed into one block here. That ends at bounds of its own, whatever the settings allow: see LIMITS.
 */
export interface CompactLimits {
  readonly hashMaxListpackEntries: number
  readonly hashMaxListpackValue: number
  readonly setMaxIntsetEntries: number
  readonly setMaxListpackEntries: number
  readonly setMaxListpackValue: number
  readonly zsetMaxListpackEntries: number
  readonly zsetMaxListpackValue: number
  /** Elements of a list when positive; -1 … -5: 4, 8, 16, 32, 64 KiB. */
  readonly listMaxListpackSize: number
}

/** Redis' own. */
export const DEFAULT_COMPACT_LIMITS: CompactLimits = {
  hashMaxListpackEntries: 512,
  hashMaxListpackValue: 64,
  setMaxIntsetEntries: 512,
  setMaxListpackEntries: 128,
  setMaxListpackValue: 64,
  zsetMaxListpackEntries: 128,
  zsetMaxListpackValue: 64,
  listMaxListpackSize: -2,
}

/** Elements of a collection in one block. */
export function packedElements(entries: number): number {
  return Math.min(entries, LIMITS.packedElements)
}

/** Bytes of one element in such a block. */
export function packedElementBytes(bytes: number): number {
  return Math.min(bytes, LIMITS.packedElementBytes)
}
