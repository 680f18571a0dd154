import { assert } from '../base/assert.js'
import { latin1 } from '../base/bytes.js'
import { LIMITS } from '../base/limits.js'
import type { Call } from '../commands/call.js'
import { CommandError } from '../commands/command-error.js'
import type { Command } from '../commands/command-table.js'
import type { KeyBlocking, KeyWait } from '../commands/services.js'
import type { BlockedState, Session } from '../commands/session.js'
import { KeyType } from '../keyspace/database.js'
import type { KeyObserver, Keyspace } from '../keyspace/keyspace.js'
import type { Clock, Timer } from '../ports/clock.js'
import type { ReplyWriter } from '../resp/reply-writer.js'
import type { Request } from '../resp/request.js'

/** What the queue needs of the engine. */
export interface BlockedClientHost {
  /** Runs a blocked command again, as an op of its own. It has ended when it has replied, or goes on in slices; else it waits on, which isPutOff says more of. */
  tryAgain(client: BlockedClient): void
  /** The client must go on waiting although its key may be ready: clients are paused. */
  isHeld(client: BlockedClient): boolean
  /** Goes on serving, in a turn of its own. */
  serveSoon(): void
  /** A blocked command has ended without being tried again. Null: with a reply that is no error. */
  ended(client: BlockedClient, error: string | null): void
  commandOf(request: Request): Command
}

/** Counters of blocked keys by a cheap hash: most changed keys are found at once to interest nobody. A power of two. */
const INTEREST_SLOTS = 4096

/**
 * Clients that wait for keys: BLPOP and its kin. A key that changes, by whomever, is noted as ready while the command, transaction or remote
 * frame runs; afterwards the engine has the clients that wait for it tried again, the one that has waited longest first:
 *
 *   keyChanged -> ready ----> serve: key by key, client by client ----> replied: ended
 *                   ^                    |      |
 *                   |                    |      +--> nothing there for it: waits on, in its place
 *                   +-- BLMOVE pushed ---+      +--> much is there for it: a long write now, no blocked client any more
 *                   |                           |
 *                   +-- another one is over ----+--> but another one is under way: waits on, and its keys wait for it
 *
 * Whether a client is served is for its command to say, which looks at its keys in the order of its arguments, as when it was sent first.
 */
export class BlockedClients implements KeyObserver, KeyBlocking {
  /** By 'db:key' in latin1. */
  private readonly keys = new Map<string, BlockedKey>()
  private readonly interest = new Uint32Array(INTEREST_SLOTS)
  /** In the order in which they became ready. */
  private ready: BlockedKey[] = []
  /** Ready keys whose clients are held back by a pause, or by a long write. */
  private held: BlockedKey[] = []
  /** Keys being served; the first may have begun. */
  private runs: { readonly key: BlockedKey; readonly clients: readonly BlockedClient[]; next: number }[] = []
  private serving = false
  /** Entries in all keys' lists. */
  private entries = 0
  clientCount = 0
  timedClientCount = 0
  keyCountWhenGone = 0

  constructor(
    private readonly keyspace: Keyspace,
    private readonly clock: Clock,
    private readonly host: BlockedClientHost,
    /** Told when changes begin and cease to be of interest. */
    private readonly onInterest: (interested: boolean) => void,
  ) {}

  get keyCount(): number {
    return this.keys.size
  }

  /** There is something to serve. */
  get hasReady(): boolean {
    return this.ready.length > 0 || this.runs.length > 0
  }

  block(call: Call, wait: KeyWait): void {
    const { session, request } = call
    const { firstKey, keyCount } = wait
    assert(session.blocked === null, 'a blocked session runs a command')
    assert(firstKey > 0 && keyCount > 0 && firstKey + keyCount <= request.argc, 'keys to wait for are no arguments')
    if (keyCount > LIMITS.blockingKeys)
      throw new CommandError(`ERR a client can wait for at most ${LIMITS.blockingKeys} keys at once`)
    if (this.entries + keyCount > LIMITS.blockedEntries) throw new CommandError('ERR too many clients wait for keys')
    const client = new BlockedClient(session, request.copy(), this.host.commandOf(request), wait, this)
    session.blocked = client
    for (let i = firstKey; i < firstKey + keyCount; i++) this.add(client, i)
    this.clientCount++
    this.onInterest(true)
    if (wait.timeoutMs > 0) {
      this.timedClientCount++
      client.timer = this.clock.setTimer(wait.timeoutMs, () => client.timeOut())
    }
    this.arm(client, call)
  }

