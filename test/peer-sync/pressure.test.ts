import { describe, expect, it } from 'vitest'
import { LIMITS } from '../../src/base/limits.js'
import { VersionVector } from '../../src/crdt/version-vector.js'
import * as wire from '../../src/peer-sync/messages.js'
import { MESSAGE } from '../../src/peer-sync/messages.js'
import { EncodedPublication } from '../../src/peer-sync/publications.js'
import { encodeSnapshotAsk } from '../../src/peer-sync/transfer/transfer-messages.js'
import { SeededRandom } from './fake-time.js'
import { Mesh } from './mesh.js'
import { RawPeer } from './raw-peer.js'

const MB = 1_000_000

/** Member 1 of two, with m2 played by the test over the link that it dialled; HELLO is said. */
function linked(): { mesh: Mesh; member: Mesh['members'][0]; peer: RawPeer } {
  const mesh = new Mesh(2)
  const [member] = mesh.members
  member.sync.start()
  const peer = RawPeer.dial(mesh, 'm1')
  peer.send(RawPeer.hello({ maxVersion: wire.PROTOCOL_MAX }), wire.encodePing(0, []))
  mesh.advance(30)
  return { mesh, member, peer }
}

describe('a link of 300 ms', () => {
  it('carries as much as the credit allows, not a frame a round trip', () => {
    const mesh = new Mesh(2)
    mesh.hub.delayMs = 150
    mesh.start()
    mesh.advance(2000)
    const [a, b] = mesh.members
    expect(a.sync.peers()[0].roundTripMs).toBeGreaterThan(295)
    const frames = 800
    for (let i = 0; i < frames; i++) a.host.write(60_000)
    const startMs = mesh.clock.nowMs
    while (!mesh.converged() && mesh.clock.nowMs - startMs < 60_000) mesh.advance(10)
    const perSecond = (frames * 60_000) / ((mesh.clock.nowMs - startMs) / 1000)
    expect(perSecond).toBeGreaterThan((0.7 * LIMITS.subscriptionCreditBytes) / 0.3)
    expect(b.lines.filter(({ level }) => level !== 'info')).toEqual([])
  })

  it('with loss (stalls of seconds, resets) brings everything, and nobody is taken for dead who is only late', () => {
    const mesh = new Mesh(3, 7)
    const random = new SeededRandom(11)
    mesh.hub.delayMs = 150
    mesh.start()
    mesh.advance(3000)
    let resets = 0
    for (let step = 0; step < 300; step++) {
      for (const member of mesh.members) member.host.write(random.below(5000))
      // A lost packet holds up all behind it until it is sent again: 0.3 s, at worst some seconds.
      mesh.hub.delayMs = random.below(10) === 0 ? 150 + random.below(2500) : 150
      if (random.below(40) === 0) {
        resets++
        ;[...mesh.hub.ends][random.below(mesh.hub.ends.size)]?.break()
      }
      mesh.advance(50)
    }
    mesh.hub.delayMs = 150
    mesh.advance(8000)
    expect(resets).toBeGreaterThan(3)
    expect(mesh.converged()).toBe(true)
    const silent = mesh.members.flatMap(({ lines }) => lines.filter(({ message }) => message.includes('MRD_PEER_SILENT')))
    expect(silent).toEqual([])
  })
})

describe('a link of 50 KB a second', () => {
  it('is filled, and not taken for dead', () => {
    const mesh = new Mesh(2)
    mesh.start()
    mesh.advance(500)
    for (const end of mesh.hub.ends) end.readBytesPerMs = 50
    const [a, b] = mesh.members
    for (let i = 0; i < 30; i++) a.host.write(100_000)
    const startMs = mesh.clock.nowMs
    while (!mesh.converged() && mesh.clock.nowMs - startMs < 90_000) mesh.advance(50)
    expect((mesh.clock.nowMs - startMs) / 1000).toBeLessThan(3000 / 50 + 5)
    expect(mesh.converged()).toBe(true)
    for (const { lines } of [a, b]) expect(lines.filter(({ level }) => level !== 'info')).toEqual([])
  })
})

