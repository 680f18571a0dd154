import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import type { CommandSpec } from '../command-spec.js'

const COMMON = { group: 'server', since: '1.0.0', complexity: 'O(N), N being the number of keys in all databases' } as const

/**
 * Snapshots by hand. BGSAVE and BGREWRITEAOF do the same, because a snapshot is what the log is rewritten to: they are told apart in INFO and in what they
 * answer while one of them is under way, as in Redis.
 */
export const PERSISTENCE_COMMANDS: readonly CommandSpec[] = [
  {
    ...COMMON,
    name: 'save',
    arity: 1,
    flags: ['admin', 'noscript', 'no_async_loading', 'no_multi'],
    summary: 'Writes a snapshot while everybody waits.',
    handler: save,
  },
  {
    ...COMMON,
    name: 'bgsave',
    arity: -1,
    flags: ['admin', 'noscript', 'no_async_loading'],
    summary: 'Writes a snapshot in the background.',
    complexity: 'O(1)',
    history: [['3.2.2', 'The SCHEDULE option.']],
    arguments: [{ name: 'schedule', type: 'pure-token', token: 'SCHEDULE', flags: ['optional'], since: '3.2.2' }],
    handler: backgroundSave,
  },
  {
    ...COMMON,
    name: 'bgrewriteaof',
    arity: 1,
    flags: ['admin', 'noscript', 'no_async_loading'],
    summary: 'Writes a snapshot in the background and lets go of what of the log is not needed any more.',
    complexity: 'O(1)',
    handler: backgroundRewrite,
  },
  {
    ...COMMON,
    name: 'lastsave',
    arity: 1,
    flags: ['loading', 'stale', 'fast'],
    categories: ['admin', 'dangerous'],
    summary: 'When the last snapshot was begun, as a Unix time.',
    complexity: 'O(1)',
    tips: ['nondeterministic_output'],
    handler: ({ reply, services }) => reply.integer(Math.floor(services.persistence.report.lastSaveMs / 1000)),
  },
]

const SAVING = 'ERR Background save already in progress'

function save({ reply, services: { persistence } }: Call): void {
  if (persistence.report.running === 'save') throw new CommandError(SAVING)
  if (persistence.refusal !== null) throw new CommandError(persistence.refusal)
  const failure = persistence.saveNow()
  if (failure !== null) throw new CommandError(`ERR ${failure}`)
  reply.ok()
}

function backgroundSave(call: Call): void {
  const { persistence } = call.services
  const schedule = call.argc === 2 && call.is(1, 'SCHEDULE')
  if (call.argc > 1 && !schedule) throw syntaxError()
  const { running } = persistence.report
  if (running === 'save') throw new CommandError(SAVING)
  if (running !== null && !schedule && !call.engine.isInExec) {
    throw new CommandError(
      "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.",
    )
  }
  begin(call, 'save', 'Background saving')
}

function backgroundRewrite(call: Call): void {
  if (call.services.persistence.report.running === 'rewrite')
    throw new CommandError('ERR Background append only file rewriting already in progress')
  begin(call, 'rewrite', 'Background append only file rewriting')
}

function begin({ engine, reply, services: { persistence } }: Call, kind: 'save' | 'rewrite', what: string): void {
  if (persistence.refusal !== null) throw new CommandError(persistence.refusal)
  if (engine.isInExec || persistence.report.running !== null) {
    persistence.schedule(kind)
    reply.simpleString(`${what} scheduled`)
  } else {
    persistence.begin(kind)
    reply.simpleString(`${what} started`)
  }
}
