import { assert } from '../base/assert.js'
import type { Call } from '../commands/call.js'
import { CommandError } from '../commands/command-error.js'
import type { Command } from '../commands/command-table.js'
import type { Session } from '../commands/session.js'
import type { Keyspace } from '../keyspace/keyspace.js'
import { ReplyWriter } from '../resp/reply-writer.js'
import type { Request } from '../resp/request.js'
import type { BlockedClient, BlockedClients } from './blocked-clients.js'
import type { CommandAccounts } from './command-accounts.js'
import type { CommandTimer } from './command-timer.js'
import type { Migration } from './migrations.js'

/** What commands that run late need of the engine. */
export interface LateCommandHost {
  /** Sets the time. */
  beginBatch(): void
  /** Runs a request as if it came now. */
  execute(session: Session, request: Request, reply: ReplyWriter): void
  /** Why a command that has waited may not go on now, as an error reply, or null. */
  refusalOf(command: Command): string | null
  /** Ends the op that was written, if there is one: it is this client's. */
  endOpOf(session: Session): void
  /** A command has gone on in slices, or will. */
  handedOn(): void
  /** A command has run. */
  ran(): void
}

/** Runs commands when what they waited for is there, outside of the batch in which they came, and sends their replies. */
export class LateCommands {
  /** Of commands that had been held back. */
  private readonly lateReply = new ReplyWriter()
  /** Of commands that were blocked. */
  private readonly servedReply = new ReplyWriter()

  constructor(
    private readonly keyspace: Keyspace,
    private readonly call: Call,
    private readonly timer: CommandTimer,
    private readonly accounts: CommandAccounts,
    private readonly blocking: BlockedClients,
    private readonly host: LateCommandHost,
  ) {}

  /** Runs a command that was held back before it had begun. */
  resume(session: Session, request: Request): void {
    const postponed = session.blocked
    const { lateReply } = this
    session.blocked = null
    lateReply.reset()
    lateReply.protocol = session.protocol
    this.host.beginBatch()
    this.host.execute(session, request, lateReply)
    if (session.blocked !== null) return
    const bytes = lateReply.take()
    // As the reply of a command that was blocked, so that CLIENT REPLY OFF applies to it.
    session.blocked = postponed
    session.deliver((reply) => reply.raw(bytes))
    session.blocked = null
    session.unblocked()
  }

  /** Runs a command again that waits for keys. It is an op of its own, and a write of the client that sent it. */
  tryAgain(client: BlockedClient): void {
    const { call, servedReply, host, timer, accounts } = this
    const { session, request, spec } = client
    this.enter(session, request, spec)
    let served = true
    let failed = false
    try {
      const refusal = host.refusalOf(spec)
      if (refusal !== null) throw new CommandError(refusal)
      served = client.wait.retry(call)
      if (client.isPutOff || session.blocked !== client) {
        client.microseconds += timer.lap()
        host.handedOn()
        return
      }
      if (!served) this.blocking.arm(client, call)
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      failed = true
      accounts.countError(error.message)
      servedReply.reset()
      servedReply.error(error.message)
    }
    assert(served === servedReply.length > 0, 'a blocked command replies when it is served, and only then')
    client.microseconds += timer.lap()
    host.endOpOf(session)
    if (served) {
      if (failed) spec.failedCalls++
      accounts.countCall(spec, session, request, client.microseconds)
      const bytes = servedReply.take()
      this.blocking.end(client, (reply) => reply.raw(bytes))
    }
    host.ran()
  }

  /** A command that waited for keys has ended: time up, CLIENT UNBLOCK. */
  blockedEnded({ spec, session, request, microseconds }: BlockedClient, error: string | null): void {
    if (error !== null) this.accounts.countFailure(spec, error)
    this.accounts.countCall(spec, session, request, microseconds)
  }

  /** Runs a part of a MIGRATE, whose op is its own; gives what it has replied. */
  runMigration(migration: Migration, part: (call: Call) => void): Buffer {
    const { session, request, spec } = migration
    this.host.beginBatch()
    this.enter(session, request, spec)
    part(this.call)
    migration.microseconds += this.timer.lap()
    this.host.endOpOf(session)
    return this.servedReply.take()
  }

  private enter(session: Session, request: Request, spec: Command): void {
    const { servedReply } = this
    servedReply.reset()
    servedReply.protocol = session.protocol
    this.keyspace.beginCommand()
    this.call.begin(session, request, servedReply, spec.spec)
  }
}
