import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SpawnOptions } from 'node:child_process'
import { PROJECT_ROOT } from './project-root.js'

/** What happens to a call on a file whose path contains `path`. */
export interface DiskRule {
  readonly call: 'write' | 'cut' | 'sync'
  readonly path: string
  /** A code of errno, such as EIO. */
  readonly error?: string
  readonly delayMs?: number
  /** Then the rule is over. For ever when it is not given. */
  readonly times?: number
}

/** The disk of one member process, slow or broken from now on. Linux only: it asks /proc for the names of files. */
export class BrokenDisk {
  private readonly control: string

  constructor(folder: string) {
    this.control = join(folder, 'broken-disk.json')
    writeFileSync(this.control, '[]')
  }

  /** For the member's process. */
  get spawn(): SpawnOptions {
    const preload = join(PROJECT_ROOT, 'test/e2e/support/disk-preload.mjs')
    return { env: { ...process.env, NODE_OPTIONS: `--import=${preload}`, BROKEN_DISK: this.control } }
  }

  set(...rules: readonly DiskRule[]): void {
    // Whole or not at all, and with another time of change.
    writeFileSync(`${this.control}.new`, JSON.stringify(rules))
    renameSync(`${this.control}.new`, this.control)
  }

  /** Files that were synced again after a sync of them had failed. */
  get syncedAgain(): string[] {
    const path = `${this.control}.again`
    return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []
  }
}
