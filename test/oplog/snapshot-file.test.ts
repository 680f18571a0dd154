import { describe, expect, it } from 'vitest'
import type { MemberId, Stamp } from '../../src/base/ids.js'
import { LIMITS } from '../../src/base/limits.js'
import { VersionVector } from '../../src/crdt/version-vector.js'
import type { SnapshotHeader } from '../../src/oplog/snapshot-format.js'
import { SnapshotReader, listSnapshots, removeUnfinishedSnapshots } from '../../src/oplog/snapshot-reader.js'
import { SnapshotWriter } from '../../src/oplog/snapshot-writer.js'
import { MemoryDisk, seededRandom } from './memory-disk.js'

const FOLDER = '/data'
const OWNER = { clusterId: 'shop', memberId: 3 }
const HEADER: SnapshotHeader = {
  clusterId: 'shop',
  memberId: 3 as MemberId,
  sequence: 7,
  writtenMs: 1_800_000_000_123,
  version: '1.2.3',
  position: 2 ** 40 + 5,
  vector: VersionVector.from([
    [1, 2 ** 50 + 1],
    [3, 77],
  ]),
  stable: VersionVector.from([[3, 70]]),
  clock: (2 ** 50 + 9) as Stamp,
  topology: Uint8Array.of(9, 8, 7),
}
const END = {
  position: 2 ** 40 + 500,
  clock: (2 ** 50 + 99) as Stamp,
  seen: VersionVector.from([
    [1, 90],
    [3, 80],
  ]),
  highest: [
    { database: 0, stamps: VersionVector.from([[3, 77]]) },
    { database: 15, stamps: new VersionVector() },
  ],
}
const RECORDS = [new Uint8Array(100).fill(1), new Uint8Array(5000).fill(2), new Uint8Array(0), Uint8Array.of(1, 2, 3)]

function write(disk: MemoryDisk, header = HEADER): SnapshotWriter {
  const writer = new SnapshotWriter(disk, FOLDER, header)
  writer.addSection(0, 5, 2, RECORDS[0])
  writer.addSection(0, 5, 40, RECORDS[1])
  writer.addSection(0, 1031, 1, RECORDS[2])
  writer.addSection(15, 0, 1, RECORDS[3])
  writer.writeEnd(END)
  return writer
}

function publish(disk: MemoryDisk, header = HEADER): string {
  const writer = write(disk, header)
  writer.syncNow()
  writer.publish()
  return writer.path
}

