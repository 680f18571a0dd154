import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { writeCrc64 } from '../../src/rdb/crc64.js'
import { RdbFileWriter } from '../../src/rdb/rdb-file-writer.js'
import { ARRAY_PARTS, fileWith, METADATA_PARTS, NEW_FILE_PARTS } from '../rdb/new-payloads.js'
import { describeWithRedisServer } from '../support/with-redis-server.js'
import { contents, EVERYTHING, memberWithFolder, run } from './import-rig.js'
import { cli } from './run.js'

const { member, folder, file } = memberWithFolder()
const importFile = (...args: string[]) => cli('import', member.address, '--from-rdb', file, ...args)

describeWithRedisServer('an RDB file of redis-server', (suite) => {
  async function save(): Promise<void> {
    await suite.redis.save()
    const [, dir] = await suite.redis.config('GET', 'dir')
    writeFileSync(file, readFileSync(join(dir, 'dump.rdb')))
  }

  beforeEach(async () => {
    await suite.redis.flushall()
    await suite.redis.select(0)
  })

  it('is imported whole: every type, every database, times of expiry', async () => {
    await run(suite.redis, EVERYTHING)
    await run(suite.redis, [
      ['SELECT', 7],
      ['SET', 'k', 'in seven'],
      ['SELECT', 0],
    ])
    await save()
    const { code, stdout, stderr } = await importFile('--verify')
    expect(stderr).toBe('')
    expect(stdout).toMatch(/imported .*dump\.rdb \(RDB version 10, written by Redis 7\.0\.\d+\) in .* keys\/s/)
    expect(stdout).toMatch(/ {2}19 keys: string 9 · list 2 · set 3 · zset 2 · hash 2 · stream 1\n/)
    expect(stdout).toContain('db7 of the target: 0 keys before, 1 now')
    expect(stdout).toContain('compared all 19 keys: no difference')
    expect(code).toBe(0)
    expect(await contents(member.redis)).toEqual(await contents(suite.redis))
    await member.redis.select(7)
    expect(await member.redis.get('k')).toBe('in seven')
  })

  it('with functions says which are not imported', async () => {
    await suite.redis.call('FUNCTION', 'LOAD', '#!lua name=mine\nredis.register_function("f", function() return 1 end)')
    await suite.redis.set('k', 'v')
    await save()
    await suite.redis.call('FUNCTION', 'FLUSH')
    expect((await importFile()).stdout).toContain('not imported: 1 function library (mine)')
  })

  it('is imported in part: by database, into another, by pattern', async () => {
    await run(suite.redis, [
      ['SET', 'user:1', 'a'],
      ['SET', 'other', 'b'],
      ['SELECT', 2],
      ['SET', 'user:2', 'c'],
      ['SELECT', 0],
    ])
    await save()
    const { code, stdout } = await importFile('--db', '0', '--map-db', '0:5', '--match', 'user:*', '--verify')
    expect(stdout).toContain('left out: 2 not selected')
    expect(stdout).toContain('compared all 1 keys: no difference')
    expect(code).toBe(0)
    expect(await member.redis.dbsize()).toBe(0)
    await member.redis.select(5)
    expect(await member.redis.keys('*')).toEqual(['user:1'])
  })

  it('leaves out what has expired', async () => {
    await run(suite.redis, [
      ['SET', 'k', 'v'],
      ['SET', 'gone', 'v', 'PX', 20],
    ])
    await save()
    await new Promise((resolve) => setTimeout(resolve, 30))
    const { code, stdout } = await importFile('--verify')
    expect(stdout).toContain('left out: 1 that had expired')
    expect(code).toBe(0)
    expect(await member.redis.keys('*')).toEqual(['k'])
  })

  it('writes nothing when a key exists, unless told what to do with it', async () => {
    await run(suite.redis, [
      ['SET', 'a', 'new'],
      ['SET', 'b', 'new'],
    ])
    await save()
    await member.redis.set('b', 'old')
    const refusal = await importFile()
    expect(refusal).toMatchObject({ code: 1, stdout: '' })
    expect(refusal.stderr).toContain('meridian: The target has the key "b" already (MRD_IMPORT_EXISTS).')
    expect(await member.redis.exists('a')).toBe(0)

    const skipping = await importFile('--skip-existing')
    expect(skipping.stdout).toContain('left out: 1 that were in the target already')
    expect(skipping.code).toBe(0)
    expect(await member.redis.mget('a', 'b')).toEqual(['new', 'old'])

    expect(await importFile('--replace', '--verify')).toMatchObject({ code: 0 })
    expect(await member.redis.mget('a', 'b')).toEqual(['new', 'new'])
    expect((await importFile('--replace', '--skip-existing')).code).toBe(64)
  })

  it('that is damaged is refused with the place, and nothing is written', async () => {
    await run(suite.redis, EVERYTHING)
    await save()
    const whole = readFileSync(file)
    for (const at of [0, 20, 200, whole.length - 100, whole.length - 1]) {
      const bad = Buffer.from(whole)
      bad[at] ^= 0x40
      writeFileSync(file, bad)
      const { code, stderr } = await importFile()
      expect(stderr).toMatch(/^meridian: .*dump\.rdb (is damaged|has .*) at byte \d+.*\(MRD_RDB_(DAMAGED|UNSUPPORTED)\)\. /)
      expect(code).toBe(1)
    }
    writeFileSync(file, whole.subarray(0, 500))
    expect((await importFile()).stderr).toContain('is damaged at byte 500: it ends before its end mark')
    writeFileSync(file, Buffer.concat([whole, Buffer.from('*1\r\n')]))
    expect((await importFile()).stderr).toContain(`goes on behind its end mark at byte ${whole.length}`)
    expect(await member.redis.dbsize()).toBe(0)
  })
})

