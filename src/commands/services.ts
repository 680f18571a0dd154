import type { EvictionPolicy } from '../base/eviction-policies.js'
import type { MemberId, Stamp } from '../base/ids.js'
import type { OpBuilder } from '../crdt/op-builder.js'
import type { VersionVector } from '../crdt/version-vector.js'
import type { Clock } from '../ports/clock.js'
import type { Dialer } from '../ports/dialer.js'
import type { MemberDescription, TopologyAttribute } from '../topology/topology-change.js'
import type { MemberState } from '../topology/topology-state.js'
import type { ReplyWriter } from '../resp/reply-writer.js'
import type { Call } from './call.js'
import type { ClientRegistry } from './client-registry.js'
import type { CommandTable } from './command-table.js'
import type { Session } from './session.js'

/** What commands may ask of the server around the keyspace. The composition root fills it. */
export interface Services {
  readonly table: CommandTable
  readonly clients: ClientRegistry
  readonly settings: SettingsService
  readonly replication: ReplicationService
  readonly server: ServerService
  readonly topology: TopologyService
  readonly persistence: PersistenceService
  readonly backups: BackupService
  readonly transactions: TransactionService
  readonly dialer: Dialer
}

/** CONFIG. */
export interface SettingsService {
  /** Name and value of every setting whose name matches a glob pattern. */
  get(pattern: string): [string, string][]
  /** Sets all or none. Null, or the error reply in Redis' words. */
  set(pairs: readonly (readonly [string, string])[]): string | null
  /** Writes the settings to the configuration file. Null, or the error reply. */
  rewrite(): string | null
  /** Current values that commands look at. */
  readonly requirePassword: string | null
  readonly debugCommand: 'yes' | 'no' | 'local'
}

/** How far writes have got in other members. */
export interface ReplicationService {
  readonly memberId: MemberId
  readonly applied: VersionVector
  readonly durable: VersionVector
  readonly stable: VersionVector
  /** Other members. */
  readonly peers: readonly PeerReport[]
  /** Bytes that wait on links, to be sent or to be applied. */
  readonly linkBytes: number
  /** This member takes the state of another one; null when it does not. */
  readonly transfer: TransferReport | null
  /** Transfers to this member that came to their end, and the last one of them. */
  readonly transfersDone: TransfersDone
  /** What other members take of this one's state. */
  readonly transfersServed: readonly ServedTransfer[]
  /** Bytes of snapshots that were sent to all of them. */
  readonly snapshotBytesSent: number
  /** Calls back whenever `applied`, `durable` or a peer's report has moved. */
  onProgress(listener: () => void): void
}

export interface TransferReport {
  readonly phase: string
  /** Null while none is chosen. */
  readonly source: string | null
  readonly shards: number
  readonly shardsDone: number
  /** How far the other member's snapshot is written while it is waited for. */
  readonly writtenPercent: number
  readonly bytesReceived: number
  /** Bytes of the snapshot of which what differs is sent; 0 while there is none. */
  readonly snapshotBytes: number
  readonly keysChanged: number
  readonly elapsedMs: number
  /** -1: cannot be said. */
  readonly remainingMs: number
}

interface TransfersDone {
  readonly count: number
  readonly bytesReceived: number
  readonly snapshotBytes: number
  readonly keysChanged: number
  readonly elapsedMs: number
}

export interface ServedTransfer {
  /** Name of the member. */
  readonly receiver: string
  readonly phase: 'writing' | 'sending'
  readonly percent: number
  readonly bytesSent: number
  readonly snapshotBytes: number
  /** -1: cannot be said. */
  readonly remainingMs: number
}

/** One other member, as INFO peers and WAIT see it. */
export interface PeerReport {
  readonly id: MemberId
  readonly name: string
  readonly region: string
  /** State of the link that this member dialled, and of the one that the peer dialled. */
  readonly link: 'up' | 'connecting' | 'down'
  readonly inbound: 'up' | 'down'
  /** How old our oldest write is that the peer has not applied, and the peer's oldest that we have not; ms, 0 when there is none. */
  readonly lagMs: number
  readonly behindMs: number
  readonly roundTripMs: number
  readonly bytesIn: number
  readonly bytesOut: number
  /** Name of the member through which this one's ops come while there is no direct link, or null. */
  readonly relay: string | null
  /** host:port of its new peer address where that has not answered and the link to the one before stands, or null. */
  readonly unreached: string | null
  readonly error: string | null
  /** Highest stamps that the peer reported as applied, and as durable. Live: WAIT keeps them. */
  readonly applied: VersionVector
  readonly durable: VersionVector
}

