import type { MemberId, Stamp } from '../../src/base/ids.js'
import { LIMITS } from '../../src/base/limits.js'
import type { FrameView } from '../../src/crdt/frame.js'
import * as wire from '../../src/peer-sync/messages.js'
import { MESSAGE } from '../../src/peer-sync/messages.js'
import { MessageReader } from '../../src/peer-sync/message-reader.js'
import type { Link, LinkHandlers, PeerIdentity } from '../../src/ports/network.js'
import { CLUSTER, type Mesh } from './mesh.js'

export interface RawMessage {
  readonly type: number
  readonly payload: Buffer
}

/** A peer that says whatever a test wants, over a link that it dialled or accepted. */
export class RawPeer implements LinkHandlers {
  link: Link | null = null
  closed = false
  readonly messages: RawMessage[] = []
  private readonly reader = new MessageReader(LIMITS.linkMessageBytes)

  static dial(mesh: Mesh, to: string, identity: PeerIdentity = { name: 'm2', clusterId: CLUSTER }): RawPeer {
    const peer = new RawPeer()
    peer.link = mesh.hub.network(identity).dial({ name: to, host: '', port: 0 }, peer)
    mesh.advance(20)
    return peer
  }

  /** Takes the next links that are dialled to a name; the latest is `link`. */
  static accept(mesh: Mesh, name: string): RawPeer {
    const peer = new RawPeer()
    mesh.hub.network({ name, clusterId: CLUSTER }).listen((link) => {
      peer.link = link
      peer.closed = false
      return peer
    })
    return peer
  }

  static hello(changes: Partial<wire.Hello> = {}): Uint8Array {
    return wire.encodeHello({
      minVersion: 1,
      maxVersion: 1,
      member: 2,
      incarnation: 99,
      topologyVersion: 1,
      clusterId: CLUSTER,
      name: 'm2',
      ...changes,
    })
  }

  send(...messages: Uint8Array[]): void {
    for (const message of messages) this.link?.send(message)
  }

  sendFrame(subscription: number, frame: FrameView): void {
    this.send(wire.encodeFrame(subscription, frame.bytes))
  }

  sendSubscribe(origin: number, after = 0, creditBytes: number = LIMITS.subscriptionCreditBytes): void {
    this.send(wire.encodeSubscribe({ subscription: 1, origin: origin as MemberId, after: after as Stamp, creditBytes }))
  }

  of(type: number): Buffer[] {
    return this.messages.filter((message) => message.type === type).map((message) => message.payload)
  }

  get refusal(): wire.Refused | null {
    const [payload] = this.of(MESSAGE.refused)
    return payload === undefined ? null : wire.decodeRefused(payload)
  }

  get subscribes(): wire.Subscribe[] {
    return this.of(MESSAGE.subscribe).map((payload) => wire.decodeSubscribe(payload))
  }

  onData(bytes: Uint8Array): void {
    this.reader.push(bytes)
    while (this.reader.next()) this.messages.push({ type: this.reader.type, payload: Buffer.from(this.reader.payload) })
  }
  onDrain(): void {}
  onClose(): void {
    this.closed = true
  }
}
