import { assert } from '../base/assert.js'
import { LIMITS } from '../base/limits.js'
import { MAX_MEMBER_ID } from '../base/ids.js'
import { VersionVector } from '../crdt/version-vector.js'
import type { Engine } from '../engine/engine.js'
import { SHARD_COUNT } from '../keyspace/database.js'
import type { ShardClearer } from '../keyspace/state/shard-clearer.js'
import { RecordHashes } from '../keyspace/state/record-hashes.js'
import { StateBytes } from '../keyspace/state/state-bytes.js'
import type { StateLoader } from '../keyspace/state/state-loader.js'
import type { StateWalk } from '../keyspace/state/state-walk.js'
import type { PreparedSegment } from '../oplog/segment-writer.js'
import type { SegmentedLog } from '../oplog/segmented-log.js'
import { protocolError } from '../peer-sync/messages.js'
import { DigestBytes, ShardSum } from '../peer-sync/transfer/shard-sum.js'
import type { ShardDigest, SnapshotIntake } from '../peer-sync/transfer/snapshot-intake.js'
import type { SnapshotOffer } from '../peer-sync/transfer/snapshot-offer.js'
import { tooFewDatabases, type StabilityHold } from './recovery.js'
import type { Snapshotter } from './snapshotter.js'

/** What the intake needs of its member. */
export interface IntakeHost {
  readonly engine: Engine
  readonly log: SegmentedLog
  readonly snapshots: Snapshotter
  /** A list of members came with the snapshot. @throws MeridianError when it does not fit. */
  topologyReceived(bytes: Uint8Array, from: string): void
  /** Nothing may be folded or dropped by more than this; null: by what is stable. */
  holdStability(hold: StabilityHold | null): void
  /** Everything that the snapshot stands for is applied here, and durable. */
  adopted(): void
}

/**
 * Takes the state of another member in place of this one's. The data in memory are replaced shard by shard, while clients read them; the disk leads to the
 * old state until all is here. Then a snapshot of the new state is written, and the log begins anew behind it; the snapshot's name is what makes it so
 * (docs/decisions/0021).
 */
export class MemberIntake implements SnapshotIntake {
  isOpen = false
  isTouched = false
  keysTaken = 0
  private offer: SnapshotOffer | null = null
  private readonly loader: StateLoader
  private readonly clearer: ShardClearer
  private prepared: PreparedSegment | null = null
  private readonly walk: StateWalk
  private readonly out = new StateBytes()
  private readonly records = new RecordHashes()
  /** The shard that is being gone over. */
  private digested: { readonly sum: ShardSum; readonly list: DigestBytes } | null = null
  private dropping: Generator<undefined, void> | null = null

  constructor(private readonly host: IntakeHost) {
    this.loader = host.engine.states.loader('foreign')
    this.clearer = host.engine.states.clearer()
    this.walk = host.engine.states.walk()
  }

  open(): void {
    this.isOpen = true
    this.keysTaken = 0
    this.host.engine.requestSync()
  }

  get isQuiet(): boolean {
    const { engine, log } = this.host
    if (engine.longWrites.isBusy || engine.isMidway || log.refusal !== null) return false
    if (log.durableBytes === log.endByte) return true
    log.requestSync()
    return false
  }

  begin(offer: SnapshotOffer): void {
    const { engine, snapshots } = this.host
    const { keyspace } = engine
    for (const { database, shard } of offer.shards) {
      if (shard >= SHARD_COUNT) throw protocolError(`a snapshot is offered with a shard ${shard}`)
      if (database >= keyspace.databaseCount) throw tooFewDatabases('The snapshot that is offered', database)
    }
    for (const { database } of offer.end.highest) {
      if (database >= keyspace.databaseCount) throw tooFewDatabases('The snapshot that is offered', database)
    }
    const { topology, memberId } = offer.header
    if (topology.length > 0) this.host.topologyReceived(topology, `member ${memberId}`)
    this.offer = offer
    this.isTouched = true
    // A destroy that is not applied here is remembered there as long as it is not stable: unless this one's disk is older than what it has told.
    this.loader.applied = engine.applied.dominates(offer.header.stable) ? engine.applied : null
    // What is written from now on must not be taken for what the log leads to.
    snapshots.giveUp()
    // Data are taken as they come: what may be folded is for later.
    const nothing = new VersionVector()
    this.host.holdStability({ stable: nothing, until: everything() })
    for (const { database, stamps } of offer.end.highest) {
      const { highest } = keyspace.database(database)
      for (let member = 1; member <= MAX_MEMBER_ID; member++) highest[member] = Math.max(highest[member], stamps.stamps[member])
    }
  }

