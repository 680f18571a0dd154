import { describe, expect, it } from 'vitest'
import { LIMITS } from '../../src/base/limits.js'
import type { MemberId, Stamp } from '../../src/base/ids.js'
import { VersionVector } from '../../src/crdt/version-vector.js'
import * as wire from '../../src/peer-sync/messages.js'
import { MESSAGE } from '../../src/peer-sync/messages.js'
import { buildFrame } from './frame-builder.js'
import { CLUSTER, Mesh } from './mesh.js'
import { RawPeer } from './raw-peer.js'

const none = new VersionVector()

/** Member 1 of three is real, everyone else is played by the test. */
function lone(): { mesh: Mesh; host: Mesh['members'][0]['host']; member: Mesh['members'][0] } {
  const mesh = new Mesh(3)
  mesh.members[0].sync.start()
  return { mesh, host: mesh.members[0].host, member: mesh.members[0] }
}

/** m1's link to m2, with m2 played by the test and HELLO said. */
function pulling(): ReturnType<typeof lone> & { peer: RawPeer } {
  const mesh = new Mesh(3)
  const peer = RawPeer.accept(mesh, 'm2')
  mesh.members[0].sync.start()
  mesh.advance(30)
  peer.send(RawPeer.hello())
  mesh.advance(30)
  return { mesh, host: mesh.members[0].host, member: mesh.members[0], peer }
}

function vectorsOf(member: number, entries: [number, number][]): Uint8Array {
  const message = wire.encodeVectors(
    member as MemberId,
    VersionVector.from(entries),
    VersionVector.from(entries),
    new VersionVector(),
    new VersionVector(),
  )
  if (message === null) throw new Error('no entries')
  return message
}

