import { describe, expect, it } from 'vitest'
import { OthersShare } from '../../src/node/others-share.js'

const STEP_MS = 1

/** What part of the time the work gets when others keep the event loop so busy while they are left alone. */
function ownPart(others: OthersShare, busy: number): number {
  let ownMs = 0
  let pausesMs = 0
  for (let i = 0; i < 1000; i++) {
    ownMs += STEP_MS
    others.worked(STEP_MS)
    const { pauseMs } = others
    if (pauseMs === 0) continue
    pausesMs += pauseMs
    others.paused(pauseMs, pauseMs * (1 - busy))
  }
  return ownMs / (ownMs + pausesMs)
}

describe('the share of others', () => {
  it('is five times the time of the work while they keep the event loop busy', () => {
    expect(ownPart(new OthersShare(), 1)).toBeCloseTo(1 / 6, 2)
    expect(ownPart(new OthersShare(), 0.5)).toBeCloseTo(1 / 6, 2)
  })

  it('is small when they seldom come, and next to nothing when nobody does', () => {
    expect(ownPart(new OthersShare(), 0.1)).toBeGreaterThan(0.75)
    expect(ownPart(new OthersShare(), 0)).toBeGreaterThan(0.9)
  })

  it('is theirs within some steps when they come after a long time in which nobody did', () => {
    const others = new OthersShare()
    ownPart(others, 0)
    let steps = 0
    let pauseMs = 0
    while (pauseMs < 4.5 * STEP_MS) {
      others.worked(STEP_MS)
      steps++
      pauseMs = others.pauseMs
      if (pauseMs > 0) others.paused(pauseMs, 0)
    }
    expect(steps).toBeLessThan(20)
  })

  it('is not measured by a step in which the machine was suspended', () => {
    const others = new OthersShare()
    others.worked(8 * 3_600_000)
    expect(others.pauseMs).toBeLessThan(1000)
    others.paused(8 * 3_600_000, 0)
    expect(ownPart(others, 0)).toBeGreaterThan(0.85)
  })

  it('counts more idle time than has passed as all of it', () => {
    const others = new OthersShare()
    others.worked(STEP_MS)
    others.paused(1, 1.5)
    others.worked(10 * STEP_MS)
    expect(others.pauseMs).toBeCloseTo(1)
  })
})
