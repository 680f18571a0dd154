import type { CommandSpec } from '../command-spec.js'
import { BLOCKING_COMMANDS } from './blocking-commands.js'
import { COMBINE_COMMANDS } from './combine-commands.js'
import { POP_COMMANDS } from './pop-commands.js'
import { RANGE_COMMANDS } from './range-commands.js'
import { READ_COMMANDS } from './read-commands.js'
import { WALK_COMMANDS } from './walk-commands.js'
import { WRITE_COMMANDS } from './write-commands.js'

/** Commands on sorted sets. */
export const SORTED_SET_COMMANDS: readonly CommandSpec[] = [
  ...WRITE_COMMANDS,
  ...READ_COMMANDS,
  ...RANGE_COMMANDS,
  ...POP_COMMANDS,
  ...BLOCKING_COMMANDS,
  ...COMBINE_COMMANDS,
  ...WALK_COMMANDS,
]
