import { describe, expect, it } from 'vitest'
import { keyRange, type CommandSpec, type KeySpec } from '../../../src/commands/command-spec.js'
import { categoriesOf } from '../../../src/commands/server/acl-categories.js'
import { findKeys, legacyRange, shownFlags } from '../../../src/commands/server/command-keys.js'
import { Request } from '../../../src/resp/request.js'
import { EngineHarness } from '../../support/engine-harness.js'

function spec(keys: readonly KeySpec[], flags: CommandSpec['flags'] = []): CommandSpec {
  return { name: 'x', arity: -1, flags, keys, group: 'generic', since: '1.0.0', summary: 'x', complexity: 'x' }
}

describe('COMMAND', () => {
  it('describes all commands, and refuses a subcommand that it does not have', () => {
    const h = new EngineHarness()
    expect(h.run('COMMAND')).toHaveLength(h.run('COMMAND', 'COUNT') as number)
    expect(h.raw(['COMMAND', 'NOPE'])).toBe("-ERR unknown subcommand 'NOPE'. Try COMMAND HELP.\r\n")
    expect(h.raw(['COMMAND', 'NOPE', 'get'])).toBe("-ERR unknown subcommand 'NOPE'. Try COMMAND HELP.\r\n")
  })
})

describe('COMMAND INFO', () => {
  it('gives the same for GET as redis-server', () => {
    const h = new EngineHarness()
    expect(h.run('COMMAND', 'INFO', 'get')).toEqual([
      [
        'get',
        2,
        ['readonly', 'fast'],
        1,
        1,
        1,
        ['@read', '@string', '@fast'],
        [],
        [
          [
            'flags',
            ['RO', 'access'],
            'begin_search',
            ['type', 'index', 'spec', ['index', 1]],
            'find_keys',
            ['type', 'range', 'spec', ['lastkey', 0, 'keystep', 1, 'limit', 0]],
          ],
        ],
        [],
      ],
    ])
  })

  it('finds subcommands by their full names, and answers null for what is not there', () => {
    const h = new EngineHarness()
    expect(h.raw(['COMMAND', 'INFO', 'client|id', 'nope', 'get|x'])).toBe(
      '*3\r\n*10\r\n$9\r\nclient|id\r\n:2\r\n*3\r\n+noscript\r\n+loading\r\n+stale\r\n:0\r\n:0\r\n:0\r\n*2\r\n+@slow\r\n+@connection\r\n*0\r\n*0\r\n*0\r\n' +
        '$-1\r\n$-1\r\n',
    )
    h.session.protocol = 3
    expect(h.raw(['COMMAND', 'INFO', 'client|id'])).toBe(
      '*1\r\n*10\r\n$9\r\nclient|id\r\n:2\r\n~3\r\n+noscript\r\n+loading\r\n+stale\r\n:0\r\n:0\r\n:0\r\n~2\r\n+@slow\r\n+@connection\r\n~0\r\n~0\r\n~0\r\n',
    )
  })

  it('describes every command without arguments', () => {
    const h = new EngineHarness()
    const count = h.run('COMMAND', 'COUNT')
    expect(h.run('COMMAND')).toHaveLength(Number(count))
    expect(h.run('COMMAND', 'INFO')).toHaveLength(Number(count))
    expect(h.run('COMMAND', 'DOCS')).toHaveLength(Number(count) * 2)
    expect(h.run('COMMAND', 'LIST')).toHaveLength(Number(count))
  })
})

describe('COMMAND DOCS', () => {
  it('is a map of maps', () => {
    const h = new EngineHarness()
    h.session.protocol = 3
    const complexity = 'O(1)'
    expect(h.raw(['COMMAND', 'DOCS', 'client|id', 'nope'])).toBe(
      '%1\r\n$9\r\nclient|id\r\n%4\r\n$7\r\nsummary\r\n$26\r\nThe id of this connection.\r\n$5\r\nsince\r\n$5\r\n5.0.0\r\n' +
        `$5\r\ngroup\r\n$10\r\nconnection\r\n$10\r\ncomplexity\r\n$4\r\n${complexity}\r\n`,
    )
  })

  it('shows arguments, history and deprecation', () => {
    const h = new EngineHarness()
    const [, quit] = h.run('COMMAND', 'DOCS', 'quit') as [string, unknown[]]
    expect(quit).toContain('doc_flags')
    expect(quit).toContain('deprecated_since')
    const [, echo] = h.run('COMMAND', 'DOCS', 'echo') as [string, unknown[]]
    expect(echo.at(-1)).toEqual([['name', 'message', 'type', 'string', 'display_text', 'message']])
    const [, config] = h.run('COMMAND', 'DOCS', 'config') as [string, unknown[]]
    expect(config.at(-2)).toBe('subcommands')
  })
})

