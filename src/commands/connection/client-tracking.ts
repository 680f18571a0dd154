import { CommandError } from '../command-error.js'
import type { CommandSpec } from '../command-spec.js'

const NOT_YET = 'ERR Client tracking is not supported by this version of Meridian'

function refused(name: string, arity: number, since: string, summary: string): CommandSpec {
  return {
    name,
    arity,
    flags: ['noscript', 'loading', 'stale'],
    group: 'connection',
    categories: ['connection'],
    since,
    summary,
    complexity: 'O(1)',
    handler: () => {
      throw new CommandError(NOT_YET)
    },
  }
}

/** Client-side caching is not there yet; what asks for it hears so, instead of waiting for invalidations that never come. */
export const CLIENT_TRACKING_COMMANDS: readonly CommandSpec[] = [
  refused('caching', 3, '6.0.0', 'Refused: client tracking is not supported yet.'),
  {
    ...refused('tracking', -3, '6.0.0', 'Turns client tracking off; turning it on is not supported yet.'),
    handler: (call) => {
      if (!call.is(2, 'OFF')) throw new CommandError(NOT_YET)
      call.reply.ok()
    },
  },
  {
    ...refused('getredir', 2, '6.0.0', 'Where invalidations go: -1, because tracking is off.'),
    handler: (call) => call.reply.integer(-1),
  },
  {
    ...refused('trackinginfo', 2, '6.2.0', 'State of client tracking: off.'),
    handler: ({ reply }) => {
      reply.map(3)
      reply.bulkString('flags')
      reply.set(1)
      reply.bulkString('off')
      reply.bulkString('redirect')
      reply.integer(-1)
      reply.bulkString('prefixes')
      reply.array(0)
    },
  },
]