/** The list of members: CRDT.TOPOLOGY. What changes it throws a CommandError when it cannot be, and has changed nothing then. */
export interface TopologyService {
  readonly version: number
  /** How this member takes part: active, or why it takes no writes. */
  readonly ownState: 'active' | 'starting' | 'restoring' | 'joining' | 'draining' | 'removed' | 'forked'
  /** Every change that is known here is durable here, so that other members are told of it. */
  readonly isDurable: boolean
  /** Everybody who is or was a member, by id. */
  list(): readonly TopologyEntry[]
  /** Gives the id of the new member. */
  add(member: Omit<MemberDescription, 'id'>): number
  /** By force: without waiting for what it may still have; then says which of its writes are known of. */
  remove(name: string, forced: boolean): readonly LastWrites[]
  set(name: string, attribute: TopologyAttribute): void
}

export interface TopologyEntry extends MemberDescription {
  readonly state: MemberState
  /** Ids that it may give to members that it adds. */
  readonly freeIds: number
  /** Last stamp of it that is applied here. */
  readonly lastStamp: Stamp
}

/** What one remaining member has of a removed one. */
export interface LastWrites {
  readonly name: string
  readonly lastStamp: Stamp
}

/** Snapshots, and how far a start has got. */
export interface PersistenceService {
  readonly report: PersistenceReport
  /** Why no snapshot can be begun now, as an error reply, or null. */
  readonly refusal: string | null
  /** Begins a snapshot in the background. None may be under way. */
  begin(kind: 'save' | 'rewrite'): void
  /** Begins one as soon as may be: when the one under way has ended, and the transaction. */
  schedule(kind: 'save' | 'rewrite'): void
  /** Writes one while everybody waits; one that was being rewritten is given up for it. Null, or why it failed. Not in a transaction. */
  saveNow(): string | null
  /** Forgets all data and reads it again, from a snapshot written before or from what is on the disk. Null, or the error reply. Not while an op is open. */
  reload(saveBefore: boolean): string | null
}

/** Backups that are being fetched, piece by piece: CRDT.BACKUP. What cannot be done throws a CommandError. */
export interface BackupService {
  /** Gives the number of a new one. */
  begin(): number
  /** Looks how far its making has got, and goes on with it. */
  state(id: number): BackupState
  /** Bytes of one piece from this offset on; less at the end. The array is the caller's. */
  read(id: number, offset: number): Uint8Array
  end(id: number): void
}

/** Of a backup that is ready: what its bytes are, first the snapshot, then the frames of the log behind it. */
export interface BackupState {
  readonly state: 'snapshot' | 'syncing' | 'ready'
  readonly snapshotBytes: number
  readonly logPosition: number
  readonly logBytes: number
}

export interface PersistenceReport {
  /** How far a start has got; null when it is over. */
  readonly loading: { readonly startedMs: number; readonly totalBytes: number; readonly loadedBytes: number } | null
  /** What is being written: for BGSAVE, or to let the log go. */
  readonly running: 'save' | 'rewrite' | null
  readonly scheduled: 'save' | 'rewrite' | null
  /** How long it has been under way; -1 when nothing is. */
  readonly runningSeconds: number
  /** When the newest snapshot was begun, or the process started if there is none; Unix ms. */
  readonly lastSaveMs: number
  /** Snapshots completed since the start. */
  readonly completed: number
  readonly lastStatus: Readonly<Record<'save' | 'rewrite', 'ok' | 'err'>>
  /** Seconds; -1 before the first. */
  readonly lastDuration: Readonly<Record<'save' | 'rewrite', number>>
  /** Why the last one failed, or null. */
  readonly lastError: string | null
  /** Effects of this process that the newest snapshot does not have. */
  readonly changesSinceSave: number
  /** Bytes of the newest snapshot, and with the log behind it. */
  readonly baseBytes: number
  readonly totalBytes: number
}