it('COMMAND says of HIMPORT what redis-server 8.10 does', () => {
  const h = new EngineHarness()
  const [[, arity, , , , , categories, , , subcommands]] = h.run('COMMAND', 'INFO', 'himport') as [unknown[]]
  expect([arity, categories]).toEqual([-2, ['@hash', '@slow']])
  const found = (subcommands as unknown[][]).map(([name, ...rest]) => [name, rest[0], rest[1], rest[5], rest[6]])
  const everywhere = ['request_policy:all_shards']
  expect(found).toEqual([
    ['himport|prepare', -4, ['denyoom'], ['@hash', '@slow'], everywhere],
    ['himport|set', -5, ['write', 'denyoom'], ['@write', '@hash', '@slow'], []],
    ['himport|discard', 3, [], ['@hash', '@slow'], everywhere],
    ['himport|discardall', 2, [], ['@hash', '@slow'], everywhere],
  ])
  expect(h.run('COMMAND', 'GETKEYSANDFLAGS', 'HIMPORT', 'SET', 'k', 'f', 'v')).toEqual([['k', ['OW', 'update']]])
  expect((h.run('COMMAND', 'GETKEYS', 'HIMPORT', 'DISCARD', 'f') as Error).message).toContain('no key arguments')
  const [, docs] = h.run('COMMAND', 'DOCS', 'himport|set') as [string, unknown[]]
  expect(docs.slice(0, 8).filter((_, i) => i % 2 === 0)).toEqual(['summary', 'since', 'group', 'complexity'])
  expect(docs[3]).toBe('8.10.0')
  expect((docs.at(-1) as unknown[][]).map(([, name]) => name)).toEqual(['key', 'fieldset-name', 'value'])
})

describe('COMMAND GETKEYS', () => {
  it('finds keys in ranges, behind keywords and by their number', () => {
    const h = new EngineHarness()
    expect(h.run('COMMAND', 'GETKEYS', 'MSET', 'a', '1', 'b', '2')).toEqual(['a', 'b'])
    expect(h.run('COMMAND', 'GETKEYS', 'memory', 'USAGE', 'k')).toEqual(['k'])
    expect(h.run('COMMAND', 'GETKEYSANDFLAGS', 'GET', 'k')).toEqual([['k', ['RO', 'access']]])
    expect(h.run('COMMAND', 'GETKEYSANDFLAGS', 'SMISMEMBER', 'k', 'm')).toEqual([['k', ['RO', 'access']]])
    expect(h.run('COMMAND', 'GETKEYSANDFLAGS', 'XACK', 'k', 'g', '1-1')).toEqual([['k', ['RW', 'update']]])
    for (const [command, ...flags] of [
      ['SET k v', 'OW', 'update'],
      ['SET k v EX 1 get', 'RW', 'access', 'update'],
      ['DELEX k', 'RM', 'delete'],
      ['DELEX k IFEQ v', 'RW', 'access', 'delete'],
      ['BITFIELD k GET u8 0 OVERFLOW SAT GET u8 1', 'RO', 'access'],
      ['BITFIELD k GET u8 0 SET u8 1 2', 'RW', 'access', 'update'],
    ]) {
      expect(h.run('COMMAND', 'GETKEYSANDFLAGS', ...command.split(' '))).toEqual([['k', flags]])
    }
    const keysOf = (command: CommandSpec, ...args: string[]): string[] | undefined =>
      findKeys(command, Request.of(args), 0)?.map(({ position }) => args[position])
    const numbered = spec([{ flags: ['RO'], beginSearch: { index: 2 }, findKeys: { keyNumIndex: 0, firstKey: 1, step: 1 } }])
    expect(keysOf(numbered, 'EVAL', 's', '2', 'a', 'b', 'c')).toEqual(['a', 'b'])
    expect(keysOf(numbered, 'EVAL', 's', '0', 'a')).toEqual([])
    expect(keysOf(numbered, 'EVAL', 's', '9', 'a')).toBeUndefined()
    const streams = spec([
      { flags: ['RO'], beginSearch: { keyword: 'STREAMS', startFrom: 1 }, findKeys: { lastKey: -1, step: 1, limit: 2 } },
    ])
    expect(keysOf(streams, 'XREAD', 'COUNT', '1', 'streams', 'a', 'b', '0', '0')).toEqual(['a', 'b'])
    expect(keysOf(streams, 'XREAD', 'COUNT', '1')).toEqual([])
  })

  it('refuses in the words of Redis', () => {
    const h = new EngineHarness()
    expect(h.raw(['COMMAND', 'GETKEYS', 'nope', 'a'])).toBe('-ERR Invalid command specified\r\n')
    expect(h.raw(['COMMAND', 'GETKEYS', 'xinfo', 'nope', 'a'])).toBe('-ERR Invalid command specified\r\n')
    expect(h.raw(['COMMAND', 'GETKEYS', 'ping'])).toBe('-ERR The command has no key arguments\r\n')
    expect(h.raw(['COMMAND', 'GETKEYS', 'get', 'a', 'b'])).toBe('-ERR Invalid number of arguments specified for command\r\n')
  })
})

