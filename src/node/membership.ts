import { assert } from '../base/assert.js'
import { MeridianError } from '../base/errors.js'
import { stampToUnixMs, type MemberId, type Stamp } from '../base/ids.js'
import { VersionVector } from '../crdt/version-vector.js'
import type { Engine } from '../engine/engine.js'
import { nextWhole } from '../oplog/op-log.js'
import type { SegmentedLog } from '../oplog/segmented-log.js'
import { duplicateId, isRefused, REJOIN } from '../peer-sync/hello-check.js'
import type { VectorEntry } from '../peer-sync/messages.js'
import type { PeerSync } from '../peer-sync/peer-sync.js'
import type { KnownVectors, MemberInfo, Topology } from '../peer-sync/sync-host.js'
import type { Clock, Timer } from '../ports/clock.js'
import type { Disk } from '../ports/disk.js'
import type { Logger } from '../ports/logger.js'
import type { Random } from '../ports/random.js'
import { doubtOf, type Introduced } from '../topology/introduction.js'
import { decodeTopology, encodeTopology } from '../topology/topology-codec.js'
import type { TopologyChange } from '../topology/topology-change.js'
import type { Dot, TopologyMember } from '../topology/topology-list.js'
import type { TopologyState } from '../topology/topology-state.js'
import type { TopologyService } from '../commands/services.js'
import { isJoining, joiningEnded, topologyPath } from './joining.js'

export interface MembershipOptions {
  /** What the configuration says: the list of a cluster that was never changed. */
  readonly configured: Topology
  readonly dataFolder: string
  /** How long a member that starts waits to hear from another one before it takes writes. */
  readonly startWaitMs: number
  readonly random: Random
}

/**
 * Stamps that a member passes over at random when it takes writes after a start: 256 ms. A clone of it would otherwise give the same stamps to other ops, one by
 * one, as long as both have seen a clock that is ahead of theirs; and then nobody could tell where one history ends and the other begins.
 */
const STAMP_JUMP = 2 ** 20

/** After this an operator is told that only one who cannot be reached has what is waited for. */
const LACKING_NEWS_MS = 10_000

const STRAY =
  'READONLY This member has taken writes of a removed one that the others have done without, when only that one could be reached. `meridian export` what is wanted of it, then start it with an empty data folder'

const CATCHES_UP = 'LOADING This member has taken the state of another one and waits for the writes that it shows already'

/**
 * This member's place among the others: what the list of members says, where it is kept, and whether client writes are taken.
 *
 *   starting --another member has said how far our own ops had got--> active
 *      |  \--it has more of them than we have, or we had told it of more than we have--> restoring --all that others had is here--> active
 *      |  \--nobody heard for startWaitMs--> active (availability comes first; it is logged), but not with an empty log, unless startWaitMs is 0
 *      joining (a new member) --everything that was there when it came is here--> active
 *   active --our removal is applied--> draining --our last op, `leave`--> removed          by force: removed at once
 *   any --another member has ops of ours that we never made, or says that another process has taken our place--> forked
 *
 * The list is in the log as ops, and whole in a file beside it: written when all that it says is durable in the log, so that it never knows of a change that
 * a crash may take back, and no segment of the log is needed to know it. Only those bytes are told to other members.
 */
export class Membership {
  /** All of the topology that is durable; null while nothing was ever changed. */
  bytes: Uint8Array | null = null
  private present: Topology
  private readonly state: TopologyState
  private readonly self: MemberId
  /** Dots of changes that may not be durable yet. */
  private readonly pending = new VersionVector()
  private isDirty = false
  /** Why it could not be written the last time. */
  private persistError = ''
  private log: SegmentedLog | null = null
  private sync: PeerSync | null = null
  /** The last of our own ops that others may have: what the log gave, and what was taken from others since. */
  private safeStamp = 0 as Stamp
  private hasHeard = false
  /** Whoever can be reached has told its list. */
  private hasAsked = false
  private mayWrite = false
  private waitIsOver = false
  private startTimer: Timer | null = null
  private isJoining: boolean
  /** An empty log: everything that the others have is fetched before writes are taken, if anybody is there. */
  private isEmpty = false
  /**
   * The data are from an older copy of the disk. What was durable here once others may call stable: every op that is made from now on must have observed it.
   */
  private isOlder = false
  /** What others had when they were first heard, and what this member once told them that it had. */
  private readonly wanted = new VersionVector()
  private missingUntil = 0 as Stamp
  private fork: MeridianError | null = null
  /** Another process runs as this member; until that was said both may have written. */
  private isFollowed = false
  private refusedBy: string | null = null
  /** It has taken writes of a removed member that the others had done without. */
  private isStray = false
  /** The last op of our own that others were told to be durable here. */
  private toldOwn = 0 as Stamp
  private isLost = false
  /** Nothing is waited for any more but ops of members that were removed by force. */
  private waitsForRemoved = false
  private lackingTimer: Timer | null = null
  private returning = false
  private leaving = false
  private repeating = false
  /** Client writes are taken. Asked by every write, so it is kept. */
  private isOpen = false
  private stopped = false

