import { connect, createServer, type Server, type Socket } from 'node:net'

/**
 * How a broken network behaves:
 * cut      connections are reset and new ones refused
 * silent   connections stand and new ones are accepted, but nothing passes either way (a firewall that drops packets)
 * pass     as without it
 */
export type ProxyMode = 'pass' | 'cut' | 'silent'

/** How a slow network behaves, in each direction by itself. */
export interface Weather {
  /** Added to every chunk. */
  readonly delayMs?: number
  /**
   * Loss as a TCP connection shows it: of 100 chunks so many come late by `stallMs`, and all behind them wait too. (Real loss on a link of 300 ms stalls it for a
   * retransmission, 0.3 to 1 s; what is lost for good ends in a reset, see TcpProxy.reset.)
   */
  readonly lossPercent?: number
  readonly stallMs?: number
  /** Bytes a second; what is more waits, at first here and then at the sender. */
  readonly bytesPerSecond?: number
}

/** Bytes that a direction of a connection may have under way: beyond, the sender is not read. A good deal more than 300 ms of a fast link. */
const WINDOW_BYTES = 32 * 1024 * 1024

/** Each direction of one connection, as the proxy holds it. */
interface Pair {
  readonly client: Socket
  readonly server: Socket
}

/** A TCP relay on 127.0.0.1 that can misbehave: stands where the network between two members would be. */
export class TcpProxy {
  private mode: ProxyMode = 'pass'
  private weather: Weather = {}
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

  /** From now on; {} is a fine day. */
  become(weather: Weather): void {
    this.weather = weather
  }

  /** Connections that stand are reset; new ones may be opened at once. */
  reset(): void {
    for (const { client, server } of [...this.pairs]) {
      client.resetAndDestroy()
      server.resetAndDestroy()
    }
  }

  /** Connections that stand. */
  get connectionCount(): number {
    return this.pairs.size
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
    const delayed = new DelayLine(() => this.weather)
    let isFull = false
    const review = (): void => {
      if (isFull || delayed.waitingBytes > WINDOW_BYTES) from.pause()
      else if (this.mode !== 'silent') from.resume()
    }
    from.on('data', (chunk: Buffer) => {
      delayed.push(chunk.length, () => {
        if (!to.destroyed && !to.write(chunk)) {
          isFull = true
          to.once('drain', () => {
            isFull = false
            review()
          })
        }
        review()
      })
      review()
    })
    from.on('end', () => delayed.push(0, () => to.end()))
    from.on('close', () => {
      this.pairs.delete(pair)
      delayed.stop()
      to.destroy()
    })
  }

  private keep(socket: Socket): void {
    this.sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.sockets.delete(socket))
  }
}

/** Runs actions after a delay that may change, never out of order, and no faster than the bandwidth. */
class DelayLine {
  /** Bytes under way. */
  waitingBytes = 0
  private queue: { readonly dueMs: number; readonly bytes: number; readonly action: () => void }[] = []
  private timer: NodeJS.Timeout | null = null
  private freeAtMs = 0

  constructor(private readonly weather: () => Weather) {}

  push(bytes: number, action: () => void): void {
    const { delayMs = 0, lossPercent = 0, stallMs = 0, bytesPerSecond = Infinity } = this.weather()
    const nowMs = performance.now()
    const lateMs = Math.random() * 100 < lossPercent ? stallMs : 0
    this.freeAtMs = Math.max(this.freeAtMs, nowMs + lateMs) + (bytes / bytesPerSecond) * 1000
    if (delayMs === 0 && this.freeAtMs <= nowMs && this.queue.length === 0) return action()
    this.queue.push({ dueMs: this.freeAtMs + delayMs, bytes, action })
    this.waitingBytes += bytes
    this.schedule()
  }

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.queue = []
  }

  private schedule(): void {
    if (this.timer !== null || this.queue.length === 0) return
    this.timer = setTimeout(() => this.run(), Math.max(0, this.queue[0].dueMs - performance.now()))
  }

  private run(): void {
    this.timer = null
    const nowMs = performance.now()
    let due = 0
    while (due < this.queue.length && this.queue[due].dueMs <= nowMs) due++
    for (const { bytes, action } of this.queue.splice(0, due)) {
      this.waitingBytes -= bytes
      action()
    }
    this.schedule()
  }
}
