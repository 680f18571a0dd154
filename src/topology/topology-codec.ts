import { crc32 } from '../base/crc32.js'
import { MeridianError } from '../base/errors.js'
import { ByteReader, ByteWriter } from '../base/byte-stream.js'
import { readList, writeList } from './topology-list.js'
import { TopologyState } from './topology-state.js'

/**
 * The whole topology as bytes, see docs/formats/topology.md: for the file in the data folder, the header of snapshots and the TOPOLOGY message of links.
 * Equal states give equal bytes.
 */
const MAGIC = 0x504f544d
const FORMAT = 1
const HEADER_BYTES = 10

export function encodeTopology(state: TopologyState): Uint8Array {
  const out = new ByteWriter()
  writeList(out, state.snapshot())
  const body = out.take()
  const bytes = Buffer.alloc(HEADER_BYTES + body.length)
  bytes.writeUInt32LE(MAGIC, 0)
  bytes.writeUInt16LE(FORMAT, 4)
  bytes.writeUInt32LE(crc32(body), 6)
  bytes.set(body, HEADER_BYTES)
  return bytes
}

/**
 * @param what where the bytes come from, for the message.
 * @throws MeridianError MRD_TOPOLOGY when they are not a topology, or one of a later format.
 */
export function decodeTopology(bytes: Uint8Array, what: string): TopologyState {
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (header.length < HEADER_BYTES || header.readUInt32LE(0) !== MAGIC) throw unreadable(what, 'it is no topology')
  const format = header.readUInt16LE(4)
  if (format !== FORMAT) throw unreadable(what, `it has format ${format}, this server reads format ${FORMAT}`)
  const body = bytes.subarray(HEADER_BYTES)
  if (crc32(body) !== header.readUInt32LE(6)) throw unreadable(what, 'its checksum does not fit')
  const reader = new ByteReader(body)
  const list = readList(reader)
  if (reader.failed || !reader.atEnd) throw unreadable(what, 'it is cut short or has bytes too many')
  return TopologyState.from(list)
}

function unreadable(what: string, why: string): MeridianError {
  return new MeridianError(
    'MRD_TOPOLOGY',
    `${what} cannot be read as a topology: ${why}`,
    'Start the version of Meridian that wrote it. A damaged file is made anew from the other members: remove it and start with `--join`.',
  )
}
