import { MeridianError } from '../../base/errors.js'
import { LIMITS } from '../../base/limits.js'
import { RequestDecoder } from '../../resp/request-decoder.js'
import { Request } from '../../resp/request.js'
import type { PipelinedClient, RawReply } from '../pipelined-client.js'
import { printable } from '../printable.js'
import { refused } from '../redis-client.js'
import { EXPIRY_SHIFT_MS, withLaterExpiry } from './expiry-shift.js'
import type { KeySelection } from './key-selection.js'

export interface ForwardOptions {
  readonly selection: KeySelection
  readonly skipUnsupported: boolean
  /** Names of the commands that the target has, in upper case. */
  readonly supported: ReadonlySet<string>
  /** Databases of source and target. */
  readonly sourceDatabases: number
  readonly targetDatabases: number
  /** Names the source in errors. */
  readonly source: string
  /** The source asks how far we are. */
  readonly onAckRequest: () => void
}

/** Commands that name a database themselves: they cannot be followed where databases are chosen or moved. */
const NAMES_DATABASE = new Set(['SWAPDB', 'MOVE'])
/** Commands that may give fields of hashes a time of expiry. */
const FIELD_TIMES = new Set(['HEXPIRE', 'HPEXPIRE', 'HEXPIREAT', 'HPEXPIREAT', 'HSETEX', 'HGETEX', 'RESTORE'])
/** What they store is not imported in the snapshot either. */
const CODE_COMMANDS = new Set(['FUNCTION', 'SCRIPT'])

/**
 * Sends the commands in a source's stream of writes to a target, in order, over one connection, many on their way at once. They are the effects of what clients
 * did there: times are absolute, choices made by chance are written out, blocked commands come as what they did. Times of expiry go out later, see expiry-shift.
 */
export class CommandForwarder {
  /** Commands sent, not counting SELECT and PING. */
  forwarded = 0
  /** Not sent: of databases that do not come over. */
  unselected = 0
  /** Not sent because the target has no such command. */
  readonly unsupported = new Map<string, number>()
  /** Fields of hashes may expire, and their times were written later. */
  hasExpiringFields = false
  private readonly decoder = new RequestDecoder()
  private readonly request = new Request()
  private database = 0
  private fed: number
  /** Behind the last command that was taken, sent or not. */
  private taken: number
  private answered: number
  private waiting = 0
  private failure: Error | null = null

  /** `offset` is where the stream begins. */
  constructor(
    private readonly target: PipelinedClient,
    private readonly options: ForwardOptions,
    offset: number,
  ) {
    this.fed = this.taken = this.answered = offset
  }

  /** Offset up to which everything has been written to the target, and answered. */
  get appliedOffset(): number {
    return this.waiting === 0 ? this.taken : this.answered
  }

  /** Takes the next bytes of the stream. @throws MeridianError */
  async take(bytes: Uint8Array): Promise<void> {
    const { decoder, request, target } = this
    this.fed += bytes.length
    decoder.feed(bytes, 0, bytes.length)
    while (decoder.next(request)) {
      if (this.failure !== null) throw this.failure
      this.taken = this.fed - decoder.pendingBytes
      await this.command(request)
      if (target.bytesInFlight > LIMITS.bulkInFlightBytes) await target.room(LIMITS.bulkInFlightBytes)
    }
    if (decoder.error !== null) throw this.cannot(`the stream is no sequence of commands: ${decoder.error}`)
    decoder.retain()
  }

  /** Waits until the target has answered everything. @throws MeridianError */
  async finish(): Promise<void> {
    await this.target.drained()
    if (this.failure !== null) throw this.failure
  }

