/** Redis' names of types, by KeyType; a HyperLogLog is a string. */
export const TYPE_NAMES = ['none', 'string', 'hash', 'set', 'zset', 'list', 'stream', 'string'] as const
