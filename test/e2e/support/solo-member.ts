import type { SpawnOptions } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from './free-ports.js'
import { MemberProcess } from './member-process.js'

export interface SoloOptions {
  readonly name?: string
  readonly id?: number
  readonly clusterId?: string
  /** Data folder; below the rig's own folder when not given. */
  readonly dataFolder?: string
  readonly spawn?: SpawnOptions
  readonly appendfsync?: string
}

/** Databases of one region in a folder of their own, for what has to do with one process and its disk. */
export class SoloRig {
  readonly folder = mkdtempSync(join(tmpdir(), 'meridian-e2e-'))
  private readonly members: MemberProcess[] = []

  /** Writes the configuration; starts nothing. */
  async member(options: SoloOptions = {}): Promise<MemberProcess> {
    const { name = 'solo', id = 1, clusterId = 'e2e' } = options
    const [port] = await freePorts(1)
    const dataFolder = options.dataFolder ?? join(this.folder, 'data')
    const configFile = join(this.folder, `${name}-${port}.yaml`)
    const sections = {
      cluster: { id: clusterId },
      member: { id, name },
      storage: { dir: dataFolder, appendfsync: options.appendfsync ?? 'everysec' },
      clients: { port },
    }
    // JSON is YAML.
    writeFileSync(configFile, JSON.stringify(sections, null, 2))
    const member = new MemberProcess({ name, id, port, peerPort: 0, configFile, dataFolder }, options.spawn)
    this.members.push(member)
    return member
  }

  async dispose(): Promise<void> {
    await Promise.all(this.members.map((member) => member.dispose()))
    rmSync(this.folder, { recursive: true, force: true })
  }
}