  constructor(
    private readonly options: MembershipOptions,
    private readonly engine: Engine,
    private readonly clock: Clock,
    private readonly disk: Disk,
    private readonly logger: Logger,
    private readonly onMembers: () => void,
    /** Nothing may be written now. */
    private readonly isHeld: () => boolean,
    /** The data show ops up to here, some of which are still to be applied; or null. */
    private readonly shown: () => VersionVector | null,
  ) {
    const { configured, dataFolder } = options
    this.self = configured.self
    this.state = engine.topology
    this.isJoining = isJoining(disk, dataFolder)
    if (configured.members.length > 0) this.state.seed(configured.members.map(describe))
    const path = topologyPath(dataFolder)
    if (disk.exists(path)) {
      this.bytes = disk.readWhole(path)
      const kept = decodeTopology(this.bytes, path)
      if (!this.state.isPristine || kept.seeds !== this.state.seeds)
        logger.debug({ seeds: kept.seeds }, 'the data folder has its own list of members')
      this.state.merge(kept)
    }
    this.present = this.makeView()
  }

  get topology(): Topology {
    return this.present
  }

  /** The log may know of changes that the file does not have yet: links are made by what both say. */
  recovered(): void {
    this.present = this.makeView()
  }

  /** Recovery is done. */
  start(log: SegmentedLog, sync: PeerSync | null): void {
    this.log = log
    this.sync = sync
    this.safeStamp = this.engine.applied.get(this.self)
    this.isEmpty = this.engine.applied.stamps.every((stamp) => stamp === 0)
    this.present = this.makeView()
    this.state.onChange = (dot) => this.changed(dot)
    this.isDirty = !this.state.isPristine && !sameBytes(this.bytes, encodeTopology(this.state))
    this.warnOfConfiguration()
    this.persist()
    this.waitIsOver = this.options.startWaitMs === 0
    if (sync === null) this.begin()
    else if (!this.waitIsOver) this.startTimer = this.clock.setTimer(this.options.startWaitMs, () => this.waited())
    this.review()
  }

  stop(): void {
    this.stopped = true
    this.startTimer?.cancel()
    this.lackingTimer?.cancel()
  }

  // --- what the state says

  get own(): TopologyMember | undefined {
    return this.state.member(this.self)
  }

  get ownState(): TopologyService['ownState'] {
    if (this.fork !== null) return 'forked'
    const { own } = this
    const state = own === undefined ? 'active' : this.state.stateOf(own)
    if (state === 'left' || state === 'removed' || (this.refusedBy !== null && state === 'active')) return 'removed'
    if (state === 'draining') return 'draining'
    if (this.mayWrite) return 'active'
    if (this.isOlder) return 'restoring'
    return this.isJoining || (this.isEmpty && this.hasHeard) ? 'joining' : 'starting'
  }

  get isRemoved(): boolean {
    const { own } = this
    return this.refusedBy !== null || (own !== undefined && this.state.stateOf(own) !== 'active')
  }

