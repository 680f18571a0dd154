import RedisParser from 'redis-parser'
import { describe, expect, it } from 'vitest'
import type { DialHandlers } from '../../../src/ports/dialer.js'
import type { Link } from '../../../src/ports/network.js'
import { ReplyWriter } from '../../../src/resp/reply-writer.js'
import { EngineHarness } from '../../support/engine-harness.js'

/** A server that says what it is told to say: a line for each command, when it is let. */
class Target {
  readonly commands: string[][] = []
  isClosed = false
  private handlers: DialHandlers | null = null
  private readonly parser = new RedisParser({
    returnReply: (reply) => this.commands.push((reply as Buffer[]).map((part) => part.toString('latin1'))),
    returnError: () => undefined,
    returnBuffers: true,
  })

  dial(handlers: DialHandlers): Link {
    this.handlers = handlers
    return {
      bufferedBytes: 0,
      send: (bytes) => this.parser.execute(Buffer.from(bytes)),
      pause: () => undefined,
      resume: () => undefined,
      close: () => {
        this.isClosed = true
      },
    }
  }

  open(): void {
    this.handlers?.onOpen()
  }

  say(...lines: string[]): void {
    this.handlers?.onData(Buffer.from(lines.map((line) => `${line}\r\n`).join('')))
  }

  breakOff(): void {
    this.handlers?.onClose(new Error('reset'))
  }

  get names(): string[] {
    return this.commands.map(([name, key]) => (name === 'RESTORE' ? `${name} ${key}` : name))
  }
}

function rig(options: { self?: number; solo?: boolean } = {}): {
  member: EngineHarness
  target: Target
  migrate: (...args: string[]) => () => string | null
} {
  const target = new Target()
  const member = new EngineHarness({
    ...options,
    services: { dialer: { dial: (_host, _port, handlers) => target.dial(handlers) } },
  })
  /** Gives the reply when there is one. */
  const migrate = (...args: string[]) => {
    const session = member.newSession()
    let given: string | null = null
    session.deliver = (write) => {
      const writer = new ReplyWriter()
      write(writer)
      given = writer.take().toString('latin1')
    }
    const direct = member.raw(['MIGRATE', 'host', '1', ...args], session)
    return () => (direct === '' ? given : direct)
  }
  return { member, target, migrate }
}

