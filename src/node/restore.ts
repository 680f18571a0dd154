import { MeridianError } from '../base/errors.js'
import { LIMITS } from '../base/limits.js'
import type { Services } from '../commands/services.js'
import type { Stability } from '../crdt/apply-context.js'
import { VersionVector } from '../crdt/version-vector.js'
import { Engine } from '../engine/engine.js'
import { SHARD_COUNT } from '../keyspace/database.js'
import { StateBytes } from '../keyspace/state/state-bytes.js'
import { damagedBackup, type BackupFile } from '../oplog/backup-file.js'
import { identityBytes, identityPath, type DataFolderIdentity } from '../oplog/data-folder.js'
import { encodeSegmentHeader, segmentFileName } from '../oplog/segment-header.js'
import { logFolder } from '../oplog/segment.js'
import { SnapshotWriter } from '../oplog/snapshot-writer.js'
import type { Clock } from '../ports/clock.js'
import type { Disk } from '../ports/disk.js'
import type { Logger } from '../ports/logger.js'
import { decodeTopology } from '../topology/topology-codec.js'
import { Recovery } from './recovery.js'
import { ReplicatedStability } from './replicated-stability.js'
import { highestOf } from './snapshotter.js'

export interface RestorePorts {
  readonly disk: Disk
  readonly clock: Clock
  readonly logger: Logger
}

/** The data of a backup, in memory. */
interface LoadedBackup {
  readonly engine: Engine
  readonly stable: VersionVector
  readonly members: readonly FormerMember[]
}

/** Who was a member of the cluster that a backup is of. */
export interface FormerMember {
  readonly id: number
  readonly name: string
  readonly isActive: boolean
}

/**
 * Makes a data folder for a member that begins with the state of a backup: a snapshot of it, and a log that begins behind it. The folder must be empty. Which
 * members there were is not carried over; what they wrote is, with all stamps, so that the new cluster goes on where the old one was, whatever its members'
 * ids are (docs/decisions/0022).
 *
 * A folder whose restore was not finished says so to whoever starts it: its identity is written last.
 * @throws MeridianError
 */
export function restoreBackup(
  backup: BackupFile,
  folder: string,
  member: DataFolderIdentity,
  version: string,
  ports: RestorePorts,
  progress: (share: number) => void,
): { keys: number; members: readonly FormerMember[] } {
  const { disk, clock } = ports
  const { engine, stable, members } = loadBackup(backup, ports, progress)
  const { clusterId, memberId } = member
  disk.ensureFolder(folder)
  disk.writeWhole(identityPath(folder), UNFINISHED)
  // Not 0: a log that begins at its beginning could be read without the snapshot.
  const position = Math.max(1, backup.header.logPosition + backup.header.logLength)
  const vector = engine.applied
  disk.ensureFolder(logFolder(folder))
  const segment = disk.openAppend(`${logFolder(folder)}/${segmentFileName(1)}`)
  try {
    segment.append(encodeSegmentHeader({ clusterId, memberId, sequence: 1, startByte: position, vector }))
    segment.syncNow()
  } finally {
    segment.close()
  }
  disk.syncFolder(logFolder(folder))
  const last = engine.hlc.last
  const writer = new SnapshotWriter(disk, folder, {
    clusterId,
    memberId,
    sequence: 1,
    writtenMs: clock.wallMs(),
    version,
    position,
    vector,
    stable,
    clock: last,
    topology: new Uint8Array(0),
  })
  try {
    writeShards(engine, writer)
    writer.writeEnd({ position, clock: last, seen: vector, highest: highestOf(engine.keyspace) })
    writer.syncNow()
    writer.publish()
  } catch (error) {
    writer.abandon()
    throw error
  }
  disk.writeWhole(identityPath(folder), identityBytes(member))
  return { keys: writer.keys, members }
}

