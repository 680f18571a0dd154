import type { ByteReader, ByteWriter } from '../base/byte-stream.js'
import { MAX_MEMBER_ID } from '../base/ids.js'
import type { HostPort } from './topology-change.js'

/** Which op wrote something. Stamp 0: it stood in the configuration. */
export interface Dot {
  readonly stamp: number
  readonly origin: number
}

/** Last writer wins. */
export interface Register<T> extends Dot {
  readonly value: T
}

export interface Removal extends Dot {
  /** It is not waited for what the member may still have. */
  readonly forced: boolean
}

/** A member that is or was one. Nothing of it is ever taken back: see TopologyState. */
export interface TopologyMember {
  readonly id: number
  readonly name: string
  readonly added: Dot
  readonly region: Register<string>
  readonly zone: Register<string>
  readonly address: Register<HostPort>
  readonly client: Register<HostPort | null>
  readonly removals: readonly Removal[]
  /** Its last op, if it has left in good order. */
  readonly left: Dot | null
}

/** All that a TopologyState knows. */
export interface TopologySnapshot {
  readonly seeds: string
  readonly members: readonly TopologyMember[]
  /** Of each id from 1 on: its owner, and how many steps it took. */
  readonly ids: readonly (readonly [owner: number, steps: number])[]
  readonly changes: readonly (readonly [origin: number, count: number])[]
}

export function writeList(out: ByteWriter, { seeds, members, ids, changes }: TopologySnapshot): void {
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
}

/** The reader says whether it was whole. */
export function readList(reader: ByteReader): TopologySnapshot {
  const seeds = readText(reader)
  const members: TopologyMember[] = []
  for (let left = reader.varint(); left > 0 && !reader.failed; left--) members.push(readMember(reader))
  const ids: [number, number][] = []
  for (let id = 1; id <= MAX_MEMBER_ID; id++) ids.push([reader.u8(), reader.varint()])
  const changes: [number, number][] = []
  for (let left = reader.varint(); left > 0 && !reader.failed; left--) changes.push([reader.u8(), reader.varint()])
  return { seeds, members, ids, changes }
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
