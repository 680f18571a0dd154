import type { CommandSpec } from '../command-spec.js'

/** Redis' categories in the order of ACL CAT, and Meridian's own at the end. */
export const ACL_CATEGORIES = [
  'keyspace',
  'read',
  'write',
  'set',
  'sortedset',
  'list',
  'hash',
  'string',
  'bitmap',
  'hyperloglog',
  'geo',
  'stream',
  'pubsub',
  'admin',
  'fast',
  'slow',
  'blocking',
  'dangerous',
  'connection',
  'transaction',
  'scripting',
  'crdt',
] as const

/** A command's categories, those that its flags imply included, in the order above. A container has none but its subcommands'. */
export function categoriesOf(spec: CommandSpec): readonly string[] {
  const { flags } = spec
  const set = new Set(spec.categories)
  if (flags.includes('write')) set.add('write')
  // Scripts that only read are not for those who may only read keys.
  if (flags.includes('readonly') && !set.has('scripting')) set.add('read')
  if (flags.includes('admin')) set.add('admin').add('dangerous')
  if (flags.includes('pubsub')) set.add('pubsub')
  if (flags.includes('blocking')) set.add('blocking')
  set.add(flags.includes('fast') ? 'fast' : 'slow')
  return ACL_CATEGORIES.filter((category) => set.has(category))
}
