import { MeridianError } from '../base/errors.js'
import type { MemberId } from '../base/ids.js'
import { formatHostPort } from '../base/names.js'
import { CommandTable } from '../commands/command-table.js'
import { ALL_COMMANDS } from '../commands/registry.js'
import type { ClientRegistry } from '../commands/client-registry.js'
import type {
  BackupService,
  LogReport,
  PeerReport,
  PersistenceReport,
  PersistenceService,
  ReplicationService,
  ServedTransfer,
  ServerService,
  Services,
  SettingsService,
  TransactionService,
} from '../commands/services.js'
import type { Session } from '../commands/session.js'
import type { PeerError } from '../peer-sync/peer-status.js'
import type { Dialer } from '../ports/dialer.js'
import { TAKING_SNAPSHOT, type Member } from './member.js'
import { MemberTopology } from './topology-service.js'
import type { SnapshotKind } from './snapshotter.js'

/** Transactions of an engine that is made after the services. */
export function transactionsOf(member: () => Member): TransactionService {
  const of = (): TransactionService => member().engine.transactions
  return {
    multi: (session: Session) => of().multi(session),
    discard: (session) => of().discard(session),
    watch: (session, database, key) => of().watch(session, database, key),
    unwatch: (session) => of().unwatch(session),
    reset: (session) => of().reset(session),
  }
}

/** How far writes have got, from the member and its peer sync. */
export class MemberReplication implements ReplicationService {
  constructor(private readonly member: () => Member) {}

  get memberId(): ReplicationService['memberId'] {
    return this.member().topology.self
  }
  get applied(): ReplicationService['applied'] {
    return this.member().applied
  }
  get durable(): ReplicationService['durable'] {
    return this.member().durable
  }
  get stable(): ReplicationService['stable'] {
    return this.member().stable
  }
  get peers(): readonly PeerReport[] {
    const { sync, topology } = this.member()
    if (sync === null) return []
    return sync.peers().map((peer) => ({
      id: peer.member.id,
      name: peer.member.name,
      region: peer.member.region,
      link: peer.outbound.state === 'up' ? 'up' : peer.outbound.state === 'waiting' ? 'down' : 'connecting',
      inbound: peer.inbound.state === 'up' ? 'up' : 'down',
      lagMs: peer.lagMs,
      behindMs: peer.behindMs,
      roundTripMs: peer.roundTripMs ?? 0,
      bytesIn: peer.bytesReceived,
      bytesOut: peer.bytesSent,
      relay: topology.members.find((member) => member.id === peer.relay)?.name ?? null,
      unreached: peer.unreached === null ? null : formatHostPort(peer.unreached),
      error: peer.lastError === null ? null : withCode(peer.lastError),
      applied: peer.applied,
      durable: peer.durable,
    }))
  }
  get linkBytes(): number {
    return this.member().sync?.waitingBytes ?? 0
  }
  get transfer(): ReplicationService['transfer'] {
    return this.member().sync?.transfer ?? null
  }
  get transfersDone(): ReplicationService['transfersDone'] {
    return this.member().sync?.transfersDone ?? NO_TRANSFER_YET
  }
  get transfersServed(): readonly ServedTransfer[] {
    const { sync, topology } = this.member()
    const nameOf = (id: MemberId): string => topology.members.find((member) => member.id === id)?.name ?? String(id)
    return sync?.transfersServed().map(({ receiver, ...progress }) => ({ receiver: nameOf(receiver), ...progress })) ?? []
  }
  get snapshotBytesSent(): number {
    return this.member().shelf?.bytesSent ?? 0
  }
  onProgress(listener: () => void): void {
    this.member().onProgress(listener)
  }
}

/** Snapshots of a member, and its start. */
class MemberPersistence implements PersistenceService {
  constructor(
    private readonly member: () => Member,
    private readonly startedMs: () => number,
  ) {}

  get report(): PersistenceReport {
    const member = this.member()
    const { loading } = member
    if (loading !== null)
      return { ...NO_SNAPSHOT_YET, loading: { startedMs: this.startedMs(), ...loading }, lastSaveMs: this.startedMs() }
    const { snapshots, persistentBytes } = member
    return {
      loading: null,
      running: snapshots.running,
      scheduled: snapshots.scheduled,
      runningSeconds: snapshots.currentSeconds,
      lastSaveMs: snapshots.kept[0]?.writtenMs ?? this.startedMs(),
      completed: snapshots.completed,
      lastStatus: snapshots.lastStatus,
      lastDuration: snapshots.lastDuration,
      lastError: snapshots.lastError,
      changesSinceSave: member.engine.effects.count - snapshots.savedChanges,
      baseBytes: persistentBytes.base,
      totalBytes: persistentBytes.total,
    }
  }

