import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe } from 'vitest'
import { RedisServerTarget, redisVersion } from '../differential/redis-server.js'

/** A redis-server of the suite's own, and a client of it. */
export interface RedisServerSuite {
  readonly version: string
  readonly redis: Redis
}

const version = redisVersion()
const inCi = process.env.CI === 'true' || process.env.CI === '1'

/** A suite against a redis-server. Without one on the PATH it is skipped with a warning; in CI it fails. The fields are there once tests run. */
export function describeWithRedisServer(name: string, body: (suite: RedisServerSuite) => void): void {
  if (version === null && !inCi) {
    console.warn(
      `\n*** SKIPPED: ${name}: needs redis-server on the PATH (apt install redis-server). With CI=true it fails. ***\n`,
    )
  }
  describe.skipIf(version === null && !inCi)(name, () => {
    const suite = { version: version ?? '', redis: undefined as unknown as Redis }
    let server: RedisServerTarget

    beforeAll(async () => {
      if (version === null) throw new Error('redis-server is not on the PATH; install it (apt install redis-server)')
      server = await RedisServerTarget.start()
      suite.redis = new Redis(server.port, '127.0.0.1')
    })

    afterAll(async () => {
      suite.redis.disconnect()
      await server.close()
    })

    body(suite)
  })
}
