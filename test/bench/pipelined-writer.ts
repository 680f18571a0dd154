import { connect, type Socket } from 'node:net'

/** Bytes of requests in flight; more would only fill buffers. */
const IN_FLIGHT_BYTES = 512 * 1024
const CHUNK_COMMANDS = 512
/** `+OK\r\n` */
const OK_BYTES = 5
const ERROR_BYTE = '-'.charCodeAt(0)
const KEY_DIGITS = 12

export interface WriteOptions {
  readonly port: number
  /** `key:` gives `key:000000000000` and on, the names that redis-benchmark -r makes. */
  readonly prefix: string
  readonly first?: number
  readonly count: number
  readonly value: string
}

/** SETs `count` consecutive keys over one connection, as fast as the server takes them. @throws when it answers an error. */
export async function writeKeys(options: WriteOptions): Promise<void> {
  const { port, count, first = 0 } = options
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.once('connect', resolve)
    })
    const template = new CommandBlock(options.prefix, options.value)
    const replies = new OkCounter(socket)
    let sent = 0
    while (sent < count) {
      const commands = Math.min(CHUNK_COMMANDS, count - sent)
      socket.write(template.fill(first + sent, commands))
      sent += commands
      await replies.reached(sent - Math.floor(IN_FLIGHT_BYTES / template.commandBytes))
    }
    await replies.reached(count)
  } finally {
    socket.destroy()
  }
}

/** Many SETs in one buffer, of which only the digits of the keys change. */
class CommandBlock {
  readonly commandBytes: number
  private readonly bytes: Buffer
  private readonly digitsAt: number

  constructor(prefix: string, value: string) {
    const keyBytes = Buffer.byteLength(prefix) + KEY_DIGITS
    const head = `*3\r\n$3\r\nSET\r\n$${keyBytes}\r\n${prefix}`
    const command = Buffer.from(`${head}${'0'.repeat(KEY_DIGITS)}\r\n$${Buffer.byteLength(value)}\r\n${value}\r\n`)
    this.commandBytes = command.length
    this.digitsAt = Buffer.byteLength(head)
    this.bytes = Buffer.concat(Array.from({ length: CHUNK_COMMANDS }, () => command))
  }

  /** A copy, because the socket may still hold the last one. */
  fill(first: number, commands: number): Buffer {
    const block = Buffer.from(this.bytes.subarray(0, commands * this.commandBytes))
    for (let i = 0; i < commands; i++) {
      let rest = first + i
      for (let at = i * this.commandBytes + this.digitsAt + KEY_DIGITS - 1; rest > 0; at--) {
        block[at] = 48 + (rest % 10)
        rest = Math.floor(rest / 10)
      }
    }
    return block
  }
}

/** Counts replies that must all be +OK. */
class OkCounter {
  private bytes = 0
  private failure: Error | null = null
  private wake: (() => void) | null = null

  constructor(socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length
      if (chunk.includes(ERROR_BYTE)) this.failure ??= new Error(`the server answered ${chunk.toString('latin1').slice(0, 200)}`)
      this.wake?.()
    })
    socket.on('error', (error) => this.fail(error))
    socket.on('close', () => this.fail(new Error('the server closed the connection')))
  }

  async reached(replies: number): Promise<void> {
    while (this.bytes < replies * OK_BYTES) {
      if (this.failure !== null) throw this.failure
      await new Promise<void>((resolve) => (this.wake = resolve))
    }
    if (this.failure !== null) throw this.failure
  }

  private fail(error: Error): void {
    this.failure ??= error
    this.wake?.()
  }
}
