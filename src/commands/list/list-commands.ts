import type { CommandSpec } from '../command-spec.js'
import { BLOCKING_COMMANDS } from './blocking-commands.js'
import { EDIT_COMMANDS } from './edit-commands.js'
import { MOVE_COMMANDS } from './move-commands.js'
import { POP_COMMANDS } from './pop-commands.js'
import { PUSH_COMMANDS } from './push-commands.js'
import { READ_COMMANDS } from './read-commands.js'

export const LIST_COMMANDS: readonly CommandSpec[] = [
  ...PUSH_COMMANDS,
  ...POP_COMMANDS,
  ...READ_COMMANDS,
  ...EDIT_COMMANDS,
  ...MOVE_COMMANDS,
  ...BLOCKING_COMMANDS,
]