  /** The client waits on: sets when it is to be tried again though no key changes. */
  arm(client: BlockedClient, call: Call): void {
    client.retryTimer?.cancel()
    client.retryTimer = null
    const delayMs = client.wait.retryAfterMs?.(call) ?? null
    if (delayMs === null) return
    client.retryTimer = this.clock.setTimer(delayMs, () => {
      client.retryTimer = null
      for (const key of client.keys) this.makeReady(key)
      this.host.serveSoon()
    })
  }

  keyChanged(database: number, buf: Uint8Array, off: number, len: number): void {
    if (this.interest[interestSlot(buf, off, len)] === 0) return
    const key = this.keys.get(nameOf(database, buf, off, len))
    if (key !== undefined) this.makeReady(key)
  }

  /** Nothing will be there for anyone, which only some want to know. */
  databaseFlushing(database: number): void {
    for (const key of this.keys.values()) if (key.database === database && key.whenGone > 0) this.makeReady(key)
  }

  /** Other data are here now: there may be something for anybody, or nothing for those who want to know that. */
  dataReplaced(): void {
    for (const key of this.keys.values()) this.makeReady(key)
    this.host.serveSoon()
  }

  /** Serves who can be served. Only between commands. The caller has set the time. */
  serve(): void {
    if (this.serving) return
    this.serving = true
    let tries: number = LIMITS.blockedTries
    for (;;) {
      if (this.runs.length === 0) {
        if (this.ready.length === 0) break
        for (const key of this.ready) {
          key.isReady = false
          this.runs.push({ key, clients: [...key.clients], next: 0 })
        }
        this.ready = []
      }
      const run = this.runs[0]
      tries = this.serveKey(run, tries)
      if (run.next === run.clients.length) this.runs.shift()
      if (tries === 0) break
    }
    this.serving = false
    if (this.hasReady) this.host.serveSoon()
  }

  /** A pause is over, or a long write: who could have been served meanwhile is served first. */
  release(): void {
    for (const key of this.held) if (key.clients.size > 0) this.makeReady(key)
    this.held = []
  }

  /** Ends a client's waiting. Null: it has gone. */
  end(client: BlockedClient, write: ((reply: ReplyWriter) => void) | null): void {
    if (client.hasEnded) return
    client.hasEnded = true
    client.timer?.cancel()
    client.retryTimer?.cancel()
    this.clientCount--
    if (client.wait.timeoutMs > 0) this.timedClientCount--
    for (const key of client.keys) this.take(client, key)
    if (this.keys.size === 0) this.onInterest(false)
    const { session } = client
    // The session counts as blocked while the reply is delivered, so that CLIENT REPLY OFF applies to it.
    if (write !== null) session.deliver(write)
    session.blocked = null
    if (write !== null) session.unblocked()
  }

  /** See BlockedState; the client's command has not been tried again. */
  endUnserved(client: BlockedClient, error: string | null): void {
    if (client.hasEnded) return
    this.host.ended(client, error)
    this.end(client, (reply) => {
      if (error !== null) reply.error(error)
      else if (client.wait.timedOut === undefined) reply.nullArray()
      else client.wait.timedOut(reply)
    })
  }

