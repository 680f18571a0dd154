import { describe, expect, it } from 'vitest'
import { DECIMAL_ZERO } from '../../../src/base/decimal.js'
import { EVERYTHING_STABLE } from '../../../src/crdt/apply-context.js'
import { hasValue } from '../../../src/crdt/string-state.js'
import { setRemembered } from '../../../src/keyspace/hll-block.js'
import type { EngineHarness } from '../../support/engine-harness.js'
import { randomMesh } from './random-mesh.js'
import { emptyTwin, everythingOf, frozen, loadAll, settleAll, writeAll } from './state-rig.js'

/** Metadata that is lost on the way: the twin is changed before it reads. */
const LOST: Readonly<Record<string, (twin: EngineHarness) => void>> = {
  'what a reset has taken of increments': ({ engine: { strings } }) => {
    const { write } = strings
    strings.write = (db, from, state, ...rest) => {
      for (const contribution of state.contributions) contribution.base = DECIMAL_ZERO
      return write.call(strings, db, from, state, ...rest)
    }
  },
  'expiries that wait without a value': ({ engine: { strings } }) => {
    const { write } = strings
    strings.write = (db, from, state, ...rest) => {
      return from === 0 && !hasValue(state) ? 0 : write.call(strings, db, from, state, ...rest)
    }
  },
  'unstable edits': ({ engine: { strings } }) => {
    const { write } = strings
    strings.write = (db, from, state, ...rest) => {
      const { registers } = state
      return write.call(strings, db, from, registers.length === 0 ? state : { ...state, edits: [] }, ...rest)
    }
  },
  'which run an element of a list is of': ({ engine: { collections } }) => {
    const { state } = collections.lists
    const { read } = state
    state.read = (db, root, reader, isWhole) => {
      const { elementDot } = reader
      reader.elementDot = (form) => {
        elementDot.call(reader, form)
        reader.dotLow ^= 1
      }
      const to = read.call(state, db, root, reader, isWhole)
      reader.elementDot = elementDot
      return to
    }
  },
  'entries that are pending': ({ engine: { collections, keyspace } }) => {
    const { groups } = collections.streams.space(keyspace.database(0).arena)
    const { assign } = groups
    let left = 100
    groups.assign = (...rest) => (left-- > 0 ? 0 : assign.apply(groups, rest))
  },
  'removals of streams': ({ engine: { collections, keyspace } }) => {
    const { roots } = collections.streams.space(keyspace.database(0).arena)
    roots.noteRemoved = (root) => root
  },
  'removals of HyperLogLogs': ({ engine: { collections } }) => {
    const { state } = collections.hlls
    const { read } = state
    state.read = (db, root, reader, isWhole) => {
      const to = read.call(state, db, root, reader, isWhole)
      setRemembered(db.arena, to, [])
      return to
    }
  },
  'hidden types': ({ engine: { keys } }) => {
    keys.elect = () => undefined
  },
}

/** True when a member that reads what another wrote while it changed, and the log since then, is not the same in the end. */
function differs(seed: number, plant: (twin: EngineHarness) => void): boolean {
  const { mesh, play } = randomMesh(seed, 150, seed % 2 === 0 ? ['stream', 'counter'] : undefined)
  const [member] = mesh.members
  member.engine.keyspace.stability = frozen(member)
  const from = member.log.frames.length
  const written = writeAll(member.engine, 300, () => play(1))
  const twin = emptyTwin(member)
  plant(twin)
  loadAll(twin.engine, written)
  for (const frame of member.log.frames.slice(0, from)) twin.engine.applied.raise(frame.origin, frame.last)
  for (const frame of member.log.frames.slice(from)) twin.engine.replay.apply(frame)
  const isOther = () => {
    settleAll(twin)
    settleAll(member)
    return JSON.stringify(everythingOf(twin)) !== JSON.stringify(everythingOf(member))
  }
  if (isOther()) return true
  member.engine.keyspace.stability = EVERYTHING_STABLE
  twin.engine.keyspace.stability = EVERYTHING_STABLE
  return isOther()
}

describe('a snapshot that loses', () => {
  it.each(Object.entries(LOST))('%s is noticed', (_what, plant) => {
    const seeds = Array.from({ length: 20 }, (_, i) => i + 1)
    expect(seeds.some((seed) => differs(seed, plant))).toBe(true)
  })
})
