import { spawn } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { describe, expect, it } from 'vitest'
import { RdbFileReader } from '../../src/rdb/rdb-file-reader.js'
import { freePorts } from '../e2e/support/free-ports.js'
import { describeWithRedisServer } from '../support/with-redis-server.js'
import { contents, EVERYTHING, LARGE, memberWithFolder, run } from './import-rig.js'
import { cli } from './run.js'

const { member, folder, file } = memberWithFolder()
const exportFile = (...args: string[]) => cli('export', member.address, '--to-rdb', file, ...args)

function keysOf(path: string): { key: string; database: number; type: number }[] {
  const reader = new RdbFileReader(path)
  reader.feed(readFileSync(path))
  const keys = []
  for (let item = reader.next(); item !== null; item = reader.next()) {
    if (item.kind === 'key') keys.push({ key: Buffer.from(item.key).toString(), database: item.database, type: item.type })
  }
  reader.finish()
  return keys
}

describeWithRedisServer('an exported file', () => {
  it('is loaded by redis-server: every type, every database, times of expiry', async () => {
    await run(member.redis, [...EVERYTHING, ['SELECT', 3], ['SET', 'k', 'in three'], ['SELECT', 0]])
    const { code, stdout } = await exportFile()
    expect(stdout).toContain('(RDB version 10) in ')
    expect(stdout).toMatch(/ {2}19 keys: string 9 · list 2 · set 3 · zset 2 · hash 2 · stream 1\n/)
    expect(code).toBe(0)

    const [port] = await freePorts(1)
    const server = spawn('redis-server', ['--port', String(port), '--dir', folder, '--dbfilename', 'dump.rdb', '--save', ''])
    const redis = new Redis(port, '127.0.0.1', { retryStrategy: () => 20 })
    redis.on('error', () => undefined)
    try {
      expect(await contents(redis)).toEqual(await contents(member.redis))
      await redis.select(3)
      expect(await redis.get('k')).toBe('in three')
    } finally {
      redis.disconnect()
      server.kill('SIGKILL')
    }
  })
})