describe('HELLO is refused, on both sides with the reason,', () => {
  it.each([
    [
      'of another version',
      { minVersion: 5, maxVersion: 6 },
      'm2',
      CLUSTER,
      'MRD_PEER_VERSION',
      /versions 5 to 6, m1 speaks versions 1 to 4/,
    ],
    ['of another cluster', { clusterId: 'elsewhere' }, 'm2', CLUSTER, 'MRD_PEER_CLUSTER', /elsewhere.*test-cluster/],
    ['with a certificate of another cluster', {}, 'm2', 'elsewhere', 'MRD_PEER_CLUSTER', /elsewhere.*test-cluster/],
    [
      'under a name that the certificate does not carry',
      { name: 'm3', member: 3 },
      'm2',
      CLUSTER,
      'MRD_PEER_IDENTITY',
      /calls itself m3, its certificate names m2/,
    ],
    ['of a stranger', { name: 'm9', member: 9 }, 'm9', CLUSTER, 'MRD_PEER_UNKNOWN', /m9 is not in the list of members of m1 yet/],
    ['with an id that the topology does not say', { member: 7 }, 'm2', CLUSTER, 'MRD_PEER_IDENTITY', /member 7.*says 2/],
    ["with another member's id", { member: 3 }, 'm2', CLUSTER, 'MRD_PEER_DUPLICATE_ID', /topology gives to m3/],
    ['with our own id', { member: 1 }, 'm2', CLUSTER, 'MRD_PEER_DUPLICATE_ID', /which this member is/],
    ['with our own name and id', { member: 1, name: 'm1' }, 'm1', CLUSTER, 'MRD_PEER_DUPLICATE_ID', /which this member is/],
  ])('%s', (_, changes, name, clusterId, code, text) => {
    const { mesh, member } = lone()
    const peer = RawPeer.dial(mesh, 'm1', { name, clusterId })
    peer.send(RawPeer.hello(changes))
    mesh.advance(30)
    expect(peer.refusal).toMatchObject({ code, text: expect.stringMatching(text) })
    expect(peer.closed).toBe(true)
    expect(peer.of(MESSAGE.hello)).toEqual([])
    expect(member.lines.some((line) => /warn|info/.test(line.level) && text.test(line.message))).toBe(true)
    if (name === 'm2') expect(member.sync.peers()[0].lastError?.code).toBe(code)
  })

  it('of a stranger whose list is not believed, with the reason', () => {
    const { mesh } = lone()
    const peer = RawPeer.dial(mesh, 'm1', { name: 'm9', clusterId: CLUSTER })
    peer.send(RawPeer.hello({ name: 'm9', member: 9, introduces: true }))
    mesh.advance(30)
    expect(peer.refusal).toBeNull()
    peer.send(wire.encodeTopologyMessage(Uint8Array.of(1)))
    mesh.advance(30)
    expect(peer.refusal).toMatchObject({
      code: 'MRD_PEER_UNKNOWN',
      text: expect.stringMatching(/m9 is not in the list .* is not believed: nobody here has a topology that changes/),
    })
  })

  it('when it comes from the wrong member at a dialled address', () => {
    const mesh = new Mesh(3)
    const peer = RawPeer.accept(mesh, 'm2')
    mesh.members[0].sync.start()
    mesh.advance(30)
    peer.send(RawPeer.hello({ name: 'm3', member: 3 }))
    mesh.advance(30)
    expect(peer.refusal?.code).toBe('MRD_PEER_IDENTITY')
    expect(mesh.members[0].sync.peers()[0].lastError?.code).toBe('MRD_PEER_IDENTITY')
  })

  it('when a process comes back after another one with its identity', () => {
    const { mesh, member } = lone()
    const first = RawPeer.dial(mesh, 'm1')
    first.send(RawPeer.hello({ incarnation: 1 }), wire.encodePing(1, []))
    mesh.advance(20)
    const second = RawPeer.dial(mesh, 'm1')
    second.send(RawPeer.hello({ incarnation: 2 }), wire.encodePing(1, []))
    mesh.advance(20)
    // A restart looks like this: the later process has the link.
    expect(first.closed).toBe(true)
    expect(second.closed).toBe(false)
    const again = RawPeer.dial(mesh, 'm1')
    again.send(RawPeer.hello({ incarnation: 1 }))
    mesh.advance(20)
    expect(again.refusal?.code).toBe('MRD_PEER_FORKED')
    expect(second.closed).toBe(false)
    expect(member.sync.peers()[0].lastError?.code).toBe('MRD_PEER_FORKED')
  })

  it('not when the HELLO of a process that has died comes after that of the next one', () => {
    const { mesh } = lone()
    const next = RawPeer.dial(mesh, 'm1')
    next.send(RawPeer.hello({ incarnation: 2 }), wire.encodePing(1, []))
    mesh.advance(20)
    const died = RawPeer.dial(mesh, 'm1')
    died.send(RawPeer.hello({ incarnation: 1 }))
    mesh.advance(20)
    died.link?.close()
    mesh.advance(20)
    const again = RawPeer.dial(mesh, 'm1')
    again.send(RawPeer.hello({ incarnation: 2 }), wire.encodePing(1, []))
    mesh.advance(20)
    expect(again.refusal).toBeNull()
    expect(again.of(MESSAGE.pong)).toHaveLength(1)
  })

  it('and the refused side keeps the reason', () => {
    const { mesh, member, peer } = pulling()
    peer.send(wire.encodeRefused({ code: 'MRD_PEER_CLUSTER', text: 'go\naway' }))
    mesh.advance(20)
    expect(member.sync.peers()[0].lastError).toMatchObject({ code: 'MRD_PEER_CLUSTER', message: 'Refused by m2: go?away' })
    expect(peer.closed).toBe(true)
  })
})