  begin(kind: SnapshotKind): void {
    this.member().snapshots.begin(kind)
  }

  schedule(kind: SnapshotKind): void {
    this.member().snapshots.schedule(kind)
  }

  saveNow(): string | null {
    if (this.member().engine.longWrites.isApplying) return 'a long write is under way: use BGSAVE, or try again later'
    try {
      this.member().snapshots.saveNow('save')
      return null
    } catch (error) {
      if (!(error instanceof MeridianError)) throw error
      return error.message
    }
  }

  get refusal(): string | null {
    return this.member().intake?.isOpen === true ? `ERR ${TAKING_SNAPSHOT}` : null
  }

  reload(saveBefore: boolean): string | null {
    return this.member().reload(saveBefore)
  }
}

const NO_SNAPSHOT_YET = {
  running: null,
  scheduled: null,
  runningSeconds: -1,
  completed: 0,
  lastStatus: { save: 'ok', rewrite: 'ok' },
  lastDuration: { save: -1, rewrite: -1 },
  lastError: null,
  changesSinceSave: 0,
  baseBytes: 0,
  totalBytes: 0,
} as const

const NO_TRANSFER_YET: ReplicationService['transfersDone'] = {
  count: 0,
  bytesReceived: 0,
  snapshotBytes: 0,
  keysChanged: 0,
  elapsedMs: 0,
}

/** What is said of a member's log; of one that is not open yet, nothing. */
export function logReport(member: Member, policy: LogReport['policy']): LogReport {
  const log = member.loading === null ? member.log : null
  return {
    appendedBytes: log?.appendedBytes ?? 0,
    durableBytes: log?.durableBytes ?? 0,
    firstByte: log?.firstByte ?? 0,
    backlogLimit: member.keeping.backlogBytes,
    segments: log?.segments.length ?? 0,
    policy,
    lastError: log?.refusal?.message ?? null,
    recentBytes: log?.recent.bytes ?? 0,
    pendingBytes: log?.pendingBytes ?? 0,
    delayedSyncs: log?.delayedSyncs ?? 0,
    lastSyncMs: log?.lastSyncMs ?? 0,
    syncingMs: log?.syncingMs ?? 0,
  }
}

/** The error reply while writes are refused, or null. */
export function writeRefusal(member: Member): string | null {
  const refusal = member.loading === null ? member.log.refusal : null
  if (refusal === null && member.loading === null && member.intake?.isOpen === true) return `LOADING ${TAKING_SNAPSHOT}`
  return refusal === null ? member.membership.writeRefusal : `MISCONF Writes are refused: ${refusal.message}`
}

/** Why what is here is old, as the error reply to reads where that must not be served; or null. */
export function staleRefusal(member: Member): string | null {
  if (member.loading !== null) return null
  if (member.intake?.isOpen === true) return `MASTERDOWN ${TAKING_SNAPSHOT}, and ${NOT_STALE}`
  switch (member.membership.ownState) {
    case 'joining':
      return `MASTERDOWN This member is new and has not caught up with the others yet, and ${NOT_STALE}`
    case 'restoring':
      return `MASTERDOWN This member lacks writes of its own that others have, and ${NOT_STALE}`
    default:
      return null
  }
}

const NOT_STALE = "replica-serve-stale-data is set to 'no'"

/** Backups of a member that is made after the services. */
function backupsOf(member: () => Member): BackupService {
  return {
    begin: () => member().backups.begin(),
    state: (id) => member().backups.state(id),
    read: (id, offset) => member().backups.read(id, offset),
    end: (id) => member().backups.end(id),
  }
}

/** The services of one member, from their parts. */
export function makeServices(
  member: () => Member,
  clients: () => ClientRegistry,
  settings: SettingsService,
  server: ServerService,
  dialer: Dialer,
): Services {
  return {
    table: new CommandTable(ALL_COMMANDS),
    get clients() {
      return clients()
    },
    settings,
    dialer,
    replication: new MemberReplication(member),
    server,
    topology: new MemberTopology(member),
    persistence: new MemberPersistence(member, () => server.startedMs),
    backups: backupsOf(member),
    transactions: transactionsOf(member),
  }
}

/** What a member of another version says may lack the code. */
function withCode({ code, message }: PeerError): string {
  return message.includes(`(${code})`) ? message : `${code}: ${message}`
}
