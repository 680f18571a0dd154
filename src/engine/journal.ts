import { assert } from '../base/assert.js'
import type { FrameView } from '../crdt/frame.js'
import type { OpLog } from '../oplog/op-log.js'

/** The log as the engine writes to it, which is from the end of recovery on; and which replies must wait for it. */
export class Journal {
  /** `appendfsync always`: replies of writes wait for the disk. May change at run time. */
  syncAlways = false
  /** Called after each append, by who has appended; the composition root may wake peers and ask for a sync. */
  onAppended: () => void = () => undefined
  private log: OpLog | null = null
  /** Who wants to hear from it when it is there. */
  private readonly listeners: (() => void)[] = []

  open(log: OpLog): void {
    this.log = log
    for (const listener of this.listeners) log.onChange(listener)
  }

  get isOpen(): boolean {
    return this.log !== null
  }

  /** It is not open, or the disk takes nothing now. */
  get isRefusing(): boolean {
    return this.log?.refusal !== null
  }

  get loggedBytes(): number {
    return this.log?.appendedBytes ?? 0
  }

  get durableBytes(): number {
    return this.log?.durableBytes ?? 0
  }

  get hasFailed(): boolean {
    return this.log?.hasFailed === true
  }

  onProgress(listener: () => void): void {
    if (this.log === null) this.listeners.push(listener)
    else this.log.onChange(listener)
  }

  requestSync(): void {
    this.log?.requestSync()
  }

  /** The position behind the frame: see OpLog. */
  append(frame: FrameView): number {
    return this.opened().append(frame)
  }

  appendInPieces(frame: FrameView): Generator<undefined, number> {
    return this.opened().appendInPieces(frame)
  }

  /** False: what is before the position is in memory only. Whoever wrote it waits. */
  isWritten(position: number): boolean {
    return this.loggedBytes >= position
  }

  /** Replies of what was written until there must wait. */
  holdsReplies(position: number): boolean {
    return this.syncAlways || !this.isWritten(position)
  }

  private opened(): OpLog {
    const { log } = this
    assert(log !== null, 'a frame before the log is open')
    return log
  }
}
