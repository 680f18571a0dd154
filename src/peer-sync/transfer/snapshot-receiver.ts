import { assert } from '../../base/assert.js'
import { equalBytes } from '../../base/bytes.js'
import { MeridianError } from '../../base/errors.js'
import { LIMITS } from '../../base/limits.js'
import type { MemberId } from '../../base/ids.js'
import type { VersionVector } from '../../crdt/version-vector.js'
import type { Clock, Timer } from '../../ports/clock.js'
import type { Logger } from '../../ports/logger.js'
import { protocolError } from '../messages.js'
import { DIGEST_BYTES, SHARD_SUM_BYTES } from './shard-sum.js'
import type { SnapshotIntake } from './snapshot-intake.js'
import { decodeOffer, shardNumber, type SnapshotOffer } from './snapshot-offer.js'
import {
  PIECE,
  encodeShardAsk,
  encodeSnapshotAsk,
  encodeSnapshotCredit,
  encodeSnapshotDone,
  type ShardPiece,
  type SnapshotNo,
  type SnapshotOfferPiece,
  type SnapshotWait,
} from './transfer-messages.js'

/** A link as the receiving half sees it. */
export interface SnapshotLink {
  readonly member: MemberId
  nextTransferId(): number
  send(bytes: Uint8Array): void
  /** Tells the other side what it did wrong and closes. */
  fail(error: Error): void
}

/** A linked member that could give a snapshot. */
export interface SnapshotSource {
  readonly link: SnapshotLink
  readonly name: string
  /** What is durable there, as last reported. */
  readonly durable: VersionVector
}

/** What the receiving half needs to know of the others. */
export interface SnapshotSources {
  readonly clusterId: string
  /** What this member has applied. */
  readonly applied: VersionVector
  /** Some frames that this member lacks are in no log that it can reach. */
  readonly isNeeded: boolean
  /** Everybody is linked, and nobody will ever have all that is here. */
  isForNobody(): boolean
  linked(): SnapshotSource[]
  /** A transfer has begun: frames are not wanted. */
  pauseFrames(): void
  /** It is over: they are. */
  resumeFrames(): void
}

export type TransferPhase = 'idle' | 'seeking' | 'asked' | 'fetching' | 'finishing'

/** How far a transfer has got. */
export interface TransferProgress {
  readonly phase: TransferPhase
  /** Whose snapshot; null while none is chosen. */
  readonly source: string | null
  readonly shards: number
  readonly shardsDone: number
  /** How far the other member's writing of it has got, while it is asked for; percent. */
  readonly writtenPercent: number
  readonly bytesReceived: number
  /** Bytes of the snapshot, of which only what differs is sent; 0 while none is offered. */
  readonly snapshotBytes: number
  readonly keysChanged: number
  /** Milliseconds since it began. */
  readonly elapsedMs: number
  /** Milliseconds until all shards are here, as it went so far; -1 while that cannot be said. */
  readonly remainingMs: number
}

/** The transfers of this process that came to their end, and the last one of them. */
export interface TransfersDone {
  readonly count: number
  readonly bytesReceived: number
  readonly snapshotBytes: number
  readonly keysChanged: number
  readonly elapsedMs: number
}

/** A shard that was asked for. */
interface Asked {
  readonly database: number
  readonly shard: number
  /** All keys were asked for. */
  readonly wantsAll: boolean
  /** What was here of it is gone, if all is to come. */
  isCleared: boolean
  /** What the other side has in it, once all of that has come. */
  sum: Uint8Array | null
}

/** The transfer that is under way, from one link. */
interface Fetch {
  readonly id: number
  readonly source: SnapshotSource
  offerBytes: Uint8Array
  offer: SnapshotOffer | null
  /** Shards not yet asked for, the next one last. */
  readonly todo: { readonly database: number; readonly shard: number }[]
  readonly asked: Asked[]
  /** Pieces that came and were not handled, the oldest first; bounded by the credit. */
  readonly pieces: ShardPiece[]
  shards: number
  shardsDone: number
  /** Bytes of the snapshot. */
  bytes: number
  /** When it was offered. */
  offeredMs: number
  lastProgressMs: number
}

