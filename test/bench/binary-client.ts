import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import RedisParser from 'redis-parser'

type BinaryReply = Buffer | number | null | readonly BinaryReply[]

/** One connection that sends a command at a time; arguments and replies are bytes. */
export class BinaryClient {
  private settle: { resolve(reply: BinaryReply): void; reject(error: Error): void } | null = null

  private constructor(private readonly socket: Socket) {
    const parser = new RedisParser({
      returnBuffers: true,
      returnReply: (reply: BinaryReply) => this.settle?.resolve(reply),
      returnError: (error: Error) => this.settle?.reject(error),
      returnFatalError: (error: Error) => this.settle?.reject(error),
    })
    socket.on('data', (bytes: Buffer) => parser.execute(bytes))
    const broken = (): void => this.settle?.reject(new Error('the server closed the connection'))
    socket.on('error', broken)
    socket.on('close', broken)
  }

  static async connect(port: number): Promise<BinaryClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    return new BinaryClient(socket)
  }

  /** @throws when the server answers with an error. */
  command(...args: readonly (string | Uint8Array)[]): Promise<BinaryReply> {
    return this.send(args)
  }

  /** The same for very many arguments. */
  async send(args: readonly (string | Uint8Array)[]): Promise<BinaryReply> {
    const parts = [Buffer.from(`*${args.length}\r\n`)]
    for (const arg of args) {
      const bytes = Buffer.from(arg)
      parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'))
    }
    const reply = new Promise<BinaryReply>((resolve, reject) => {
      this.settle = { resolve, reject }
    })
    this.socket.write(Buffer.concat(parts))
    return reply
  }

  close(): void {
    this.settle = null
    this.socket.destroy()
  }
}
