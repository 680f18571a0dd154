import { describe, expect, it } from 'vitest'
import { crc32 } from '../../src/base/crc32.js'
import { MeridianError } from '../../src/base/errors.js'
import type { MemberId } from '../../src/base/ids.js'
import { LIMITS } from '../../src/base/limits.js'
import { parseFrame } from '../../src/crdt/frame.js'
import { checkDataFolder } from '../../src/node/data-check.js'
import { restoreBackup } from '../../src/node/restore.js'
import { BackupFile } from '../../src/oplog/backup-file.js'
import { MessageReader } from '../../src/peer-sync/message-reader.js'
import * as wire from '../../src/peer-sync/messages.js'
import { MESSAGE } from '../../src/peer-sync/messages.js'
import type { Link } from '../../src/ports/network.js'
import type { Logger } from '../../src/ports/logger.js'
import { Life, SimClock } from '../simulation/sim-clock.js'
import { SimulatedMesh, type SimulatedNode } from '../support/simulated-mesh.js'
import { BACKUP_PATH, meaningOf, readDisk, readFixture, type Expected, type FrozenMessage, type Transcript } from './fixtures.js'
import { VOCABULARY } from './vocabulary.js'
import { QUESTIONS } from './written.js'

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
}

const expected = readFixture('expected') as Expected
let mesh: SimulatedMesh
let node: SimulatedNode

/** A member on that disk, as changed; not started. */
function onDisk(change: (files: Map<string, Uint8Array>) => void = () => undefined): void {
  // The other member is played from what it once said, or not there at all: nobody answers.
  mesh = new SimulatedMesh(2, 1, { segmentBytes: 20_000, startWaitMs: 0 })
  ;[node] = mesh.nodes
  const files = readDisk()
  change(files)
  node.disk.restore(files)
}

function start(): void {
  node.start()
  mesh.until('it has loaded', () => node.member.loading === null)
  mesh.advance(500)
}

function answers(of: SimulatedNode = node): string[] {
  return QUESTIONS.map((question) => of.run(...question))
}

function names(files: ReadonlyMap<string, Uint8Array>, folder: string): string[] {
  return [...files.keys()].filter((path) => path.startsWith(folder)).sort()
}

/** Tells whether two disks have the same. */
function sums(files: ReadonlyMap<string, Uint8Array>): string {
  return [...files]
    .map(([path, bytes]) => `${path} ${bytes.length} ${crc32(bytes)}`)
    .sort()
    .join('\n')
}

/** Says another version in a header that begins with magic, version and length and ends with a checksum. */
function withVersion(bytes: Uint8Array, version: number): Uint8Array {
  const changed = Buffer.from(bytes)
  changed.writeUInt32LE(version, 8)
  const length = changed.readUInt32LE(12)
  changed.writeUInt32LE(crc32(changed.subarray(0, length - 4)), length - 4)
  return changed
}

