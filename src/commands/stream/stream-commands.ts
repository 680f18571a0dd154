import type { CommandSpec } from '../command-spec.js'
import { STREAM_ENTRY_COMMANDS } from './entry-commands.js'
import { STREAM_GROUP_COMMANDS } from './group-commands.js'
import { STREAM_INFO_COMMANDS } from './info-commands.js'
import { STREAM_MARK_COMMANDS } from './marking.js'
import { STREAM_PENDING_COMMANDS } from './pending-commands.js'
import { STREAM_RANGE_COMMANDS } from './range-commands.js'
import { STREAM_READ_COMMANDS } from './read-commands.js'
import { STREAM_RELEASE_COMMANDS } from './release-commands.js'

/** Streams and their groups. */
export const STREAM_COMMANDS: readonly CommandSpec[] = [
  ...STREAM_ENTRY_COMMANDS,
  ...STREAM_RANGE_COMMANDS,
  ...STREAM_READ_COMMANDS,
  ...STREAM_GROUP_COMMANDS,
  ...STREAM_PENDING_COMMANDS,
  ...STREAM_RELEASE_COMMANDS,
  ...STREAM_INFO_COMMANDS,
  ...STREAM_MARK_COMMANDS,
]
