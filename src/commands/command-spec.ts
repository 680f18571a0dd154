import type { Request } from '../resp/request.js'
import type { Call } from './call.js'

/** Redis' command flags, as COMMAND INFO prints them. */
export type CommandFlag =
  | 'write'
  | 'readonly'
  | 'denyoom'
  | 'admin'
  | 'pubsub'
  | 'noscript'
  | 'blocking'
  | 'loading'
  | 'stale'
  | 'skip_monitor'
  | 'skip_slowlog'
  | 'asking'
  | 'fast'
  | 'no_auth'
  | 'may_replicate'
  | 'no_mandatory_keys'
  | 'no_async_loading'
  | 'no_multi'
  | 'movablekeys'
  | 'allow_busy'
  | 'protected'

export type CommandGroup =
  | 'string'
  | 'bitmap'
  | 'generic'
  | 'connection'
  | 'server'
  | 'transactions'
  | 'crdt'
  | 'hash'
  | 'set'
  | 'sorted-set'
  | 'geo'
  | 'list'
  | 'stream'
  | 'hyperloglog'
  | 'pubsub'
  | 'scripting'
  | 'cluster'

/** What a command does with the keys of one key specification; Redis' key-spec flags. */
export type KeySpecFlag =
  'RO' | 'RW' | 'OW' | 'RM' | 'access' | 'update' | 'insert' | 'delete' | 'not_key' | 'incomplete' | 'variable_flags'

/** Where keys stand among the arguments; Redis' key specifications. Positions count the command's name as 0. */
export interface KeySpec {
  readonly flags: readonly KeySpecFlag[]
  readonly beginSearch: { readonly index: number } | { readonly keyword: string; readonly startFrom: number } | 'unknown'
  readonly findKeys:
    | { readonly lastKey: number; readonly step: number; readonly limit: number }
    | { readonly keyNumIndex: number; readonly firstKey: number; readonly step: number }
    | 'unknown'
}

/** One argument in COMMAND DOCS. */
export interface ArgumentSpec {
  readonly name: string
  readonly type: 'string' | 'integer' | 'double' | 'key' | 'pattern' | 'unix-time' | 'pure-token' | 'oneof' | 'block'
  readonly token?: string
  readonly flags?: readonly ('optional' | 'multiple' | 'multiple_token')[]
  readonly keySpecIndex?: number
  readonly since?: string
  readonly summary?: string
  readonly arguments?: readonly ArgumentSpec[]
}

/**
 * A command as data. Arity checks, COMMAND and its subcommands, ACL categories and the documentation derive from it.
 */
export interface CommandSpec {
  /** Lower case; a subcommand has its own name only, such as 'list'. */
  readonly name: string
  /** Number of arguments, the name (and container's name) included; negative: at least. */
  readonly arity: number
  readonly flags: readonly CommandFlag[]
  readonly keys?: readonly KeySpec[]
  /**
   * What a command whose keys say variable_flags does with its key, by its arguments: those of a request from `at` on, the command's name being the
   * first.
   */
  readonly keyFlags?: (request: Request, at: number) => readonly KeySpecFlag[]
  /** Where the keys are, for a command whose options must be gone through to find them; as keyFlags. */
  readonly keyRange?: (request: Request, at: number) => { readonly first: number; readonly count: number }
  readonly group: CommandGroup
  /** ACL categories that the flags do not imply, without @. */
  readonly categories?: readonly string[]
  readonly since: string
  readonly summary: string
  readonly complexity: string
  readonly arguments?: readonly ArgumentSpec[]
  readonly history?: readonly (readonly [string, string])[]
  readonly deprecated?: { readonly since: string; readonly replacedBy: string }
  readonly tips?: readonly string[]
  /** Absent for containers, which only have subcommands. */
  readonly handler?: (call: Call) => void
  readonly subcommands?: readonly CommandSpec[]
}

/** Keys at first, first+step, … last (negative: from the end), as in Redis' older notation. */
export function keyRange(first: number, last: number, step: number, ...flags: KeySpecFlag[]): readonly KeySpec[] {
  const lastKey = last < 0 ? last : last - first
  return [{ flags, beginSearch: { index: first }, findKeys: { lastKey, step, limit: 0 } }]
}
