import type { Disk } from '../ports/disk.js'

/** Files of the data folder that say what its member has to do with the others. */

/** The list of members; see docs/formats/topology.md. */
export function topologyPath(folder: string): string {
  return `${folder}/topology`
}

function joiningPath(folder: string): string {
  return `${folder}/joining`
}

/** Makes the folder that of a new member, which takes no writes before it has caught up. */
export function beginJoining(disk: Disk, folder: string, topology: Uint8Array): void {
  disk.ensureFolder(folder)
  disk.writeWhole(joiningPath(folder), new TextEncoder().encode('This member has not caught up with the others yet.\n'))
  disk.writeWhole(topologyPath(folder), topology)
}

export function isJoining(disk: Disk, folder: string): boolean {
  return disk.exists(joiningPath(folder))
}

export function joiningEnded(disk: Disk, folder: string): void {
  disk.remove(joiningPath(folder))
  disk.syncFolder(folder)
}
