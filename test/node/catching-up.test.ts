import { describe, expect, it } from 'vitest'
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
