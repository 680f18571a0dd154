import type { ByteReader } from '../byte-reader.js'
import type { ByteWriter } from '../byte-writer.js'
import type { Cleared } from '../cleared.js'
import type { Effect, EffectBody, StreamPosition } from '../effects.js'
import type { FiredExpiry } from '../expiry-oracle.js'
import type { ModelStore } from '../model-store.js'
import type { SeededRandom } from '../random.js'
import type { Reply } from '../reply.js'
import type { TypeName, Value } from '../values.js'

/** What a key holds of one type, and the writes that it consists of: at least one. */
export interface Surviving {
  readonly value: Value
  readonly writes: readonly Effect[]
}

/** Of what is a member's own affair it may not have heard all: its consumers may still have pending what was acknowledged elsewhere. */
export interface Hearing {
  readonly member: number
  /** owner: what has made it pending. */
  hasHeard(acknowledgement: Effect, position: StreamPosition, owner: Effect): boolean
  /** Positions, as text, that are done to it besides, as long as this is the SETID that says where the group starts. */
  doneBesides(group: string, place: Effect): Iterable<string>
}

/** What a command answers and writes. Throws WrongType. */
export type Handler = (store: ModelStore, db: number, args: readonly string[]) => Reply

/** How a member without a store of its own writes a type. */
export interface PlainWrites {
  /** Writes the payload of an effect of this type. */
  encode(body: EffectBody, writer: ByteWriter, stamp: number): void
  /** The effects that write a whole value to a key that holds nothing. */
  copy(value: Value): EffectBody[]
}

/** Makes a command for a key. */
export type CommandMaker = (random: SeededRandom, keys: KeyDraw) => string[]

/** Draws keys: mostly such as hold the type at hand. */
export interface KeyDraw {
  key(): string
}

/** Everything that the simulator knows of one type of value. A new type is a file that exports one of these, and an entry in all-types.ts. */
export interface ValueType {
  readonly name: TypeName
  /** As effects name it: theirs have the types keyType * 8 .. keyType * 8 + 7, strings' those from 1. */
  readonly keyType: number
  /** Key names begin with it. */
  readonly prefix: string
  /** Reads the payload of an effect, from docs/formats/effects.md alone; null for a type of effect that there is not. */
  decode(type: number, reader: ByteReader, stamp: number): EffectBody | null
  /** For the plain member. Absent: that one does without this type. */
  readonly plain?: PlainWrites
  /** Type numbers of the bodies' kinds. */
  readonly kinds: Readonly<Record<string, number>>
  /** The value as a copy of it is, which a member makes; the same when left out. */
  copyOf?(value: Value, member: number): Value
  /** The specification: what is visible of this type, given its effects and what removals of the key have removed. */
  visible(effects: readonly Effect[], cleared: Cleared, fired: FiredExpiry, heard?: Hearing): Surviving | null
  readonly commands: Readonly<Record<string, Handler>>
  /** Commands whose replies come in any order, or in pairs in any order. */
  readonly unordered: Readonly<Record<string, 'items' | 'pairs'>>
  /** By family name. */
  readonly workload: Readonly<Record<string, CommandMaker>>
  /** Commands that show everything that a key holds. */
  readBack(key: string): string[][]
}
