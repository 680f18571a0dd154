import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stampAt } from '../../src/base/ids.js'
import { StreamId } from '../../src/crdt/stream-id.js'
import { StreamFields } from '../../src/keyspace/stream-fields.js'
import { StreamCursor, StreamLog } from '../../src/keyspace/stream-log.js'
import { Arena } from '../../src/memory/arena.js'
import { INDEX_WORDS } from '../../src/memory/order-index.js'

interface Entry {
  readonly ms: bigint
  readonly seq: bigint
  readonly region: number
  readonly member: number
  readonly stamp: number
  readonly fields: readonly (readonly [string, string])[]
}

const NOW = 1_790_000_000_000

/** A stream's entries beside a sorted array of the same. */
class Rig {
  readonly arena = new Arena()
  readonly log = new StreamLog(this.arena)
  readonly words = new Uint32Array(INDEX_WORDS)
  readonly cursor = new StreamCursor()
  model: Entry[] = []

  add(entry: Entry): void {
    const fields = fieldsOf(entry.fields)
    const added = this.log.insert(this.words, 0, { ...entry, id: StreamId.of(entry.ms, entry.seq) }, fields)
    const at = this.model.findIndex((other) => order(other, entry) >= 0)
    const exists = at >= 0 && order(this.model[at], entry) === 0
    expect(added).toBe(!exists)
    if (exists) return
    if (at < 0) this.model.push(entry)
    else this.model.splice(at, 0, entry)
  }

  read(): Entry {
    const { entry } = this.cursor
    const fields = new StreamFields()
    this.log.chunks.fields(entry, fields)
    const [ms, seq] = entry.id.toString().split('-').map(BigInt)
    const pairs: [string, string][] = []
    for (let i = 0; i < fields.count; i++) {
      pairs.push([
        Buffer.from(fields.buf).toString('latin1', fields.nameOff[i], fields.nameOff[i] + fields.nameLen[i]),
        Buffer.from(fields.buf).toString('latin1', fields.valueOff[i], fields.valueOff[i] + fields.valueLen[i]),
      ])
    }
    return { ms, seq, region: entry.region, member: entry.member, stamp: entry.stamp, fields: pairs }
  }

  forwards(): Entry[] {
    const entries: Entry[] = []
    for (let on = this.log.first(this.words, 0, this.cursor); on; on = this.log.next(this.cursor)) entries.push(this.read())
    return entries
  }

  backwards(): Entry[] {
    const entries: Entry[] = []
    for (let on = this.log.last(this.words, 0, this.cursor); on; on = this.log.previous(this.cursor)) entries.push(this.read())
    return entries
  }
}

function fieldsOf(pairs: Entry['fields']): StreamFields {
  const fields = new StreamFields()
  const bytes = Buffer.from(pairs.flat().join(''), 'latin1')
  fields.start(bytes)
  let at = 0
  for (const [name, value] of pairs) {
    fields.add(at, name.length, at + name.length, value.length)
    at += name.length + value.length
  }
  return fields
}

function order(a: Entry, b: Entry): number {
  if (a.ms !== b.ms) return a.ms < b.ms ? -1 : 1
  if (a.seq !== b.seq) return a.seq < b.seq ? -1 : 1
  return a.region - b.region
}

interface Late {
  /** Entries that a member makes in a millisecond, about. */
  readonly perMs: number
  /** How much later those of member 2 come than those of member 1. */
  readonly lagMs: number
  /** Those of member 2 come 1 to so many at once, when the last of them is made and the lag is over. */
  readonly burst: number
}

/** An entry as the `n`th that its member made in a millisecond, and when it is there. */
interface Coming {
  readonly ms: number
  readonly n: number
  readonly member: number
  at: number
}

/** `count` entries of each of two members, in the order in which they come to member 1. */
function interleaved(count: number, { perMs, lagMs, burst }: Late): Coming[] {
  let seed = 1
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return Math.floor((seed / 2 ** 32) * below)
  }
  const made = (member: number): Coming[] => {
    const entries: Coming[] = []
    for (let ms = 0; entries.length < count; ms++) {
      const some = Math.min(1 + random(perMs * 2), count - entries.length)
      for (let n = 0; n < some; n++) entries.push({ ms, n, member, at: ms + n / some })
    }
    return entries
  }
  const late = made(2)
  for (let from = 0; from < count;) {
    const to = Math.min(from + 1 + random(burst), count)
    const { at } = late[to - 1]
    for (; from < to; from++) late[from].at = at + lagMs
  }
  return [...made(1), ...late].sort((a, b) => a.at - b.at)
}