/** The process and its place in the cluster. */
export interface ServerService {
  readonly version: string
  readonly clusterId: string
  readonly memberName: string
  readonly region: string
  readonly zone: string
  readonly startedMs: number
  readonly runId: string
  readonly tcpPort: number
  readonly tlsPort: number
  readonly configFile: string
  readonly processId: number
  /** Bytes, from the operating system. */
  residentBytes(): number
  /** Seconds of CPU, user and system. */
  cpuSeconds(): { user: number; system: number }
  readonly log: LogReport
  /** Since the process began; null where that cannot be said. */
  eventLoop: () => EventLoopReport | null
  /** Unix time in µs. */
  nowMicroseconds(): number
  /** Uniform in 0 .. 2^32-1. */
  random(): number
  /** Begins an orderly stop. */
  shutdown(): void
  /** The error reply while writes are refused (disk full, disk failure), or null. */
  readonly writeRefusal: string | null
  /** The error reply to reads where stale data are not to be served: what is here is known to be old. Else null. */
  readonly staleRefusal: string | null
  /** Blocks the whole process for a time: DEBUG SLEEP. */
  sleep(ms: number): void
}

/** How often the event loop has gone round, and for how long it was not idle. */
export interface EventLoopReport {
  readonly cycles: number
  readonly activeMs: number
}

export interface LogReport {
  readonly appendedBytes: number
  readonly durableBytes: number
  /** Position of the oldest frame that is still there. */
  readonly firstByte: number
  /** Bytes that are kept for members that do not have them yet may take so much. */
  readonly backlogLimit: number
  readonly segments: number
  readonly policy: 'always' | 'everysec' | 'no'
  readonly lastError: string | null
  /** Bytes of frames in memory: kept for peers, and waiting for a disk that has refused them. */
  readonly recentBytes: number
  readonly pendingBytes: number
  /** Syncs that took longer than a second. */
  readonly delayedSyncs: number
  readonly lastSyncMs: number
  /** How long the sync under way has taken so far; 0 when there is none. */
  readonly syncingMs: number
}

export interface TransactionService {
  multi(session: Session): void
  discard(session: Session): void
  watch(session: Session, database: number, key: Uint8Array): void
  unwatch(session: Session): void
  /** Forgets the session's transaction state: RESET, disconnect. */
  reset(session: Session): void
}

/** Clients that are told of every command. */
export interface MonitorService {
  /** Tells a session from now on. */
  add(session: Session): void
  remove(session: Session): void
}

/** What the engine itself offers to commands, beside keyspace and effects. It hands this to the Call; nobody else provides it. */
export interface EngineService {
  readonly clock: Clock
  /** EXEC runs: a command that would block answers at once. */
  readonly isInExec: boolean
  /** EXEC runs and cannot go in slices: its commands go to their end, however long they are. */
  readonly goesInOneGo: boolean
  /** The command is one of EXEC, and long: its steps are gone through before the next one. Nobody else can come in between. */
  goInSteps(call: Call, steps: WriteSteps): void
  /** Where the steps that run now write their effects. */
  readonly op: OpBuilder
  readonly waits: SessionWaits
  readonly blocking: KeyBlocking
  readonly slices: SlicedReading
  readonly longWrites: LongWriting
  readonly migrations: Migrating
  /** From how many elements on reads and writes go in slices. */
  readonly slicing: { readonly readElements: number; readonly writeElements: number }
  readonly pause: PauseControl
  readonly slowLog: SlowLogReader
  readonly latency: LatencyReader
  readonly pubsub: PubSubService
  readonly monitors: MonitorService
  readonly notifications: NotificationService
  readonly statistics: EngineStatistics
  /** Error replies by their code: ERR, WRONGTYPE… */
  readonly errorCounts: ReadonlyMap<string, number>
  readonly load: LoadReport
  readonly memory: MemoryBoundService
  /** Keys that are watched by someone. */
  readonly watchedKeys: number
  /** False: due keys are hidden but not removed by the engine itself. DEBUG SET-ACTIVE-EXPIRE. */
  activeExpiry: boolean
  /** Everything applied here, with what this turn has written so far. A new vector. */
  position(): VersionVector
  /** Closes the open frame and asks the log to make everything durable soon. Not during EXEC. */
  requestSync(): void
  /** CONFIG RESETSTAT. */
  resetStatistics(): void
}

/** How busy the server is. */
export interface LoadReport {
  /** Per second, over the last one or two seconds. */
  readonly rates: {
    readonly cycles: number
    readonly activeMs: number
    readonly operations: number
    readonly inputBytes: number
    readonly outputBytes: number
  }
  /** Since the statistics were reset; null where that cannot be said. */
  readonly eventLoop: EventLoopReport | null
  /** Most bytes that the data ever took, as far as samples saw. */
  readonly peakBytes: number
}

/** maxmemory. */
export interface MemoryBoundService {
  /** 0: no bound. */
  readonly maxBytes: number
  readonly policy: EvictionPolicy
  /** Bytes above maxBytes that writes of other members may take. */
  readonly reserveBytes: number
  /** For how long more than allowed has been in use while keys were evicted: since the start, and now. */
  readonly exceededMs: { readonly total: number; readonly current: number }
}

