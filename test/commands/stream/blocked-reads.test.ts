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

/** A client that has waited, and then is served with very many entries, which another client's command brings at once. */
describe.each([
  ['XREAD', ['XREAD', 'BLOCK', '0', 'STREAMS', 's', '$']],
  ['XREADGROUP', READ],
] as const)('%s BLOCK that is served with very many entries', (_, wait) => {
  const make = (): { engine: SlicedEngine; reader: ReceivingSession; expected: string } => {
    const engine = new SlicedEngine(false)
    const { h, client } = engine
    const reader = new ReceivingSession(200)
    h.run('XADD', 's', '1-*', 'f', 'before')
    h.run('XGROUP', 'CREATE', 's', 'g', '$')
    expect(h.raw([...wait], reader)).toBe('')
    expect(reader.blocked?.isRunning).not.toBe(true)
    const expected = numbers.map((n) => `${n + 2}-257`)
    engine.queue(expected.map((id) => ['XADD', 's', id, 'f', 'v']))
    h.raw(['EXEC'], client)
    expect(reader.received).toBe('')
    expect(reader.blocked?.isRunning).toBe(true)
    return { engine, reader, expected: expected.join() }
  }

  it('gets them in slices', () => {
    const { engine, reader, expected } = make()
    let turns = 0
    for (; reader.blocked !== null; turns++) engine.clock.turn()
    expect(turns).toBeGreaterThan(4)
    expect(reader.received.match(/\b\d+-\d+\b/g)?.join()).toBe(expected)
    expect(engine.h.engine.blocking.clientCount).toBe(0)
    expect(engine.h.services.table.find(wait[0].toLowerCase())).toMatchObject({ calls: 1, failedCalls: 0 })
  })

  it('gets what was there when it was served, whoever writes meanwhile', () => {
    const { engine, reader, expected } = make()
    const writer = new ReceivingSession(201)
    engine.clock.turn()
    expect(engine.h.raw(['XADD', 's', '1000-257', 'f', 'late'], writer)).toBe('')
    expect(engine.h.raw(['GET', 'other'], new ReceivingSession(202))).toBe('$-1\r\n')
    while (reader.blocked !== null) engine.clock.turn()
    expect(reader.received.match(/\b\d+-\d+\b/g)?.join()).toBe(expected)
    untilQuiet(engine)
    expect(writer.received).toContain('1000-257')
    expect(engine.h.run('XLEN', 's')).toBe(COUNT + 2)
  })

  it('waits in its place while another long write is under way', () => {
    const engine = new SlicedEngine(false)
    const { h, clock } = engine
    const reader = new ReceivingSession(200)
    h.run('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
    h.raw([...wait], reader)
    engine.write(
      'SADD',
      'set',
      numbers.map((n) => [`m${n}`]),
    )
    engine.ask('COPY', 'set', 'copy')
    clock.turn()
    const writer = new ReceivingSession(201)
    engine.queue(
      numbers.map((n) => ['XADD', 's', `${n + 2}-257`, 'f', 'v']),
      writer,
    )
    h.raw(['EXEC'], writer)
    expect(reader.received).toBe('')
    untilQuiet(engine)
    expect(reader.received.match(/\b\d+-\d+\b/g)).toHaveLength(COUNT)
  })
})

describe('XREADGROUP CLAIM where very many are pending', () => {
  const claim = (idle: number, ...options: string[]): string[] => [
    'XREADGROUP',
    'GROUP',
    'g',
    'other',
    'CLAIM',
    `${idle}`,
    ...options,
    'STREAMS',
    's',
    '>',
  ]

  function pending(): SlicedEngine {
    const engine = new SlicedEngine(false)
    const { h } = engine
    h.run('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM')
    for (const n of numbers) h.run('XADD', 's', `${n + 1}-*`, 'f', 'v')
    for (let n = 0; n < COUNT; n += 20) h.run('XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '20', 'STREAMS', 's', '>')
    return engine
  }

  it('looks in slices for the first time, and answers nil when none may be claimed', () => {
    const engine = pending()
    engine.ask(...claim(1000))
    expect(engine.turns()).toBeGreaterThan(4)
    expect(engine.client.received).toBe('*-1\r\n')
    expect(engine.h.engine.longWrites.isBusy).toBe(false)
    // From then on it is known.
    expect(engine.h.raw(claim(1000), engine.client)).toBe('*-1\r\n')
    expect(engine.h.services.table.find('xreadgroup')).toMatchObject({ calls: COUNT / 20 + 2 })
  })

  it('then waits where it is to wait', () => {
    const engine = pending()
    const { h, clock, client } = engine
    engine.ask(...claim(1000, 'COUNT', '3', 'BLOCK', '500'))
    while (client.blocked?.isRunning === true) clock.turn()
    expect(client.blocked).not.toBeNull()
    expect(h.engine.blocking.clientCount).toBe(1)
    expect(h.engine.longWrites.isBusy).toBe(false)
    clock.advance(500)
    expect(client.received).toBe('*-1\r\n')
    client.received = ''
    expect(h.raw(claim(1000, 'COUNT', '3', 'BLOCK', '5000'), client)).toBe('')
    clock.advance(499)
    expect(client.received).toBe('')
    clock.advance(1)
    untilQuiet(engine)
    expect(client.received.match(/\b\d+-\d+\b/g)).toHaveLength(3)
  })

  it('says that the group is gone when it is by then', () => {
    const engine = pending()
    const { h, client } = engine
    engine.write(
      'SADD',
      'set',
      numbers.map((n) => [`m${n}`]),
    )
    engine.h.raw(['COPY', 'set', 'copy'], engine.other)
    expect(h.raw(claim(1000), client)).toBe('')
    h.run('XGROUP', 'DESTROY', 's', 'g')
    untilQuiet(engine)
    expect(client.received).toMatch(/^-NOGROUP/)
  })
})
