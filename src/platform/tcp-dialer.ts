import { connect } from 'node:net'
import type { Dialer, DialHandlers } from '../ports/dialer.js'
import type { Link } from '../ports/network.js'
import { SocketLink } from './socket-link.js'

/** Dialer on TCP. */
export class TcpDialer implements Dialer {
  dial(host: string, port: number, handlers: DialHandlers): Link {
    const socket = connect({ host, port })
    const link = new SocketLink(socket, false)
    link.serve(handlers)
    socket.once('connect', () => {
      link.stands()
      handlers.onOpen()
    })
    return link
  }
}