/** Loads the snapshot of a backup and replays the log behind it, as the member that it was taken from would at a start. */
function loadBackup(backup: BackupFile, { clock, logger }: RestorePorts, progress: (share: number) => void): LoadedBackup {
  const { clusterId, memberId } = backup.snapshot
  const engine = new Engine({ self: memberId, databases: LIMITS.maxDatabases, solo: false, hashSeed: 0 }, clock, NO_SERVICES)
  const stable = new VersionVector()
  const hold = (vector: VersionVector): Stability =>
    new ReplicatedStability(
      engine.applied,
      () => vector,
      () => engine.isMidway,
    )
  engine.keyspace.stability = hold(engine.replay.stable)
  const recovery = new Recovery({
    log: { disk: backup, clock, logger, folder: backup.path, clusterId, memberId, syncPolicy: 'no' },
    engine,
    states: engine.states,
    apply: (frame) => engine.replay.apply(frame),
    holdStability: (vector) => (engine.keyspace.stability = hold(vector === null ? engine.replay.stable : vector.clone())),
  })
  try {
    while (!recovery.step(STEP_BYTES)) progress(share(recovery.progress))
  } finally {
    recovery.close()
  }
  const { loadedBytes, totalBytes } = recovery.progress
  if (loadedBytes !== totalBytes)
    throw damagedBackup(backup.path, backup.bytes, `its last ${totalBytes - loadedBytes} bytes of log are no whole frame`)
  if (!engine.applied.dominates(seenBy(backup)))
    throw damagedBackup(backup.path, backup.bytes, 'its snapshot has seen writes that its log does not have')
  stable.copyFrom(engine.replay.stable)
  return { engine, stable, members: formerMembers(engine, backup) }
}

/** The list of members: what the log has made of it, or, where nothing was ever changed, what the configuration said when the snapshot was written. */
function formerMembers({ topology }: Engine, { snapshot, path }: BackupFile): FormerMember[] {
  const isTold = topology.isPristine && snapshot.topology.length > 0
  const state = isTold ? decodeTopology(snapshot.topology, path) : topology
  return state.members().map((entry) => ({ id: entry.id, name: entry.name, isActive: state.stateOf(entry) === 'active' }))
}

/** What the records of its snapshot may show. */
function seenBy(backup: BackupFile): VersionVector {
  return backup.openSnapshot().end.seen
}

const STEP_BYTES = 4 * 1024 * 1024
const SECTION_STEP_BYTES = 32 * 1024

const UNFINISHED = new TextEncoder().encode(`${JSON.stringify({ format: 'unfinished restore' })}\n`)

/** An engine that only replays asks nothing of the server around it. */
const NO_SERVICES = new Proxy({} as Services, {
  get: (_target, name) => {
    throw new Error(`a backup that is restored has no ${String(name)}`)
  },
})

function share({ loadedBytes, totalBytes }: { loadedBytes: number; totalBytes: number }): number {
  return totalBytes === 0 ? 1 : loadedBytes / totalBytes
}

function writeShards(engine: Engine, writer: SnapshotWriter): void {
  const { keyspace, states } = engine
  const walk = states.walk()
  const out = new StateBytes()
  try {
    for (let database = 0; database < keyspace.databaseCount; database++) {
      const db = keyspace.peek(database)
      if (db === undefined) continue
      for (let shard = 0; shard < SHARD_COUNT; shard++) {
        if (db.shardCount(shard) === 0 && db.hiddenCount === 0) continue
        walk.begin(database, shard)
        for (let done = false; !done;) {
          done = walk.step(out, SECTION_STEP_BYTES)
          if (out.length === 0 || (!done && out.length < LIMITS.snapshotSectionBytes)) continue
          writer.addSection(database, shard, walk.takeKeyCount(), out.bytes.subarray(0, out.length))
          out.reset()
        }
      }
    }
  } finally {
    walk.close()
  }
}

/** @throws MeridianError when the backup is of this cluster and nobody has said that all of it is gone. */
export function refuseSameCluster(backup: BackupFile, clusterId: string, allRegionsLost: boolean): void {
  if (backup.snapshot.clusterId !== clusterId || allRegionsLost) return
  throw new MeridianError(
    'MRD_RESTORE',
    `${backup.path} is a backup of the cluster ${clusterId} itself`,
    'While one of its regions lives no backup is needed, and an old state would meet newer writes: remove the lost region (meridian region remove NAME --force), add one with an empty ' +
      'folder (meridian region add), and it takes everything from the others. To see the old state beside it, restore with another --cluster-id. If all regions are gone for good, ' +
      'add --all-regions-lost.',
  )
}
