import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { MeridianError } from '../base/errors.js'
import { BackupFile } from '../oplog/backup-file.js'
import type { BackupHeader } from '../oplog/backup-format.js'
import { BackupWriter } from '../oplog/backup-writer.js'
import type { DataFolderIdentity } from '../oplog/data-folder.js'
import { NodeClock } from '../platform/node-clock.js'
import { lockDataFolder } from '../platform/node-disk-lock.js'
import { NodeDisk } from '../platform/node-disk.js'
import { createLogger } from '../platform/pino-logger.js'
import { checkDataFolder, type CheckReport } from './data-check.js'
import { refuseSameCluster, restoreBackup, type FormerMember } from './restore.js'

const VERSION = (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version

/** Told how much of the whole is done. */
type Progress = (share: number) => void

/** Begins the file of a backup; `onBytes` is given everything that is written. @throws MeridianError */
export function createBackup(path: string, header: BackupHeader, onBytes: (bytes: Uint8Array) => void): BackupWriter {
  return new BackupWriter(new NodeDisk(), dirname(path), path, header, onBytes)
}

/** Reads a backup and compares its checksums. @throws MeridianError when one is wrong. */
export function verifyBackup(path: string, progress: Progress): void {
  const backup = new BackupFile(new NodeDisk(), path)
  try {
    verify(backup, progress)
  } finally {
    backup.close()
  }
}

/** Reads a backup down to its last record and op. Its checksums must be right, or it is not looked into. @throws MeridianError */
export function checkBackup(path: string): CheckReport {
  const backup = new BackupFile(new NodeDisk(), path)
  try {
    verify(backup, () => undefined)
    const report = checkDataFolder(backup, path)
    // What is damaged here was damaged where it was taken.
    return { ...report, repair: null, givenUp: [] }
  } finally {
    backup.close()
  }
}

export interface RestoreRequest {
  readonly file: string
  readonly folder: string
  readonly member: Omit<DataFolderIdentity, 'createdMs'>
  readonly allRegionsLost: boolean
}

export interface Restored {
  readonly keys: number
  readonly clusterId: string
  readonly memberName: string
  readonly takenMs: number
  /** Who was a member then, as far as the backup says. */
  readonly members: readonly FormerMember[]
}

/** Makes the data folder of a member from a backup. @throws MeridianError; then the folder is as it was, or says that its restore was not finished. */
export function restoreFolder(request: RestoreRequest, progress: (what: string, share: number) => void): Restored {
  const { file, folder, member, allRegionsLost } = request
  if (!existsSync(file))
    throw new MeridianError('MRD_RESTORE', `There is no file ${file}`, 'Name the file that `meridian backup` has written.')
  const disk = new NodeDisk()
  const backup = new BackupFile(disk, file)
  try {
    refuseSameCluster(backup, member.clusterId, allRegionsLost)
    requireEmpty(folder)
    verify(backup, (share) => progress('checking', share))
    disk.ensureFolder(folder)
    const lock = lockDataFolder(folder)
    try {
      const ports = { disk, clock: new NodeClock(), logger: createLogger({ level: 'error', format: 'json' }) }
      const identity = { ...member, createdMs: Date.now() }
      const { keys, members } = restoreBackup(backup, folder, identity, VERSION, ports, (share) => progress('reading', share))
      const { memberName, createdMs } = backup.header
      return { keys, clusterId: backup.snapshot.clusterId, memberName, takenMs: createdMs, members }
    } finally {
      lock.release()
    }
  } finally {
    backup.close()
  }
}

function verify(backup: BackupFile, progress: Progress): void {
  let read = 0
  backup.verify((bytes) => progress((read += bytes) / backup.bytes))
}

function requireEmpty(folder: string): void {
  if (!existsSync(folder)) return
  // A folder that was only ever locked, or is where a disk is mounted, has nothing to lose.
  const found = readdirSync(folder).find((name) => name !== 'LOCK' && name !== 'lost+found')
  if (found === undefined) return
  throw new MeridianError(
    'MRD_RESTORE',
    `The folder ${folder} is not empty: it has ${found}`,
    'Restore into an empty folder. If this one is left from a restore that did not end, empty it; if it holds data, move it aside.',
  )
}