const u64 = fc.oneof(
  { weight: 8, arbitrary: fc.bigInt(0n, 40n) },
  { weight: 3, arbitrary: fc.bigInt(BigInt(NOW), BigInt(NOW) + 50n) },
  { weight: 2, arbitrary: fc.bigInt(0n, 2n ** 64n - 1n) },
)
const names = fc.constantFrom(['f'], ['a', 'b'], ['a', 'c'], ['long-name', 'f', ''])
const arbitraryEntry = fc
  .record({
    ms: u64,
    seq: u64,
    region: fc.integer({ min: 1, max: 3 }),
    member: fc.integer({ min: 1, max: 3 }),
    stamp: fc.oneof(
      fc.integer({ min: 0, max: 8192 * 60 }).map((more) => stampAt(NOW) + more),
      fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    ),
    names,
    size: fc.integer({ min: 0, max: 200 }),
  })
  .map(({ names: list, size, ...rest }): Entry => ({
    ...rest,
    fields: list.map((name, i) => [name, String(i).repeat(size)]),
  }))

type Step =
  | { readonly kind: 'add'; readonly entry: Entry }
  | { readonly kind: 'remove'; readonly at: number }
  | { readonly kind: 'find'; readonly entry: Entry }
const arbitraryStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: arbitraryEntry.map((entry): Step => ({ kind: 'add', entry })) },
  { weight: 3, arbitrary: fc.nat(200).map((at): Step => ({ kind: 'remove', at })) },
  { weight: 2, arbitrary: arbitraryEntry.map((entry): Step => ({ kind: 'find', entry })) },
)

