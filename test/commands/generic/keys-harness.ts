import { ALL_COMMANDS } from '../../../src/commands/registry.js'
import type { CommandSpec } from '../../../src/commands/command-spec.js'
import { CommandTable } from '../../../src/commands/command-table.js'
import { ExpiryMode } from '../../../src/keyspace/string-store.js'
import { ReplyWriter } from '../../../src/resp/reply-writer.js'
import { Request } from '../../../src/resp/request.js'
import { EngineHarness, ManualClock, type HarnessOptions } from '../../support/engine-harness.js'

const spec = (name: string, arity: number, handler: NonNullable<CommandSpec['handler']>): CommandSpec => ({
  name,
  arity,
  flags: name === 'get' ? ['readonly'] : ['write'],
  group: 'string',
  since: '1.0.0',
  summary: '',
  complexity: '',
  handler,
})

/** Stand-ins while the string commands are not in the registry. */
const STAND_INS: readonly CommandSpec[] = [
  spec('set', -3, (call) => {
    const { buf, off, len } = call.request
    const at = call.argc === 5 ? call.nowMs + call.integer(4) : 0
    call.effects.setString(call.database, buf, off[1], len[1], buf, off[2], len[2], at === 0 ? ExpiryMode.clear : ExpiryMode.set, at)
    call.reply.ok()
  }),
  spec('get', 2, (call) => {
    const ref = call.findStringForRead(1)
    if (ref === 0) {
      call.reply.null()
      return
    }
    call.strings.read(call.db, ref)
    call.reply.bulk(call.strings.buf, call.strings.off, call.strings.len)
  }),
  spec('append', 3, (call) => {
    const { buf, off, len } = call.request
    call.effects.edit(call.database, buf, off[1], len[1], { kind: 'append', bytes: call.bytes(2).slice() })
    call.reply.integer(0)
  }),
  spec('incrby', 3, (call) => {
    const { buf, off, len } = call.request
    const ref = call.findString(1)
    const result = (ref === 0 ? 0 : call.strings.counterValue(call.db, ref)) + call.integer(2)
    call.effects.addInteger(call.database, buf, off[1], len[1], call.integer(2), result)
    call.reply.integer(result)
  }),
  spec('select', 2, (call) => {
    call.session.database = call.integer(1)
    call.reply.ok()
  }),
]

const missing = STAND_INS.filter((standIn) => !ALL_COMMANDS.some((command) => command.name === standIn.name))

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
