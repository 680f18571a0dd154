import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { writePayload } from '../../../src/rdb/payload.js'
import { changed, values } from '../../rdb/arbitrary-values.js'
import { payload } from '../../rdb/old-encodings.js'
import { EngineHarness } from '../../support/engine-harness.js'

/** Payloads, as RESTORE is given them: good ones, and such as somebody has tampered with and sealed again. */
const payloads = fc.oneof(
  values.map((value) => Buffer.from(writePayload(value))),
  changed.map((body) => payload(16, body)),
)

/** Ends with the frames of `from` in `to`, from the one at `first`. Gives how many there are. */
function deliver(from: EngineHarness, to: EngineHarness, first: number): number {
  const { frames } = from.log
  for (const frame of frames.slice(first)) to.engine.remote.apply(frame)
  return frames.length
}

describe('RESTORE', () => {
  it('changes nothing when it refuses a payload, and writes nothing that another member refuses when it takes one', () => {
    const here = new EngineHarness({ self: 1, solo: false })
    const there = new EngineHarness({ self: 2, solo: false })
    let delivered = 0
    here.run('HSET', 'k', 'field', 'value')
    fc.assert(
      fc.property(payloads, (bytes) => {
        const before = here.raw(['DUMP', 'k'])
        const reply = here.raw(['RESTORE', 'k', '0', bytes, 'REPLACE'])
        if (reply !== '+OK\r\n') expect(here.raw(['DUMP', 'k'])).toBe(before)
        delivered = deliver(here, there, delivered)
        expect(there.raw(['CRDT.DIGEST'])).toBe(here.raw(['CRDT.DIGEST']))
      }),
      { numRuns: 1000 },
    )
  })
})
