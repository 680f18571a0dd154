import { LIMITS } from '../base/limits.js'
import type { Disk } from '../ports/disk.js'

/** Makes a copy of a file, or of what is behind `begin` with another head, that is durable but for its name. `to` must not exist. @throws MeridianError */
export function copyFile(disk: Disk, from: string, to: string, begin = 0, head: Uint8Array = new Uint8Array(0)): void {
  const source = disk.openRead(from)
  const target = disk.openAppend(to)
  try {
    const block = new Uint8Array(LIMITS.logReadBlockBytes)
    if (head.length > 0) target.append(head)
    for (let at = begin; ;) {
      const got = source.read(block, at)
      if (got === 0) break
      target.append(block.subarray(0, got))
      at += got
    }
    target.syncNow()
  } finally {
    target.close()
    source.close()
  }
}
