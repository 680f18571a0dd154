import type { CommandSpec } from '../command-spec.js'
import { FIELD_EXPIRY_COMMANDS } from './expiry-commands.js'
import { EXTENDED_COMMANDS } from './extended-commands.js'
import { FIELD_COMMANDS } from './field-commands.js'
import { IMPORT_COMMANDS } from './import-commands.js'
import { INCREMENT_COMMANDS } from './increment-commands.js'
import { RANDOM_COMMANDS } from './random-commands.js'

export const HASH_COMMANDS: readonly CommandSpec[] = [
  ...FIELD_COMMANDS,
  ...INCREMENT_COMMANDS,
  ...IMPORT_COMMANDS,
  ...RANDOM_COMMANDS,
  ...FIELD_EXPIRY_COMMANDS,
  ...EXTENDED_COMMANDS,
]