describe('export', () => {
  it('has what it exported in a file that import takes', async () => {
    await run(member.redis, EVERYTHING)
    await member.redis.call('HPEXPIREAT', 'hash', 1_999_999_999_999, 'FIELDS', 1, 'f')
    const before = await contents(member.redis)
    expect((await exportFile()).stdout).toContain('(RDB version 12) in ')
    await member.redis.flushall()
    expect(await cli('import', member.address, '--from-rdb', file, '--verify')).toMatchObject({ code: 0 })
    expect(await contents(member.redis)).toEqual(before)
  })

  it('and import move large collections without DUMP and RESTORE', async () => {
    await run(member.redis, LARGE)
    const before = await contents(member.redis)
    await member.redis.config('RESETSTAT')
    expect((await exportFile()).code).toBe(0)
    await member.redis.flushall()
    await member.redis.sadd('huge set', 'other')
    const { code, stdout } = await cli('import', member.address, '--from-rdb', file, '--replace', '--verify')
    expect(stdout).toContain('compared all 4 keys: no difference')
    expect(code).toBe(0)
    expect(await member.redis.info('commandstats')).not.toMatch(/cmdstat_(dump|restore):/)
    expect(await contents(member.redis)).toEqual(before)
    const taken = await cli('import', member.address, '--from-rdb', file, '--skip-existing')
    expect(taken.stdout).toContain('left out: 4 that were in the target already')
  })

  it('keeps the times of fields of a large hash', async () => {
    await run(member.redis, LARGE)
    await member.redis.call('HPEXPIREAT', 'huge hash', 1_999_999_999_999, 'FIELDS', 1, 'field number 77')
    const before = await contents(member.redis)
    expect((await exportFile()).stdout).toContain('(RDB version 12)')
    await member.redis.flushall()
    expect((await cli('import', member.address, '--from-rdb', file, '--verify')).stdout).toContain('no difference')
    expect(await contents(member.redis)).toEqual(before)
  })

  it('writes the version that is asked for, or says which key it cannot hold', async () => {
    await run(member.redis, EVERYTHING)
    // A consumer that was seen after it last got something.
    await new Promise((resolve) => setTimeout(resolve, 5))
    await run(member.redis, [['XREADGROUP', 'GROUP', 'busy', 'two', 'STREAMS', 'stream', '>']])
    expect((await exportFile()).stdout).toContain('of 1 stream, when consumers were last active is left out')
    expect(keysOf(file).find(({ key }) => key === 'stream')?.type).toBe(19)
    rmSync(file)
    expect((await exportFile('--rdb-version', '11')).stdout).toContain('(RDB version 11) in ')
    expect(keysOf(file).find(({ key }) => key === 'stream')?.type).toBe(21)
    rmSync(file)
    await member.redis.call('HPEXPIRE', 'hash', 1_000_000, 'FIELDS', 1, 'f')
    const { code, stderr } = await exportFile('--rdb-version', '10')
    expect(stderr).toContain(
      'The key "hash" has what RDB version 10 cannot hold: fields of a hash that expire (MRD_RDB_UNSUPPORTED)',
    )
    expect(code).toBe(1)
    expect(readdirSync(folder)).toEqual([])
  })

  it('keeps which messages are known and what was released, unless an older version is asked for', async () => {
    await run(member.redis, EVERYTHING)
    await run(member.redis, [
      ['XADD', 'named', 'IDMP', 'p', 'm', '*', 'f', 'v'],
      ['XGROUP', 'CREATE', 'named', 'g', '0'],
      ['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'named', '>'],
    ])
    expect((await exportFile()).stdout).toContain('(RDB version 13) in ')
    expect(keysOf(file).find(({ key }) => key === 'named')?.type).toBe(26)
    rmSync(file)
    const [[id]] = await member.redis.xrange('named', '-', '+')
    await member.redis.call('XNACK', 'named', 'g', 'FAIL', 'IDS', 1, id)
    expect((await exportFile()).stdout).toContain('(RDB version 14) in ')
    expect(keysOf(file).find(({ key }) => key === 'named')?.type).toBe(27)
    const before = await contents(member.redis)
    await member.redis.flushall()
    expect((await cli('import', member.address, '--from-rdb', file, '--verify')).stdout).toContain('no difference')
    expect(await contents(member.redis)).toEqual(before)
    expect(await member.redis.call('XADD', 'named', 'IDMP', 'p', 'm', '*', 'f', 'other')).toBe(id)
    rmSync(file)
    const { stdout } = await exportFile('--rdb-version', '10')
    expect(stdout).toContain('of 1 stream, which messages are known is left out (--rdb-version 13 keeps it')
    expect(keysOf(file).find(({ key }) => key === 'named')?.type).toBe(19)
    await member.redis.flushall()
    expect((await cli('import', member.address, '--from-rdb', file, '--verify')).stdout).toContain('no difference')
    expect(await member.redis.call('XPENDING', 'named', 'g', '-', '+', 10)).toEqual([[id, '', -1, 1]])
  })

  it('takes only what is asked for', async () => {
    await run(member.redis, [
      ['SET', 'user:1', 'a'],
      ['SET', 'other', 'b'],
      ['SELECT', 2],
      ['SET', 'user:2', 'c'],
      ['SELECT', 0],
    ])
    expect((await exportFile('--db', '0', '--match', 'user:*')).code).toBe(0)
    expect(keysOf(file)).toMatchObject([{ key: 'user:1', database: 0 }])
  })

  it('has every key once that is there all the time, however others come and go', async () => {
    const pipeline = member.redis.pipeline()
    for (let i = 0; i < 20_000; i++) pipeline.set(`${i % 2 === 0 ? 'stays' : 'goes'}:${i}`, i)
    await pipeline.exec()
    let isDone = false
    const churn = (async () => {
      for (let i = 1; !isDone; i = (i + 2) % 20_000) {
        await member.redis.del(`goes:${i}`)
        await member.redis.set(`goes:${i}`, i)
      }
    })()
    expect((await exportFile()).code).toBe(0)
    isDone = true
    await churn
    const keys = keysOf(file).map(({ key }) => key)
    expect(new Set(keys).size).toBe(keys.length)
    expect(keys.filter((key) => key.startsWith('stays')).length).toBe(10_000)
  })

  it('replaces a file only when told to', async () => {
    writeFileSync(file, 'precious')
    await member.redis.set('k', 'v')
    expect((await exportFile()).stderr).toContain('dump.rdb exists (MRD_FILE_EXISTS)')
    expect(readFileSync(file, 'utf8')).toBe('precious')
    expect((await exportFile('--force')).code).toBe(0)
    expect(keysOf(file)).toMatchObject([{ key: 'k' }])
  })

  it('says when the file cannot be written', async () => {
    const { code, stderr } = await cli('export', member.address, '--to-rdb', join(folder, 'nowhere', 'dump.rdb'))
    expect(stderr).toContain('cannot be written: ENOENT')
    expect(stderr).toContain('(MRD_DISK_IO)')
    expect(code).toBe(1)
    expect(existsSync(file)).toBe(false)
  })
})