  /** The error reply to writes, or null when they are taken. */
  get writeRefusal(): string | null {
    if (this.isStray) return STRAY
    if (this.isOpen) return this.lackingOf(this.shown()).length === 0 ? null : CATCHES_UP
    switch (this.ownState) {
      case 'active':
        return null
      case 'starting':
        if (this.isEmpty && this.waitIsOver && !this.hasHeard)
          return 'LOADING This member has no data and waits to hear from another one whether there are any; if there is none yet, start it with peers.start-wait 0s'
        return 'LOADING This member has just started and waits to hear from another one how far its own writes had got'
      case 'restoring':
        if (this.outOfReach().length > 0) return this.waitsFor('was started from an older copy of its data, or with none')
        return 'LOADING This member was started from an older copy of its data, or with none; it fetches what it lacks'
      case 'joining':
        if (this.outOfReach().length > 0) return this.waitsFor('is new, or has lost its disk')
        return 'LOADING This member is new and has not caught up with the others yet'
      case 'draining':
        return `READONLY This member was removed from its cluster; what it has is being fetched by the others. ${REJOIN}`
      case 'removed':
        return `READONLY This member was removed from its cluster. ${REJOIN}`
      case 'forked':
        if (this.isFollowed)
          return `READONLY Another process has taken the place of this member. Stop the wrong one of the two; if that is the other one, restart this one. If that does not help, both have written. ${REJOIN}`
        return `READONLY Another member has writes of this one that it does not have itself: it was started from an old copy of its data. ${REJOIN}`
    }
  }

  private waitsFor(why: string): string {
    const names = this.namesOf(this.outOfReach())
    return `LOADING This member ${why}, and waits for writes that only ${names} has; if that is gone for good, remove it by force here`
  }

  get isDurable(): boolean {
    return !this.isDirty
  }

  /** For the header of a snapshot. While nothing was ever changed a start goes by the configuration; whoever restores a backup has none of then. */
  encoded(): Uint8Array {
    return encodeTopology(this.state)
  }

  get hasAskedAround(): boolean {
    return this.hasAsked || this.mayWrite || this.fork !== null
  }

  get takesOwnFrames(): boolean {
    return this.fork === null && this.missingUntil > this.engine.applied.get(this.self)
  }

  /**
   * Own ops that the disk has lost are here again; or they never come, and none are made. A new member has none that could be lost. One that waits only for ops of removed members says what
   * it has: whether those ops are anywhere is known when everybody has said that, and two of them would wait for each other.
   */
  get isWhole(): boolean {
    const isNew = this.isJoining && this.missingUntil === 0
    return this.mayWrite || this.fork !== null || this.isLost || isNew || this.waitsForRemoved
  }

  // --- what others say

  received(bytes: Uint8Array, from: string): void {
    const other = decodeTopology(bytes, `what ${from} sent`)
    if (!this.state.isPristine && other.seeds !== this.state.seeds) {
      throw new MeridianError(
        'MRD_TOPOLOGY',
        `${from} belongs to a cluster that began with ${other.seeds}, this one began with ${this.state.seeds}`,
        'The two were configured with different lists of members (peers.members). Start the wrong one with an empty data folder and --join.',
      )
    }
    this.state.merge(other)
  }

  introduced(bytes: Uint8Array, stranger: Introduced): string | null {
    const brought = decodeTopology(bytes, `what ${stranger.name} sent`)
    const doubt = doubtOf(this.state, brought, this.self, stranger)
    if (doubt === null) this.state.merge(brought)
    return doubt
  }

  ownOpsElsewhere(member: MemberInfo, stamp: Stamp): void {
    if (this.fork !== null) throw this.fork
    if (!this.mayWrite) this.safeStamp = this.engine.applied.get(this.self)
    if (this.engine.position().get(this.self) === this.safeStamp) {
      if (stamp <= this.missingUntil) return
      if (!this.takesOwnFrames) {
        this.logger.warn(
          { peer: member.name, here: this.safeStamp, there: stamp },
          'another member has writes of this one that are not here: its data are from an older copy; they are fetched before writes are taken',
        )
      }
      this.missingUntil = stamp
      this.isOlder = true
      this.mayWrite = this.isOpen = false
      return
    }
    throw this.forked(
      `${member.name} has ops of member ${this.self} up to stamp ${stamp}, which this process never made, and this process has made others`,
    )
  }

