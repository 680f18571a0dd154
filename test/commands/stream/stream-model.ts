/**
 * What a stream in several members must be, reckoned from the history alone: which commands there were, what each had observed, and what the member that ran
 * it saw then. It knows nothing of how the server does it.
 */
export interface ModelOp {
  readonly index: number
  readonly member: number
  readonly kind: 'add' | 'remove' | 'delete-key' | 'set-id' | 'create' | 'destroy'
  /** Indexes of the ops that its member had applied. */
  readonly observed: ReadonlySet<number>
  /** add: the entry's ID; set-id: the last ID; create: the start. */
  readonly id: string
  /** remove: indexes of the additions that go. */
  readonly removes: readonly number[]
  /** create, destroy. */
  readonly group: string
  /** The stream exists from then on: additions, XSETID, and a destroy of the only thing that made it exist. */
  readonly touches: boolean
}

export function compareIds(a: string, b: string): number {
  const [x, y] = [a, b].map((id) => id.split('-').map(BigInt))
  if (x[0] !== y[0]) return x[0] < y[0] ? -1 : 1
  return x[1] === y[1] ? 0 : x[1] < y[1] ? -1 : 1
}

/** What is seen by whoever has applied a set of ops. */
export class ModelView {
  readonly ops: readonly ModelOp[]

  constructor(all: readonly ModelOp[], applied: ReadonlySet<number>) {
    this.ops = all.filter(({ index }) => applied.has(index))
  }

  /** Additions whose entries are there, in the order of their positions. */
  entries(): ModelOp[] {
    const gone = new Set<number>()
    for (const op of this.ops) for (const index of op.removes) gone.add(index)
    const there = this.ops.filter(({ kind, index }) => kind === 'add' && !gone.has(index))
    return there.sort((a, b) => compareIds(a.id, b.id) || a.member - b.member)
  }

  groups(): Map<string, string> {
    const starts = new Map<string, string>()
    for (const op of this.ops) {
      if (op.kind !== 'create' || !this.survives(op)) continue
      const start = starts.get(op.group)
      if (start === undefined || compareIds(op.id, start) < 0) starts.set(op.group, op.id)
    }
    return starts
  }

  /** A creation does when it had observed every destroy of the group, and every removal of the stream. */
  private survives(create: ModelOp): boolean {
    return this.ops.every(
      (op) =>
        !(op.kind === 'delete-key' || (op.kind === 'destroy' && op.group === create.group)) || create.observed.has(op.index),
    )
  }

  exists(): boolean {
    return this.parts().length > 0 || this.groups().size > 0
  }

  /** The newest thing that each member said of the stream, unless it was removed. */
  parts(): ModelOp[] {
    const newest = new Map<number, ModelOp>()
    for (const op of this.ops) if (op.touches) newest.set(op.member, op)
    return [...newest.values()].filter((part) =>
      this.ops.every((op) => !(op.kind === 'delete-key' || op.kind === 'set-id') || !op.observed.has(part.index)),
    )
  }

  lastId(): string {
    return this.parts().reduce((last, { id }) => (compareIds(id, last) > 0 ? id : last), '0-0')
  }
}