/** How long frames must have been out of reach before a snapshot is asked for: links come up one after another. */
const PATIENCE_MS = 500
/** A source that said no, or fell silent, is not asked again for so long. */
const AVOID_MS = 5000
const SILENCE_MS = 60_000
const FINISH_RETRY_MS = 5000
const NEWS_MS = 5000
/** After this what others report has long come. */
const DEAD_END_MS = 30_000

/**
 * The receiving half of transfers: when frames are missing here that no log within reach has any more, the state of a member that has all of them is
 * taken instead, shard by shard, and frames are asked for from its place on.
 *
 *   idle --needed for a while--> seeking --a linked member has all that is here: ASK--> asked --OFFER--> fetching --every shard is here--> finishing
 *    ^                            ^  \--no longer needed, nothing taken yet--> idle        |                |                                |
 *    |                            +-------------------- link lost, said no, silent --------+----------------+                                |
 *    +------------------------------------------- durable: the snapshot that this member has written of it ---------------------------------+
 *
 * What has been taken stays when a transfer is cut; but what is in memory is then no state that any frames lead to, so only another transfer gets out
 * of there. A crash does too: the disk has the state of before until the end.
 */
export class SnapshotReceiver {
  phase: TransferPhase = 'idle'
  done: TransfersDone = { count: 0, bytesReceived: 0, snapshotBytes: 0, keysChanged: 0, elapsedMs: 0 }
  private fetch: Fetch | null = null
  private neededSinceMs = -1
  private startMs = 0
  private bytesReceived = 0
  private lastNewsMs = 0
  private waitPercent = 0
  private readonly avoided = new Map<MemberId, number>()
  /** Records of the shard in work, the last one perhaps cut off. */
  private records = new Uint8Array(64 * 1024)
  private recordBytes = 0
  /** Hashes of the keys that are being dropped. */
  private drops: ReadonlySet<number> | null = null
  private workPending = false
  /** The next shard is being gone over, or one that has come. Only one of the two. */
  private isDigesting = false
  private isVerifying = false
  private retry: Timer | null = null
  private stopped = false

