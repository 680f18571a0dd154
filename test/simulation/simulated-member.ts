import type { EvictionPolicy } from '../../src/base/eviction-policies.js'
import type { MemberId } from '../../src/base/ids.js'
import type { VersionVector } from '../../src/crdt/version-vector.js'
import type { DataFolderIdentity } from '../../src/oplog/data-folder.js'
import type { Topology } from '../../src/peer-sync/sync-host.js'
import type { Clock } from '../../src/ports/clock.js'
import type { Disk } from '../../src/ports/disk.js'
import type { Logger } from '../../src/ports/logger.js'
import type { Network } from '../../src/ports/network.js'
import type { Random } from '../../src/ports/random.js'
import type { DecodedFrame } from './effects.js'
import type { Reply } from './reply.js'

/** How much of its log a member keeps, and when it writes snapshots by itself. */
export interface Keeping {
  readonly backlogBytes: number
  readonly segmentBytes: number
  readonly rewriteMinBytes: number
  readonly rewritePercentage: number
  readonly syncMaxRate: number
}

/** The state of another member that a member begins to take. */
export interface OfferedState {
  readonly giver: number
  /** What it stands for, what was stable then, and what its records may show. */
  readonly vector: VersionVector
  readonly stable: VersionVector
  readonly seen: VersionVector
}

/** The members that one goes by: ids of all others that have not departed, of those of them that stay, and whether it stays itself. */
export interface Counted {
  readonly others: readonly number[]
  readonly staying: readonly number[]
  readonly stays: boolean
}

/** Where a member tells the simulator how it takes the state of another one. */
export interface TransferListener {
  opened(): void
  offered(offer: OfferedState): void
  cameShard(): void
  finishing(): void
  taken(vector: VersionVector): void
  /** It lets go of what of its log came before. */
  trimmed(vector: VersionVector, counted: Counted): void
  /** It keeps what of its log came before, although that is beyond the budget and might go. */
  keptTooMuch(vector: VersionVector): void
}

/** What a member gets to run on, and where it tells the simulator what it logs. */
export interface MemberEnvironment {
  readonly id: MemberId
  readonly name: string
  readonly topology: Topology
  readonly dataFolder: string
  readonly databases: number
  readonly appendfsync: 'always' | 'everysec' | 'no'
  /** How long a restarted member waits to hear from others before it takes writes. */
  readonly startWaitMs: number
  /** Long writes and large frames of others, which go in slices, begin with very few elements and bytes. */
  readonly sliced: boolean
  /** Null: what not every other member has is kept, and snapshots are written when they are asked for. */
  readonly keeping: Keeping | null
  readonly transfers: TransferListener
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly network: Network
  readonly logger: Logger
  /** Every frame that the member hands to its log, its own and others', in order; not those that it reads back at start. */
  onFrame(bytes: Uint8Array): void
}

export interface SimulatedSession {
  /** Runs one command at once. */
  call(args: readonly (string | Uint8Array)[]): Reply
}

/** A backup of a running member. */
export interface SimulatedBackup {
  /** Asks whether it can be fetched; 'gone': it was given up. */
  ask(): 'waiting' | 'ready' | 'gone'
  /** Fetches the next piece; 'whole': there is no more, and the file is what was written. */
  fetch(): 'more' | 'whole' | 'gone'
  /** Makes the data folder of a member that begins with the state of it. */
  restore(disk: Disk, folder: string, identity: DataFolderIdentity, clock: Clock): void
}

/** Up to when a member has the writes of another one, in Unix milliseconds; 0: none. */
export interface LastWrite {
  readonly name: string
  readonly ms: number
}

/** A running member, as the simulator drives it. */
export interface SimulatedMember {
  newSession(): SimulatedSession
  readonly applied: VersionVector
  readonly durable: VersionVector
  /** Client writes may be refused now: it is starting, joining, taking the state of another one, or removed. */
  readonly refusesWrites?: boolean
  /** It takes the state of another member: nothing is written meanwhile. */
  readonly isTaking?: boolean
  /** Some of that has come: what it shows is of both. */
  readonly isTouched?: boolean
  /** Position of the log's first byte, of its second segment, and of the first byte that a start needs. */
  readonly extent?: { readonly first: number; readonly second: number; readonly needed: number }
  /** It says that another process has written, or writes, in its name. */
  readonly isForked?: boolean
  /** A snapshot is under way, and what has become stable since it was begun may be folded: then it holds what the log behind it does not lead to. */
  readonly foldsOn?: boolean
  /** What it calls stable. */
  readonly stable?: VersionVector
  /** Adds a member; false when that is refused. Missing: this kind has a fixed list. */
  addMember?(name: string): boolean
  knowsMember?(name: string): boolean
  /** That has not been removed. */
  knowsAsMember?(name: string): boolean
  /** said: when that is done, what is known of its writes. */
  removeMember?(name: string, forced: boolean, said: (known: readonly LastWrite[]) => void): boolean
  /** Equal in two members when their data is equal. */
  digest(): string
  /** Begins a snapshot in the background, if none is under way. */
  snapshot?(): void
  /** Begins a backup, as a client does that fetches it to a disk of its own; null when that is refused. Missing: this kind has none. */
  beginBackup?(disk: Disk, clock: Clock): SimulatedBackup | null
  /** Lets no more memory be used than now less so many bytes; null: as much as there is. Missing: this kind has no bound. */
  boundMemory?(bytesTooMuch: number | null, policy: EvictionPolicy): void
  /** Keys that it has evicted. */
  readonly evictions?: number
  /** Ends what is under way in slices if these commands would have to wait for it; null: in any case. Missing: this kind does everything in one go. */
  makeWay?(database: number, commands: readonly (readonly string[])[] | null): void
  /** Ends the turn of the client that has just called: open frames are closed. */
  endTurn(): void
  stop(): void
}

/** A kind of member that can be simulated: the product's, or the plain one that the simulator's own tests use. */
export interface MemberKind {
  start(environment: MemberEnvironment): SimulatedMember
  decode(bytes: Uint8Array): DecodedFrame
  /** The workload leaves out commands that a kind does not have. */
  supports(command: string): boolean
}
