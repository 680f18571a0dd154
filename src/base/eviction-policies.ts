/** Which keys go when memory is short, by Redis' names and in the order of its error message. */
export const EVICTION_POLICIES = [
  'volatile-lru',
  'volatile-lfu',
  'volatile-random',
  'volatile-ttl',
  'allkeys-lru',
  'allkeys-lfu',
  'allkeys-random',
  'noeviction',
] as const
export type EvictionPolicy = (typeof EVICTION_POLICIES)[number]
