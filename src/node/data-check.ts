import { MeridianError } from '../base/errors.js'
import { LIMITS } from '../base/limits.js'
import { ApplyContext } from '../crdt/apply-context.js'
import { EffectReader } from '../crdt/effect-reader.js'
import type { FrameView } from '../crdt/frame.js'
import { FrameWriter } from '../crdt/frame-writer.js'
import { HybridClock } from '../crdt/hybrid-clock.js'
import { isStabilityNote } from '../crdt/stability-note.js'
import { VersionVector } from '../crdt/version-vector.js'
import { Collections } from '../keyspace/collections.js'
import { Effects } from '../keyspace/effects.js'
import { Keys } from '../keyspace/keys.js'
import { Keyspace } from '../keyspace/keyspace.js'
import { KeyStates } from '../keyspace/state/key-states.js'
import { StringStore } from '../keyspace/string-store.js'
import { copyFile } from '../oplog/copy-file.js'
import { LostFrames } from '../oplog/damage-survey.js'
import { identityPath, readIdentity, type DataFolderIdentity } from '../oplog/data-folder.js'
import { LogDamage, LogScan, type LogScanOptions } from '../oplog/log-scan.js'
import { encodeSegmentHeader, segmentFileName, segmentSequence } from '../oplog/segment-header.js'
import { logFolder } from '../oplog/segment.js'
import { snapshotFolder } from '../oplog/snapshot-format.js'
import { SnapshotReader, damagedSnapshot, listSnapshots } from '../oplog/snapshot-reader.js'
import { SnapshotWriter } from '../oplog/snapshot-writer.js'
import type { Disk } from '../ports/disk.js'
import { decodeTopology } from '../topology/topology-codec.js'
import { TopologyState } from '../topology/topology-state.js'
import { topologyPath } from './joining.js'

/** A snapshot that is whole. */
interface WholeSnapshot {
  readonly path: string
  readonly position: number
  readonly end: number
  /** What the log has before the position. */
  readonly vector: VersionVector
  /** What its records may show. */
  readonly seen: VersionVector
  readonly topology: Uint8Array
  readonly keys: number
}

/** The positions between which the log is whole, or will be after the repair, and what it has. */
interface WholeLog {
  readonly begin: number
  readonly end: number
  readonly vector: VersionVector
}

const STARTS_EMPTY =
  'Nothing is left to start from: a start begins with no data. In a cluster of several members it gets from the others what they have, before it takes writes: start it ' +
  'while they can be reached.'

/** What moves aside and is cut to make a start possible again. */
interface Repair {
  readonly moves: string[]
  cut: { readonly path: string; readonly offset: number } | null
  /** A segment that loses its first frames: what is behind the offset gets this header. */
  begin: { readonly path: string; readonly offset: number; readonly header: Uint8Array } | null
  /** A snapshot that is to ask for the log up to this position only. */
  shorten: { readonly path: string; readonly position: number } | null
  /** A new segment, of which this is all: the log begins anew at a snapshot. */
  anew: { readonly path: string; readonly header: Uint8Array } | null
}

export interface CheckReport {
  /** What was found, line by line. */
  readonly lines: readonly string[]
  /** Something is not as it was written. */
  readonly isDamaged: boolean
  /** Null when nothing in the folder can mend it. */
  readonly repair: Repair | null
  /** What a repair gives up, line by line. */
  readonly givenUp: readonly string[]
}

/**
 * Checks everything in a data folder that no process uses: whose it is, every snapshot down to its last record, every frame of the log; and says what is damaged, what that
 * means, and what would mend it. Changes nothing.
 * @throws MeridianError when the folder is none, or is of another version, or the disk refuses
 */
export function checkDataFolder(disk: Disk, folder: string): CheckReport {
  return new DataCheck(disk, folder).run()
}

/**
 * Moves aside and cuts what a check has found. Nothing is removed: what is moved, and a copy of what is cut, is in the folder `quarantine`.
 * @returns where things are now, line by line
 */
