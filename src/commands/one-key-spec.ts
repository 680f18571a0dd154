import type { Call } from './call.js'
import {
  keyRange,
  type ArgumentSpec,
  type CommandFlag,
  type CommandGroup,
  type CommandSpec,
  type KeySpecFlag,
} from './command-spec.js'

const KEY: ArgumentSpec = { name: 'key', type: 'key', keySpecIndex: 0 }

/** Most of the specification of a command with one key, its first argument. The ACL category has the group's name. */
export function oneKeySpec(
  group: CommandGroup,
  name: string,
  arity: number,
  flags: readonly CommandFlag[],
  keyFlags: readonly KeySpecFlag[],
  since: string,
  summary: string,
  complexity: string,
  args: readonly ArgumentSpec[],
  handler: (call: Call) => void,
): CommandSpec {
  return {
    name,
    arity,
    flags,
    keys: keyRange(1, 1, 1, ...keyFlags),
    group,
    categories: [group],
    since,
    summary,
    complexity,
    arguments: [KEY, ...args],
    handler,
  }
}

/** All that oneKeySpec takes behind the group. */
export type SpecParts = Parameters<typeof oneKeySpec> extends [CommandGroup, ...infer Rest] ? Rest : never
