import { SeededRandom } from '../../differential/seeded-random.js'
import { Mesh } from '../../support/mesh.js'
import { RandomCommands, type Family } from './random-commands.js'
import { runRandom, settleAll } from './state-rig.js'

/** Three members that have written and heard of each other in some order. */
export function randomMesh(
  seed: number,
  steps: number,
  families?: readonly Family[],
): { mesh: Mesh; play: (steps: number) => void } {
  const random = new SeededRandom(seed)
  const mesh = new Mesh()
  const commands = new RandomCommands(random, () => mesh.members[0].clock.now, families)
  const play = (count: number) => {
    for (let i = 0; i < count; i++) {
      const roll = random.below(20)
      if (roll < 12) runRandom(random.pick(mesh.members), commands.next())
      else if (roll < 17) mesh.deliver(random.below(3), random.below(3))
      else if (roll === 17) mesh.wait(random.pick([1, 30, 100]))
      else if (roll === 18) settleAll(random.pick(mesh.members))
      else if (random.chance(0.2)) mesh.deliverAll()
    }
  }
  play(steps)
  return { mesh, play }
}