export function repairDataFolder(disk: Disk, folder: string, repair: Repair, name: string): string[] {
  const quarantine = `${folder}/quarantine-${name}`
  const lines: string[] = []
  disk.ensureFolder(quarantine)
  const aside = (path: string): string => `${quarantine}/${path.slice(path.lastIndexOf('/') + 1)}`
  if (repair.cut !== null) {
    const { path, offset } = repair.cut
    copyFile(disk, path, aside(path))
    disk.truncate(path, offset)
    lines.push(`cut ${path} at byte ${offset}; the whole file is ${aside(path)}`)
  }
  if (repair.begin !== null) {
    const { path, offset, header } = repair.begin
    const rest = `${quarantine}/rest`
    copyFile(disk, path, rest, offset, header)
    copyFile(disk, path, aside(path))
    disk.rename(rest, path)
    lines.push(`left out of ${path} what is before byte ${offset}; the whole file is ${aside(path)}`)
  }
  if (repair.shorten !== null) {
    const { path, position } = repair.shorten
    copyFile(disk, path, aside(path))
    shortenSnapshot(disk, folder, path, position)
    lines.push(`${path} asks for the log up to position ${position} only; as it was it is ${aside(path)}`)
  }
  if (repair.anew !== null) {
    const { path, header } = repair.anew
    const segment = disk.openAppend(path)
    try {
      segment.append(header)
      segment.syncNow()
    } finally {
      segment.close()
    }
    lines.push(`began the log anew, in ${path}`)
  }
  // The newest first: a crash in between leaves no gap.
  for (const path of [...repair.moves].sort().reverse()) {
    disk.rename(path, aside(path))
    lines.push(`moved ${path} to ${aside(path)}`)
  }
  for (const changed of [quarantine, logFolder(folder), snapshotFolder(folder)]) disk.syncFolder(changed)
  return lines
}

/** Writes a snapshot once more, so that a start does not ask for more of the log than there is. */
function shortenSnapshot(disk: Disk, folder: string, path: string, position: number): void {
  const reader = new SnapshotReader(disk, path, null)
  try {
    const writer = new SnapshotWriter(disk, folder, reader.header)
    try {
      for (const section of reader.sections) {
        const { database, shard, keys } = section
        writer.addSection(database, shard, keys, reader.readSection(section, true))
      }
      writer.writeEnd({ ...reader.end, position })
      writer.syncNow()
      writer.publish()
    } catch (error) {
      writer.abandon()
      throw error
    }
  } finally {
    reader.close()
  }
}

class DataCheck {
  private readonly lines: string[] = []
  private readonly givenUp: string[] = []
  private readonly moves: string[] = []
  private cut: Repair['cut'] = null
  /** What goes with the log behind the place where it is cut; empty when it is not. */
  private cutOff: string[] = []
  /** Stamps of this member's own among that. */
  private ownCutOff: { readonly first: number; readonly last: number } | null = null
  private begin: Repair['begin'] = null
  private shorten: Repair['shorten'] = null
  private anew: Repair['anew'] = null
  private isDamaged = false
  private readonly identity: DataFolderIdentity
  private readonly scratch: ScratchData
  private readonly snapshots: WholeSnapshot[] = []

  constructor(
    private readonly disk: Disk,
    private readonly folder: string,
  ) {
    const identity = readIdentity(disk, folder)
    if (identity === null) {
      throw new MeridianError(
        'MRD_DATA_FOLDER',
        `${folder} is no data folder: ${identityPath(folder)} is missing`,
        'Name the folder that the setting storage.dir names. If that file was lost, restore it from a copy.',
      )
    }
    this.identity = identity
    this.scratch = new ScratchData(identity)
    disk.ensureFolder(logFolder(folder))
    disk.ensureFolder(snapshotFolder(folder))
  }

  run(): CheckReport {
    const { clusterId, memberId, memberName } = this.identity
    this.lines.push(`member ${memberName} (id ${memberId}) of cluster ${clusterId}`)
    this.checkSnapshots()
    const log = this.checkLog()
    const canStart = this.judgeSnapshots(log)
    const { moves, cut, begin, shorten, anew } = this
    const repair = canStart ? { moves, cut, begin, shorten, anew } : null
    return { lines: this.lines, isDamaged: this.isDamaged, repair, givenUp: [...this.cutOff, ...this.givenUp] }
  }

  private checkSnapshots(): void {
    for (const { path } of listSnapshots(this.disk, this.folder)) {
      try {
        const reader = new SnapshotReader(this.disk, path, this.identity)
        try {
          this.scratch.read(reader)
        } finally {
          reader.close()
        }
        const { header, end, keys } = reader
        const { position, vector, topology } = header
        this.snapshots.push({ path, position, end: end.position, vector, seen: end.seen, topology, keys })
        this.lines.push(`${path}: whole, ${keys} keys, begins at position ${header.position} of the log`)
      } catch (error) {
        if (!(error instanceof MeridianError) || error.code !== 'MRD_SNAPSHOT_DAMAGED') throw error
        this.damage(`${withoutRemedy(error)}. No start can begin from this snapshot.`)
        this.moves.push(path)
      }
    }
  }

