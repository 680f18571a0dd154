import type { CommandSpec } from '../command-spec.js'
import { PLACE_COMMANDS } from './place-commands.js'
import { SEARCH_COMMANDS } from './search-commands.js'

/** Commands on places. */
export const GEO_COMMANDS: readonly CommandSpec[] = [...PLACE_COMMANDS, ...SEARCH_COMMANDS]
