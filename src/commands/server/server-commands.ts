import type { CommandSpec } from '../command-spec.js'
import { ACCESS_COMMANDS } from './access-commands.js'
import { COMMAND_COMMAND } from './command-commands.js'
import { CONFIG_COMMAND } from './config-commands.js'
import { DEBUG_COMMAND } from './debug-commands.js'
import { INFO_COMMAND } from './info-command.js'
import { LATENCY_COMMAND } from './latency-commands.js'
import { LOLWUT_COMMAND } from './lolwut.js'
import { MEMORY_COMMAND } from './memory-commands.js'
import { PERSISTENCE_COMMANDS } from './persistence-commands.js'
import { REPLICATION_COMMANDS } from './replication-commands.js'
import { MONITOR_COMMAND } from './monitor-command.js'
import { SLOWLOG_COMMAND } from './slowlog-commands.js'
import { TIME_COMMAND } from './time-command.js'
import { WAIT_COMMANDS } from './wait-commands.js'

export const SERVER_COMMANDS: readonly CommandSpec[] = [
  COMMAND_COMMAND,
  CONFIG_COMMAND,
  DEBUG_COMMAND,
  INFO_COMMAND,
  LATENCY_COMMAND,
  LOLWUT_COMMAND,
  MEMORY_COMMAND,
  MONITOR_COMMAND,
  SLOWLOG_COMMAND,
  TIME_COMMAND,
  ...ACCESS_COMMANDS,
  ...PERSISTENCE_COMMANDS,
  ...REPLICATION_COMMANDS,
  ...WAIT_COMMANDS,
]