  /** Reads the log; gives the positions between which it is whole, or will be after the repair. */
  private checkLog(): WholeLog {
    const { scan, damage } = this.scan({})
    const begin = scan.segments[0]?.startByte ?? 0
    this.lines.push(
      `log: ${scan.segments.length} segments, ${scan.frames} frames, positions ${begin} to ${scan.endByte}, vector ${scan.vector.toString()}`,
    )
    if (damage === null) {
      if (scan.torn !== null)
        this.lines.push(
          `${scan.torn.path}: the last ${scan.torn.bytes} bytes are an unfinished write, as a crash leaves it; the next start cuts them off`,
        )
      return { begin, end: scan.endByte, vector: scan.vector }
    }
    const sequence = segmentSequence(damage.path.slice(damage.path.lastIndexOf('/') + 1))
    return this.passOver(sequence, damage) ?? this.passOverWithin(sequence, damage) ?? this.cutAt(sequence, damage, begin, scan)
  }

  /** Damage in what only other members could still ask for: without the log up to there a start is what it was. */
  private passOver(sequence: number, damage: LogDamage): WholeLog | null {
    const [newest] = this.snapshots
    if (newest === undefined) return null
    const { scan, damage: later } = this.scan({ firstSequence: sequence + 1 })
    const begin = scan.segments[0]?.startByte ?? Infinity
    if (later !== null || begin > newest.position) return null
    return this.beginAt(sequence + 1, damage, begin, scan)
  }

  /** The same in the segment in which the newest snapshot begins, before that place. */
  private passOverWithin(sequence: number, damage: LogDamage): WholeLog | null {
    const [newest] = this.snapshots
    const { path } = damage
    if (newest === undefined || !this.disk.exists(path)) return null
    const { position, vector } = newest
    const { scan, damage: later } = this.scan({ firstSequence: sequence, middle: { position, vector } })
    const [segment] = scan.segments
    if (later !== null || segment === undefined || scan.endByte < newest.end) return null
    const { clusterId, memberId } = this.identity
    const header = encodeSegmentHeader({ clusterId, memberId, sequence, startByte: position, vector })
    this.begin = { path, offset: segment.headerBytes, header }
    return this.beginAt(sequence, damage, position, scan)
  }

  /** Lets go of the log before this position, and of the segments before this one. */
  private beginAt(sequence: number, damage: LogDamage, begin: number, scan: LogScan): WholeLog {
    for (const each of this.sequences()) if (each < sequence) this.moves.push(this.segmentPath(each))
    this.damage(
      `${withoutRemedy(damage)}. It is older than the newest snapshot: a start does not need it, but members that lack writes from before ` +
        `position ${begin} cannot get them from here.`,
    )
    this.givenUp.push(
      `The log of this member begins at position ${begin}. Members that lack what came before get it from others, or as a snapshot.`,
    )
    return { begin, end: scan.endByte, vector: scan.vector }
  }

  private cutAt(sequence: number, damage: LogDamage, begin: number, { endByte: end, vector }: LogScan): WholeLog {
    const lost = new LostFrames()
    if (this.disk.exists(damage.path)) {
      lost.addFile(this.disk, damage.path, damage.offset)
      if (damage.offset === 0) this.moves.push(damage.path)
      else this.cut = { path: damage.path, offset: damage.offset }
    }
    for (const each of this.sequences()) {
      if (each <= sequence) continue
      lost.addFile(this.disk, this.segmentPath(each), 0)
      this.moves.push(this.segmentPath(each))
    }
    this.damage(`${withoutRemedy(damage)}. Everything after that is out of reach: ${lost.toString()}.`)
    this.cutOff.push(`The log is cut at position ${end}: ${lost.toString()}.`)
    const own = lost.stamps.get(this.identity.memberId)
    if (own !== undefined) {
      this.ownCutOff = own
      this.cutOff.push(`Among that are this member's own writes, ${lossOfOwn(own.first, own.last)}`)
    }
    return { begin: Math.min(begin, end), end, vector }
  }

