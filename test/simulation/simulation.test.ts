import { describe, expect, test } from 'vitest'
import { meridianMemberKind } from './meridian-member.js'
import { plainMemberKind, type PlainBug } from './plain-member.js'
import { PROFILES } from './profiles.js'
import { formatRanges, parseRanges, replayCommand, runSeed, seedOptions, shrink } from './runner.js'
import type { SimulationOptions } from './simulation.js'

const PLAIN_BUGS: readonly PlainBug[] = [
  'no-gate',
  'no-duplicate-check',
  'send-before-sync',
  'torn-tail-stays',
  'clock-ignores-remote',
  'clock-ignores-log',
  'applied-in-memory-only',
  'wrong-reply',
]

/** The plain member knows of no changes of membership, and of no disks that come back. */
function plainOptions(seed: number): SimulationOptions {
  const options = seedOptions(seed)
  return PROFILES[options.profile].membershipRate === undefined ? options : seedOptions(seed, { profile: 'mix' })
}

describe('the simulator with a member that is right by construction', () => {
  test('finds nothing in a few dozen seeds', { timeout: 180_000 }, () => {
    for (let seed = 1; seed <= 40; seed++) {
      const options = plainOptions(seed)
      const { failure } = runSeed(plainMemberKind(), options)
      if (failure !== null) expect.fail(`${failure.stack}\n${replayCommand(options)}`)
    }
  })

  test.each(PLAIN_BUGS)('finds the planted bug %s', (bug) => {
    let seed = 1
    while (seed <= 150 && runSeed(plainMemberKind(bug), plainOptions(seed)).failure === null) seed++
    expect(seed).toBeLessThanOrEqual(150)
  })

  test('a seed runs the same way twice', () => {
    const lines = (): string[] => {
      const trace: string[] = []
      runSeed(plainMemberKind(), { ...seedOptions(5), trace: (line) => trace.push(line) })
      return trace
    }
    expect(lines()).toEqual(lines())
  })

  test('a failure shrinks to fewer steps that still fail', () => {
    const kind = plainMemberKind('no-gate')
    let seed = 1
    while (runSeed(kind, seedOptions(seed)).failure === null) seed++
    const small = shrink(kind, seedOptions(seed), 60)
    expect(runSeed(kind, small).failure).not.toBeNull()
    expect(small.steps - small.skipSteps.size).toBeLessThan(seedOptions(seed).steps)
  })

  test('ranges of indexes read back as written', () => {
    expect(formatRanges(new Set([3, 1, 2, 7]))).toBe('1-3,7')
    expect([...parseRanges('1-3,7')]).toEqual([1, 2, 3, 7])
  })
})

describe('members under simulation', () => {
  test('lose nothing that they have called durable when syncs and writes fail, and never sync again what has failed', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const options = seedOptions(seed, { profile: 'broken-disks', steps: 80 })
      const { failure } = runSeed(meridianMemberKind(), options)
      if (failure !== null) expect.fail(`${failure.stack}\n${replayCommand(options)}`)
    }
  })

  test('keep every invariant in a few dozen seeds', { timeout: 180_000 }, () => {
    for (let seed = 1; seed <= 40; seed++) {
      const options = seedOptions(seed)
      const { failure } = runSeed(meridianMemberKind(), options)
      if (failure !== null) expect.fail(`${failure.stack}\n${replayCommand(options)}`)
    }
  })
})
