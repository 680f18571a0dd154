import { assert } from '../base/assert.js'
import type { Stamp } from '../base/ids.js'
import type { FrameView } from '../crdt/frame.js'
import { isStabilityNote } from '../crdt/stability-note.js'
import { VersionVector } from '../crdt/version-vector.js'
import type { Journal } from './journal.js'
import type { Replica } from './replica.js'
import type { Settling } from './settling.js'

/** Unsettled records that recovery lets come together before it looks at them again. */
const RECOVERY_UNSETTLED = 16_384

/** Makes the data anew from a snapshot and the frames of the log behind it: at a start, and when all was forgotten. */
export class Replay {
  /** What the log's notes have said so far to be stable. */
  readonly stable = new VersionVector()

  constructor(
    readonly replica: Replica,
    private readonly journal: Journal,
    private readonly settling: Settling,
  ) {}

  /** What a snapshot stands for: everything in the vector is here. */
  restore(vector: VersionVector, stable: VersionVector, clock: Stamp): void {
    const { replica } = this
    replica.hlc.observe(clock)
    replica.applied.copyFrom(vector)
    this.stable.copyFrom(stable)
    replica.writer.setPrevious(vector.get(replica.self))
  }

  /** Applies a frame that was read back from the log, before that is open for new ones. */
  recover(frame: FrameView): void {
    assert(!this.journal.isOpen, 'recovery after start')
    this.apply(frame)
  }

  /** Applies a frame of the log to data that has everything before it and nothing else. */
  apply(frame: FrameView): void {
    const { replica, stable } = this
    replica.hlc.observe(frame.last)
    if (isStabilityNote(frame)) {
      for (let i = 0; i < frame.contextCount; i++) stable.raise(frame.contextMember(i), frame.contextStamp(i))
      if (replica.keyspace.unsettledCount >= RECOVERY_UNSETTLED) this.settling.all()
      return
    }
    replica.apply(frame)
    replica.noteApplied(frame)
  }

  /** Lets all data go, and what was known of the log: everything is to be replayed. No frame may be open. */
  forget(): void {
    const { keyspace, applied, writer } = this.replica
    assert(!writer.isOpen, 'data forgotten that the log does not have')
    for (let database = 0; database < keyspace.databaseCount; database++) {
      keyspace.reset(database)
      keyspace.peek(database)?.highest.fill(0)
    }
    keyspace.unsettledCount = 0
    const nothing = new VersionVector()
    applied.copyFrom(nothing)
    this.stable.copyFrom(nothing)
  }
}