  saidBefore(member: MemberInfo, durable: readonly VectorEntry[]): void {
    const { applied } = this.engine
    const lost = durable.find(([origin, stamp]) => !applied.covers(origin, stamp))
    if (lost === undefined || this.fork !== null) return
    const [origin, stamp] = lost
    if (!this.mayWrite) this.safeStamp = applied.get(this.self)
    if (this.engine.position().get(this.self) !== this.safeStamp) {
      throw this.forked(
        `This member once told ${member.name} that it had ops of member ${origin} up to stamp ${stamp}, which it does not have now, and it has made others since`,
      )
    }
    for (const [of, told] of durable) {
      if (of !== this.self) this.wanted.raise(of, told)
      // Nobody may have it.
      else if (told > this.toldOwn) this.toldOwn = told
    }
    // A new one never had it.
    if (this.isJoining) return
    if (!this.isOlder) {
      this.logger.warn(
        { peer: member.name, origin, here: applied.get(origin), told: stamp },
        'this member once had more than it has now: its data are from an older copy; what it lacks is fetched before writes are taken',
      )
    }
    this.isOlder = true
    this.mayWrite = this.isOpen = false
  }

  reportedBy(member: MemberInfo, its: KnownVectors, isFirst: boolean): void {
    const { self, engine } = this
    const theirs = its.applied.get(self)
    const isOfThisProcess = this.mayWrite && theirs > this.safeStamp && theirs <= engine.applied.get(self)
    if (isFirst && isOfThisProcess && !this.isOwnEnd(theirs)) {
      throw this.forked(`${member.name} has an op ${theirs} of member ${self} that is not in its own history`)
    }
    // What a crash may take from it is not waited for: it would never come.
    if (!this.mayWrite) {
      for (const [of, stamp] of its.durable.entries()) {
        if (of !== self) this.wanted.raise(of, stamp)
        // Its disk may have been lost since it was said to have it: if it has it, it says so itself.
        else if (stamp > this.toldOwn) this.toldOwn = stamp
      }
    }
    this.hasHeard = true
    this.review()
  }

  refusedAsRemoved(message: string): void {
    const { own } = this
    if (this.refusedBy !== null || (own?.left ?? null) !== null) return
    this.refusedBy = message
    this.isOpen = false
    this.logger.error({ code: 'MRD_PEER_REMOVED' }, `${message} Writes are refused from now on; reads go on.`)
  }

  refusedAsStray(message: string): void {
    if (this.isStray || this.fork !== null) return
    this.isStray = true
    this.isOpen = false
    this.logger.error({ code: 'MRD_PEER_STRAY' }, `${message} Writes are refused from now on; reads go on.`)
  }

  refusedAsForked(message: string): void {
    if (this.fork !== null) return
    this.isFollowed = true
    // Who hears this from us is not to blame.
    this.fork = duplicateId(`Another process has taken the place of member ${this.self}`)
    this.mayWrite = this.isOpen = false
    this.logger.error({ code: 'MRD_PEER_FORKED' }, `${message} Writes are refused from now on; reads go on.`)
  }

  /** Vectors or the log have moved. */
  review(): void {
    if (this.stopped || this.log === null) return
    this.persist()
    this.reviewLeaving()
    this.reviewRemovals()
    if (this.mayWrite || this.fork !== null) return
    const { applied } = this.engine
    // No op is made here yet: what came of our own came from others.
    this.safeStamp = applied.get(this.self)
    const hasNoOthers = this.sync?.isAlone !== false
    if (!this.hasAsked && (hasNoOthers || this.waitIsOver || (this.hasHeard && this.sync?.hasUnasked !== true))) {
      this.hasAsked = true
      this.clock.defer(() => this.sync?.onLogChange())
    }
    const added = this.own?.added
    if (this.isJoining && added !== undefined && this.sync?.hasDeparted(added.origin) === true) this.cannotJoin(added)
    this.reviewLacking()
    if (this.mayBegin) this.begin()
  }

  private get mayBegin(): boolean {
    const hasNoOthers = this.sync?.isAlone !== false
    const mayBeginAlone = hasNoOthers || (this.waitIsOver && (!this.isEmpty || this.options.startWaitMs === 0))
    if (!this.hasOwn) return false
    return this.hasHeardAll ? this.isCaughtUp : !this.hasHeard && !this.isJoining && mayBeginAlone
  }

  /** All of our own that others have is here. */
  private get hasOwn(): boolean {
    return this.engine.applied.get(this.self) >= this.missingUntil
  }

