import { describe, expect, it } from 'vitest'
import { LIMITS } from '../../../src/base/limits.js'
import { EngineHarness } from '../../support/engine-harness.js'

describe('fields with an expiry', () => {
  it('answer as Redis does about their time', () => {
    const harness = new EngineHarness()
    const run = (...args: string[]) => harness.run(...args)
    run('HSET', 'h', 'a', '1', 'b', '2')
    expect(run('HEXPIRE', 'h', '100', 'FIELDS', '2', 'a', 'x')).toEqual([1, -2])
    expect(run('HTTL', 'h', 'FIELDS', '3', 'a', 'b', 'x')).toEqual([100, -1, -2])
    expect(run('HPTTL', 'h', 'FIELDS', '1', 'a')).toEqual([100_000])
    expect(run('HPEXPIRETIME', 'h', 'FIELDS', '1', 'a')).toEqual([harness.clock.now + 100_000])
    expect(run('HEXPIRE', 'h', '50', 'NX', 'FIELDS', '2', 'a', 'b')).toEqual([0, 1])
    expect(run('HEXPIRE', 'h', '50', 'GT', 'FIELDS', '1', 'a')).toEqual([0])
    expect(run('HEXPIRE', 'h', '60', 'LT', 'FIELDS', '1', 'a')).toEqual([1])
    expect(run('HPERSIST', 'h', 'FIELDS', '3', 'a', 'a', 'x')).toEqual([1, -1, -2])
    expect(run('HEXPIRE', 'h', '60', 'XX', 'FIELDS', '1', 'a')).toEqual([0])
    expect(run('HEXPIREAT', 'h', '1', 'FIELDS', '3', 'a', 'a', 'b')).toEqual([2, -2, 2])
    expect(run('EXISTS', 'h')).toBe(0)
    expect(run('HTTL', 'h', 'FIELDS', '1', 'a')).toEqual([-2])
  })

  it('are hidden when due and removed soon after, the hash with the last one', () => {
    const harness = new EngineHarness()
    const run = (...args: string[]) => harness.run(...args)
    run('HSET', 'h', 'a', '1', 'b', '2')
    run('HPEXPIRE', 'h', '1000', 'FIELDS', '1', 'a')
    harness.engine.activeExpiry = false
    harness.clock.advance(1000)
    expect(run('HGETALL', 'h')).toEqual(['b', '2'])
    // As in Redis, it counts what has not been removed yet.
    expect(run('HLEN', 'h')).toBe(2)
    expect(run('HKEYS', 'h')).toEqual(['b'])
    harness.engine.activeExpiry = true
    harness.clock.advance(200)
    expect(harness.engine.statistics.expiredFields).toBe(1)
    run('HPEXPIRE', 'h', '1000', 'FIELDS', '1', 'b')
    harness.clock.advance(1200)
    expect(run('EXISTS', 'h')).toBe(0)
  })

  it('go right behind a command that came upon them', () => {
    const harness = new EngineHarness()
    const run = (...args: string[]) => harness.run(...args)
    harness.engine.activeExpiry = false
    run('HSET', 'h', 'a', '1')
    run('HPEXPIRE', 'h', '10', 'FIELDS', '1', 'a')
    harness.clock.advance(20)
    expect(run('HGET', 'h', 'a')).toBeNull()
    expect(run('EXISTS', 'h')).toBe(0)
  })

  it('lose their expiry to HSET and keep it under HINCRBY', () => {
    const harness = new EngineHarness()
    const run = (...args: string[]) => harness.run(...args)
    run('HSET', 'h', 'a', '1', 'b', '1')
    run('HEXPIRE', 'h', '100', 'FIELDS', '2', 'a', 'b')
    run('HSET', 'h', 'a', '2')
    run('HINCRBY', 'h', 'b', '1')
    expect(run('HTTL', 'h', 'FIELDS', '2', 'a', 'b')).toEqual([-1, 100])
  })

  it('are not copied when due: a hash without others has no copy and no payload', () => {
    const harness = new EngineHarness()
    const run = (...args: string[]) => harness.run(...args)
    run('HSET', 'h', 'a', '1', 'b', '2')
    run('SET', 'other', 'x')
    run('HPEXPIRE', 'h', '10', 'FIELDS', '1', 'a')
    harness.clock.now += 11
    expect(run('COPY', 'h', 'copy')).toBe(1)
    expect(run('HGETALL', 'copy')).toEqual(['b', '2'])
    run('HPEXPIRE', 'copy', '10', 'FIELDS', '1', 'b')
    harness.clock.now += 11
    expect(run('EXISTS', 'copy')).toBe(1)
    expect(run('COPY', 'copy', 'other', 'REPLACE')).toBe(0)
    expect(run('GET', 'other')).toBe('x')
    expect(run('DUMP', 'copy')).toBeNull()
  })

  it('begin anew when a counter is due', () => {
    for (const solo of [true, false]) {
      const harness = new EngineHarness({ solo })
      const run = (...args: string[]) => harness.run(...args)
      harness.engine.activeExpiry = false
      run('HSET', 'h', 'n', '10', 'other', 'x')
      run('HPEXPIRE', 'h', '10', 'FIELDS', '1', 'n')
      harness.clock.advance(20)
      expect(run('HINCRBY', 'h', 'n', '1')).toBe(1)
      expect(run('HTTL', 'h', 'FIELDS', '1', 'n')).toEqual([-1])
    }
  })

  it('are read and given times by HGETEX, read and removed by HGETDEL', () => {
    const harness = new EngineHarness()
    const run = (...args: string[]) => harness.run(...args)
    run('HSET', 'h', 'a', '1', 'b', '2')
    expect(run('HGETEX', 'h', 'EX', '100', 'FIELDS', '2', 'a', 'x')).toEqual(['1', null])
    expect(run('HTTL', 'h', 'FIELDS', '1', 'a')).toEqual([100])
    expect(run('HGETEX', 'h', 'PERSIST', 'FIELDS', '1', 'a')).toEqual(['1'])
    expect(run('HTTL', 'h', 'FIELDS', '1', 'a')).toEqual([-1])
    expect(run('HGETDEL', 'h', 'FIELDS', '3', 'a', 'a', 'x')).toEqual(['1', null, null])
    expect(run('HGETEX', 'h', 'PXAT', '1', 'FIELDS', '1', 'b')).toEqual(['2'])
    expect(run('EXISTS', 'h')).toBe(0)
    expect((run('HGETEX', 'h', 'PERSIST', '1', 'FIELDS', '1', 'a') as Error).message).toContain('Mandatory argument FIELDS')
    expect((run('HGETEX', 'h', 'FIELDS', '2', 'a') as Error).message).toContain('must match the number of arguments')
  })

  it('may be named before the options, as in Redis 8.4', () => {
    const harness = new EngineHarness()
    const run = (...args: string[]) => harness.run(...args)
    const text = (...args: string[]) => (run(...args) as Error).message
    expect(run('HSETEX', 'h', 'FIELDS', '2', 'a', '1', 'EX', '2', 'FNX', 'PX', '5000')).toBe(1)
    expect(run('HPTTL', 'h', 'FIELDS', '2', 'a', 'EX')).toEqual([5000, 5000])
    expect(run('HSETEX', 'h', 'FXX', 'FIELDS', '1', 'a', '3', 'KEEPTTL')).toBe(1)
    expect(run('HGETEX', 'h', 'FIELDS', '1', 'a', 'PERSIST')).toEqual(['3'])
    expect(run('HPTTL', 'h', 'FIELDS', '1', 'a')).toEqual([-1])
    expect(run('HGETEX', 'h', 'FIELDS', '1', 'a', 'EX', '7')).toEqual(['3'])
    expect(run('HEXPIRE', 'h', '5', 'FIELDS', '2', 'a', 'EX', 'LT')).toEqual([1, 0])
    expect(run('HTTL', 'h', 'FIELDS', '1', 'a')).toEqual([5])
    expect(text('HSETEX', 'h', 'FIELDS', '1', 'a', '1', 'b')).toContain('wrong number of arguments')
    expect(text('HSETEX', 'h', 'FIELDS', '1', 'a', '1', 'FIELDS', '1', 'b', '1')).toContain('wrong number of arguments')
    expect(text('HSETEX', 'h', 'EX', '1', 'FIELDS', '1', 'a', '1', 'PX', '1')).toContain('Only one of EX, PX, EXAT, PXAT')
    expect(text('HGETEX', 'h', 'EX', '1', 'FIELDS', '1', 'a', 'PERSIST')).toContain('must match the number of arguments')
    expect(text('HGETEX', 'h', 'FIELDS', '1', 'a', 'EX', '1', 'b')).toContain('must match the number of arguments')
    expect(text('HGETEX', 'h', 'FIELDS', '1', 'a', 'EX')).toBe('ERR missing expire time')
    expect(text('HEXPIRE', 'h', '5', 'NX', 'FIELDS', '1', 'a', 'XX')).toContain('must match the number of arguments')
  })

  it('are written with times and conditions by HSETEX', () => {
    const harness = new EngineHarness()
    const run = (...args: string[]) => harness.run(...args)
    expect(run('HSETEX', 'h', 'FXX', 'FIELDS', '1', 'a', '1')).toBe(0)
    expect(run('HSETEX', 'h', 'FNX', 'EX', '100', 'FIELDS', '2', 'a', '1', 'b', '2')).toBe(1)
    expect(run('HSETEX', 'h', 'KEEPTTL', 'FIELDS', '2', 'a', '3', 'c', '4')).toBe(1)
    expect(run('HTTL', 'h', 'FIELDS', '3', 'a', 'b', 'c')).toEqual([100, 100, -1])
    expect(run('HSETEX', 'h', 'FIELDS', '1', 'a', '5')).toBe(1)
    expect(run('HTTL', 'h', 'FIELDS', '1', 'a')).toEqual([-1])
    expect(run('HSETEX', 'h', 'PXAT', '1', 'FIELDS', '3', 'a', '1', 'b', '1', 'c', '1')).toBe(1)
    expect(run('EXISTS', 'h')).toBe(0)
    expect((run('HSETEX', 'h', 'FNX', 'FXX', 'FIELDS', '1', 'a', '1') as Error).message).toContain('Only one of FXX or FNX')
    expect((run('HSETEX', 'h', 'NX', 'FIELDS', '1', 'a', '1') as Error).message).toBe('ERR unknown argument: NX')
    expect((run('HSETEX', 'h', 'FIELDS', '0', 'a', '1') as Error).message).toBe('ERR invalid number of fields')
    expect((run('HSETEX', 'h', 'FIELDS', '2', 'a', '1') as Error).message).toContain('wrong number of arguments')
  })

  it('go in bounded steps when very many are due at once', () => {
    const harness = new EngineHarness()
    const run = (...args: string[]) => harness.run(...args)
    for (let i = 0; i < 5000; i += 500) {
      const fields = Array.from({ length: 500 }, (_, n) => `field:${i + n}`)
      run('HSET', 'h', ...fields.flatMap((field) => [field, 'v']))
      run('HPEXPIREAT', 'h', String(harness.clock.now + 1000), 'FIELDS', '500', ...fields)
    }
    run('HSET', 'h', 'stays', '1')
    harness.engine.activeExpiry = false
    harness.clock.advance(1001)
    harness.engine.beginBatch()
    expect(harness.engine.fieldExpiry.run(() => true)).toBe(true)
    expect(harness.engine.statistics.expiredFields).toBe(LIMITS.expiryEffectFields)
    expect(harness.engine.fieldExpiry.run()).toBe(true)
    expect(harness.engine.statistics.expiredFields).toBe(LIMITS.expiryEffectFields + 1000)
    harness.engine.activeExpiry = true
    harness.clock.advance(1000)
    expect(harness.engine.statistics.expiredFields).toBe(5000)
    expect(run('HGETALL', 'h')).toEqual(['stays', '1'])
  })
})
