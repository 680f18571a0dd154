import { describe, expect, it } from 'vitest'
import { SimulatedMesh, type SimulatedNode } from '../support/simulated-mesh.js'

/** IDs of entries in an answer. */
function idsIn(reply: string): string[] {
  return [...reply.matchAll(/\b\d{1,3}-1\b/g)].map(([id]) => id)
}

function pendingOf(node: SimulatedNode, key = 'stream', group = 'g'): string[] {
  return idsIn(node.run('XPENDING', key, group, '-', '+', '100'))
}

function read(node: SimulatedNode, consumer: string, count: number, key = 'stream'): string[] {
  return idsIn(node.run('XREADGROUP', 'GROUP', 'g', consumer, 'COUNT', String(count), 'STREAMS', key, '>'))
}

/**
 * A stream of ten entries 1-1 to 10-1 and its group, read in two regions: the third one has delivered 1 to 4 and acknowledged 1; then it is cut off. The first
 * one delivers 2 to 8, and acknowledges 2, 3 and 7.
 */
function apart() {
  const mesh = new SimulatedMesh(3, 5).start()
  const [a, b, c] = mesh.nodes
  for (let i = 1; i <= 10; i++) a.run('XADD', 'stream', `${i}-1`, 'f', 'v')
  a.run('XGROUP', 'CREATE', 'stream', 'g', '0')
  mesh.untilEqual(a, b, c)
  expect(read(c, 'mine', 4)).toEqual(['1-1', '2-1', '3-1', '4-1'])
  expect(c.run('XACK', 'stream', 'g', '1-1')).toBe('1')
  mesh.untilEqual(a, b, c)
  mesh.cut(c, true)
  expect(read(a, 'theirs', 7)).toEqual(['2-1', '3-1', '4-1', '5-1', '6-1', '7-1', '8-1'])
  expect(a.run('XACK', 'stream', 'g', '2-1', '3-1', '7-1')).toBe('3')
  mesh.advance(300)
  return { mesh, a, b, c }
}

/** Frames that are in no log any more when the third one is back. */
function comeBack({ mesh, a, b, c }: ReturnType<typeof apart>): string {
  for (const node of [a, b]) {
    node.run('SET', `of${node.id}`, 'v'.repeat(100))
    mesh.advance(100)
  }
  for (const node of [a, b]) node.trim()
  mesh.cut(c, false)
  mesh.until('the transfer begins', () => c.member.intake?.isOpen === true)
  mesh.until('the transfer is over', () => c.member.sync?.transfer === null)
  mesh.untilEqual(a, b, c)
  expect(c.digest()).toBe(a.digest())
  return c.run('INFO', 'replication')
}

/** So that it can be cut: much to send, and little at a time. */
function makeTransferLong({ mesh, a, b, c }: ReturnType<typeof apart>): void {
  for (const node of [a, b]) {
    for (let i = 0; i < 300; i++) node.run('SET', `k${node.id}:${i}`, 'v'.repeat(100))
    mesh.network.route(node.name, c.name).bandwidth = 20
    mesh.advance(100)
  }
}

