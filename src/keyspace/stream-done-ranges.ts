import { StreamId } from '../crdt/stream-id.js'
import type { GroupOwn } from './stream-groups.js'

interface Range {
  readonly first: StreamId
  readonly last: StreamId
}

type Done = Pick<GroupOwn, 'cursors' | 'intervals'>

/**
 * What is done of a group as a value that can be worked with: of each member that wrote entries the ranges of IDs in which all that is there is done, in order
 * and without touching each other. A group itself has them as cursors, which are ranges from the very first ID on, and intervals.
 */
export class DoneRanges {
  private readonly byMember = new Map<number, Range[]>()

  constructor({ cursors, intervals }: Done) {
    for (const { member, id } of cursors) this.ofMember(member).push({ first: new StreamId(), last: id })
    for (const { member, first, last } of intervals) this.ofMember(member).push({ first, last })
    for (const [member, ranges] of this.byMember) this.byMember.set(member, joined(ranges))
  }

  covers(member: number, id: StreamId): boolean {
    const ranges = this.byMember.get(member)
    if (ranges === undefined) return false
    let low = 0
    let high = ranges.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (ranges[middle].first.compare(id) <= 0) low = middle + 1
      else high = middle
    }
    return low > 0 && ranges[low - 1].last.compare(id) >= 0
  }

  /** All that is done here or there. */
  add(other: DoneRanges): void {
    for (const [member, ranges] of other.byMember) this.byMember.set(member, joined([...this.ofMember(member), ...ranges]))
  }

  /** IDs of a member, in ascending order, are not done. */
  remove(member: number, ids: readonly StreamId[]): void {
    const left: Range[] = []
    let i = 0
    for (const range of this.ofMember(member)) {
      let first: StreamId | null = range.first
      for (; i < ids.length && ids[i].compare(range.last) <= 0; i++) {
        if (first === null || ids[i].compare(first) < 0) continue
        const last = ids[i].clone()
        if (last.decrement() && first.compare(last) <= 0) left.push({ first, last })
        const next = ids[i].clone()
        first = next.increment() ? next : null
      }
      if (first !== null && first.compare(range.last) <= 0) left.push({ first, last: range.last })
    }
    this.byMember.set(member, left)
  }

  /** Nothing up to an ID is done. */
  removeUpTo(id: StreamId): void {
    const first = id.clone()
    const isLast = !first.increment()
    for (const [member, ranges] of this.byMember) {
      const left = isLast ? [] : ranges.filter(({ last }) => last.compare(first) >= 0)
      this.byMember.set(
        member,
        left.map((range) => ({ first: range.first.compare(first) < 0 ? first : range.first, last: range.last })),
      )
    }
  }

  /** As a group has it. */
  toState(): Done {
    const cursors: { member: number; id: StreamId }[] = []
    const intervals: { member: number; first: StreamId; last: StreamId }[] = []
    for (const [member, ranges] of this.byMember) {
      for (const { first, last } of ranges) {
        if (first.isZero) cursors.push({ member, id: last })
        else intervals.push({ member, first, last })
      }
    }
    return { cursors, intervals }
  }

  private ofMember(member: number): Range[] {
    const known = this.byMember.get(member)
    if (known !== undefined) return known
    const ranges: Range[] = []
    this.byMember.set(member, ranges)
    return ranges
  }
}

/** In order, and those that touch made one. */
function joined(ranges: readonly Range[]): Range[] {
  const sorted = [...ranges].sort((a, b) => a.first.compare(b.first))
  const out: Range[] = []
  for (const range of sorted) {
    const before = out.at(-1)
    if (before === undefined || !touches(before, range)) out.push(range)
    else if (range.last.compare(before.last) > 0) out[out.length - 1] = { first: before.first, last: range.last }
  }
  return out
}

/** `after` begins no later than right behind `before`. */
function touches(before: Range, after: Range): boolean {
  const next = before.last.clone()
  return !next.increment() || after.first.compare(next) <= 0
}