  /**
   * Another one may have more of our own than who was heard first: all who can be reached are waited for. Those who cannot be reached are as well, up to the wait at a start, where it is known that
   * our disk has lost ops, and who has the last of them is not; and where nobody has any data, for one that starts later may have been restored from a backup.
   */
  private get hasHeardAll(): boolean {
    const { sync } = this
    const hasNothing = this.isEmpty && this.wanted.stamps.every((stamp) => stamp === 0)
    return this.hasHeard && (this.waitIsOver || !(hasNothing || this.isOlder ? sync?.hasUnheard : sync?.hasUnasked))
  }

  private get mustCatchUp(): boolean {
    return this.isJoining || this.isEmpty || this.isOlder
  }

  private get isCaughtUp(): boolean {
    if (!this.mustCatchUp) return true
    const added = this.own?.added
    const lacking = this.lacking()
    const isHere = lacking.length === 0 || this.isLostForGood(lacking)
    return isHere && added !== undefined && this.engine.applied.covers(added.origin, added.stamp)
  }

  /**
   * What is missing is nowhere any more: everybody else is linked and has told what it has, and nobody has more. Then nobody calls it stable, which takes a report of each that has it; nor does anybody who is
   * linked call stable what was made meanwhile, before this member reports anew (PeerKnowledge.mayHaveLost). Either it came of members removed by force, and with it our disk has lost ops of our own: maybe those very
   * removals, and nobody departs before they are said again. Or its maker has lost it with its disk as well: two that lose their disks at once would wait for each other's ops for ever.
   */
  private isLostForGood(lacking: readonly MemberId[]): boolean {
    const { sync } = this
    if (sync === null || sync.isMissingOther(null) || lacking.some((member) => sync.hasSource(member))) return false
    const isShown = this.lackingOf(this.shown()).length > 0
    return lacking.every((member) => (this.isForcedOut(member) ? this.lostOwn() > 0 : !isShown))
  }

  /**
   * Members of whose ops something is missing here: of all that others had when they were first heard, and of all that the data show of a state that was taken: an op of ours would say that it
   * has not seen what it was made of.
   */
  private lacking(): MemberId[] {
    const lacking = this.lackingOf(this.wanted)
    for (const member of this.lackingOf(this.shown())) if (!lacking.includes(member)) lacking.push(member)
    return lacking
  }

  private lackingOf(vector: VersionVector | null): MemberId[] {
    const { applied } = this.engine
    const lacking: MemberId[] = []
    // What somebody had who was removed by force may be nowhere else.
    for (const [member, stamp] of vector?.entries() ?? [])
      if (!applied.covers(member, stamp) && this.sync?.hasDeparted(member) !== true) lacking.push(member)
    return lacking
  }

  private reviewLacking(): void {
    const lacking = this.mustCatchUp && this.hasOwn && this.hasHeardAll ? this.lacking() : []
    const waitsForRemoved = lacking.length > 0 && lacking.every((member) => this.isForcedOut(member))
    // What is durable here is said from now on.
    if (waitsForRemoved && !this.waitsForRemoved) this.clock.defer(() => this.sync?.onLogChange())
    this.waitsForRemoved = waitsForRemoved
    if (this.outOfReach().length === 0) this.lackingTimer?.cancel()
    else if (this.lackingTimer !== null) return
    else {
      this.lackingTimer = this.clock.setTimer(LACKING_NEWS_MS, () => this.sayLacking())
      return
    }
    this.lackingTimer = null
  }

  private isForcedOut(id: number): boolean {
    return this.present.members.some((member) => member.id === id && isRefused(member))
  }

  /** Members that were not removed and cannot be reached, with ops that are waited for here and that nobody has who can be reached, if nothing else is waited for. */
  private outOfReach(): MemberId[] {
    const { sync } = this
    if (this.mayWrite || !this.mustCatchUp || !this.hasOwn || !this.hasHeardAll || sync === null) return []
    const lacking = this.lacking()
    return lacking.some((member) => sync.isLinked(member) || sync.hasSource(member))
      ? []
      : lacking.filter((member) => !this.isForcedOut(member))
  }

  private sayLacking(): void {
    const names = this.namesOf(this.outOfReach())
    if (this.stopped || names === '') return
    this.logger.warn(
      { waitsFor: names, vector: this.engine.applied.toString(), wanted: this.wanted.toString() },
      `this member waits for writes of ${names} that nobody has who can be reached. It goes on when ${names} can be reached again. ` +
        `Gone for good: \`meridian region remove NAME --force\` at this member, with all others linked; the writes that are lost are in no other member`,
    )
  }

