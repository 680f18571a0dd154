import { describe, expect, it } from 'vitest'
import type { MemberId } from '../../../src/base/ids.js'
import { EngineHarness } from '../../support/engine-harness.js'
import { TestClients } from '../../support/test-clients.js'
import { boundWithRoom } from '../../support/memory-bound.js'
import { TestPeers } from '../../support/test-peers.js'

function titles(text: unknown): string[] {
  return [...String(text).matchAll(/^# (\w+)\r$/gm)].map((match) => match[1])
}

describe('INFO', () => {
  it('prints sections as Redis does, apart by an empty line', () => {
    const h = new EngineHarness()
    expect(h.run('INFO', 'cluster')).toBe('# Cluster\r\ncluster_enabled:0\r\n')
    expect(h.run('INFO', 'cluster', 'CPU')).toBe(
      '# CPU\r\nused_cpu_sys:0.000000\r\nused_cpu_user:0.000000\r\nused_cpu_sys_children:0.000000\r\nused_cpu_user_children:0.000000\r\n' +
        '\r\n# Cluster\r\ncluster_enabled:0\r\n',
    )
    expect(h.run('INFO', 'nothing')).toBe('')
    h.session.protocol = 3
    expect(h.raw(['INFO', 'cluster'])).toBe('=34\r\ntxt:# Cluster\r\ncluster_enabled:0\r\n\r\n')
  })

  it('shows command statistics only when asked for, and nothing twice', () => {
    const h = new EngineHarness()
    const byDefault = ['Server', 'Clients', 'Memory', 'Persistence', 'Stats', 'Replication', 'CRDT', 'Peers', 'CPU', 'Modules']
    expect(titles(h.run('INFO'))).toEqual([...byDefault, 'Errorstats', 'Cluster', 'Keyspace'])
    const all = [...byDefault, 'Commandstats', 'Errorstats', 'Latencystats', 'Cluster', 'Keyspace']
    for (const args of [['all'], ['everything'], ['cpu', 'all'], ['default', 'commandstats', 'latencystats']])
      expect(titles(h.run('INFO', ...args))).toEqual(all)
  })

  it('says which Redis it is compatible with, and which Meridian it is', () => {
    const text = String(new EngineHarness().run('INFO', 'server'))
    expect(text).toContain('\r\nredis_version:7.4.0\r\n'.slice(2))
    expect(text).toContain('meridian_version:0.0.0\r\n')
    expect(text).toContain('uptime_in_seconds:0\r\n')
  })

  it('counts keys, commands, errors and rates', () => {
    const h = new EngineHarness({ services: { clients: new TestClients() } })
    h.run('SET', 'a', '1')
    h.run('SET', 'b', '1', 'PX', '10000')
    h.run('GET', 'a')
    h.run('GET', 'missing')
    h.run('INCR', 'x', 'y')
    h.run('NOPE')
    h.run('SELECT', '3')
    h.run('SET', 'c', 'text')
    h.run('INCR', 'c')
    expect(h.run('INFO', 'keyspace')).toBe(
      '# Keyspace\r\ndb0:keys=2,expires=1,avg_ttl=10000,subexpiry=0\r\ndb3:keys=1,expires=0,avg_ttl=0,subexpiry=0\r\n',
    )
    expect(h.run('INFO', 'errorstats')).toBe('# Errorstats\r\nerrorstat_ERR:count=3\r\n')
    expect(h.run('INFO', 'commandstats')).toMatch(
      /cmdstat_incr:calls=1,usec=\d+,usec_per_call=\d+\.\d\d,rejected_calls=1,failed_calls=1\r\n/,
    )
    const stats = String(h.run('INFO', 'stats'))
    expect(stats).toContain('keyspace_hits:1\r\nkeyspace_misses:1\r\n')
    expect(stats).toContain('total_error_replies:3\r\n')
    h.clock.advance(1000)
    for (let i = 0; i < 500; i++) h.run('PING')
    h.clock.advance(500)
    expect(Number(/instantaneous_ops_per_sec:(\d+)/.exec(String(h.run('INFO', 'stats')))?.[1])).toBeGreaterThan(300)
    h.run('CONFIG', 'RESETSTAT')
    expect(h.run('INFO', 'stats')).toContain('total_error_replies:0\r\n')
    expect(h.run('INFO', 'errorstats')).toBe('# Errorstats\r\n')
    expect(h.run('INFO', 'commandstats')).not.toContain('cmdstat_get')
  })

  it('tells memory from the arenas', () => {
    const h = new EngineHarness({ services: { clients: new TestClients() } })
    const used = (): number => Number(/used_memory:(\d+)/.exec(String(h.run('INFO', 'memory')))?.[1])
    h.run('SET', 'a', '1')
    const before = used()
    h.run('SET', 'b', 'x'.repeat(100_000))
    expect(used() - before).toBeGreaterThan(100_000)
    expect(used() - before).toBeLessThan(110_000)
    h.run('SET', 'b', '')
    h.clock.advance(200)
    expect(Number(/used_memory_peak:(\d+)/.exec(String(h.run('INFO', 'memory')))?.[1])).toBeGreaterThanOrEqual(used())
  })

  it('tells what the bound is, and what does not count towards it', () => {
    const replication = Object.assign(new TestPeers(1 as MemberId, [2]), { linkBytes: 700 })
    const h = new EngineHarness({ services: { replication } })
    Object.assign(h.services.server, { log: { ...h.services.server.log, recentBytes: 2000, pendingBytes: 30 } })
    h.run('SET', 'a', 'x'.repeat(1000))
    boundWithRoom(h, -100, { evictionPolicy: 'volatile-ttl' })
    const text = String(h.run('INFO', 'memory'))
    const field = (name: string): string | undefined => new RegExp(`^${name}:(.*)\r$`, 'm').exec(text)?.[1]
    const max = h.engine.memory.maxBytes
    expect(field('maxmemory')).toBe(String(max))
    expect(field('maxmemory_policy')).toBe('volatile-ttl')
    expect(field('maxmemory_reserve')).toBe(String(Math.floor(max / 8)))
    expect(field('mem_over_maxmemory')).toBe('100')
    expect(field('mem_not_counted_for_evict')).toBe('2730')
    expect(field('mem_replication_backlog')).toBe('2000')
    expect(field('mem_aof_buffer')).toBe('30')
    expect(field('mem_peer_links')).toBe('700')
    expect(field('used_memory')).toBe(String(max + 100 + 2730))
    expect(field('allocator_resident')).toBeUndefined()
    expect(h.raw(['SET', 'b', 'x'])).toMatch(/^-OOM/)
    expect(h.run('INFO', 'stats')).toContain('evicted_keys:0\r\n')
    expect(h.run('INFO', 'commandstats')).toContain('rejected_calls=1,failed_calls=0')
    expect(h.run('INFO', 'errorstats')).toContain('errorstat_OOM:count=1')
  })

  it('describes this member and its peers', () => {
    const replication = new TestPeers(1 as MemberId, [2, 3])
    const h = new EngineHarness({ self: 1, solo: false, services: { replication } })
    h.run('SET', 'a', '1')
    const crdt = String(h.run('INFO', 'crdt'))
    expect(crdt).toMatch(
      /^# CRDT\r\nmember_id:1\r\nmember_name:test\r\nregion:test\r\nzone:a\r\ncluster_id:test\r\nmembers:3\r\ntopology_version:1\r\nmembership:active\r\ndraining:\r\nversion_vector:1:\d+\r\n/,
    )
    expect(h.run('INFO', 'peers')).toBe(
      '# Peers\r\npeers:2\r\n' +
        'peer0:id=2,name=m2,region=r2,link=up,inbound=up,lag_ms=3,behind_ms=0,rtt_ms=1,bytes_in=10,bytes_out=20,relay=none,error=\r\n' +
        'peer1:id=3,name=m3,region=r3,link=up,inbound=up,lag_ms=3,behind_ms=0,rtt_ms=1,bytes_in=10,bytes_out=20,relay=none,error=\r\n',
    )
    expect(h.run('INFO', 'replication')).toMatch(/^# Replication\r\nrole:master\r\nconnected_slaves:0\r\n/)
  })
})
