import { randomFillSync } from 'node:crypto'
import type { Random } from '../ports/random.js'

/** Numbers drawn from the operating system at a time: a system call each would dominate RANDOMKEY and SPOP. */
const POOL = 1024

/** Cryptographically strong randomness. */
export class NodeRandom implements Random {
  private readonly pool = new Uint32Array(POOL)
  private next = POOL

  uint32(): number {
    if (this.next === POOL) {
      randomFillSync(this.pool)
      this.next = 0
    }
    return this.pool[this.next++]
  }
}