describe('MIGRATE', () => {
  it('moves a key with its expiry, and is done when the target says so', () => {
    const { member, target, migrate } = rig()
    member.run('SET', 'k', 'v', 'PX', '5000')
    const reply = migrate('k', '3', '1000')
    expect(target.commands).toEqual([])
    target.open()
    expect(target.commands).toEqual([
      ['SELECT', '3'],
      ['RESTORE', 'k', '5000', member.run('DUMP', 'k')],
    ])
    target.say('+OK')
    expect(reply()).toBeNull()
    expect(member.run('EXISTS', 'k')).toBe(1)
    target.say('+OK')
    expect(reply()).toBe('+OK\r\n')
    expect(member.run('EXISTS', 'k')).toBe(0)
    expect(target.isClosed).toBe(true)
  })

  it('leaves a key with COPY, says REPLACE and who it is, and moves several keys that are there', () => {
    const { member, target, migrate } = rig()
    member.run('MSET', 'a', '1', 'b', '2')
    const reply = migrate('', '0', '0', 'COPY', 'REPLACE', 'AUTH2', 'KEYS', 'secret', 'KEYS', 'a', 'none', 'b')
    target.open()
    expect(target.names).toEqual(['AUTH', 'SELECT', 'RESTORE a', 'RESTORE b'])
    expect(target.commands[0]).toEqual(['AUTH', 'KEYS', 'secret'])
    expect(target.commands[2].at(-1)).toBe('REPLACE')
    target.say('+OK', '+OK', '+OK', '+OK')
    expect(reply()).toBe('+OK\r\n')
    expect(member.run('EXISTS', 'a', 'b')).toBe(2)
  })

  it('says NOKEY, and what is wrong with its arguments, without a connection', () => {
    const { member, target, migrate } = rig()
    member.run('SET', 'k', 'v')
    expect(migrate('none', '0', '10')()).toBe('+NOKEY\r\n')
    expect(migrate('', '0', '10', 'KEYS', 'x', 'y')()).toBe('+NOKEY\r\n')
    expect(migrate('k', '0', 'x')()).toBe('-ERR value is not an integer or out of range\r\n')
    expect(migrate('k', 'x', '10')()).toBe('-ERR value is not an integer or out of range\r\n')
    expect(migrate('k', '0', '10', 'AUTH')()).toBe('-ERR syntax error\r\n')
    expect(migrate('k', '0', '10', 'KEYS', 'k')()).toBe(
      '-ERR When using MIGRATE KEYS option, the key argument must be set to the empty string\r\n',
    )
    expect(member.run('MIGRATE', 'host', '0', 'k', '0', '10')).toMatchObject({
      message: 'IOERR error or timeout writing to target instance',
    })
    expect(target.commands).toEqual([])
    member.run('MULTI')
    expect(member.run('MIGRATE', 'host', '1', 'k', '0', '10')).toMatchObject({
      message: 'ERR Command not allowed inside a transaction',
    })
  })

  it('passes on what the target refuses, and takes away only what it took', () => {
    const { member, target, migrate } = rig()
    member.run('MSET', 'a', '1', 'b', '2')
    const reply = migrate('', '0', '10', 'KEYS', 'a', 'b')
    target.open()
    target.say('+OK', '-BUSYKEY Target key name already exists.', '+OK')
    expect(reply()).toBe('-ERR Target instance replied with error: BUSYKEY Target key name already exists.\r\n')
    expect(member.run('EXISTS', 'a')).toBe(1)
    expect(member.run('EXISTS', 'b')).toBe(0)
    const refused = migrate('', '9', '10', 'AUTH', 'x', 'KEYS', 'a')
    target.open()
    target.say('-WRONGPASS no', '-NOAUTH no', '-NOAUTH no')
    expect(refused()).toBe('-ERR Target instance replied with error: WRONGPASS no\r\n')
    expect(member.run('EXISTS', 'a')).toBe(1)
  })

  it('gives up when nothing moves for so long, and says at what', () => {
    const { member, target, migrate } = rig()
    member.run('SET', 'k', 'v')
    const connecting = migrate('k', '0', '50')
    member.clock.advance(60)
    expect(connecting()).toBe('-IOERR error or timeout connecting to the client\r\n')
    const reading = migrate('k', '0', '50')
    member.clock.advance(40)
    target.open()
    member.clock.advance(40)
    target.say('+OK')
    member.clock.advance(40)
    expect(reading()).toBeNull()
    member.clock.advance(20)
    expect(reading()).toBe('-IOERR error or timeout reading to target instance\r\n')
    const broken = migrate('k', '0', '50')
    target.open()
    target.breakOff()
    expect(broken()).toBe('-IOERR error or timeout reading to target instance\r\n')
    expect(member.run('GET', 'k')).toBe('v')
  })

  it('lets others read its keys meanwhile, and makes who writes them wait', () => {
    const { member, target, migrate } = rig()
    member.run('SET', 'k', '1')
    const reply = migrate('k', '0', '1000')
    target.open()
    const other = member.newSession()
    let incremented = ''
    other.deliver = (write) => {
      const writer = new ReplyWriter()
      write(writer)
      incremented = writer.take().toString('latin1')
    }
    expect(member.run('GET', 'k')).toBe('1')
    expect(member.raw(['INCR', 'k'], other)).toBe('')
    expect(member.run('INCR', 'other')).toBe(1)
    target.say('+OK', '+OK')
    expect(reply()).toBe('+OK\r\n')
    member.clock.advance(1)
    expect(incremented).toBe(':1\r\n')
  })

  it('sends a key once more that another region has changed, so that nothing is lost', () => {
    const { member, target, migrate } = rig({ self: 1, solo: false })
    const far = new EngineHarness({ self: 2, solo: false })
    member.run('SET', 'k', 'old')
    member.run('SET', 'still', 'v')
    far.receive(member)
    const reply = migrate('k', '0', '1000')
    target.open()
    far.run('APPEND', 'k', 'er')
    member.receive(far)
    target.say('+OK', '+OK')
    expect(reply()).toBeNull()
    expect(target.names).toEqual(['SELECT', 'RESTORE k', 'RESTORE k'])
    expect(target.commands[2]).toEqual(['RESTORE', 'k', '0', member.run('DUMP', 'k'), 'REPLACE'])
    expect(member.run('GET', 'k')).toBe('older')
    target.say('+OK')
    expect(reply()).toBe('+OK\r\n')
    member.clock.advance(1)
    far.receive(member)
    for (const each of [member, far]) expect(each.run('EXISTS', 'k')).toBe(0)
  })

  it('leaves keys that keep changing where they are, and says so', () => {
    const { member, target, migrate } = rig({ self: 1, solo: false })
    const far = new EngineHarness({ self: 2, solo: false })
    member.run('SET', 'k', '0')
    far.receive(member)
    const reply = migrate('k', '0', '1000')
    target.open()
    target.say('+OK')
    for (let i = 0; i < 10 && reply() === null; i++) {
      far.run('INCR', 'k')
      member.receive(far)
      target.say('+OK')
    }
    expect(reply()).toMatch(/^-ERR The keys were changed/)
    expect(member.run('EXISTS', 'k')).toBe(1)
    member.clock.advance(1)
    expect(Number(member.run('INCR', 'k'))).toBeGreaterThan(1)
  })

  it('comes to its end though its client has gone, and names its keys to COMMAND GETKEYS', () => {
    const { member, target } = rig()
    member.run('SET', 'k', 'v')
    const session = member.newSession()
    member.raw(['MIGRATE', 'host', '1', 'k', '0', '1000'], session)
    member.engine.sessionClosed(session)
    target.open()
    target.say('+OK', '+OK')
    expect(member.run('EXISTS', 'k')).toBe(0)
    const keys = (...args: string[]) => member.run('COMMAND', 'GETKEYS', 'MIGRATE', '127.0.0.1', '6379', ...args)
    expect(keys('key1', '0', '5000')).toEqual(['key1'])
    expect(keys('', '0', '5000', 'KEYS', 'key1', 'key2')).toEqual(['key1', 'key2'])
    expect(keys('', '0', '5000', 'AUTH', 'KEYS', 'KEYS', 'key1')).toEqual(['key1'])
    expect(keys('key', '0', '5000', 'KEYS', 'key1')).toEqual(expect.any(Error))
  })

  it('does not write its password into the slow log', () => {
    const { member } = rig()
    member.engine.slowLog.slowerThanMicroseconds = 0
    member.run('MIGRATE', 'h', '1', 'none', '0', '1', 'AUTH2', 'user', 'secret')
    const [entry] = member.run('SLOWLOG', 'GET', '1') as [[number, number, number, string[]]]
    expect(entry[3].slice(6)).toEqual(['AUTH2', '(redacted)', '(redacted)'])
  })
})