function failure(action: () => unknown): MeridianError {
  try {
    action()
  } catch (error) {
    if (error instanceof MeridianError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

describe('files of the first version', () => {
  it('are whole, and of every kind', () => {
    onDisk()
    const files = readDisk()
    expect(names(files, '/data/log/').length).toBeGreaterThan(1)
    expect(names(files, '/data/snapshot/').length).toBeGreaterThan(0)
    for (const path of ['/data/identity.json', '/data/topology', BACKUP_PATH])
      expect([path, files.has(path)]).toEqual([path, true])
    expect(checkDataFolder(node.disk.port(new Life()), '/data').isDamaged).toBe(false)
  })

  it('start a member with everything that was in them', () => {
    onDisk()
    start()
    expect(answers()).toEqual(expected.answers)
    expect(node.run('CRDT.DIGEST')).toBe(expected.digest)
  })

  it('start it from the log alone', () => {
    onDisk((files) => names(files, '/data/snapshot/').forEach((path) => files.delete(path)))
    start()
    expect(answers()).toEqual(expected.answers)
  })

  it('give everything to a member of this version', () => {
    onDisk()
    const [, fresh] = mesh.nodes
    start()
    fresh.start()
    mesh.untilEqual(node, fresh)
    expect(answers(fresh)).toEqual(expected.answers)
  })

  it('are restored from a backup', () => {
    onDisk()
    const life = new Life()
    const disk = node.disk.port(life)
    const backup = new BackupFile(disk, BACKUP_PATH)
    backup.verify(() => undefined)
    const identity = { clusterId: 'simulated', memberId: 1 as MemberId, memberName: 'm1', createdMs: 1 }
    for (const path of names(readDisk(), '/data/')) disk.remove(path)
    restoreBackup(
      backup,
      '/data',
      identity,
      '1.2.3',
      { disk, clock: new SimClock(node.clock, life), logger: silent },
      () => undefined,
    )
    backup.close()
    start()
    expect(answers()).toEqual(expected.answers)
  })
})

describe('a file of a version to come is refused by name, and nothing is changed:', () => {
  it.each([
    ['log', '/data/log/', 'MRD_LOG_VERSION', /format version 2 at byte 0, this server reads version 1/],
    ['snapshot', '/data/snapshot/', 'MRD_SNAPSHOT_VERSION', /format version 2, this server reads version 1/],
    ['backup', BACKUP_PATH, 'MRD_BACKUP_VERSION', /format version 2, this program reads version 1/],
  ])('%s', (_, folder, code, text) => {
    let before = ''
    onDisk((files) => {
      for (const path of names(files, folder)) files.set(path, withVersion(files.get(path) ?? new Uint8Array(0), 2))
      before = sums(files)
    })
    const disk = node.disk.port(new Life())
    const error =
      folder === BACKUP_PATH ? failure(() => new BackupFile(disk, BACKUP_PATH)) : failure(() => checkDataFolder(disk, '/data'))
    expect([error.code, error.message]).toEqual([code, expect.stringMatching(text)])
    if (folder !== BACKUP_PATH) {
      const refused = failure(() => {
        node.start()
        mesh.advance(500)
      })
      expect([refused.code, refused.message]).toEqual([code, expect.stringMatching(text)])
    }
    expect(sums(node.disk.image())).toBe(before)
  })

  it('list of members', () => {
    onDisk((files) => {
      const topology = Buffer.from(files.get('/data/topology') ?? [])
      topology.writeUInt16LE(2, 4)
      files.set('/data/topology', topology)
    })
    const error = failure(() => node.start())
    expect([error.code, error.message]).toEqual(['MRD_TOPOLOGY', expect.stringMatching(/format 2, this server reads format 1/)])
  })

  it('identity', () => {
    onDisk((files) => {
      const text = Buffer.from(files.get('/data/identity.json') ?? []).toString()
      files.set('/data/identity.json', Buffer.from(text.replace(/"format": ?1/, '"format":2')))
    })
    const error = failure(() => node.start())
    expect([error.code, error.message]).toEqual([
      'MRD_DATA_FOLDER',
      expect.stringMatching(/format 2, this server reads format 1/),
    ])
  })
})

describe('messages of a link', () => {
  it('are written as ever, byte for byte', () => {
    const frozen = readFixture('messages') as FrozenMessage[]
    expect(frozen.map(({ name }) => name)).toEqual(VOCABULARY.map(({ name }) => name))
    expect(VOCABULARY.map(({ name, bytes }) => [name, Buffer.from(bytes).toString('hex')])).toEqual(
      frozen.map(({ name, hex }) => [name, hex]),
    )
  })

  it('are read as ever', () => {
    for (const { name, hex, meaning } of readFixture('messages') as FrozenMessage[]) {
      const read = VOCABULARY.find((word) => word.name === name)?.read
      if (read === null || read === undefined) continue
      const payload = Buffer.from(hex, 'hex').subarray(wire.MESSAGE_HEADER_BYTES)
      expect([name, meaningOf(read(payload))]).toEqual([name, meaning])
    }
  })
})

/** A member of an earlier version, played from what it said. */
class OldMember {
  readonly got: { readonly type: number; readonly payload: Buffer }[] = []
  closed = false
  private readonly reader = new MessageReader(LIMITS.linkMessageBytes)
  private readonly link: Link

  private readonly frames = readFixture('link-frames') as string[]

  constructor(private readonly transcript: Transcript) {
    this.link = mesh.network.port('m1', new Life()).dial(
      { name: 'm2', host: 'm2', port: 1 },
      {
        onOpen: () => this.say(transcript.opening.slice(0, 1)),
        onData: (bytes) => this.hear(bytes),
        onDrain: () => undefined,
        onClose: () => (this.closed = true),
      },
    )
  }

  private say(messages: readonly string[], subscription = 0): void {
    for (const hex of messages) {
      const bytes = Buffer.from(hex, 'hex')
      if (subscription > 0) bytes.writeUInt32LE(subscription, wire.MESSAGE_HEADER_BYTES)
      this.link.send(bytes)
    }
  }

  private hear(bytes: Uint8Array): void {
    this.reader.push(bytes)
    while (this.reader.next()) {
      const { type } = this.reader
      const payload = Buffer.from(this.reader.payload)
      this.got.push({ type, payload })
      if (type === MESSAGE.hello) this.say(this.transcript.opening.slice(1))
      if (type === MESSAGE.subscribe) {
        const { subscription, origin, after } = wire.decodeSubscribe(payload)
        if ((origin as number) === 1 && after === 0) this.say(this.frames, subscription)
      }
    }
  }
}

describe('a member that speaks an earlier version of the protocol', () => {
  /** The last message type that each version knows. */
  const LAST_TYPE = [0, MESSAGE.frame, MESSAGE.publication, MESSAGE.topology, MESSAGE.snapshotDone]

  it.each([1, 2, 3, 4])('%i is heard, is sent what is written here, and hears nothing that it does not know', (version) => {
    onDisk()
    const [, current] = mesh.nodes
    current.start()
    const transcript = readFixture(`link-version-${version}`) as Transcript
    mesh.advance(100)
    const old = new OldMember(transcript)
    mesh.advance(5000)
    const last = (readFixture('link-frames') as string[]).at(-1) ?? ''
    const until = parseFrame(Buffer.from(last, 'hex').subarray(wire.MESSAGE_HEADER_BYTES + 4)).last
    expect(old.closed).toBe(false)
    const subscribed = old.got
      .filter(({ type }) => type === MESSAGE.subscribe)
      .map(({ payload }) => wire.decodeSubscribe(payload).origin)
    expect(subscribed).toContain(1)
    // Frames of member 1 that had seen some of member 2 wait for those, which this link does not bring; all before them are applied.
    expect(current.member.engine.applied.get(1 as MemberId)).toBeGreaterThan(0)
    expect(until).toBeGreaterThanOrEqual(current.member.engine.applied.get(1 as MemberId))
    expect(current.run('HGET', 'large-hash', 'field 250')).toBe('value of field 250')
    expect(current.run('SET', 'from-current', 'x')).toBe('OK')
    mesh.advance(500)
    const frames = old.got.filter(({ type }) => type === MESSAGE.frame).map(({ payload }) => parseFrame(payload.subarray(4)))
    expect(frames.at(-1)).toMatchObject({ origin: 2, last: current.member.engine.applied.get(2 as MemberId) })
    for (const { type } of old.got) expect(type).toBeLessThanOrEqual(LAST_TYPE[version])
    const told = old.got.filter(({ type }) => type === MESSAGE.vectors).map(({ payload }) => wire.decodeVectors(payload))
    expect(told.some(({ applied }) => applied.some(([member]) => (member as number) === 1))).toBe(true)
  })
})