  private async command(request: Request): Promise<void> {
    const name = argument(request, 0).toUpperCase()
    switch (name) {
      case 'PING':
        return
      case 'REPLCONF':
        if (argument(request, 1).toUpperCase() === 'GETACK') this.options.onAckRequest()
        return
      case 'SELECT':
        this.database = Number(argument(request, 1))
        return
      case 'MULTI':
      case 'EXEC':
      case 'PUBLISH':
      case 'SPUBLISH':
        return this.send(name, request)
      default:
        return this.write(name, request)
    }
  }

  private async write(name: string, request: Request): Promise<void> {
    const { selection, supported, skipUnsupported } = this.options
    if (!supported.has(name)) {
      if (!skipUnsupported && !CODE_COMMANDS.has(name)) throw this.cannot(`Meridian has no ${name}`)
      this.unsupported.set(name, (this.unsupported.get(name) ?? 0) + 1)
      return
    }
    if (!selection.isAll) {
      if (name === 'FLUSHALL') return this.flushSelected()
      if (NAMES_DATABASE.has(name) || (name === 'COPY' && namesDatabase(request))) {
        throw this.cannot(`${name} names databases itself, which does not go together with --db and --map-db`)
      }
    }
    const database = selection.target(this.database)
    if (database === null) {
      this.unselected++
      return
    }
    await this.select(database)
    this.send(name, request)
  }

  private async flushSelected(): Promise<void> {
    const { selection, sourceDatabases } = this.options
    for (let database = 0; database < sourceDatabases; database++) {
      const to = selection.target(database)
      if (to === null || to >= this.options.targetDatabases) continue
      await this.select(to)
      this.sendArguments('FLUSHDB', ['FLUSHDB'])
    }
  }

  private async select(database: number): Promise<void> {
    // Inside a transaction a SELECT that fails would be noticed too late.
    if (database >= this.options.targetDatabases) throw this.cannot(`the target has no database ${database}`)
    await this.target.select(database)
  }

  private send(name: string, request: Request): void {
    const args = Array.from({ length: request.argc }, (_, i): string | Uint8Array =>
      request.buf.subarray(request.off[i], request.off[i] + request.len[i]),
    )
    if (FIELD_TIMES.has(name)) this.hasExpiringFields = true
    this.sendArguments(name, withLaterExpiry(name, args, EXPIRY_SHIFT_MS, Date.now()))
  }

  private sendArguments(name: string, args: readonly (string | Uint8Array)[]): void {
    const offset = this.taken
    const key = args.length > 1 && typeof args[1] !== 'string' ? Buffer.from(args[1]) : null
    this.forwarded++
    this.waiting++
    this.target.send(args, (reply) => {
      this.waiting--
      this.answered = offset
      const error = errorIn(reply)
      if (error === null || this.failure !== null) return
      const what = `${name}${key === null ? '' : ` ${printable(key)}`}, written by ${this.options.source} before byte ${offset} of its stream`
      this.failure = error instanceof MeridianError ? error : refused(this.target.address, what, error)
    })
  }

  private cannot(why: string): MeridianError {
    return new MeridianError(
      'MRD_SOURCE',
      `The writes of ${this.options.source} cannot be followed at byte ${this.taken} of its stream: ${why}`,
      'What was written so far stays in the target. --skip-unsupported leaves out and counts commands that Meridian does not have.',
    )
  }
}

function argument(request: Request, i: number): string {
  return i < request.argc
    ? Buffer.from(request.buf.buffer, request.buf.byteOffset + request.off[i], request.len[i]).toString('latin1')
    : ''
}

/** COPY source destination [DB n] [REPLACE] */
function namesDatabase(request: Request): boolean {
  for (let i = 3; i < request.argc; i++) if (argument(request, i).toUpperCase() === 'DB') return true
  return false
}

/** The error that a reply is or has in it: those of a transaction are elements of the reply to EXEC. */
function errorIn(reply: RawReply): Error | null {
  if (reply instanceof Error) return reply
  if (!Array.isArray(reply)) return null
  for (const element of reply as readonly RawReply[]) if (element instanceof Error) return element
  return null
}
