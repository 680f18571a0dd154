import { describe, expect, it, vi } from 'vitest'
import { LIMITS } from '../../src/base/limits.js'
import { FrameRead } from '../../src/oplog/frame-read.js'
import { SimulatedMesh } from '../support/simulated-mesh.js'

describe('a member that must catch up before it takes writes', () => {
  it('does not wait for what another one had told of and then lost in a power cut', () => {
    const mesh = new SimulatedMesh(3).start()
    const [a, b, c] = mesh.nodes
    a.run('SET', 'kept', '1')
    mesh.untilEqual(a, b, c)
    mesh.advance(2000)
    c.loseDisk()
    a.disk.meanSyncMs = 1e6
    a.run('SET', 'lost', '1')
    c.start()
    mesh.advance(200)
    a.crash(true)
    a.disk.meanSyncMs = 2
    a.start()
    mesh.advance(5000)
    expect(a.run('GET', 'lost')).toBe('null')
    expect(c.run('SET', 'later', '1')).toBe('OK')
    mesh.untilEqual(a, b, c)
  })
})

describe('an op that is larger than what is kept in memory', () => {
  const large = 'x'.repeat(LIMITS.recentFrameBytes + 1000)

  it('is sent from its file, a block at a time, and what comes before and behind it from memory', () => {
    const mesh = new SimulatedMesh(3).start()
    const [a, b, c] = mesh.nodes
    c.crash()
    const step = vi.spyOn(FrameRead.prototype, 'step')
    for (let round = 0; round < 3; round++) {
      a.run('SET', `before${round}`, '1')
      a.run('SET', 'large', `${large}${round}`)
      a.run('SET', `behind${round}`, '1')
      b.run('SET', `other${round}`, '1')
      mesh.untilEqual(a, b)
      expect(b.run('STRLEN', 'large')).toBe(String(large.length + 1))
    }
    const steps = step.mock.calls.length
    vi.restoreAllMocks()
    expect(steps).toBeGreaterThanOrEqual(3 * Math.floor(LIMITS.recentFrameBytes / LIMITS.cursorBlockBytes))
    c.start()
    mesh.untilEqual(a, b, c)
    expect(c.run('GET', 'large').endsWith('2')).toBe(true)
  })
})
