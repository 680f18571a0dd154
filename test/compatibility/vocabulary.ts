import type { MemberId, Stamp } from '../../src/base/ids.js'
import { VersionVector } from '../../src/crdt/version-vector.js'
import * as wire from '../../src/peer-sync/messages.js'
import { EncodedPublication } from '../../src/peer-sync/publications.js'
import * as transfers from '../../src/peer-sync/transfer/transfer-messages.js'

const STAMP = 2 ** 48 + 12_345
const stamp = (n: number): Stamp => (STAMP + n) as Stamp
const vector = VersionVector.from([
  [1, STAMP],
  [2, STAMP + 7],
])

/** A message of each type that a link has, by its name and the protocol version that brought it; with what reads it. */
export const VOCABULARY: readonly {
  readonly name: string
  readonly version: number
  readonly bytes: Uint8Array
  /** Reads the payload; null where another test does. */
  readonly read: ((payload: Uint8Array) => unknown) | null
}[] = [
  {
    name: 'HELLO',
    version: 1,
    bytes: wire.encodeHello({
      minVersion: 1,
      maxVersion: 4,
      member: 2,
      incarnation: 2 ** 40 + 1,
      topologyVersion: 9,
      clusterId: 'simulated',
      name: 'm2',
    }),
    read: wire.decodeHello,
  },
  {
    name: 'REFUSED',
    version: 1,
    bytes: wire.encodeRefused({ code: 'MRD_PEER_CLUSTER', text: 'go away' }),
    read: wire.decodeRefused,
  },
  { name: 'PING', version: 1, bytes: wire.encodePing(12.5, [3 as MemberId]), read: wire.decodePing },
  { name: 'PONG', version: 1, bytes: wire.encodePong({ sentAtMs: 12.5, wallMs: 1_800_000_000_000 }), read: wire.decodePong },
  {
    name: 'VECTORS',
    version: 1,
    bytes: wire.encodeVectors(2 as MemberId, vector, vector, new VersionVector(), new VersionVector()) ?? new Uint8Array(0),
    read: wire.decodeVectors,
  },
  {
    name: 'SUBSCRIBE',
    version: 1,
    bytes: wire.encodeSubscribe({ subscription: 3, origin: 1 as MemberId, after: stamp(0), creditBytes: 4_194_304 }),
    read: wire.decodeSubscribe,
  },
  { name: 'UNSUBSCRIBE', version: 1, bytes: wire.encodeUnsubscribe(3), read: wire.decodeUnsubscribe },
  { name: 'CREDIT', version: 1, bytes: wire.encodeCredit({ subscription: 3, bytes: 1000 }), read: wire.decodeCredit },
  {
    name: 'FRAME',
    version: 1,
    bytes: wire.encodeFrame(3, Buffer.from('a piece of a frame')),
    read: wire.decodeFrameSubscription,
  },
  {
    name: 'PUBLICATION',
    version: 2,
    bytes: new EncodedPublication({ channel: Buffer.from('chan'), message: Buffer.from('hello'), sharded: false }).pieces[0],
    read: wire.decodePublicationFlags,
  },
  { name: 'TOPOLOGY', version: 3, bytes: wire.encodeTopologyMessage(Buffer.from('a list of members')), read: null },
  { name: 'TRIMMED', version: 4, bytes: wire.encodeTrimmed({ subscription: 3, begins: stamp(5) }), read: wire.decodeTrimmed },
  {
    name: 'SNAPSHOT_ASK',
    version: 4,
    bytes: transfers.encodeSnapshotAsk({ transfer: 2, creditBytes: 1000, applied: vector }),
    read: transfers.decodeSnapshotAsk,
  },
  {
    name: 'SNAPSHOT_WAIT',
    version: 4,
    bytes: transfers.encodeSnapshotWait({ transfer: 2, percent: 40 }),
    read: transfers.decodeSnapshotWait,
  },
  {
    name: 'SNAPSHOT_OFFER',
    version: 4,
    bytes: transfers.encodeSnapshotOffer(2, Buffer.from('an offer'))[0],
    read: transfers.decodeSnapshotOffer,
  },
  {
    name: 'SNAPSHOT_NO',
    version: 4,
    bytes: transfers.encodeSnapshotNo({ transfer: 2, code: 'MRD_TRANSFER', text: 'not now' }),
    read: transfers.decodeSnapshotNo,
  },
  {
    name: 'SHARD_ASK',
    version: 4,
    bytes: transfers.encodeShardAsk({
      transfer: 2,
      database: 1,
      shard: 600,
      isLast: true,
      wantsAll: false,
      digests: Buffer.from('a hash and a state'),
    }),
    read: transfers.decodeShardAsk,
  },
  {
    name: 'SHARD_PIECE',
    version: 4,
    bytes: transfers.encodeShardPiece({ transfer: 2, database: 1, shard: 600, kind: 0, bytes: Buffer.from('records') }),
    read: transfers.decodeShardPiece,
  },
  {
    name: 'SNAPSHOT_CREDIT',
    version: 4,
    bytes: transfers.encodeSnapshotCredit({ transfer: 2, bytes: 1000 }),
    read: transfers.decodeSnapshotCredit,
  },
  { name: 'SNAPSHOT_DONE', version: 4, bytes: transfers.encodeSnapshotDone(2), read: transfers.decodeSnapshotDone },
]
