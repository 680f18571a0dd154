import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'
import type { CommandSpec } from '../command-spec.js'

/** MONITOR: see engine/monitors. */
export const MONITOR_COMMAND: CommandSpec = {
  name: 'monitor',
  arity: 1,
  flags: ['admin', 'noscript', 'loading', 'stale'],
  group: 'server',
  since: '1.0.0',
  summary: 'Shows every command that clients of this member run, until the connection ends or says RESET.',
  complexity: 'O(1); afterwards each command takes longer while somebody watches.',
  handler: monitor,
}

function monitor(call: Call): void {
  if (call.engine.isInExec) throw new CommandError("ERR MONITOR isn't allowed for DENY BLOCKING client")
  call.reply.ok()
  call.engine.monitors.add(call.session)
}
