import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import RedisParser from 'redis-parser'
import { MeridianError } from '../base/errors.js'

/** Where a server takes clients, and how to get in. */
export interface RedisAddress {
  readonly host: string
  readonly port: number
  /** Missing: the default user. */
  readonly username?: string | undefined
  /** Empty or missing: no AUTH is sent. */
  readonly password?: string | undefined
  readonly tls?: RedisTls | undefined
}

/** PEM texts; without a CA the system's are trusted. */
export interface RedisTls {
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
}

export type Reply = string | number | null | readonly Reply[]

/** The server understood and said no. */
export class ReplyError extends Error {
  override readonly name = 'ReplyError'
}

interface Waiter {
  resolve(reply: Reply): void
  reject(error: Error): void
}

/**
 * A small client for the command line: one connection, replies in order, every command under one deadline. A command that
 * misses its deadline closes the connection, because replies that come later would belong to nobody.
 */
export class RedisClient {
  private readonly waiting: Waiter[] = []
  private closedBy: Error | null = null

  private constructor(
    readonly address: RedisAddress,
    private readonly socket: Socket,
    private readonly timeoutMs: number,
  ) {
    const parser = new RedisParser({
      returnReply: (reply: Reply) => this.waiting.shift()?.resolve(reply),
      returnError: (error: Error) => this.waiting.shift()?.reject(new ReplyError(error.message)),
      returnFatalError: (error: Error) => this.fail(error),
    })
    socket.setNoDelay(true)
    socket.on('data', (bytes: Buffer) => parser.execute(bytes))
    socket.on('error', (error) => this.fail(error))
    socket.on('close', () => this.fail(new Error('the server closed the connection')))
  }

  /** Connects, and authenticates if there is a password. @throws MeridianError MRD_UNREACHABLE, or ReplyError from AUTH. */
  static async connect(address: RedisAddress, timeoutMs: number): Promise<RedisClient> {
    const socket = await openSocket(address, timeoutMs)
    const client = new RedisClient(address, socket, timeoutMs)
    try {
      if (address.password) await client.command('AUTH', ...credentials(address))
      return client
    } catch (error) {
      client.close()
      throw error
    }
  }

  /** @throws ReplyError when the server answers with an error; MeridianError MRD_UNREACHABLE when it does not answer. */
  async command(...args: readonly string[]): Promise<Reply> {
    if (this.closedBy) throw unreachable(this.address, this.closedBy)
    let deadline: NodeJS.Timeout | undefined
    try {
      return await new Promise<Reply>((resolve, reject) => {
        this.waiting.push({ resolve, reject })
        deadline = setTimeout(() => this.fail(new Error(`no reply within ${this.timeoutMs} ms`)), this.timeoutMs)
        this.socket.write(encodeCommand(args))
      })
    } catch (error) {
      throw error instanceof ReplyError ? error : unreachable(this.address, error)
    } finally {
      clearTimeout(deadline)
    }
  }

  /** As command, for commands that answer with text. */
  async text(...args: readonly string[]): Promise<string> {
    const reply = await this.command(...args)
    return typeof reply === 'string' ? reply : JSON.stringify(reply)
  }

  /**
   * Why the server takes no writes yet, although it may serve reads: its LOADING error. Null when it takes them, or refuses them for another
   * reason, which waiting does not end. Asked with a write that changes nothing.
   */
  async loadingError(): Promise<string | null> {
    try {
      await this.command('SETRANGE', 'meridian:probe', '0', '')
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error
      if (error.message.startsWith('LOADING')) return error.message
    }
    return null
  }

  close(): void {
    this.fail(new Error('the client was closed'))
  }

  private fail(error: Error): void {
    this.closedBy ??= error
    this.socket.destroy()
    for (const waiter of this.waiting.splice(0)) waiter.reject(error)
  }
}

/** What follows AUTH. */
export function credentials({ username, password = '' }: RedisAddress): string[] {
  return username === undefined ? [password] : [username, password]
}

/** @throws MeridianError MRD_UNREACHABLE */
export function openSocket(address: RedisAddress, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const { host, port, tls } = address
    const socket = tls
      ? connectTls({ host, port, servername: isIpAddress(host) ? '' : host, ...tls })
      : connectTcp({ host, port })
    const deadline = setTimeout(() => socket.destroy(new Error(`no connection within ${timeoutMs} ms`)), timeoutMs)
    const onError = (error: Error): void => {
      clearTimeout(deadline)
      reject(unreachable(address, error))
    }
    socket.once('error', onError)
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      clearTimeout(deadline)
      socket.off('error', onError)
      resolve(socket)
    })
  })
}

/** A TLS server name must be a name; addresses are checked against the certificate all the same. */
function isIpAddress(host: string): boolean {
  return /^[\d.]+$|:/.test(host)
}

function encodeCommand(args: readonly string[]): string {
  return `*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join('')}`
}

export function unreachable(address: RedisAddress, cause: unknown): MeridianError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new MeridianError(
    'MRD_UNREACHABLE',
    `${address.host}:${address.port} does not answer: ${reason}`,
    'Check that the server runs, the address is right and nothing in between blocks it.',
    { cause },
  )
}

/** A server understood and said no, where nothing else was to be expected. */
export function refused(address: RedisAddress, command: string, error: Error): MeridianError {
  return new MeridianError(
    'MRD_REFUSED',
    `${address.host}:${address.port} refuses ${command}: ${error.message}`,
    'The words are those of the server; mend what they say and run this again.',
    { cause: error },
  )
}
