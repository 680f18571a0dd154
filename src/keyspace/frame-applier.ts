import { assert } from '../base/assert.js'
import { MeridianError } from '../base/errors.js'
import type { ApplyContext } from '../crdt/apply-context.js'
import {
  EffectReader,
  EffectType,
  FIRST_COLLECTION_EFFECT,
  REMOVE_DUE,
  SET_EXPIRY_GIVEN,
  SET_EXPIRY_KEPT,
} from '../crdt/effect-reader.js'
import type { FrameView } from '../crdt/frame.js'
import type { Edit } from '../crdt/string-state.js'
import type { Ref } from '../memory/arena.js'
import type { TopologyState } from '../topology/topology-state.js'
import { EffectsAhead } from './effects-ahead.js'
import { KeyType, type Database } from './database.js'
import type { Keys } from './keys.js'
import type { Keyspace } from './keyspace.js'
import { ExpiryMode, type StringStore } from './string-store.js'

/** What was there of a key before an effect: nothing, a value that is due, a value. */
export const KeyPresence = { absent: 0, due: 1, visible: 2 } as const
export type KeyPresence = (typeof KeyPresence)[keyof typeof KeyPresence]

/** Told of each effect after it was applied, and of what was there of its key before: how much, and of which type (KeyType). The reader's fields are valid during the call. */
export interface AppliedEffectListener {
  effectApplied(effect: EffectReader, before: KeyPresence, typeBefore: number): void
}

/**
 * Applies frames from elsewhere: of other members, and from the log at recovery. A frame is walked once to check all of it and
 * once more to apply it, so a malformed one changes nothing.
 */
export class FrameApplier {
  /** Null while nobody wants to know: then applying does not pay for it. */
  listener: AppliedEffectListener | null = null
  private readonly reader: EffectReader
  private readonly effects = new EffectsAhead()

  constructor(
    private readonly keyspace: Keyspace,
    private readonly strings: StringStore,
    private readonly keys: Keys,
    private readonly context: ApplyContext,
    private readonly topology: TopologyState | null = null,
  ) {
    this.reader = new EffectReader(keyspace.databaseCount, keys.stores, topology)
  }

  /**
   * @param now highest stamp seen here, this frame included.
   * @throws MeridianError MRD_FRAME; then nothing was applied.
   */
  apply(frame: FrameView, now: number): void {
    const { reader, context } = this
    assert(!this.isMidway, 'a frame within another')
    const { effects } = this
    reader.start(frame)
    effects.clear()
    while (reader.next()) effects.add(reader)
    if (reader.error !== null) throw malformed(frame, reader.error)
    enter(context, frame, now)
    reader.start(frame)
    let known = 0
    for (let i = 0; reader.next(true); i++) {
      if (i === known) known = effects.lookAhead(this.keyspace, reader.bytes, i)
      this.applyEffect(this.listener)
    }
    this.keyspace.ahead.forget()
    assert(reader.error === null, 'frame changed between check and application')
    leave(context, frame)
  }

  /**
   * As apply, in steps of an effect on a collection, or of some on other keys, so many bytes of them; local commands may run in between, on other keys. Nobody is told of the effects of an own frame: its command says
   * itself what it did. seen is told of the key of each effect, of a frame of others only, before the first one is applied.
   * @throws MeridianError MRD_FRAME; then nothing was applied.
   */
  *applyInSteps(
    frame: FrameView,
    clock: { readonly last: number },
    isOwn: boolean,
    seen: (database: number, key: Uint8Array, off: number, len: number) => void,
    stepBytes: number,
  ): Generator<undefined, void> {
    const { reader, context } = this
    assert(!this.isMidway, 'a frame within another')
    this.isMidway = true
    try {
      reader.start(frame)
      let stepEnd = 0
      while (!isOwn && reader.next()) {
        seen(reader.database, reader.bytes, reader.keyOff, reader.keyLen)
        if (reader.position < stepEnd) continue
        yield
        stepEnd = reader.position + stepBytes
      }
      if (reader.error !== null) throw malformed(frame, reader.error)
      reader.start(frame)
      for (;;) {
        enter(context, frame, clock.last)
        const more = this.applySome(reader.position + stepBytes, isOwn ? null : this.listener)
        leave(context, frame)
        if (!more) break
        yield
      }
      assert(reader.error === null, 'frame changed between check and application')
    } finally {
      this.isMidway = false
    }
  }

  private isMidway = false

