import type { CommandSpec } from '../command-spec.js'
import { DATABASE_COMMANDS } from './database-commands.js'
import { DUMP_COMMANDS } from './dump-commands.js'
import { EXPIRY_COMMANDS } from './expiry-commands.js'
import { KEY_COMMANDS } from './key-commands.js'
import { MIGRATE_COMMANDS } from './migrate-command.js'
import { OBJECT_COMMANDS } from './object-commands.js'
import { RENAME_COMMANDS } from './rename-commands.js'
import { SCAN_COMMANDS } from './scan-commands.js'
import { SORT_COMMANDS } from './sort-commands.js'

/** Commands on keys whatever they hold, and on whole databases. */
export const GENERIC_COMMANDS: readonly CommandSpec[] = [
  ...KEY_COMMANDS,
  ...EXPIRY_COMMANDS,
  ...SCAN_COMMANDS,
  ...SORT_COMMANDS,
  ...RENAME_COMMANDS,
  ...DUMP_COMMANDS,
  ...MIGRATE_COMMANDS,
  ...OBJECT_COMMANDS,
  ...DATABASE_COMMANDS,
]
