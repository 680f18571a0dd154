import { connect, type Socket } from 'node:net'

/** Commands in flight; more would only fill buffers. */
const IN_FLIGHT = 4096
const CHUNK_COMMANDS = 256
const ERROR_BYTE = '-'.charCodeAt(0)

export interface Fill {
  readonly count: number
  /** The command that makes the i-th element. ASCII. */
  command(i: number): readonly string[]
  /** Lines in the reply: 1 for a number or a status, 2 for a bulk string, and so on. */
  readonly replyLines?: number
  /** Lines in the last reply, if they are others: that of EXEC. */
  readonly lastReplyLines?: number
}

/** Sends commands over one connection as fast as the server takes them. @throws when it answers an error. */
export async function writeCommands(port: number, fill: Fill): Promise<void> {
  const { count, replyLines = 1, lastReplyLines = replyLines } = fill
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.once('connect', resolve)
    })
    const replies = new LineCounter(socket)
    for (let sent = 0; sent < count;) {
      const upTo = Math.min(count, sent + CHUNK_COMMANDS)
      const parts: string[] = []
      for (; sent < upTo; sent++) parts.push(encode(fill.command(sent)))
      socket.write(parts.join(''), 'latin1')
      await replies.reached((sent - IN_FLIGHT) * replyLines)
    }
    await replies.reached((count - 1) * replyLines + lastReplyLines)
  } finally {
    socket.destroy()
  }
}

function encode(command: readonly string[]): string {
  let text = `*${command.length}\r\n`
  for (const arg of command) text += `$${arg.length}\r\n${arg}\r\n`
  return text
}

class LineCounter {
  private lines = 0
  private failure: Error | null = null
  private wake: (() => void) | null = null
  private atLineStart = true

  constructor(socket: Socket) {
    socket.on('data', (chunk: Buffer) => this.count(chunk))
    socket.on('error', (error) => this.fail(error))
    socket.on('close', () => this.fail(new Error('the server closed the connection')))
  }

  async reached(lines: number): Promise<void> {
    while (this.lines < lines) {
      if (this.failure !== null) throw this.failure
      await new Promise<void>((resolve) => (this.wake = resolve))
    }
    if (this.failure !== null) throw this.failure
  }

  private count(chunk: Buffer): void {
    for (const byte of chunk) {
      if (this.atLineStart && byte === ERROR_BYTE)
        this.failure ??= new Error(`the server answered ${chunk.toString('latin1').slice(0, 200)}`)
      this.atLineStart = byte === 10
      if (this.atLineStart) this.lines++
    }
    this.wake?.()
  }

  private fail(error: Error): void {
    this.failure ??= error
    this.wake?.()
  }
}
