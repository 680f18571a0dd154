import { chmodSync, mkdirSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ManagedProcess } from './support/managed-process.js'
import { SoloRig } from './support/solo-member.js'
import { TestCluster } from './support/test-cluster.js'

const NOBODY = 65_534
let rig: SoloRig

beforeEach(() => {
  rig = new SoloRig()
})
afterEach(() => rig.dispose())

/** It ends with exit code 1 and one line for the operator: what, the code, and what to do. */
async function refuses(process: ManagedProcess, what: RegExp): Promise<void> {
  expect(await process.ends()).toEqual({ code: 1, signal: null })
  const line = process.output.split('\n').find((text) => text.startsWith('meridian: '))
  expect(line).toMatch(what)
  expect(process.output).not.toContain('this is a bug')
}

describe('a data folder', () => {
  it('is not shared by two processes', async () => {
    const first = await rig.member()
    await first.start()
    await first.command('SET', 'a', '1')
    const second = await rig.member()
    await refuses(
      second.launch(),
      new RegExp(`in use by process ${first.running.pid} \\(MRD_DATA_FOLDER_LOCKED\\)\\. Stop that process`),
    )
    expect(await first.command('GET', 'a')).toBe('1')
    await first.kill()
    await second.start()
    expect(await second.command('GET', 'a')).toBe('1')
  }, 30_000)

  it('is not taken over from another member or another cluster', async () => {
    const owner = await rig.member({ name: 'us', id: 1, clusterId: 'shop' })
    await owner.start()
    await owner.stop()
    const thief = await rig.member({ name: 'eu', id: 2, clusterId: 'shop' })
    await refuses(
      thief.launch(),
      /belongs to member us \(id 1\) of cluster shop, this is member eu \(id 2\) of cluster shop \(MRD_DATA_FOLDER_OWNER\)\. Point this member at its own data folder/,
    )
    const stranger = await rig.member({ name: 'us', id: 1, clusterId: 'bank' })
    await refuses(stranger.launch(), /this is member us \(id 1\) of cluster bank \(MRD_DATA_FOLDER_OWNER\)/)
    await owner.start()
  }, 30_000)

  it('that cannot be written is named', async () => {
    const dataFolder = join(rig.folder, 'sealed')
    mkdirSync(dataFolder)
    chmodSync(rig.folder, 0o755)
    chmodSync(dataFolder, 0o555)
    // Permissions do not bind root: the process runs as somebody else then.
    const asNobody = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
    const member = await rig.member({ dataFolder, spawn: asNobody })
    await refuses(member.launch(), /sealed.*\(MRD_DATA_FOLDER\)\. .+/)
  }, 30_000)

  it('that is a file is named', async () => {
    const member = await rig.member({ dataFolder: '/dev/null' })
    await refuses(member.launch(), /\/dev\/null.*\(MRD_DATA_FOLDER\)\. .+/)
  }, 30_000)
})

describe('a port in use', () => {
  it('for clients is named, with what to do', async () => {
    const squatter = createServer()
    const member = await rig.member()
    await new Promise<void>((resolve) => squatter.listen(member.port, '127.0.0.1', resolve))
    await refuses(
      member.launch(),
      new RegExp(`127\\.0\\.0\\.1:${member.port} is already in use \\(MRD_PORT_IN_USE\\)\\. Stop the process`),
    )
    await new Promise((resolve) => squatter.close(resolve))
    await member.start()
  }, 30_000)

  it('for peers is named, with what to do', async () => {
    const cluster = await TestCluster.create({ names: ['us', 'eu'] })
    const squatter = createServer()
    try {
      const us = cluster.member('us')
      await new Promise<void>((resolve) => squatter.listen(us.plan.peerPort, '127.0.0.1', resolve))
      const { port } = squatter.address() as AddressInfo
      await refuses(
        us.launch(),
        new RegExp(`peer address 127\\.0\\.0\\.1:${port} is taken \\(MRD_PORT_IN_USE\\)\\. Stop the process`),
      )
    } finally {
      squatter.close()
      await cluster.dispose()
    }
  }, 30_000)
})
