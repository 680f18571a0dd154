import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCampaign } from './campaign.js'
import { FAMILIES } from './grammar/families.js'
import { RedisServerTarget, redisVersion } from './redis-server.js'
import { InProcessTarget, SocketTarget, type Target } from './target.js'

/**
 * Random sequences, the same to redis-server and to one region of Meridian. Settings by environment:
 *
 *   DIFFERENTIAL_SEQUENCES=5000   sequences a family (60)
 *   DIFFERENTIAL_FIRST_SEED=1     seed of the first (1)
 *   DIFFERENTIAL_SEED=17          this one sequence only
 *   DIFFERENTIAL_FAMILY=string    this family only
 *   DIFFERENTIAL_TARGET=host:port a running server instead of one in this process; its data is flushed
 *   DIFFERENTIAL_TARGET=redis     a second redis-server: shows that the comparison itself is fair
 */
const env = process.env
const version = redisVersion()
const inCi = env.CI === 'true' || env.CI === '1'
const single = env.DIFFERENTIAL_SEED
const firstSeed = Number(single ?? env.DIFFERENTIAL_FIRST_SEED ?? 1)
const sequences = single === undefined ? Number(env.DIFFERENTIAL_SEQUENCES ?? 60) : 1
const families = Object.keys(FAMILIES).filter(
  (family) => env.DIFFERENTIAL_FAMILY === undefined || env.DIFFERENTIAL_FAMILY === family,
)
const MS_PER_SEQUENCE = 200

if (version === null && !inCi) {
  console.warn(
    '\n*** SKIPPED: differential tests need redis-server on the PATH (apt install redis-server). With CI=true they fail instead. ***\n',
  )
}

async function subjectTarget(): Promise<Target> {
  const address = env.DIFFERENTIAL_TARGET
  if (address === undefined) return new InProcessTarget()
  if (address === 'redis') return RedisServerTarget.start('the second redis')
  const colon = address.lastIndexOf(':')
  return new SocketTarget('meridian', address.slice(0, colon), Number(address.slice(colon + 1)))
}

describe.skipIf(version === null && !inCi)('one region answers as redis-server does', () => {
  let redis: RedisServerTarget
  let subject: Target

  beforeAll(async () => {
    if (version === null) throw new Error('redis-server is not on the PATH; install it (apt install redis-server)')
    redis = await RedisServerTarget.start()
    subject = await subjectTarget()
  })

  afterAll(async () => {
    await subject?.close()
    await redis?.close()
  })

  it.for(families)('to random commands: %s', { timeout: 30_000 + sequences * MS_PER_SEQUENCE }, async (family, context) => {
    const missing = FAMILIES[family].needs.filter((command) => !subject.supports(command))
    context.skip(missing.length > 0, `there is no ${missing.join(', ')}`)
    const report = await runCampaign(redis, subject, { family, firstSeed, sequences })
    if (report !== null) expect.fail(report)
  })
})
