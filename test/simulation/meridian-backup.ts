import { CommandError } from '../../src/commands/command-error.js'
import type { BackupService, BackupState } from '../../src/commands/services.js'
import { restoreBackup } from '../../src/node/restore.js'
import { BackupFile } from '../../src/oplog/backup-file.js'
import { BackupWriter } from '../../src/oplog/backup-writer.js'
import type { DataFolderIdentity } from '../../src/oplog/data-folder.js'
import type { Clock } from '../../src/ports/clock.js'
import type { Disk } from '../../src/ports/disk.js'
import type { Logger } from '../../src/ports/logger.js'
import type { SimulatedBackup } from './simulated-member.js'

const FOLDER = '/backups'
const FILE = `${FOLDER}/one.mbackup`
/** Pieces that are written at a time: small, so that much happens between the first and the last. */
const PIECE_BYTES = 700
/** As which program's a snapshot counts that was made of a backup. */
export const RESTORED_VERSION = '0.0.0-restored'

const quiet: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => quiet }

/** A backup as `meridian backup` takes it: asked for, fetched piece by piece, and written as a file with checksums, which is read again. */
export class MeridianBackup implements SimulatedBackup {
  private ready: BackupState | null = null
  private writer: BackupWriter | null = null

  private constructor(
    private readonly service: BackupService,
    private readonly disk: Disk,
    private readonly clock: Clock,
    private readonly id: number,
  ) {}

  /** Null when there are too many. */
  static begin(service: BackupService, disk: Disk, clock: Clock): MeridianBackup | null {
    const id = orNull(() => service.begin())
    return id === null ? null : new MeridianBackup(service, disk, clock, id)
  }

  ask(): 'waiting' | 'ready' | 'gone' {
    const state = orNull(() => this.service.state(this.id))
    if (state === null) return 'gone'
    if (state.state !== 'ready') return 'waiting'
    this.ready = state
    return 'ready'
  }

  fetch(): 'more' | 'whole' | 'gone' {
    const { ready, disk, service, id } = this
    if (ready === null) return 'gone'
    const { snapshotBytes: snapshotLength, logPosition, logBytes: logLength } = ready
    const header = { snapshotLength, logPosition, logLength, createdMs: this.clock.wallMs(), memberName: 'member' }
    const writer = (this.writer ??= new BackupWriter(disk, FOLDER, FILE, header, () => undefined))
    if (writer.missing > 0) {
      const piece = orNull(() => service.read(id, snapshotLength + logLength - writer.missing))
      if (piece === null) return 'gone'
      writer.add(piece.subarray(0, PIECE_BYTES))
      return 'more'
    }
    writer.finish((path) => {
      const file = new BackupFile(disk, path)
      file.verify(() => undefined)
      file.close()
    })
    service.end(id)
    return 'whole'
  }

  restore(disk: Disk, folder: string, identity: DataFolderIdentity, clock: Clock): void {
    const file = new BackupFile(this.disk, FILE)
    restoreBackup(file, folder, identity, RESTORED_VERSION, { disk, clock, logger: quiet }, () => undefined)
    file.close()
  }
}

/** What a client is refused ends the backup; anything else is a bug. */
function orNull<T>(ask: () => T): T | null {
  try {
    return ask()
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    return null
  }
}
