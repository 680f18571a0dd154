import { describe, expect, it } from 'vitest'
import { LIMITS } from '../../src/base/limits.js'
import type { FrameView } from '../../src/crdt/frame.js'
import type { MemberId } from '../../src/base/ids.js'
import { Mesh } from './mesh.js'

const m = (id: number) => id as MemberId
const totalFramesReceived = (mesh: Mesh) =>
  mesh.members.reduce((sum, member) => sum + member.sync.peers().reduce((n, peer) => n + peer.framesReceived, 0), 0)

describe('a healthy mesh', () => {
  it('brings every frame to every member, each over one link once', () => {
    const mesh = new Mesh(4).start()
    mesh.advance(200)
    for (let round = 0; round < 20; round++) {
      for (const member of mesh.members) member.host.write()
      mesh.advance(7)
    }
    mesh.advance(3000)
    expect(mesh.converged()).toBe(true)
    expect(mesh.members[0].host.log.length).toBe(80)
    expect(totalFramesReceived(mesh)).toBe(4 * 3 * 20)
  })

  it('reports state, vectors, lag, round trip and clock skew', () => {
    const mesh = new Mesh(3)
    mesh.hub.delayMs = 10
    mesh.start()
    mesh.advance(2500)
    const [a, b] = mesh.members
    let moves = 0
    a.sync.onVectors(() => moves++)
    const frame = a.host.write()
    mesh.advance(5)
    const before = a.sync.peers()[0]
    expect(before.lagMs).toBeGreaterThan(0)
    expect(before.lagMs).toBeLessThan(20)
    mesh.advance(100)
    const status = a.sync.peers()[0]
    expect(status).toMatchObject({ lagMs: 0, behindMs: 0, relay: null, roundTripMs: 20, clockSkewMs: 0, lastError: null })
    expect(status.outbound.state).toBe('up')
    expect(status.inbound.state).toBe('up')
    expect(a.sync.appliedBy(m(2))?.get(m(1))).toBe(frame.last)
    expect(a.sync.durableBy(m(2))?.get(m(1))).toBe(frame.last)
    expect(moves).toBeGreaterThan(0)
    expect(b.sync.peers()[0].framesReceived).toBe(1)
    expect(a.sync.appliedBy(m(9))).toBeNull()
  })

  it('says that vectors have moved when a process that has come again reports what was known of it: only then it counts', () => {
    const mesh = new Mesh(2).start()
    mesh.advance(200)
    const [a, b] = mesh.members
    a.host.write()
    b.host.write()
    mesh.advance(2000)
    let moves = 0
    a.sync.onVectors(() => moves++)
    b.crash()
    mesh.advance(2000)
    expect(a.sync.isLinked(m(2))).toBe(true)
    expect(a.sync.stable().dominates(a.host.applied)).toBe(true)
    expect(moves).toBeGreaterThan(0)
  })

  it('sends nothing that is not durable yet', () => {
    const mesh = new Mesh(2).start()
    mesh.advance(200)
    mesh.members[0].host.syncDelayMs = 500
    mesh.members[0].host.write()
    mesh.advance(450)
    expect(mesh.members[1].host.log.length).toBe(0)
    mesh.advance(200)
    expect(mesh.members[1].host.log.length).toBe(1)
  })

  it('calls status listeners when links come and go', () => {
    const mesh = new Mesh(2)
    let changes = 0
    mesh.members[0].sync.onStatus(() => changes++)
    mesh.start()
    mesh.advance(200)
    expect(changes).toBe(2)
    mesh.hub.blockBoth('m1', 'm2')
    mesh.advance(10)
    expect(changes).toBe(4)
    expect(mesh.members[0].sync.peers()[0].outbound.state).not.toBe('up')
    expect(mesh.members[0].sync.peers()[0].lastError?.code).toBe('MRD_PEER_UNREACHABLE')
  })

  it('is quiet when idle: only heartbeats', () => {
    const mesh = new Mesh(2).start()
    mesh.members[0].host.write()
    mesh.advance(5000)
    const before = mesh.members[0].sync.peers()[0].bytesSent
    mesh.advance(10_000)
    // Two links, a ping of 14 bytes and a pong of 21 on each a second.
    expect(mesh.members[0].sync.peers()[0].bytesSent - before).toBeLessThanOrEqual(11 * 2 * 35)
  })
})