describe('a transfer to a member that reads a stream in a group', () => {
  it('brings what was acknowledged elsewhere, and leaves it what is its own', () => {
    const all = apart()
    const { a, b, c } = all
    expect(comeBack(all)).toContain('sync_last_keys_changed:3')
    expect(pendingOf(c)).toEqual(['4-1'])
    expect(c.run('XINFO', 'CONSUMERS', 'stream', 'g')).toMatch(/mine/)
    expect(c.run('XINFO', 'CONSUMERS', 'stream', 'g')).not.toMatch(/theirs/)
    // Neither what it has delivered itself nor what was acknowledged there; but what is only pending there, at least once.
    expect(read(c, 'mine', 100)).toEqual(['5-1', '6-1', '8-1', '9-1', '10-1'])
    expect(pendingOf(a)).toEqual(['4-1', '5-1', '6-1', '8-1'])
    expect(c.run('XACK', 'stream', 'g', '4-1', '5-1')).toBe('2')
    all.mesh.untilEqual(a, b, c)
    expect(pendingOf(a)).toEqual(['6-1', '8-1'])
  })

  it('does not send a stream of which only consumers and what they have pending differ', () => {
    const all = apart()
    const { a, c } = all
    comeBack(all)
    all.mesh.cut(c, true)
    read(a, 'another', 1)
    read(c, 'mine', 3)
    const info = comeBack(all)
    // The two strings.
    expect(info).toContain('sync_last_keys_changed:2')
    expect(pendingOf(c)).toEqual(['4-1', '5-1', '6-1', '8-1'])
  })

  it('keeps its own over a start, and over transfers that are cut', () => {
    const all = apart()
    const { mesh, a, b, c } = all
    makeTransferLong(all)
    for (const node of [a, b]) node.trim()
    for (let round = 0; round < 6; round++) {
      mesh.cut(c, false)
      const shards = 100 + 150 * round
      mesh.until(
        'some of it is here',
        () => (c.member.sync?.transfer?.shardsDone ?? 1e9) >= shards || c.member.intake?.isOpen !== true,
      )
      mesh.cut(c, true)
    }
    mesh.cut(c, false)
    mesh.untilEqual(a, b, c)
    mesh.until('the transfer is over', () => c.member.sync?.transfer === null)
    expect(pendingOf(c)).toEqual(['4-1'])
    c.crash(true)
    c.start()
    mesh.until('it takes writes', () => c.run('SET', 'x', '1') === 'OK')
    expect(pendingOf(c)).toEqual(['4-1'])
    expect(read(c, 'mine', 100)).toEqual(['5-1', '6-1', '8-1', '9-1', '10-1'])
  })

  it('gives a member whose disk was lost nobody else’s consumers: what nobody acknowledged is delivered to its own', () => {
    const all = apart()
    const { mesh, a, b, c } = all
    c.loseDisk()
    for (const node of [a, b]) node.trim()
    mesh.cut(c, false)
    c.start()
    mesh.until('it takes part again', () => c.run('SET', 'x', '1') === 'OK')
    mesh.untilEqual(a, b, c)
    expect(c.run('XINFO', 'CONSUMERS', 'stream', 'g')).toBe('')
    expect(pendingOf(c)).toEqual([])
    expect(read(c, 'new', 100)).toEqual(['4-1', '5-1', '6-1', '8-1', '9-1', '10-1'])
  })

  it('ends what it has of a group that was made anew meanwhile, and keeps what is pending in one that was placed anew', () => {
    const all = apart()
    const { a, c } = all
    a.run('XGROUP', 'DESTROY', 'stream', 'g')
    a.run('XGROUP', 'CREATE', 'stream', 'g', '8-1')
    comeBack(all)
    expect(pendingOf(c)).toEqual([])
    expect(read(c, 'mine', 100)).toEqual(['9-1', '10-1'])
    all.mesh.cut(c, true)
    a.run('XGROUP', 'SETID', 'stream', 'g', '3-1')
    comeBack(all)
    expect(pendingOf(c)).toEqual(['9-1', '10-1'])
    expect(read(c, 'mine', 100)).toEqual(['4-1', '5-1', '6-1', '7-1', '8-1', '9-1', '10-1'])
  })

  it('keeps what is its own of a group that another region has made as well, at the same time', () => {
    const mesh = new SimulatedMesh(3, 5).start()
    const [a, b, c] = mesh.nodes
    for (let i = 1; i <= 10; i++) a.run('XADD', 'stream', `${i}-1`, 'f', 'v')
    mesh.untilEqual(a, b, c)
    mesh.cut(c, true)
    c.run('XGROUP', 'CREATE', 'stream', 'g', '0')
    expect(read(c, 'mine', 3)).toEqual(['1-1', '2-1', '3-1'])
    mesh.advance(300)
    a.run('XGROUP', 'CREATE', 'stream', 'g', '0')
    comeBack({ mesh, a, b, c })
    expect(pendingOf(c)).toEqual(['1-1', '2-1', '3-1'])
    expect(read(c, 'mine', 2)).toEqual(['4-1', '5-1'])
  })

  it('delivers once more what a lost disk had pending, also when later deliveries are in a log still', () => {
    const mesh = new SimulatedMesh(3, 5).start()
    const [a, b, c] = mesh.nodes
    for (let i = 1; i <= 10; i++) a.run('XADD', 'stream', `${i}-1`, 'f', 'v')
    a.run('XGROUP', 'CREATE', 'stream', 'g', '0')
    mesh.untilEqual(a, b, c)
    expect(read(c, 'mine', 3)).toEqual(['1-1', '2-1', '3-1'])
    mesh.untilEqual(a, b, c)
    for (const node of [a, b]) {
      node.run('SET', `of${node.id}`, 'v')
      mesh.advance(100)
    }
    for (const node of [a, b]) node.trim()
    expect(read(c, 'mine', 2)).toEqual(['4-1', '5-1'])
    mesh.untilEqual(a, b, c)
    c.loseDisk()
    c.start()
    mesh.until('it takes part again', () => c.run('SET', 'x', '1') === 'OK')
    mesh.untilEqual(a, b, c)
    expect(pendingOf(c)).toEqual(['4-1', '5-1'])
    expect(read(c, 'new', 4)).toEqual(['1-1', '2-1', '3-1', '6-1'])
  })

  it('does not take for its own what the state of a transfer that was cut had acknowledged', () => {
    const all = apart()
    const { mesh, a, b, c } = all
    makeTransferLong(all)
    a.run('XADD', 'stream', '11-1', 'f', 'v')
    mesh.untilEqual(a, b)
    for (const node of [a, b]) node.trim()
    // Only the second one knows of this.
    mesh.network.setCut(a.name, b.name, true)
    expect(b.run('XACK', 'stream', 'g', '9-1')).toBe('1')
    mesh.advance(300)
    b.trim()
    mesh.network.setCut(b.name, c.name, false)
    mesh.until('the stream is here', () => c.run('XLEN', 'stream') === '11')
    expect(c.member.intake?.isTouched).toBe(true)
    mesh.network.setCut(b.name, c.name, true)
    mesh.network.setCut(a.name, c.name, false)
    mesh.until('all is here', () => c.member.intake?.isOpen === false)
    expect(read(c, 'mine', 100)).toEqual(['5-1', '6-1', '8-1', '9-1', '10-1', '11-1'])
  })
})
