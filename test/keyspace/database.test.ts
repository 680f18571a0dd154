import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Arena } from '../../src/memory/arena.js'
import { HAS_EXPIRY, HAS_EXTRAS } from '../../src/memory/record.js'
import { Database, KeyType, SHARD_COUNT } from '../../src/keyspace/database.js'
import { KeyHasher } from '../../src/keyspace/key-hash.js'

interface Entry {
  value: string
  expiresAt: number | null
  stamp: number
  type: number
}

type Step =
  | {
      readonly kind: 'put'
      readonly key: number
      readonly value: string
      readonly expiry: number | null
      readonly hasValue: boolean
    }
  | { readonly kind: 'remove'; readonly key: number }

const KEYS = 60
const value = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.integer({ min: 0, max: 3000 }).map((length) => 'v'.repeat(length)),
)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      key: fc.nat(KEYS - 1),
      value,
      expiry: fc.option(fc.integer({ min: 1, max: 1e13 })),
      hasValue: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), key: fc.nat(KEYS - 1) }) },
)

/** Most keys share one slot, so that a single table grows and shrinks. */
function keyOf(index: number): Buffer {
  return Buffer.from(index % 4 === 0 ? `key ${index}` : `{same} ${index}`)
}

function openDatabase(): Database {
  return new Database(new Arena(), new KeyHasher(99))
}

function put(db: Database, key: Buffer, text: string, expiresAt: number | null, type: number, stamp: number): void {
  const bytes = Buffer.from(text)
  const flags = type | (expiresAt === null ? 0 : HAS_EXPIRY)
  const from = db.lookup(key, 0, key.length)
  const ref = from === 0 ? db.insert(flags, key, 0, key.length, bytes.length, 0) : db.reshape(from, flags, bytes.length, false)
  db.arena.u8[ref >>> 19].set(bytes, db.valueOffset(ref))
  db.setDot(ref, 3, stamp)
  if (expiresAt !== null) db.setExpiry(ref, expiresAt, 4, stamp)
}

function get(db: Database, key: Buffer): Entry | undefined {
  const ref = db.lookup(key, 0, key.length)
  if (ref === 0) return undefined
  const start = db.valueOffset(ref)
  return {
    value: Buffer.from(db.arena.u8[ref >>> 19].subarray(start, start + db.valueLength(ref))).toString(),
    expiresAt: (db.flags(ref) & HAS_EXPIRY) === 0 ? null : db.expiresAt(ref),
    stamp: db.dotStamp(ref),
    type: db.type(ref),
  }
}

