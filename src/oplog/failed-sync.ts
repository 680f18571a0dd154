import { MeridianError } from '../base/errors.js'
import type { Disk } from '../ports/disk.js'
import type { Logger } from '../ports/logger.js'
import { copyFile } from './copy-file.js'
import { logFolder, type Segment } from './segment.js'

/**
 * After a failed sync the system's cache still shows what the disk may not have, and counts it as written: a process that is started again would read it, sync the
 * file, and be told yes. So the one that saw the failure leaves a note, and the next one writes the last segment anew, as another file.
 */
function notePath(dataFolder: string): string {
  return `${dataFolder}/sync-failed`
}

/** As far as the disk lets us. */
export function noteFailedSync(disk: Disk, dataFolder: string, logger: Logger): void {
  try {
    disk.writeWhole(
      notePath(dataFolder),
      new TextEncoder().encode('A sync of the log has failed: its last segment is written anew at the next start.\n'),
    )
  } catch (error) {
    if (!(error instanceof MeridianError)) throw error
    logger.error(
      { code: error.code },
      `It could not be noted that a sync has failed: restart the machine, not only this member. ${error.message}`,
    )
  }
}

/** Writes the last segment anew if it may not be on the disk as it is read. @throws MeridianError from the disk; then it is as it was. */
export function mendFailedSync(disk: Disk, dataFolder: string, last: Segment | undefined, logger: Logger): void {
  if (!disk.exists(notePath(dataFolder))) return
  if (last !== undefined) {
    const aside = `${last.path}.tmp`
    if (disk.exists(aside)) disk.remove(aside)
    copyFile(disk, last.path, aside)
    disk.rename(aside, last.path)
    disk.syncFolder(logFolder(dataFolder))
    logger.warn({ path: last.path }, 'a sync of the log had failed: its last segment was written anew')
  }
  disk.remove(notePath(dataFolder))
  disk.syncFolder(dataFolder)
}