describe('a peer that breaks the protocol loses the link, and nothing changes:', () => {
  const vector = buildFrame(2, 0, 100, 200, none)
  const damaged = Buffer.from(vector.bytes)
  damaged[45] ^= 1
  const piece = (bytes: Uint8Array, subscription = 1) => wire.encodeFrame(subscription, bytes)
  const raw = (type: number, ...payload: number[]) => {
    const out = Buffer.alloc(5 + payload.length)
    out.writeUInt32LE(1 + payload.length)
    out[4] = type
    out.set(payload, 5)
    return out
  }
  it.each<[string, Uint8Array, RegExp]>([
    ['a message that is too long', Buffer.from([0xff, 0xff, 0xff, 0x7f, 9]), /message of 2147483647 bytes/],
    ['an empty message', Buffer.from([0, 0, 0, 0, 0]), /message of 0 bytes/],
    ['an unknown type', raw(77), /type 77 is not known in link protocol version 1/],
    ['a second HELLO', RawPeer.hello(), /second HELLO/],
    ['a short message', raw(MESSAGE.credit, 1, 2), /cut short/],
    ['a long message', raw(MESSAGE.unsubscribe, 1, 2, 3, 4, 5), /1 bytes too many/],
    ['member 0', raw(MESSAGE.vectors, 0, 0, 0), /member 0/],
    [
      'vectors out of order',
      raw(MESSAGE.vectors, 2, 2, 3, ...Array<number>(8).fill(0), 2, ...Array<number>(8).fill(0), 0),
      /out of order/,
    ],
    ['a damaged frame', piece(damaged), /checksum/],
    ['a frame of another origin', piece(buildFrame(3, 0, 100, 200, none).bytes), /frame of member 3/],
    ['a frame for no subscription', piece(vector.bytes, 50), /never opened/],
    ['a frame that claims to be enormous', piece(Buffer.alloc(40, 255)), /frame of 4294967295 bytes/],
    ['a frame with bytes behind it', piece(Buffer.concat([vector.bytes, Buffer.alloc(1)])), /frame of \d+ bytes/],
    ['ops of ours that we never made', vectorsOf(2, [[1, 5000]]), /ops of member 1 up to stamp 5000/],
  ])('%s', (_, bytes, text) => {
    const { mesh, member, host, peer } = pulling()
    expect(peer.subscribes).toMatchObject([{ subscription: 1, origin: 2, after: 0 }])
    peer.send(bytes)
    mesh.advance(20)
    expect(peer.closed).toBe(true)
    expect(peer.refusal?.text).toMatch(text)
    expect(member.lines.filter((line) => text.test(line.message))).toHaveLength(1)
    expect(host.log).toHaveLength(0)
    expect(host.applied.equals(none)).toBe(true)
    expect([...(member.sync.appliedBy(2 as MemberId)?.entries() ?? [])]).toEqual([])
  })

  it('anything but HELLO first, or a large message before it', () => {
    for (const bytes of [wire.encodePing(0, []), Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.from([0, 8, 0, 0, 1])]) {
      const { mesh, member } = lone()
      const peer = RawPeer.dial(mesh, 'm1')
      peer.send(bytes)
      mesh.advance(20)
      expect(peer.refusal?.code).toBe('MRD_PEER_PROTOCOL')
      expect(member.sync.peers()[0].lastError?.code).toBe('MRD_PEER_PROTOCOL')
    }
  })

  it('more than the credit', () => {
    const { mesh, host, peer } = pulling()
    const half = LIMITS.subscriptionCreditBytes / 2
    const context = VersionVector.from([[3, 50]])
    let previous = 0
    for (let i = 0; i < 3; i++) {
      const frame = buildFrame(2, previous, previous + 1, previous + 10, context, half - 100)
      previous = frame.last
      for (let at = 0; at < frame.bytes.length; at += LIMITS.linkPieceBytes)
        peer.send(piece(frame.bytes.subarray(at, at + LIMITS.linkPieceBytes)))
    }
    mesh.advance(20)
    expect(peer.refusal?.text).toMatch(/more than the credit/)
    expect(host.log).toHaveLength(0)
  })

  it('ops that the host finds malformed', () => {
    const { mesh, host, member, peer } = pulling()
    host.poisoned = 2
    peer.sendFrame(1, vector)
    mesh.advance(20)
    expect(peer.refusal?.code).toBe('MRD_FRAME')
    expect(member.sync.peers()[0].lastError?.code).toBe('MRD_FRAME')
    expect(host.log).toHaveLength(0)
  })

  it('silence instead of HELLO', () => {
    const { mesh } = lone()
    const peer = RawPeer.dial(mesh, 'm1')
    mesh.advance(10_500)
    expect(peer.closed).toBe(true)
  })

  it('too many links without HELLO', () => {
    const { mesh } = lone()
    const peers = Array.from({ length: LIMITS.pendingInboundLinks + 1 }, () => {
      const peer = new RawPeer()
      peer.link = mesh.hub.network({ name: 'm2', clusterId: CLUSTER }).dial({ name: 'm1', host: '', port: 0 }, peer)
      return peer
    })
    mesh.advance(20)
    expect(peers.filter((peer) => peer.closed)).toHaveLength(1)
  })
})

