import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of package.json and bin, whether this runs as TypeScript or compiled into another folder. */
export const PROJECT_ROOT = findRoot(dirname(fileURLToPath(import.meta.url)))

/** What starts Meridian as an operator does. @throws when it was not built. */
export function meridianCommand(): readonly [command: string, ...args: string[]] {
  if (!existsSync(join(PROJECT_ROOT, 'dist/meridian/main.js'))) throw new Error('dist is missing: run `npm run build` first')
  return [process.execPath, join(PROJECT_ROOT, 'bin/meridian')]
}

function findRoot(start: string): string {
  for (let folder = start; folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, 'bin/meridian'))) return folder
  }
  throw new Error(`no folder above ${start} has bin/meridian`)
}
