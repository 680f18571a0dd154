import { describe, expect, it } from 'vitest'
import type { SettingsService } from '../../../src/commands/services.js'
import { EngineHarness } from '../../support/engine-harness.js'
import { NO_SETTINGS } from '../../support/no-settings.js'

function settings(requirePassword: string | null): SettingsService {
  return { ...NO_SETTINGS, requirePassword }
}

function locked(): EngineHarness {
  return new EngineHarness({ services: { settings: settings('secret') } })
}

describe('PING, ECHO, SELECT, QUIT', () => {
  it('answer as Redis does', () => {
    const h = new EngineHarness()
    expect(h.raw(['PING'])).toBe('+PONG\r\n')
    expect(h.raw(['ping', 'a\r\nb'])).toBe('$4\r\na\r\nb\r\n')
    expect(h.raw(['PING', 'a', 'b'])).toBe("-ERR wrong number of arguments for 'ping' command\r\n")
    expect(h.raw(['ECHO', 'x'])).toBe('$1\r\nx\r\n')
    expect(h.raw(['SELECT', '15'])).toBe('+OK\r\n')
    expect(h.session.database).toBe(15)
    expect(h.raw(['SELECT', '16'])).toBe('-ERR DB index is out of range\r\n')
    expect(h.raw(['SELECT', 'a'])).toBe('-ERR value is not an integer or out of range\r\n')
    expect(h.raw(['QUIT'])).toBe('+OK\r\n')
    expect(h.session.close).toBe('after-reply')
  })
})

describe('AUTH', () => {
  it('says so when no password is configured', () => {
    const h = new EngineHarness()
    expect(h.raw(['AUTH', 'x'])).toBe(
      '-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n',
    )
    expect(h.raw(['AUTH', 'default', 'x'])).toBe('+OK\r\n')
    expect(h.raw(['AUTH', 'other', 'x'])).toBe('-WRONGPASS invalid username-password pair or user is disabled.\r\n')
    expect(h.raw(['AUTH', 'a', 'b', 'c'])).toBe('-ERR syntax error\r\n')
  })

  it('lets commands through only after the right password', () => {
    const h = locked()
    expect(h.raw(['PING'])).toBe('-NOAUTH Authentication required.\r\n')
    for (const wrong of ['', 's', 'secre', 'secretsecret', 'secret ', 'Secret']) {
      expect(h.raw(['AUTH', wrong])).toBe('-WRONGPASS invalid username-password pair or user is disabled.\r\n')
    }
    expect(h.raw(['PING'])).toBe('-NOAUTH Authentication required.\r\n')
    expect(h.raw(['AUTH', 'secret'])).toBe('+OK\r\n')
    expect(h.raw(['PING'])).toBe('+PONG\r\n')
    expect(h.raw(['AUTH', 'no'])).toMatch(/^-WRONGPASS/)
    expect(h.raw(['PING'])).toBe('+PONG\r\n')
    expect(h.engine.statistics.failedAuthentications).toBe(9)
  })
})

describe('HELLO', () => {
  it('describes the server as a map, in the protocol that it switches to', () => {
    const h = new EngineHarness()
    expect(h.run('HELLO')).toEqual([
      ...['server', 'redis', 'version', '7.4.0', 'proto', 2, 'id', 1, 'mode', 'standalone', 'role', 'master', 'modules', []],
    ])
    expect(h.raw(['HELLO', '3'])).toBe(
      '%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.4.0\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:1\r\n' +
        '$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n',
    )
    expect(h.session.protocol).toBe(3)
    expect(h.raw(['HELLO', '2'])).toMatch(/^\*14\r\n/)
  })

  it('authenticates and names in one go, and does neither when anything is wrong', () => {
    const h = locked()
    expect(h.raw(['HELLO', '3'])).toMatch(/^-NOAUTH HELLO must be called with the client already authenticated/)
    expect(h.raw(['HELLO', '3', 'AUTH', 'default', 'bad', 'SETNAME', 'n'])).toMatch(/^-WRONGPASS/)
    expect(h.raw(['HELLO', '3', 'AUTH', 'default', 'secret', 'SETNAME', 'a b'])).toMatch(/^-ERR Client names cannot contain/)
    expect(h.session.protocol).toBe(2)
    expect(h.session.name).toBe('')
    expect(h.raw(['HELLO', '3', 'setname', 'n', 'auth', 'default', 'secret'])).toMatch(/^%7/)
    expect(h.session.name).toBe('n')
    expect(h.raw(['PING'])).toBe('+PONG\r\n')
  })

  it('refuses what it does not know', () => {
    const h = new EngineHarness()
    expect(h.raw(['HELLO', '4'])).toBe('-NOPROTO unsupported protocol version\r\n')
    expect(h.raw(['HELLO', 'a'])).toBe('-ERR Protocol version is not an integer or out of range\r\n')
    expect(h.raw(['HELLO', '2', 'AUTH', 'x'])).toBe("-ERR Syntax error in HELLO option 'AUTH'\r\n")
  })
})

describe('RESET', () => {
  it('makes the connection as new, the library name apart', () => {
    const h = locked()
    h.raw(['HELLO', '3', 'AUTH', 'default', 'secret', 'SETNAME', 'n'])
    h.raw(['CLIENT', 'SETINFO', 'LIB-NAME', 'lib'])
    h.raw(['SELECT', '3'])
    h.raw(['MULTI'])
    expect(h.raw(['RESET'])).toBe('+RESET\r\n')
    const { name, database, protocol, queued, authenticated, libraryName } = h.session
    expect({ name, database, protocol, queued, authenticated, libraryName }).toEqual({
      name: '',
      database: 0,
      protocol: 2,
      queued: null,
      authenticated: false,
      libraryName: 'lib',
    })
  })
})
