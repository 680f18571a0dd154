import { connect, createServer, type Server, type Socket } from 'node:net'

/**
 * How a broken network behaves:
 * cut      connections are reset and new ones refused
 * silent   connections stand and new ones are accepted, but nothing passes either way (a firewall that drops packets)
 * pass     as without it
 */
export type ProxyMode = 'pass' | 'cut' | 'silent'

/** Each direction of one connection, as the proxy holds it. */
interface Pair {
  readonly client: Socket
  readonly server: Socket
}

/** A TCP relay on 127.0.0.1 that can misbehave: stands where the network between two members would be. */
export class TcpProxy {
  private mode: ProxyMode = 'pass'
  /** Added to every chunk in either direction. */
  private delayMs = 0
  private readonly pairs = new Set<Pair>()
  private readonly sockets = new Set<Socket>()
  private constructor(
    private readonly server: Server,
    readonly port: number,
    private readonly targetPort: number,
  ) {
    server.on('connection', (client) => this.relay(client))
  }

  static async open(port: number, targetPort: number): Promise<TcpProxy> {
    const server = createServer({ noDelay: true })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', resolve)
    })
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('a TCP server has an address')
    return new TcpProxy(server, address.port, targetPort)
  }

  set(mode: ProxyMode): void {
    this.mode = mode
    for (const { client, server } of this.pairs) {
      if (mode === 'cut') {
        client.resetAndDestroy()
        server.resetAndDestroy()
      } else if (mode === 'silent') {
        client.pause()
        server.pause()
      } else {
        client.resume()
        server.resume()
      }
    }
  }

  slow(delayMs: number): void {
    this.delayMs = delayMs
  }

  close(): void {
    this.server.close()
    for (const socket of this.sockets) socket.destroy()
  }

  private relay(client: Socket): void {
    this.keep(client)
    if (this.mode === 'cut') {
      client.resetAndDestroy()
      return
    }
    const server = connect({ port: this.targetPort, host: '127.0.0.1', noDelay: true })
    this.keep(server)
    const pair = { client, server }
    this.pairs.add(pair)
    this.forward(client, server, pair)
    this.forward(server, client, pair)
    if (this.mode === 'silent') {
      client.pause()
      server.pause()
    }
  }

  private forward(from: Socket, to: Socket, pair: Pair): void {
    const delayed = new DelayLine(() => this.delayMs)
    from.on('data', (chunk: Buffer) => {
      delayed.push(() => {
        if (to.destroyed || to.write(chunk)) return
        from.pause()
        to.once('drain', () => {
          if (this.mode !== 'silent') from.resume()
        })
      })
    })
    from.on('end', () => delayed.push(() => to.end()))
    from.on('close', () => {
      this.pairs.delete(pair)
      to.destroy()
    })
  }

  private keep(socket: Socket): void {
    this.sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.sockets.delete(socket))
  }
}

/** Runs actions after a delay that may change, never out of order. */
class DelayLine {
  private readonly queue: { readonly dueMs: number; readonly action: () => void }[] = []
  private timer: NodeJS.Timeout | null = null

  constructor(private readonly delayMs: () => number) {}

  push(action: () => void): void {
    const delayMs = this.delayMs()
    if (delayMs === 0 && this.queue.length === 0) action()
    else {
      this.queue.push({ dueMs: performance.now() + delayMs, action })
      this.schedule()
    }
  }

  private schedule(): void {
    if (this.timer !== null || this.queue.length === 0) return
    this.timer = setTimeout(() => this.run(), Math.max(0, this.queue[0].dueMs - performance.now()))
  }

  private run(): void {
    this.timer = null
    const nowMs = performance.now()
    while (this.queue.length > 0 && this.queue[0].dueMs <= nowMs) this.queue.shift()?.action()
    this.schedule()
  }
}