  private namesOf(ids: readonly number[]): string {
    return ids.map((id) => this.state.member(id)?.name ?? `member ${id}`).join(', ')
  }

  /**
   * A member that waits for what only a dead one had takes its removal by force as the first change: everybody else is linked, and nobody has more of it. So nobody calls that stable, and
   * what is made here need not have observed it.
   */
  mayBeginWithout(id: number): boolean {
    const isTheOnlyOne = this.outOfReach().join() === String(id)
    return isTheOnlyOne && !this.isHeld() && this.fork === null && this.sync?.isMissingOther(id as MemberId) === false
  }

  beginWithout(): void {
    const lost = this.lostOwn()
    if (lost > 0) this.engine.hlc.observe(lost)
    this.takeWrites()
    if (lost > 0) this.engine.effects.changeTopology(this.wholeList(lost))
  }

  /**
   * Who added this member was removed by force, and the op did not get through in time: it is not in the log of any other one, so what this one writes
   * could be concurrent with what they call stable.
   */
  private cannotJoin(added: Dot): void {
    if (this.engine.applied.covers(added.origin, added.stamp) || this.isLost) return
    this.isLost = true
    this.logger.error(
      { code: 'MRD_PEER_UNKNOWN', addedBy: added.origin },
      'The member that added this one was removed by force before the others had that change: this one will never take writes. ' +
        'Remove it by force, and add one under another name.',
    )
  }

  /** Where own ops are lost for good the first one that is made says so, and what they may have changed of the list of members. */
  private begin(): void {
    if (this.lostOwn() === 0) this.takeWrites()
    else if (!this.returning) {
      this.returning = true
      this.toWrite(() => {
        this.returning = false
        const lost = this.lostOwn()
        if (this.stopped || this.log?.refusal !== null || this.mayWrite || this.fork !== null || this.isHeld()) return
        if (!this.mayBegin) return
        this.engine.hlc.observe(lost)
        this.takeWrites()
        if (lost > 0) this.engine.changeTopology([this.wholeList(lost)])
      })
    }
  }

  /**
   * The last op of this member that others have heard of, or know of by the list of members, and that nobody has who can be reached: its disk has lost it. 0: there is none. Everybody would
   * wait for it, and what is known by the list would count as known by the log with any later op: so that one must say it.
   */
  private lostOwn(): Stamp {
    const { own, state, self, toldOwn } = this
    if (own !== undefined && state.stateOf(own) === 'removed') return 0 as Stamp
    const last = Math.max(toldOwn, state.newestOf(self)) as Stamp
    return last > this.engine.applied.get(self) ? last : (0 as Stamp)
  }

  private wholeList(lost: Stamp): TopologyChange {
    const { state } = this
    this.logger.warn(
      { from: this.engine.applied.get(this.self), until: lost, lastLost: new Date(stampToUnixMs(lost)).toISOString() },
      'writes of this member that its disk has lost are with nobody who can be reached: they are given up',
    )
    return { kind: 'list', number: state.nextNumber(this.self), list: state.isPristine ? null : state.snapshot() }
  }

  private takeWrites(): void {
    this.mayWrite = true
    this.waitsForRemoved = false
    this.lackingTimer?.cancel()
    this.lackingTimer = null
    this.isOpen = !this.isStray && this.ownState === 'active'
    this.startTimer?.cancel()
    const { engine, clock, options } = this
    if (!this.isEmpty && this.sync?.isAlone === false)
      engine.hlc.observe(engine.hlc.next(clock.wallMs()) + (options.random.uint32() % STAMP_JUMP))
    if (this.isJoining) {
      this.isJoining = false
      joiningEnded(this.disk, this.options.dataFolder)
      this.logger.info({ vector: this.engine.applied.toString() }, 'this member has caught up with the others and takes writes')
    } else if (this.isOlder) {
      this.logger.info({ vector: this.engine.applied.toString() }, 'all writes of this member that others had are here again')
    }
    this.isEmpty = this.isOlder = false
  }

