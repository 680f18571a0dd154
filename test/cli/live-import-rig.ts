import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import type { RedisServerSuite } from '../support/with-redis-server.js'
import { contents, startMember, type TestMember } from './import-rig.js'
import { CliRun } from './run.js'

/** Imports from a running redis-server into a member, both empty before each test. */
export interface LiveImports {
  readonly member: Pick<TestMember, 'address' | 'redis'>
  /** Of the source. */
  readonly address: string
  /** A further client of the source, which goes after the test. */
  client(): Redis
  start(...args: string[]): CliRun
  /** Resolves when what comes is what is written now. */
  following(importing: CliRun): Promise<void>
  expectSame(): Promise<void>
}

export function liveImports(suite: RedisServerSuite): LiveImports {
  let started: TestMember | null = null
  const clients: Redis[] = []
  const runs: CliRun[] = []
  const member = (): TestMember => {
    if (started === null) throw new Error('the member is there once tests run')
    return started
  }
  const address = (): string => `127.0.0.1:${suite.redis.options.port}`

  beforeAll(async () => {
    started = await startMember()
  })
  afterAll(() => started?.stop())
  beforeEach(async () => {
    await member().redis.flushall()
    await member().redis.select(0)
    await suite.redis.flushall()
    await suite.redis.select(0)
    await suite.redis.config('SET', 'repl-diskless-sync-delay', '0')
    await suite.redis.config('SET', 'repl-diskless-sync', 'yes')
  })
  afterEach(async () => {
    for (const client of clients.splice(0)) client.disconnect()
    for (const run of runs.splice(0)) {
      run.requestStop()
      run.requestStop()
      await run.finished
    }
  })

  return {
    member: {
      get address() {
        return member().address
      },
      get redis() {
        return member().redis
      },
    },
    get address() {
      return address()
    },
    client() {
      const client = suite.redis.duplicate()
      clients.push(client)
      return client
    },
    start(...args) {
      const importing = new CliRun(['import', member().address, '--from', address(), ...args])
      runs.push(importing)
      return importing
    },
    async following(importing) {
      while (!importing.stderr.includes('the snapshot is in')) {
        if (importing.stderr.includes('MRD_')) throw new Error(importing.stderr)
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    },
    async expectSame() {
      for (const database of [0, 3, 4]) {
        await suite.redis.select(database)
        await member().redis.select(database)
        const there = await contents(suite.redis)
        expect(await contents(member().redis)).toEqual(there)
      }
    },
  }
}
