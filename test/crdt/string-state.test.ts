import { describe, expect, it } from 'vitest'
import { decimalOf, parseDecimal, type Decimal } from '../../src/base/decimal.js'
import { LIMITS } from '../../src/base/limits.js'
import type { Edit, ExpiryChange } from '../../src/crdt/string-state.js'
import { editText, settle } from '../../src/crdt/string-state.js'
import { History, NOTHING_STABLE, seen } from './string-history.js'

/** The rules for string keys, by example: what two or three members end with after they wrote without having heard of each other. */
class Mesh extends History {
  set(id: number, text: string, expiry: ExpiryChange = { kind: 'clear' }): void {
    this.write(id, { kind: 'set', text, expiry })
  }
  del(id: number): void {
    this.write(id, { kind: 'remove', due: false })
  }
  /** The owner of the visible expiry removes the key because its time is up. */
  expireNow(id: number): void {
    this.write(id, { kind: 'remove', due: true })
  }
  add(id: number, n: number | string): void {
    const value: Decimal | null = typeof n === 'number' ? decimalOf(n) : parseDecimal(n)
    if (value === null) throw new Error('no number')
    this.write(id, { kind: 'add', n: value })
  }
  append(id: number, text: string): void {
    this.edit(id, { kind: 'append', bytes: Buffer.from(text) })
  }
  edit(id: number, edit: Edit): void {
    this.write(id, { kind: 'edit', edit })
  }
  expire(id: number, at: number): void {
    this.write(id, { kind: 'expire', at })
  }
  /** Lets everyone hear everything; then all must show the same, which it gives. */
  sync(): { text: string | null; expiresAt: number | null } {
    this.finish()
    const [first, ...others] = this.members.map((member) => seen(member.state))
    for (const other of others) expect(other).toEqual(first)
    return first
  }
}

function mesh(size = 2): Mesh {
  return new Mesh(size)
}

describe('registers', () => {
  it('of two concurrent values the one with the later stamp is visible', () => {
    const m = mesh()
    m.set(1, 'first')
    m.write(2, { kind: 'set', text: 'second', expiry: { kind: 'clear' } }, 5)
    expect(m.sync().text).toBe('second')
  })

  it('of two values with one stamp the one of the higher member id is visible', () => {
    const m = mesh()
    m.set(2, 'two')
    m.set(1, 'one')
    expect(m.sync().text).toBe('two')
  })

  it('a delete removes only what it had seen: a concurrent write survives, even one with an earlier stamp', () => {
    const m = mesh()
    m.set(1, 'old')
    m.sync()
    m.set(1, 'new')
    m.write(2, { kind: 'remove', due: false }, 100)
    expect(m.sync().text).toBe('new')
  })

  it('a concurrent value that lost comes back when the winner alone is deleted by one who had not seen it', () => {
    const m = mesh(3)
    m.set(1, 'loser')
    m.write(2, { kind: 'set', text: 'winner', expiry: { kind: 'clear' } }, 5)
    m.step({ kind: 'deliver', from: 2, to: 3, count: 1 })
    m.del(3)
    expect(m.sync().text).toBe('loser')
  })
})

describe('counters', () => {
  it('increments always add up', () => {
    const m = mesh(3)
    m.add(1, 5)
    m.add(2, 7)
    m.add(3, -2)
    m.add(1, 1)
    expect(m.sync().text).toBe('11')
  })

  it('synced counter 10; SET 0 in A while INCRBY 3 in B: both end at 3', () => {
    const m = mesh()
    m.add(1, 10)
    m.sync()
    m.set(1, '0')
    m.add(2, 3)
    expect(m.sync().text).toBe('3')
  })

  it('the same with the counter begun by the one who goes on', () => {
    const m = mesh()
    m.add(2, 10)
    m.sync()
    m.set(1, '0')
    m.add(2, 3)
    expect(m.sync().text).toBe('3')
    m.add(2, 1)
    expect(m.sync().text).toBe('4')
  })

  it('a delete leaves increments that it had not seen', () => {
    const m = mesh()
    m.add(1, 10)
    m.sync()
    m.del(1)
    m.add(2, 2)
    expect(m.sync().text).toBe('2')
    m.del(2)
    expect(m.sync().text).toBe(null)
  })

  it('two concurrent resets reset once', () => {
    const m = mesh(3)
    m.add(3, 10)
    m.sync()
    m.set(1, '100')
    m.write(2, { kind: 'set', text: '200', expiry: { kind: 'clear' } }, 5)
    m.add(3, 1)
    expect(m.sync().text).toBe('201')
  })

  it('decimal fractions have no binary error, whatever the order', () => {
    const m = mesh(3)
    m.add(1, '0.1')
    m.add(2, '0.2')
    m.add(3, '-0.3')
    expect(m.sync().text).toBe('0')
  })

  it('a text beside increments is visible; they count again when a number takes its place unseen', () => {
    const m = mesh(3)
    m.set(1, 'text')
    m.add(2, 4)
    m.write(3, { kind: 'set', text: '10', expiry: { kind: 'clear' } }, 9)
    expect(m.sync().text).toBe('14')
    const n = mesh()
    n.set(1, 'text')
    n.add(2, 4)
    expect(n.sync().text).toBe('text')
  })

  it('a merged sum beyond 64 bits reads as the nearest bound, and comes back from there', () => {
    const m = mesh()
    m.set(1, '-9223372036854775800')
    m.sync()
    m.add(1, -8)
    m.add(2, -8)
    expect(m.sync().text).toBe('-9223372036854775808')
    m.add(1, 16)
    expect(m.sync().text).toBe('-9223372036854775800')
  })
})

