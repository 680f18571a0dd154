import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Engine } from '../../../src/engine/engine.js'
import { NOTHING_STABLE } from '../../crdt/string-history.js'
import { EngineHarness } from '../../support/engine-harness.js'

const KEYS = ['a', 'b', '{t}c']

const key = fc.constantFrom(...KEYS)
const text = fc.constantFrom('', '5', '-3', 'text', '1.5', '9223372036854775807', 'a longer text than the others')
const command = fc.oneof(
  fc.tuple(fc.constant('SET'), key, text),
  fc.tuple(fc.constant('SET'), key, text, fc.constant('KEEPTTL')),
  fc.tuple(fc.constant('SET'), key, text, fc.constant('PX'), fc.constantFrom('5', '1000')),
  fc.tuple(fc.constantFrom('GETDEL', 'INCR', 'DECR'), key),
  fc.tuple(fc.constant('GETEX'), key, fc.constant('PERSIST')),
  fc.tuple(fc.constant('GETEX'), key, fc.constant('PX'), fc.constantFrom('3', '500')),
  fc.tuple(fc.constant('INCRBY'), key, fc.constantFrom('7', '-2', '9223372036854775807')),
  fc.tuple(fc.constant('INCRBYFLOAT'), key, fc.constantFrom('0.1', '-2.5')),
  fc.tuple(fc.constant('APPEND'), key, text),
  fc.tuple(fc.constant('SETRANGE'), key, fc.constantFrom('0', '2', '9'), text),
  fc.tuple(fc.constant('SETBIT'), key, fc.constantFrom('1', '12', '99'), fc.constantFrom('0', '1')),
  fc.tuple(fc.constant('BITFIELD'), key, fc.constant('INCRBY'), fc.constant('u8'), fc.constantFrom('#1', '3'), fc.constant('77')),
  fc.tuple(fc.constant('BITOP'), fc.constant('XOR'), key, key, key),
  fc.tuple(fc.constant('MSET'), key, text, key, text),
)
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ member: fc.nat(2), command }) },
  { weight: 2, arbitrary: fc.record({ from: fc.nat(2), to: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ wait: fc.nat(6) }) },
)

/** Frames that `to` may apply now: the next of their origin, with their context covered. */
function deliver(from: EngineHarness, to: EngineHarness): boolean {
  let moved = false
  for (const frame of from.log.frames) {
    const { applied } = to.engine
    if (frame.last <= applied.get(frame.origin)) continue
    if (frame.previous !== applied.get(frame.origin) || !frame.contextCoveredBy(applied)) continue
    to.engine.remote.apply(frame)
    moved = true
  }
  return moved
}

/** What a new engine shows that has read a member's log. */
function recovered({ log, services, clock }: EngineHarness, now: number): (string | null)[] {
  const self = services.replication.memberId
  const engine = new Engine({ self, databases: 16, solo: false, hashSeed: 11 }, clock, services)
  engine.keyspace.stability = NOTHING_STABLE
  for (const frame of log.frames) engine.replay.recover(frame)
  engine.keyspace.setTime(now)
  const { strings } = engine
  const db = engine.keyspace.database(0)
  return KEYS.map((name) => {
    const ref = engine.keyspace.find(db, Buffer.from(name), 0, name.length)
    if (ref === 0) return null
    strings.read(db, ref)
    return Buffer.from(strings.buf.subarray(strings.off, strings.off + strings.len)).toString('latin1')
  })
}

describe('string and bitmap commands in three members', () => {
  it('end with the same values everywhere, and so does a member that recovers from its log', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const members = [1, 2, 3].map((self) => new EngineHarness({ self, solo: false }))
        for (const { engine } of members) engine.keyspace.stability = NOTHING_STABLE
        for (const each of steps) {
          if ('command' in each) members[each.member].run(...each.command)
          else if ('wait' in each) for (const { clock } of members) clock.now += each.wait
          else deliver(members[each.from], members[each.to])
        }
        for (let moved = true; moved;) {
          moved = false
          for (const from of members) for (const to of members) if (from !== to && deliver(from, to)) moved = true
        }
        const vectors = members.map(({ engine }) => engine.applied)
        for (const vector of vectors) expect(vector.equals(vectors[0])).toBe(true)
        // A member's clock may show times as due that were not when an op was made; all look at one time now.
        const now = Math.max(...members.map(({ clock }) => clock.now))
        const shown = members.map((member) => {
          member.clock.now = now
          return KEYS.map((name) => member.run('GET', name))
        })
        expect(shown[1]).toEqual(shown[0])
        expect(shown[2]).toEqual(shown[0])
        for (const member of members) expect(recovered(member, now)).toEqual(shown[0])
      }),
      { numRuns: 60 },
    )
  })
})
