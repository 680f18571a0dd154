import { afterAll, beforeAll, expect, it } from 'vitest'
import { contents, EVERYTHING, run, startMember, type TestMember } from '../cli/import-rig.js'
import { describeWithRedisServer } from '../support/with-redis-server.js'

describeWithRedisServer('MIGRATE between Meridian and redis-server', (suite) => {
  let member: TestMember

  beforeAll(async () => {
    member = await startMember()
  }, 30_000)

  afterAll(() => member.stop())

  it('moves keys of every type there and back', async () => {
    const { redis } = suite
    const port = (address: string) => address.slice(address.indexOf(':') + 1)
    await member.redis.flushall()
    await redis.flushall()
    await run(member.redis, EVERYTHING)
    const keys = (await member.redis.keysBuffer('*')).sort(Buffer.compare)
    const before = await contents(member.redis)
    const there = String(redis.options.port)
    const moved = await member.redis.call('MIGRATE', '127.0.0.1', there, '', '1', '5000', 'KEYS', ...keys)
    expect(moved).toBe('OK')
    expect(await member.redis.dbsize()).toBe(0)
    await redis.select(1)
    expect(Object.keys(await contents(redis))).toHaveLength(keys.length)
    const back = await redis.call('MIGRATE', '127.0.0.1', port(member.address), '', '0', '5000', 'KEYS', ...keys)
    expect(back).toBe('OK')
    expect(await redis.dbsize()).toBe(0)
    const after = await contents(member.redis)
    for (const [key, [value, expireAt]] of Object.entries(before)) {
      expect([key, after[key][0]]).toEqual([key, value])
      // Times travel as milliseconds that are left.
      expect(Math.abs(Number(after[key][1]) - Number(expireAt))).toBeLessThan(10_000)
    }
  }, 30_000)

  it('answers what redis-server answers', async () => {
    const { redis } = suite
    await redis.select(0)
    await redis.flushall()
    await member.redis.flushall()
    await redis.set('taken', 'there')
    const there = String(redis.options.port)
    // Each to redis-server: the second from itself would wait for itself, so it goes where nobody listens.
    const cases: readonly (readonly string[])[] = [
      [there, 'none', '0', '100'],
      [there, '', '0', '100', 'KEYS', 'none', 'neither'],
      ['1', 'taken', '0', '100'],
      ['x', 'taken', '0', '100'],
      [there, 'taken', '0', 'x'],
      [there, 'taken', 'x', '0'],
      [there, 'taken', '0', '0', 'KEYS', 'a'],
      [there, 'taken', '0', '0', 'COPY', 'AUTH'],
      [there, 'taken', '0', '0', 'AUTH2', 'a'],
    ]
    await member.redis.set('taken', 'here')
    const outcome = (client: typeof redis, args: readonly string[]) =>
      client.call('MIGRATE', '127.0.0.1', ...args).catch((error: unknown) => (error as Error).message)
    for (const args of cases) expect([args, await outcome(member.redis, args)]).toEqual([args, await outcome(redis, args)])
    expect(await outcome(member.redis, [there, 'taken', '0', '100'])).toBe(
      'ERR Target instance replied with error: BUSYKEY Target key name already exists.',
    )
    expect(await member.redis.get('taken')).toBe('here')
    expect(await outcome(member.redis, [there, 'taken', '0', '100', 'AUTH', 'wrong'])).toMatch(
      /^ERR Target instance replied with error: ERR AUTH <password> called without any password/,
    )
    expect(await outcome(member.redis, [there, 'taken', '99', '100'])).toBe(
      'ERR Target instance replied with error: ERR DB index is out of range',
    )
    expect(await outcome(member.redis, [there, 'taken', '0', '100', 'REPLACE', 'COPY'])).toBe('OK')
    expect(await redis.get('taken')).toBe('here')
    expect(await member.redis.get('taken')).toBe('here')
  }, 30_000)
})
