import { createHash } from 'node:crypto'
import { ALL_COMMANDS } from '../../src/commands/registry.js'
import type { VersionVector } from '../../src/crdt/version-vector.js'
import { visibleExpiry, visibleText } from '../../src/crdt/string-state.js'
import { KeyType, SHARD_COUNT } from '../../src/keyspace/database.js'
import type { Member } from '../../src/node/member.js'
import { ReplyWriter } from '../../src/resp/reply-writer.js'
import { Request } from '../../src/resp/request.js'
import { EmbeddedMember } from '../support/embedded-member.js'
import { EffectSession } from './effect-session.js'
import { decodeFrame } from './frame-decoder.js'
import { latin1, replyText } from './reply.js'
import type { MemberEnvironment, MemberKind, SimulatedMember, SimulatedSession } from './simulated-member.js'

/** How commands reach the member: through its own command table, or by the simulator's model of them, on its effects. */
export type CommandPath = 'commands' | 'effects'

/** The product's member under simulation. */
export class MeridianMember implements SimulatedMember {
  readonly member: Member
  private readonly embedded: EmbeddedMember

  constructor(
    private readonly environment: MemberEnvironment,
    private readonly path: CommandPath,
  ) {
    const { topology, dataFolder, databases, appendfsync, clock, random, disk, network, logger } = environment
    this.embedded = new EmbeddedMember({ topology, dataFolder, databases, appendfsync }, { clock, random, disk, network, logger })
    this.member = this.embedded.member
    const { log } = this.member
    const append = log.append.bind(log)
    log.append = (frame) => {
      environment.onFrame(frame.copy().bytes)
      return append(frame)
    }
  }

  get applied(): VersionVector {
    return this.member.applied
  }

  get durable(): VersionVector {
    return this.member.durable
  }

  newSession(): SimulatedSession {
    const { engine } = this.member
    if (this.path === 'effects') {
      const endOp = (): void => void engine.effects.endOp()
      const refused = (): boolean => this.member.log.refusal !== null
      return new EffectSession(
        engine,
        () => this.environment.clock.wallMs(),
        endOp,
        (db) => this.size(db),
        refused,
      )
    }
    const session = this.embedded.newSession()
    return {
      call: (args) => {
        const reply = new ReplyWriter()
        engine.beginBatch()
        engine.execute(session, Request.of(args), reply)
        return replyText(reply.take().toString('latin1'))
      },
    }
  }

  /** Over everything that is stored, also keys that are due. */
  digest(): string {
    const { keyspace, strings } = this.member.engine
    const lines: string[] = []
    for (let database = 0; database < keyspace.databaseCount; database++) {
      const db = keyspace.peek(database)
      if (db === undefined) continue
      for (let shard = 0; shard < SHARD_COUNT; shard++) {
        for (let i = db.shardCount(shard) - 1; i >= 0; i--) {
          const ref = db.recordAt(shard, i)
          if (db.type(ref) === KeyType.none) continue
          const state = strings.load(db, ref)
          lines.push(`${database}:${latin1(db.key(ref))}=${latin1(visibleText(state)!)}@${visibleExpiry(state)?.at ?? Infinity}`)
        }
      }
    }
    return createHash('sha1').update(lines.sort().join('\n'), 'latin1').digest('hex')
  }

  endTurn(): void {
    this.member.engine.endTurn()
  }

  stop(): void {
    this.member.stop()
  }

  private size(database: number): number {
    const db = this.member.engine.keyspace.peek(database)
    let count = 0
    for (let shard = 0; db !== undefined && shard < SHARD_COUNT; shard++) {
      for (let i = db.shardCount(shard) - 1; i >= 0; i--) if (db.type(db.recordAt(shard, i)) !== KeyType.none) count++
    }
    return count
  }
}

/** Until the product has the commands of the workload, the simulator's model stands in for them. */
export function defaultCommandPath(): CommandPath {
  const names = new Set(ALL_COMMANDS.map((spec) => spec.name))
  return ['set', 'get', 'incrbyfloat', 'bitfield', 'pexpireat', 'copy', 'flushdb', 'dbsize', 'select'].every((name) =>
    names.has(name),
  )
    ? 'commands'
    : 'effects'
}

export function meridianMemberKind(path: CommandPath = defaultCommandPath()): MemberKind {
  return { start: (environment) => new MeridianMember(environment, path), decode: decodeFrame }
}
