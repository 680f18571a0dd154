import type { VersionVector } from '../crdt/version-vector.js'

/** A segment file as the log remembers it: enough to find any position without opening the file. */
export interface Segment {
  readonly sequence: number
  readonly path: string
  /** Where in the file the frames begin. */
  readonly headerBytes: number
  /** Position in the log of its first frame. */
  readonly startByte: number
  /** Everything before this segment. */
  readonly vector: VersionVector
  /** Bytes of whole frames in it; grows while it is the last one. */
  frameBytes: number
}

/** Whose log it is; every segment says so, and another's is refused. */
export interface LogOwner {
  readonly clusterId: string
  readonly memberId: number
}

export function logFolder(dataFolder: string): string {
  return `${dataFolder}/log`
}
