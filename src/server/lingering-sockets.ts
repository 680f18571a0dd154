import type { Socket } from 'node:net'
import { LIMITS } from '../base/limits.js'
import type { Clock } from '../ports/clock.js'

/**
 * Closes sockets so that the last reply is read. To close a socket that has unread input makes the kernel reset the connection, and the
 * client may then lose the error that explains why. So the sending side is closed, input is thrown away, and the socket goes
 * when the client closes too, or after a short time.
 */
export class LingeringSockets {
  /** Socket to the monotonic time at which it is cut off; in the order of that time. */
  private readonly deadlines = new Map<Socket, number>()

  constructor(private readonly clock: Clock) {}

  get count(): number {
    return this.deadlines.size
  }

  /** Takes a socket over; its input must already be ignored. */
  close(socket: Socket): void {
    if (socket.destroyed) return
    if (this.deadlines.size >= LIMITS.lingeringSockets) {
      socket.destroySoon()
      return
    }
    this.deadlines.set(socket, this.clock.monotonicMs() + LIMITS.lingerMs)
    socket.once('close', () => this.deadlines.delete(socket))
    socket.end()
    socket.resume()
  }

  /** Cuts off those whose time is up. */
  sweep(): void {
    const now = this.clock.monotonicMs()
    for (const [socket, deadline] of this.deadlines) {
      if (deadline > now) return
      socket.destroy()
    }
  }

  destroyAll(): void {
    for (const socket of this.deadlines.keys()) socket.destroy()
  }
}
