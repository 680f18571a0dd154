import { latin1 } from '../../src/base/bytes.js'
import { blockingTimeout } from '../../src/commands/blocking-timeout.js'
import type { Call } from '../../src/commands/call.js'
import { CommandError } from '../../src/commands/command-error.js'
import type { CommandFlag, CommandSpec } from '../../src/commands/command-spec.js'
import { CommandTable } from '../../src/commands/command-table.js'
import { ALL_COMMANDS } from '../../src/commands/registry.js'
import { KeyType } from '../../src/keyspace/database.js'
import { ExpiryMode } from '../../src/keyspace/string-store.js'

function spec(name: string, arity: number, flags: readonly CommandFlag[], handler: (call: Call) => void): CommandSpec {
  return { name, arity, flags: ['blocking', ...flags], group: 'generic', since: '1.0.0', summary: '', complexity: '', handler }
}

function value(call: Call, i: number): string | null {
  const ref = call.findString(i)
  if (ref === 0) return null
  const { strings } = call
  strings.read(call.db, ref)
  return latin1(strings.buf, strings.off, strings.len)
}

function set(call: Call, i: number, text: string): void {
  const { buf, off, len } = call.request
  call.effects.setString(call.database, buf, off[i], len[i], Buffer.from(text), 0, text.length, ExpiryMode.clear)
}

function remove(call: Call, i: number): void {
  const { buf, off, len } = call.request
  call.effects.remove(call.database, buf, off[i], len[i])
}

/** TAKE key … timeout: as BLPOP, with strings for lists of one. */
const take = spec('take', -3, ['write'], (call) => {
  const timeoutMs = blockingTimeout(call, call.argc - 1)
  const retry = (): boolean => {
    for (let i = 1; i < call.argc - 1; i++) {
      const text = value(call, i)
      if (text === null) continue
      remove(call, i)
      call.reply.array(2)
      call.reply.bulkString(call.text(i))
      call.reply.bulkString(text)
      return true
    }
    return false
  }
  if (!retry()) call.blockOn({ firstKey: 1, keyCount: call.argc - 2, type: KeyType.string, timeoutMs, retry })
})

/** CARRY source destination timeout: as BLMOVE. */
const carry = spec('carry', 4, ['write'], (call) => {
  const timeoutMs = blockingTimeout(call, 3)
  const retry = (): boolean => {
    const text = value(call, 1)
    if (text === null) return false
    if (text === 'poison') throw new CommandError('ERR poison')
    remove(call, 1)
    set(call, 2, text)
    call.reply.bulkString(text)
    return true
  }
  const timedOut = (reply: Call['reply']): void => reply.null()
  if (!retry()) call.blockOn({ firstKey: 1, keyCount: 1, type: KeyType.string, timeoutMs, retry, timedOut })
})

/** SEE key least timeout: as XREAD, waits until the number at key is beyond what it was, or at least so much. */
const see = spec('see', 4, ['readonly'], (call) => {
  const least = call.text(2) === '$' ? Number(value(call, 1)) + 1 : call.integer(2)
  const retry = (): boolean => {
    const text = value(call, 1)
    if (text === null || Number(text) < least) return false
    call.reply.bulkString(text)
    return true
  }
  const timeoutMs = blockingTimeout(call, 3)
  if (!retry()) call.blockOn({ firstKey: 1, keyCount: 1, type: KeyType.string, timeoutMs, retry })
})

/** JOIN key timeout: as XREADGROUP, waits for a value above 9 of a key that must be there. */
const join = spec('join', 3, ['write'], (call) => {
  const retry = (): boolean => {
    const text = value(call, 1)
    if (text === null) throw new CommandError('NOGROUP no such key')
    if (Number(text) < 10) return false
    set(call, 1, '0')
    call.reply.bulkString(text)
    return true
  }
  const timeoutMs = blockingTimeout(call, 2)
  if (!retry()) call.blockOn({ firstKey: 1, keyCount: 1, type: KeyType.string, timeoutMs, retry, alsoWhenGone: true })
})

export function tableWithBlockingCommands(): CommandTable {
  return new CommandTable([...ALL_COMMANDS, take, carry, see, join])
}
