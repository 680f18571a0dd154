import type { CommandSpec } from '../command-spec.js'

export const TIME_COMMAND: CommandSpec = {
  name: 'time',
  arity: 1,
  flags: ['loading', 'stale', 'fast'],
  group: 'server',
  since: '2.6.0',
  summary: "The server's time: Unix seconds, and microseconds in that second.",
  complexity: 'O(1)',
  tips: ['nondeterministic_output'],
  handler: ({ reply, services }) => {
    const now = services.server.nowMicroseconds()
    reply.array(2)
    reply.bulkInteger(Math.floor(now / 1e6))
    reply.bulkInteger(now % 1e6)
  },
}