export interface EngineStatistics {
  readonly commandsProcessed: number
  /** Time that commands took, together. */
  readonly commandMicroseconds: number
  readonly errorReplies: number
  readonly unknownCommands: number
  readonly expiredKeys: number
  expiredFields: number
  readonly evictedKeys: number
  readonly remoteFrames: number
  readonly remoteOps: number
  /** AUTH and HELLO AUTH that were refused; commands refused because the client had not said AUTH. */
  failedAuthentications: number
}

export type SubscriptionKind = 'channel' | 'pattern' | 'shard'

/** Publish and subscribe. Names of channels and patterns are latin1 strings of their bytes where they are strings. */
export interface PubSubService {
  /** Names in use here; a pattern or channel of several clients is one. */
  readonly channelCount: number
  readonly patternCount: number
  readonly shardChannelCount: number
  /** Clients that listen to something. */
  readonly clientCount: number
  /** Messages given to links with other members (one for each member), lost before they could be, and received. */
  readonly messagesSent: number
  readonly messagesDropped: number
  readonly messagesReceived: number
  subscribe(session: Session, kind: SubscriptionKind, name: Uint8Array): void
  unsubscribe(session: Session, kind: SubscriptionKind, name: string): void
  /** Without a word: RESET, disconnect. */
  unsubscribeAll(session: Session): void
  /** Sends a message to who listens, in all members; returns how many got it here. */
  publish(channel: Uint8Array, message: Uint8Array, sharded: boolean): number
  activeChannels(sharded: boolean): Iterable<string>
  subscriberCount(name: string, sharded: boolean): number
}

/** The way of messages to the other members. */
export interface RemotePublisher {
  readonly counts: { sent: number; dropped: number }
  publish(channel: Uint8Array, message: Uint8Array, sharded: boolean): void
}

/** Keyspace events. */
export interface NotificationService {
  /** Publishes an event of a class (NotificationClass) if it is selected. Costs a comparison when it is not. */
  notify(kind: number, event: string, database: number, key: Uint8Array, off: number, len: number): void
  /** Keys that are replaced are to be told of: asked before it is found out what they hold. Costs a look at one field when they are not. */
  readonly tellsReplaced: boolean
  /** Says of a key that held a visible value of type `before` (KeyType) and has been given another one that it was overwritten, and whether its type changed. */
  notifyReplaced(before: number, database: number, key: Uint8Array, off: number, len: number): void
  /** Events are to be told field by field, too: asked before anything is gathered for that. Costs a look at one field when they are not. */
  readonly tellsFields: boolean
  /** Publishes which fields of a hash an event is about, behind notify. */
  notifyFields(event: string, database: number, key: Uint8Array, off: number, len: number, fields: FieldNames): void
  /** The same in steps, for very many fields. The key and the fields must stay as they are meanwhile. */
  fieldSteps(
    event: string,
    database: number,
    key: Uint8Array,
    off: number,
    len: number,
    fields: FieldNames,
  ): Generator<undefined, void>
}

/** Names of fields of a hash; one may come twice. */
export interface FieldNames {
  readonly count: number
  /** Name i, as a view that is good until the next call. */
  at(i: number): Uint8Array
}

/** Commands that wait for something other than a key. */
export interface SessionWaits {
  /** Blocks the session, which must not be blocked and not in EXEC, until the wait is done; at most timeoutMs, 0 for ever. */
  begin(session: Session, wait: SessionWait, timeoutMs: number): void
  /** Looks at every wait: something may have come true. */
  check(): void
}

export interface SessionWait {
  /** Name of the command, lower case. */
  readonly command: string
  isDone(): boolean
  /** Writes the reply: done, or out of time. */
  reply(reply: ReplyWriter): void
  /** Called once, however it ended. */
  ended?(): void
}

/** Does a part of a read with each call of next, some 0.1 ms, until it is done. */
export type ReadSteps = Iterator<undefined, void>

/** Reads that take many turns. Commands use Call.readInSlices. */
export interface SlicedReading {
  /** False when the command must go to its end: it has started too often. */
  readonly mayBegin: boolean
  /** `prefixes`: it reads keys of the selected database that begin so, too. */
  begin(call: Call, firstKey: number, keyCount: number, steps: ReadSteps, prefixes: readonly Uint8Array[]): void
}