describe('frames', () => {
  const first = buildFrame(2, 0, 100, 200, none)
  const second = buildFrame(2, 200, 300, 400, none)
  const third = buildFrame(2, 400, 500, 600, none)

  it('that come twice are applied once, and their credit is given back', () => {
    const { mesh, host, peer } = pulling()
    for (const frame of [first, first, second, first, second]) peer.sendFrame(1, frame)
    mesh.advance(500)
    expect(host.log.map((frame) => frame.last)).toEqual([200, 400])
    const given = peer.of(MESSAGE.credit).reduce((sum, payload) => sum + wire.decodeCredit(payload).bytes, 0)
    expect(given).toBe(3 * first.bytes.length + 2 * second.bytes.length)
  })

  it('with a gap make the receiver ask again from what it has applied', () => {
    const { mesh, host, peer } = pulling()
    peer.sendFrame(1, first)
    peer.sendFrame(1, third)
    mesh.advance(100)
    expect(host.log.map((frame) => frame.last)).toEqual([200])
    expect(peer.of(MESSAGE.unsubscribe).map((payload) => wire.decodeUnsubscribe(payload))).toEqual([1])
    expect(peer.subscribes.at(-1)).toMatchObject({ subscription: 2, origin: 2, after: 200 })
    // What is still on its way for the old subscription is passed over.
    peer.sendFrame(1, second)
    mesh.advance(20)
    expect(host.log).toHaveLength(1)
    for (const frame of [second, third]) peer.sendFrame(2, frame)
    mesh.advance(20)
    expect(host.log).toHaveLength(3)
  })

  it('with a gap that stays are asked for again now and then, not in a circle', () => {
    const { mesh, peer } = pulling()
    for (let i = 0; i < 100; i++) {
      const { subscription } = peer.subscribes.at(-1) as wire.Subscribe
      peer.sendFrame(subscription, third)
      peer.send(wire.encodePing(0, []))
      mesh.advance(50)
    }
    expect(peer.subscribes.length).toBeGreaterThan(2)
    expect(peer.subscribes.length).toBeLessThan(10)
  })

  it('wait for their context, which another origin brings', () => {
    const { mesh, host, peer } = pulling()
    const dependent = buildFrame(2, 0, 100, 200, VersionVector.from([[3, 150]]))
    peer.sendFrame(1, dependent)
    mesh.advance(100)
    expect(host.log).toHaveLength(0)
    // m3 cannot be reached; m2 reports that it has the frame, so it is asked for it.
    peer.send(
      vectorsOf(2, [
        [2, 200],
        [3, 150],
      ]),
    )
    for (let i = 0; i < 20; i++) {
      peer.send(wire.encodePing(0, []))
      mesh.advance(100)
    }
    expect(peer.subscribes.at(-1)).toMatchObject({ origin: 3, after: 0 })
    peer.sendFrame(2, buildFrame(3, 0, 140, 150, none))
    mesh.advance(50)
    expect(host.log.map((frame) => frame.origin)).toEqual([3, 2])
  })

  it('are sent verbatim, after the stamp asked for, never beyond the credit', () => {
    const { mesh, host } = lone()
    const frames = Array.from({ length: 5 }, () => host.write(1000))
    mesh.advance(100)
    const peer = RawPeer.dial(mesh, 'm1')
    peer.send(RawPeer.hello())
    const size = frames[1].bytes.length
    peer.sendSubscribe(1, frames[0].last, 2 * size)
    mesh.advance(100)
    const sent = () => peer.of(MESSAGE.frame).map((payload) => payload.subarray(4))
    expect(sent().map((bytes) => bytes.equals(frames[1].bytes) || bytes.equals(frames[2].bytes))).toEqual([true, true])
    peer.send(wire.encodeCredit({ subscription: 1, bytes: size }))
    mesh.advance(100)
    expect(sent()).toHaveLength(3)
    peer.send(wire.encodeCredit({ subscription: 9, bytes: size }))
    peer.send(wire.encodeUnsubscribe(1))
    peer.send(wire.encodeCredit({ subscription: 1, bytes: size }))
    mesh.advance(100)
    expect(sent()).toHaveLength(3)
  })

  it('larger than the credit are sent alone', () => {
    const { mesh, host } = lone()
    const frames = [host.write(100), host.write(5000), host.write(100)]
    mesh.advance(100)
    const peer = RawPeer.dial(mesh, 'm1')
    peer.send(RawPeer.hello())
    peer.sendSubscribe(1, 0, 1000)
    mesh.advance(50)
    expect(peer.of(MESSAGE.frame)).toHaveLength(1)
    peer.send(wire.encodeCredit({ subscription: 1, bytes: frames[0].bytes.length }))
    mesh.advance(50)
    expect(peer.of(MESSAGE.frame)).toHaveLength(2)
    peer.send(wire.encodeCredit({ subscription: 1, bytes: frames[1].bytes.length }))
    mesh.advance(50)
    expect(peer.of(MESSAGE.frame)).toHaveLength(3)
  })
})

