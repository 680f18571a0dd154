import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'

/** A socket that collects what it receives. */
export class TestClient {
  /** Bytes received and not yet expected; may be more than what `received` has joined so far. */
  length = 0
  ended = false
  closed = false
  error: Error | null = null
  private parts: Buffer[] = []
  private wake: () => void = () => {}

  private constructor(readonly socket: Socket) {
    socket.setNoDelay(true)
    socket.on('data', (bytes) => {
      this.parts.push(bytes)
      this.length += bytes.length
      this.wake()
    })
    socket.on('end', () => {
      this.ended = true
      this.wake()
    })
    socket.on('close', () => {
      this.closed = true
      this.wake()
    })
    socket.on('error', (error) => {
      this.error = error
      this.wake()
    })
  }

  static plain(port: number): Promise<TestClient> {
    return new Promise((resolve, reject) => {
      const socket = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true }, () => resolve(new TestClient(socket)))
      socket.once('error', reject)
    })
  }

  static tls(port: number, options: ConnectionOptions): Promise<TestClient> {
    return new Promise((resolve, reject) => {
      const socket = connectTls({ port, host: '127.0.0.1', ...options }, () => resolve(new TestClient(socket)))
      socket.once('error', reject)
    })
  }

  get received(): Buffer {
    if (this.parts.length > 1) this.parts = [Buffer.concat(this.parts)]
    return this.parts[0] ?? Buffer.alloc(0)
  }

  /** Forgets the first bytes received. */
  forget(bytes = this.length): void {
    this.parts = [this.received.subarray(bytes)]
    this.length -= bytes
  }

  get text(): string {
    return this.received.toString('latin1')
  }

  send(bytes: string | Uint8Array): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  }

  command(...args: (string | Uint8Array)[]): void {
    this.socket.cork()
    this.send(`*${args.length}\r\n`)
    for (const arg of args) {
      this.send(`$${arg.length}\r\n`)
      this.send(arg)
      this.send('\r\n')
    }
    this.socket.uncork()
  }

  /** Waits until the condition holds, looking at every event of the socket and every few milliseconds. */
  async until(condition: (client: TestClient) => boolean, what = 'condition', timeoutMs = 10_000): Promise<void> {
    const deadline = performance.now() + timeoutMs
    while (!condition(this)) {
      if (performance.now() > deadline)
        throw new Error(`waited in vain for ${what}; received ${this.length} bytes: ${this.text.slice(0, 200)}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 5)
        this.wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  /** Waits for exactly this text and forgets it. */
  async expectText(expected: string): Promise<void> {
    await this.until(
      (client) => client.length >= expected.length || client.ended || client.closed,
      JSON.stringify(expected.slice(0, 100)),
    )
    const got = this.received.subarray(0, expected.length).toString('latin1')
    if (got !== expected)
      throw new Error(`expected ${JSON.stringify(expected.slice(0, 200))}, got ${JSON.stringify(got.slice(0, 200))}`)
    this.forget(expected.length)
  }

  async expectEnd(): Promise<void> {
    await this.until((client) => client.ended || client.closed, 'the end of the connection')
  }

  destroy(): void {
    this.socket.destroy()
  }
}
