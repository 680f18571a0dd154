import { describe, expect, it } from 'vitest'
import { SHARD_COUNT } from '../../../src/keyspace/database.js'
import { EngineHarness } from '../../support/engine-harness.js'
import { emptyTwin, loadAll, writeAll } from './state-rig.js'

function pendingOf(member: EngineHarness): string {
  return JSON.stringify(member.run('XPENDING', 'stream', 'g', '-', '+', '100'))
}

describe('a state that another member has written', () => {
  it('gives back what a group had here, also when all of it was cleared before', () => {
    const other = new EngineHarness()
    for (let i = 1; i <= 200; i++) other.run('XADD', 'stream', `${i}-1`, 'field', 'v'.repeat(1000))
    other.run('XGROUP', 'CREATE', 'stream', 'g', '0')
    other.run('XREADGROUP', 'GROUP', 'g', 'mine', 'COUNT', '50', 'STREAMS', 'stream', '>')
    const here = emptyTwin(other)
    loadAll(here.engine, writeAll(other.engine))
    const before = pendingOf(here)
    // Reads by another consumer, and acknowledgements of what it had.
    other.run('XREADGROUP', 'GROUP', 'g', 'theirs', 'COUNT', '100', 'STREAMS', 'stream', '>')
    other.run('XACK', 'stream', 'g', '1-1', '2-1', '60-1')

    const loader = here.engine.states.loader('foreign')
    const clearer = here.engine.states.clearer()
    for (let shard = 0; shard < SHARD_COUNT; shard++) while (!clearer.step(0, shard, 1, (db, ref) => loader.keepOwn(0, db, ref)));
    expect(here.run('EXISTS', 'stream')).toBe(0)
    // In many records.
    for (const { database, bytes } of writeAll(other.engine, 2000).sections) {
      loader.load(database, bytes, 0, bytes.length)
      loader.end()
    }
    loader.forgetKept()
    const after = pendingOf(here)
    expect(JSON.parse(after)).toEqual((JSON.parse(before) as string[][]).filter(([id]) => id !== '1-1' && id !== '2-1'))
    expect(JSON.stringify(here.run('XINFO', 'CONSUMERS', 'stream', 'g'))).not.toContain('theirs')
    const next = JSON.stringify(here.run('XREADGROUP', 'GROUP', 'g', 'mine', 'COUNT', '10', 'STREAMS', 'stream', '>'))
    expect([...next.matchAll(/"(\d+)-1"/g)].map(([, n]) => Number(n))).toEqual([51, 52, 53, 54, 55, 56, 57, 58, 59, 61])
  })

  it('says what is acknowledged although it is pending there: claimed by force, or read without acknowledgement after SETID', () => {
    const other = new EngineHarness()
    for (let i = 1; i <= 4; i++) other.run('XADD', 'stream', `${i}-1`, 'field', 'value')
    other.run('XGROUP', 'CREATE', 'stream', 'g', '0')
    other.run('XREADGROUP', 'GROUP', 'g', 'theirs', 'COUNT', '3', 'STREAMS', 'stream', '>')
    other.run('XACK', 'stream', 'g', '2-1')
    other.run('XGROUP', 'SETID', 'stream', 'g', '0')
    other.run('XREADGROUP', 'GROUP', 'g', 'theirs', 'COUNT', '1', 'NOACK', 'STREAMS', 'stream', '>')
    other.run('XREADGROUP', 'GROUP', 'g', 'theirs', 'COUNT', '1', 'STREAMS', 'stream', '>')
    other.run('XACK', 'stream', 'g', '2-1')
    other.run('XCLAIM', 'stream', 'g', 'theirs', '0', '2-1', 'FORCE')
    const pending = pendingOf(other)
    expect((JSON.parse(pending) as string[][]).map(([id]) => id)).toEqual(['1-1', '2-1', '3-1'])

    // A member's own state comes back with it: what is written after that says the same.
    const again = emptyTwin(other)
    loadAll(again.engine, writeAll(other.engine))
    expect(pendingOf(again)).toBe(pending)

    const here = emptyTwin(other)
    const loader = here.engine.states.loader('foreign')
    for (const { database, bytes } of writeAll(again.engine).sections) {
      loader.load(database, bytes, 0, bytes.length)
      loader.end()
    }
    const next = JSON.stringify(here.run('XREADGROUP', 'GROUP', 'g', 'mine', 'STREAMS', 'stream', '>'))
    expect([...next.matchAll(/"(\d+)-1"/g)].map(([, n]) => Number(n))).toEqual([3, 4])
  })
})