describe('COMMAND LIST', () => {
  it('filters by category, pattern and module; subcommands too', () => {
    const h = new EngineHarness()
    expect(h.run('COMMAND', 'LIST', 'FILTERBY', 'PATTERN', 'CLIENT|*pause')).toEqual(['client|pause', 'client|unpause'])
    expect(h.run('COMMAND', 'LIST', 'FILTERBY', 'MODULE', 'm')).toEqual([])
    expect(h.run('COMMAND', 'LIST', 'FILTERBY', 'ACLCAT', 'nope')).toEqual([])
    expect(h.run('COMMAND', 'LIST', 'FILTERBY', 'ACLCAT', 'transaction')).toEqual([
      'multi',
      'exec',
      'discard',
      'watch',
      'unwatch',
    ])
    for (const bad of [['bad'], ['filterby', 'bad', 'x'], ['filterby', 'pattern']]) {
      expect(h.raw(['COMMAND', 'LIST', ...bad])).toBe('-ERR syntax error\r\n')
    }
  })
})

describe('what derives from a specification', () => {
  it('implies categories by flags, as Redis does', () => {
    expect(categoriesOf(spec([], ['admin', 'noscript']))).toEqual(['admin', 'slow', 'dangerous'])
    expect(categoriesOf(spec([], ['write', 'fast', 'blocking']))).toEqual(['write', 'fast', 'blocking'])
    expect(categoriesOf({ ...spec([], ['readonly']), categories: ['scripting'] })).toEqual(['slow', 'scripting'])
  })

  it('folds neighbouring key specifications into one range and marks the rest as movable', () => {
    expect(legacyRange(spec([]))).toEqual({ first: 0, last: 0, step: 0, movable: false })
    expect(legacyRange(spec(keyRange(1, -1, 2)))).toEqual({ first: 1, last: -1, step: 2, movable: false })
    expect(legacyRange(spec([...keyRange(1, 1, 1), ...keyRange(2, 2, 1)]))).toEqual({
      first: 1,
      last: 2,
      step: 1,
      movable: false,
    })
    expect(legacyRange(spec([...keyRange(1, 1, 1), ...keyRange(3, 3, 1)]))).toEqual({ first: 1, last: 1, step: 1, movable: true })
    const unknown: KeySpec = { flags: [], beginSearch: 'unknown', findKeys: 'unknown' }
    expect(shownFlags(spec([unknown], ['write']))).toEqual(['write', 'movablekeys'])
  })
})

describe('ACL', () => {
  it('knows who one is, the categories, and their commands', () => {
    const h = new EngineHarness()
    expect(h.raw(['ACL', 'WHOAMI'])).toBe('$7\r\ndefault\r\n')
    expect(h.run('ACL', 'CAT')).toContain('crdt')
    expect(h.run('ACL', 'CAT', 'CRDT')).toEqual([
      'crdt.token',
      'crdt.waitfor',
      'crdt.debug',
      'crdt.digest',
      ...['crdt.topology', 'list', 'add', 'remove', 'set', 'help'].map((name, i) => (i === 0 ? name : `crdt.topology|${name}`)),
      ...['crdt.backup', 'begin', 'state', 'read', 'end', 'help'].map((name, i) => (i === 0 ? name : `crdt.backup|${name}`)),
    ])
    expect(h.run('ACL', 'CAT', 'connection')).toContain('client|kill')
    expect(h.raw(['ACL', 'CAT', 'nope'])).toBe("-ERR Unknown category 'nope'\r\n")
    expect(h.raw(['ACL', 'SETUSER', 'x'])).toMatch(/^-ERR Access control lists are not supported/)
  })
})