describe('what a member has', () => {
  function linkedTo(mesh: Mesh, name: string, member: number): RawPeer {
    const peer = RawPeer.dial(mesh, 'm1', { name, clusterId: CLUSTER })
    peer.send(RawPeer.hello({ member: member, name, incarnation: 90 + member }))
    mesh.advance(30)
    return peer
  }

  const appliedBy = ({ sync }: Mesh['members'][0], name: string): number | undefined =>
    sync
      .peers()
      .find((peer) => peer.member.name === name)
      ?.applied.get(2 as MemberId)

  it('is known through others until it says so itself, which is less when its disk was lost', () => {
    const { mesh, member } = lone()
    const third = linkedTo(mesh, 'm3', 3)
    third.send(vectorsOf(2, [[2, 500]]))
    mesh.advance(30)
    expect(appliedBy(member, 'm2')).toBe(500)
    const second = linkedTo(mesh, 'm2', 2)
    second.send(vectorsOf(2, [[2, 300]]))
    mesh.advance(30)
    expect(appliedBy(member, 'm2')).toBe(300)
    third.send(vectorsOf(2, [[2, 501]]))
    mesh.advance(30)
    expect(appliedBy(member, 'm2')).toBe(300)
    second.send(vectorsOf(2, [[2, 400]]))
    mesh.advance(30)
    expect(appliedBy(member, 'm2')).toBe(400)
    second.link?.close()
    mesh.advance(100)
    third.send(vectorsOf(2, [[2, 502]]))
    mesh.advance(30)
    expect(appliedBy(member, 'm2')).toBe(502)
  })

  it('is nothing when it answers without having told of anything', () => {
    const { mesh, member } = lone()
    const third = linkedTo(mesh, 'm3', 3)
    third.send(vectorsOf(2, [[2, 500]]))
    mesh.advance(30)
    const second = linkedTo(mesh, 'm2', 2)
    second.send(wire.encodePong({ sentAtMs: mesh.clock.monotonicMs(), wallMs: mesh.clock.wallMs() }))
    mesh.advance(30)
    expect(appliedBy(member, 'm2')).toBe(0)
  })
})

