import type { Disk } from '../ports/disk.js'
import { MAX_SEGMENT_HEADER_BYTES, decodeSegmentHeader, segmentFileName, segmentSequence } from './segment-header.js'
import { logFolder } from './segment.js'

/** Position of the first frame that the log still has; 0 when there is none, or when that cannot be read: whoever reads the log finds out why. */
export function firstPosition(disk: Disk, dataFolder: string): number {
  const sequences = sequencesOf(disk, dataFolder)
  return sequences.length === 0 ? 0 : (extentOf(disk, dataFolder, sequences[0])?.start ?? 0)
}

/** Position after its last byte, whole frame or not; 0 when that cannot be read. For showing how much there is to do. */
export function lastPosition(disk: Disk, dataFolder: string): number {
  const last = sequencesOf(disk, dataFolder).at(-1)
  return last === undefined ? 0 : (extentOf(disk, dataFolder, last)?.end ?? 0)
}

function sequencesOf(disk: Disk, dataFolder: string): number[] {
  return disk
    .list(logFolder(dataFolder))
    .map(segmentSequence)
    .filter((sequence) => sequence > 0)
}

function extentOf(disk: Disk, dataFolder: string, sequence: number): { start: number; end: number } | null {
  const file = disk.openRead(`${logFolder(dataFolder)}/${segmentFileName(sequence)}`)
  try {
    const bytes = new Uint8Array(MAX_SEGMENT_HEADER_BYTES)
    const decoded = decodeSegmentHeader(bytes.subarray(0, file.read(bytes, 0)))
    if (decoded.kind !== 'header') return null
    const { startByte } = decoded.header
    return { start: startByte, end: startByte + file.size() - decoded.bytes }
  } finally {
    file.close()
  }
}
