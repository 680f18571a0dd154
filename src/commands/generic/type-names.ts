/** Redis' names of types, by KeyType. */
export const TYPE_NAMES = ['none', 'string', 'hash', 'set', 'zset', 'list', 'stream'] as const
