import { describe, expect, it } from 'vitest'
import { COUNT, numbers, SlicedEngine } from '../../support/sliced-engine.js'
import { ReceivingSession } from '../../support/ticking-clock.js'

const READ = ['XREADGROUP', 'GROUP', 'g', 'c', 'BLOCK', '0', 'STREAMS', 's', '>']

/** A client that may wait, and asks for very many entries, which are there; a long write is under way, so its turn is still to come. */
function waiting(): { engine: SlicedEngine; reader: ReceivingSession } {
  const engine = new SlicedEngine(false)
  const { h } = engine
  const reader = new ReceivingSession(200)
  h.run('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
  for (const n of numbers) h.run('XADD', 's', `${n + 1}-*`, 'f', 'v')
  engine.write(
    'SADD',
    'set',
    numbers.map((n) => [`m${n}`]),
  )
  engine.ask('COPY', 'set', 'copy')
  expect(h.raw(READ, reader)).toBe('')
  expect(reader.blocked?.isRunning).toBe(true)
  return { engine, reader }
}

/** Lets turns pass until nothing is under way. */
function untilQuiet({ clock, h }: SlicedEngine): void {
  for (let turn = 0; turn < 100 || h.engine.longWrites.isBusy; turn++) clock.turn()
}

describe('XREADGROUP BLOCK of very many entries, which is answered in slices', () => {
  it('gives them all when its turn has come', () => {
    const { engine, reader } = waiting()
    untilQuiet(engine)
    expect(reader.blocked).toBeNull()
    expect(reader.received.match(/\b\d+-\d+\b/g)).toHaveLength(COUNT)
    expect((engine.h.run('XPENDING', 's', 'g') as unknown[])[0]).toBe(COUNT)
  })

  it('goes on waiting when they have gone before its turn, and gets what comes then', () => {
    const { engine, reader } = waiting()
    const { h } = engine
    expect(h.run('XTRIM', 's', 'MAXLEN', '0')).toBe(COUNT)
    untilQuiet(engine)
    expect(reader.received).toBe('')
    expect(reader.blocked).not.toBeNull()
    const id = String(h.run('XADD', 's', '1000-*', 'f', 'v'))
    untilQuiet(engine)
    expect(reader.received).toContain(id)
    expect((h.run('XPENDING', 's', 'g') as unknown[])[0]).toBe(1)
  })

  it('gives what is left when some have gone before its turn', () => {
    const { engine, reader } = waiting()
    const { h } = engine
    h.run('XTRIM', 's', 'MAXLEN', '3')
    untilQuiet(engine)
    expect(reader.received.match(/\b\d+-\d+\b/g)).toHaveLength(3)
    expect((h.run('XPENDING', 's', 'g') as unknown[])[0]).toBe(3)
  })

  it('hears that the group has gone before its turn', () => {
    const { engine, reader } = waiting()
    engine.h.run('XGROUP', 'DESTROY', 's', 'g')
    untilQuiet(engine)
    expect(reader.received).toContain('NOGROUP')
    expect(reader.blocked).toBeNull()
  })

  it('has taken nothing when its client goes before its turn', () => {
    const { engine, reader } = waiting()
    reader.blocked?.cancel()
    reader.blocked = null
    untilQuiet(engine)
    expect(reader.received).toBe('')
    expect((engine.h.run('XPENDING', 's', 'g') as unknown[])[0]).toBe(0)
  })
})
