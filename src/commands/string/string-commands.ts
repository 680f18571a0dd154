import type { CommandSpec } from '../command-spec.js'
import { COUNTER_COMMANDS } from './counter-commands.js'
import { INCREX_COMMANDS } from './increx-command.js'
import { LCS_COMMANDS } from './lcs-command.js'
import { MULTI_KEY_COMMANDS } from './multi-key-commands.js'
import { RANGE_COMMANDS } from './range-commands.js'
import { VALUE_COMMANDS } from './value-commands.js'

export const STRING_COMMANDS: readonly CommandSpec[] = [
  ...VALUE_COMMANDS,
  ...MULTI_KEY_COMMANDS,
  ...RANGE_COMMANDS,
  ...COUNTER_COMMANDS,
  ...INCREX_COMMANDS,
  ...LCS_COMMANDS,
]
