/** The Redis whose commands and replies this is compatible with: client libraries choose features by it. */
export const REDIS_VERSION = '7.4.0'