describe('a member whose address changes', () => {
  const started = () => {
    const mesh = new Mesh(2).start()
    mesh.advance(500)
    const [a] = mesh.members
    return { mesh, a, dialled: mesh.hub.end('m1', 'm2', true) }
  }
  type Started = ReturnType<typeof started>
  const moveTo = ({ a }: Started, host: string) => {
    const { topology } = a.host
    const members = topology.members.map((one) => (one.name === 'm2' ? { ...one, address: { ...one.address, host } } : one))
    a.host.topology = { ...topology, version: topology.version + 1, members }
    a.sync.topologyChanged()
  }
  const goesOn = ({ mesh, a }: Started) => {
    for (const member of mesh.members) member.host.write()
    mesh.advance(300)
    expect(mesh.converged()).toBe(true)
    expect(a.sync.peers()[0]).toMatchObject({ outbound: { state: 'up' }, inbound: { state: 'up' }, relay: null })
  }

  it('is dialled there at once, and the link to the old address is given up', () => {
    const all = started()
    moveTo(all, 'new')
    all.mesh.advance(100)
    expect(all.dialled.closed).toBe(true)
    expect(all.a.sync.peers()[0]).toMatchObject({ lastError: null, unreached: null })
    expect(all.a.lines.filter(({ level }) => level === 'warn')).toEqual([])
    goesOn(all)
  })

  it('keeps the link to the old one while the new one does not answer, says so, and moves when it does', () => {
    const all = started()
    all.mesh.hub.deadHosts.add('new')
    moveTo(all, 'new')
    all.mesh.advance(20_000)
    expect(all.dialled.closed).toBe(false)
    expect(all.a.sync.peers()[0].unreached?.host).toBe('new')
    expect(all.a.sync.peers()[0].lastError?.message).toContain('ECONNREFUSED')
    goesOn(all)
    all.mesh.hub.deadHosts.clear()
    all.mesh.advance(6000)
    expect(all.dialled.closed).toBe(true)
    expect(all.a.sync.peers()[0].unreached).toBe(null)
    goesOn(all)
  })

  it('stays where it is when the address is set back, and goes on to the next one when that is set', () => {
    const all = started()
    all.mesh.hub.deadHosts.add('new')
    moveTo(all, 'new')
    all.mesh.advance(1000)
    moveTo(all, '127.0.0.1')
    all.mesh.advance(20_000)
    expect(all.dialled.closed).toBe(false)
    expect(all.a.sync.peers()[0].unreached).toBe(null)
    moveTo(all, 'new')
    moveTo(all, 'newer')
    all.mesh.advance(100)
    expect(all.dialled.closed).toBe(true)
    goesOn(all)
  })

  it('is dialled there at once when the old address does not answer either', () => {
    const all = started()
    all.mesh.hub.deadHosts.add('127.0.0.1')
    all.dialled.break()
    all.mesh.advance(60_000)
    expect(all.a.sync.peers()[0].outbound.state).not.toBe('up')
    moveTo(all, 'new')
    all.mesh.advance(50)
    goesOn(all)
  })

  it('is dialled there when the link to the old one breaks before the new one is up', () => {
    const all = started()
    all.mesh.hub.deadHosts.add('new')
    moveTo(all, 'new')
    all.mesh.advance(1000)
    all.mesh.hub.deadHosts.clear()
    all.dialled.break()
    all.mesh.advance(2000)
    expect(all.a.sync.peers()[0].unreached).toBe(null)
    goesOn(all)
  })
})

