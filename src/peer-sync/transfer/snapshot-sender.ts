import { Buffer } from 'node:buffer'
import { LIMITS } from '../../base/limits.js'
import type { MemberId } from '../../base/ids.js'
import { MeridianError } from '../../base/errors.js'
import type { VersionVector } from '../../crdt/version-vector.js'
import type { Clock } from '../../ports/clock.js'
import { protocolError } from '../messages.js'
import { DIGEST_BYTES, DigestList, ShardSum } from './shard-sum.js'
import { encodeOffer, shardNumber } from './snapshot-offer.js'
import type { ServedSnapshot, SnapshotShelf } from './snapshot-shelf.js'
import {
  PIECE,
  encodeShardPiece,
  encodeSnapshotNo,
  encodeSnapshotOffer,
  encodeSnapshotWait,
  type ShardAsk,
  type SnapshotAsk,
  type SnapshotCredit,
} from './transfer-messages.js'

/** Where a sender puts its bytes. */
export interface SnapshotOutlet {
  readonly member: MemberId
  /** False while too much is queued on the link; pump() is called again when that is over. */
  readonly roomy: boolean
  send(bytes: Uint8Array): void
  /** Runs what reads the disk for the other side: a coded error closes the link. */
  guard(action: () => void): void
}

/** A shard that was asked for and not yet sent. */
interface Question {
  readonly database: number
  readonly shard: number
  readonly wantsAll: boolean
  /** What the asker has; it takes room until the shard is sent. */
  readonly list: DigestList
  listBytes: number
  readonly sum: ShardSum
  /** The records of a key are sent, also those of it that are still to come. */
  sendsKey: boolean
  /** Keys to drop that are not sent yet. */
  readonly drops: Uint8Array[]
  dropBytes: number
  /** The asker has said all that it has. */
  isWhole: boolean
}

/** How far one transfer to another member has got. */
export interface SendProgress {
  readonly receiver: MemberId
  /** The snapshot is still being written for it, or is being sent. */
  readonly phase: 'writing' | 'sending'
  /** Of the writing, or of the shards that were gone over. */
  readonly percent: number
  readonly bytesSent: number
  /** Bytes of the snapshot; 0 while it is being written. */
  readonly snapshotBytes: number
  /** Milliseconds until all shards are gone over, as it went so far; -1 while that cannot be said. */
  readonly remainingMs: number
}

/** One transfer to the other side. */
interface Transfer {
  readonly id: number
  readonly creditBytes: number
  readonly applied: VersionVector
  snapshot: ServedSnapshot | null
  /** By shardNumber: where its sections begin in the reader's list. */
  readonly places: Map<number, number>
  /** Shards that wait, the oldest first; it is the one that is being sent. */
  readonly questions: Question[]
  /** Number of the section that is sent next, or is being sent; -1 when the first question has not been begun. */
  section: number
  /** What is left to send of a section. */
  records: Uint8Array | null
  /** Bytes of pieces sent and not yet given back. */
  outstanding: number
  lastWaitMs: number
  /** How far the writing of the snapshot has got when it was last asked about. */
  writtenPercent: number
  /** When it was offered. */
  offeredMs: number
  bytesSent: number
  /** Bytes of the snapshot, and of those sections that were gone over. */
  snapshotBytes: number
  bytesPassed: number
}

/** While a snapshot is being made the other side is told how far it has got. */
const WAIT_NEWS_MS = 1000

/**
 * The sending half of transfers on a link: one at a time, at the pace of the other side's credit. What it holds is one section of the snapshot.
 *
 *   none --ASK--> waiting for a snapshot --OFFER--> serving questions --DONE, another ASK, end of the link--> none
 */
export class SnapshotSender {
  private transfer: Transfer | null = null
  private pumpPending = false

  constructor(
    private readonly shelf: SnapshotShelf | null,
    private readonly outlet: SnapshotOutlet,
    private readonly clock: Clock,
  ) {}

