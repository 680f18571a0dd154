import { ByteReader, ByteWriter } from '../base/byte-stream.js'
import { MAX_MEMBER_ID } from '../base/ids.js'
import type { EffectReader } from '../crdt/effect-reader.js'
import { readList, writeList, type TopologySnapshot } from './topology-list.js'

/** A host and a port that connections go to. */
export interface HostPort {
  readonly host: string
  readonly port: number
}

/** What is told of a member when it is added, or stands in the configuration that a cluster began with. */
export interface MemberDescription {
  readonly id: number
  /** Unique for ever, also among removed members; the certificate carries it. */
  readonly name: string
  readonly region: string
  readonly zone: string
  /** Where the other members reach it. */
  readonly address: HostPort
  /** Where clients reach it; null when not told. */
  readonly client: HostPort | null
}

/**
 * One change of the topology: the payload of the effect of that name in docs/formats/effects.md. `number` counts the changes of its origin, 1, 2, 3 …
 */
export type TopologyChange =
  /** What the cluster began with, written before its first change: until then each member goes by its configuration. */
  | { readonly kind: 'seeds'; readonly number: number; readonly members: readonly MemberDescription[] }
  /** The id, and the free ids that the new member may give out from now on, are the origin's until then. */
  | { readonly kind: 'add'; readonly number: number; readonly member: MemberDescription; readonly pool: readonly number[] }
  | { readonly kind: 'remove'; readonly number: number; readonly id: number; readonly forced: boolean }
  | { readonly kind: 'set'; readonly number: number; readonly id: number; readonly attribute: TopologyAttribute }
  /** The last word of a removed member: it makes no further op. Its free ids go to the heir, 0 for nobody. */
  | { readonly kind: 'leave'; readonly number: number; readonly heir: number; readonly pool: readonly number[] }
  /**
   * Its maker's disk has lost ops of its own, and nobody has them: this is the first one after them. What they changed here others may know by the list, and by no op: so the
   * whole list is said. Null: nothing was ever changed; then it changes nothing either.
   */
  | { readonly kind: 'list'; readonly number: number; readonly list: TopologySnapshot | null }

export type TopologyAttribute =
  | { readonly field: 'region' | 'zone'; readonly value: string }
  | { readonly field: 'address'; readonly value: HostPort }
  | { readonly field: 'client'; readonly value: HostPort | null }

const KIND = { seeds: 1, add: 2, remove: 3, set: 4, leave: 5, list: 6 } as const
const FIELD = { region: 1, zone: 2, address: 3, client: 4 } as const
const FORCED = 1
const MAX_TEXT_BYTES = 255

export function writeTopologyChange(out: ByteWriter, change: TopologyChange): void {
  out.varint(change.number)
  out.u8(KIND[change.kind])
  switch (change.kind) {
    case 'seeds':
      out.u8(change.members.length)
      for (const member of change.members) writeMember(out, member)
      break
    case 'add':
      writeMember(out, change.member)
      writeIds(out, change.pool)
      break
    case 'remove':
      out.u8(change.id)
      out.u8(change.forced ? FORCED : 0)
      break
    case 'set': {
      const { attribute } = change
      out.u8(change.id)
      out.u8(FIELD[attribute.field])
      if (attribute.field === 'address' || attribute.field === 'client') writeHostPort(out, attribute.value)
      else writeText(out, attribute.value)
      break
    }
    case 'leave':
      out.u8(change.heir)
      writeIds(out, change.pool)
      break
    case 'list': {
      const list = new ByteWriter()
      if (change.list !== null) writeList(list, change.list)
      out.block(list.take())
      break
    }
  }
}

