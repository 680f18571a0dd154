import type { MemberId, Stamp } from '../base/ids.js'
import { EVERYTHING_STABLE } from '../crdt/apply-context.js'
import type { FrameView } from '../crdt/frame.js'
import { VersionVector } from '../crdt/version-vector.js'
import type { Services } from '../commands/services.js'
import { Engine } from '../engine/engine.js'
import type { Collections } from '../keyspace/collections.js'
import { claimDataFolder } from '../oplog/data-folder.js'
import { LogScan } from '../oplog/log-scan.js'
import { openLog, type RecoveryReport } from '../oplog/open-log.js'
import type { LogCursor, SyncPolicy } from '../oplog/op-log.js'
import type { SegmentedLog } from '../oplog/segmented-log.js'
import { PeerSync } from '../peer-sync/peer-sync.js'
import type { SyncHost, Topology } from '../peer-sync/sync-host.js'
import type { Clock } from '../ports/clock.js'
import type { Disk } from '../ports/disk.js'
import type { Logger } from '../ports/logger.js'
import type { Network } from '../ports/network.js'
import type { Random } from '../ports/random.js'
import { ReplicatedStability } from './replicated-stability.js'

/** Between notes of what is stable in the log. */
const NOTE_PERIOD_MS = 1000

export interface MemberPorts {
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  /** Null for a database with one member. */
  readonly network: Network | null
  readonly logger: Logger
}

export interface MemberOptions {
  readonly topology: Topology
  readonly dataFolder: string
  readonly databases: number
  readonly appendfsync: 'always' | 'everysec' | 'no'
  /** Sets what decides the forms of collections, before the log is read. */
  readonly tuneCollections?: (collections: Collections) => void
}

/**
 * One member without its client front end: engine, log and peer sync, joined. Deterministic given its ports, so that the simulator runs many in one
 * process. Recovery is synchronous; links start afterwards.
 */
export class Member implements SyncHost {
  readonly engine: Engine
  readonly log: SegmentedLog
  readonly sync: PeerSync | null
  readonly recovery: RecoveryReport
  readonly topology: Topology
  private readonly stability: ReplicatedStability | null = null
  private readonly progressListeners: (() => void)[] = []
  private stopped = false
  private readonly noted = new VersionVector()

  constructor(
    private readonly options: MemberOptions,
    private readonly ports: MemberPorts,
    /** Made by the caller around the member; commands reach the server through it. */
    services: Services,
  ) {
    const { topology, dataFolder, databases, appendfsync } = options
    const { clock, random, disk, network, logger } = ports
    this.topology = topology
    const self = topology.members.find((member) => member.id === topology.self)
    const solo = topology.members.length === 1
    claimDataFolder(disk, dataFolder, {
      clusterId: topology.clusterId,
      memberId: topology.self,
      memberName: self?.name ?? '',
      createdMs: clock.wallMs(),
    })
    this.engine = new Engine({ self: topology.self, databases, solo, hashSeed: random.uint32() }, clock, services)
    this.engine.syncAlways = appendfsync === 'always'
    options.tuneCollections?.(this.engine.collections)
    // Before the others have reported, only what the log says was stable may be folded or dropped.
    this.engine.keyspace.stability = solo
      ? EVERYTHING_STABLE
      : new ReplicatedStability(
          this.engine.applied,
          () => this.engine.recoveredStability,
          () => this.engine.isMidway,
        )
    const { log, report } = openLog({
      disk,
      clock,
      logger,
      folder: dataFolder,
      clusterId: topology.clusterId,
      memberId: topology.self,
      syncPolicy: syncPolicyOf(appendfsync, solo),
      // Alone, nobody reads the log while it runs.
      ...(solo && { recentFrameBytes: 0 }),
      visit: (frame) => this.engine.recover(frame),
    })
    this.log = log
    this.recovery = report
    if (solo || network === null) {
      this.sync = null
    } else {
      const sync = new PeerSync(this, { network, clock, random, logger })
      const stability = new ReplicatedStability(
        this.engine.applied,
        () => sync.stable(),
        () => this.engine.isMidway,
      )
      this.sync = sync
      this.stability = stability
      this.engine.keyspace.stability = stability
      this.engine.pubsub.remote = sync
      sync.onPublication(({ channel, message, sharded }) => this.engine.pubsub.receive(channel, message, sharded))
      sync.onVectors(() => {
        stability.invalidate()
        this.progressed()
      })
    }
    log.onChange(() => this.progressed())
    this.engine.onAppended = () => this.stability?.invalidate()
    this.engine.onLongWritesIdle = () => this.sync?.onLogChange()
    this.engine.start(log)
    if (this.sync !== null) this.scheduleNote(clock)
    this.sync?.start()
  }

  /** Everything applied here, the open frame of this turn not included. */
  get applied(): VersionVector {
    return this.engine.applied
  }

  get durable(): VersionVector {
    return this.log.durable
  }

  /** What no later op can be concurrent with. */
  get stable(): VersionVector {
    return this.stability === null ? this.engine.applied : this.stability.refresh()
  }

  get isRefusing(): boolean {
    return this.log.refusal !== null || this.engine.takesNoFrames
  }

  applyFrame(frame: FrameView): void {
    this.engine.takeRemote(frame)
  }

  openCursor(origin: MemberId, after: Stamp): LogCursor {
    return this.log.openCursor(origin, after)
  }

  /** Called back when durable positions here or reported positions of peers have moved. */
  onProgress(listener: () => void): void {
    this.progressListeners.push(listener)
  }

  /** CONFIG SET appendfsync. In a mesh the log is synced continuously whatever it says, because only durable frames are sent. */
  setAppendFsync(policy: 'always' | 'everysec' | 'no'): void {
    this.engine.syncAlways = policy === 'always'
    this.log.setSyncPolicy(syncPolicyOf(policy, this.sync === null))
  }

  /**
   * Forgets all data and reads it again from the log, while everything else stands still. Null, or why not, as an error reply. Only alone: what others have
   * reported as stable by now must not be taken for what was stable then.
   */
  reload(): string | null {
    if (this.sync !== null) return 'ERR only a member without peers can reload its data'
    if (this.log.refusal !== null) return `MISCONF the log is not whole on the disk: ${this.log.refusal.message}`
    this.engine.forgetData()
    const scan = new LogScan({
      disk: this.ports.disk,
      folder: this.options.dataFolder,
      visit: (frame) => this.engine.replay(frame),
    })
    while (!scan.step());
    scan.close()
    return null
  }

  /** Orderly stop: everything appended is made durable. */
  stop(): void {
    if (this.stopped) return
    this.stopped = true
    this.engine.stop()
    this.sync?.stop()
    this.log.close()
  }

  private scheduleNote(clock: Clock): void {
    clock.setTimer(NOTE_PERIOD_MS, () => {
      if (this.stopped) return
      const stable = this.stable
      if (!stable.equals(this.noted)) {
        this.engine.noteStability(stable)
        this.noted.copyFrom(stable)
      }
      this.scheduleNote(clock)
    })
  }

  private progressed(): void {
    if (this.stopped) return
    this.sync?.onLogChange()
    for (const listener of this.progressListeners) listener()
  }
}

/** Replies wait for the disk under `always`, so nothing may delay it. Peers wait for it too, but a few milliseconds do not matter to them. */
function syncPolicyOf(policy: 'always' | 'everysec' | 'no', solo: boolean): SyncPolicy {
  if (policy === 'always') return 'immediate'
  return solo ? policy : 'continuous'
}