describe('database', () => {
  it('holds what a map holds', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const db = openDatabase()
        const model = new Map<number, Entry>()
        let stamp = 2 ** 45
        for (const each of steps) {
          const key = keyOf(each.key)
          if (each.kind === 'put') {
            const type = each.hasValue ? KeyType.string : KeyType.none
            put(db, key, each.value, each.expiry, type, ++stamp)
            model.set(each.key, { value: each.value, expiresAt: each.expiry, stamp, type })
          } else {
            const ref = db.lookup(key, 0, key.length)
            expect(ref !== 0).toBe(model.delete(each.key))
            if (ref !== 0) db.remove(ref)
          }
          expect(db.keyCount).toBe([...model.values()].filter((entry) => entry.type !== KeyType.none).length)
          expect(db.expiringCount).toBe([...model.values()].filter((entry) => entry.expiresAt !== null).length)
        }
        for (let index = 0; index < KEYS; index++) expect(get(db, keyOf(index))).toEqual(model.get(index))
        const expiring = new Set<string>()
        for (let i = 0; i < db.expiringCount; i++) expiring.add(Buffer.from(db.key(db.expiringAt(i))).toString())
        expect(expiring).toEqual(
          new Set([...model].filter(([, entry]) => entry.expiresAt !== null).map(([index]) => keyOf(index).toString())),
        )
        const walked: string[] = []
        for (let shard = 0; shard < SHARD_COUNT; shard++) {
          for (let i = 0; i < db.shardCount(shard); i++) walked.push(Buffer.from(db.key(db.recordAt(shard, i))).toString())
        }
        expect(walked.sort()).toEqual([...model.keys()].map((index) => keyOf(index).toString()).sort())
        for (const index of model.keys()) db.remove(db.lookup(keyOf(index), 0, keyOf(index).length))
        expect([db.keyCount, db.expiringCount, db.arena.usedBytes]).toEqual([0, 0, 0])
      }),
      { numRuns: 60 },
    )
  })

  it('finds keys that come again and again, whatever happens to their records in between', () => {
    const few = fc.record({ key: fc.nat(2), act: fc.constantFrom('look', 'look', 'look', 'grow', 'remove', 'hash') })
    fc.assert(
      fc.property(fc.array(few, { maxLength: 200 }), (steps) => {
        const hasher = new KeyHasher(99)
        const db = new Database(new Arena(), hasher)
        const model = new Map<number, string>()
        // As clients send them: every argument lies where another one has lain.
        const buf = Buffer.alloc(4)
        const expected = new KeyHasher(99)
        for (const { key, act } of steps) {
          hasher.forget()
          const len = buf.write(['a', '{a}b', '{a}c'][key])
          const ref = db.lookup(buf, 0, len)
          expected.compute(buf, 0, len)
          expect([hasher.hash, hasher.slot]).toEqual([expected.hash, expected.slot])
          const found = ref === 0 ? undefined : Buffer.from(db.key(ref)).toString() + '=' + get(db, buf.subarray(0, len))?.value
          expect(found).toBe(model.get(key))
          if (act === 'grow') {
            const text = 'x'.repeat((model.get(key)?.length ?? 0) + 9)
            put(db, buf.subarray(0, len), text, null, KeyType.string, 2 ** 45)
            model.set(key, `${buf.toString('latin1', 0, len)}=${text}`)
          } else if (act === 'remove' && ref !== 0) {
            db.remove(ref)
            model.delete(key)
          } else if (act === 'hash') {
            hasher.compute(Buffer.from('another'), 0, 7)
          }
        }
      }),
      { numRuns: 100 },
    )
  })

  it('keeps value and extras when a record changes its layout', () => {
    const db = openDatabase()
    const key = Buffer.from('k')
    put(db, key, 'value', null, KeyType.string, 7)
    const layouts = [HAS_EXPIRY, HAS_EXPIRY | HAS_EXTRAS, HAS_EXTRAS, HAS_EXPIRY | HAS_EXTRAS, 0]
    let ref = db.lookup(key, 0, 1)
    let before = 0
    for (const layout of layouts) {
      ref = db.reshape(ref, KeyType.string | layout, 5, true)
      if ((layout & HAS_EXTRAS) !== 0 && (before & HAS_EXTRAS) === 0) {
        expect(db.extras(ref)).toBe(0)
        db.setExtras(ref, 4242)
      }
      if ((layout & HAS_EXTRAS) !== 0) expect(db.extras(ref)).toBe(4242)
      if ((layout & HAS_EXPIRY) !== 0 && (before & HAS_EXPIRY) === 0) db.setExpiry(ref, 1234, 5, 66)
      if ((layout & HAS_EXPIRY) !== 0)
        expect([db.expiresAt(ref), db.expiryMember(ref), db.expiryStamp(ref)]).toEqual([1234, 5, 66])
      expect([get(db, key)?.value, get(db, key)?.stamp, db.dotMember(ref)]).toEqual(['value', 7, 3])
      expect(db.expiringCount).toBe((layout & HAS_EXPIRY) === 0 ? 0 : 1)
      before = layout
    }
  })

  it('a walk downwards misses nothing that stays, whatever is removed and added meanwhile', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ remove: fc.nat(99), add: fc.boolean() }), { maxLength: 200 }), (changes) => {
        const db = openDatabase()
        const keys = Array.from({ length: 100 }, (_, i) => Buffer.from(`{t}${i}`))
        for (const key of keys) put(db, key, 'v', null, KeyType.string, 1)
        const shard = db.shardOf(db.lookup(keys[0], 0, keys[0].length))
        const removed = new Set<number>()
        const visited = new Set<string>()
        let position = db.shardCount(shard)
        for (let i = 0; position > 0; i++) {
          position = Math.min(position, db.shardCount(shard)) - 1
          if (position < 0) break
          visited.add(Buffer.from(db.key(db.recordAt(shard, position))).toString())
          const change = changes.at(i)
          if (change === undefined) continue
          if (change.add) {
            put(db, Buffer.from(`{t}new${i}`), 'v', null, KeyType.string, 1)
          } else if (!removed.has(change.remove)) {
            removed.add(change.remove)
            const key = keys[change.remove]
            db.remove(db.lookup(key, 0, key.length))
          }
        }
        keys.forEach((key, i) => {
          if (!removed.has(i)) expect(visited.has(key.toString())).toBe(true)
        })
      }),
      { numRuns: 60 },
    )
  })

  it('finds everything in a table of many records with many removals', () => {
    const db = openDatabase()
    const keys = Array.from({ length: 20_000 }, (_, i) => Buffer.from(`{t}${i}`))
    for (const key of keys) put(db, key, 'v', null, KeyType.string, 1)
    for (let i = 0; i < keys.length; i++) if (i % 10 !== 0) db.remove(db.lookup(keys[i], 0, keys[i].length))
    keys.forEach((key, i) => expect(db.lookup(key, 0, key.length) !== 0).toBe(i % 10 === 0))
    expect(db.keyCount).toBe(2000)
  })
})