describe('the entries of a stream', () => {
  it('are what a sorted array of them is, whatever the order of additions and removals', () => {
    fc.assert(
      fc.property(
        fc.array(arbitraryStep, { maxLength: 120 }),
        fc.constantFrom([100, 4096], [4, 4096], [1, 4096], [0, 300], [2, 0]),
        (steps, [maxEntries, maxBytes]) => {
          const rig = new Rig()
          rig.log.chunks.maxEntries = maxEntries
          rig.log.chunks.maxBytes = maxBytes
          const empty = rig.arena.usedBytes
          for (const step of steps) {
            if (step.kind === 'add') rig.add(step.entry)
            else if (step.kind === 'remove' && step.at < rig.model.length) {
              const { ms, seq, region } = rig.model[step.at]
              expect(rig.log.find(rig.words, 0, StreamId.of(ms, seq), region, rig.cursor)).toBe(true)
              expect(rig.log.rank(rig.words, 0, rig.cursor)).toBe(step.at)
              rig.model.splice(step.at, 1)
              const more = rig.log.remove(rig.words, 0, rig.cursor)
              expect(more ? rig.read() : undefined).toEqual(rig.model[step.at])
            } else if (step.kind === 'find') {
              const { ms, seq, region } = step.entry
              const id = StreamId.of(ms, seq)
              const next = rig.log.find(rig.words, 0, id, region, rig.cursor) ? rig.read() : undefined
              expect(next).toEqual(rig.model.find((entry) => order(entry, step.entry) >= 0))
              const before = rig.log.findLast(rig.words, 0, id, region, rig.cursor) ? rig.read() : undefined
              expect(before).toEqual(rig.model.filter((entry) => order(entry, step.entry) <= 0).at(-1))
            }
            expect(rig.log.length(rig.words, 0)).toBe(rig.model.length)
          }
          expect(rig.forwards()).toEqual(rig.model)
          expect(rig.backwards()).toEqual([...rig.model].reverse())
          while (!rig.log.free(rig.words, 0, 10));
          expect(rig.arena.usedBytes).toBe(empty)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('are read backwards by a cursor that has read others before, which it was put upon anew', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.nat(3), { minLength: 2, maxLength: 6 }), { minLength: 2, maxLength: 12 }), (streams) => {
        const rig = new Rig()
        for (const sizes of streams) {
          rig.model = []
          sizes.forEach((size, i) => {
            const fields = [['f', 'x'.repeat(size)]] as const
            rig.add({ ms: BigInt(NOW + i), seq: 0n, region: 1, member: 1, stamp: stampAt(NOW), fields })
          })
          // Not to the end: the cursor stays in the middle of the chunk, whose memory is that of the next stream.
          const read: Entry[] = []
          for (let on = rig.log.last(rig.words, 0, rig.cursor); on && read.length < 2; on = rig.log.previous(rig.cursor))
            read.push(rig.read())
          expect(read).toEqual(rig.model.slice(-2).reverse())
          while (!rig.log.free(rig.words, 0, 10));
        }
      }),
      { numRuns: 200 },
    )
  })

  it('take few bytes beside their values', () => {
    const rig = new Rig()
    const fields = fieldsOf([['temperature', '21.5']])
    const before = rig.arena.usedBytes
    const count = 10_000
    for (let i = 0; i < count; i++) {
      const id = new StreamId().setMs(NOW + i * 3)
      rig.log.append(rig.words, 0, { id, region: 1, member: 1, stamp: stampAt(NOW + i * 3) }, fields)
    }
    expect((rig.arena.usedBytes - before) / count).toBeLessThan(14)
  })

  it('seldom move while a chunk fills up behind a full one', () => {
    const rig = new Rig()
    const fields = fieldsOf([['temperature', '21.5']])
    let moves = 0
    let before = 0
    for (let i = 0; i < 1000; i++) {
      const id = new StreamId().setMs(NOW + i)
      rig.log.append(rig.words, 0, { id, region: 1, member: 1, stamp: stampAt(NOW + i) }, fields)
      rig.log.last(rig.words, 0, rig.cursor)
      const { chunk } = rig.cursor.entry
      if (chunk !== before && i >= 500) moves++
      before = chunk
    }
    // Chunks have 100 entries: five begin here.
    expect(moves).toBeGreaterThanOrEqual(5)
    expect(moves).toBeLessThanOrEqual(5 * 4)
  })

  // Of two members, of which the other one's entries come so much later and so many at once: below what redis-server takes (31.5 bytes) in every case.
  it.each([
    { perMs: 5, lagMs: 0, burst: 1 },
    { perMs: 5, lagMs: 1, burst: 1 },
    { perMs: 5, lagMs: 1, burst: 200 },
    { perMs: 5, lagMs: 20, burst: 1 },
    { perMs: 5, lagMs: 20, burst: 200 },
    { perMs: 5, lagMs: 2000, burst: 200 },
    { perMs: 100, lagMs: 1, burst: 1 },
    { perMs: 100, lagMs: 20, burst: 200 },
  ])(
    'take few bytes when those of another member come between them, $perMs an ms, $lagMs ms late, up to $burst at once',
    (late) => {
      const rig = new Rig()
      const fields = fieldsOf([['field', 'element:000000000000']])
      const before = rig.arena.usedBytes
      const count = 40_000
      for (const { ms, n, member } of interleaved(count / 2, late)) {
        const id = new StreamId().setMs(NOW + ms)
        id.seqLow = n * 256 + member
        rig.log.insert(rig.words, 0, { id, region: member, member, stamp: stampAt(NOW + ms) + n * 2 + member }, fields)
      }
      expect(rig.log.length(rig.words, 0)).toBe(count)
      expect((rig.arena.usedBytes - before) / count).toBeLessThan(31)
    },
  )

  it('stay small when the first is trimmed for each that comes', () => {
    const rig = new Rig()
    const fields = fieldsOf([['name', 'x'.repeat(100)]])
    for (let i = 0; i < 10_000; i++) {
      const id = new StreamId().setMs(NOW + i)
      rig.log.append(rig.words, 0, { id, region: 1, member: 1, stamp: stampAt(NOW + i) }, fields)
      if (i < 5) continue
      rig.log.first(rig.words, 0, rig.cursor)
      rig.log.remove(rig.words, 0, rig.cursor)
    }
    expect(rig.log.length(rig.words, 0)).toBe(5)
    expect(rig.log.bytes(rig.words, 0, 0)).toBeLessThan(3000)
  })
})