describe('broken links', () => {
  it('go round: a line of four members converges', () => {
    const mesh = new Mesh(4)
    for (const [a, b] of [
      ['m1', 'm3'],
      ['m1', 'm4'],
      ['m2', 'm4'],
    ])
      mesh.hub.blockBoth(a, b)
    mesh.start()
    for (let round = 0; round < 30; round++) {
      for (const member of mesh.members) member.host.write()
      mesh.advance(100)
    }
    mesh.advance(5000)
    expect(mesh.converged()).toBe(true)
    expect(mesh.members[3].sync.peers()[0]).toMatchObject({
      relay: 3,
      outbound: { state: expect.stringMatching(/waiting|connecting/) },
    })
    expect(mesh.members[3].sync.peers()[1].relay).toBe(3)
    expect(mesh.members[3].sync.peers()[2].relay).toBeNull()
    // Nobody gets a frame twice.
    expect(totalFramesReceived(mesh)).toBe(4 * 3 * 30)
  })

  it('report vectors of members that are only reached through others', () => {
    const mesh = new Mesh(4)
    for (const [a, b] of [
      ['m1', 'm3'],
      ['m1', 'm4'],
      ['m2', 'm4'],
    ])
      mesh.hub.blockBoth(a, b)
    mesh.start()
    mesh.advance(2000)
    const frame = mesh.members[0].host.write()
    mesh.advance(8000)
    expect(mesh.members[0].sync.durableBy(m(4))?.get(m(1))).toBe(frame.last)
    expect(mesh.members[0].sync.stable().get(m(1))).toBe(frame.last)
  })

  it('in one direction do no harm, even between two members alone', () => {
    const mesh = new Mesh(2)
    mesh.hub.block('m2', 'm1')
    mesh.start()
    mesh.members[0].host.write()
    mesh.members[1].host.write()
    mesh.advance(4000)
    expect(mesh.converged()).toBe(true)
    // m2 pulls over the link that m1 dialled.
    expect(mesh.members[1].sync.peers()[0]).toMatchObject({ relay: 1, inbound: { state: 'up' } })
    mesh.hub.unblockAll()
    mesh.advance(8000)
    expect(mesh.members[1].sync.peers()[0]).toMatchObject({ relay: null, outbound: { state: 'up' } })
  })

  it('are replaced by the direct link when it is back', () => {
    const mesh = new Mesh(3)
    mesh.hub.blockBoth('m1', 'm2')
    mesh.start()
    mesh.members[0].host.write()
    mesh.advance(4000)
    expect(mesh.members[1].sync.peers()[0].relay).toBe(3)
    mesh.hub.unblockAll()
    mesh.advance(10_000)
    expect(mesh.members[1].sync.peers()[0].relay).toBeNull()
    const before = totalFramesReceived(mesh)
    mesh.members[0].host.write()
    mesh.advance(500)
    expect(totalFramesReceived(mesh) - before).toBe(2)
    expect(mesh.converged()).toBe(true)
  })

  it('make a member leave a relay that has been cut off', () => {
    const mesh = new Mesh(4)
    mesh.hub.blockBoth('m1', 'm4')
    mesh.start()
    mesh.members[0].host.write()
    mesh.advance(4000)
    const relay = mesh.members[3].sync.peers()[0].relay as number
    const other = relay === 2 ? 3 : 2
    // The relay loses the origin and everyone else but m4.
    mesh.hub.blockBoth(`m${relay}`, 'm1')
    mesh.hub.blockBoth(`m${relay}`, `m${other}`)
    mesh.members[0].host.write()
    mesh.advance(10_000)
    expect(mesh.members[3].sync.peers()[0].relay).toBe(other)
    expect(mesh.converged()).toBe(true)
  })

  it('are noticed when nothing arrives any more', () => {
    const mesh = new Mesh(2).start()
    mesh.advance(1000)
    const [a, b] = mesh.members
    for (const end of mesh.hub.ends) end.silent = true
    mesh.advance(4000)
    expect(a.sync.peers()[0].outbound.state).toBe('up')
    mesh.advance(2000)
    expect(a.sync.peers()[0].lastError?.code).toBe('MRD_PEER_SILENT')
    a.host.write()
    mesh.advance(2000)
    expect(b.host.log.length).toBe(1)
    expect(a.sync.peers()[0].outbound.state).toBe('up')
  })

  it('say which one broke, in words and with a code, when the network says no more than an error of its own', () => {
    const mesh = new Mesh(2)
    for (const { sync } of mesh.members) sync.start()
    mesh.advance(50)
    for (const end of [...mesh.hub.ends]) end.break()
    mesh.advance(1)
    expect(mesh.members[0].sync.peers()[0].lastError).toMatchObject({
      code: 'MRD_PEER_UNREACHABLE',
      message: 'The link to m2 broke: connection reset (MRD_PEER_UNREACHABLE). It is opened again by itself.',
    })
  })

  it('are dialled again with growing pauses up to the longest', () => {
    const mesh = new Mesh(2)
    mesh.hub.block('m1', 'm2')
    let attempts = 0
    const { blocked } = mesh.hub
    const has = blocked.has.bind(blocked)
    blocked.has = (key) => (key === 'm1>m2' && attempts++, has(key))
    mesh.start()
    mesh.advance(2000)
    expect(attempts).toBeGreaterThan(3)
    const early = attempts
    mesh.advance(20_000)
    expect(attempts - early).toBeGreaterThanOrEqual(3)
    expect(attempts - early).toBeLessThanOrEqual(10)
  })
})

