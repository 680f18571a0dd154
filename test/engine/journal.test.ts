import { describe, expect, it } from 'vitest'
import { Journal } from '../../src/engine/journal.js'
import { MemoryLog } from '../support/memory-log.js'

describe('the log as the engine writes to it', () => {
  it('has nothing, takes nothing and tells nobody before it is open', () => {
    const journal = new Journal()
    expect(journal.isOpen).toBe(false)
    expect(journal.isRefusing).toBe(true)
    expect([journal.loggedBytes, journal.durableBytes, journal.hasFailed]).toEqual([0, 0, false])
    journal.open(new MemoryLog())
    expect(journal.isOpen).toBe(true)
    expect(journal.isRefusing).toBe(false)
  })

  it('tells those of its progress who have asked before it was open, and those who ask later', () => {
    const journal = new Journal()
    const log = new MemoryLog()
    const listeners: (() => void)[] = []
    log.onChange = (listener) => void listeners.push(listener)
    const early = () => undefined
    const late = () => undefined
    journal.onProgress(early)
    expect(listeners).toEqual([])
    journal.open(log)
    journal.onProgress(late)
    expect(listeners).toEqual([early, late])
  })

  it('holds replies of what is in memory only, and with appendfsync always of everything', () => {
    const journal = new Journal()
    const log = new MemoryLog()
    log.appendedBytes = 100
    journal.open(log)
    expect([journal.holdsReplies(100), journal.holdsReplies(101)]).toEqual([false, true])
    journal.syncAlways = true
    expect(journal.holdsReplies(100)).toBe(true)
  })
})
