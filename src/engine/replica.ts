import type { MemberId } from '../base/ids.js'
import { ApplyContext } from '../crdt/apply-context.js'
import type { FrameView } from '../crdt/frame.js'
import { FrameWriter } from '../crdt/frame-writer.js'
import { HybridClock } from '../crdt/hybrid-clock.js'
import { VersionVector } from '../crdt/version-vector.js'
import { Collections } from '../keyspace/collections.js'
import { Effects } from '../keyspace/effects.js'
import { FrameApplier } from '../keyspace/frame-applier.js'
import { Keys } from '../keyspace/keys.js'
import { Keyspace } from '../keyspace/keyspace.js'
import { LongEffects } from '../keyspace/long-effects.js'
import { KeyStates } from '../keyspace/state/key-states.js'
import { StringStore } from '../keyspace/string-store.js'
import { TopologyState } from '../topology/topology-state.js'

/** One member's copy of the data: what it holds, which ops have made it so, and the two ways to change it, effects of own ops and frames. */
export class Replica {
  readonly keyspace: Keyspace
  readonly strings: StringStore
  readonly keys: Keys
  readonly collections: Collections
  readonly effects: Effects
  readonly longEffects: LongEffects
  /** What has been applied. */
  readonly applied = new VersionVector()
  readonly hlc = new HybridClock()
  /** The list of members; empty until the owner has said what it begins with. */
  readonly topology = new TopologyState()
  /** Frames of own ops. */
  readonly writer: FrameWriter
  readonly applier: FrameApplier
  /** For what the long commands of a transaction write, which may come in the middle of a frame. */
  readonly partApplier: FrameApplier
  /** Whole states of keys as bytes. */
  readonly states: KeyStates
  /** A frame is being applied in one go. */
  isApplying = false

  constructor(
    readonly self: MemberId,
    databases: number,
    hashSeed: number,
    solo: boolean,
  ) {
    const context = new ApplyContext()
    const { applied, hlc, topology } = this
    const keyspace = new Keyspace(databases, hashSeed)
    const strings = new StringStore(keyspace, context)
    const keys = new Keys(keyspace, strings, context)
    const writer = new FrameWriter(self, applied)
    const effects = new Effects(self, keyspace, strings, context, hlc, writer, keys, topology)
    effects.solo = solo
    this.keyspace = keyspace
    this.strings = strings
    this.keys = keys
    this.writer = writer
    this.effects = effects
    this.longEffects = new LongEffects(self, keyspace, strings, effects, keys)
    this.collections = new Collections({ self, keyspace, strings, context, effects }, keys)
    this.applier = new FrameApplier(keyspace, strings, keys, context, topology)
    this.partApplier = new FrameApplier(keyspace, strings, keys, context)
    this.states = new KeyStates(keyspace, strings, keys, context)
  }

  /** Applies a frame, whole. `applied` does not know of it yet. */
  apply(frame: FrameView): void {
    this.isApplying = true
    this.applier.apply(frame, this.hlc.last)
    this.isApplying = false
  }

  /** A frame counts as applied. What is written next continues one of our own, which the disk had lost. */
  noteApplied(frame: FrameView): void {
    this.applied.raise(frame.origin, frame.last)
    if (frame.origin === this.self) this.writer.setPrevious(frame.last)
  }

  /** Members other than this one that something was applied of. */
  contextCount(): number {
    const { stamps } = this.applied
    let count = 0
    for (let member = 1; member < stamps.length; member++) if (stamps[member] !== 0 && member !== this.self) count++
    return count
  }
}
