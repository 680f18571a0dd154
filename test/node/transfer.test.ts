import { describe, expect, it } from 'vitest'
import { SimulatedMesh, type SimulatedNode } from '../support/simulated-mesh.js'

/** Writes of every type to keys of its own, and to some that all share. */
function write(node: SimulatedNode, round: number, count = 40): void {
  for (let i = 0; i < count; i++) {
    node.run('SET', `s${node.id}:${i}`, `${round}-${'v'.repeat(30)}`)
    node.run('INCRBY', `n${i % 7}`, '3')
    node.run('HSET', `h${i % 5}`, `f${node.id}:${i}`, String(round))
    node.run('SADD', `set${i % 3}`, `m${node.id}:${round}:${i}`)
    node.run('ZADD', `z${i % 3}`, String(i), `m${i}`)
    node.run('RPUSH', `l${i % 3}`, `e${round}:${i}`)
    node.run('XADD', 'stream', '*', 'f', String(i))
  }
  node.run('DEL', `s${node.id}:${round}`)
  node.run('SPOP', 'set1', '5')
}

function expectEqual(nodes: readonly SimulatedNode[]): void {
  const [first, ...others] = nodes
  for (const other of others) expect(other.digest()).toBe(first.digest())
}

describe('a member that lacks frames which are in no log any more', () => {
  it('takes the state of another one and goes on', () => {
    const mesh = new SimulatedMesh(3).start()
    const [a, b, c] = mesh.nodes
    write(a, 1)
    write(c, 1)
    mesh.untilEqual(a, b, c)
    c.crash()
    for (let round = 2; round < 6; round++) {
      write(a, round)
      write(b, round)
      mesh.advance(200)
    }
    a.trim()
    b.trim()
    expect(a.member.log.firstByte).toBeGreaterThan(0)
    c.start()
    mesh.untilEqual(a, b, c)
    expectEqual([a, b, c])
    expect(c.lines.join('\n')).toContain('the state of another member is here')
    expect(c.lines.join('\n')).not.toContain('is not what the other side has')
    for (const node of mesh.nodes) expect(node.run('SET', `after${node.id}`, '1')).toBe('OK')
    write(c, 9)
    mesh.untilEqual(a, b, c)
    expectEqual([a, b, c])
    c.crash(true)
    c.start()
    mesh.untilEqual(a, b, c)
    expectEqual([a, b, c])
    expect(c.member.log.segments[0].vector.get(1 as never)).toBeGreaterThan(0)
  })

  it('is not left without anybody who has everything, where one that had it was removed by force: seed 500020 of transfer-members', () => {
    const mesh = new SimulatedMesh(3).start()
    const [a, b, c] = mesh.nodes
    a.run('SET', 'k', '1')
    mesh.untilEqual(a, b, c)
    mesh.cut(c, true)
    for (let round = 1; round < 4; round++) write(b, round, 15)
    mesh.untilEqual(a, b)
    mesh.advance(500)
    expect(a.run('CRDT.TOPOLOGY', 'REMOVE', 'm2', 'FORCE')).not.toContain('ERR')
    b.crash()
    a.trim()
    // Those who come are with c, so that it has most members on its side.
    mesh.cut(a, true)
    mesh.network.setCut('m2', 'm3', true)
    for (let round = 1; round < 4; round++) write(c, round, 15)
    const [d, e] = [mesh.join('n4', c), mesh.join('n5', c)]
    for (const each of [d, e]) mesh.network.setCut(a.name, each.name, true)
    mesh.until('they have all of it', () =>
      [d, e].every(({ member }) => member.applied.covers(3, c.member.applied.get(3 as never))),
    )
    mesh.advance(1000)
    for (const each of [c, d, e]) each.trim()
    for (const { member } of [c, d, e]) expect(member.log.firstByte).toBeGreaterThan(0)
    for (const each of [c, d, e]) mesh.network.setCut(a.name, each.name, false)
    mesh.untilEqual(a, c, d, e)
    expectEqual([a, c, d, e])
    for (const each of [a, c, d, e]) expect(each.run('SET', `after${each.id}`, '1')).toBe('OK')
  })

  it('takes it when its disk was lost, and goes on behind its own last write', () => {
    const mesh = new SimulatedMesh(3, 2).start()
    const [a, b, c] = mesh.nodes
    for (let round = 1; round < 5; round++) {
      write(a, round, 15)
      write(c, round, 15)
      mesh.advance(200)
    }
    mesh.untilEqual(a, b, c)
    const last = c.member.applied.get(c.member.topology.self)
    c.loseDisk()
    a.trim()
    b.trim()
    c.start()
    mesh.until('it takes part again', () => c.run('SET', 'x', '1') === 'OK')
    mesh.untilEqual(a, b, c)
    expectEqual([a, b, c])
    expect(c.member.applied.get(c.member.topology.self)).toBeGreaterThan(last)
    expect(b.run('GET', 'x')).toBe('1')
  })

  it('is sent only what differs, and drops what is not there any more', () => {
    const mesh = new SimulatedMesh(3, 4).start()
    const [a, b, c] = mesh.nodes
    for (let i = 0; i < 600; i++) a.run('SET', `k${i}`, 'v'.repeat(100))
    mesh.untilEqual(a, b, c)
    mesh.cut(c, true)
    for (let i = 0; i < 6; i++) {
      a.run('SET', `k${i}`, 'new')
      a.run('DEL', `k${i + 300}`)
      a.run('HSET', `h${i}`, 'f', 'v')
      mesh.advance(100)
    }
    a.trim()
    b.trim()
    mesh.cut(c, false)
    mesh.until('the transfer begins', () => isTaking(c))
    expect(c.run('INFO', 'replication')).toMatch(/sync_state:(seeking|asked|fetching|finishing)/)
    mesh.until('the transfer is over', () => c.member.sync?.transfer === null)
    mesh.untilEqual(a, b, c)
    expectEqual([a, b, c])
    expect(c.run('EXISTS', 'k303', 'k1', 'h2')).toBe('2')
    expect(c.lines.join('\n')).not.toContain('is not what the other side has')
    expect(c.run('INFO', 'replication')).toContain('sync_state:none')
    const info = c.run('INFO', 'replication')
    expect(info).toMatch(/sync_completed:1\r\n/)
    expect(Number(/sync_last_snapshot_bytes:(\d+)/.exec(info)?.[1])).toBeGreaterThan(60_000)
    const bytes = Number(/sync_last_bytes_received:(\d+)/.exec(info)?.[1])
    const sent = [a, b].map((node) => Number(/sync_bytes_sent:(\d+)/.exec(node.run('INFO', 'replication'))?.[1]))
    expect(sent[0] + sent[1]).toBe(bytes)
    // The ends of some 500 shards, and a dozen keys.
    expect(bytes).toBeGreaterThan(0)
    expect(bytes).toBeLessThan(10_000)
  })

  it('gets it no faster than the source may send', () => {
    const { mesh, a, b, c } = apart()
    mesh.cut(c, false)
    mesh.untilEqual(a, b, c)
    const took = [0, 1000].map((rate) => {
      for (const node of [a, b]) node.member.keeping.syncMaxRate = rate
      const start = mesh.scheduler.now
      c.loseDisk()
      c.start()
      mesh.until('the transfer begins', () => isTaking(c))
      mesh.until('the transfer is over', () => !isTaking(c))
      return mesh.scheduler.now - start
    })
    // Some 20 kB.
    expect(took[1] - took[0]).toBeGreaterThan(5000)
    mesh.untilEqual(a, b, c)
    expectEqual([a, b, c])
  })

  it('drops many keys of one shard in steps, and some of those that stay are others', () => {
    const mesh = new SimulatedMesh(3, 6).start()
    const [a, b, c] = mesh.nodes
    const count = 12_000
    for (let i = 0; i < count; i++) a.run('SET', `{one}${i}`, String(i))
    mesh.untilEqual(a, b, c)
    mesh.cut(c, true)
    for (let i = 0; i < count; i++) if (i % 10 !== 0) a.run('DEL', `{one}${i}`)
    for (let i = 0; i < 100; i += 10) a.run('SET', `{one}${i}`, 'new')
    mesh.advance(100)
    a.trim()
    b.trim()
    mesh.cut(c, false)
    mesh.until('the transfer begins', () => isTaking(c))
    mesh.until('the transfer is over', () => !isTaking(c))
    mesh.untilEqual(a, b, c)
    expectEqual([a, b, c])
    expect(c.run('DBSIZE')).toBe(String(count / 10))
    expect(c.run('INFO', 'replication')).toContain('sync_last_keys_changed:10\r\n')
    expect(c.lines.join('\n')).not.toContain('is not what the other side has')
  })

  it('says on both sides how far it is and how long it will take', () => {
    const { mesh, a, b, c } = apart()
    for (const node of [a, b]) node.member.keeping.syncMaxRate = 2000
    mesh.cut(c, false)
    const field = (node: SimulatedNode, name: string): string =>
      new RegExp(`${name}:([^\\r]*)`).exec(node.run('INFO', 'replication'))?.[1] ?? ''
    mesh.until('half of it is here', () => Number(field(c, 'sync_perc')) > 50)
    const source = [a, b].find(({ name }) => name === field(c, 'sync_source'))
    expect(source).toBeDefined()
    if (source === undefined) return
    const [, percent, bytes, eta] =
      /^name=m3,state=sending,perc=([\d.]+),bytes_sent=(\d+),snapshot_bytes=\d+,eta_seconds=(\d+)$/.exec(
        field(source, 'sync_receiver0'),
      ) ?? []
    expect(Number(percent)).toBeGreaterThan(45)
    expect(Number(bytes)).toBeGreaterThanOrEqual(Number(field(c, 'sync_bytes_received')))
    const remaining = Number(field(c, 'sync_eta_seconds'))
    expect(Math.abs(Number(eta) - remaining)).toBeLessThanOrEqual(2)
    const start = mesh.scheduler.now
    mesh.until('the transfer is over', () => !isTaking(c))
    const took = (mesh.scheduler.now - start) / 1000
    expect(took).toBeGreaterThan(remaining / 2 - 1)
    expect(took).toBeLessThan(2 * remaining + 2)
    mesh.untilEqual(a, b, c)
    mesh.until('the source knows that it is over', () => field(source, 'sync_receivers') === '0')
  })

  it('refuses reads meanwhile where stale data are not to be served, and nothing else', () => {
    const { mesh, a, b, c } = apart()
    c.member.engine.servesStale = false
    expect(c.run('GET', 's1:3')).toMatch(/v+$/)
    mesh.cut(c, false)
    mesh.until('the transfer begins', () => isTaking(c))
    const refused = /MASTERDOWN This member takes the state of another one.* replica-serve-stale-data is set to 'no'/
    for (const read of [['GET', 's1:3'], ['EXISTS', 'h1'], ['DBSIZE'], ['SCAN', '0'], ['LRANGE', 'l1', '0', '-1'], ['RANDOMKEY']])
      expect(c.run(...read)).toMatch(refused)
    expect(c.run('SET', 's1:3', 'x')).toContain('LOADING This member takes the state of another one')
    for (const other of [
      ['PING'],
      ['INFO'],
      ['CRDT.DIGEST'],
      ['CRDT.DEBUG', 's1:3'],
      ['SELECT', '0'],
      ['ECHO', 'x'],
      ['PUBLISH', 'c', 'm'],
      ['TIME'],
    ])
      expect(c.run(...other)).not.toMatch(/MASTERDOWN This|LOADING This/)
    c.member.engine.servesStale = true
    expect(c.run('GET', 's1:3')).toMatch(/v+$/)
    c.member.engine.servesStale = false
    mesh.untilEqual(a, b, c)
    expect(c.run('GET', 's1:3')).toMatch(/v+$/)
  })

  it('refuses writes meanwhile and answers reads; what it wrote before is fetched first', () => {
    const { mesh, a, b, c } = apart()
    const seen = new Set<string>()
    c.run('SET', 'mine', 'kept')
    mesh.cut(c, false)
    mesh.until('the transfer begins', () => isTaking(c))
    mesh.until('the transfer is over', () => {
      seen.add(c.run('SET', 'y', '1'))
      expect(c.run('GET', 's1:3')).toMatch(/^[0-9]-v+$/)
      expect(c.run('SCAN', '0', 'COUNT', '1000')).not.toContain('Error')
      return c.member.sync?.transfer === null
    })
    expect([...seen].join('\n')).toContain('LOADING This member takes the state of another one')
    mesh.untilEqual(a, b, c)
    expectEqual([a, b, c])
    expect(a.run('GET', 'mine')).toBe('kept')
  })

  for (const [what, crash] of [
    ['it crashes', ({ c }: Apart) => restart(c, true)],
    ['its source crashes', ({ a, b }: Apart) => [a, b].forEach((node) => restart(node, true))],
    ['the links break', ({ mesh, c }: Apart) => [1, 0].forEach((cut) => mesh.cut(c, cut === 1))],
    ['the snapshot is replaced', ({ a, b }: Apart) => [a, b].forEach((node) => node.trim())],
  ] as const) {
    it(`gets there when ${what} again and again`, () => {
      const all = apart(100)
      const { mesh, a, b, c } = all
      mesh.cut(c, false)
      for (const shards of [0, 1, 60, 129]) {
        const passed = (): boolean => {
          const transfer = c.member.sync?.transfer
          return transfer === null || transfer === undefined
            ? c.member.applied.dominates(a.member.durable)
            : transfer.shards > 0 && transfer.shardsDone >= shards
        }
        mesh.until(`${shards} shards are here`, passed)
        crash(all)
      }
      mesh.untilEqual(a, b, c)
      expectEqual([a, b, c])
      write(c, 20, 10)
      mesh.untilEqual(a, b, c)
      expectEqual([a, b, c])
    })
  }
})

