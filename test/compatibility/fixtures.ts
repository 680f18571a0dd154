import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { VersionVector } from '../../src/crdt/version-vector.js'
import type { DiskImage } from '../simulation/sim-disk.js'

/**
 * Files and link messages as the first version of each format has them. They are never made again: a program that cannot read them, or that writes such a thing
 * otherwise under the same version number, breaks members and backups that exist. A new version of a format gets a folder of its own beside these.
 */
const FIXTURES = join(dirname(fileURLToPath(import.meta.url)), 'first-version')

export const BACKUP_PATH = '/backups/m1.mbackup'

/** What was in the data when the files were made. */
export interface Expected {
  readonly digest: string
  /** Answers to QUESTIONS. */
  readonly answers: readonly string[]
}

/** One message as it was on the wire. */
export interface FrozenMessage {
  readonly name: string
  readonly version: number
  readonly hex: string
  readonly meaning: unknown
}

/** What a member of a protocol version said over a link, HELLO first. */
export interface Transcript {
  readonly version: number
  /** Before it is asked for anything. Its own frames, for when they are asked for, are in link-frames: the number of the subscription is the asker's. */
  readonly opening: readonly string[]
}

export function readFixture(name: string): unknown {
  return JSON.parse(readFileSync(join(FIXTURES, `${name}.json`), 'utf8'))
}

export function writeFixture(name: string, value: unknown): void {
  mkdirSync(FIXTURES, { recursive: true })
  writeFileSync(join(FIXTURES, `${name}.json`), `${JSON.stringify(value, plain, 1)}\n`)
}

/** What a decoder gave, as JSON has it. */
export function meaningOf(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, plain) ?? 'null') as unknown
}

function plain(_: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  // Buffers turn themselves into objects before they come here.
  if (typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer' && 'data' in value)
    return Buffer.from(value.data as number[]).toString('hex')
  if (value instanceof VersionVector) return value.toString()
  return value
}

/** The disk of the member that wrote them: its data folder and a backup. */
export function readDisk(): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>()
  for (const entry of readdirSync(join(FIXTURES, 'disk'), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    files.set(path.slice(join(FIXTURES, 'disk').length), readFileSync(path))
  }
  return files
}

export function writeDisk(image: DiskImage): void {
  for (const [path, bytes] of image) {
    const to = join(FIXTURES, 'disk', path)
    mkdirSync(dirname(to), { recursive: true })
    writeFileSync(to, bytes)
  }
}
