/**
 * Peer links as peer-sync sees them: mutually authenticated, ordered, reliable byte streams that may break at any time.
 */
export interface Network {
  /**
   * Opens a link to a member. The result is at once usable for close(); handlers.onOpen says that it stands and
   * who is there (from the verified certificate), handlers.onClose that it could not be opened or broke.
   */
  dial(address: PeerAddress, handlers: LinkHandlers): Link
  /** Accepts links from other members. onLink returns the handlers of the new link, which is already open. */
  listen(onLink: (link: Link, identity: PeerIdentity) => LinkHandlers): void
  /** Stops listening and closes every link. */
  close(): void
}

export interface PeerAddress {
  /** The member's name in the topology; the certificate presented there must carry it. Empty: any member of the cluster. */
  readonly name: string
  readonly host: string
  readonly port: number
}

/** What the verified certificate of the other side says. */
export interface PeerIdentity {
  readonly name: string
  readonly clusterId: string
}

export interface LinkHandlers {
  onOpen?(identity: PeerIdentity): void
  /** Bytes in order; the array is the handler's to keep. */
  onData(bytes: Uint8Array): void
  /** bufferedBytes fell below the transport's low-water mark after having been above its high one. */
  onDrain(): void
  /** The link is gone; nothing more is called. A clean close gives null. */
  onClose(error: Error | null): void
}

export interface Link {
  /** Queues bytes; the caller no longer changes them. After close it does nothing. */
  send(bytes: Uint8Array): void
  /** Bytes queued and not yet taken by the operating system. The sender stops above its own bound and waits for onDrain. */
  readonly bufferedBytes: number
  pause(): void
  resume(): void
  /** Closes; onClose is called with null. Bytes queued before still go out if the other side reads them soon. */
  close(): void
}
