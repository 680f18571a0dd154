import { expect, test } from 'vitest'
import { meridianMemberKind } from './meridian-member.js'
import { replayCommand, runSeed, seedOptions } from './runner.js'
import { TransferCounts } from './transfers.js'

// On a machine that is busy with other things twenty seeds take more than half a minute.
test('members take the state of one another whatever befalls them, and it really happens', { timeout: 180_000 }, () => {
  const counts = new TransferCounts()
  for (const profile of ['transfer', 'transfer-strings', 'transfer-members', 'transfer-groups']) {
    for (let seed = 1; seed <= 5; seed++) {
      const options = seedOptions(seed, { profile })
      const { failure, transfers } = runSeed(meridianMemberKind(), options)
      if (failure !== null) expect.fail(`${failure.stack}\n${replayCommand(options)}`)
      counts.add(transfers)
    }
  }
  // A profile that brings none about would pass whatever is wrong with them.
  expect(counts.taken, counts.toString()).toBeGreaterThan(8)
  expect(counts.cut, counts.toString()).toBeGreaterThan(3)
  expect(counts.chained, counts.toString()).toBeGreaterThan(0)
  expect(counts.fromNothing, counts.toString()).toBeGreaterThan(2)
  expect(counts.trimsOfLacked, counts.toString()).toBeGreaterThan(20)
  for (const stage of ['open', 'offer', 'shard', 'finish', 'step', 'taken'])
    expect(counts.blows.get(`at ${stage}`), counts.toString()).toBeGreaterThan(0)
})
