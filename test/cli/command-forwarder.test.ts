import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { CommandForwarder, type ForwardOptions } from '../../src/cli/import/command-forwarder.js'
import { EXPIRY_SHIFT_MS, withLaterExpiry } from '../../src/cli/import/expiry-shift.js'
import { KeySelection } from '../../src/cli/import/key-selection.js'
import { PipelinedClient } from '../../src/cli/pipelined-client.js'
import { startMember, type TestMember } from './import-rig.js'

let member: TestMember
let target: PipelinedClient

beforeAll(async () => {
  member = await startMember()
  target = await PipelinedClient.connect({ host: '127.0.0.1', port: member.redis.options.port! }, 2000, 10_000)
  target.trustDatabases(16)
})
afterAll(async () => {
  target.close()
  await member.stop()
})
beforeEach(async () => {
  await member.redis.flushall()
})

let acks = 0
function forwarder(options: Partial<ForwardOptions> = {}): CommandForwarder {
  acks = 0
  return new CommandForwarder(
    target,
    {
      selection: KeySelection.of([], [], undefined),
      skipUnsupported: false,
      supported: new Set(['SET', 'INCR', 'LPUSH', 'FLUSHDB', 'FLUSHALL', 'SWAPDB', 'COPY']),
      sourceDatabases: 16,
      targetDatabases: 16,
      source: 'old:6379',
      onAckRequest: () => acks++,
      ...options,
    },
    1000,
  )
}

function encoded(...commands: string[]): Buffer {
  const lines = commands.map((command) => {
    const args = command.split(' ')
    return `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`
  })
  return Buffer.from(lines.join(''))
}

describe('the writes of a source', () => {
  it('arrive in order, however the bytes are cut, and are counted as they are answered', async () => {
    const bytes = encoded(
      'SELECT 2',
      'SET a 1',
      'PING',
      'MULTI',
      'INCR a',
      'SELECT 0',
      'SET b 2',
      'EXEC',
      'REPLCONF GETACK *',
      'SELECT 2',
      'INCR a',
    )
    const commands = forwarder()
    for (let at = 0; at < bytes.length; at += 7) await commands.take(bytes.subarray(at, at + 7))
    await commands.finish()
    expect(commands.appliedOffset).toBe(1000 + bytes.length)
    expect(commands.forwarded).toBe(6)
    expect(acks).toBe(1)
    expect(await member.redis.get('b')).toBe('2')
    await member.redis.select(2)
    expect(await member.redis.get('a')).toBe('3')
    await member.redis.select(0)
  })

  it('that Meridian has no command for stop it with the name, or are counted', async () => {
    await expect(forwarder().take(encoded('SET a 1', 'JSON.SET a $ 1'))).rejects.toThrow(
      'The writes of old:6379 cannot be followed at byte 1066 of its stream: Meridian has no JSON.SET (MRD_SOURCE)',
    )
    const skipping = forwarder({ skipUnsupported: true })
    await skipping.take(encoded('JSON.SET a $ 1', 'SET a 2', 'JSON.SET a $ 1'))
    await skipping.finish()
    expect([...skipping.unsupported]).toEqual([['JSON.SET', 2]])
    expect(await member.redis.get('a')).toBe('2')
  })

  it('that the target refuses stop it with command and key', async () => {
    for (const commands of [
      ['SET a x', 'INCR a'],
      ['SET a x', 'MULTI', 'SET b 1', 'INCR a', 'EXEC'],
    ]) {
      const refused = forwarder()
      await refused.take(encoded(...commands))
      await expect(refused.finish()).rejects.toThrow(
        /refuses (INCR "a"|EXEC), written by old:6379 before byte \d+ of its stream: ERR value is not an integer/,
      )
    }
  })

  it('go where their database goes, and those that name databases themselves are refused then', async () => {
    const selection = KeySelection.of(['1'], ['1:5'], undefined)
    const moved = forwarder({ selection })
    await moved.take(encoded('SET a 1', 'SELECT 1', 'SET a 1', 'FLUSHALL', 'SET b 1', 'COPY b c'))
    await moved.finish()
    expect(moved.unselected).toBe(1)
    expect(await member.redis.dbsize()).toBe(0)
    await member.redis.select(5)
    expect((await member.redis.keys('*')).sort()).toEqual(['b', 'c'])
    await member.redis.select(0)
    for (const command of ['SWAPDB 0 1', 'COPY a b DB 2']) {
      await expect(forwarder({ selection }).take(encoded('SELECT 1', command))).rejects.toThrow('names databases itself')
    }
    await expect(forwarder().take(encoded('SELECT 99', 'SET a 1'))).rejects.toThrow('the target has no database 99')
  })

  it('that are no commands stop it', async () => {
    await expect(forwarder().take(Buffer.from('*1\r\n:5\r\n'))).rejects.toThrow("no sequence of commands: expected '$', got ':'")
  })
})

describe('a time of expiry', () => {
  it.each([
    ['SET k v PXAT 5000', 'SET k v PXAT 6000'],
    ['SET k v KEEPTTL', 'SET k v KEEPTTL'],
    ['SET EX EX EX 5', 'SET EX EX PXAT 15000'],
    ['SET k v GET EXAT 7', 'SET k v GET PXAT 8000'],
    ['SETEX k 5 v', 'SET k v PXAT 15000'],
    ['PSETEX k 5 v', 'SET k v PXAT 10005'],
    ['PEXPIREAT k 5000', 'PEXPIREAT k 6000'],
    ['EXPIRE k 5 NX', 'PEXPIREAT k 15000 NX'],
    ['GETEX k PERSIST', 'GETEX k PERSIST'],
    ['GETEX k PX 5', 'GETEX k PXAT 10005'],
    ['RESTORE k 0 payload', 'RESTORE k 0 payload'],
    ['RESTORE k 5000 payload ABSTTL', 'RESTORE k 6000 payload ABSTTL'],
    ['RESTORE k 5 payload REPLACE', 'RESTORE k 10005 payload REPLACE ABSTTL'],
    ['HPEXPIREAT k 5000 FIELDS 1 f', 'HPEXPIREAT k 6000 FIELDS 1 f'],
    ['HSETEX k FNX PXAT 5000 FIELDS 1 PX 7', 'HSETEX k FNX PXAT 6000 FIELDS 1 PX 7'],
    ['MSETEX 1 EX 5 PX 5', 'MSETEX 1 EX 5 PXAT 10005'],
    ['LPUSH k PX 5', 'LPUSH k PX 5'],
  ])('of %j goes out later', (command, later) => {
    const args = command.split(' ')
    expect(withLaterExpiry(args[0], args, 1000, 9000).join(' ')).toBe(later)
  })

  it('lies so far away then that it cannot be mistaken', () => {
    expect(EXPIRY_SHIFT_MS).toBeGreaterThan(99 * 365 * 86_400_000)
    expect(Number.isSafeInteger(2 * (EXPIRY_SHIFT_MS + Date.now()))).toBe(true)
  })
})