/** Does a part of a write with each call of next, some 0.1 ms: see Call.writeInSlices. */
export type WriteSteps = Iterator<WriteStep, void>
export type WriteStep = undefined | 'commit' | 'at-once' | 'again'

/** A key that a long write is about. */
export interface KeyToHold {
  readonly database: number
  /** Which argument it is. */
  readonly argument: number
  readonly isWritten: boolean
}

/** Very many keys of the selected database: arguments first, first + step, … below end. */
export interface KeyRange {
  readonly first: number
  readonly end: number
  readonly step: number
}

/** Writes that take many turns. Commands use Call.writeInSlices. */
export interface LongWriting {
  /** `prefixes`: what keys of the selected database begin with that it reads besides. */
  begin(call: Call, keys: readonly KeyToHold[] | KeyRange, steps: WriteSteps, prefixes?: readonly Uint8Array[]): void
  /** Some keys are half changed: whoever looks at all of them must wait. */
  readonly isApplying: boolean
}

/** Keys on their way to another server. */
export interface Migrating {
  /** The handler has not replied, and changes nothing. */
  begin(call: Call, order: MigrationOrder): void
}

export interface MigrationOrder {
  readonly host: string
  readonly port: number
  /** So long at most without anything moving. */
  readonly timeoutMs: number
  /** What is sent first, and how many replies there are to it. */
  readonly opening: Uint8Array
  readonly openingReplies: number
  /** Arguments. */
  readonly keys: readonly number[]
  /** They stay. */
  readonly copies: boolean
  /** The request that writes a key there; null when there is none any more. again: it has been written before, as it was then. */
  restore(call: Call, key: number, again: boolean): Uint8Array | null
  /** Removes keys that are there now. */
  remove(call: Call, keys: readonly number[]): void
}

/** Clients that wait for keys. Commands use Call.blockOn. */
export interface KeyBlocking {
  readonly clientCount: number
  /** Of them, those whose time is limited. */
  readonly timedClientCount: number
  /** Keys that somebody waits for, and those of them that somebody waits for to go. */
  readonly keyCount: number
  readonly keyCountWhenGone: number
  block(call: Call, wait: KeyWait): void
}

/** A command that found nothing at its keys and waits for them; see Call.blockOn. */
export interface KeyWait {
  /** The keys: arguments firstKey .. firstKey + keyCount - 1. */
  readonly firstKey: number
  readonly keyCount: number
  /** Type (of KeyType) that a key must have for the command to be tried again: BLPOP waits on through a SET of its key. */
  readonly type: number
  /** 0 for ever; see blockingTimeout. */
  readonly timeoutMs: number
  /**
   * Tries again, with the request as it was. Either writes effects and the reply like a handler and answers true, or has changed and
   * written nothing and answers false: then the client waits on. What it throws as CommandError is the reply.
   */
  retry(call: Call): boolean
  /**
   * Milliseconds after which the command is to be tried again though no key has changed, null for never. Asked when it begins to wait, and after each try that
   * gave nothing.
   */
  retryAfterMs?(call: Call): number | null
  /** Writes the reply when time is up. Default: the null array. */
  timedOut?(reply: ReplyWriter): void
  /** Tries also when a key has gone or has become another type: XREADGROUP, which answers an error then. */
  readonly alsoWhenGone?: boolean
}

/** CLIENT PAUSE. */
export interface PauseControl {
  /** Holds commands back until then: all, or those that write. An earlier pause is never made shorter or milder. */
  begin(untilUnixMs: number, mode: 'write' | 'all'): void
  end(): void
  readonly mode: 'none' | 'write' | 'all'
}

export interface SlowLogReader {
  readonly length: number
  /** Newest first. */
  newest(count: number): readonly SlowLogEntry[]
  reset(): void
}

/** What stopped the server for how long. */
export interface LatencyReader {
  readonly thresholdMs: number
  /** Those that INFO latencystats shows of each command. */
  readonly percentiles: readonly number[]
  events(): readonly LatencyEvent[]
  /** False if there is no such event. */
  reset(name: string): boolean
}

export interface LatencyEvent {
  readonly name: string
  /** At least one, the oldest first. */
  readonly samples: readonly { readonly unixSeconds: number; readonly ms: number }[]
  readonly maxMs: number
}

export interface SlowLogEntry {
  readonly id: number
  readonly unixSeconds: number
  readonly microseconds: number
  /** The first ones, and how many more there are. */
  readonly args: readonly Uint8Array[]
  /** All that the command had, with its name. */
  readonly argc: number
  readonly address: string
  readonly clientName: string
}
