import { ALL_COMMANDS } from '../../../src/commands/registry.js'
import type { CommandSpec } from '../../../src/commands/command-spec.js'
import { CommandTable } from '../../../src/commands/command-table.js'
import { ReplyWriter } from '../../../src/resp/reply-writer.js'
import { Request } from '../../../src/resp/request.js'
import { EngineHarness, ManualClock, type HarnessOptions } from '../../support/engine-harness.js'

/** A stand-in while the connection commands are not in the registry. */
const SELECT: CommandSpec = {
  name: 'select',
  arity: 2,
  flags: [],
  group: 'connection',
  since: '1.0.0',
  summary: '',
  complexity: '',
  handler: (call) => {
    call.session.database = call.integer(1)
    call.reply.ok()
  },
}

const missing = ALL_COMMANDS.some((command) => command.name === 'select') ? [] : [SELECT]

export class KeysHarness extends EngineHarness {
  constructor(options: HarnessOptions = {}, clock = new ManualClock()) {
    super({ ...options, services: { table: new CommandTable([...ALL_COMMANDS, ...missing]), ...options.services } }, clock)
  }

  /** Runs many commands in one turn and drops their replies. */
  fill(count: number, command: (i: number) => readonly string[]): void {
    const reply = new ReplyWriter()
    for (let i = 0; i < count; i++) {
      this.engine.execute(this.session, Request.of(command(i)), reply)
      reply.reset()
    }
    this.engine.endTurn()
  }

  /** Every key of a database, by repeated SCAN, each with how often it came. */
  scanAll(...options: string[]): Map<string, number> {
    const seen = new Map<string, number>()
    let cursor = '0'
    do {
      const [next, keys] = this.run('SCAN', cursor, ...options) as [string, string[]]
      for (const key of keys) seen.set(key, (seen.get(key) ?? 0) + 1)
      cursor = next
    } while (cursor !== '0')
    return seen
  }
}
