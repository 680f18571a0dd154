/**
 * What Node's own streams of sockets stand on, and does not document: with it a read or a write of a client goes without the machinery of streams
 * (docs/decisions/0037). Everything that uses it works without it too, only slower, so a Node that has it no more does no harm.
 */

/** The native part of a socket. */
export interface SocketHandle {
  /** Called for each read, with its outcome in the binding's state. */
  onread: (this: unknown, ...given: unknown[]) => unknown
  /** Gives bytes to the operating system: 0 or a negative error code. What it has not taken at once is written later; then request.oncomplete is called. */
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number
}

/** Of one write that could not be finished at once. */
export interface WriteRequest {
  oncomplete?: (status: number) => void
  /** Whoever writes must keep the bytes for as long as the request lasts: Node does so under this name. */
  buffer?: Uint8Array
}

export interface StreamBinding {
  readonly WriteWrap: new () => WriteRequest
  readonly streamBaseState: Int32Array
  /** Place in the state: bytes of the read that onread is called for, or a negative code for an error or the end. */
  readonly kReadBytesOrError: number
  /** Place in the state: 1 when the last write was not finished at once. */
  readonly kLastWriteWasAsync: number
}

/** null where Node has no such thing, or has it otherwise. */
export const streamBinding = findBinding()

/** The handle of a plain socket if it is as this program knows it. */
export function handleOf(socket: object): SocketHandle | null {
  const handle = (socket as { _handle?: Partial<SocketHandle> | null })._handle
  if (typeof handle?.writeBuffer !== 'function' || typeof handle.onread !== 'function') return null
  return handle as SocketHandle
}

function findBinding(): StreamBinding | null {
  try {
    const { binding } = process as { binding?: (name: string) => Partial<StreamBinding> }
    const found = binding?.call(process, 'stream_wrap')
    if (found === undefined || typeof found.WriteWrap !== 'function' || !(found.streamBaseState instanceof Int32Array))
      return null
    if (!isPlace(found, found.kReadBytesOrError) || !isPlace(found, found.kLastWriteWasAsync)) return null
    return found as StreamBinding
  } catch {
    // Not allowed here.
    return null
  }
}

function isPlace({ streamBaseState }: Partial<StreamBinding>, place: number | undefined): boolean {
  return place !== undefined && streamBaseState !== undefined && streamBaseState[place] !== undefined
}
