import { describe, expect, it } from 'vitest'
import { serverEnvironment } from '../../src/cli/server-environment.js'

describe('the environment of a server', () => {
  it('asks for huge pages and keeps everything else', () => {
    expect(serverEnvironment({ PATH: '/bin' })).toEqual({ PATH: '/bin', GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' })
  })

  it('adds to tunables that are set', () => {
    expect(serverEnvironment({ GLIBC_TUNABLES: 'glibc.malloc.arena_max=2' }).GLIBC_TUNABLES).toBe(
      'glibc.malloc.arena_max=2:glibc.malloc.hugetlb=1',
    )
  })

  it('leaves what the operator has said about huge pages', () => {
    const env = { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=0:glibc.malloc.arena_max=2' }
    expect(serverEnvironment(env)).toEqual(env)
  })
})