/** Reads a change; `effect.error` says what is wrong with it, then the result means nothing. */
export function readTopologyChange(effect: EffectReader): TopologyChange {
  const number = effect.varint()
  if (number === 0) effect.fail('a topology change without a number')
  const kind = effect.byte()
  switch (kind) {
    case KIND.seeds: {
      const members: MemberDescription[] = []
      for (let left = effect.byte(); left > 0 && effect.error === null; left--) members.push(readMember(effect))
      return { kind: 'seeds', number, members }
    }
    case KIND.add:
      return { kind: 'add', number, member: readMember(effect), pool: readIds(effect) }
    case KIND.remove: {
      const id = readId(effect)
      const flags = effect.byte()
      if ((flags & ~FORCED) !== 0) effect.fail('a removal with unknown flags')
      return { kind: 'remove', number, id, forced: (flags & FORCED) !== 0 }
    }
    case KIND.set:
      return { kind: 'set', number, id: readId(effect), attribute: readAttribute(effect) }
    case KIND.leave:
      return { kind: 'leave', number, heir: effect.byte(), pool: readIds(effect) }
    case KIND.list:
      return { kind: 'list', number, list: readWholeList(effect) }
    default:
      effect.fail(`topology change ${kind} is not known to this version`)
      return { kind: 'leave', number, heir: 0, pool: [] }
  }
}

function readWholeList(effect: EffectReader): TopologySnapshot | null {
  effect.block()
  if (effect.error !== null || effect.valueLen === 0) return null
  const { valueOff, valueLen } = effect
  const reader = new ByteReader(effect.bytes.subarray(valueOff, valueOff + valueLen))
  const list = readList(reader)
  const isWhole = !reader.failed && reader.atEnd && list.changes.length > 0
  if (!isWhole || list.members.some(({ id }) => id === 0)) effect.fail('a list of members that is cut short')
  return list
}

function writeMember(out: ByteWriter, { id, name, region, zone, address, client }: MemberDescription): void {
  out.u8(id)
  for (const text of [name, region, zone]) writeText(out, text)
  writeHostPort(out, address)
  writeHostPort(out, client)
}

function readMember(effect: EffectReader): MemberDescription {
  const id = readId(effect)
  const name = readText(effect)
  const region = readText(effect)
  const zone = readText(effect)
  const address = readHostPort(effect)
  const client = readHostPort(effect)
  if (name === '') effect.fail('a member without a name')
  return { id, name, region, zone, address: address ?? { host: '', port: 0 }, client }
}

function readAttribute(effect: EffectReader): TopologyAttribute {
  const field = effect.byte()
  switch (field) {
    case FIELD.region:
      return { field: 'region', value: readText(effect) }
    case FIELD.zone:
      return { field: 'zone', value: readText(effect) }
    case FIELD.address:
      return { field: 'address', value: readHostPort(effect) ?? { host: '', port: 0 } }
    case FIELD.client:
      return { field: 'client', value: readHostPort(effect) }
    default:
      effect.fail(`member attribute ${field} is not known to this version`)
      return { field: 'client', value: null }
  }
}

function writeText(out: ByteWriter, text: string): void {
  out.block(Buffer.from(text))
}

function readText(effect: EffectReader): string {
  effect.block()
  if (effect.error !== null) return ''
  if (effect.valueLen > MAX_TEXT_BYTES) effect.fail('a name of more than 255 bytes')
  return Buffer.from(effect.bytes.buffer, effect.bytes.byteOffset + effect.valueOff, effect.valueLen).toString('utf8')
}

/** A port of 0: none. */
function writeHostPort(out: ByteWriter, value: HostPort | null): void {
  writeText(out, value?.host ?? '')
  out.varint(value?.port ?? 0)
}

function readHostPort(effect: EffectReader): HostPort | null {
  const host = readText(effect)
  const port = effect.varint()
  if (port > 65_535) effect.fail('a port beyond 65535')
  return port === 0 ? null : { host, port }
}

function writeIds(out: ByteWriter, ids: readonly number[]): void {
  out.u8(ids.length)
  for (const id of ids) out.u8(id)
}

function readIds(effect: EffectReader): number[] {
  const ids: number[] = []
  for (let left = effect.byte(); left > 0 && effect.error === null; left--) ids.push(readId(effect))
  return ids
}

function readId(effect: EffectReader): number {
  const id = effect.byte()
  if (id < 1 || id > MAX_MEMBER_ID) effect.fail('member 0')
  return id
}