describe('flow control', () => {
  it('keeps a slow receiver from costing the sender memory, and from starving heartbeats', () => {
    const mesh = new Mesh(2).start()
    mesh.advance(200)
    const [a, b] = mesh.members
    // m2 pulls over the link that it dialled.
    const pull = mesh.hub.end('m2', 'm1', true)
    pull.readBytesPerMs = 1000
    for (let i = 0; i < 200; i++) a.host.write(60_000)
    const from = mesh.hub.end('m1', 'm2', false)
    mesh.advance(3000)
    expect(b.host.log.length).toBeLessThan(80)
    expect(from.highestBuffered).toBeLessThan(LIMITS.linkBufferedBytes + LIMITS.linkPieceBytes + 1000)
    mesh.advance(12_000)
    expect(mesh.converged()).toBe(true)
    expect(b.sync.peers()[0].lastError).toBeNull()
  })

  it('holds a blocked origin to its credit', () => {
    const mesh = new Mesh(3)
    mesh.hub.blockBoth('m1', 'm3')
    mesh.start()
    mesh.advance(500)
    const [a, b, c] = mesh.members
    // m2 has seen a frame of m1 that m3 cannot get, because it asks no relay for a long time.
    a.host.write()
    mesh.advance(100)
    for (let i = 0; i < 200; i++) b.host.write(60_000)
    mesh.advance(300)
    expect(c.host.log.length).toBe(0)
    const received = c.sync.peers()[1].bytesReceived
    expect(received).toBeGreaterThan(LIMITS.subscriptionCreditBytes - 70_000)
    expect(received).toBeLessThan(LIMITS.subscriptionCreditBytes + 10_000)
    mesh.advance(8000)
    expect(mesh.converged()).toBe(true)
  })

  it('lets a frame larger than the credit through, in pieces', () => {
    const mesh = new Mesh(2).start()
    mesh.advance(200)
    mesh.members[0].host.write(20)
    mesh.members[0].host.write(LIMITS.subscriptionCreditBytes + 1_000_000)
    mesh.members[0].host.write(20)
    mesh.advance(5000)
    expect(mesh.converged()).toBe(true)
    const [sent, received] = mesh.members.map((member) => member.host.log)
    expect(received.every((frame, i) => Buffer.compare(frame.bytes, sent[i].bytes) === 0)).toBe(true)
  })

  /** Frames that wait for another one and may then all be applied. Gives what m3 applied in each turn, by `sizeOf` a frame. */
  function applyMany(frameBytes: number, sizeOf: (frame: FrameView) => number, onApply: (mesh: Mesh) => void) {
    const mesh = new Mesh(3, 1, { relayDelayMs: 2000 })
    mesh.hub.blockBoth('m1', 'm3')
    mesh.start()
    mesh.advance(500)
    const [a, b, c] = mesh.members
    const perTurn = new Map<number, number>()
    c.host.onApply = (frame) => {
      const { turns } = mesh.clock
      perTurn.set(turns, (perTurn.get(turns) ?? 0) + sizeOf(frame))
      onApply(mesh)
    }
    a.host.write()
    mesh.advance(100)
    for (let i = 0; i < 100; i++) b.host.write(frameBytes)
    mesh.advance(500)
    expect(perTurn.size).toBe(0)
    mesh.advance(4000)
    expect(mesh.converged()).toBe(true)
    return perTurn
  }

  it('applies no longer than for some milliseconds in one turn', () => {
    const count = () => 1
    const perTurn = applyMany(10, count, ({ clock }) => clock.nowMs++)
    expect(Math.max(...perTurn.values())).toBe(LIMITS.applyTurnMs)
  })

  it('applies a bounded amount in one turn', () => {
    const perTurn = applyMany(
      30_000,
      ({ bytes }) => bytes.length,
      () => undefined,
    )
    expect(perTurn.size).toBeGreaterThanOrEqual(3_000_000 / (LIMITS.applyTurnBytes + 31_000))
    expect(Math.max(...perTurn.values())).toBeLessThan(LIMITS.applyTurnBytes + 31_000)
  })
})

describe('stability', () => {
  it('waits for every member, and for what it made before it saw the dot', () => {
    const mesh = new Mesh(3).start()
    mesh.advance(500)
    const [a, , c] = mesh.members
    mesh.hub.blockBoth('m3', 'm1')
    mesh.hub.blockBoth('m3', 'm2')
    const frame = a.host.write()
    mesh.advance(3000)
    expect(a.sync.stable().get(m(1))).toBe(0)
    c.host.write()
    mesh.hub.unblockAll()
    mesh.advance(8000)
    expect(a.sync.stable().get(m(1))).toBe(frame.last)
    expect(a.sync.stable().equals(a.host.applied)).toBe(true)
  })

  it('moves on under constant writes', () => {
    const mesh = new Mesh(3).start()
    mesh.advance(500)
    for (let i = 0; i < 100; i++) {
      for (const member of mesh.members) member.host.write()
      mesh.advance(4)
      mesh.members[0].sync.stable()
    }
    const stable = mesh.members[0].sync.stable()
    for (const id of [1, 2, 3]) expect(stable.get(m(id))).toBeGreaterThan(mesh.members[0].host.log[150].first)
  })
})
