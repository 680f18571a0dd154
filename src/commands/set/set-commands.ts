import type { CommandSpec } from '../command-spec.js'
import { ALGEBRA_COMMANDS } from './algebra-commands.js'
import { MEMBER_COMMANDS } from './member-commands.js'

export const SET_COMMANDS: readonly CommandSpec[] = [...MEMBER_COMMANDS, ...ALGEBRA_COMMANDS]
