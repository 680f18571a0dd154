import { describe, expect, it } from 'vitest'
import { Mesh } from '../../support/mesh.js'
import { EngineHarness } from '../../support/engine-harness.js'
import { emptyTwin, everythingOf, loadAll, writeAll } from './state-rig.js'

describe('states of strings', () => {
  it('come back as they were: values, expiries, counters', () => {
    const member = new EngineHarness({ solo: true })
    for (let i = 0; i < 500; i++) member.run('SET', `key${i}`, 'x'.repeat(i))
    for (let i = 0; i < 100; i++) member.run('PEXPIRE', `key${i * 3}`, '100000')
    member.run('INCRBY', 'n', '-12')
    member.run('APPEND', 'key7', 'raw now')
    const sections = writeAll(member.engine)
    const twin = emptyTwin(member)
    expect(loadAll(twin.engine, sections)).toBe(501)
    expect(everythingOf(twin)).toEqual(everythingOf(member))
    expect(twin.run('OBJECT', 'ENCODING', 'key7')).toBe('raw')
    expect(twin.run('OBJECT', 'ENCODING', 'n')).toBe('int')
    expect(twin.run('DBSIZE')).toBe(501)
  })

  it('come back with what only concurrent writes need', () => {
    const mesh = new Mesh()
    const [a, b, c] = mesh.members
    a.run('SET', 'k', 'a')
    b.run('SET', 'k', 'b')
    b.run('APPEND', 'k', ' and more')
    c.run('INCRBY', 'n', '5')
    a.run('INCRBYFLOAT', 'n', '0.1')
    b.run('SETRANGE', 'e', '3', 'x')
    c.run('SETBIT', 'e', '77', '1')
    c.run('SET', 'x', '1', 'PX', '50000')
    mesh.deliverAll()
    a.run('PERSIST', 'x')
    b.run('PEXPIRE', 'x', '70000')
    a.run('DEL', 'n')
    c.run('INCRBY', 'n', '7')
    b.run('DEL', 'x')
    mesh.deliverAll()
    for (const member of mesh.members) {
      const twin = emptyTwin(member)
      loadAll(twin.engine, writeAll(member.engine))
      expect(everythingOf(twin)).toEqual(everythingOf(member))
    }
  })
})