function isTaking({ member }: SimulatedNode): boolean {
  return member.intake?.isOpen === true
}

type Apart = ReturnType<typeof apart>

function restart(node: SimulatedNode, power: boolean): void {
  node.crash(power)
  node.start()
}

/** Two members go on without the third, which writes too, and let go of their logs. Its links to them are slow. */
function apart(bytesPerMs = 100_000) {
  const mesh = new SimulatedMesh(3, 3).start()
  const [a, b, c] = mesh.nodes
  for (const node of mesh.nodes) write(node, 1, 15)
  mesh.untilEqual(a, b, c)
  mesh.cut(c, true)
  for (let round = 2; round < 5; round++) {
    write(a, round, 15)
    write(b, round, 15)
    mesh.advance(200)
  }
  write(c, 8, 10)
  a.trim()
  b.trim()
  for (const from of [a, b]) mesh.network.route(from.name, c.name).bandwidth = bytesPerMs
  return { mesh, a, b, c }
}

describe('what is stable', () => {
  it('does not grow while a member that lost its disk lacks ops of its own, which have not seen what was written since', () => {
    const mesh = new SimulatedMesh(3, 5).start()
    const [a, b, c] = mesh.nodes
    mesh.cut(a, true)
    const loser = c.member.topology.self
    for (let i = 0; i < 40; i++) c.run('SET', `k${i}`, 'v'.repeat(100))
    mesh.advance(200)
    const last = c.member.applied.get(loser)
    expect(b.member.durable.get(loser)).toBe(last)
    c.loseDisk()
    // Its own ops come back slowly; what is written now comes at once.
    mesh.network.route(b.name, c.name).bandwidth = 5
    mesh.network.route(b.name, a.name).bandwidth = 5
    mesh.cut(a, false)
    c.start()
    a.run('SET', 'later', '1')
    mesh.advance(1)
    const later = a.member.applied.get(a.member.topology.self)
    let waits = 0
    while (c.member.applied.get(loser) < last && waits < 6000) {
      for (const { member } of mesh.nodes) expect(member.stable.get(a.member.topology.self)).toBeLessThan(later)
      mesh.advance(10)
      waits++
    }
    expect(waits).toBeGreaterThan(20)
    mesh.untilEqual(a, b, c)
    for (const { member } of mesh.nodes) mesh.until('everything is stable', () => member.stable.dominates(member.applied))
  })
})

