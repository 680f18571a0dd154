import type { Command } from '../commands/command-table.js'
import type { Clock } from '../ports/clock.js'

/** Commands in a row that share a reading of the clock at most. */
const MOST_SHARING = 16
/** A command with more arguments, or a longer reply, may take long by itself. */
const MOST_ARGUMENTS = 5
const MOST_REPLY_BYTES = 1024

/**
 * Times commands with few readings of the clock: one reading is the end of a command and the beginning of the next; and what follows the first of several
 * commands of one kind in a batch shares one with its like, each counting as their mean, if it is flagged fast and has few arguments and a short reply. A
 * reading for each costs 3 % of a pipelined INCR.
 */
export class CommandTimer {
  /** The last reading: monotonic ms. A few short commands ago at most, while a batch runs. */
  lastMs = 0
  /** False: each command is timed by itself. */
  mayShare = true
  private kind: Command | null = null
  /** Commands of that kind that have ended and are not counted yet. */
  private count = 0
  /** lastMs as it was at the last readIfUnread. */
  private knownMs = 0

  constructor(
    private readonly clock: Clock,
    /** Told of commands that shared a reading, and of the microseconds that they took together. */
    private readonly shared: (command: Command, count: number, microseconds: number) => void,
  ) {}

  /** What comes now begins now. */
  begin(): void {
    if (this.count > 0) this.settle()
    else this.lastMs = this.clock.monotonicMs()
    this.kind = null
  }

  /** A command begins, right after the one before. */
  next(command: Command): void {
    if (this.count > 0 && this.kind !== command) this.settle()
  }

  /** The command that has ended shares its time with its like; false when it is to be counted by itself. */
  takes(command: Command, argc: number, replyBytes: number): boolean {
    if (this.kind !== command) {
      this.kind = command
      return false
    }
    if (!this.mayShare || !command.isFast || argc > MOST_ARGUMENTS || replyBytes > MOST_REPLY_BYTES) return false
    if (++this.count === MOST_SHARING) this.settle()
    return true
  }

  /** Microseconds since the last reading. What shared it and is not counted yet was of the same kind and short: all of the time is given to what has ended now. */
  lap(): number {
    const { kind, count } = this
    this.count = 0
    if (count > 0 && kind !== null) this.shared(kind, count, 0)
    return this.read()
  }

  /** Reads the clock if nothing has since this was called last. */
  readIfUnread(): void {
    if (this.lastMs === this.knownMs) this.begin()
    this.knownMs = this.lastMs
  }

  /** Counts what has ended. */
  settle(): void {
    const { kind, count } = this
    if (count === 0 || kind === null) return
    this.count = 0
    this.shared(kind, count, this.read())
  }

  private read(): number {
    const nowMs = this.clock.monotonicMs()
    const microseconds = (nowMs - this.lastMs) * 1000
    this.lastMs = nowMs
    return microseconds
  }
}