  constructor(
    private readonly intake: SnapshotIntake,
    private readonly sources: SnapshotSources,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  /** Frames are not asked for while it is. */
  get isActive(): boolean {
    return this.phase !== 'idle'
  }

  get progress(): TransferProgress {
    const { fetch, phase } = this
    const nowMs = this.clock.monotonicMs()
    const shards = fetch?.shards ?? 0
    const shardsDone = fetch?.shardsDone ?? 0
    const fetchedMs = nowMs - (fetch?.offeredMs ?? nowMs)
    return {
      phase,
      source: fetch?.source.name ?? null,
      shards,
      shardsDone,
      writtenPercent: phase === 'asked' ? this.waitPercent : 0,
      bytesReceived: this.bytesReceived,
      snapshotBytes: fetch?.bytes ?? 0,
      keysChanged: this.intake.keysTaken,
      elapsedMs: this.isActive ? nowMs - this.startMs : 0,
      remainingMs: phase === 'finishing' ? 0 : shardsDone === 0 ? -1 : fetchedMs * (shards / shardsDone - 1),
    }
  }

  stop(): void {
    this.stopped = true
    this.retry?.cancel()
    this.fetch = null
  }

  /** To be called a few times a second, and when a link came or went. */
  review(): void {
    if (this.stopped) return
    if (this.phase === 'idle') this.reviewNeed()
    if (this.phase === 'seeking') this.seek()
    const { fetch } = this
    if (fetch !== null && this.phase !== 'finishing' && this.clock.monotonicMs() - fetch.lastProgressMs > SILENCE_MS)
      this.giveUp(fetch, 'it sends nothing')
    this.tellNews()
  }

  /** The link of the transfer, or of another one, is gone. */
  linkClosed(link: SnapshotLink): void {
    if (this.fetch?.source.link === link && this.phase !== 'finishing') this.cut('the link was lost')
  }

  waitReceived(link: SnapshotLink, { transfer, percent }: SnapshotWait): void {
    const fetch = this.fetchOf(link, transfer)
    if (fetch === null) return
    fetch.lastProgressMs = this.clock.monotonicMs()
    this.waitPercent = percent
  }

  noReceived(link: SnapshotLink, { transfer, code, text }: SnapshotNo): void {
    const fetch = this.fetchOf(link, transfer)
    if (fetch === null) return
    this.avoid(fetch)
    this.cut(`it was refused with ${code}: ${text}`)
  }

  /** @throws MeridianError MRD_PEER_PROTOCOL */
  offerReceived(link: SnapshotLink, { transfer, isLast, piece }: SnapshotOfferPiece): void {
    const fetch = this.fetchOf(link, transfer)
    if (fetch === null) return
    if (fetch.offer !== null) throw protocolError('a second SNAPSHOT_OFFER')
    if (fetch.offerBytes.length + piece.length > LIMITS.transferOfferBytes) throw protocolError('SNAPSHOT_OFFER is too long')
    const bytes = new Uint8Array(fetch.offerBytes.length + piece.length)
    bytes.set(fetch.offerBytes)
    bytes.set(piece, fetch.offerBytes.length)
    fetch.offerBytes = bytes
    fetch.lastProgressMs = this.clock.monotonicMs()
    if (isLast) this.begin(fetch, decodeOffer(bytes))
  }

  /** @throws MeridianError MRD_PEER_PROTOCOL */
  pieceReceived(link: SnapshotLink, piece: ShardPiece): void {
    const fetch = this.fetchOf(link, piece.transfer)
    if (fetch === null) return
    const waiting = fetch.pieces.reduce((sum, { bytes }) => sum + bytes.length, 0)
    if (waiting >= LIMITS.transferCreditBytes) throw protocolError('more of a snapshot is on its way than the credit')
    fetch.pieces.push({ ...piece, bytes: piece.bytes.slice() })
    fetch.lastProgressMs = this.clock.monotonicMs()
    this.bytesReceived += piece.bytes.length
    this.workLater()
  }

  private fetchOf(link: SnapshotLink, transfer: number): Fetch | null {
    const { fetch } = this
    return fetch !== null && fetch.source.link === link && fetch.id === transfer ? fetch : null
  }

  // --- when, and of whom

  private reviewNeed(): void {
    const nowMs = this.clock.monotonicMs()
    if (!this.sources.isNeeded) {
      this.neededSinceMs = -1
      return
    }
    if (this.neededSinceMs < 0) this.neededSinceMs = nowMs
    if (nowMs - this.neededSinceMs < PATIENCE_MS) return
    this.phase = 'seeking'
    this.startMs = this.lastNewsMs = nowMs
    this.bytesReceived = 0
    this.logger.warn(
      { applied: this.sources.applied.toString() },
      'frames that are missing here are in no log within reach any more: the state of another member is fetched; writes are refused meanwhile',
    )
    this.intake.open()
    this.sources.pauseFrames()
  }

  private seek(): void {
    const { intake, sources, clock } = this
    if (!intake.isTouched && !sources.isNeeded) {
      this.logger.info({}, 'the missing frames can be had after all: no snapshot is needed')
      return this.end()
    }
    if (!intake.isQuiet) return
    const source = this.choose()
    if (source === null) return
    const id = source.link.nextTransferId()
    this.fetch = {
      id,
      source,
      offerBytes: NOTHING,
      offer: null,
      todo: [],
      asked: [],
      pieces: [],
      shards: 0,
      shardsDone: 0,
      bytes: 0,
      offeredMs: 0,
      lastProgressMs: clock.monotonicMs(),
    }
    this.phase = 'asked'
    this.waitPercent = 0
    this.logger.info({ source: source.name }, 'asking for a snapshot')
    source.link.send(
      encodeSnapshotAsk({ transfer: id, creditBytes: LIMITS.transferCreditBytes, applied: sources.applied.clone() }),
    )
  }

  /** The linked member that has all that is here, and most besides. */
  private choose(): SnapshotSource | null {
    const { applied } = this.sources
    const nowMs = this.clock.monotonicMs()
    let best: SnapshotSource | null = null
    let most = -1
    for (const source of this.sources.linked()) {
      if (nowMs < (this.avoided.get(source.link.member) ?? -Infinity) || !source.durable.dominates(applied)) continue
      const sum = source.durable.stamps.reduce((total, stamp) => total + stamp, 0)
      if (sum <= most) continue
      best = source
      most = sum
    }
    return best
  }

  private avoid({ source }: Fetch): void {
    this.avoided.set(source.link.member, this.clock.monotonicMs() + AVOID_MS)
  }

  private giveUp(fetch: Fetch, why: string): void {
    this.avoid(fetch)
    fetch.source.link.send(encodeSnapshotDone(fetch.id))
    this.cut(why)
  }

  private cut(why: string): void {
    const { fetch } = this
    if (fetch === null) return
    this.logger.warn(
      { source: fetch.source.name, shards: fetch.shards, shardsDone: fetch.shardsDone },
      `the transfer of a snapshot was cut: ${why}`,
    )
    this.intake.abortShard()
    this.isDigesting = this.isVerifying = false
    this.drops = null
    this.recordBytes = 0
    this.fetch = null
    this.phase = 'seeking'
  }

  // --- taking it in

  private begin(fetch: Fetch, offer: SnapshotOffer): void {
    const { header, shards } = offer
    const { applied, clusterId } = this.sources
    if (header.clusterId !== clusterId || header.memberId !== fetch.source.link.member)
      throw protocolError(`a snapshot of member ${header.memberId} of cluster ${header.clusterId} is offered`)
    if (!header.vector.dominates(applied)) throw protocolError('a snapshot is offered that lacks what is here')
    try {
      this.intake.begin(offer)
    } catch (error) {
      if (!(error instanceof MeridianError)) throw error
      this.logger.error({ code: error.code }, `A snapshot cannot be taken: ${error.message}`)
      return this.giveUp(fetch, error.message)
    }
    fetch.offer = offer
    const known = new Set(shards.map(shardNumber))
    const ours = this.intake.shards().filter((shard) => !known.has(shardNumber(shard)))
    // What only this member has something in is asked for too: the answer is that there is nothing.
    fetch.todo.push(...shards, ...ours)
    fetch.todo.reverse()
    fetch.shards = fetch.todo.length
    fetch.bytes = shards.reduce((sum, shard) => sum + shard.bytes, 0)
    fetch.offeredMs = this.clock.monotonicMs()
    this.phase = 'fetching'
    this.logger.info({ source: fetch.source.name, shards: fetch.shards, bytes: fetch.bytes }, 'taking a snapshot')
    this.workLater()
  }

  /** Goes over the next shard, to say what of it is here. Gives what that cost, in bytes; 0: nothing is to be asked now. */
  private askNext(fetch: Fetch): number {
    const next = fetch.todo.at(-1)
    if (next === undefined || fetch.asked.length >= LIMITS.transferShards || this.isVerifying) return 0
    const { database, shard } = next
    const digest = this.intake.digest(database, shard, !this.isDigesting)
    this.isDigesting = digest === null
    if (digest === null) return LIMITS.transferIntakeBytes
    fetch.todo.pop()
    const { digests } = digest
    this.ask(fetch, database, shard, digests)
    return DIGEST_COST + 8 * (digests?.length ?? 0)
  }

  /** digests: what is here; null: all keys are wanted. */
  private ask(fetch: Fetch, database: number, shard: number, digests: Uint8Array | null): void {
    const { link } = fetch.source
    const wantsAll = digests === null
    fetch.asked.push({ database, shard, wantsAll, isCleared: !wantsAll, sum: null })
    const list = digests ?? NOTHING
    for (let from = 0; from === 0 || from < list.length; from += DIGEST_PIECE_BYTES) {
      const piece = list.subarray(from, from + DIGEST_PIECE_BYTES)
      const isLast = from + piece.length === list.length
      link.send(encodeShardAsk({ transfer: fetch.id, database, shard, wantsAll, isLast, digests: piece }))
    }
  }

  /** All of a shard has come: is it what the other side has? */
  private verify(fetch: Fetch, asked: Asked): void {
    const { database, shard, sum, wantsAll } = asked
    const digest = this.intake.digest(database, shard, !this.isVerifying)
    this.isVerifying = digest === null
    if (digest === null || sum === null) return
    fetch.asked.shift()
    if (digest.sum.length === sum.length && equalBytes(digest.sum, 0, sum, 0, sum.length)) {
      fetch.shardsDone++
      return
    }
    this.logger.warn({ database, shard, wantsAll }, 'a shard of a snapshot is not what the other side has')
    if (!wantsAll) return this.ask(fetch, database, shard, null)
    throw new MeridianError(
      'MRD_TRANSFER',
      `Shard ${shard} of database ${database} came whole from ${fetch.source.name} and is not what it says to have there`,
      'Another member is asked. If that says the same, report it with the logs of both members.',
    )
  }

  private workLater(): void {
    if (this.workPending) return
    this.workPending = true
    this.clock.defer(() => {
      this.workPending = false
      const { fetch } = this
      if (this.stopped || fetch === null || this.phase !== 'fetching') return
      try {
        this.work(fetch)
      } catch (error) {
        if (!(error instanceof MeridianError)) throw error
        this.avoid(fetch)
        fetch.source.link.fail(error)
      }
    })
  }

  /** Handles pieces for about a turn. */
  private work(fetch: Fetch): void {
    let bytes = 0
    let handled = 0
    while (handled < LIMITS.transferIntakeBytes) {
      const asked = fetch.asked.at(0)
      if (asked !== undefined && asked.sum !== null) {
        // A shard that is gone over to be asked for is done with first.
        if (this.isDigesting) handled += this.askNext(fetch)
        else {
          this.verify(fetch, asked)
          handled += LIMITS.transferIntakeBytes / 4
        }
        continue
      }
      const piece = fetch.pieces.at(0)
      if (piece === undefined) {
        const cost = this.askNext(fetch)
        if (cost === 0) break
        handled += cost
        continue
      }
      if (asked?.database !== piece.database || asked.shard !== piece.shard)
        throw protocolError(`a piece of shard ${piece.shard} of database ${piece.database}, which was not asked for`)
      if (!asked.isCleared) {
        asked.isCleared = this.intake.clear(asked.database, asked.shard)
        if (!asked.isCleared) break
      }
      if (!this.take(fetch, piece)) break
      fetch.pieces.shift()
      bytes += piece.bytes.length
      handled += piece.bytes.length + PIECE_COST
    }
    if (bytes > 0) fetch.source.link.send(encodeSnapshotCredit({ transfer: fetch.id, bytes }))
    const asked = fetch.asked.at(0)
    const hasWork = fetch.pieces.length > 0 || (asked !== undefined && asked.sum !== null) || fetch.todo.length > 0
    if (hasWork && (fetch.pieces.length > 0 || fetch.asked.length < LIMITS.transferShards || asked?.sum !== null))
      this.workLater()
    else if (fetch.shardsDone === fetch.shards) this.finish(fetch)
  }

  /** False when it is not done with yet: the turn is over. */
  private take(fetch: Fetch, { database, kind, bytes }: ShardPiece): boolean {
    if (kind === PIECE.records) {
      this.addRecords(bytes)
      const taken = this.intake.load(database, this.records, this.recordBytes)
      this.records.copyWithin(0, taken, this.recordBytes)
      this.recordBytes -= taken
      return true
    }
    if (this.recordBytes > 0) throw protocolError('a shard that ends within a record')
    const [asked] = fetch.asked
    if (kind === PIECE.drops) {
      this.drops ??= hashesIn(bytes)
      const areGone = this.intake.drop(database, asked.shard, this.drops)
      if (areGone) this.drops = null
      return areGone
    }
    if (bytes.length !== SHARD_SUM_BYTES) throw protocolError(`the end of a shard with ${bytes.length} bytes`)
    this.intake.endShard()
    asked.sum = bytes
    return true
  }

  private addRecords(bytes: Uint8Array): void {
    const length = this.recordBytes + bytes.length
    if (length > this.records.length) {
      const larger = new Uint8Array(2 * length)
      larger.set(this.records.subarray(0, this.recordBytes))
      this.records = larger
    }
    this.records.set(bytes, this.recordBytes)
    this.recordBytes = length
  }

  // --- the end

  private finish(fetch: Fetch): void {
    this.phase = 'finishing'
    this.records = new Uint8Array(64 * 1024)
    this.logger.info({ bytes: this.bytesReceived }, 'the snapshot is here; it is made durable')
    this.makeDurable(fetch)
  }

  private makeDurable(fetch: Fetch): void {
    this.intake.finish((error) => {
      if (this.stopped) return
      if (error !== null) {
        this.logger.error({ error: error.message }, 'the snapshot that was taken could not be made durable; it is tried again')
        this.retry = this.clock.setTimer(FINISH_RETRY_MS, () => this.makeDurable(fetch))
        return
      }
      assert(!this.intake.isTouched, 'a transfer that is complete')
      fetch.source.link.send(encodeSnapshotDone(fetch.id))
      const { bytesReceived } = this
      const { keysTaken } = this.intake
      const elapsedMs = Math.round(this.clock.monotonicMs() - this.startMs)
      this.done = {
        count: this.done.count + 1,
        bytesReceived,
        snapshotBytes: fetch.bytes,
        keysChanged: keysTaken,
        elapsedMs,
      }
      this.logger.info(
        {
          source: fetch.source.name,
          bytes: bytesReceived,
          snapshotBytes: fetch.bytes,
          keys: keysTaken,
          elapsedMs,
          applied: this.sources.applied.toString(),
        },
        'the state of another member is here; frames are applied again',
      )
      this.end()
    })
  }

  private end(): void {
    this.phase = 'idle'
    this.fetch = null
    this.neededSinceMs = -1
    this.avoided.clear()
    this.intake.close()
    this.sources.resumeFrames()
  }

  private tellNews(): void {
    const { phase, fetch } = this
    const nowMs = this.clock.monotonicMs()
    if (phase === 'idle' || nowMs - this.lastNewsMs < NEWS_MS) return
    this.lastNewsMs = nowMs
    const { source, shards, shardsDone, bytesReceived } = this.progress
    if (phase === 'seeking' && nowMs - this.startMs > DEAD_END_MS && this.sources.isForNobody())
      this.logger.error({ applied: this.sources.applied.toString() }, DEAD_END)
    else if (phase === 'seeking')
      this.logger.warn({}, 'no linked member has all that is here and a snapshot to give; it goes on when there is one')
    else if (phase === 'asked')
      this.logger.info({ source, percent: this.waitPercent }, 'the other member writes a snapshot first')
    else if (fetch !== null) this.logger.info({ source, shards, shardsDone, bytesReceived }, 'a snapshot is being taken')
  }
}

function hashesIn(bytes: Uint8Array): Set<number> {
  if (bytes.length % 4 !== 0) throw protocolError(`${bytes.length} bytes of keys to drop`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const hashes = new Set<number>()
  for (let at = 0; at < bytes.length; at += 4) hashes.add(view.getUint32(at, true))
  return hashes
}

const DEAD_END =
  'All members are linked, this one lacks what is in no log any more, and each of the others lacks something of this one that its log does not have: ' +
  'a disk was lost that had both, and no two states can be joined. Nobody else can have what only this one has: `meridian export` what is wanted of it, then start it with an empty data folder, and start the one again whose disk was lost'
const NOTHING = new Uint8Array(0)
/** What going over a shard costs beside what is in it. */
const DIGEST_COST = 1024
const DIGEST_PIECE_BYTES = LIMITS.linkPieceBytes - (LIMITS.linkPieceBytes % DIGEST_BYTES)
/** What a piece costs beside its bytes, in bytes handled. */
const PIECE_COST = 256
