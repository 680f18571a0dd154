import { MeridianError } from '../base/errors.js'

const FULL = new Set(['ENOSPC', 'EDQUOT'])
const FOLDER = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR', 'EISDIR', 'EEXIST', 'ELOOP', 'ENAMETOOLONG'])

const FOLDER_REMEDIES: Record<string, string> = {
  EROFS:
    'The file system is mounted read-only: remount it writable, or look in the kernel log for the disk error that made it so.',
  ENOENT: 'A file or folder that must be there is missing: check the data folder path and that its volume is mounted.',
  ENOTDIR: 'A part of the path is a file: name a folder as data folder.',
  EEXIST: 'A part of the path is a file: name a folder as data folder.',
}

/** Turns an error of node:fs into one that tells the operator what to do. */
export function diskError(action: string, path: string, error: unknown): MeridianError {
  if (error instanceof MeridianError) return error
  const code = (error as NodeJS.ErrnoException).code ?? ''
  const reason = error instanceof Error ? error.message : String(error)
  const what = `Cannot ${action} ${path}: ${reason}`
  if (FULL.has(code)) {
    return new MeridianError('MRD_DISK_FULL', what, 'Free some room on this file system or raise the quota.', { cause: error })
  }
  if (FOLDER.has(code)) {
    const remedy =
      FOLDER_REMEDIES[code] ?? 'Give the user that runs this server read and write access to the data folder and all files in it.'
    return new MeridianError('MRD_DATA_FOLDER', what, remedy, { cause: error })
  }
  const remedy =
    code === 'EMFILE' || code === 'ENFILE'
      ? 'Too many files are open: raise the limit of open files (ulimit -n).'
      : 'Check the disk; the kernel log says more.'
  return new MeridianError('MRD_DISK_IO', what, remedy, { cause: error })
}