  private waited(): void {
    this.waitIsOver = true
    const hasAskedNobody = !this.hasHeard && !this.isJoining && !this.isRemoved && this.sync?.isAlone === false
    if (hasAskedNobody && this.isEmpty) {
      this.logger.warn(
        { waitedMs: this.options.startWaitMs },
        'this member has no data, and no other one could be asked whether there are any; it takes no writes until one can be. ' +
          'If there is none yet: start it with peers.start-wait 0s',
      )
    } else if (hasAskedNobody) {
      this.logger.warn(
        { waitedMs: this.options.startWaitMs },
        'no other member could be asked whether it has newer writes of this one; writes are taken all the same',
      )
    }
    this.review()
  }

  private forked(what: string): MeridianError {
    this.fork = duplicateId(what)
    this.mayWrite = this.isOpen = false
    this.logger.error({ code: this.fork.code }, `${this.fork.message} Writes are refused from now on; reads go on.`)
    return this.fork
  }

  /** True when a frame of our own ends with this stamp. */
  private isOwnEnd(stamp: Stamp): boolean {
    const { log, self } = this
    if (log === null || stamp >= log.durable.get(self)) return stamp === log?.durable.get(self)
    // What is not in the log any more cannot be looked up.
    if (log.segments[0].vector.get(self) > stamp) return true
    const cursor = log.openCursor(self, stamp)
    try {
      return nextWhole(cursor)?.previous === stamp
    } finally {
      cursor.close()
    }
  }

  // --- changes

  /** Ops that make a change, with what must come before it. */
  numbered(change: (number: number) => TopologyChange): TopologyChange[] {
    const { state, self } = this
    const number = state.nextNumber(self)
    if (!state.isPristine) return [change(number)]
    const members = state.members().map(({ id, name, region, zone, address, client }) => ({
      id,
      name,
      region: region.value,
      zone: zone.value,
      address: address.value,
      client: client.value,
    }))
    return [{ kind: 'seeds', number, members }, change(number + 1)]
  }

  private changed(dot: Dot | null): void {
    if (dot !== null) this.pending.raise(dot.origin as MemberId, dot.stamp as Stamp)
    this.isDirty = true
    this.present = this.makeView()
    this.isOpen = !this.isStray && this.ownState === 'active'
    this.sync?.topologyChanged()
    this.onMembers()
    this.clock.defer(() => this.review())
  }

  /** Soon, and not in the middle of a transaction. */
  private toWrite(run: () => void): void {
    this.clock.defer(() => this.engine.transactions.runBetween(run))
  }

  private persist(): void {
    const { log, sync, options, pending } = this
    if (!this.isDirty || log === null || !log.durable.dominates(pending)) return
    const bytes = encodeTopology(this.state)
    try {
      this.disk.writeWhole(topologyPath(options.dataFolder), bytes)
    } catch (error) {
      // Tried again, as a new file, when the log moves.
      if (!(error instanceof MeridianError)) throw error
      if (error.message !== this.persistError)
        this.logger.error(
          { code: error.code },
          `The list of members is not on the disk yet, and is tried again: ${error.message}`,
        )
      this.persistError = error.message
      return
    }
    if (this.persistError !== '') this.logger.info({}, 'the list of members is on the disk')
    this.persistError = ''
    this.isDirty = false
    this.bytes = bytes
    this.logger.info({ version: this.state.version }, 'the list of members has changed')
    sync?.tellTopology()
  }

  /** Says our last word, once our removal is applied here: everything before it is then drained with it. */
  private reviewLeaving(): void {
    const { own, engine, state } = this
    if (!this.mayWrite || own === undefined || own.left !== null || this.leaving || own.removals.length === 0) return
    if (state.stateOf(own) !== 'draining' || !own.removals.some(({ origin, stamp }) => engine.applied.covers(origin, stamp)))
      return
    this.leaving = true
    this.toWrite(() => {
      this.leaving = false
      const present = this.own
      assert(present !== undefined, 'a member stays in the list')
      if (
        this.stopped ||
        this.log?.refusal !== null ||
        present.left !== null ||
        this.isHeld() ||
        this.fork !== null ||
        this.takesOwnFrames
      )
        return
      this.logger.info({}, 'this member was removed from its cluster: what it has is fetched by the others')
      const heir = this.heir(present)
      engine.changeTopology(this.numbered((number) => ({ kind: 'leave', number, heir, pool: state.poolOf(this.self) })))
    })
  }

