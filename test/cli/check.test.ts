import { mkdirSync, mkdtempSync, rmSync, writeFileSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EXIT } from '../../src/cli/context.js'
import { claimDataFolder } from '../../src/oplog/data-folder.js'
import { openLog } from '../../src/oplog/open-log.js'
import { lockDataFolder } from '../../src/platform/node-disk-lock.js'
import { NodeDisk } from '../../src/platform/node-disk.js'
import type { MemberId } from '../../src/base/ids.js'
import type { Logger } from '../../src/ports/logger.js'
import { ManualClock } from '../oplog/manual-clock.js'
import { CliRun } from './run.js'

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} } as unknown as Logger
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'meridian-check-'))
  const disk = new NodeDisk()
  const member = { clusterId: 'shop', memberId: 3 as MemberId, memberName: 'eu' }
  claimDataFolder(disk, folder, { ...member, createdMs: 1 })
  const { log } = openLog({
    ...member,
    disk,
    clock: new ManualClock(),
    logger: silent,
    folder,
    syncPolicy: 'no',
    visit: () => undefined,
  })
  log.close()
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function check(...args: string[]): Promise<{ code: number; text: string }> {
  const run = new CliRun(['check', folder, ...args])
  const code = await run.finished
  return { code, text: run.stdout + run.stderr }
}

describe('meridian check', () => {
  it('says that everything is whole', async () => {
    const { code, text } = await check()
    expect(code).toBe(EXIT.ok)
    expect(text).toContain('member eu (id 3) of cluster shop')
    expect(text).toContain('everything is whole')
  })

  it('says what is damaged, and repairs it when asked to', async () => {
    mkdirSync(join(folder, 'snapshot'))
    writeFileSync(join(folder, 'snapshot', '0000000000000001.msnap'), 'not one')
    const found = await check()
    expect(found.code).toBe(EXIT.failed)
    expect(found.text).toContain('DAMAGED')
    expect(found.text).toContain('a repair (--repair) would mean:')
    const repaired = await check('--repair')
    expect(repaired.code).toBe(EXIT.repaired)
    expect(repaired.text).toContain('moved ')
    const quarantine = readdirSync(folder).find((name) => name.startsWith('quarantine-')) ?? ''
    expect(readdirSync(join(folder, quarantine))).toEqual(['0000000000000001.msnap'])
    expect((await check()).code).toBe(EXIT.ok)
  })

  it('refuses while a process uses the folder, and what is no data folder', async () => {
    const lock = lockDataFolder(folder)
    expect(await check()).toMatchObject({ code: EXIT.failed, text: expect.stringContaining('MRD_DATA_FOLDER_LOCKED') as string })
    lock.release()
    rmSync(join(folder, 'identity.json'))
    expect((await check()).text).toContain('is no data folder')
    rmSync(folder, { recursive: true })
    expect((await check()).text).toContain('There is no folder and no file')
  })
})
