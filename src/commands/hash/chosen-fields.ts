import { DistinctRanges } from '../../keyspace/byte-ranges.js'
import type { Request } from '../../resp/request.js'

/**
 * Arguments that name the fields which a command changes: all of them, in its order, and each field once. Some commands treat a field that is named again as already dealt
 * with, and an effect gives all that it writes one dot, so it names each once.
 */
export class ChosenFields {
  readonly distinct = new DistinctRanges()
  /** Arguments to tell of, one that names a field again included; `count` of them. */
  readonly listed: Int32Array
  count = 0

  /** most: as many may be chosen. The request must stay as it is. */
  constructor(
    private readonly request: Request,
    most: number,
  ) {
    this.listed = new Int32Array(most)
    this.distinct.begin(most)
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
