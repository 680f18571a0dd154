import { LIMITS } from '../base/limits.js'
import type { CommandExecutor } from '../engine/command-executor.js'
import type { Clock } from '../ports/clock.js'
import { ReplyWriter } from '../resp/reply-writer.js'
import { Request } from '../resp/request.js'

/** A client in the eyes of the turn. */
export interface TurnMember {
  /** Runs input that has waited. */
  runInput(): void
  /** Sends what may leave. The turn's buffer is reused afterwards. */
  flush(): void
  /** The log has moved: held output is to be flushed. */
  logProgressed(): void
  /** It may read from its socket again. */
  readOn(): void
}

/** Ranges beyond this many arguments are not kept for the next command. */
const KEEP_ARGUMENTS = 64 * 1024

/**
 * The beat of the server, as Redis' event loop has it: all input that is ready is run, then the log gets the turn's writes, and only then
 * the replies leave, one write per client. So one frame and one log append serve every client of the turn, and no client hears
 * of a write that the log does not have.
 *
 *   socket events: decode, execute -> writer     (one after the other, as the event loop reports them)
 *   deferred:      clients whose input waited -> endTurn() -> flush of every client with output
 */
export class Turn {
  /** Replies of this turn; every client with output knows its range. */
  readonly writer = new ReplyWriter()
  /** For what is written while another client's reply is being written. */
  readonly lateWriter = new ReplyWriter()
  /** The client whose command runs now. */
  running: TurnMember | null = null
  request = new Request()

  private scheduled = false
  /** When the first of the replies that wait was written; 0 for none. */
  private startMs = 0
  private writerIsLent = false
  private withOutput: TurnMember[] = []
  private spareOutput: TurnMember[] = []
  private waiting: TurnMember[] = []
  private spareWaiting: TurnMember[] = []
  private held: TurnMember[] = []
  /** Read from clients that bring much, in this turn. */
  private muchInputBytes = 0
  private readonly unread: TurnMember[] = []
  private readonly endCallback = (): void => this.end()

  constructor(
    private readonly executor: CommandExecutor,
    private readonly clock: Clock,
  ) {
    executor.onLogProgress(() => this.releaseHeld())
  }

  /** Asks for the end of the turn; called whenever something was run or is to be sent. */
  schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    this.clock.defer(this.endCallback)
  }

  /** The client has output for the end of this turn. Once a turn. */
  addOutput(member: TurnMember): void {
    this.withOutput.push(member)
    this.schedule()
  }

  /** The client has input that is to run after everything that is ready now. Once a turn. */
  addWaiting(member: TurnMember): void {
    this.waiting.push(member)
    this.schedule()
  }

  /** The client's output waits for the log to become durable. */
  addHeld(member: TurnMember): void {
    this.held.push(member)
  }

  /**
   * A client has brought so much at a time that there is likely to be more. Node reads up to 2 MiB of a socket in one turn, 5 ms with copying and decoding. Work in slices
   * counts what reading took. True when clients have read enough: then this one reads on in the next turn, and must stop until it is told so.
   */
  hasReadMuch(member: TurnMember, bytes: number): boolean {
    if (this.muchInputBytes === 0) this.clock.workUntil(0)
    this.muchInputBytes += bytes
    this.schedule()
    if (this.muchInputBytes < LIMITS.clientTurnInputBytes) return false
    this.unread.push(member)
    return true
  }

  /** A client's input has been run. Bounds what a turn with many pipelines writes before it sends. */
  inputHandled(): void {
    this.schedule()
    this.sendIfLong()
  }

  /** Replies that are ready do not wait until every pipeline of the turn has been run. */
  private sendIfLong(): void {
    const now = this.executor.lastReadingMs
    if (this.startMs === 0) this.startMs = now
    if (now - this.startMs > LIMITS.turnMs || this.writer.length > LIMITS.turnOutputBytes) this.sendAll()
  }

  /** A socket still reads from the writer's buffer: the writer gets a new one after the flush. */
  lendWriter(): void {
    this.writerIsLent = true
  }

  /** Ends the turn now; for stopping. */
  end(): void {
    this.scheduled = false
    const waiting = this.waiting
    this.waiting = this.spareWaiting
    this.spareWaiting = waiting
    for (const member of waiting) {
      member.runInput()
      this.sendIfLong()
    }
    waiting.length = 0
    this.sendAll()
    this.muchInputBytes = 0
    if (this.unread.length > 0) for (const member of this.unread.splice(0)) member.readOn()
    if (this.waiting.length > 0 || this.withOutput.length > 0) this.schedule()
  }

  private sendAll(): void {
    this.startMs = 0
    this.executor.endTurn()
    const withOutput = this.withOutput
    this.withOutput = this.spareOutput
    this.spareOutput = withOutput
    for (const member of withOutput) member.flush()
    withOutput.length = 0
    if (this.writerIsLent) this.writer.surrender()
    else this.writer.reset()
    this.writerIsLent = false
    if (this.request.off.length > KEEP_ARGUMENTS) this.request = new Request()
  }

  private releaseHeld(): void {
    const held = this.held
    if (held.length === 0) return
    this.held = []
    for (const member of held) member.logProgressed()
  }
}
