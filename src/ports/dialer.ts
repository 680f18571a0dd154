import type { Link, LinkHandlers } from './network.js'

/** Plain connections to other servers as one of their clients: MIGRATE. */
export interface Dialer {
  /** The result is at once usable for close(); onOpen says that it stands, onClose that it could not be opened or broke. */
  dial(host: string, port: number, handlers: DialHandlers): Link
}

export interface DialHandlers extends Omit<LinkHandlers, 'onOpen'> {
  onOpen(): void
}
