import { describe, expect, it } from 'vitest'
import { LIMITS } from '../../src/base/limits.js'
import * as wire from '../../src/peer-sync/messages.js'
import { MESSAGE } from '../../src/peer-sync/messages.js'
import { EncodedPublication, PublicationReader, PublicationSender, type Publication } from '../../src/peer-sync/publications.js'
import { Mesh } from './mesh.js'
import { RawPeer } from './raw-peer.js'

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

function publication(channel: string, message: string | Buffer, sharded = false): Publication {
  return { channel: Buffer.from(channel), message: Buffer.from(message), sharded }
}

/** What each member received, as 'channel=message'. */
function listen(mesh: Mesh): string[][] {
  return mesh.members.map((member) => {
    const got: string[] = []
    member.sync.onPublication(({ channel, message, sharded }) => {
      got.push(`${sharded ? 's:' : ''}${text(channel)}=${message.length > 99 ? message.length : text(message)}`)
    })
    return got
  })
}

function publish(mesh: Mesh, member: number, channel: string, message: string | Buffer, sharded = false): void {
  mesh.members[member].sync.publish(Buffer.from(channel), Buffer.from(message), sharded)
}

describe('publications in a mesh', () => {
  it('reach every other member once, in order', () => {
    const mesh = new Mesh(3).start()
    const got = listen(mesh)
    mesh.advance(2000)
    for (let i = 0; i < 20; i++) publish(mesh, 0, 'c', String(i))
    publish(mesh, 1, 'd', 'x', true)
    mesh.advance(100)
    const twenty = Array.from({ length: 20 }, (_, i) => `c=${i}`)
    expect(got[0]).toEqual(['s:d=x'])
    expect(got[1]).toEqual(twenty)
    expect([...got[2]].sort()).toEqual([...twenty, 's:d=x'].sort())
    expect(got[2].filter((line) => line.startsWith('c='))).toEqual(twenty)
    expect(mesh.members[0].sync.counts).toEqual({ sent: 40, dropped: 0 })
    mesh.stop()
  })

  it('may be larger than a link message', () => {
    const mesh = new Mesh(2).start()
    const got = listen(mesh)
    mesh.advance(2000)
    publish(mesh, 0, 'c', Buffer.alloc(3 * LIMITS.linkPieceBytes))
    publish(mesh, 0, 'c', 'after')
    mesh.advance(2000)
    expect(got[1]).toEqual([`c=${3 * LIMITS.linkPieceBytes}`, 'c=after'])
    mesh.stop()
  })

  it('are counted as dropped for a member that cannot be reached', () => {
    const mesh = new Mesh(2)
    mesh.members[0].sync.start()
    mesh.advance(1000)
    publish(mesh, 0, 'c', 'x')
    expect(mesh.members[0].sync.counts).toEqual({ sent: 0, dropped: 1 })
    mesh.stop()
  })
})

