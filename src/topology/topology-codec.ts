import { crc32 } from '../base/crc32.js'
import { MeridianError } from '../base/errors.js'
import { MAX_MEMBER_ID } from '../base/ids.js'
import { ByteReader, ByteWriter } from '../base/byte-stream.js'
import type { HostPort } from './topology-change.js'
import { TopologyState, type Dot, type Register, type Removal, type TopologyMember } from './topology-state.js'

/**
 * The whole topology as bytes, see docs/formats/topology.md: for the file in the data folder, the header of snapshots and the TOPOLOGY message of links.
 * Equal states give equal bytes.
 */
const MAGIC = 0x504f544d
const FORMAT = 1
const HEADER_BYTES = 10

export function encodeTopology(state: TopologyState): Uint8Array {
  const { seeds, members, ids, changes } = state.snapshot()
  const out = new ByteWriter()
  text(out, seeds)
  out.varint(members.length)
  for (const member of members) {
    out.u8(member.id)
    text(out, member.name)
    dot(out, member.added)
    for (const register of [member.region, member.zone]) {
      dot(out, register)
      text(out, register.value)
    }
    for (const register of [member.address, member.client]) {
      dot(out, register)
      text(out, register.value?.host ?? '')
      out.varint(register.value?.port ?? 0)
    }
    out.varint(member.removals.length)
    for (const removal of member.removals) {
      dot(out, removal)
      out.u8(removal.forced ? 1 : 0)
    }
    out.u8(member.left === null ? 0 : 1)
    if (member.left !== null) dot(out, member.left)
  }
  for (const [owner, steps] of ids) {
    out.u8(owner)
    out.varint(steps)
  }
  out.varint(changes.length)
  for (const [origin, count] of changes) {
    out.u8(origin)
    out.varint(count)
  }
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
  const seeds = readText(reader)
  const members: TopologyMember[] = []
  for (let left = reader.varint(); left > 0 && !reader.failed; left--) members.push(readMember(reader))
  const ids: [number, number][] = []
  for (let id = 1; id <= MAX_MEMBER_ID; id++) ids.push([reader.u8(), reader.varint()])
  const changes: [number, number][] = []
  for (let left = reader.varint(); left > 0 && !reader.failed; left--) changes.push([reader.u8(), reader.varint()])
  if (reader.failed || !reader.atEnd) throw unreadable(what, 'it is cut short or has bytes too many')
  return TopologyState.from({ seeds, members, ids, changes })
}

function readMember(reader: ByteReader): TopologyMember {
  const id = reader.u8()
  const name = readText(reader)
  const added = readDot(reader)
  const region = readRegister(reader, readText)
  const zone = readRegister(reader, readText)
  const address = readRegister(reader, (from) => readHostPort(from) ?? { host: '', port: 0 })
  const client = readRegister(reader, readHostPort)
  const removals: Removal[] = []
  for (let left = reader.varint(); left > 0 && !reader.failed; left--)
    removals.push({ ...readDot(reader), forced: reader.u8() === 1 })
  const left = reader.u8() === 1 ? readDot(reader) : null
  return { id, name, added, region, zone, address, client, removals, left }
}

function dot(out: ByteWriter, { stamp, origin }: Dot): void {
  out.varint(stamp)
  out.u8(origin)
}

function readDot(reader: ByteReader): Dot {
  return { stamp: reader.varint(), origin: reader.u8() }
}

function readRegister<T>(reader: ByteReader, read: (reader: ByteReader) => T): Register<T> {
  return { ...readDot(reader), value: read(reader) }
}

function text(out: ByteWriter, value: string): void {
  out.block(Buffer.from(value))
}

function readText(reader: ByteReader): string {
  const block = reader.block()
  return Buffer.from(block.buffer, block.byteOffset, block.byteLength).toString('utf8')
}

function readHostPort(reader: ByteReader): HostPort | null {
  const host = readText(reader)
  const port = reader.varint()
  return port === 0 ? null : { host, port }
}

function unreadable(what: string, why: string): MeridianError {
  return new MeridianError(
    'MRD_TOPOLOGY',
    `${what} cannot be read as a topology: ${why}`,
    'Start the version of Meridian that wrote it. A damaged file is made anew from the other members: remove it and start with `--join`.',
  )
}