  /** Says which snapshot a start would begin from; false when there is none and the log does not have everything. */
  private judgeSnapshots(log: WholeLog): boolean {
    const anew = this.beginsAnew(log)
    if (anew !== undefined) {
      this.startAnew(anew, log)
      return true
    }
    let base: WholeSnapshot | null = null
    for (const snapshot of this.snapshots) {
      const { path, position, end, keys } = snapshot
      if (position < log.begin) {
        this.lines.push(`${path}: the log does not reach back to it any more`)
      } else if (end > log.end || position > log.end) {
        if (this.cut === null)
          this.damage(`The log ends at position ${log.end}, but ${path} has seen it up to ${end}: the log has lost its end.`)
        if (base === null && this.shortenTo(snapshot, log)) {
          base = snapshot
          continue
        }
        this.givenUp.push(`${path} has seen more of the log than is left, and cannot be used, with the ${keys} keys that it has.`)
        this.moves.push(path)
      } else {
        base ??= snapshot
      }
    }
    if (base === null && log.begin > 0) {
      this.damage(
        `The log begins at position ${log.begin}, and there is no whole snapshot of what came before. Nothing here can mend that: restore the folder from a backup; or ` +
          'move it aside and let the member join again with an empty one, if the other members have its writes.',
      )
      return false
    }
    if (this.isDamaged && base !== null)
      this.givenUp.push(`A start begins from ${base.path} and replays the log from position ${base.position} to ${log.end}.`)
    else if (this.isDamaged && log.end > 0) this.givenUp.push(`A start reads the whole log, up to position ${log.end}.`)
    else if (this.isDamaged) this.givenUp.push(STARTS_EMPTY)
    return true
  }

  /** The newest snapshot that has everything that is left of the log, and more. */
  private beginsAnew(log: { end: number }): WholeSnapshot | undefined {
    const snapshot = this.snapshots.find((each) => this.standsAlone(each, each.vector))
    return snapshot !== undefined && snapshot.position > log.end ? snapshot : undefined
  }

  /**
   * A start may begin from the snapshot without the log that its records have seen behind its place, where the log has `vector`. Ops of others come again. The member's
   * own do not: parts of some would be in this member's keys for ever, and in nobody else's. Nobody else is no matter where there is nobody else.
   */
  private standsAlone(snapshot: WholeSnapshot, vector: VersionVector): boolean {
    const { memberId } = this.identity
    return snapshot.seen.get(memberId) <= vector.get(memberId) || this.isAlone(snapshot)
  }

  /** As far as the folder knows: nobody else has ever written, and nobody else is in the list of members. */
  private isAlone({ seen, topology }: WholeSnapshot): boolean {
    const { disk, folder, identity } = this
    const path = topologyPath(folder)
    const bytes = disk.exists(path) ? disk.readWhole(path) : topology
    const others = bytes.length === 0 ? [] : decodeTopology(bytes, path).members()
    return [...seen.entries()].every(([id]) => id === identity.memberId) && others.every(({ id }) => id === identity.memberId)
  }

  /** Lets the log begin anew at the snapshot's place; what is left of it moves aside. */
  private startAnew(snapshot: WholeSnapshot, log: { end: number }): void {
    const { clusterId, memberId } = this.identity
    const { path, position, end, vector, keys } = snapshot
    const sequences = this.sequences()
    if (this.cut === null && !this.isDamaged)
      this.damage(`The log ends at position ${log.end}, but ${path} has seen it up to ${end}: the log has lost its end.`)
    // What was to be mended of the old log is not any more: all of it moves as it is.
    this.cut = null
    this.begin = null
    this.cutOff = []
    const segments = sequences.map((each) => this.segmentPath(each))
    this.moves.push(...segments.filter((each) => !this.moves.includes(each)))
    for (const other of this.snapshots) if (other !== snapshot) this.moves.push(other.path)
    if (end > position) this.shorten = { path, position }
    // One number is left out, as where a transfer has replaced the log: should a crash leave both, the snapshot says which one counts.
    const sequence = (sequences.at(-1) ?? -1) + 2
    const header = encodeSegmentHeader({ clusterId, memberId, sequence, startByte: position, vector })
    this.anew = { path: this.segmentPath(sequence), header }
    this.givenUp.push(
      `A start begins from ${path}, with the ${keys} keys that it has, and an empty log. In a cluster of several members it gets from the others what they have of what came later, ` +
        'before it takes writes: start it while they can be reached.',
    )
    // What the snapshot stands for is not lost with the log.
    const own = this.ownCutOff
    const kept = vector.get(memberId)
    if (own !== null && own.last > kept)
      this.givenUp.push(
        `With the log go this member's own writes behind that snapshot, ${lossOfOwn(Math.max(own.first, kept + 1), own.last)}`,
      )
    this.noteMixture(snapshot, position)
  }

  /** Lets a start begin from a snapshot that has seen a little more of the log than is left; false when that would mean more than a loss. */
  private shortenTo(snapshot: WholeSnapshot, log: WholeLog): boolean {
    const { path, position, end } = snapshot
    // What is left of the log has everything by itself.
    if (log.begin === 0 && position < log.end) return false
    if (position > log.end || end <= log.end || !this.standsAlone(snapshot, log.vector)) return false
    this.shorten = { path, position: log.end }
    this.noteMixture(snapshot, log.end)
    return true
  }