describe('sixteen members', () => {
  it('converge while all of them write, each frame crossing each link once', () => {
    const mesh = new Mesh(16, 3).start()
    mesh.advance(2000)
    expect(mesh.hub.ends.size).toBe(2 * 16 * 15)
    let most = 0
    for (let round = 0; round < 20; round++) {
      for (const { host } of mesh.members) host.write(200)
      mesh.advance(20)
      most = Math.max(most, ...mesh.members.map(({ sync }) => sync.waitingBytes))
    }
    mesh.advance(3000)
    expect(mesh.converged()).toBe(true)
    for (const { sync, host } of mesh.members) {
      expect(host.log.length).toBe(16 * 20)
      expect(sync.peers().every(({ framesReceived }) => framesReceived === 20)).toBe(true)
      expect(sync.stable().equals(host.applied)).toBe(true)
    }
    expect(most).toBeLessThan(1 * MB)
    mesh.stop()
  })

  it('hold what one of them cannot apply to a credit an origin', () => {
    const mesh = new Mesh(5, 5, { relayDelayMs: 3_600_000 })
    mesh.hub.blockBoth('m1', 'm5')
    mesh.start()
    mesh.advance(2000)
    const last = mesh.members[4]
    // Everybody has seen a frame that m5 does not get, so all of theirs wait there.
    mesh.members[0].host.write()
    mesh.advance(200)
    for (const { host } of mesh.members.slice(1, 4)) for (let i = 0; i < 12; i++) host.write(500_000)
    mesh.advance(5000)
    expect(last.host.log.length).toBe(0)
    expect(last.sync.waitingBytes).toBeLessThanOrEqual(3 * LIMITS.subscriptionCreditBytes)
    expect(last.sync.waitingBytes).toBeGreaterThan(3 * 3 * MB)
    mesh.stop()
  })
})

describe('a peer that floods', () => {
  it('with questions whose answers it does not read loses the link before they take memory', () => {
    const { mesh, member, peer } = linked()
    const end = mesh.hub.end('m1', 'm2', false)
    end.silent = true
    const applied = new VersionVector()
    for (let transfer = 1; !peer.closed && transfer < 200_000;) {
      const questions = Array.from({ length: 500 }, () => encodeSnapshotAsk({ transfer: transfer++, creditBytes: 100, applied }))
      peer.send(Buffer.concat(questions))
      mesh.advance(20)
    }
    expect(peer.closed).toBe(true)
    expect(end.highestBuffered).toBeLessThan(LIMITS.linkAnswerBytes + 1000)
    expect(member.sync.peers()[0].lastError?.message).toMatch(/answers are not read, and more is asked.*MRD_PEER_PROTOCOL/)
    mesh.stop()
  })

  it('with publications costs no more than the one that is being put together', () => {
    const { mesh, member, peer } = linked()
    let got = 0
    member.sync.onPublication(() => got++)
    const { pieces } = new EncodedPublication({ channel: Buffer.from('c'), message: Buffer.alloc(MB), sharded: false })
    for (let i = 0; i < 20; i++) peer.send(...pieces)
    mesh.advance(1000)
    expect(got).toBe(20)
    expect(member.sync.waitingBytes).toBe(0)
    mesh.stop()
  })
})

describe('a garbage message', () => {
  it.each([MESSAGE.snapshotAsk, MESSAGE.shardAsk, MESSAGE.snapshotOffer, MESSAGE.shardPiece, MESSAGE.topology, MESSAGE.trimmed])(
    'of type %i changes nothing, whatever it holds',
    (type) => {
      for (let seed = 1; seed <= 40; seed++) {
        const { mesh, member, peer } = linked()
        const random = new SeededRandom(seed * 100 + type)
        const payload = Buffer.from(Array.from({ length: random.below(300) }, () => random.below(256)))
        const head = Buffer.alloc(5)
        head.writeUInt32LE(1 + payload.length)
        head[4] = type
        member.host.topologyReceived = () => undefined
        peer.send(head, payload)
        mesh.advance(50)
        expect(member.host.log).toHaveLength(0)
        expect(member.host.applied.equals(new VersionVector())).toBe(true)
        if (peer.closed) expect(peer.refusal?.code).toMatch(/^MRD_/)
        mesh.stop()
      }
    },
  )
})