  shards(): { database: number; shard: number }[] {
    const { keyspace } = this.host.engine
    const shards: { database: number; shard: number }[] = []
    for (let database = 0; database < keyspace.databaseCount; database++) {
      const db = keyspace.peek(database)
      if (db === undefined) continue
      for (let shard = 0; shard < SHARD_COUNT; shard++) {
        if (db.shardCount(shard) > 0 || db.hiddenCount > 0) shards.push({ database, shard })
      }
    }
    return shards
  }

  digest(database: number, shard: number, anew: boolean): ShardDigest | null {
    if (anew || this.digested === null) {
      this.walk.begin(database, shard)
      this.digested = { sum: new ShardSum(), list: new DigestBytes() }
    }
    const { sum, list } = this.digested
    const { out, records } = this
    out.reset()
    const isComplete = this.walk.step(out, LIMITS.transferIntakeBytes)
    records.begin(out.bytes, 0, out.length)
    while (records.next()) {
      if (!records.begins) continue
      sum.add(records)
      list.add(records)
    }
    if (!isComplete) return null
    this.digested = null
    return { digests: list.bytes, sum: sum.encoded() }
  }

  drop(database: number, shard: number, hashes: ReadonlySet<number>): boolean {
    this.host.engine.dataMoves()
    this.dropping ??= this.clearer.drop(database, shard, hashes, (db, ref) => this.loader.keepOwn(database, db, ref))
    const { done } = this.dropping.next()
    if (done === true) this.dropping = null
    return done === true
  }

  clear(database: number, shard: number): boolean {
    this.host.engine.dataMoves()
    return this.clearer.step(database, shard, LIMITS.transferDrops, (db, ref) => this.loader.keepOwn(database, db, ref))
  }

  load(database: number, bytes: Uint8Array, length: number): number {
    const whole = this.loader.wholeRecords(bytes, 0, length)
    if (whole === 0) return 0
    this.host.engine.dataMoves()
    this.keysTaken += this.loader.load(database, bytes, 0, whole)
    return whole
  }

  endShard(): void {
    this.loader.end()
  }

  abortShard(): void {
    this.loader.reset()
    this.walk.close()
    this.digested = null
    this.dropping = null
  }

  finish(done: (error: Error | null) => void): void {
    const { offer, host } = this
    assert(offer !== null && this.isTouched, 'a snapshot has come in')
    const { vector, stable } = offer.header
    const { clock, seen } = offer.end
    host.snapshots.adopt({
      place: { vector, stable, clock, seen },
      prepare: (prepared) => {
        host.log.prepareRestart(vector, (result) => {
          if (result instanceof Error) return prepared(result)
          this.prepared = result
          prepared(null)
        })
      },
      ended: (error) => {
        if (error === null) this.adopt(offer)
        done(error)
      },
    })
  }

  close(): void {
    assert(!this.isTouched, 'the data are what the log leads to')
    this.isOpen = false
  }

  /** The snapshot has its name: the member is what it says. */
  private adopt({ header, end }: SnapshotOffer): void {
    const { host, prepared } = this
    assert(prepared !== null, 'a log to go on with')
    const { engine, log } = host
    this.prepared = null
    this.offer = null
    this.isTouched = false
    this.loader.forgetKept()
    engine.replay.restore(header.vector, header.stable, header.clock)
    engine.hlc.observe(end.clock)
    host.holdStability({ stable: header.stable, until: end.seen })
    log.restart(prepared)
    engine.dataReplaced()
    host.adopted()
  }
}

/** More than ever comes. */
function everything(): VersionVector {
  const vector = new VersionVector()
  vector.stamps.fill(Number.MAX_SAFE_INTEGER)
  return vector
}
