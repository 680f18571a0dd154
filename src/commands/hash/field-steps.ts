import type { ByteWriter } from '../../base/byte-stream.js'
import { LIMITS } from '../../base/limits.js'
import { EffectType } from '../../crdt/effect-reader.js'
import type { DistinctRanges } from '../../keyspace/byte-ranges.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'

/** Steps of a write in slices of the hash in argument 1 that write what happens to fields, each of which is named once. */
type Steps = Generator<undefined, void>

/** The fields are there, and go; none of them may be a counter. root: the hash as it is now. */
export function* buildRemoval(call: Call, root: Ref, fields: DistinctRanges): Steps {
  yield* buildEffects(call, EffectType.hashRemove, (head) => head.u8(0), fields)
  if (fields.count === call.collections.hashes.size(call.db, root)) yield* call.emptyInSteps(1)
}

/** at: Unix ms, Infinity for never. */
export function buildExpiry(call: Call, fields: DistinctRanges, at: number): Steps {
  return buildEffects(call, EffectType.hashExpire, (head) => head.f64(at), fields)
}

function* buildEffects(call: Call, type: number, begin: (head: ByteWriter) => void, { picked, count }: DistinctRanges): Steps {
  const { op, request } = call
  const { buf, off, len } = request
  const at = call.place(1)
  for (let p = 0; p < count; p++) {
    if (p === 0 || op.isFull) begin(op.begin(type, at.database, at.key, at.off, at.len))
    op.add().range(buf, off[picked[p]], len[picked[p]])
    if (p % LIMITS.slicedReadStep === 0) yield
  }
}
