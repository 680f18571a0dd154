import { expect, test } from 'vitest'
import { meridianMemberKind } from './meridian-member.js'
import { replayCommand, runSeed, seedOptions } from './runner.js'

test('backups that are taken while everything goes on have what the history says, and clusters that are made of them run on', () => {
  const counts = { compared: 0, restored: 0 }
  for (let seed = 1; seed <= 3; seed++) {
    const options = seedOptions(seed, { profile: 'backups' })
    const { failure, backups } = runSeed(meridianMemberKind(), options)
    if (failure !== null) expect.fail(`${failure.stack}\n${replayCommand(options)}`)
    counts.compared += backups.compared
    counts.restored += backups.restored
  }
  expect(counts.compared).toBeGreaterThan(2)
  expect(counts.restored).toBeGreaterThan(0)
})
