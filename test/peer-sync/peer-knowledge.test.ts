import { describe, expect, test } from 'vitest'
import type { MemberId } from '../../src/base/ids.js'
import { VersionVector } from '../../src/crdt/version-vector.js'
import { PeerKnowledge } from '../../src/peer-sync/peer-knowledge.js'
import type { VectorEntry } from '../../src/peer-sync/messages.js'

const entries = (...stamps: number[]): VectorEntry[] => stamps.map((stamp, i) => [i + 1, stamp] as unknown as VectorEntry)
const vector = (...stamps: number[]): VersionVector =>
  VersionVector.from(stamps.map((stamp, i): [number, number] => [i + 1, stamp]).filter(([, stamp]) => stamp > 0))

describe('what is followed of the reports of a member', () => {
  const report = (knowledge: PeerKnowledge, ...stamps: number[]): boolean =>
    knowledge.merge(entries(...stamps), entries(...stamps))

  test('is the newest of which everything is here', () => {
    const knowledge = new PeerKnowledge(2 as MemberId)
    report(knowledge, 10, 20, 30)
    knowledge.follow(vector(10, 20, 29))
    expect(knowledge.followed.toString()).toBe('')
    knowledge.follow(vector(10, 20, 30))
    expect(knowledge.followed.toString()).toBe('1:10,2:20,3:30')
  })

  test('moves on under constant writes, which bring newer reports all the time', () => {
    const knowledge = new PeerKnowledge(2 as MemberId)
    for (let stamp = 10; stamp <= 50; stamp += 10) {
      report(knowledge, 0, stamp)
      knowledge.follow(vector(5, stamp - 5))
    }
    expect(knowledge.followed.toString()).toBe('2:40')
  })

  test('stays as it is while its disk may be another one, and is nothing when it is', () => {
    const knowledge = new PeerKnowledge(2 as MemberId)
    const here = vector(100, 100, 100)
    report(knowledge, 10, 20, 30)
    knowledge.follow(here)
    report(knowledge, 11, 21, 31)
    knowledge.mayHaveLost = true
    knowledge.follow(here)
    expect(knowledge.followed.toString()).toBe('1:10,2:20,3:30')
    knowledge.mayHaveLost = false
    knowledge.beganAnew(entries(1, 2, 3))
    expect(knowledge.followed.toString()).toBe('')
    knowledge.follow(here)
    expect(knowledge.followed.toString()).toBe('1:1,2:2,3:3')
  })
})
