import { DistinctRanges } from '../../keyspace/byte-ranges.js'
import type { Request } from '../../resp/request.js'

/** Fields of a command that needs nothing of its own to choose among them. */
const FEW = 64

/**
 * Arguments that name the fields which a command changes: all of them, in its order, and each field once. Some commands treat a field that is named again as already dealt
 * with, and an effect gives all that it writes one dot, so it names each once.
 */
export class ChosenFields {
  readonly distinct = new DistinctRanges()
  /** Arguments to tell of, one that names a field again included; `count` of them. */
  listed = new Int32Array(FEW)
  count = 0
  private request!: Request

  /** most: as many may be chosen. The request must stay as it is. */
  begin(request: Request, most: number): this {
    this.request = request
    this.count = 0
    if (most > this.listed.length) this.listed = new Int32Array(most)
    this.distinct.begin(most)
    return this
  }

  /** The field in argument i has been chosen. */
  has(i: number): boolean {
    const { buf, off, len } = this.request
    return this.distinct.count > 0 && this.distinct.includes(this.request, buf, off[i], len[i])
  }

  choose(i: number, isListed = true): void {
    if (isListed) this.listed[this.count++] = i
    this.distinct.pick(this.request, i)
  }
}

const few = new ChosenFields()

/** To choose among so many fields of a command that runs in one go: good until the next one does. */
export function fieldsToChoose(request: Request, most: number): ChosenFields {
  return (most <= FEW ? few : new ChosenFields()).begin(request, most)
}
