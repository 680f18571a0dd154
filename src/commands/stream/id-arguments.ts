import { LIMITS } from '../../base/limits.js'
import { StreamId } from '../../crdt/stream-id.js'
import type { Call } from '../call.js'
import { strictId } from './stream-arguments.js'

/**
 * Goes through the IDs in arguments `first` to `end`, this one excluded, some a step: puts each into `id` and calls `each` when it has not come before. Where IDs rise, which is looked at first,
 * none comes twice, and nothing is kept of them. again is told of the others.
 */
export function* distinctIds(
  call: Call,
  first: number,
  end: number,
  id: StreamId,
  each: (text: string) => void,
  again: (text: string) => void = () => undefined,
): Generator<undefined, void> {
  const before = new StreamId()
  let isRising = true
  for (let i = first; i < end && isRising; i++) {
    strictId(call, i, id)
    isRising = i === first || id.compare(before) > 0
    before.copyFrom(id)
    if (i % LIMITS.slicedReadSeek === 0) yield
  }
  const taken = isRising ? null : new Set<string>()
  for (let i = first; i < end; i++) {
    if (i % LIMITS.slicedReadStep === 0) yield
    strictId(call, i, id)
    const text = taken === null ? '' : id.toString()
    if (taken?.has(text) === true) {
      again(text)
      continue
    }
    taken?.add(text)
    each(text)
  }
}
