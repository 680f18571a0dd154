import { CommandError } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'

/**
 * MULTI, EXEC, DISCARD, WATCH, UNWATCH. A transaction is one op: it becomes visible as a whole in every region. The engine queues and
 * runs it; EXEC's handler is therefore never called.
 */
export const TRANSACTION_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'multi',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
    group: 'transactions',
    categories: ['transaction'],
    since: '1.2.0',
    summary: 'Begins a transaction: commands that follow are queued until EXEC.',
    complexity: 'O(1)',
    handler: (call) => {
      if (call.session.queued !== null) throw new CommandError('ERR MULTI calls can not be nested')
      call.services.transactions.multi(call.session)
      call.reply.ok()
    },
  },
  {
    name: 'exec',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'skip_slowlog'],
    group: 'transactions',
    categories: ['transaction'],
    since: '1.2.0',
    summary: 'Runs the queued commands of a transaction as one operation, in every region.',
    complexity: 'Depends on the queued commands',
    handler: () => {
      throw new CommandError('ERR EXEC without MULTI')
    },
  },
  {
    name: 'discard',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
    group: 'transactions',
    categories: ['transaction'],
    since: '2.0.0',
    summary: 'Drops the queued commands of a transaction.',
    complexity: 'O(N), N being the number of queued commands',
    handler: (call) => {
      if (call.session.queued === null) throw new CommandError('ERR DISCARD without MULTI')
      call.services.transactions.discard(call.session)
      call.reply.ok()
    },
  },
  {
    name: 'watch',
    arity: -2,
    flags: ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
    keys: keyRange(1, -1, 1, 'RO'),
    group: 'transactions',
    categories: ['transaction'],
    since: '2.2.0',
    summary: 'Makes the next EXEC fail if one of the keys changes before it, here or in another region.',
    complexity: 'O(1) for each key',
    arguments: [{ name: 'key', type: 'key', keySpecIndex: 0, flags: ['multiple'] }],
    handler: (call) => {
      if (call.session.queued !== null) throw new CommandError('ERR WATCH inside MULTI is not allowed')
      for (let i = 1; i < call.argc; i++) call.services.transactions.watch(call.session, call.database, call.bytes(i))
      call.reply.ok()
    },
  },
  {
    name: 'unwatch',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
    group: 'transactions',
    categories: ['transaction'],
    since: '2.2.0',
    summary: 'Forgets all watched keys.',
    complexity: 'O(1)',
    handler: (call) => {
      call.services.transactions.unwatch(call.session)
      call.reply.ok()
    },
  },
]
