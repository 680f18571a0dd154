import { describe, expect, it } from 'vitest'
import { EngineHarness } from '../support/engine-harness.js'

describe('transactions', () => {
  it('refuses EXEC and DISCARD outside, and MULTI inside, a transaction', () => {
    const h = new EngineHarness()
    expect(h.raw(['EXEC'])).toBe('-ERR EXEC without MULTI\r\n')
    expect(h.raw(['DISCARD'])).toBe('-ERR DISCARD without MULTI\r\n')
    expect(h.raw(['MULTI'])).toBe('+OK\r\n')
    expect(h.raw(['MULTI'])).toBe('-ERR MULTI calls can not be nested\r\n')
  })

  it('answers an unknown command in the words of Redis', () => {
    const h = new EngineHarness()
    expect(h.raw(['NOPE', 'a', 'b'])).toBe("-ERR unknown command 'NOPE', with args beginning with: 'a' 'b' \r\n")
  })
})
