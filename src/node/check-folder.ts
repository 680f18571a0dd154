import { statSync } from 'node:fs'
import { lockDataFolder } from '../platform/node-disk-lock.js'
import { NodeDisk } from '../platform/node-disk.js'
import { MeridianError } from '../base/errors.js'
import { checkBackup } from './backup-files.js'
import { checkDataFolder, repairDataFolder, type CheckReport } from './data-check.js'

/** What `meridian check` has found and done. */
export interface CheckOutcome extends CheckReport {
  /** What a repair has moved and cut; null when there was none. */
  readonly repaired: readonly string[] | null
}

/**
 * Checks the data folder of a member that does not run, and repairs it if asked to and possible.
 * @throws MeridianError MRD_DATA_FOLDER_LOCKED while the member runs, and those of checkDataFolder
 */
export function checkFolder(folder: string, repair: boolean): CheckOutcome {
  const disk = new NodeDisk()
  if (!disk.exists(folder))
    throw new MeridianError(
      'MRD_DATA_FOLDER',
      `There is no folder and no file ${folder}`,
      'Name the folder that the setting storage.dir names, or the file of a backup.',
    )
  if (statSync(folder).isFile()) return { ...checkBackup(folder), repaired: null }
  const lock = lockDataFolder(folder)
  try {
    const report = checkDataFolder(disk, folder)
    if (!repair || !report.isDamaged || report.repair === null) return { ...report, repaired: null }
    const name = new Date().toISOString().replace(/[:.]/g, '-')
    return { ...report, repaired: repairDataFolder(disk, folder, report.repair, name) }
  } finally {
    lock.release()
  }
}
