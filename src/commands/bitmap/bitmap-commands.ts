import type { CommandSpec } from '../command-spec.js'
import { BIT_COMMANDS } from './bit-commands.js'
import { BITFIELD_COMMANDS } from './bitfield-commands.js'
import { BITOP_COMMANDS } from './bitop-command.js'

export const BITMAP_COMMANDS: readonly CommandSpec[] = [...BIT_COMMANDS, ...BITOP_COMMANDS, ...BITFIELD_COMMANDS]
