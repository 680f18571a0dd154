import type { Arena } from '../memory/arena.js'
import { StreamGroups } from './stream-groups.js'
import { StreamCursor, StreamLog } from './stream-log.js'
import { StreamMarks } from './stream-marks.js'
import { StreamRoots } from './stream-root.js'

/** What works on the streams of one arena. */
export class StreamSpace {
  readonly roots: StreamRoots
  readonly log: StreamLog
  readonly groups: StreamGroups
  readonly marks: StreamMarks
  /** For walks of whoever uses the space; the groups have one of their own. */
  readonly cursor = new StreamCursor()

  constructor(
    readonly arena: Arena,
    seed: number,
  ) {
    this.roots = new StreamRoots(arena)
    this.log = new StreamLog(arena)
    this.marks = new StreamMarks(arena, this.roots)
    this.groups = new StreamGroups(arena, this.roots, this.log, new StreamCursor(), seed)
  }
}
