import { closeSync, fsyncSync, openSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { loadConfig, parseConfig } from './load.js'
import { initialLiveValues, type LiveValues, type SettingChange } from './setting-table.js'
import { YamlSource } from './yaml-source.js'

/**
 * Carries changed settings into the file as it is on disk now, so that edits made by hand since the start survive; comments
 * stay. The new file replaces the old one whole or not at all.
 * @throws MeridianError MRD_CONFIG when the file is no longer valid; the file system's error when it cannot be written.
 */
export function rewriteFile(file: string, changes: readonly SettingChange[], values: LiveValues): void {
  const inFile = initialLiveValues(loadConfig(file))
  const { document } = YamlSource.read(file)
  for (const change of changes) {
    const present = change.toFile(values)
    if (present !== change.toFile(inFile)) document.setIn(change.filePath, present)
  }
  const text = document.toString({ lineWidth: 0 })
  parseConfig(file, text) // what is written must be readable again
  replaceFile(file, text)
}

/** Writes aside with the same permissions, syncs, and renames over. */
export function replaceFile(file: string, text: string, mode = statSync(file).mode & 0o777): void {
  const aside = `${file}.tmp-${process.pid}`
  try {
    const descriptor = openSync(aside, 'w', mode)
    try {
      writeFileSync(descriptor, text)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    renameSync(aside, file)
  } catch (error) {
    rmSync(aside, { force: true })
    throw error
  }
  const folder = openSync(dirname(file), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