describe('heartbeats', () => {
  it('measure the round trip and the skew of the other clock', () => {
    const { mesh, member, peer } = pulling()
    const ping = wire.decodePing(peer.of(MESSAGE.ping)[0])
    peer.send(wire.encodePong({ sentAtMs: ping.sentAtMs, wallMs: mesh.clock.wallMs() + 700 }))
    mesh.advance(5)
    const { roundTripMs, clockSkewMs } = member.sync.peers()[0]
    expect(roundTripMs).toBeGreaterThan(10)
    expect(clockSkewMs).toBeCloseTo(700 - 5 + (roundTripMs as number) / 2, 5)
  })

  it('ask for vectors of members that are not heard', () => {
    const { peer } = pulling()
    expect(wire.decodePing(peer.of(MESSAGE.ping)[0]).wanted).toEqual([3])
  })

  it('stop when the other side does not read', () => {
    const { mesh, host } = lone()
    const peer = RawPeer.dial(mesh, 'm1')
    peer.send(RawPeer.hello())
    peer.sendSubscribe(1, 0, 2 ** 32 - 1)
    mesh.advance(20)
    const end = mesh.hub.end('m1', 'm2', false)
    end.silent = true
    for (let i = 0; i < 1000; i++) {
      host.write(9000)
      for (let j = 0; j < 20; j++) peer.send(wire.encodePing(0, []))
      mesh.advance(4)
    }
    expect(peer.closed).toBe(false)
    expect(end.highestBuffered).toBeLessThanOrEqual(2 * LIMITS.linkBufferedBytes + LIMITS.linkPieceBytes)
  })
})

describe('fuzz', () => {
  it('random bytes and mutated messages never crash anything or change a vector', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const mesh = new Mesh(3, seed)
      const peer = RawPeer.accept(mesh, 'm2')
      const [{ sync, host }] = mesh.members
      sync.start()
      mesh.advance(30)
      const { random } = mesh
      if (seed % 4 !== 0) peer.send(RawPeer.hello())
      mesh.advance(30)
      const good = [
        buildFrame(2, 0, 100, 200, VersionVector.from([[3, 50]])).bytes,
        wire.encodePing(1, [3 as MemberId]),
        wire.encodePong({ sentAtMs: 1, wallMs: 2 }),
        vectorsOf(2, [[2, 7]]),
        wire.encodeSubscribe({ subscription: 1, origin: 1 as MemberId, after: 0 as Stamp, creditBytes: 100 }),
        wire.encodeCredit({ subscription: 1, bytes: 10 }),
      ]
      for (let i = 0; i < 20; i++) {
        let bytes = Buffer.from(good[random.below(good.length)])
        if (random.below(3) === 0) bytes = Buffer.from(wire.encodeFrame(1, bytes))
        if (random.below(4) === 0) bytes = Buffer.from(Array.from({ length: 1 + random.below(200) }, () => random.below(256)))
        for (let n = random.below(4); n > 0; n--) bytes[random.below(bytes.length)] = random.below(256)
        peer.send(bytes.subarray(0, random.below(5) === 0 ? random.below(bytes.length) : bytes.length))
        mesh.advance(random.below(50))
      }
      mesh.advance(2000)
      expect(host.applied.equals(none)).toBe(true)
      expect(host.log).toHaveLength(0)
      sync.stop()
    }
  })
})
