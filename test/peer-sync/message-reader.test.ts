import { describe, expect, it } from 'vitest'
import { MessageReader } from '../../src/peer-sync/message-reader.js'
import { decodeShardPiece, encodeShardPiece } from '../../src/peer-sync/transfer/transfer-messages.js'
import { SeededRandom } from './fake-time.js'

function message(type: number, payload: Uint8Array): Buffer {
  const out = Buffer.alloc(5 + payload.length)
  out.writeUInt32LE(1 + payload.length)
  out[4] = type
  out.set(payload, 5)
  return out
}

describe('the message reader', () => {
  it('finds the same messages however the stream is cut', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const random = new SeededRandom(seed)
      const payloads = Array.from({ length: 30 }, () =>
        Buffer.alloc(random.below(5) === 0 ? random.below(5000) : random.below(30), random.below(256)),
      )
      const stream = Buffer.concat(payloads.map((payload, i) => message(1 + i, payload)))
      const reader = new MessageReader(10_000)
      const found: Buffer[] = []
      for (let at = 0; at < stream.length;) {
        const size = random.below(3) === 0 ? 1 : 1 + random.below(3000)
        reader.push(stream.subarray(at, at + size))
        at += size
        while (reader.next()) {
          expect(reader.type).toBe(found.length + 1)
          found.push(Buffer.from(reader.payload))
        }
      }
      expect(Buffer.concat(found).equals(Buffer.concat(payloads))).toBe(true)
      expect(found.length).toBe(payloads.length)
    }
  })

  it('refuses a length before the bytes have come', () => {
    const reader = new MessageReader(1000)
    reader.push(Buffer.from([0xe9, 3, 0, 0]))
    expect(() => reader.next()).toThrow(/MRD_PEER_PROTOCOL/)
  })

  it('takes a message of exactly the limit', () => {
    const reader = new MessageReader(1000)
    reader.push(message(4, Buffer.alloc(995)))
    expect(reader.next()).toBe(true)
    expect(reader.payload.length).toBe(995)
  })

  it('gives payloads whose slices are copies, also of Buffers: a socket reads into the same one again', () => {
    const reader = new MessageReader(1000)
    const chunk = message(4, Buffer.from('kept'))
    reader.push(chunk)
    reader.next()
    const kept = reader.payload.slice()
    chunk.fill(0)
    expect(Buffer.from(kept).toString()).toBe('kept')
  })

  it('lets a piece of a snapshot be kept while the socket reads on', () => {
    const chunk = Buffer.from(encodeShardPiece({ transfer: 1, database: 0, shard: 1, kind: 0, bytes: Buffer.from('kept') }))
    const reader = new MessageReader(1000)
    reader.push(chunk)
    reader.next()
    const kept = decodeShardPiece(reader.payload).bytes.slice()
    chunk.fill(0)
    expect(Buffer.from(kept).toString()).toBe('kept')
  })
})
