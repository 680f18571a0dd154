import { describe, expect, it } from 'vitest'
import { EngineHarness } from '../../support/engine-harness.js'
import { Mesh } from '../../support/mesh.js'
import { emptyTwin, everythingOf, frozen, loadAll, settleAll, writeAll } from './state-rig.js'

type Args = readonly string[]

const MAKE: Args = ['XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM']
const READ: Args = ['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 's', '>']

/** What becomes of a group before one of its name is made anew. */
const ENDS: Readonly<Record<string, readonly Args[]>> = {
  'was destroyed': [['XGROUP', 'DESTROY', 's', 'g']],
  'went with its stream': [['DEL', 's']],
  'went with its database': [['FLUSHDB']],
  'went with all databases': [['FLUSHALL']],
  'moved away': [['RENAME', 's', 't']],
  'was overwritten by a rename': [
    ['XADD', 't', '7-7', 'f', 'v'],
    ['RENAME', 't', 's'],
  ],
  'was overwritten by a copy': [
    ['XADD', 't', '7-7', 'f', 'v'],
    ['COPY', 't', 's', 'REPLACE'],
  ],
  'was overwritten by another type': [
    ['SET', 's', 'v'],
    ['DEL', 's'],
  ],
  'was exchanged for nothing': [['SWAPDB', '0', '1']],
}

/** The member, and one that starts from what was written at the end and reads the whole log over it. */
function reread(member: EngineHarness): EngineHarness {
  const held = member.engine.keyspace.stability
  const written = writeAll(member.engine)
  const twin = emptyTwin(member)
  twin.engine.keyspace.stability = held
  loadAll(twin.engine, written)
  for (const frame of member.log.frames) twin.engine.replay.apply(frame)
  settleAll(twin)
  settleAll(member)
  return twin
}

describe.each(Object.entries(ENDS))('a group that is made after one of its name %s', (_what, ends) => {
  const history = (run: (...args: string[]) => unknown): void => {
    run('XADD', 's', '5-5', 'f', 'v')
    run(...MAKE)
    run(...READ)
    for (const end of ends) run(...end)
    run('XADD', 's', '9-9', 'f', 'v')
    run('XGROUP', 'CREATE', 's', 'g', '$')
  }

  it('is left alone by the log that is read over it, alone', () => {
    const member = new EngineHarness({ self: 1, solo: true })
    history((...args) => member.run(...args))
    expect(everythingOf(reread(member))).toEqual(everythingOf(member))
  })

  it('is left alone by the log that is read over it, among others, when all was stable before and when nothing was', () => {
    for (const isStable of [false, true]) {
      const { members, deliverAll } = withDelivery()
      const [member] = members
      history((...args) => {
        const reply = member.run(...args)
        if (isStable) deliverAll()
        return reply
      })
      member.engine.keyspace.stability = frozen(member)
      expect(everythingOf(reread(member))).toEqual(everythingOf(member))
    }
  })
})

function withDelivery(): { members: readonly EngineHarness[]; deliverAll: () => void } {
  const mesh = new Mesh()
  let other = 0
  return {
    members: mesh.members,
    deliverAll: () => {
      // The others say what they have seen.
      mesh.deliverAll()
      for (const member of mesh.members.slice(1)) member.run('SET', `seen${other++}`, 'v')
      mesh.deliverAll()
      for (const member of mesh.members) settleAll(member)
    },
  }
}
