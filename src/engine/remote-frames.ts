import { assert } from '../base/assert.js'
import type { FrameView } from '../crdt/frame.js'
import type { Clock } from '../ports/clock.js'
import type { Journal } from './journal.js'
import type { LongWrites } from './long-writes.js'
import type { Replica } from './replica.js'

/** What frames of other members need of the engine. */
export interface RemoteFrameHost {
  /** An EXEC is under way in slices. */
  readonly isInTransaction: boolean
  /** Ends the open frame of own ops: what has been written before comes before in the log. */
  closeFrame(): void
  /** A frame has begun to be applied in slices: it holds its keys. */
  taken(): void
  /** One has been applied, and logged, with so many ops. */
  logged(ops: number): void
}

/** Frames of other members: applied in the order in which they come, and logged as they are. The caller has checked their place and context. */
export class RemoteFrames {
  constructor(
    private readonly replica: Replica,
    private readonly journal: Journal,
    private readonly longWrites: LongWrites,
    private readonly clock: Clock,
    /** Larger frames go in slices. */
    private readonly largestBytes: number,
    private readonly host: RemoteFrameHost,
  ) {}

  /** Applies and logs one, whole. */
  apply(frame: FrameView): void {
    const { replica, host } = this
    assert(!host.isInTransaction, 'a frame in the middle of a transaction')
    host.closeFrame()
    replica.keyspace.setTime(this.clock.wallMs())
    replica.hlc.observe(frame.last)
    replica.apply(frame)
    this.noteApplied(frame)
    this.journal.append(frame)
    host.logged(frame.opCount)
  }

  /** As apply, but a large one is only taken, and applied in the turns that follow: the vector includes it then. Not while a long write is under way. */
  take(frame: FrameView): void {
    if (!frame.isLongOp && frame.bytes.length <= this.largestBytes) {
      this.apply(frame)
      return
    }
    this.host.closeFrame()
    this.replica.hlc.observe(frame.last)
    this.longWrites.take(frame)
    this.host.taken()
  }

  /** One that was taken has been applied: logs it, a step at a time. */
  *log(frame: FrameView): Generator<undefined, void> {
    // What is written from here on has seen it, and comes behind it in the log.
    this.noteApplied(frame)
    yield* this.journal.appendInPieces(frame)
    this.host.logged(frame.opCount)
  }

  private noteApplied(frame: FrameView): void {
    this.host.closeFrame()
    this.replica.noteApplied(frame)
  }
}