describe('a snapshot file', () => {
  it('has a large section written in steps, with the same bytes as in one go', () => {
    const records = Uint8Array.from({ length: 3 * LIMITS.logPieceBytes + 17 }, (_, i) => (i * 31) & 0xff)
    const files = [true, false].map((inSteps) => {
      const disk = new MemoryDisk()
      const writer = new SnapshotWriter(disk, FOLDER, HEADER)
      let steps = 0
      if (inSteps) for (const each = writer.addSectionInSteps(0, 5, 1, records); each.next().done !== true;) steps++
      else writer.addSection(0, 5, 1, records)
      expect(steps).toBe(inSteps ? 6 : 0)
      writer.writeEnd(END)
      writer.syncNow()
      writer.publish()
      const reader = new SnapshotReader(disk, writer.path, OWNER)
      expect(Buffer.compare(reader.readSection(reader.sections[0]), records)).toBe(0)
      reader.close()
      return [writer.bytes, writer.sections] as const
    })
    expect(files[0]).toEqual(files[1])
  })

  it('reads back as written, each section by itself', () => {
    const disk = new MemoryDisk()
    const reader = new SnapshotReader(disk, publish(disk), OWNER)
    const { vector, stable, ...fields } = reader.header
    const { vector: _v, stable: _s, ...expected } = HEADER
    expect(fields).toEqual(expected)
    expect([vector.toString(), stable.toString()]).toEqual([HEADER.vector.toString(), HEADER.stable.toString()])
    expect(reader.keys).toBe(44)
    expect(reader.sections.map(({ database, shard, keys }) => [database, shard, keys])).toEqual([
      [0, 5, 2],
      [0, 5, 40],
      [0, 1031, 1],
      [15, 0, 1],
    ])
    for (const i of [3, 1, 0, 2]) expect(reader.readSection(reader.sections[i])).toEqual(RECORDS[i])
    expect(reader.end.position).toBe(END.position)
    expect(reader.end.clock).toBe(END.clock)
    expect(reader.end.seen.toString()).toBe(END.seen.toString())
    expect(reader.end.highest.map(({ database, stamps }) => [database, stamps.toString()])).toEqual([
      [0, '3:77'],
      [15, ''],
    ])
    reader.close()
    expect(disk.openReads).toBe(0)
  })

  it('may be empty', () => {
    const disk = new MemoryDisk()
    const writer = new SnapshotWriter(disk, FOLDER, { ...HEADER, topology: new Uint8Array(0) })
    writer.writeEnd({ ...END, highest: [] })
    writer.syncNow()
    writer.publish()
    const reader = new SnapshotReader(disk, writer.path, OWNER)
    expect([reader.keys, reader.sections.length, reader.end.highest.length]).toEqual([0, 0, 0])
  })

  it('has no name before it is published, and none after it was abandoned', () => {
    const disk = new MemoryDisk()
    const writer = write(disk)
    expect(listSnapshots(disk, FOLDER)).toEqual([])
    writer.abandon()
    writer.abandon()
    expect(disk.list('/data/snapshot')).toEqual([])
  })

  it('is complete or absent wherever the power fails', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = seededRandom(seed)
      const disk = new MemoryDisk()
      publish(disk, { ...HEADER, sequence: 6 })
      const steps = Math.floor(random() * 5)
      const writer = write(disk)
      if (steps > 0) writer.sync(() => undefined)
      if (steps > 1) disk.completeSyncs()
      if (steps > 2) writer.publish()
      disk.crash(random)
      removeUnfinishedSnapshots(disk, FOLDER)
      const names = listSnapshots(disk, FOLDER).map(({ sequence }) => sequence)
      expect(names).toEqual(steps > 2 ? [7, 6] : [6])
      for (const { path } of listSnapshots(disk, FOLDER)) {
        const reader = new SnapshotReader(disk, path, OWNER)
        for (const section of reader.sections) reader.readSection(section)
      }
    }
  })

  it('says what is damaged, for every byte of it', () => {
    const disk = new MemoryDisk()
    const path = publish(disk)
    const { bytes } = disk.file(path)
    for (let at = 0; at < bytes.length; at++) {
      if (at > 200 && at < 5000) continue
      bytes[at] ^= 1 << (at & 7)
      expect(() => {
        const reader = new SnapshotReader(disk, path, OWNER)
        for (const section of reader.sections) reader.readSection(section)
      }, `byte ${at}`).toThrow(/MRD_SNAPSHOT_(DAMAGED|VERSION)/)
      bytes[at] ^= 1 << (at & 7)
    }
    expect(disk.openReads).toBeGreaterThan(0)
  })

  it('says what is damaged wherever it is cut off', () => {
    const disk = new MemoryDisk()
    const path = publish(disk)
    const { bytes } = disk.file(path)
    for (let length = 0; length < bytes.length; length += length < 300 || length > 5200 ? 1 : 97) {
      disk.file(path).bytes = bytes.slice(0, length)
      expect(() => new SnapshotReader(disk, path, OWNER), `${length} bytes`).toThrow(/MRD_SNAPSHOT_DAMAGED/)
    }
    disk.file(path).bytes = new Uint8Array([...bytes, 0])
    expect(() => new SnapshotReader(disk, path, OWNER)).toThrow(/MRD_SNAPSHOT_DAMAGED/)
  })

  it("is refused as another member's, and under another's name", () => {
    const disk = new MemoryDisk()
    const path = publish(disk)
    expect(() => new SnapshotReader(disk, path, { ...OWNER, memberId: 4 })).toThrow(/MRD_DATA_FOLDER_OWNER/)
    const other = path.replace('7.msnap', '8.msnap')
    disk.rename(path, other)
    expect(() => new SnapshotReader(disk, other, OWNER)).toThrow(/snapshot 7 under the name of another/)
    expect(disk.openReads).toBe(0)
  })

  it('is not begun, or leaves nothing, when the disk is full', () => {
    const disk = new MemoryDisk()
    disk.capacity = 50
    expect(() => new SnapshotWriter(disk, FOLDER, HEADER)).toThrow(/MRD_DISK_FULL/)
    expect(disk.list('/data/snapshot')).toEqual([])
    disk.capacity = 2000
    const writer = new SnapshotWriter(disk, FOLDER, HEADER)
    expect(() => writer.addSection(0, 0, 1, new Uint8Array(4000))).toThrow(/MRD_DISK_FULL/)
    writer.abandon()
    expect(disk.list('/data/snapshot')).toEqual([])
  })

  it('cannot be published after a failed sync', () => {
    const disk = new MemoryDisk()
    const writer = write(disk)
    disk.failSyncs = true
    let failure: Error | null = null
    writer.sync((error) => (failure = error))
    disk.completeSyncs()
    expect(failure).not.toBeNull()
    disk.failSyncs = false
    expect(() => writer.publish()).toThrow()
    writer.abandon()
    expect(disk.list('/data/snapshot')).toEqual([])
  })
})
