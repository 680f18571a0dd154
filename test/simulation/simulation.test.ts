import { describe, expect, test } from 'vitest'
import { meridianMemberKind } from './meridian-member.js'
import { plainMemberKind } from './plain-member.js'
import { replayCommand, runSeed, seedOptions } from './runner.js'

describe('the simulator with a member that is right by construction', () => {
  test('finds nothing in a few dozen seeds', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const options = seedOptions(seed)
      const { failure } = runSeed(plainMemberKind(), options)
      if (failure !== null) expect.fail(`${failure.stack}\n${replayCommand(options)}`)
    }
  })
})

describe('members under simulation', () => {
  test('keep every invariant in a few dozen seeds', () => {
    const started = performance.now()
    for (let seed = 1; seed <= 60; seed++) {
      const options = seedOptions(seed)
      const { failure } = runSeed(meridianMemberKind(), options)
      if (failure !== null) expect.fail(`${failure.stack}\n${replayCommand(options)}`)
    }
    console.log(60000 / (performance.now() - started))
  })
})