  /**
   * The list is told before the ops that changed it have come. When who removed a member is removed by force itself, and its op did not get through, that op
   * never comes, and those who are to know of the removal by the log would wait for ever: so it is said again here. Several may say it, which does no harm.
   */
  private reviewRemovals(): void {
    if (!this.isOpen || this.repeating || !this.hasLostRemovals()) return
    this.repeating = true
    this.toWrite(() => {
      this.repeating = false
      if (this.stopped || this.log?.refusal !== null || !this.isOpen || this.isHeld()) return
      for (const { id, name } of this.state.members()) {
        const forced = this.lostRemovalOf(id)
        if (forced === null) continue
        this.logger.info(
          { member: name, forced },
          'a removal whose maker was removed itself before the others had it is made again',
        )
        this.engine.changeTopology(this.numbered((number) => ({ kind: 'remove', number, id, forced })))
      }
    })
  }

  private hasLostRemovals(): boolean {
    return this.present.members.some(({ id, removal }) => removal !== undefined && this.lostRemovalOf(id) !== null)
  }

  /** Whether the removal of a member was by force, if no op that says so can be expected any more; null otherwise. */
  private lostRemovalOf(id: number): boolean | null {
    const { state, engine } = this
    const entry = state.member(id)
    if (entry === undefined || id === this.self || entry.left !== null) return null
    const removals = state.removalsOf(entry)
    const forced = removals.some((removal) => removal.forced)
    const counting = removals.filter((removal) => removal.forced === forced)
    const isLost = ({ origin, stamp }: Dot): boolean => {
      const maker = state.member(origin)
      return !engine.applied.covers(origin, stamp) && maker !== undefined && state.stateOf(maker) === 'removed'
    }
    return counting.length > 0 && counting.every(isLost) ? forced : null
  }

  private heir(leaving: TopologyMember): number {
    const { state } = this
    const isActive = (id: number): boolean => {
      const member = state.member(id)
      return member !== undefined && id !== this.self && state.stateOf(member) === 'active'
    }
    const remover = leaving.removals.find(({ origin }) => isActive(origin))
    return remover?.origin ?? state.members().find(({ id }) => isActive(id))?.id ?? 0
  }

  private makeView(): Topology {
    const { state, options } = this
    const members = state.members().map((entry): MemberInfo => {
      const { id, name, region, zone, address, client, left } = entry
      const removals = state.removalsOf(entry)
      return {
        id: id as MemberId,
        name,
        region: region.value,
        zone: zone.value,
        address: { name, ...address.value },
        client: client.value,
        ...(removals.length > 0 && {
          removal: { forced: removals.filter(({ forced }) => forced), lastStamp: (left?.stamp ?? 0) as Stamp },
        }),
      }
    })
    return { clusterId: options.configured.clusterId, version: state.version, members, self: this.self }
  }

  /** Where the configuration says something else than the list that counts. */
  private warnOfConfiguration(): void {
    if (this.state.isPristine) return
    for (const configured of this.options.configured.members) {
      const entry = this.state.member(configured.id)
      const differs = differences(configured, entry)
      if (differs.length === 0) continue
      this.logger.warn(
        { member: configured.name, differs },
        'peers.members in the configuration is not what the data folder says, which counts; `meridian region set` changes it',
      )
    }
  }
}

function describe({ id, name, region, zone, address, client }: MemberInfo) {
  return { id, name, region, zone, address: { host: address.host, port: address.port }, client: client ?? null }
}

function differences(configured: MemberInfo, entry: TopologyMember | undefined): string[] {
  if (entry === undefined) return ['it is no member']
  const pairs: [string, string, string][] = [
    ['name', configured.name, entry.name],
    ['region', configured.region, entry.region.value],
    ['zone', configured.zone, entry.zone.value],
    [
      'address',
      `${configured.address.host}:${configured.address.port}`,
      `${entry.address.value.host}:${entry.address.value.port}`,
    ],
  ]
  return pairs.filter(([, here, there]) => here !== there).map(([what, here, there]) => `${what}: ${here}, counts ${there}`)
}

function sameBytes(a: Uint8Array | null, b: Uint8Array): boolean {
  return a !== null && Buffer.compare(a, b) === 0
}
