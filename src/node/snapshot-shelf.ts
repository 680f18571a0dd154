import { MeridianError } from '../base/errors.js'
import type { MemberId } from '../base/ids.js'
import type { VersionVector } from '../crdt/version-vector.js'
import { RecordHashes } from '../keyspace/state/record-hashes.js'
import type { SegmentedLog } from '../oplog/segmented-log.js'
import { SnapshotReader } from '../oplog/snapshot-reader.js'
import type { ServedSnapshot, SnapshotShelf } from '../peer-sync/transfer/snapshot-shelf.js'
import type { Clock } from '../ports/clock.js'
import type { Disk } from '../ports/disk.js'
import type { Snapshotter } from './snapshotter.js'

export interface ShelfHost {
  readonly log: SegmentedLog
  readonly snapshots: Snapshotter
  /** The member takes a snapshot itself. */
  readonly isTaking: boolean
  /** Bytes a second that may be sent to all receivers together; 0: no bound. */
  maxRate(): number
  /** What is durable at another member, as last reported. */
  durableBy(member: MemberId): VersionVector | null
}

/** The log is kept from here on for a member that takes, or has taken, a snapshot. */
interface Pin {
  readonly position: number
  /** Once this is durable there it is not needed any more; null while the snapshot is being sent. */
  until: VersionVector | null
  lastUseMs: number
}

/** A member that has not come for what is kept for it in so long does not get it. */
const PIN_MS = 120_000

/** The snapshots of a member that others take: its newest file, if that has what they have, else one that is written for them. One file serves many. */
export class MemberShelf implements SnapshotShelf {
  readonly records = new RecordHashes()
  /** Sent to all receivers since the start. */
  bytesSent = 0
  private reader: SnapshotReader | null = null
  /** When what was sent has had its time. */
  private freeAtMs = 0
  private readonly users = new Map<SnapshotReader, number>()
  private readonly pins = new Map<MemberId, Pin>()

  constructor(
    private readonly disk: Disk,
    private readonly clock: Clock,
    private readonly host: ShelfHost,
  ) {}

  take(applied: VersionVector, receiver: MemberId): ServedSnapshot | number {
    const { host } = this
    const { snapshots, log } = host
    if (host.isTaking) throw cannotGive('it takes one itself')
    const reader = this.newest()
    if (reader?.header.vector.dominates(applied) === true) return this.serve(reader, receiver)
    if (snapshots.running !== null) return snapshots.percent
    if (log.refusal !== null) throw cannotGive(`its log refuses writes: ${log.refusal.message}`)
    if (this.clock.monotonicMs() < snapshots.retryAtMs) throw cannotGive(`the last one failed: ${snapshots.lastError ?? ''}`)
    snapshots.begin('rewrite')
    return 0
  }

  sent(bytes: number): void {
    this.bytesSent += bytes
    const rate = this.host.maxRate()
    if (rate > 0) this.freeAtMs = Math.max(this.freeAtMs, this.clock.monotonicMs()) + (bytes / rate) * 1000
  }

  get waitMs(): number {
    return this.host.maxRate() === 0 ? 0 : Math.max(0, this.freeAtMs - this.clock.monotonicMs())
  }

  /** Position from which on the log is kept for members that take a snapshot; Infinity when none does. */
  get neededFrom(): number {
    const nowMs = this.clock.monotonicMs()
    let from = Infinity
    for (const [member, pin] of this.pins) {
      const durable = this.host.durableBy(member)
      const isDone = durable === null || (pin.until !== null && durable.dominates(pin.until)) || nowMs - pin.lastUseMs > PIN_MS
      if (isDone) this.pins.delete(member)
      else from = Math.min(from, pin.position)
    }
    return from
  }

  close(): void {
    for (const reader of this.users.keys()) reader.close()
    if (this.reader !== null && !this.users.has(this.reader)) this.reader.close()
    this.users.clear()
    this.reader = null
  }

  private newest(): SnapshotReader | null {
    const file = this.host.snapshots.kept.at(0)
    if (file === undefined) return null
    if (this.reader?.path === file.path) return this.reader
    const old = this.reader
    this.reader = null
    if (old !== null && !this.users.has(old)) old.close()
    return (this.reader = new SnapshotReader(this.disk, file.path, null))
  }

  private serve(reader: SnapshotReader, receiver: MemberId): ServedSnapshot {
    this.users.set(reader, (this.users.get(reader) ?? 0) + 1)
    const pin: Pin = { position: reader.header.position, until: null, lastUseMs: this.clock.monotonicMs() }
    this.pins.set(receiver, pin)
    return {
      reader,
      used: () => {
        pin.lastUseMs = this.clock.monotonicMs()
      },
      completed: () => {
        pin.until = this.host.log.durable.clone()
      },
      release: () => this.release(reader),
    }
  }

  private release(reader: SnapshotReader): void {
    const users = (this.users.get(reader) ?? 0) - 1
    if (users > 0) {
      this.users.set(reader, users)
      return
    }
    this.users.delete(reader)
    if (reader !== this.reader) reader.close()
  }
}

function cannotGive(why: string): MeridianError {
  return new MeridianError(
    'MRD_TRANSFER',
    `This member cannot give a snapshot now: ${why}`,
    'It is asked again, or another member is; nothing needs to be done if that ends by itself.',
  )
}
