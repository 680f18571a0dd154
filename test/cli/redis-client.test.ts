import { describe, expect, it } from 'vitest'
import { RedisClient } from '../../src/cli/redis-client.js'
import { startFakeMember } from './fake-member.js'

async function loadingErrorOf(error?: string): Promise<string | null> {
  const member = await startFakeMember(error === undefined ? {} : { error })
  const client = await RedisClient.connect({ host: '127.0.0.1', port: member.port }, 1000)
  try {
    return await client.loadingError()
  } finally {
    client.close()
    await member.close()
  }
}

describe('a client that asks whether writes are taken', () => {
  it('hears why they are not taken yet', async () => {
    expect(await loadingErrorOf('LOADING This member has just started')).toBe('LOADING This member has just started')
  })

  it('has nothing to wait for when they are taken, or refused for another reason', async () => {
    expect(await loadingErrorOf()).toBeNull()
    expect(await loadingErrorOf('READONLY This member was removed from its cluster.')).toBeNull()
  })
})
