import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { MemberId } from '../../src/base/ids.js'
import { VersionVector } from '../../src/crdt/version-vector.js'
import { decodeSegmentHeader, encodeSegmentHeader, segmentFileName, segmentSequence } from '../../src/oplog/segment-header.js'

const stamp = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
const header = fc.record({
  clusterId: fc.string({ maxLength: 60 }),
  memberId: fc.integer({ min: 1, max: 255 }).map((id) => id as MemberId),
  sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  startByte: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  vector: fc
    .array(fc.tuple(fc.integer({ min: 1, max: 255 }), stamp), { maxLength: 64 })
    .map((entries) => VersionVector.from(entries)),
})

test('a header is read back as it was written, with anything behind it', () => {
  fc.assert(
    fc.property(header, fc.uint8Array(), (written, rest) => {
      const bytes = encodeSegmentHeader(written)
      expect(decodeSegmentHeader(new Uint8Array([...bytes, ...rest]))).toEqual({
        kind: 'header',
        header: written,
        bytes: bytes.length,
      })
    }),
  )
})

test('a header with any bit flipped or cut short is not believed', () => {
  fc.assert(
    fc.property(header, fc.nat(), fc.integer({ min: 0, max: 7 }), (written, place, bit) => {
      const bytes = encodeSegmentHeader(written)
      const at = place % bytes.length
      expect(decodeSegmentHeader(bytes.slice(0, at)).kind).toBe('broken')
      bytes[at] ^= 1 << bit
      expect(decodeSegmentHeader(bytes).kind).toBe('broken')
    }),
  )
})

test('file names sort as sequences do', () => {
  expect(segmentFileName(42)).toBe('0000000000000042.mlog')
  expect(segmentSequence('0000000000000042.mlog')).toBe(42)
  for (const other of ['42.mlog', '0000000000000042.mlog.tmp', 'LOCK', '000000000000004x.mlog'])
    expect(segmentSequence(other)).toBe(0)
})
