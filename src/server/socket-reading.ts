import { Socket, type SocketConstructorOpts } from 'node:net'
import { allocateBytes, plainBytes } from '../base/bytes.js'
import { LIMITS } from '../base/limits.js'
import { handleOf, streamBinding } from './stream-binding.js'

/**
 * Reads client sockets into one buffer shared by all of them, so that a read allocates nothing. What was measured, and why this way:
 * docs/decisions/0002-socket-reading.md, and 0037.
 */
export type BytesListener = (bytes: Uint8Array, length: number) => void

/** Valid only during the listener's call. */
const sharedBuffer = allocateBytes(LIMITS.readBufferBytes)

/** The part of an accepted socket that Node does not document: the handle, which another Socket can be built around. */
interface WithHandle {
  _handle: object | null
}

function hasHandle(socket: object): socket is WithHandle {
  const handle = (socket as Partial<WithHandle>)._handle
  return typeof handle === 'object' && handle !== null
}

/**
 * Begins to read an accepted socket that is paused (pauseOnConnect). `onread` is documented for outgoing sockets only, so the handle
 * moves into a new Socket that has it; should a later Node keep its handle elsewhere, ordinary events do.
 * @returns the socket to use from now on.
 */
export function readAccepted(accepted: Socket, listener: BytesListener): Socket {
  if (!hasHandle(accepted)) {
    readEvents(accepted, listener)
    return accepted
  }
  const handle = accepted._handle
  accepted._handle = null
  // Without its handle the old Socket only takes leave of its server.
  accepted.destroy()
  const onread = {
    buffer: sharedBuffer,
    callback: (length: number, bytes: Uint8Array): boolean => {
      listener(bytes, length)
      return true
    },
  }
  const socket = new Socket({ handle, allowHalfOpen: true, onread } as SocketConstructorOpts)
  readHandle(socket, listener)
  socket.resume()
  return socket
}

/** Bytes go from the handle to the listener; errors and the end of the input stay with the stream. */
function readHandle(socket: Socket, listener: BytesListener): void {
  const handle = handleOf(socket)
  if (handle === null || streamBinding === null) return
  const { streamBaseState, kReadBytesOrError } = streamBinding
  const { onread } = handle
  handle.onread = function (...given): unknown {
    const length = streamBaseState[kReadBytesOrError]
    if (length <= 0) return onread.apply(this, given)
    listener(sharedBuffer, length)
    return undefined
  }
}

/** Reads by ordinary events: for TLS, where Node allocates the clear text anyway. */
export function readEvents(socket: Socket, listener: BytesListener): void {
  socket.on('data', (bytes: Buffer) => listener(plainBytes(bytes), bytes.length))
}
