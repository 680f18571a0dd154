import { connect, type Socket } from 'node:net'
import { CommandTable } from '../../src/commands/command-table.js'
import { ALL_COMMANDS } from '../../src/commands/registry.js'
import { EngineHarness, ManualClock } from '../support/engine-harness.js'
import { readReply, type Reply } from './reply-tree.js'
import { encodeCommand, printCommand, type CommandLine, type Sequence, type Step } from './sequence.js'

/** A reply with the bytes that it stands in. */
export interface Answer {
  readonly bytes: Buffer
  readonly reply: Reply
}

/** A connection to an empty server. */
export interface Conversation {
  /** Sends the commands as one pipeline. One answer a command; fewer when the connection was closed. */
  ask(commands: readonly CommandLine[]): Promise<Answer[]>
  close(): void
}

/** Something that sequences are run on: each on an empty database, over a connection of its own. */
export interface Target {
  readonly name: string
  open(protocol: 2 | 3): Promise<Conversation>
  supports(command: string): boolean
  close(): Promise<void>
}

/** Runs a sequence. One answer a command; fewer when the connection was closed. */
export async function run(conversation: Conversation, sequence: Sequence): Promise<Answer[]> {
  const answers: Answer[] = []
  for (const [i, commands] of batches(sequence.steps).entries()) {
    if (i > 0) await pause()
    const got = await conversation.ask(commands)
    answers.push(...got)
    if (got.length < commands.length) break
  }
  return answers
}

const ANSWER_MS = 10_000

function prologue(protocol: 2 | 3): CommandLine[] {
  return [...(protocol === 3 ? [['HELLO', '3']] : []), ['FLUSHALL'], ['SELECT', '0']]
}

/** Longer than any expiry that a sequence waits for. */
const PAUSE_MS = 12

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
}

/** A server at host:port. */
export class SocketTarget implements Target {
  constructor(
    readonly name: string,
    private readonly host: string,
    readonly port: number,
  ) {}

  supports(): boolean {
    return true
  }

  async open(protocol: 2 | 3): Promise<Conversation> {
    const connection = await Connection.open(this.host, this.port)
    await connection.ask(prologue(protocol))
    return connection
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

/** What goes out as one pipeline each; there is a pause between them. */
function batches(steps: readonly Step[]): CommandLine[][] {
  const result: CommandLine[][] = [[]]
  for (const { commands, later } of steps) {
    result[result.length - 1].push(...commands)
    if (later !== undefined) result.push([...later])
  }
  return result.filter((commands) => commands.length > 0)
}

class Connection implements Conversation {
  private input: Buffer = Buffer.alloc(0)
  private closed = false
  private wake: () => void = () => undefined

  private constructor(private readonly socket: Socket) {
    socket.on('data', (bytes) => {
      this.input = Buffer.concat([this.input, bytes])
      this.wake()
    })
    const ended = () => {
      this.closed = true
      this.wake()
    }
    socket.on('close', ended)
    socket.on('error', ended)
  }

  static open(host: string, port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true }, () => resolve(new Connection(socket)))
      socket.once('error', reject)
    })
  }

  async ask(commands: readonly CommandLine[]): Promise<Answer[]> {
    if (commands.length === 0) return []
    this.socket.write(Buffer.concat(commands.map(encodeCommand)))
    const answers: Answer[] = []
    const deadline = Date.now() + ANSWER_MS
    while (answers.length < commands.length) {
      const reply = this.input.length === 0 ? null : readReply(this.input, 0)
      if (reply !== null) {
        answers.push({ bytes: this.input, reply })
        this.input = this.input.subarray(reply.end)
      } else if (this.closed) {
        break
      } else {
        if (Date.now() > deadline)
          throw new Error(`no answer to command ${answers.length + 1} of a pipeline within ${ANSWER_MS} ms`)
        await this.moreInput()
      }
    }
    return answers
  }

  close(): void {
    this.socket.destroy()
  }

  private moreInput(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ANSWER_MS)
      this.wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

/** One region in this process, without sockets, at the real time. */
export class InProcessTarget implements Target {
  readonly name = 'meridian'
  private readonly table = new CommandTable(ALL_COMMANDS)

  supports(command: string): boolean {
    return this.table.find(command) !== undefined
  }

  open(protocol: 2 | 3): Promise<Conversation> {
    const clock = new ManualClock()
    clock.now = Date.now()
    const harness = new EngineHarness({}, clock)
    harness.session.protocol = protocol
    const answer = (command: CommandLine): Answer => {
      clock.advance(Math.max(0, Date.now() - clock.now))
      const bytes = Buffer.from(harness.raw(command.map((arg) => Buffer.from(arg, 'latin1'))), 'latin1')
      const reply = readReply(bytes, 0)
      if (reply === null || reply.end !== bytes.length)
        throw new Error(`not one reply to ${printCommand(command)}: ${JSON.stringify(bytes.toString('latin1'))}`)
      return { bytes, reply }
    }
    return Promise.resolve({
      ask: (commands) => Promise.resolve(commands.map(answer)),
      close: () => harness.engine.stop(),
    })
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
