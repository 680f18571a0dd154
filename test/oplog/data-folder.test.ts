import { expect, test } from 'vitest'
import type { MemberId } from '../../src/base/ids.js'
import { claimDataFolder, identityPath, readIdentity } from '../../src/oplog/data-folder.js'
import { MemoryDisk } from './memory-disk.js'

const MEMBER = { clusterId: 'shop', memberId: 3 as MemberId, memberName: 'eu', createdMs: 1_800_000_000_000 }

test('an empty folder becomes the member that starts in it', () => {
  const disk = new MemoryDisk()
  expect(readIdentity(disk, '/d')).toBeNull()
  claimDataFolder(disk, '/d', MEMBER)
  expect(readIdentity(disk, '/d')).toEqual(MEMBER)
  expect(claimDataFolder(disk, '/d', { ...MEMBER, createdMs: 5 })).toEqual(MEMBER)
})

test.each([{ clusterId: 'bank' }, { memberId: 4 as MemberId }, { memberName: 'us' }])(
  'the folder of another member is refused: %o',
  (other) => {
    const disk = new MemoryDisk()
    claimDataFolder(disk, '/d', MEMBER)
    const claim = () => claimDataFolder(disk, '/d', { ...MEMBER, ...other })
    expect(claim).toThrow(expect.objectContaining({ code: 'MRD_DATA_FOLDER_OWNER' }) as Error)
    expect(claim).toThrow(/belongs to member eu \(id 3\) of cluster shop/)
    expect(readIdentity(disk, '/d')).toEqual(MEMBER)
  },
)

test.each([
  '',
  'null',
  '[]',
  '{"format":1}',
  '{"format":2,"clusterId":"a"}',
  '{"format":1,"clusterId":"a","memberId":0,"memberName":"b","createdMs":1}',
])('an identity file that cannot be understood is named: %s', (text) => {
  const disk = new MemoryDisk()
  disk.writeWhole(identityPath('/d'), new TextEncoder().encode(text))
  expect(() => claimDataFolder(disk, '/d', MEMBER)).toThrow(/\/d\/identity\.json cannot be used/)
})
