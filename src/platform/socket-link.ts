import type { Socket } from 'node:net'
import { plainBytes } from '../base/bytes.js'
import type { Link, LinkHandlers } from '../ports/network.js'
import type { ReadingTurn } from './reading-turn.js'

/** After close(), how long queued bytes may take to go out. */
const LINGER_MS = 1000
const KEEP_ALIVE_MS = 10_000

/** A socket, secured or not, as a Link. What is sent in one turn of the event loop goes out in one write. */
export class SocketLink implements Link {
  private handlers: LinkHandlers | null = null
  private corked = false
  private closed = false
  private error: Error | null = null
  /** Who reads wants no more now; this turn has read enough. */
  private paused = false
  private heldBack = false
  /** Called when the link is gone. */
  onGone: () => void = () => undefined

  constructor(
    private readonly socket: Socket,
    private standing: boolean,
    /** Null: whatever comes is read. */
    private readonly reading: ReadingTurn | null = null,
  ) {
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    socket.on('error', (error: Error) => (this.error = error))
    socket.on('close', () => this.gone())
  }

  /** A dialled link is connected, and its handshake complete. */
  stands(): void {
    this.standing = true
  }

  /** Starts reading. */
  serve(handlers: LinkHandlers): void {
    this.handlers = handlers
    const { socket } = this
    socket.on('data', (bytes: Buffer) => {
      if (this.closed) return
      handlers.onData(plainBytes(bytes))
      if (this.reading?.took(bytes.length) === true) this.holdBack(this.reading)
    })
    socket.on('drain', () => {
      if (!this.closed) handlers.onDrain()
    })
    // The other side has closed: what we still have for it nobody reads.
    socket.on('end', () => socket.destroy())
  }

  /** True once close() was called on this side. */
  get closedHere(): boolean {
    return this.closed
  }

  get bufferedBytes(): number {
    return this.socket.writableLength
  }

  send(bytes: Uint8Array): void {
    if (this.closed || this.socket.destroyed) return
    if (!this.corked) {
      this.corked = true
      this.socket.cork()
      process.nextTick(() => {
        this.corked = false
        this.socket.uncork()
      })
    }
    this.socket.write(bytes)
  }

  pause(): void {
    this.paused = true
    this.socket.pause()
  }

  resume(): void {
    this.paused = false
    if (!this.heldBack) this.socket.resume()
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    const { socket } = this
    if (!this.standing) {
      socket.destroy()
      return
    }
    socket.end()
    // Read on, unheard, or the end of the other side would never be seen.
    socket.resume()
    const timer = setTimeout(() => socket.destroy(), LINGER_MS)
    timer.unref()
    socket.once('close', () => clearTimeout(timer))
  }

  private holdBack(reading: ReadingTurn): void {
    if (this.heldBack || this.closed) return
    this.heldBack = true
    this.socket.pause()
    reading.later(() => {
      this.heldBack = false
      if (!this.paused || this.closed) this.socket.resume()
    })
  }

  private gone(): void {
    this.onGone()
    this.handlers?.onClose(this.closed ? null : this.error)
    this.handlers = null
  }
}
