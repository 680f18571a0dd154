import { expect, it } from 'vitest'
import { describeWithRedisServer } from '../support/with-redis-server.js'
import { EVERYTHING, run } from './import-rig.js'
import { liveImports } from './live-import-rig.js'
import { cli } from './run.js'

describeWithRedisServer('import from a running redis-server, when not all goes as usual,', (suite) => {
  const imports = liveImports(suite)

  it('ends with the reason when the source no longer has what was missed', async () => {
    await suite.redis.config('SET', 'repl-backlog-size', '16384')
    const importing = imports.start()
    await imports.following(importing)
    const pipeline = suite.redis.pipeline()
    pipeline.call('CLIENT', 'KILL', 'TYPE', 'replica')
    for (let i = 0; i < 50; i++) pipeline.set(`k${i}`, 'x'.repeat(100_000))
    await pipeline.exec()
    const code = await importing.finished
    await suite.redis.config('SET', 'repl-backlog-size', '1mb')
    expect(importing.stderr).toContain(
      'cannot be followed: the source no longer has the writes that were missed while the link was down (MRD_SOURCE)',
    )
    expect(code).toBe(1)
  })

  it('ends with the reason when the link breaks before the snapshot is complete', async () => {
    const pipeline = suite.redis.pipeline()
    for (let i = 0; i < 3000; i++) pipeline.set(`k${i}`, i)
    await pipeline.exec()
    await suite.redis.config('SET', 'rdb-key-save-delay', '1000')
    const importing = imports.start()
    while (!(await suite.redis.info('replication')).includes('connected_slaves:1'))
      await new Promise((resolve) => setTimeout(resolve, 10))
    await new Promise((resolve) => setTimeout(resolve, 300))
    await suite.redis.call('CLIENT', 'KILL', 'TYPE', 'replica')
    const code = await importing.finished
    await suite.redis.config('SET', 'rdb-key-save-delay', '0')
    expect(importing.stderr).toContain('the link broke before the snapshot was complete (MRD_SOURCE)')
    expect(code).toBe(1)
  })

  it('leaves out functions, and says so', async () => {
    const strict = imports.start()
    await imports.following(strict)
    await suite.redis.set('k', 'v')
    await suite.redis.call(
      'FUNCTION',
      'LOAD',
      'REPLACE',
      '#!lua name=mine\nredis.register_function("f", function() return 1 end)',
    )
    await suite.redis.set('k', 'w')
    strict.requestStop()
    expect(await strict.finished).toBe(0)
    expect(strict.stdout).toContain('left out: 1 command FUNCTION, which Meridian does not have')
    expect(await imports.member.redis.get('k')).toBe('w')
    await suite.redis.call('FUNCTION', 'FLUSH')
  })

  it('does not begin when the target has keys or takes no stream IDs', async () => {
    await imports.member.redis.set('mine', 1)
    const taken = await cli('import', imports.member.address, '--from', imports.address)
    expect(taken.stderr).toContain(
      'The target has the key "mine" already (MRD_IMPORT_EXISTS). Empty the target first, or choose --replace',
    )
    await imports.member.redis.config('SET', 'stream-id-mode', 'strict')
    const strict = await cli('import', imports.member.address, '--from', imports.address, '--replace')
    await imports.member.redis.config('SET', 'stream-id-mode', 'semi-strict')
    expect(strict.stderr).toContain('The target has stream-id-mode strict')
    expect(strict.code).toBe(1)
    expect(await imports.member.redis.keys('*')).toEqual(['mine'])
  })

  it('says when the source does not let itself be followed, and can still copy what is there', async () => {
    await run(suite.redis, EVERYTHING)
    await suite.redis.call('ACL', 'SETUSER', 'mover', 'on', '>pw', '~*', '+@all', '-psync', '-sync')
    process.env.MERIDIAN_SOURCE_AUTH = 'pw'
    try {
      const refusal = await cli('import', imports.member.address, '--from', imports.address, '--from-user', 'mover')
      expect(refusal.stderr).toContain('does not send its writes: NOPERM')
      expect(refusal.stderr).toContain('(MRD_SOURCE). Use a user that may PSYNC and REPLCONF')
      const copy = await cli(
        'import',
        imports.member.address,
        '--from',
        imports.address,
        '--from-user',
        'mover',
        '--method',
        'scan',
        '--verify',
      )
      expect(copy.stdout).toContain('what was written there meanwhile may be missing')
      expect(copy.stdout).toContain('compared all 18 keys: no difference')
      expect(copy.code).toBe(0)
      process.env.MERIDIAN_SOURCE_AUTH = 'wrong'
      expect((await cli('import', imports.member.address, '--from', imports.address, '--from-user', 'mover')).stderr).toContain(
        'refuses AUTH: WRONGPASS',
      )
    } finally {
      delete process.env.MERIDIAN_SOURCE_AUTH
      await suite.redis.call('ACL', 'DELUSER', 'mover')
    }
    await imports.expectSame()
  })

  it('keeps keys that the source keeps, however late their extension arrives', async () => {
    const pipeline = suite.redis.pipeline()
    for (let i = 0; i < 2500; i++) pipeline.set(`k${i}`, i)
    await pipeline.exec()
    // The snapshot takes so long that these are due when it arrives; one is extended when it has been taken.
    await suite.redis.config('SET', 'rdb-key-save-delay', '1000')
    await run(suite.redis, [
      ['SET', 'session', 1, 'PX', 2000],
      ['SET', 'gone', 1, 'PX', 2000],
    ])
    const importing = imports.start('--verify')
    while (!(await suite.redis.info('persistence')).includes('rdb_bgsave_in_progress:1')) {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    expect(await suite.redis.pexpireat('session', 1_999_999_999_999)).toBe(1)
    await imports.following(importing)
    await suite.redis.config('SET', 'rdb-key-save-delay', '0')
    importing.requestStop()
    expect(await importing.finished).toBe(0)
    expect(await imports.member.redis.pexpiretime('session')).toBe(1_999_999_999_999)
    expect(await imports.member.redis.exists('gone')).toBe(0)
    await imports.expectSame()
  })

  it('leaves no key that lives too long when it is given up', async () => {
    await run(suite.redis, [
      ['SET', 'a', 1, 'EX', 100],
      ['HSET', 'hash', 'f', 'v'],
    ])
    const importing = imports.start()
    await imports.following(importing)
    importing.requestStop()
    importing.requestStop()
    expect(await importing.finished).toBe(1)
    expect(importing.stderr).toContain('Stopped before everything had arrived (MRD_IMPORT_STOPPED)')
    expect(await imports.member.redis.ttl('a')).toBeLessThanOrEqual(100)
  })

  it('ends with the reason when it is given up while the target does not answer', async () => {
    await run(suite.redis, [['SET', 'a', 1, 'EX', 100]])
    await imports.member.redis.call('CLIENT', 'PAUSE', '2500', 'WRITE')
    const importing = imports.start()
    while (!(await suite.redis.info('replication')).includes('state=online'))
      await new Promise((resolve) => setTimeout(resolve, 10))
    await new Promise((resolve) => setTimeout(resolve, 300))
    importing.requestStop()
    expect(await importing.finished).toBe(1)
    expect(importing.stderr).toContain('Stopped before the snapshot was in (MRD_IMPORT_STOPPED)')
    expect(await imports.member.redis.ttl('a')).toBeLessThanOrEqual(100)
  })

  it('says in what the sides differ', async () => {
    await run(suite.redis, [
      ['SET', 'a', 1],
      ['SET', 'b', 1],
      ['SET', 'c', 1],
    ])
    const importing = imports.start('--verify')
    await imports.following(importing)
    await run(imports.member.redis, [
      ['SET', 'a', 2],
      ['DEL', 'b'],
      ['EXPIRE', 'c', 1000],
    ])
    importing.requestStop()
    expect(await importing.finished).toBe(1)
    expect(importing.stdout).toContain('compared all 3 keys: 4 differences')
    expect(importing.stdout).toContain('db0 "a": the string is another')
    expect(importing.stdout).toContain('db0 "b": it is not in the target')
    expect(importing.stdout).toContain('db0 "c": it expires never there, at ')
    expect(importing.stdout).toContain('db0 has 2 keys, the source 3')
  })

  it('refuses what contradicts itself', async () => {
    for (const args of [['--match', 'x'], ['--skip-existing'], ['--from-rdb', 'x'], ['--method', 'x'], ['--spool-limit', 'x']]) {
      expect(await cli('import', imports.member.address, '--from', imports.address, ...args)).toMatchObject({ code: 64 })
    }
  })
})