  /** A step of applyInSteps, to a position in the frame if nothing on a collection comes before; false behind the last effect. */
  private applySome(stepEnd: number, listener: AppliedEffectListener | null): boolean {
    const { reader } = this
    while (reader.next(true)) {
      this.applyEffect(listener)
      if (reader.type >= FIRST_COLLECTION_EFFECT || reader.position >= stepEnd) return true
    }
    return false
  }

  private applyEffect(listener: AppliedEffectListener | null): void {
    const { reader: r, keyspace, context } = this
    context.stamp = r.stamp
    if (r.type === EffectType.topology) {
      assert(this.topology !== null, 'a change of the topology that was not checked')
      this.topology.applyEffect(r, context.origin)
      return
    }
    const db = keyspace.database(r.database)
    const { bytes, keyOff, keyLen } = r
    const found = db.lookup(bytes, keyOff, keyLen)
    const before = listener === null || found === 0 ? KeyPresence.absent : this.presence(db, found)
    const typeBefore = listener === null || found === 0 ? KeyType.none : db.type(found)
    if (r.type === EffectType.flushDb) {
      keyspace.observer?.databaseFlushing(r.database)
      this.keys.flush(r.database)
      return
    }
    if (r.type >= FIRST_COLLECTION_EFFECT) this.keys.applyCollection(db, r)
    else if (r.type === EffectType.remove) {
      this.keys.remove(db, r.keyType, bytes, keyOff, keyLen, (r.flags & REMOVE_DUE) !== 0, r.resets)
    } else if (r.type === EffectType.expire) this.keys.expire(db, bytes, keyOff, keyLen, r.at)
    else if (this.keys.isSimple(db, found, KeyType.string, bytes, keyOff, keyLen)) this.applyString(db, found)
    else {
      this.applyString(db, this.keys.focus(db, KeyType.string, bytes, keyOff, keyLen))
      this.keys.elect(db, bytes, keyOff, keyLen)
    }
    keyspace.observer?.keyChanged(r.database, bytes, keyOff, keyLen)
    listener?.effectApplied(r, before, typeBefore)
  }

  private applyString(db: Database, ref: Ref): void {
    const { reader: r, strings } = this
    const { bytes, keyOff, keyLen } = r
    switch (r.type) {
      case EffectType.setString: {
        const mode =
          (r.flags & SET_EXPIRY_GIVEN) !== 0
            ? ExpiryMode.set
            : (r.flags & SET_EXPIRY_KEPT) !== 0
              ? ExpiryMode.keep
              : ExpiryMode.clear
        strings.set(db, ref, bytes, keyOff, keyLen, bytes, r.valueOff, r.valueLen, mode, r.at, r.resets)
        break
      }
      case EffectType.increment:
        if (r.exact) strings.incrementExact(db, ref, bytes, keyOff, keyLen, r.epoch, r.exactTotal, r.exactN)
        else strings.increment(db, ref, bytes, keyOff, keyLen, r.epoch, r.total, r.n)
        break
      case EffectType.append:
      case EffectType.setRange:
      case EffectType.setBits:
        strings.edit(db, ref, bytes, keyOff, keyLen, this.readEdit())
        break
    }
  }

  private presence(db: Database, ref: Ref): KeyPresence {
    if (db.type(ref) === KeyType.none) return KeyPresence.absent
    return this.keyspace.isVisible(db, ref) ? KeyPresence.visible : KeyPresence.due
  }

  private readEdit(): Edit {
    const r = this.reader
    if (r.type === EffectType.setBits) {
      return { kind: 'set-bits', offset: r.offset, width: r.width, value: (BigInt(r.bitsHigh) << 32n) | BigInt(r.bitsLow) }
    }
    const bytes = r.bytes.slice(r.valueOff, r.valueOff + r.valueLen)
    return r.type === EffectType.append ? { kind: 'append', bytes } : { kind: 'set-range', offset: r.offset, bytes }
  }
}

/** What is applied next is this frame's. */
function enter(context: ApplyContext, frame: FrameView, now: number): void {
  context.local = false
  context.origin = frame.origin
  context.now = now
  for (let i = 0; i < frame.contextCount; i++) context.vector[frame.contextMember(i)] = frame.contextStamp(i)
}

function leave(context: ApplyContext, frame: FrameView): void {
  for (let i = 0; i < frame.contextCount; i++) context.vector[frame.contextMember(i)] = 0
  context.local = true
}

function malformed(frame: FrameView, error: string): MeridianError {
  return new MeridianError(
    'MRD_FRAME',
    `Frame of member ${frame.origin} (stamps ${frame.first} to ${frame.last}) is malformed: ${error}`,
    'Nothing of it was applied. Run the same version and the same settings everywhere; if that is so, report it.',
  )
}
