/**
 * Identifiers and stamps, branded so that a number of one kind cannot be passed for another.
 */

/** A member's small integer id, 1 to 255, assigned once and never reused. */
export type MemberId = number & { readonly __brand: 'MemberId' }

/**
 * Hybrid logical clock reading: (milliseconds since 2024-01-01T00:00:00Z) * 4096 + counter.
 * A safe integer; strictly increasing per member. 0 means "before everything".
 */
export type Stamp = number & { readonly __brand: 'Stamp' }

/** The highest member id: ids index arrays of 256 and are the low byte of stream entry ids. */
export const MAX_MEMBER_ID = 255

/** Unix milliseconds at which stamps begin: 2024-01-01T00:00:00Z. */
export const STAMP_EPOCH_MS = 1_704_067_200_000

/** Stamps a member can give out within one millisecond before it borrows from the next. */
export const STAMPS_PER_MS = 4096

/** The first stamp of a Unix millisecond. */
export function stampAt(unixMs: number): Stamp {
  return ((unixMs - STAMP_EPOCH_MS) * STAMPS_PER_MS) as Stamp
}

/** The Unix millisecond that a stamp was given out in. */
export function stampToUnixMs(stamp: Stamp): number {
  return Math.floor(stamp / STAMPS_PER_MS) + STAMP_EPOCH_MS
}

export function isMemberId(value: number): value is MemberId {
  return Number.isInteger(value) && value >= 1 && value <= MAX_MEMBER_ID
}
