import type { EvictionPolicy } from '../../src/base/eviction-policies.js'
import { CommandTable } from '../../src/commands/command-table.js'
import { ALL_COMMANDS } from '../../src/commands/registry.js'
import type { VersionVector } from '../../src/crdt/version-vector.js'
import { digestOf } from '../../src/keyspace/digest.js'
import type { Member } from '../../src/node/member.js'
import type { SnapshotHost } from '../../src/node/snapshotter.js'
import { Session } from '../../src/commands/session.js'
import type { Clock } from '../../src/ports/clock.js'
import type { Disk } from '../../src/ports/disk.js'
import { ReplyWriter } from '../../src/resp/reply-writer.js'
import { Request } from '../../src/resp/request.js'
import { EmbeddedMember } from '../support/embedded-member.js'
import { decodeFrame } from './frame-decoder.js'
import { MeridianBackup } from './meridian-backup.js'
import { field } from './planting.js'
import { SimulationFailure } from './failure.js'
import { parseReply, type Reply } from './reply.js'
import type {
  Counted,
  LastWrite,
  MemberEnvironment,
  MemberKind,
  SimulatedMember,
  SimulatedSession,
  TransferListener,
} from './simulated-member.js'

/** Time stands still in a turn, so it ends after so many steps. */
const SLICING = { readElements: Infinity, writeElements: 2, frameBytes: 150, turnSteps: 1, stepBytes: 60 }
/** All transactions go in slices, or most of them only when they come to a command that is long by itself. */
const TRANSACTION_COMMANDS = [1, 3]
const TABLE = new CommandTable(ALL_COMMANDS)
/** What may begin a long write, which waits for all that is under way. */
const MAY_BE_LONG = /^(COPY|DEL|MOVE|MSET|MSETNX|RENAME|RENAMENX|RESTORE|SORT|SPOP|UNLINK|XADD|XTRIM|.*STORE|ZREMRANGE.*)$/
/** Commands of many keys, of which nobody may see half. */
const MANY_KEYS = /^(DEL|MSET|MSETNX)$/

/** Keeps the reply of a command that took several turns. */
class LateSession extends Session {
  late = ''

  override deliver(write: (reply: ReplyWriter) => void): void {
    const reply = new ReplyWriter()
    reply.protocol = this.protocol
    write(reply)
    this.late += reply.take().toString('latin1')
  }
}

/** Takes the reply of a command that is answered when something is on the disk. */
class TellingSession extends Session {
  constructor(
    id: number,
    private readonly tell: (reply: Reply) => void,
  ) {
    super(id)
  }

  override deliver(write: (reply: ReplyWriter) => void): void {
    const reply = new ReplyWriter()
    write(reply)
    this.tell(parseReply(reply.take().toString('latin1')))
  }
}

/** What the reply to a removal says. */
function lastWritesOf(reply: Reply): readonly LastWrite[] | null {
  if (typeof reply === 'string') return null
  const known = reply[reply.indexOf('$last-write-ms') + 1]
  if (typeof known === 'string') return null
  return known.map((entry) => ({ name: String(entry[0]).slice(1), ms: Number(String(entry[1]).slice(1)) }))
}

/** The product's member under simulation. */
export class MeridianMember implements SimulatedMember {
  readonly member: Member
  private readonly embedded: EmbeddedMember
  private nextSession = 1
  /** Whatever is asked of it may evict keys. */
  private isBound = false
  private frozenAt: VersionVector | null = null

