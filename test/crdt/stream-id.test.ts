import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { IdForm, MAX_ID_BYTES, parseStreamId, StreamId } from '../../src/crdt/stream-id.js'

const MAX = 2n ** 64n - 1n
const u64 = fc.oneof(fc.bigInt(0n, 300n), fc.bigInt(2n ** 32n - 3n, 2n ** 32n + 3n), fc.bigInt(MAX - 3n, MAX), fc.bigInt(0n, MAX))

function parse(text: string, missingIsMax = false): { form: IdForm; id: string } {
  const id = new StreamId(1, 2, 3, 4)
  const bytes = Buffer.from(`xx${text}yy`, 'latin1')
  const form = parseStreamId(bytes, 2, bytes.length - 4, id, missingIsMax)
  return { form, id: id.toString() }
}

function written(id: StreamId): string {
  const bytes = new Uint8Array(MAX_ID_BYTES + 3)
  const length = id.write(bytes, 3)
  return Buffer.from(bytes.subarray(3, 3 + length)).toString('latin1')
}

describe('a stream ID', () => {
  it('is read as it is written, whatever its two numbers', () => {
    fc.assert(
      fc.property(u64, u64, (ms, seq) => {
        const text = `${ms}-${seq}`
        expect(parse(text)).toEqual({ form: IdForm.full, id: text })
        expect(written(StreamId.of(ms, seq))).toBe(text)
        expect(StreamId.of(ms, seq).toString()).toBe(text)
      }),
    )
  })

  it('may lack its sequence', () => {
    expect(parse('17')).toEqual({ form: IdForm.msOnly, id: '17-0' })
    expect(parse('17', true)).toEqual({ form: IdForm.msOnly, id: `17-${MAX}` })
    expect(parse('17-*')).toEqual({ form: IdForm.msAnySequence, id: '17-0' })
  })

  it.each(['', '-', '-1', '1-', '*', 'a', '1-a', '1-2-3', ' 1', '1-**', '18446744073709551616', '1-18446744073709551616'])(
    'is not %j',
    (text) => expect(parse(text)).toEqual({ form: IdForm.none, id: new StreamId(1, 2, 3, 4).toString() }),
  )

  it('has a neighbour on each side, but for the first and the last', () => {
    fc.assert(
      fc.property(u64, u64, (ms, seq) => {
        const value = (ms << 64n) | seq
        const valueOf = (id: StreamId) => {
          const [a, b] = id.toString().split('-').map(BigInt)
          return (a << 64n) | b
        }
        const next = StreamId.of(ms, seq)
        expect(next.increment()).toBe(value !== (1n << 128n) - 1n)
        expect(valueOf(next)).toBe(value === (1n << 128n) - 1n ? value : value + 1n)
        const before = StreamId.of(ms, seq)
        expect(before.decrement()).toBe(value !== 0n)
        expect(valueOf(before)).toBe(value === 0n ? value : value - 1n)
      }),
    )
  })

  it("continues with the next sequence that is its member's own", () => {
    fc.assert(
      fc.property(u64, fc.integer({ min: 1, max: 255 }), (seq, member) => {
        const id = StreamId.of(5n, seq)
        let expected = seq - (seq % 256n) + BigInt(member)
        if (expected <= seq) expected += 256n
        expect(id.nextOwnSequence(member)).toBe(expected <= MAX)
        if (expected <= MAX) expect(id.toString()).toBe(`5-${expected}`)
      }),
    )
  })
})
