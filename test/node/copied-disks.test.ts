import { expect, it } from 'vitest'
import { SimulatedMesh, type SimulatedNode } from '../support/simulated-mesh.js'

/** The others have closed their links with the first of two processes of one member. */
function isFollowed({ lines }: SimulatedNode): boolean {
  return lines.filter((line) => line.includes('was closed by the other side')).length === 2
}

/** Three equal members, and the disk of the third as it was 300 elements of another's list ago. */
function withOldImage(): { readonly mesh: SimulatedMesh; readonly image: ReturnType<SimulatedNode['disk']['image']> } {
  const mesh = new SimulatedMesh(3, 3).start()
  const [a, b, c] = mesh.nodes
  a.run('SET', 'k', 'before')
  mesh.untilEqual(a, b, c)
  const image = c.disk.image()
  for (let i = 0; i < 300; i++) {
    a.run('RPUSH', 'list', 'x'.repeat(1000))
    mesh.advance(1)
  }
  mesh.untilEqual(a, b, c)
  return { mesh, image }
}

it('of a machine and its clone that run at the same time one takes no writes, and says how to go on', () => {
  const mesh = new SimulatedMesh(3).start()
  const [a, b, c] = mesh.nodes
  expect(c.run('SET', 'k', 'before')).toBe('OK')
  mesh.untilEqual(a, b, c)
  const original = c.clone()
  mesh.until('the clone is linked', () => isFollowed(c))
  expect(original.run('SET', 'k', 'nobody hears it')).toBe('OK')
  mesh.until('the clone takes writes', () => c.run('SET', 'k', 'clone') === 'OK')
  mesh.until('the original takes none', () => original.run('SET', 'x', '1').includes('READONLY '))
  expect(original.run('SET', 'x', '1')).toMatch(
    /READONLY Another process .*Stop the wrong one.*region add NEWNAME.*meridian export/,
  )
  expect(original.run('GET', 'k')).toBe('nobody hears it')
  mesh.untilEqual(a, b, c)
  expect(a.run('GET', 'k')).toBe('clone')
  expect(c.run('INCR', 'n')).toBe('1')
  mesh.untilEqual(a, b, c)
  original.stop()
})

it.each([0, -60_000])(
  'a machine that wrote something else than its clone is refused when it comes back in its place, its clock %i ms off',
  (off) => {
    const mesh = new SimulatedMesh(3, 2).start()
    const [a, b, c] = mesh.nodes
    c.clock.jump(off)
    a.run('SET', 'other', 'newer than that clock')
    mesh.untilEqual(a, b, c)
    c.run('SET', 'k', 'before')
    mesh.untilEqual(a, b, c)
    const original = c.clone()
    mesh.until('the clone is linked', () => isFollowed(c))
    original.run('SET', 'k', 'only here')
    mesh.until('the clone takes writes', () => c.run('SET', 'k', 'clone') === 'OK')
    mesh.until('everybody has what the clone wrote', () => a.run('GET', 'k') === 'clone' && b.run('GET', 'k') === 'clone')
    original.stop()
    c.crash()
    c.disk = original.disk
    c.start()
    mesh.until('it takes no writes', () => c.run('SET', 'x', '1').includes('READONLY '))
    expect(c.run('SET', 'x', '1')).toMatch(/READONLY .*region add NEWNAME/)
    expect(c.run('GET', 'k')).toBe('only here')
    expect(a.run('SET', 'other', '1')).toBe('OK')
    mesh.until('the others go on', () => b.run('GET', 'other') === '1')
    expect(a.run('GET', 'k')).toBe('clone')
  },
)

it('a member that is started from an old copy of its disk writes nothing before it has what it once had, though it lacks nothing of its own', () => {
  const { mesh, image } = withOldImage()
  const [a, b, c] = mesh.nodes
  mesh.advance(500)
  c.crash()
  c.disk.restore(image)
  mesh.network.route('m1', 'm3').bandwidth = 50
  c.start()
  mesh.until('it says so', () => c.run('SET', 'x', '1').includes('LOADING This member was started from an older copy'))
  mesh.until('it takes writes', () => c.run('SET', 'x', '1') === 'OK')
  expect(c.run('LLEN', 'list')).toBe('300')
  expect(c.lines.join('\n')).toContain('this member once had more than it has now')
  mesh.untilEqual(a, b, c)
})

it('a member that is started from an old copy writes nothing too early either when the others have forgotten what it told them', () => {
  const { mesh, image } = withOldImage()
  const [a, b, c] = mesh.nodes
  mesh.until('it is stable, and noted', () => [a, b].every(({ member }) => member.stable.dominates(member.applied)))
  mesh.advance(2000)
  c.crash()
  for (const other of [a, b]) other.crash()
  c.disk.restore(image)
  for (const other of [a, b]) other.start()
  for (const from of ['m1', 'm2']) mesh.network.route(from, 'm3').bandwidth = 50
  c.start()
  mesh.until('it says so', () => c.run('SET', 'x', '1').includes('LOADING This member was started from an older copy'))
  mesh.until('it takes writes', () => c.run('SET', 'x', '1') === 'OK')
  expect(c.run('LLEN', 'list')).toBe('300')
  mesh.untilEqual(a, b, c)
})