describe('link protocol versions:', () => {
  function dialled(maxVersion: number): { mesh: Mesh; peer: RawPeer } {
    const mesh = new Mesh(2)
    mesh.members[0].sync.start()
    const peer = RawPeer.dial(mesh, 'm1')
    peer.send(RawPeer.hello({ maxVersion }), wire.encodePing(1, []))
    mesh.advance(30)
    return { mesh, peer }
  }

  it('a peer of version 1 is linked with, and is sent no publications', () => {
    const { mesh, peer } = dialled(1)
    publish(mesh, 0, 'c', 'x')
    mesh.advance(30)
    expect(peer.closed).toBe(false)
    expect(peer.of(MESSAGE.pong)).toHaveLength(1)
    expect(peer.of(MESSAGE.publication)).toEqual([])
    expect(mesh.members[0].sync.counts.dropped).toBe(1)
    mesh.stop()
  })

  it('a publication from a peer of version 1 breaks the protocol', () => {
    const { mesh, peer } = dialled(1)
    peer.send(...new EncodedPublication(publication('c', 'x')).pieces)
    mesh.advance(30)
    expect(peer.refusal).toMatchObject({ code: 'MRD_PEER_PROTOCOL', text: expect.stringMatching(/type 10 .* version 1/) })
    mesh.stop()
  })

  it('a peer of version 2 is sent publications', () => {
    const { mesh, peer } = dialled(2)
    publish(mesh, 0, 'chan', 'x')
    mesh.advance(30)
    expect(peer.of(MESSAGE.publication).map((payload) => payload.toString('hex'))).toEqual([
      '03' + '00' + '04000000' + '6368616e' + '78',
    ])
    mesh.stop()
  })

  it.each([
    ['begins in the middle', [Buffer.from([2, 0])]],
    ['begins within another', [Buffer.from([1, 0]), Buffer.from([1, 0])]],
    ['is cut short', [Buffer.from([3, 0, 9, 0, 0, 0])]],
    ['has no head', [Buffer.from([3, 0])]],
    ['is of an unknown kind', [Buffer.from([3, 2, 0, 0, 0, 0])]],
    ['has unknown flags', [Buffer.from([7, 0, 0, 0, 0, 0])]],
    ['has an empty piece', [Buffer.from([1])]],
    ['has no flags', [Buffer.from([])]],
  ])('a publication that %s closes the link', (_, payloads) => {
    const { mesh, peer } = dialled(2)
    const got = listen(mesh)
    for (const payload of payloads) {
      const head = Buffer.alloc(5)
      head.writeUInt32LE(1 + payload.length, 0)
      head.writeUInt8(MESSAGE.publication, 4)
      peer.send(Buffer.concat([head, payload]))
    }
    mesh.advance(30)
    expect(peer.refusal?.code).toBe('MRD_PEER_PROTOCOL')
    expect(got[0]).toEqual([])
    mesh.stop()
  })
})

describe('a link without room', () => {
  function stalled(): {
    outlet: { publicationRoom: boolean; sent: Uint8Array[] }
    sender: PublicationSender
    counts: { sent: number; dropped: number }
  } {
    const sent: Uint8Array[] = []
    const outlet = { publicationRoom: false, sent, send: (bytes: Uint8Array) => void sent.push(bytes) }
    const counts = { sent: 0, dropped: 0 }
    return { outlet, sender: new PublicationSender(outlet, counts), counts }
  }

  it('keeps publications within the bound, drops the oldest and counts them', () => {
    const { outlet, sender, counts } = stalled()
    const large = Buffer.alloc(LIMITS.publicationBytes / 4)
    for (let i = 0; i < 6; i++) sender.push(new EncodedPublication({ ...publication(`c${i}`, ''), message: large }))
    expect(counts).toEqual({ sent: 0, dropped: 3 })
    outlet.publicationRoom = true
    sender.pump()
    const reader = new PublicationReader()
    const got = outlet.sent.map((bytes) => reader.receive(bytes[5], bytes.subarray(6))).filter((one) => one !== null)
    expect(got.map(({ channel }) => text(channel))).toEqual(['c3', 'c4', 'c5'])
    expect(counts).toEqual({ sent: 3, dropped: 3 })
  })

  it('never drops a publication whose first piece has left', () => {
    const { outlet, sender, counts } = stalled()
    let room = 1
    Object.defineProperty(outlet, 'publicationRoom', { get: () => room-- > 0 })
    sender.push(new EncodedPublication(publication('c', Buffer.alloc(2 * LIMITS.publicationBytes))))
    sender.push(new EncodedPublication(publication('d', Buffer.alloc(LIMITS.publicationBytes))))
    sender.push(new EncodedPublication(publication('e', 'x')))
    expect(counts.dropped).toBe(1)
    room = 1000
    sender.pump()
    const reader = new PublicationReader()
    const got = outlet.sent.map((bytes) => reader.receive(bytes[5], bytes.subarray(6))).filter((one) => one !== null)
    expect(got.map(({ channel }) => text(channel))).toEqual(['c', 'e'])
  })

  it('loses what waits when it breaks', () => {
    const { sender, counts } = stalled()
    sender.push(new EncodedPublication(publication('c', 'x')))
    sender.close()
    expect(counts).toEqual({ sent: 0, dropped: 1 })
  })
})