describe('a start', () => {
  it('makes the name of a snapshot durable that a killed process has given, before it lets go of the log', () => {
    for (let seed = 1; seed <= 4; seed++) {
      const mesh = new SimulatedMesh(2, seed).start()
      const [a, b] = mesh.nodes
      for (let round = 1; round < 4; round++) write(a, round, 10)
      mesh.untilEqual(a, b)
      a.member.snapshots.begin('save')
      const isNamed = (): boolean => a.disk.listFolder('/data/snapshot').some((name) => name.endsWith('.msnap'))
      while (!isNamed()) mesh.scheduler.runNext()
      restart(a, false)
      mesh.until('the log is trimmed', () => a.member.log.firstByte > 0)
      mesh.until('it takes writes', () => a.run('SET', 'x', '1') === 'OK')
      // Segments that follow make it durable that the first ones are gone.
      for (const round of [5, 6, 7]) {
        write(a, round, 10)
        mesh.advance(200)
      }
      restart(a, true)
      mesh.untilEqual(a, b)
      expectEqual([a, b])
    }
  })

  it('is from the old state when it died before the new one had its name, also if the old log had nothing behind its snapshot', () => {
    const { mesh, a, b, c } = apart()
    c.run('SET', 'last', '1')
    mesh.cut(c, false)
    mesh.until('the transfer begins', () => isTaking(c))
    mesh.cut(c, true)
    // Nothing comes behind this one.
    while (isTaking(c)) restart(c, false)
    c.member.snapshots.saveNow('save')
    mesh.cut(c, false)
    const hasGap = (): boolean => {
      const numbers = c.disk.listFolder('/data/log').map((name) => Number.parseInt(name, 10))
      return numbers.some((number, i) => i > 0 && number !== numbers[i - 1] + 1)
    }
    while (!hasGap()) mesh.scheduler.runNext()
    mesh.advance(0.01)
    restart(c, false)
    mesh.untilEqual(a, b, c)
    expectEqual([a, b, c])
  })
})
