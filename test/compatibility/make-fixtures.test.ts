import { it } from 'vitest'
import { checkDataFolder } from '../../src/node/data-check.js'
import { BackupFile } from '../../src/oplog/backup-file.js'
import { BackupWriter } from '../../src/oplog/backup-writer.js'
import { drain } from '../oplog/log-rig.js'
import { Life } from '../simulation/sim-clock.js'
import * as wire from '../../src/peer-sync/messages.js'
import { SimulatedMesh, type SimulatedNode } from '../support/simulated-mesh.js'
import type { MemberId, Stamp } from '../../src/base/ids.js'
import { VersionVector } from '../../src/crdt/version-vector.js'
import { BACKUP_PATH, meaningOf, writeDisk, writeFixture } from './fixtures.js'
import { VOCABULARY } from './vocabulary.js'
import { QUESTIONS, writeEverything } from './written.js'

/** Of the first version this was done once. For a later version of a format: another folder in fixtures.ts, and MAKE_FIXTURES=1. */
it.skipIf(process.env['MAKE_FIXTURES'] === undefined)('makes files and transcripts', () => {
  const mesh = new SimulatedMesh(2, 1, { segmentBytes: 20_000 }).start()
  const [node] = mesh.nodes
  writeEverything(mesh)
  takeBackup(mesh, node)
  node.member.engine.requestSync()
  mesh.advance(1500)
  const image = node.disk.image()
  writeDisk(image)
  if (checkDataFolder(node.disk.port(new Life()), '/data').isDamaged) throw new Error('the files are damaged')
  writeFixture('expected', { digest: node.run('CRDT.DIGEST'), answers: QUESTIONS.map((question) => node.run(...question)) })
  writeFixture(
    'messages',
    VOCABULARY.map(({ name, version, bytes, read }) => ({
      name,
      version,
      hex: Buffer.from(bytes).toString('hex'),
      meaning: meaningOf(read === null ? null : read(bytes.subarray(wire.MESSAGE_HEADER_BYTES))),
    })),
  )
  const topology = image.get('/data/topology')
  if (topology === undefined) throw new Error('there is no list of members')
  const own = VersionVector.from([[1, node.member.engine.applied.get(1 as MemberId)]])
  // The member itself has let the beginning of its log go by now.
  const again = new SimulatedMesh(2, 1, { segmentBytes: 20_000 })
  again.nodes[0].disk.restore(image)
  again.nodes[0].start()
  again.until('it has loaded', () => again.nodes[0].member.loading === null)
  const frames: Uint8Array[] = []
  const cursor = again.nodes[0].member.log.openCursor(1 as MemberId, 0 as Stamp)
  for (const frame of drain(cursor)) frames.push(wire.encodeFrame(1, frame.bytes))
  cursor.close()
  const hex = (messages: readonly Uint8Array[]): string[] => messages.map((bytes) => Buffer.from(bytes).toString('hex'))
  writeFixture('link-frames', hex(frames))
  for (let version = 1; version <= wire.PROTOCOL_MAX; version++) {
    const opening = [
      wire.encodeHello({
        minVersion: 1,
        maxVersion: version,
        member: 1,
        incarnation: 99,
        topologyVersion: 1,
        clusterId: 'simulated',
        name: 'm1',
      }),
      ...(version >= wire.TOPOLOGY_VERSION ? [wire.encodeTopologyMessage(topology)] : []),
      wire.encodePing(7, []),
      wire.encodeVectors(1 as MemberId, own, own, new VersionVector(), new VersionVector()) ?? new Uint8Array(0),
      wire.encodeSubscribe({ subscription: 1, origin: 2 as MemberId, after: 0 as Stamp, creditBytes: 1_000_000 }),
    ]
    writeFixture(`link-version-${version}`, { version, opening: hex(opening) })
  }
})

function takeBackup(mesh: SimulatedMesh, node: SimulatedNode): void {
  const id = node.run('CRDT.BACKUP', 'BEGIN')
  const state = (): string[] => node.run('CRDT.BACKUP', 'STATE', id).split(' ')
  mesh.until('the backup is ready', () => state()[1] === 'ready')
  const fields = state()
  const field = (name: string): number => Number(fields[fields.indexOf(name) + 1])
  const header = {
    snapshotLength: field('snapshot-bytes'),
    logPosition: field('log-position'),
    logLength: field('log-bytes'),
    createdMs: 7,
    memberName: 'm1',
  }
  const disk = node.disk.port(new Life())
  disk.ensureFolder('/backups')
  const writer = new BackupWriter(disk, '/backups', BACKUP_PATH, header, () => undefined)
  while (writer.missing > 0)
    writer.add(node.bytes('CRDT.BACKUP', 'READ', id, String(header.snapshotLength + header.logLength - writer.missing)))
  writer.finish((path) => {
    const file = new BackupFile(disk, path)
    file.verify(() => undefined)
    file.close()
  })
}