  /** Null while no snapshot is being served, or made for that. */
  get progress(): SendProgress | null {
    const { transfer } = this
    if (transfer === null) return null
    const { snapshot, writtenPercent, offeredMs, bytesSent, snapshotBytes, bytesPassed } = transfer
    const isWriting = snapshot === null
    const isOver = !isWriting && bytesPassed >= snapshotBytes
    const elapsedMs = this.clock.monotonicMs() - offeredMs
    return {
      receiver: this.outlet.member,
      phase: isWriting ? 'writing' : 'sending',
      percent: isWriting ? writtenPercent : isOver ? 100 : (100 * bytesPassed) / snapshotBytes,
      bytesSent,
      snapshotBytes,
      remainingMs: isOver ? 0 : bytesPassed === 0 ? -1 : elapsedMs * (snapshotBytes / bytesPassed - 1),
    }
  }

  /** Another ask ends the one before. */
  ask({ transfer, creditBytes, applied }: SnapshotAsk): void {
    this.close()
    this.transfer = {
      id: transfer,
      creditBytes,
      applied,
      snapshot: null,
      places: new Map(),
      questions: [],
      section: -1,
      records: null,
      outstanding: 0,
      lastWaitMs: -Infinity,
      writtenPercent: 0,
      offeredMs: 0,
      bytesSent: 0,
      snapshotBytes: 0,
      bytesPassed: 0,
    }
    this.pump()
  }

  /** @throws MeridianError MRD_PEER_PROTOCOL */
  question(ask: ShardAsk): void {
    const { transfer } = this
    if (transfer?.id !== ask.transfer) return
    const { questions } = transfer
    let last = questions.at(-1)
    if (last === undefined || last.isWhole) {
      if (questions.length === LIMITS.transferShards) throw protocolError('more shards are asked for than may be')
      const { database, shard, wantsAll } = ask
      const list = new DigestList()
      const sum = new ShardSum()
      last = { database, shard, wantsAll, isWhole: false, list, listBytes: 0, sum, sendsKey: true, drops: [], dropBytes: 0 }
      questions.push(last)
    } else if (last.database !== ask.database || last.shard !== ask.shard || last.wantsAll !== ask.wantsAll) {
      throw protocolError('SHARD_ASK for a shard within one for another')
    }
    last.listBytes += ask.digests.length
    if (last.listBytes > LIMITS.transferDigestBytes || ask.digests.length % DIGEST_BYTES !== 0)
      throw protocolError(`a list of ${last.listBytes} bytes of digests`)
    last.list.add(ask.digests)
    last.isWhole = ask.isLast
    this.pump()
  }

  credit({ transfer: id, bytes }: SnapshotCredit): void {
    const { transfer } = this
    if (transfer?.id !== id) return
    transfer.outstanding = Math.max(0, transfer.outstanding - bytes)
    this.pump()
  }

  done(id: number): void {
    if (this.transfer?.id !== id) return
    this.transfer.snapshot?.completed()
    this.close()
  }

  /** Sends what may be sent now; the rest when there is room, credit or time. @throws MeridianError from the disk. */
  pump(): void {
    const { transfer, outlet } = this
    if (transfer === null || this.pumpPending) return
    if (transfer.snapshot === null && !this.makeOffer(transfer)) return
    let budget: number = LIMITS.transferTurnBytes
    while (outlet.roomy && transfer.outstanding < transfer.creditBytes) {
      const waitMs = this.shelf?.waitMs ?? 0
      if (waitMs > 0) return this.pumpLater((pump) => this.clock.setTimer(waitMs, pump))
      const sent = this.sendPiece(transfer)
      if (sent === 0) return
      budget -= sent
      if (budget > 0) continue
      return this.pumpLater((pump) => this.clock.defer(pump))
    }
  }

  private pumpLater(wait: (pump: () => void) => void): void {
    this.pumpPending = true
    wait(() => {
      this.pumpPending = false
      this.outlet.guard(() => this.pump())
    })
  }

  /** Nothing is sent any more. */
  close(): void {
    this.transfer?.snapshot?.release()
    this.transfer = null
  }

