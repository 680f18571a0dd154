import { typeName } from '../rdb/rdb-types.js'
import { counted } from './progress-line.js'

const TYPES = ['string', 'list', 'set', 'zset', 'hash', 'stream'] as const

/** How many keys there are of each type. */
export class TypeCounts {
  private readonly counts = new Map<string, number>()
  total = 0

  /** Counts a key whose value is encoded so. */
  add(rdbType: number): void {
    const name = typeName(rdbType) ?? 'module'
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
    this.total++
  }

  toString(): string {
    const parts = TYPES.filter((type) => this.counts.has(type)).map((type) => `${type} ${counted(this.counts.get(type) ?? 0)}`)
    return parts.join(' · ')
  }
}
