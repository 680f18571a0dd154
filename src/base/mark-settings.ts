/** For how long, and how many of a producer, messages of a stream are known that producers have named (XADD IDMP). Redis' own defaults and bounds. */
export const DEFAULT_DURATION_S = 100
export const MAX_DURATION_S = 86_400
export const DEFAULT_MAX_SIZE = 100
export const MAX_MAX_SIZE = 10_000

/** Whether settings are such as XCFGSET takes. */
export function areMarkSettings(durationS: number, maxSize: number): boolean {
  return durationS >= 1 && durationS <= MAX_DURATION_S && maxSize >= 1 && maxSize <= MAX_MAX_SIZE
}

/** Whether settings say what goes without them. */
export function areDefaultSettings(durationS: number, maxSize: number): boolean {
  return durationS === DEFAULT_DURATION_S && maxSize === DEFAULT_MAX_SIZE
}