  constructor(environment: MemberEnvironment) {
    const {
      name,
      topology,
      dataFolder,
      databases,
      appendfsync,
      startWaitMs,
      sliced,
      keeping,
      clock,
      random,
      disk,
      network,
      logger,
    } = environment
    const draw = random.uint32()
    const pauseMs = [1, 5, 30, 150][draw & 3]
    const slicing = { ...SLICING, transactionCommands: TRANSACTION_COMMANDS[(draw >>> 2) & 1] }
    // A key a turn, so that much happens between the first and the last; and small segments, so that they end and go. Where pauses are long, shards without
    // keys take no time, or it would never end.
    const skips = pauseMs > 5 ? { turnMs: 1, turnBytes: 1 } : { turnMs: 0, turnBytes: Infinity }
    const snapshotPace = { stepBytes: 1, ...skips, sectionBytes: 100, pauseMs }
    this.embedded = new EmbeddedMember(
      {
        name,
        topology,
        dataFolder,
        databases,
        appendfsync,
        startWaitMs,
        segmentBytes: keeping?.segmentBytes ?? 4096,
        snapshotPace,
        ...(sliced && { slicing }),
      },
      { clock, random, disk, network, logger },
    )
    this.member = this.embedded.member
    if (keeping === null) this.member.keeping.backlogBytes = Infinity
    else Object.assign(this.member.keeping, keeping)
    this.tell(environment.transfers)
    this.watchSnapshots()
    const { log } = this.member
    const append = log.append.bind(log)
    log.append = (frame) => {
      environment.onFrame(frame.copy().bytes)
      return append(frame)
    }
    const appendInPieces = log.appendInPieces.bind(log)
    log.appendInPieces = (frame) => {
      environment.onFrame(frame.copy().bytes)
      return appendInPieces(frame)
    }
  }

  /** Says what becomes of transfers, and what of the log goes. */
  private tell(listener: TransferListener): void {
    const { log, intake } = this.member
    const restart = log.restart.bind(log)
    log.restart = (prepared) => {
      restart(prepared)
      listener.taken(prepared.segment.vector)
    }
    const trim = log.trim.bind(log)
    log.trim = (mayGo) =>
      trim((endByte, vector) => {
        const may = mayGo(endByte, vector)
        if (may) listener.trimmed(vector, this.counted)
        else if (this.isBeyondBudget(endByte, vector)) listener.keptTooMuch(vector)
        return may
      })
    if (intake === null) return
    const open = intake.open.bind(intake)
    intake.open = () => {
      open()
      listener.opened()
    }
    const begin = intake.begin.bind(intake)
    intake.begin = (offer) => {
      begin(offer)
      const { memberId, vector, stable } = offer.header
      listener.offered({ giver: memberId, vector, stable, seen: offer.end.seen })
    }
    const endShard = intake.endShard.bind(intake)
    intake.endShard = () => {
      endShard()
      listener.cameShard()
    }
    const finish = intake.finish.bind(intake)
    intake.finish = (done) => {
      listener.finishing()
      finish(done)
    }
  }

  private get counted(): Counted {
    const peers = this.member.sync?.peers() ?? []
    return {
      others: peers.map(({ member }) => member.id),
      staying: peers.filter(({ member }) => member.removal === undefined).map(({ member }) => member.id),
      stays: !this.member.isRemoved,
    }
  }

  /** No start needs what of the log comes before a vector, nor does anybody who takes a snapshot; most members have it, and with it there is more than the budget. */
  private isBeyondBudget(endByte: number, vector: VersionVector): boolean {
    const { log, snapshots, sync, keeping } = this.member
    const oldest = snapshots.kept.at(-1)
    const shelf = field(this.member, 'shelf') as { readonly neededFrom: number } | null
    if (oldest === undefined || endByte > Math.min(oldest.position, shelf?.neededFrom ?? Infinity)) return false
    const followed = sync?.followed() ?? { all: [], staying: [] }
    const isHeldBy = (others: readonly VersionVector[], self: number): boolean =>
      2 * (self + others.filter((durable) => durable.dominates(vector)).length) > others.length + self
    const isHeldByMost = isHeldBy(followed.all, 1) && isHeldBy(followed.staying, this.member.isRemoved ? 0 : 1)
    return isHeldByMost && Math.min(oldest.position, shelf?.neededFrom ?? Infinity) - log.firstByte > keeping.backlogBytes
  }

  /** Keeps what was stable when the snapshot that is under way was begun. */
  private watchSnapshots(): void {
    const host = field(this.member.snapshots, 'host') as Pick<SnapshotHost, 'freezeStability' | 'thawStability'>
    const { freezeStability, thawStability } = host
    const watched: typeof host = {
      freezeStability: () => (this.frozenAt = freezeStability()).clone(),
      thawStability: () => {
        this.frozenAt = null
        thawStability()
      },
    }
    Object.assign(host, watched)
  }