  /** Tries the clients of one key; returns how many tries are left. */
  private serveKey(
    run: { readonly key: BlockedKey; readonly clients: readonly BlockedClient[]; next: number },
    tries: number,
  ): number {
    const { key, clients } = run
    let left = tries
    while (run.next < clients.length && left > 0) {
      const type = this.typeOf(key)
      if (type === KeyType.none && key.whenGone === 0) {
        run.next = clients.length
        break
      }
      const client = clients[run.next++]
      if (client.hasEnded || (type !== client.wait.type && client.wait.alsoWhenGone !== true)) continue
      if (this.host.isHeld(client)) {
        this.hold(key)
        continue
      }
      left--
      client.isPutOff = false
      this.host.tryAgain(client)
      if (client.isPutOff) this.hold(key)
    }
    return left
  }

  private hold(key: BlockedKey): void {
    if (this.held.at(-1) !== key) this.held.push(key)
  }

  private typeOf(key: BlockedKey): number {
    const { keyspace } = this
    const db = keyspace.peek(key.database)
    if (db === undefined) return KeyType.none
    keyspace.beginCommand()
    const ref = keyspace.find(db, key.bytes, 0, key.bytes.length)
    return ref === 0 ? KeyType.none : db.type(ref)
  }

  private makeReady(key: BlockedKey): void {
    if (key.isReady) return
    key.isReady = true
    this.ready.push(key)
  }

  private add(client: BlockedClient, i: number): void {
    const { session, request, wait } = client
    const off = request.off[i]
    const len = request.len[i]
    const name = nameOf(session.database, request.buf, off, len)
    let key = this.keys.get(name)
    if (key === undefined) {
      key = new BlockedKey(name, session.database, request.buf.slice(off, off + len))
      this.keys.set(name, key)
      this.interest[interestSlot(key.bytes, 0, len)]++
    }
    // A key given twice is waited for once.
    if (key.clients.has(client)) return
    key.clients.add(client)
    client.keys.push(key)
    this.entries++
    if (wait.alsoWhenGone === true && key.whenGone++ === 0) this.keyCountWhenGone++
  }

  private take(client: BlockedClient, key: BlockedKey): void {
    key.clients.delete(client)
    this.entries--
    if (client.wait.alsoWhenGone === true && --key.whenGone === 0) this.keyCountWhenGone--
    if (key.clients.size > 0) return
    this.keys.delete(key.name)
    this.interest[interestSlot(key.bytes, 0, key.bytes.length)]--
  }
}

/** A key that clients wait for. */
class BlockedKey {
  /** In the order in which they began to wait. */
  readonly clients = new Set<BlockedClient>()
  /** It is among the ready ones. */
  isReady = false
  /** Clients that are also to be tried when it goes. */
  whenGone = 0

  constructor(
    readonly name: string,
    readonly database: number,
    readonly bytes: Uint8Array,
  ) {}
}

/** A client whose command waits for keys. */
export class BlockedClient implements BlockedState {
  readonly keys: BlockedKey[] = []
  timer: Timer | null = null
  /** See KeyWait.retryAfterMs. */
  retryTimer: Timer | null = null
  hasEnded = false
  /** Its command is long, and cannot begin before another one is over. */
  isPutOff = false
  /** Time that the command took so far, waiting not included. */
  microseconds = 0

  constructor(
    readonly session: Session,
    /** A copy. */
    readonly request: Request,
    readonly spec: Command,
    readonly wait: KeyWait,
    private readonly queue: BlockedClients,
  ) {}

  get command(): string {
    return this.spec.fullName
  }

  timeOut(): void {
    this.queue.endUnserved(this, null)
  }

  fail(message: string): void {
    this.queue.endUnserved(this, message)
  }

  cancel(): void {
    this.queue.end(this, null)
  }
}

function nameOf(database: number, buf: Uint8Array, off: number, len: number): string {
  return `${database}:${latin1(buf, off, len)}`
}

/** From the length and three bytes: good enough to leave out most keys, and cheaper than any hash of all bytes. */
function interestSlot(buf: Uint8Array, off: number, len: number): number {
  if (len === 0) return 0
  const mixed = len * 0x9e3779b1 + buf[off] * 0x85ebca6b + buf[off + (len >> 1)] * 0xc2b2ae35 + buf[off + len - 1] * 0x27d4eb2f
  return (mixed >>> 12) & (INTEREST_SLOTS - 1)
}