  private noteMixture({ path, end }: WholeSnapshot, position: number): void {
    if (end > position)
      this.givenUp.push(
        `${path} was written while writes went on, to position ${end}. Of those behind position ${position} it has some and not others: transactions among them may be there in part.`,
      )
  }

  private scan(part: Pick<LogScanOptions, 'firstSequence' | 'middle'>): { scan: LogScan; damage: LogDamage | null } {
    const { disk, folder, identity } = this
    let scan: LogScan | null = null
    try {
      scan = new LogScan({
        disk,
        folder,
        owner: identity,
        anywhere: true,
        ...part,
        visit: (frame) => this.scratch.check(frame),
      })
      while (!scan.step());
      return { scan, damage: null }
    } catch (error) {
      scan?.close()
      if (!(error instanceof LogDamage)) throw error
      // A segment is missing: what comes before it can be read.
      scan ??= this.scanBefore(segmentSequence(error.path.slice(error.path.lastIndexOf('/') + 1)))
      return { scan, damage: error }
    }
  }

  private scanBefore(sequence: number): LogScan {
    const { disk, folder, identity } = this
    const scan = new LogScan({
      disk,
      folder,
      owner: identity,
      anywhere: true,
      endSequence: sequence,
      visit: (frame) => this.scratch.check(frame),
    })
    while (!scan.step());
    return scan
  }

  private sequences(): number[] {
    return this.disk
      .list(logFolder(this.folder))
      .map(segmentSequence)
      .filter((sequence) => sequence > 0)
  }

  private segmentPath(sequence: number): string {
    return `${logFolder(this.folder)}/${segmentFileName(sequence)}`
  }

  private damage(line: string): void {
    this.isDamaged = true
    this.lines.push(`DAMAGED ${line}`)
  }
}

/** Somewhere to read records and ops to, to see that they can be read. */
class ScratchData {
  private readonly keyspace = new Keyspace(LIMITS.maxDatabases, 0)
  private readonly states: KeyStates
  private readonly effects: EffectReader

  constructor({ memberId }: DataFolderIdentity) {
    const context = new ApplyContext()
    const { keyspace } = this
    const strings = new StringStore(keyspace, context)
    const topology = new TopologyState()
    const keys = new Keys(keyspace, strings, context)
    const writer = new FrameWriter(memberId, new VersionVector())
    const effects = new Effects(memberId, keyspace, strings, context, new HybridClock(), writer, keys, topology)
    new Collections({ self: memberId, keyspace, strings, context, effects }, keys)
    this.states = new KeyStates(keyspace, strings, keys, context)
    this.effects = new EffectReader(LIMITS.maxDatabases, keys.stores, topology)
  }

  /** Reads every record of a snapshot, a shard at a time, so that it does not take the memory of all. */
  read(reader: SnapshotReader): void {
    const loader = this.states.loader()
    let database = 0
    let shard = -1
    for (const section of reader.sections) {
      if (section.database !== database || section.shard !== shard) this.keyspace.reset(database)
      ;({ database, shard } = section)
      const records = reader.readSection(section, true)
      try {
        const keys = loader.load(database, records, 0, records.length)
        if (keys !== section.keys)
          throw damagedSnapshot(reader.path, section.offset, `it begins ${keys} keys, the index says ${section.keys}`)
      } catch (error) {
        if (!(error instanceof MeridianError)) throw error
        throw damagedSnapshot(reader.path, section.offset, error.message, error)
      }
    }
    this.keyspace.reset(database)
    loader.end()
  }

  check(frame: FrameView): void {
    if (isStabilityNote(frame)) return
    const { effects } = this
    effects.start(frame)
    while (effects.next());
    if (effects.error === null) return
    throw new MeridianError(
      'MRD_FRAME',
      `the frame of member ${frame.origin} cannot be read: ${effects.error}`,
      'Nothing was changed.',
    )
  }
}

/** What it means that own writes with these stamps are in no file any more; completes a sentence. */
function lossOfOwn(first: number, last: number): string {
  return (
    `stamps ${first} to ${last}. In a cluster of one member they are lost. In a larger one it fetches at its start ` +
    'what another member has of them, before it takes writes. So start it while the others can be reached: where it hears of nobody for as long as ' +
    'peers.start-wait it goes on without, and is refused when it meets one that has them (MRD_PEER_DUPLICATE_ID).'
  )
}

/** The error's sentence, without its code and what follows. */
function withoutRemedy(error: MeridianError): string {
  return error.message.slice(0, error.message.indexOf(` (${error.code})`))
}