  /** A snapshot is under way, and what has become stable since it was begun counts as stable. */
  get foldsOn(): boolean {
    const { frozenAt } = this
    const { stability } = this.member.engine.keyspace
    return frozenAt?.stamps.some((stamp, member) => member > 0 && stability.covers(member, stamp + 1)) === true
  }

  get applied(): VersionVector {
    return this.member.applied
  }

  get durable(): VersionVector {
    return this.member.durable
  }

  get stable(): VersionVector {
    return this.member.stable
  }

  get refusesWrites(): boolean {
    return this.member.membership.writeRefusal !== null || this.member.intake?.isOpen === true
  }

  get isTouched(): boolean {
    return this.member.intake?.isTouched === true
  }

  get extent(): { first: number; second: number; needed: number } {
    const { log, snapshots } = this.member
    const needed = snapshots.kept.at(-1)?.position ?? 0
    return { first: log.firstByte, second: log.segments.at(1)?.startByte ?? Infinity, needed }
  }

  get isTaking(): boolean {
    return this.member.intake?.isOpen === true
  }

  get isForked(): boolean {
    return this.member.membership.ownState === 'forked'
  }

  addMember(name: string): boolean {
    this.topologyCommand(['ADD', name, name, 'z', `${name}:1`], () => undefined)
    return this.member.engine.topology.named(name) !== undefined
  }

  knowsMember(name: string): boolean {
    return this.member.engine.topology.named(name) !== undefined
  }

  knowsAsMember(name: string): boolean {
    const { topology } = this.member.engine
    const entry = topology.named(name)
    return entry !== undefined && topology.stateOf(entry) === 'active'
  }

  removeMember(name: string, forced: boolean, said: (known: readonly LastWrite[]) => void): boolean {
    const { topology } = this.member.engine
    const { version } = topology
    this.topologyCommand(['REMOVE', name, ...(forced ? ['FORCE'] : [])], (reply) => {
      const known = lastWritesOf(reply)
      if (known !== null) said(known)
    })
    return topology.version > version
  }

  /** The reply comes when the change is durable. */
  private topologyCommand(args: readonly string[], tell: (reply: Reply) => void): void {
    const { engine } = this.member
    engine.beginBatch()
    const session = new TellingSession(this.nextSession++, tell)
    engine.execute(session, Request.of(['CRDT.TOPOLOGY', ...args]), new ReplyWriter())
    engine.endTurn()
  }

  newSession(): SimulatedSession {
    const { engine } = this.member
    const session = new LateSession(this.nextSession++)
    return {
      call: (args) => {
        const reply = new ReplyWriter()
        session.late = ''
        engine.beginBatch()
        const onlooker = MANY_KEYS.test(String(args[0])) && !this.isBound ? this.onlooker(session, args.slice(1)) : null
        engine.execute(session, Request.of(args), reply)
        if (session.blocked !== null) {
          if (onlooker !== null) this.finishWatched(session, onlooker)
          engine.longWrites.finish(() => this.disturb())
          onlooker?.check()
        }
        return parseReply(reply.take().toString('latin1') + session.late)
      },
    }
  }

  /** Does what may come between the slices of a transaction: none of it may write, see the middle, or take what is here for a state. */
  private disturb(): void {
    const { engine, log } = this.member
    if (!engine.isInTransaction) return
    const { endByte } = log
    const reply = new ReplyWriter()
    engine.beginBatch()
    const isHeld = [['DBSIZE'], ['GET', 'nothing'], ['EXISTS', 'nothing']].every((args) => {
      const session = new Session(0)
      engine.execute(session, Request.of(args), reply)
      const { blocked } = session
      engine.sessionClosed(session)
      return blocked?.isPostponed === true
    })
    engine.execute(new Session(0), Request.of(['PING']), reply)
    engine.hlc.observe(engine.hlc.last + 1)
    engine.requestSync()
    this.member.noteStability()
    engine.upkeep.settleSome()
    engine.upkeep.removeSeenDue()
    engine.serveReady()
    engine.memory.tick()
    engine.endTurn()
    // Its own frame comes when nothing of it is left to run.
    if (!isHeld || !this.member.isRefusing || (log.endByte > endByte && engine.isInTransaction))
      throw new SimulationFailure('something came into the middle of a transaction')
  }