describe('edits', () => {
  it('concurrent appends both stay', () => {
    const m = mesh()
    m.set(1, 'x')
    m.sync()
    m.append(1, 'A')
    m.write(2, { kind: 'edit', edit: { kind: 'append', bytes: Buffer.from('B') } }, 1)
    expect(m.sync().text).toBe('xAB')
  })

  it('concurrent bits both stay', () => {
    const m = mesh()
    m.edit(1, { kind: 'set-bits', offset: 0, width: 1, value: 1n })
    m.edit(2, { kind: 'set-bits', offset: 7, width: 1, value: 1n })
    expect(m.sync().text).toBe('\x81')
  })

  it('a later SET beats an earlier edit; an earlier one does not', () => {
    const m = mesh()
    m.append(1, 'edit')
    m.write(2, { kind: 'set', text: 'set', expiry: { kind: 'clear' } }, 5)
    expect(m.sync().text).toBe('set')
    const n = mesh()
    n.set(1, 'set')
    n.write(2, { kind: 'edit', edit: { kind: 'append', bytes: Buffer.from('+') } }, 5)
    expect(n.sync().text).toBe('set+')
  })

  it('a delete that had not seen an edit leaves it', () => {
    const m = mesh()
    m.set(1, 'base')
    m.sync()
    m.del(1)
    m.append(2, '!')
    expect(m.sync().text).toBe('!')
  })

  it('on a counter becomes a write of the visible text', () => {
    const m = mesh()
    m.add(1, 12)
    m.sync()
    m.append(2, '5')
    m.add(1, 1)
    expect(m.sync().text).toBe('126')
  })

  it('are folded when every member has them, and not before', () => {
    const m = mesh()
    m.set(1, 'a')
    m.append(1, 'b')
    const { state, stability } = m.member(1)
    settle(state, stability)
    expect(state.edits.length).toBe(1)
    m.sync()
    settle(state, stability)
    expect([state.edits.length, state.registers.length, Buffer.from(state.registers[0].value).toString()]).toEqual([0, 1, 'ab'])
  })

  it('extend with zero bytes, and stop at the longest string', () => {
    expect(Buffer.from(editText(Buffer.from('a'), { kind: 'set-range', offset: 3, bytes: Buffer.from('z') })).toString()).toBe(
      'a\0\0z',
    )
    expect(editText(Buffer.from('a'), { kind: 'set-bits', offset: 15, width: 2, value: 3n })).toEqual(Uint8Array.of(97, 1, 128))
    expect(editText(Buffer.from('a'), { kind: 'set-range', offset: 9, bytes: new Uint8Array(0) })).toEqual(Uint8Array.of(97))
    expect(LIMITS.maxBulkBytes).toBe(512 * 1024 * 1024)
  })
})

describe('expiry', () => {
  it('of concurrent times the latest is visible, and PERSIST is later than all', () => {
    const m = mesh()
    m.set(1, 'v')
    m.sync()
    m.expire(1, 10)
    m.expire(2, 50)
    expect(m.sync().expiresAt).toBe(50)
    m.expire(1, 20)
    expect(m.sync().expiresAt).toBe(20)
    m.expire(1, 99)
    m.expire(2, Infinity)
    expect(m.sync()).toEqual({ text: 'v', expiresAt: null })
  })

  it('SET clears what it had seen of it, and keeps it when told', () => {
    const m = mesh()
    m.set(1, 'v', { kind: 'set', at: 10 })
    m.sync()
    m.set(2, 'w', { kind: 'keep' })
    expect(m.sync()).toEqual({ text: 'w', expiresAt: 10 })
    m.set(1, 'x')
    m.expire(2, 70)
    expect(m.sync()).toEqual({ text: 'x', expiresAt: 70 })
    m.set(1, 'y')
    expect(m.sync()).toEqual({ text: 'y', expiresAt: null })
  })

  it('a value that survives the removal of a due key keeps the expiry: nothing lives for ever by accident', () => {
    const m = mesh()
    m.set(1, '1', { kind: 'set', at: 10 })
    m.sync()
    m.expireNow(1)
    m.add(2, 5)
    expect(m.sync()).toEqual({ text: '5', expiresAt: 10 })
  })

  it('a key that was deleted and is written anew has none', () => {
    const m = mesh()
    m.set(1, '1', { kind: 'set', at: 10 })
    m.sync()
    m.expireNow(1)
    m.set(1, '2', { kind: 'keep' })
    expect(m.sync()).toEqual({ text: '2', expiresAt: null })
  })

  it('leaves nothing behind once everyone has heard that the key is gone', () => {
    const m = mesh()
    m.set(1, '1', { kind: 'set', at: 10 })
    m.sync()
    m.expireNow(1)
    settle(m.member(1).state, NOTHING_STABLE)
    expect(m.member(1).state.expiries.length).toBe(1)
    m.sync()
    for (const { state, stability } of m.members) {
      settle(state, stability)
      expect(state.expiries).toEqual([])
    }
  })
})
