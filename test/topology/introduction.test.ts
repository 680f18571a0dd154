import { describe, expect, it } from 'vitest'
import { doubtOf } from '../../src/topology/introduction.js'
import type { MemberDescription, TopologyChange } from '../../src/topology/topology-change.js'
import { TopologyState } from '../../src/topology/topology-state.js'

const SELF = 2
const NEW = { id: 4, name: 'm4' }

function description(id: number, name = `m${id}`): MemberDescription {
  return { id, name, region: name, zone: 'a', address: { host: name, port: 7000 + id }, client: null }
}

/** A list that began with these members and had these changes. */
function list(seeds: readonly number[], ...changes: (readonly [origin: number, TopologyChange])[]): TopologyState {
  const state = new TopologyState()
  const members = seeds.map((id) => description(id))
  state.seed(members)
  if (changes.length > 0) state.apply({ kind: 'seeds', number: 1, members }, { origin: 1, stamp: 1 })
  let stamp = 1
  for (const [origin, change] of changes) state.apply({ ...change, number: state.nextNumber(origin) }, { origin, stamp: ++stamp })
  return state
}

function add(origin: number, member = description(NEW.id)): readonly [number, TopologyChange] {
  return [origin, { kind: 'add', number: 0, member, pool: [] }]
}

function remove(origin: number, id: number, forced = true): readonly [number, TopologyChange] {
  return [origin, { kind: 'remove', number: 0, id, forced }]
}

describe('the list that a stranger brings', () => {
  it('is believed where it descends from the one here', () => {
    expect(doubtOf(list([1, 2, 3]), list([1, 2, 3], add(1), remove(1, 3)), SELF, NEW)).toBeNull()
    expect(doubtOf(list([1, 2, 3], remove(1, 3)), list([1, 2, 3], remove(1, 3), add(1)), SELF, NEW)).toBeNull()
  })

  it('is believed although additions and addresses are missing in it that are known here only', () => {
    const here = list([1, 2, 3], add(2, description(5)))
    expect(doubtOf(here, list([1, 2, 3], add(1)), SELF, NEW)).toBeNull()
  })

  it.each([
    ['lacks a forced removal', list([1, 2, 3], remove(1, 3)), list([1, 2, 3], add(3)), 'it does not know that m3 was removed'],
    [
      'knows of another removal of the same member only',
      list([1, 2, 3], remove(1, 3)),
      list([1, 2, 3], remove(1, 3, false), add(3)),
      'it does not know that m3 was removed',
    ],
    ['is of a cluster that began with others', list([1, 2, 3]), list([1, 2], add(1)), 'its cluster began with m1 (1), m2 (2)'],
    ['was never changed', list([1, 2, 3]), list([1, 2, 3]), 'its cluster began with'],
    ['does not have who brings it', list([1, 2, 3]), list([1, 2, 3], remove(1, 3)), 'm4 is not in it as member 4'],
    ['gives its id to another', list([1, 2, 3]), list([1, 2, 3], add(1, description(4, 'x'))), 'm4 is not in it as member 4'],
    [
      'says that who brings it was removed',
      list([1, 2, 3]),
      list([1, 2, 3], add(1), remove(1, NEW.id)),
      'm4 is not a member by it either',
    ],
    [
      'gives the id of a member here to another',
      list([1, 2, 3], add(2, description(5, 'a'))),
      list([1, 2, 3], add(1, description(5, 'b')), add(1)),
      'it gives the id of a to b',
    ],
  ])('is not believed when it %s', (_, here, brought, why) => {
    expect(doubtOf(here, brought, SELF, NEW)).toContain(why)
  })

  it('is not believed when this member is not in it', () => {
    expect(doubtOf(list([1, 2, 3]), list([1, 2, 3], add(1)), 9, NEW)).toBe('this member is not in it')
  })
})