  /** Somebody else who looks at the keys of a command before it, after each of its slices, and after it; what is seen between must be one of the other two. */
  private onlooker({ database }: Session, keys: readonly (string | Uint8Array)[]): { look(): void; check(): void } {
    const { engine } = this.member
    const other = new LateSession(0)
    other.database = database
    const seen: string[] = []
    let waits = false
    const look = (): void => {
      // It has to wait: what it is told then it is told after the command.
      if (waits && other.late === '') return
      other.late = ''
      const reply = new ReplyWriter()
      engine.execute(other, Request.of(['MGET', ...keys]), reply)
      const said = reply.take().toString('latin1')
      waits = said === ''
      if (!waits) seen.push(said)
    }
    look()
    return {
      look,
      check: () => {
        if (other.late !== '') seen.push(other.late)
        waits = false
        look()
        const [before, ...between] = seen
        const after = seen.at(-1)
        const half = between.find((each) => each !== before && each !== after)
        if (half !== undefined)
          throw new SimulationFailure(
            `somebody saw half of a command on ${keys.map(String).join(' ')}: ${JSON.stringify(half)}, neither ${JSON.stringify(before)} nor ${JSON.stringify(after)}`,
          )
      },
    }
  }

  /** Goes on slice by slice, as turns of the event loop do, but lets no frames of others in. */
  private finishWatched(session: Session, onlooker: { look(): void }): void {
    const { longWrites } = this.member.engine
    while (session.blocked !== null) {
      longWrites.slice()
      if (session.blocked !== null) onlooker.look()
    }
  }

  makeWay(database: number, commands: readonly (readonly string[])[] | null): void {
    const { engine } = this.member
    const { longWrites } = engine
    const session = new Session(0)
    session.database = database
    // They may be a transaction, which waits for all of it as well.
    const areMany = commands !== null && commands.length > engine.slicing.transactionCommands
    const waits = commands?.some((args) => {
      const request = Request.of(args)
      const command = TABLE.lookup(request)
      return MAY_BE_LONG.test(args[0]) || (command !== undefined && longWrites.holds(command, session, request))
    })
    if ((areMany || waits !== false) && longWrites.isBusy) longWrites.finish()
  }

  digest(): string {
    const { keyspace, strings, keys } = this.member.engine
    return digestOf(keyspace, { strings, keys })
  }

  snapshot(): void {
    const { snapshots, log, intake } = this.member
    if (snapshots.running === null && log.refusal === null && intake?.isOpen !== true) snapshots.begin('save')
  }

  beginBackup(disk: Disk, clock: Clock): MeridianBackup | null {
    return MeridianBackup.begin(this.member.backups, disk, clock)
  }

  boundMemory(bytesTooMuch: number | null, evictionPolicy: EvictionPolicy): void {
    const { memory } = this.member.engine
    this.isBound = bytesTooMuch !== null
    memory.configure({
      maxmemory: bytesTooMuch === null ? 0 : Math.max(1, memory.countedBytes - bytesTooMuch),
      evictionPolicy,
      evictionSamples: 5,
      evictionTenacity: 10,
      lfuLogFactor: 10,
      lfuDecayMinutes: 1,
    })
  }

  get evictions(): number {
    return this.member.engine.statistics.evictedKeys
  }

  endTurn(): void {
    this.member.engine.endTurn()
  }

  stop(): void {
    this.member.stop()
  }
}

export function meridianMemberKind(): MemberKind {
  const names = new Set(ALL_COMMANDS.map(({ name }) => name.toUpperCase()))
  return {
    start: (environment) => new MeridianMember(environment),
    decode: decodeFrame,
    supports: (command) => names.has(command),
  }
}
