import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { MeridianError } from '../base/errors.js'
import { diskError } from './node-disk-errors.js'

/**
 * Keeps a second process off a data folder. Node has no call for file locks, so the `flock` tool (util-linux, BusyBox) takes
 * the lock on a descriptor that it inherits from us: such a lock belongs to the open file, so it stays with this process when the tool
 * has ended, and the kernel drops it when this process dies in whatever way. It also holds between containers that share
 * a volume, whose process ids mean nothing to one another.
 *
 * Where there is no such tool (macOS, bare images) the lock file's process id and start time decide: the lock is stale
 * when no process of that id started at that time. The file's content is written in both cases, for the error message.
 */
export interface DataFolderLock {
  release(): void
}

interface Holder {
  readonly pid: number
  /** Clock ticks after boot at which the process started; '' where /proc is missing. */
  readonly started: string
}

const INHERITED_FD = 3
const FLOCK_HELD = 1

/**
 * Locks an existing folder.
 * @throws MeridianError MRD_DATA_FOLDER_LOCKED when another process uses it, MRD_DATA_FOLDER when it cannot be written
 */
export function lockDataFolder(folder: string, flockCommand = 'flock'): DataFolderLock {
  const path = `${folder}/LOCK`
  let fd: number
  try {
    fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o640)
  } catch (error) {
    throw diskError('open', path, error)
  }
  try {
    const tool = spawnSync(flockCommand, ['-n', '-x', String(INHERITED_FD)], { stdio: ['ignore', 'ignore', 'ignore', fd] })
    const holder = readHolder(fd)
    const byTool = tool.error === undefined && (tool.status === 0 || tool.status === FLOCK_HELD)
    if (byTool ? tool.status === FLOCK_HELD : isAlive(holder)) throw locked(folder, holder)
    const self: Holder = { pid: process.pid, started: startTime(process.pid) }
    fs.ftruncateSync(fd, 0)
    fs.writeSync(fd, `${JSON.stringify(self)}\n`, 0)
  } catch (error) {
    fs.closeSync(fd)
    throw diskError('lock', path, error)
  }
  let held = true
  return {
    release() {
      if (!held) return
      held = false
      // Emptied, not removed: a process that waits with the old file open would lock a file that nobody finds.
      fs.ftruncateSync(fd, 0)
      fs.closeSync(fd)
    },
  }
}

function locked(folder: string, holder: Holder | null): MeridianError {
  const who = holder === null ? 'another process' : `process ${holder.pid}`
  return new MeridianError(
    'MRD_DATA_FOLDER_LOCKED',
    `The data folder ${folder} is in use by ${who}`,
    'Stop that process, or give this member its own data folder. Never remove the lock file of a running server.',
  )
}

function readHolder(fd: number): Holder | null {
  const text = Buffer.alloc(256)
  const length = fs.readSync(fd, text, 0, text.length, 0)
  try {
    const { pid, started } = JSON.parse(text.toString('utf8', 0, length)) as Partial<Holder>
    return typeof pid === 'number' && Number.isInteger(pid) && pid > 0 && typeof started === 'string' ? { pid, started } : null
  } catch {
    // Empty after a clean stop, or cut short by a crash while it was written: nobody who lives.
    return null
  }
}

function isAlive(holder: Holder | null): boolean {
  if (holder === null) return false
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    // EPERM: it lives under another user.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  return startTime(holder.pid) === holder.started
}

/** Field 22 of /proc/<pid>/stat; the second field, the command, may hold spaces and parentheses, so we count from its end. */
function startTime(pid: number): string {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}