describe('an RDB file', () => {
  /** One key, with these bytes as its value. */
  function writeFile(type: number, value: Uint8Array): void {
    const writer = new RdbFileWriter()
    writer.key(Buffer.from('k'), type, value, null)
    writer.end()
    const body = Buffer.from(writer.take())
    const { header, checksum } = writer.seal(10)
    writeFileSync(file, Buffer.concat([header, body, checksum]))
  }

  it('with a value of a module is refused, or imported without it', async () => {
    writeFile(7, Buffer.from([0x81, 1, 2, 3, 4, 5, 6, 7, 0, 2, 5, 0]))
    const refusal = await importFile()
    expect(refusal.stderr).toMatch(/has a value of the module .{9} at byte 9, in the key "k" \(MRD_RDB_UNSUPPORTED\)/)
    const skipping = await importFile('--skip-unsupported')
    expect(skipping.stdout).toMatch(/left out: 1 of the module/)
    expect(skipping.code).toBe(0)
  })

  it('of Redis 8.10 is imported whole: hashes with templates, messages of producers, released entries', async () => {
    writeFileSync(file, fileWith(15, ...NEW_FILE_PARTS))
    const { code, stdout, stderr } = await importFile('--verify')
    expect(stderr).toBe('')
    expect(stdout).toContain('(RDB version 15, written by Redis 8.10.0)')
    expect(stdout).toContain('  6 keys: string 1 · hash 3 · stream 2\n')
    expect(stdout).toContain('compared all 6 keys: no difference')
    expect(code).toBe(0)
    expect(await member.redis.hgetall('packed')).toEqual({ age: '42', name: 'Ann', email: 'a@b.c' })
    expect(await member.redis.hget('spread', 'f')).toBe('7')
    expect(await member.redis.pexpiretime('packed')).toBe(1_900_000_000_123)
    const info = (await member.redis.xinfo('STREAM', 'messages')) as unknown[]
    for (const [name, value] of [
      ['idmp-duration', 50],
      ['idmp-maxsize', 7],
      ['iids-added', 9],
      ['iids-duplicates', 4],
    ] as const) {
      expect([name, info[info.indexOf(name) + 1]]).toEqual([name, value])
    }
    const pending = (await member.redis.xpending('released', 'g', '-', '+', 10)) as [string, string, number, number][]
    expect(pending.map(([id, consumer]) => [id, consumer])).toEqual([
      ['5-1', 'c'],
      ['5-2', ''],
      ['6-0', ''],
    ])
  })

  it('with an array, or metadata that a module needs, is refused, or imported without', async () => {
    writeFileSync(file, fileWith(14, ...ARRAY_PARTS, ...METADATA_PARTS, 0, 1, 'k', 1, 'v'))
    expect((await importFile()).stderr).toMatch(/has a value of type array at byte 9, in the key "array" \(MRD_RDB_UNSUPPORTED\)/)
    const skipping = await importFile('--skip-unsupported')
    expect(skipping.stdout).toContain('left out: 1 of type array, 1 of data of the module KMT1')
    expect(skipping.code).toBe(0)
    expect(await member.redis.get('k')).toBe('v')
  })

  it('with a value that contradicts itself names the key', async () => {
    // A sorted set with one member twice.
    writeFile(3, Buffer.from([2, 1, 97, 1, 49, 1, 97, 1, 49]))
    expect((await importFile()).stderr).toContain(
      'has a value that cannot be read, of the key "k" at byte 9: members or fields: duplicate',
    )
  })

  it('may have a collection without elements, which is left out as Redis does', async () => {
    writeFile(2, Buffer.from([0]))
    const { code, stdout } = await importFile()
    expect(stdout).toContain('left out: 1 without elements')
    expect(code).toBe(0)
  })

  it('without a checksum is said to have none', async () => {
    writeFile(0, Buffer.from([1, 97]))
    const bytes = readFileSync(file)
    writeFileSync(file, Buffer.concat([bytes.subarray(0, -8), Buffer.alloc(8)]))
    expect((await importFile()).stdout).toContain('RDB version 10, written without a checksum')
    writeCrc64(bytes, 0, bytes.length - 9, bytes, bytes.length - 8)
    writeFileSync(file, bytes)
    expect((await importFile()).stderr).toContain('the checksum is not that of the bytes before it')
  })

  it('must be there, and so must the database that it goes to', async () => {
    expect(await cli('import', member.address, '--from-rdb', join(folder, 'nothing'))).toMatchObject({ code: 64 })
    expect(await cli('import', member.address, '--from-rdb', folder)).toMatchObject({ code: 64 })
    writeFile(0, Buffer.from([1, 97]))
    expect((await importFile('--db', '0', '--map-db', '0:500')).stderr).toContain(
      'refuses SELECT: ERR DB index is out of range (MRD_REFUSED)',
    )
    for (const map of ['0', '0:x', '0:1:2', '0:1']) expect(await importFile('--map-db', map)).toMatchObject({ code: 64 })
    expect(await cli('import', member.address)).toMatchObject({ code: 64 })
  })
})
