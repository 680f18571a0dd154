import { LIMITS } from '../../base/limits.js'
import { KeyType } from '../../keyspace/database.js'
import { writeStreamSteps } from '../../keyspace/stream-rdb.js'
import { ZsetCursor } from '../../keyspace/zset-cursor.js'
import type { Ref } from '../../memory/arena.js'
import { CRC64_BYTES, Crc64 } from '../../rdb/crc64.js'
import { RdbType, versionOf } from '../../rdb/rdb-types.js'
import { RdbWriter } from '../../rdb/rdb-writer.js'
import type { Call } from '../call.js'

/** Types whose payload can be written a step at a time. */
const IN_STEPS: readonly number[] = [KeyType.set, KeyType.zset, KeyType.list, KeyType.hash, KeyType.stream]
/** Bytes of a payload in one block; a large element makes it longer. */
const BLOCK_BYTES = 1024 * 1024
const BLOCK_IS_FULL = BLOCK_BYTES - 64 * 1024
/** Bytes of it that a step replies. */
const REPLY_BYTES = 64 * 1024

/** True for a value that dumpSteps can write. */
export function dumpsInSteps(type: number): boolean {
  return IN_STEPS.includes(type)
}

/** The same reply as DUMP's in one go. */
export function* dumpSteps(call: Call, type: number, root: Ref): Generator<undefined, void> {
  const payload = new PayloadBlocks()
  switch (type) {
    case KeyType.set:
      yield* setSteps(call, root, payload)
      break
    case KeyType.zset:
      yield* sortedSetSteps(call, root, payload)
      break
    case KeyType.list:
      yield* listSteps(call, root, payload)
      break
    case KeyType.hash:
      yield* hashSteps(call, root, payload)
      break
    case KeyType.stream: {
      const steps = writeStreamSteps(call.collections.streams.space(call.db.arena), root, call.nowMs, payload)
      while (steps.next().done !== true) yield payload.stepDone()
      break
    }
  }
  yield* payload.reply(call)
}

function* setSteps(call: Call, root: Ref, payload: PayloadBlocks): Generator<undefined, void> {
  const { sets } = call.collections
  payload.begin(RdbType.set).length(sets.countShown(call.db, root))
  const cursor = sets.walkApart(call.db, root)
  for (let done = 1; cursor.next(); done++) {
    payload.writer.string(cursor.buf, cursor.keyOff, cursor.keyLen)
    if (done % LIMITS.slicedReadStep === 0) yield payload.stepDone()
  }
}

function* sortedSetSteps(call: Call, root: Ref, payload: PayloadBlocks): Generator<undefined, void> {
  const { zsets, db } = call
  const count = zsets.size(db, root)
  payload.begin(RdbType.zset).length(count)
  const cursor = zsets.seek(db, root, 0, new ZsetCursor())
  for (let done = 1; done <= count; done++) {
    payload.writer.string(cursor.buf, cursor.off, cursor.len)
    payload.writer.f64(cursor.score)
    cursor.step(true)
    if (done % LIMITS.slicedReadStep === 0) yield payload.stepDone()
  }
}

function* listSteps(call: Call, root: Ref, payload: PayloadBlocks): Generator<undefined, void> {
  const { lists } = call.collections
  const count = lists.size(call.db, root)
  payload.begin(RdbType.list).length(count)
  const walk = lists.walkOf(call.db, root)
  walk.seek(0)
  for (let done = 1; done <= count; done++) {
    payload.writer.string(walk.buf, walk.off, walk.len)
    walk.next()
    if (done % LIMITS.slicedReadStep === 0) yield payload.stepDone()
  }
}

function* hashSteps(call: Call, root: Ref, payload: PayloadBlocks): Generator<undefined, void> {
  const { hashes } = call.collections
  // Both walks see the fields of one moment, whatever falls due in between.
  const { nowMs, db } = call
  let count = hashes.size(db, root)
  let earliest = Infinity
  if (hashes.hasExpiring(db, root)) {
    count = 0
    for (const cursor = hashes.walkApart(db, root, nowMs); cursor.next();) {
      earliest = Math.min(earliest, cursor.expiresAt)
      if (++count % LIMITS.slicedReadStep === 0) yield
    }
  }
  const expires = earliest !== Infinity
  const head = payload.begin(expires ? RdbType.hashExpiring : RdbType.hash)
  if (expires) head.milliseconds(earliest)
  head.length(count)
  const cursor = hashes.walkApart(db, root, nowMs)
  for (let done = 1; cursor.next(); done++) {
    const { writer } = payload
    cursor.readValue()
    // Times count from one before the earliest, so that 0 can mean none.
    if (expires) writer.length(cursor.expiresAt === Infinity ? 0 : cursor.expiresAt - earliest + 1)
    writer.string(cursor.buf, cursor.keyOff, cursor.keyLen)
    writer.string(cursor.valueBuf, cursor.valueOff, cursor.valueLen)
    if (done % LIMITS.slicedReadStep === 0) yield payload.stepDone()
  }
}

/** A payload (see rdb/payload.ts) in the making, in blocks; its length, which comes first in the reply, is known at the end. */
class PayloadBlocks {
  /** What comes next is written here, until the step is done. */
  writer = new RdbWriter(BLOCK_BYTES)
  private readonly blocks: Uint8Array[] = []
  private readonly crc = new Crc64()
  private type = 0
  private total = 0
  /** Bytes of the writer that are summed. */
  private summed = 0

  begin(type: number): RdbWriter {
    this.type = type
    this.writer.u8(type)
    return this.writer
  }

  /** Sums what was written, and begins another block where this one is full. */
  stepDone(): undefined {
    const { writer } = this
    this.crc.update(writer.bytes, this.summed, writer.size - this.summed)
    this.summed = writer.size
    if (writer.size >= BLOCK_IS_FULL) this.endBlock(new RdbWriter(BLOCK_BYTES))
    return undefined
  }

  *reply(call: Call): Generator<undefined, void> {
    const version = versionOf(this.type)
    this.writer.u8(version & 0xff)
    this.writer.u8(version >>> 8)
    this.stepDone()
    const sum = new Uint8Array(CRC64_BYTES)
    this.crc.write(sum, 0)
    this.writer.raw(sum)
    this.endBlock(new RdbWriter(0))
    call.reply.bulkHead(this.total)
    for (const block of this.blocks) {
      for (let from = 0; from < block.length; from += REPLY_BYTES) {
        call.reply.raw(block.subarray(from, from + REPLY_BYTES))
        yield
      }
    }
    call.reply.bulkEnd()
  }

  private endBlock(next: RdbWriter): void {
    const { bytes, size } = this.writer
    this.blocks.push(bytes.subarray(0, size))
    this.total += size
    this.writer = next
    this.summed = 0
  }
}
