import { KEY_COMMANDS } from './key-commands.js'
import { WrongType, type ModelStore } from './model-store.js'
import type { Reply } from './reply.js'
import { VALUE_TYPES } from './types/all-types.js'
import type { Handler } from './types/value-type.js'

/**
 * What the commands of the workload answer and write, given the state that their client sees: a second, slow and plain
 * reading of Redis' documentation. The workload gives only well-formed commands.
 */
const HANDLERS = new Map<string, Handler>(
  [KEY_COMMANDS, ...VALUE_TYPES.map(({ commands }) => commands)].flatMap((commands) => Object.entries(commands)),
)

/**
 * Runs one command on the model and gives the reply that a member must give. Where it may choose, its reply says what it chose (hint): that is
 * taken when it is right.
 */
export function modelCommand(store: ModelStore, db: number, args: readonly string[], hint: Reply | null = null): Reply {
  const handler = HANDLERS.get(args[0])
  if (handler === undefined) throw new Error(`the model does not know ${args[0]}`)
  store.hint = hint
  try {
    return handler(store, db, args)
  } catch (error) {
    if (error instanceof WrongType) return '-WRONGTYPE'
    throw error
  } finally {
    store.endCommand()
  }
}

/** The same for a MULTI/EXEC block: the replies of MULTI, of the queueing, and of EXEC. */
export function modelTransaction(
  store: ModelStore,
  db: number,
  commands: readonly (readonly string[])[],
  hint: Reply | null = null,
): Reply[] {
  const results = commands.map((args, i) =>
    modelCommand(store, db, args, hint === null || typeof hint === 'string' ? null : hint[i]),
  )
  return ['+OK', ...commands.map(() => '+QUEUED'), results]
}