  /** False while there is no snapshot yet. */
  private makeOffer(transfer: Transfer): boolean {
    let snapshot: ServedSnapshot | number
    try {
      if (this.shelf === null) throw protocolError('a snapshot is asked of a member that has none to give')
      snapshot = this.shelf.take(transfer.applied, this.outlet.member)
    } catch (error) {
      if (!(error instanceof MeridianError)) throw error
      this.outlet.send(encodeSnapshotNo({ transfer: transfer.id, code: error.code, text: error.message }))
      this.transfer = null
      return false
    }
    if (typeof snapshot === 'number') {
      const nowMs = this.clock.monotonicMs()
      transfer.writtenPercent = snapshot
      if (nowMs - transfer.lastWaitMs < WAIT_NEWS_MS || !this.outlet.roomy) return false
      transfer.lastWaitMs = nowMs
      this.outlet.send(encodeSnapshotWait({ transfer: transfer.id, percent: snapshot }))
      return false
    }
    transfer.snapshot = snapshot
    const { sections } = snapshot.reader
    for (let i = sections.length - 1; i >= 0; i--) transfer.places.set(shardNumber(sections[i]), i)
    transfer.offeredMs = this.clock.monotonicMs()
    transfer.snapshotBytes = sections.reduce((sum, section) => sum + section.length, 0)
    for (const message of encodeSnapshotOffer(transfer.id, encodeOffer(snapshot.reader))) this.outlet.send(message)
    return true
  }

  /** Sends one piece of the oldest question; returns its bytes and what it cost besides, 0 when there is nothing to send. */
  private sendPiece(transfer: Transfer): number {
    const question = transfer.questions.at(0)
    if (question?.isWhole !== true) return 0
    if (transfer.section < 0) transfer.section = transfer.places.get(shardNumber(question)) ?? Infinity
    if (transfer.records === null) {
      const records = this.nextSection(transfer, question)
      if (records === null) return this.endShard(transfer, question)
      const wanted = this.wantedOf(question, records)
      if (wanted.length === 0) return records.length + END_COST
      transfer.records = wanted
    }
    const piece = transfer.records.subarray(0, LIMITS.linkPieceBytes)
    transfer.records = piece.length < transfer.records.length ? transfer.records.subarray(piece.length) : null
    this.send(transfer, question, PIECE.records, piece)
    return piece.length
  }

  private nextSection(transfer: Transfer, question: Question): Uint8Array | null {
    const reader = transfer.snapshot?.reader
    const section = reader?.sections.at(Math.min(transfer.section, reader.sections.length))
    if (reader === undefined || section === undefined || shardNumber(section) !== shardNumber(question)) return null
    transfer.section++
    transfer.bytesPassed += section.length
    return reader.readSection(section)
  }

  /** What of a section the asker lacks; moved together at its beginning. */
  private wantedOf(question: Question, section: Uint8Array): Uint8Array {
    const { shelf } = this
    const { sum, list } = question
    if (shelf === null) return section
    const { records } = shelf
    let length = 0
    records.begin(section, 0, section.length)
    while (records.next()) {
      if (records.begins) {
        // One that came before may have been sent: then this one must be too.
        const isAgain = sum.has(records.keyNumber)
        question.sendsKey = !list.see(records) || isAgain
        sum.add(records)
      }
      if (!question.sendsKey) continue
      section.copyWithin(length, records.from, records.to)
      length += records.to - records.from
    }
    return section.subarray(0, length)
  }

  private endShard(transfer: Transfer, question: Question): number {
    const drops = question.list.unseen(LIMITS.transferLooks)
    if (drops !== null) {
      question.drops.push(drops)
      question.dropBytes += drops.length
      // For each piece the other side goes over its whole shard.
      if (question.dropBytes + 4 * LIMITS.transferLooks <= LIMITS.linkPieceBytes) return LOOK_COST * LIMITS.transferLooks
    }
    if (question.dropBytes > 0) {
      const piece = Buffer.concat(question.drops.splice(0), question.dropBytes)
      question.dropBytes = 0
      this.send(transfer, question, PIECE.drops, piece)
      return piece.length
    }
    if (drops !== null) return LOOK_COST * LIMITS.transferLooks
    transfer.questions.shift()
    transfer.section = -1
    this.send(transfer, question, PIECE.end, question.sum.encoded())
    return END_COST
  }

  private send(transfer: Transfer, { database, shard }: Question, kind: 0 | 1 | 2, bytes: Uint8Array): void {
    transfer.outstanding += bytes.length
    transfer.snapshot?.used()
    this.shelf?.sent(bytes.length)
    transfer.bytesSent += bytes.length
    this.outlet.send(encodeShardPiece({ transfer: transfer.id, database, shard, kind, bytes }))
  }
}

/** What the end of a shard counts of a turn, in bytes. */
const END_COST = 64
/** And looking whether a key is to be dropped. */
const LOOK_COST = 32
