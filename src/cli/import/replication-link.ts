import type { Socket } from 'node:net'
import RedisParser from 'redis-parser'
import { MeridianError } from '../../base/errors.js'
import { credentials, openSocket, refused, unreachable, type RedisAddress } from '../redis-client.js'

/** Where in a source's stream of writes one is: its id, and how many bytes of it have been received. */
export interface StreamPosition {
  readonly id: string
  readonly offset: number
}

/** Longest line of an answer in the handshake. */
const MAX_LINE_BYTES = 64 * 1024
const LF = 10
/** A source pings its replicas every ten seconds; one that says nothing for so long is gone. */
const SILENCE_MS = 60_000

/**
 * A connection on which a Redis sends what it writes, as to a replica: redis.io/docs, "Redis replication", and the behaviour of redis-server 7.
 *
 *   PING, REPLCONF, PSYNC id offset  ->  +FULLRESYNC id offset, then the snapshot: `$EOF:mark` data mark, or `$bytes` data; then the stream
 *                                        +CONTINUE [id], then the stream
 */
export class ReplicationLink {
  private readonly chunks: AsyncIterator<Buffer>
  private held: Buffer | null = null
  private isClosed = false

  private constructor(
    readonly address: RedisAddress,
    private readonly socket: Socket,
  ) {
    socket.setNoDelay(true)
    socket.setTimeout(SILENCE_MS, () => socket.destroy())
    this.chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  }

  /** @throws MeridianError MRD_UNREACHABLE, MRD_REFUSED */
  static async open(address: RedisAddress, timeoutMs: number): Promise<ReplicationLink> {
    const socket = await openSocket(address, timeoutMs)
    const link = new ReplicationLink(address, socket)
    try {
      if (address.password) await link.ask('AUTH', ...credentials(address))
      await link.ask('PING')
      await link.ask('REPLCONF', 'listening-port', '0')
      await link.ask('REPLCONF', 'capa', 'eof', 'capa', 'psync2')
      return link
    } catch (error) {
      link.close()
      throw error
    }
  }

  /** Asks for the stream from a position on, or for a snapshot and what follows it. @throws MeridianError MRD_SOURCE when the source refuses. */
  async follow(from: StreamPosition | null): Promise<{ readonly isSnapshot: boolean; readonly position: StreamPosition }> {
    this.write('PSYNC', from?.id ?? '?', from === null ? '-1' : String(from.offset + 1))
    const answer = await this.answer()
    const [word, id, offset] = answer.split(' ')
    if (word === '+FULLRESYNC' && offset !== undefined) return { isSnapshot: true, position: { id, offset: Number(offset) } }
    if (word === '+CONTINUE' && from !== null) return { isSnapshot: false, position: { id: id ?? from.id, offset: from.offset } }
    throw new MeridianError(
      'MRD_SOURCE',
      `${nameOf(this.address)} does not send its writes: ${answer.replace(/^-/, '')}`,
      'Use a user that may PSYNC and REPLCONF; where a service forbids that, --method scan copies what is there without following.',
    )
  }

  /** How the snapshot ends: after so many bytes, or at a mark. Null when the connection ends before that is said. */
  async snapshotEnd(): Promise<{ readonly bytes: number } | { readonly mark: Buffer } | null> {
    const line = await this.line()
    if (line === null) return null
    const mark = /^\$EOF:(.{40})$/.exec(line)?.[1]
    if (mark !== undefined) return { mark: Buffer.from(mark, 'latin1') }
    const bytes = /^\$(\d{1,15})$/.exec(line)?.[1]
    if (bytes !== undefined) return { bytes: Number(bytes) }
    throw new MeridianError(
      'MRD_SOURCE',
      `${nameOf(this.address)} sends no snapshot: ${line.slice(0, 200)}`,
      "Look at the source's log; a full disk or too little memory for its fork are usual causes.",
    )
  }

  /** The next bytes, or null when the connection has ended. */
  async read(): Promise<Buffer | null> {
    const { held } = this
    if (held !== null) {
      this.held = null
      return held
    }
    try {
      const next = await this.chunks.next()
      if (next.done !== true) return next.value
    } catch {
      // An error ends the connection as well; what matters is how much has come.
    }
    this.isClosed = true
    return null
  }

  /** Gives back bytes that were read too many. */
  unread(bytes: Buffer): void {
    if (bytes.length > 0) this.held = this.held === null ? bytes : Buffer.concat([bytes, this.held])
  }

  acknowledge(offset: number): void {
    this.write('REPLCONF', 'ACK', String(offset))
  }

  /** Says that the snapshot is still being read. */
  keepAlive(): void {
    if (!this.isClosed) this.socket.write('\n')
  }

  close(): void {
    this.isClosed = true
    this.socket.destroy()
  }

  private write(...args: readonly string[]): void {
    if (this.isClosed) return
    this.socket.write(`*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join('')}`)
  }

  private async ask(...args: readonly string[]): Promise<void> {
    this.write(...args)
    const line = await this.answer()
    let failure: Error | null = null
    const parser = new RedisParser({
      returnReply: () => undefined,
      returnError: (error: Error) => (failure = error),
      returnFatalError: (error: Error) => (failure = error),
    })
    parser.execute(Buffer.from(`${line}\r\n`, 'latin1'))
    if (failure !== null) throw refused(this.address, args[0], failure)
  }

  private async answer(): Promise<string> {
    const line = await this.line()
    if (line === null) throw unreachable(this.address, new Error('it closed the connection in the handshake'))
    return line
  }

  /** The next line that is not empty: a source sends empty ones to show that it is alive. Null at the end. */
  private async line(): Promise<string | null> {
    let bytes = Buffer.alloc(0)
    for (;;) {
      const at = bytes.indexOf(LF)
      if (at >= 0) {
        const line = bytes.subarray(0, at).toString('latin1').replace(/\r$/, '')
        bytes = bytes.subarray(at + 1)
        if (line === '') continue
        this.unread(bytes)
        return line
      }
      const more = bytes.length > MAX_LINE_BYTES ? null : await this.read()
      if (more === null) return null
      bytes = Buffer.concat([bytes, more])
    }
  }
}

function nameOf({ host, port }: RedisAddress): string {
  return `${host}:${port}`
}
