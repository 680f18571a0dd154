import type { Socket } from 'node:net'
import { getSystemErrorName } from 'node:util'
import { handleOf, streamBinding, type SocketHandle, type StreamBinding, type WriteRequest } from './stream-binding.js'

/** Brings bytes of one client to its socket, one piece after the other. */
export interface SocketWriter {
  /** Bytes that the operating system has not taken yet. */
  readonly waitingBytes: number
  /**
   * Gives bytes to the socket. False when the operating system has not taken all of them yet: they must not change, and nothing more may be written, before
   * `done` of socketWriter is called. Errors close the socket, which says so.
   */
  write(bytes: Uint8Array): boolean
}

/** done: called when what a write had left over has gone, or never will. encrypted: a TLS socket, whose handle takes what is encrypted already. */
export function socketWriter(socket: Socket, encrypted: boolean, done: () => void): SocketWriter {
  const handle = encrypted || streamBinding === null ? null : handleOf(socket)
  if (handle === null || streamBinding === null) return new StreamWriter(socket, done)
  return new HandleWriter(socket, handle, streamBinding, done)
}

const NOTHING = Buffer.alloc(0)

class StreamWriter implements SocketWriter {
  constructor(
    private readonly socket: Socket,
    private readonly done: () => void,
  ) {}

  get waitingBytes(): number {
    return this.socket.writableLength
  }

  write(bytes: Uint8Array): boolean {
    const { socket } = this
    socket.write(bytes)
    if (socket.writableLength === 0) return true
    // An empty write that follows says when the rest has gone; a callback with every write would cost every write.
    socket.write(NOTHING, this.done)
    return false
  }
}

/** For the next write of whatever client: only a write that is not finished at once keeps it. */
let spareRequest: WriteRequest | null = null

/** Around the stream, which makes a request and a place in two queues for each write, though nearly all are finished at once. The stream still closes the socket. */
class HandleWriter implements SocketWriter {
  waitingBytes = 0

  constructor(
    private readonly socket: Socket,
    private readonly handle: SocketHandle,
    private readonly binding: StreamBinding,
    private readonly done: () => void,
  ) {}

  write(bytes: Uint8Array): boolean {
    const { socket, handle, binding } = this
    // Its handle is closed then.
    if (socket.destroyed) return true
    const request = (spareRequest ??= new binding.WriteWrap())
    const code = handle.writeBuffer(request, bytes)
    if (code !== 0) {
      // Node may have begun to use it.
      spareRequest = null
      this.fail(code)
      return true
    }
    if (binding.streamBaseState[binding.kLastWriteWasAsync] === 0) return true
    spareRequest = null
    this.waitingBytes = bytes.length
    // Nothing else keeps the memory that the operating system still is to be given.
    request.buffer = bytes
    request.oncomplete = (status) => {
      this.waitingBytes = 0
      if (status < 0) this.fail(status)
      this.done()
    }
    return false
  }

  private fail(code: number): void {
    this.socket.destroy(new Error(`write ${getSystemErrorName(code)}`))
  }
}
